/* contract/request and account_judge_names: what a client may send, and what is malformed. */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/text.h"
#include "contract/judge.h"
#include "contract/request.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MUTATIONS 200000
#define TOKEN_A "abcdefghijklmnopqrstuvwxyz"
#define TOKEN_B "234567abcdefghijklmnopqrst"
#define MALFORMED NULL
/* A text with its length, which may have NULs inside. */
#define BYTES(text) text, sizeof(text) - 1

typedef int (*reader_t)(apr_array_header_t *pairs, const char *text, apr_size_t length);

typedef struct row_t {
    const char *text;
    apr_size_t length;
    const char *wanted; /* name=value;name=value; */
} row_t;

static apr_array_header_t *make_pairs(apr_pool_t *pool)
{
    return apr_array_make(pool, 4, sizeof(account_pair_t));
}

/* The pairs as one text. NULL: malformed. The bytes are given without the NUL that a text would
 * have after them, so that reading too far is seen. */
static const char *read_pairs(reader_t reader, const char *text, apr_size_t length,
                              apr_pool_t *pool)
{
    apr_array_header_t *pairs = make_pairs(pool);
    char *bytes = malloc(length ? length : 1);
    const char *all = "";
    int well, i;

    memcpy(bytes, text, length);
    well = reader(pairs, bytes, length);
    free(bytes);
    for (i = 0; well && i < pairs->nelts; i++) {
        const account_pair_t *pair = &APR_ARRAY_IDX(pairs, i, account_pair_t);

        all = apr_pstrcat(pool, all, pair->name, "=",
                          pair->value == account_pair_nested ? "(nested)" : pair->value, ";", NULL);
    }
    return well ? all : MALFORMED;
}

static void check_rows(reader_t reader, const row_t *rows, apr_size_t count, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < count; i++) {
        is_str(read_pairs(reader, rows[i].text, rows[i].length, pool), rows[i].wanted, "%s: %s%s",
               reader == account_request_form ? "form" : "json", fixture_shown(rows[i].text),
               rows[i].wanted ? "" : " is malformed");
    }
}

static void test_form(apr_pool_t *pool)
{
    static const row_t rows[] = {
        {BYTES(""), ""},
        {BYTES("a=b"), "a=b;"},
        {BYTES("a=b&c=d"), "a=b;c=d;"},
        {BYTES("a"), "a=;"},
        {BYTES("a="), "a=;"},
        {BYTES("=b"), "=b;"},
        {BYTES("="), "=;"},
        {BYTES("&"), ""},
        {BYTES("&&a=1&&&b=2&&"), "a=1;b=2;"},
        {BYTES("a=b=c"), "a=b=c;"},
        {BYTES("a==b"), "a==b;"},
        {BYTES("a=1&a=2&a=1"), "a=1;a=2;a=1;"},
        {BYTES("a;b=c;d"), "a;b=c;d;"},
        {BYTES("a=x+y%20z"), "a=x y z;"},
        {BYTES("a+b=+"), "a b= ;"},
        {BYTES("a=%2B%26%3D%25"), "a=+&=%;"},
        {BYTES("a=%41%6a%6A"), "a=Ajj;"},
        {BYTES("%61%3d=1"), "a==1;"},
        {BYTES("a=%2541"), "a=%41;"},
        {BYTES("a=%E5%AF%86"), "a=\xE5\xAF\x86;"},
        {BYTES("a=\xE5\xAF\x86"), "a=\xE5\xAF\x86;"},
        {BYTES("a=%F0%9F%98%80"), "a=\xF0\x9F\x98\x80;"},
        {BYTES("a=%0d%0A%01%7f"), "a=\r\n\x01\x7f;"},
        {BYTES("a={\"b\":1}"), "a={\"b\":1};"},
        {BYTES("\xEF\xBB\xBF"
               "a=1"),
         "\xEF\xBB\xBF"
         "a=1;"},
        {BYTES("a=%"), MALFORMED},
        {BYTES("a=%4"), MALFORMED},
        {BYTES("a=%z1"), MALFORMED},
        {BYTES("a=%4z"), MALFORMED},
        {BYTES("a=%%41"), MALFORMED},
        {BYTES("a=%u5bc6"), MALFORMED},
        {BYTES("a=% 41"), MALFORMED},
        {BYTES("a=%-1"), MALFORMED},
        {BYTES("a=%4&1=2"), MALFORMED},
        {BYTES("a=1&b=%"), MALFORMED},
        {BYTES("%=1"), MALFORMED},
        {BYTES("a=%00"), MALFORMED},
        {BYTES("a=x%00y"), MALFORMED},
        {BYTES("a%00=x"), MALFORMED},
        {BYTES("a=\0"), MALFORMED},
        {BYTES("a\0b=1"), MALFORMED},
        {BYTES("a=1&\0"), MALFORMED},
        {BYTES("a=%C0%80"), MALFORMED},
        {BYTES("a=%C0%AF"), MALFORMED},
        {BYTES("a=%E0%80%AF"), MALFORMED},
        {BYTES("a=%F0%80%80%AF"), MALFORMED},
        {BYTES("a=%ED%A0%80"), MALFORMED},
        {BYTES("a=%ED%A0%BD%ED%B8%80"), MALFORMED},
        {BYTES("a=%F4%90%80%80"), MALFORMED},
        {BYTES("a=%E5%AF"), MALFORMED},
        {BYTES("a=%E5%AF&b=%86"), MALFORMED},
        {BYTES("a=%FF"), MALFORMED},
        {BYTES("a=%80"), MALFORMED},
        {BYTES("%FE=a"), MALFORMED},
        {BYTES("a=\xC3"), MALFORMED},
    };

    check_rows(account_request_form, rows, COUNT(rows), pool);
}

static void test_json(apr_pool_t *pool)
{
    static const row_t rows[] = {
        {BYTES("{}"), ""},
        {BYTES(" \t\r\n{ } "), ""},
        {BYTES("{\"a\": \"b\"}"), "a=b;"},
        {BYTES("{\"b\": \"1\", \"a\": \"2\"}"), "b=1;a=2;"},
        {BYTES("{\"a\": null}"), ""},
        {BYTES("{\"a\": null, \"b\": \"\"}"), "b=;"},
        {BYTES("{\"a\": true, \"b\": false}"), "a=true;b=false;"},
        {BYTES("{\"a\": 13800138000}"), "a=13800138000;"},
        {BYTES("{\"a\": 0, \"b\": -1, \"c\": 9007199254740993}"), "a=0;b=-1;c=9007199254740993;"},
        {BYTES("{\"a\": 9223372036854775807}"), "a=9223372036854775807;"},
        {BYTES("{\"a\": 1.0}"), "a=1.0;"},
        {BYTES("{\"a\": 0.1, \"b\": 100.50}"), "a=0.1;b=100.5;"},
        {BYTES("{\"a\": \"1.0\"}"), "a=1.0;"},
        {BYTES("{\"\": 1}"), "=1;"},
        {BYTES("{\"a\": {}, \"b\": [], \"c\": {\"d\": 1}}"), "a=(nested);b=(nested);c=(nested);"},
        {BYTES("{\"a\": \"{[{[{[{[{[{[\"}"), "a={[{[{[{[{[{[;"},
        {BYTES("{\"a\": \"\\\"{[{[{[{[{[{[\\\\\"}"), "a=\"{[{[{[{[{[{[\\;"},
        {BYTES("{\"a\": \"\\\\\\\"}]}]\"}"), "a=\\\"}]}];"},
        {BYTES("{\"\\\"{{{{{{{{{\": 1}"), "\"{{{{{{{{{=1;"},
        {BYTES("{\"a\": \"\\u5bc6\\ud83d\\ude00\\/\"}"), "a=\xE5\xAF\x86\xF0\x9F\x98\x80/;"},
        {BYTES("{\"a\": \"\\u0001\\n\"}"), "a=\x01\n;"},
        {BYTES("{\"a\": \"&b=1%00\"}"), "a=&b=1%00;"},
        /* eight levels; the brackets that are closed do not count */
        {BYTES("{\"a\": [[[[[[[1]]]]]]]}"), "a=(nested);"},
        {BYTES("{\"a\": [[[[[[[]]]]]]], \"b\": {\"c\": {\"d\": [[[[[]]]]]}}}"),
         "a=(nested);b=(nested);"},
        {BYTES("{\"a\": [[],[],[],[],[],[],[],[],[],[],[]]}"), "a=(nested);"},
        {BYTES("{\"a\": [[[[[[[[1]]]]]]]]}"), MALFORMED},
        {BYTES("{\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {}}}}}}}}}"),
         MALFORMED},
        {BYTES("{\"a\": \"\\\\\", \"b\": [[[[[[[[1]]]]]]]]}"), MALFORMED},
        {BYTES(""), MALFORMED},
        {BYTES(" "), MALFORMED},
        {BYTES("null"), MALFORMED},
        {BYTES("1"), MALFORMED},
        {BYTES("\"a\""), MALFORMED},
        {BYTES("[]"), MALFORMED},
        {BYTES("[{\"a\": \"b\"}]"), MALFORMED},
        {BYTES("{\"a\": \"b\"} x"), MALFORMED},
        {BYTES("{\"a\": \"b\"}{}"), MALFORMED},
        {BYTES("{\"a\": \"b\"}\0"), MALFORMED},
        {BYTES("{\"a\": \"b\""), MALFORMED},
        {BYTES("{\"a\": \"b"), MALFORMED},
        {BYTES("{\"a\": \"b\\"), MALFORMED},
        {BYTES("{\"a\": \"b\",}"), MALFORMED},
        {BYTES("{a: 1}"), MALFORMED},
        {BYTES("{'a': 1}"), MALFORMED},
        {BYTES("{\"a\": 01}"), MALFORMED},
        {BYTES("{\"a\": .5}"), MALFORMED},
        {BYTES("{\"a\": +1}"), MALFORMED},
        {BYTES("{\"a\": NaN}"), MALFORMED},
        {BYTES("{\"a\": 1e999}"), MALFORMED},
        {BYTES("{\"a\": 9223372036854775808}"), MALFORMED},
        {BYTES("{\"a\": 1, \"a\": 1}"), MALFORMED},
        {BYTES("{\"a\": 1, \"\\u0061\": 2}"), MALFORMED},
        {BYTES("{\"a\": {\"b\": 1, \"b\": 2}}"), MALFORMED},
        {BYTES("\xEF\xBB\xBF{\"a\": 1}"), MALFORMED},
        {BYTES("{\"a\": \"\\u0000\"}"), MALFORMED},
        {BYTES("{\"a\\u0000b\": 1}"), MALFORMED},
        {BYTES("{\"a\": \"\0\"}"), MALFORMED},
        {BYTES("{\"a\": \"x\ny\"}"), MALFORMED},
        {BYTES("{\"a\": \"\\ud83d\"}"), MALFORMED},
        {BYTES("{\"a\": \"\xC0\xAF\"}"), MALFORMED},
        {BYTES("{\"a\": \"\xED\xA0\x80\"}"), MALFORMED},
        {BYTES("{\"a\": \"\xFF\"}"), MALFORMED},
        {BYTES("{/**/\"a\": 1}"), MALFORMED},
        {BYTES("}}}}}}}}{\"a\": [[[[[[[[[[1]]]]]]]]]]}"), MALFORMED},
        {BYTES("a=b"), MALFORMED},
    };

    check_rows(account_request_json, rows, COUNT(rows), pool);
}

static void test_limits(apr_pool_t *pool)
{
    apr_array_header_t *pairs = make_pairs(pool);
    const char *form = "x=1", *json = "{\"x\": 1";
    char *deep = apr_palloc(pool, 100000);
    int i;

    for (i = 1; i < ACCOUNT_PAIRS; i++) {
        form = apr_psprintf(pool, "%s&x%d=1", form, i);
        json = apr_psprintf(pool, "%s, \"x%d\": 1", json, i);
    }
    ok(account_request_form(pairs, form, strlen(form)) && pairs->nelts == ACCOUNT_PAIRS,
       "256 pairs of a form");
    ok(!account_request_form(pairs, "y=1", 3), "and not one more");
    ok(account_request_form(pairs, "&&", 2), "but nothing more");
    ok(!account_request_json(pairs, "{\"y\": 1}", 8), "nor of JSON");
    ok(account_request_json(pairs, "{\"y\": null}", 11), "null is nothing");
    pairs = make_pairs(pool);
    json = apr_pstrcat(pool, json, "}", NULL);
    ok(account_request_json(pairs, json, strlen(json)) && pairs->nelts == ACCOUNT_PAIRS,
       "256 pairs of JSON");
    json = apr_psprintf(pool, "%.*s, \"y\": 1}", (int)strlen(json) - 1, json);
    ok(!account_request_json(make_pairs(pool), json, strlen(json)), "and not 257");
    form = apr_pstrcat(pool, form, "&y=1", NULL);
    ok(!account_request_form(make_pairs(pool), form, strlen(form)), "257 pairs of a form");
    memset(deep, '[', 100000);
    ok(!account_request_json(make_pairs(pool), deep, 100000), "100,000 brackets");
}

static void test_type(apr_pool_t *pool)
{
    static const struct {
        const char *header;
        account_body_e wanted;
    } rows[] = {
        {NULL, ACCOUNT_BODY_NONE},
        {"", ACCOUNT_BODY_NONE},
        {" ", ACCOUNT_BODY_OTHER},
        {";", ACCOUNT_BODY_OTHER},
        {"application/x-www-form-urlencoded", ACCOUNT_BODY_FORM},
        {"Application/X-WWW-Form-URLEncoded", ACCOUNT_BODY_FORM},
        {"application/x-www-form-urlencoded; charset=UTF-8", ACCOUNT_BODY_FORM},
        {"application/x-www-form-urlencoded;charset=\"utf-8\"", ACCOUNT_BODY_FORM},
        {"application/x-www-form-urlencoded; charset=gbk", ACCOUNT_BODY_OTHER},
        {"application/x-www-form-urlencoded; charset=", ACCOUNT_BODY_OTHER},
        {"application/json", ACCOUNT_BODY_JSON},
        {"application/json;charset=utf8", ACCOUNT_BODY_JSON},
        {"APPLICATION/JSON ; CHARSET=Utf-8", ACCOUNT_BODY_JSON},
        {"application/json; charset=iso-8859-1", ACCOUNT_BODY_OTHER},
        {"application/json; charset=utf-8; charset=utf-16", ACCOUNT_BODY_OTHER},
        {"application/json; version=1", ACCOUNT_BODY_JSON},
        {"application/jsonx", ACCOUNT_BODY_OTHER},
        {"application/json, text/plain", ACCOUNT_BODY_OTHER},
        {"text/json", ACCOUNT_BODY_OTHER},
        {"text/plain", ACCOUNT_BODY_OTHER},
        {"multipart/form-data; boundary=x", ACCOUNT_BODY_OTHER},
        {"text/plain; application/json", ACCOUNT_BODY_OTHER},
        {"*/*", ACCOUNT_BODY_OTHER},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        is_int(account_request_type(rows[i].header, pool), rows[i].wanted, "type: %s",
               rows[i].header ? rows[i].header : "(none)");
    }
}

static void test_cookies(apr_pool_t *pool)
{
    static const struct {
        const char *header;
        const char *wanted;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"s=" TOKEN_A, TOKEN_A ";"},
        {"a=1; s=" TOKEN_A "; b=2", TOKEN_A ";"},
        {"a=1;s=" TOKEN_A ";b=2", TOKEN_A ";"},
        {"a=1, s=" TOKEN_A ", b=2", TOKEN_A ";"},
        {" ;; \t;s=" TOKEN_A ";;", TOKEN_A ";"},
        {"s=" TOKEN_A "; s=" TOKEN_A, TOKEN_A ";"},
        {"s=" TOKEN_A "; s=" TOKEN_B, TOKEN_A ";" TOKEN_B ";"},
        {"s=" TOKEN_B "; x; s=; s=" TOKEN_A "; s=" TOKEN_B, TOKEN_B ";" TOKEN_A ";"},
        {"S=" TOKEN_A, ""},
        {"ss=" TOKEN_A "; s2=" TOKEN_A "; xs=" TOKEN_A, ""},
        {"s", ""},
        {"s=", ""},
        {"s=x; s", ""},
        {"s =" TOKEN_A, ""},
        {"s= " TOKEN_A, ""},
        {"s=" TOKEN_A " ; a=1", ""},
        {"s=\"" TOKEN_A "\"", ""},
        {"a=\"; s=" TOKEN_A "\"", ""},
        {"s=" TOKEN_A "a", ""},
        {"s=ABCDEFGHIJKLMNOPQRSTUVWXYZ", ""},
        {"s=abcdefghijklmnopqrstuvwxy", ""},
        {"s=abcdefghijklmnopqrstuvwxy1", ""},
        {"s=abcdefghijklmnopqrstuvwxy8", ""},
        {"s=abcdefghijklmnopqrstuvwx\xC3\xA9", ""},
        {"s=s=" TOKEN_A, ""},
        {"s=%61bcdefghijklmnopqrstuvwxyz", ""},
        {"$Version=1; s=" TOKEN_A "; $Path=/", TOKEN_A ";"},
    };
    apr_array_header_t *values;
    char *header = apr_pstrdup(pool, "");
    apr_size_t i;
    int j;

    for (i = 0; i < COUNT(rows); i++) {
        const char *all = "";

        values = account_request_cookies(rows[i].header, "s", 4, pool);
        for (j = 0; j < values->nelts; j++) {
            all = apr_pstrcat(pool, all, APR_ARRAY_IDX(values, j, const char *), ";", NULL);
        }
        is_str(all, rows[i].wanted, "cookies: %s",
               rows[i].header ? fixture_shown(rows[i].header) : "(none)");
    }
    for (j = 0; j < 26; j++) {
        header = apr_psprintf(pool,
                              "%ss=%c"
                              "bcdefghijklmnopqrstuvwxyz; ",
                              header, 'a' + j);
    }
    is_int(account_request_cookies(header, "s", 4, pool)->nelts, 5, "no more than limit + 1");
    is_int(account_request_cookies(header, "s", 0, pool)->nelts, 1, "no more than one");
    is_int(account_request_device_cookies(header, "s", pool)->nelts, 4, "of devices four");
    is_int(account_request_device_cookies(header, NULL, pool)->nelts, 0, "or there are to be none");
}

/* A route that reads name, word, word2 (again=), kind. */
static const char names_contract[] = "<AccountContract names>\n"
                                     "AccountReply * 400 '\"%{outcome}\"'\n"
                                     "AccountReply ok 200 '1'\n"
                                     "<AccountRoute r POST /{name}>\n"
                                     "AccountAction register\n"
                                     "AccountParam user_name name\n"
                                     "AccountParam password word again=word2\n"
                                     "AccountParam nickname nick\n"
                                     "</AccountRoute>\n"
                                     "</AccountContract>\n";

static void test_names(apr_pool_t *pool)
{
    static const struct {
        const char *form;
        const char *json;
        int wanted;
    } rows[] = {
        {"", "{}", 1},
        {"name=a", "{}", 1},
        {"name=a&name=a", "{}", 1},
        {"name=a&name=b", "{}", 0},
        {"name=a&name=a&name=b", "{}", 0},
        {"name=a&name=", "{}", 0},
        {"name=&name=", "{}", 1},
        {"name=a&name=A", "{}", 0},
        {"name=a&name=a+", "{}", 0},
        {"Name=a&name=b", "{}", 1},
        {"x=1&x=2", "{}", 1},
        {"word=1&word2=2", "{}", 1},
        {"word2=1&word2=2", "{}", 0},
        {"name=a", "{\"name\": \"a\"}", 1},
        {"name=a", "{\"name\": \"b\"}", 0},
        {"name=a", "{\"name\": null}", 1},
        {"name=1", "{\"name\": 1}", 1},
        {"name=1", "{\"name\": 1.0}", 0},
        {"name=true", "{\"name\": true}", 1},
        {"", "{\"name\": {}}", 0},
        {"", "{\"name\": []}", 0},
        {"", "{\"name\": \"\"}", 1},
        {"name=", "{\"name\": {}}", 0},
        {"", "{\"word2\": [1]}", 0},
        {"", "{\"x\": {\"name\": 1}, \"name\": \"a\"}", 1},
        {"", "{\"x\": [1]}", 1},
    };
    const account_contract_t *contract = fixture_contract(names_contract, pool);
    const account_route_t *route = contract ? account_contract_route(contract, "r") : NULL;
    apr_size_t i;

    for (i = 0; route && i < COUNT(rows); i++) {
        apr_array_header_t *pairs = make_pairs(pool);

        ok(account_request_form(pairs, rows[i].form, strlen(rows[i].form))
               && account_request_json(pairs, rows[i].json, strlen(rows[i].json)),
           "names: %s and %s are well formed", rows[i].form, rows[i].json);
        is_int(account_judge_names(route, pairs), rows[i].wanted, "names: %s and %s", rows[i].form,
               rows[i].json);
    }
}

/* xorshift: the same inputs in every run. */
static unsigned next_random(unsigned *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* One to four small changes. *length may shrink or grow by one each. */
static void mutate(char *bytes, apr_size_t *length, unsigned *state)
{
    static const char dear[] = "%&=+;,\"\\{}[]:0aAfFnut\0\x7F\x80\xC0\xED\xF4\xFF ";
    int changes = 1 + next_random(state) % 4;

    while (changes-- > 0) {
        apr_size_t at = *length ? next_random(state) % *length : 0;
        char c = next_random(state) % 4 ? dear[next_random(state) % (sizeof(dear) - 1)]
                                        : (char)next_random(state);

        switch (next_random(state) % 4) {
        case 0:
            if (*length) {
                bytes[at] = c;
            }
            break;
        case 1:
            memmove(bytes + at + 1, bytes + at, *length - at);
            bytes[at] = c;
            ++*length;
            break;
        case 2:
            if (*length) {
                memmove(bytes + at, bytes + at + 1, *length - at - 1);
                --*length;
            }
            break;
        default:
            *length = at;
            break;
        }
    }
}

/* Whether all that came out is as promised: valid UTF-8 without NUL, no more than there may be. */
static int is_sound(const apr_array_header_t *pairs)
{
    int i;

    for (i = 0; i < pairs->nelts; i++) {
        const account_pair_t *pair = &APR_ARRAY_IDX(pairs, i, account_pair_t);

        if (!pair->name || !pair->value || !account_text_is_valid(pair->name, strlen(pair->name))
            || !account_text_is_valid(pair->value, strlen(pair->value))) {
            return 0;
        }
    }
    return pairs->nelts <= ACCOUNT_PAIRS;
}

static void test_mutations(apr_pool_t *parent)
{
    static const struct {
        const char *seed;
        reader_t reader; /* NULL: a header */
    } seeds[] = {
        {"username=admin&password=p%40ss+w%C3%B6rd&email=a%40b.cc&x&=y&&z=", account_request_form},
        {"%E5%AF%86%E7%A0%81=%F0%9F%98%80&a=\xE5\xAF\x86&a=1&a=2", account_request_form},
        {"{\"username\": \"a\\u5bc6\\n\\\"b\", \"n\": 13800138000, \"t\": true, \"z\": null}",
         account_request_json},
        {"{\"a\": [[{\"b\": \"{[\\\\\"}]], \"c\": -1.5e3, \"\xE5\xAF\x86\": \"\\ud83d\\ude00\"}",
         account_request_json},
        {"a=1; s=" TOKEN_A "; s=\"x\", s=" TOKEN_B "; b", NULL},
        {"application/json; charset=\"utf-8\"; q=1", NULL},
    };
    unsigned state = 2463534242u;
    int unsound = 0, well = 0;
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, parent);
    for (i = 0; i < MUTATIONS; i++) {
        const char *seed = seeds[i % COUNT(seeds)].seed;
        reader_t reader = seeds[i % COUNT(seeds)].reader;
        apr_size_t length = strlen(seed);
        apr_array_header_t *pairs;
        char changed[256];
        char *bytes;

        memcpy(changed, seed, length);
        mutate(changed, &length, &state);
        bytes = malloc(length + 1);
        memcpy(bytes, changed, length);
        bytes[length] = '\0';
        pairs = make_pairs(pool);
        if (!reader) {
            well += account_request_type(bytes, pool) == ACCOUNT_BODY_JSON;
            well += account_request_cookies(bytes, "s", 4, pool)->nelts;
        }
        else {
            /* without the NUL, so that reading too far is seen */
            bytes = realloc(bytes, length ? length : 1);
            well += reader(pairs, bytes, length);
            unsound += !is_sound(pairs);
        }
        free(bytes);
        apr_pool_clear(pool);
    }
    is_int(unsound, 0, "%d mutated inputs are read or refused", MUTATIONS);
    ok(well > MUTATIONS / 20 && well < MUTATIONS, "some of each");
    diag("%d were well formed", well);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_form(pool);
    test_json(pool);
    test_limits(pool);
    test_type(pool);
    test_cookies(pool);
    test_names(pool);
    test_mutations(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
