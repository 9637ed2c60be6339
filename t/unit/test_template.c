/* contract/template and contract/buffer: what is written in a reply's body, and what goes out. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <jansson.h>

#include "action/attributes.h"
#include "contract/pieces.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ALL_CARRIED (ACCOUNT_CARRIES_ENTRY - 1)
#define U2028 "\xE2\x80\xA8"
#define HAN "\xE5\xAF\x86\xE7\xA0\x81"
#define EMOJI "\xF0\x9F\x98\x80"

/* The maps and shapes that the templates may use. */
static const char *const definitions[][2] = {
    {"plain", "{\"id\": %{account.id}, \"name\": \"%{account.user_name}\"}"},
    {"outer", "{\"inner\": %{plain}, \"list\": [%{plain}, %{account.role}]}"},
    {"failed", "{\"code\": %{outcome|code}, \"msg\": \"%{message}\"}"},
    {"itself", "{\"again\": %{itself}}"},
    {"ping", "[%{pong}]"},
    {"pong", "[%{ping}]"},
    {"broken", "{\"a\": }"},
    {"stranger", "{\"a\": %{token}}"},
    {"detail", "{\"n\": %{entry.amount|add=1}, \"t\": \"%{entry.description}\"}"},
    {"both", "[%{detail}, \"%{account.id}\", %{outcome}]"},
    {"lists", "{\"x\": %{entries|detail}}"},
    {"endless", "{\"x\": %{entries|endless}}"},
    {"where", "{\"id\": %{device.id}, \"own\": %{device.current}, \"agent\": \"%{device.agent}\"}"},
    {"crossed", "[%{entry.amount}, %{device.id}]"},
    {"nested", "[%{sessions|where}]"},
};

typedef struct entry_t {
    const char *map;
    account_map_entry_t entry;
} entry_t;

static const entry_t entries[] = {
    {"role", {"admin", "1", "1"}},
    {"role", {"*", "0", "0"}},
    {"code", {"ok", "200", "200"}},
    {"code", {"invalid", "400", "400"}},
    {"code", {"invalid.email", "bad \"mail\"", "\"bad \\\"mail\\\"\""}},
    {"code", {"*", "null", "null"}},
    {"few", {"admin", "boss", "\"boss\""}},
    {"number", {"15", "fifteen", "\"fifteen\""}},
    {"truth", {"true", "yes", "[true]"}},
    {"sum", {"120.50", "much", "[1]"}},
};

typedef struct world_t {
    account_scope_t scope;
    account_settings_t settings;
    account_store_t store;
    account_call_t call;
    account_t account;
    account_session_t session;
    account_answer_t answer;
    apr_pool_t *pool;
} world_t;

static void make_scope(world_t *w)
{
    apr_size_t i;

    w->scope.shapes = apr_hash_make(w->pool);
    w->scope.maps = apr_hash_make(w->pool);
    for (i = 0; i < COUNT(definitions); i++) {
        apr_hash_set(w->scope.shapes, definitions[i][0], APR_HASH_KEY_STRING, definitions[i][1]);
    }
    for (i = 0; i < COUNT(entries); i++) {
        account_map_t *map = apr_hash_get(w->scope.maps, entries[i].map, APR_HASH_KEY_STRING);

        if (!map) {
            map = apr_palloc(w->pool, sizeof(*map));
            map->name = entries[i].map;
            map->entries = apr_array_make(w->pool, 4, sizeof(account_map_entry_t));
            apr_hash_set(w->scope.maps, map->name, APR_HASH_KEY_STRING, map);
        }
        APR_ARRAY_PUSH(map->entries, account_map_entry_t) = entries[i].entry;
    }
    w->scope.outcome = "ok";
    w->scope.message = "done";
    w->scope.carries = ALL_CARRIED;
}

static void make_world(world_t *w, apr_pool_t *pool)
{
    memset(w, 0, sizeof(*w));
    w->pool = pool;
    make_scope(w);
    w->store.realm = "unit";
    w->store.keys = fixture_keys(pool);
    w->store.random = &account_random_secure;
    w->store.pool = pool;
    w->call.store = &w->store;
    w->call.settings = &w->settings;
    w->account.id = 15;
    w->account.ref = "0123456789abcdef0123456789abcdef";
    w->account.identifiers[ACCOUNT_USER_NAME] = "alice";
    w->account.role = "admin";
    w->account.attributes = "{\"nickname\":\"Al\",\"extra.color\":\"red\"}";
    w->account.created = APR_INT64_C(1409122412964);
    w->session.token = "abcdefghijklmnopqrstuvwxyz";
    w->session.id = "0123456789abcdef";
    w->answer.account = &w->account;
    w->answer.session = &w->session;
    w->answer.question = "why?";
    w->answer.token = "t-1";
    w->answer.value = "sent";
    w->answer.retry_after = 2;
}

static const char *compile(world_t *w, const char *json, const account_template_t **compiled)
{
    return account_template_compile(compiled, json, &w->scope, w->pool);
}

/* What goes out, or the error. */
static const char *render(world_t *w, const char *json)
{
    const account_template_t *compiled;
    account_buffer_t buffer;
    const char *error = compile(w, json, &compiled);
    apr_status_t rv;

    if (error) {
        return error;
    }
    account_buffer_init(&buffer, 1, w->pool);
    rv = account_template_render(compiled, &w->call, &w->answer, "/mount", &buffer);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(w->pool, "status %d", rv);
    }
    return strlen(buffer.bytes) == buffer.length ? buffer.bytes : "the length is wrong";
}

typedef struct row_t {
    const char *json;
    const char *wanted;
} row_t;

static void check_rows(world_t *w, const row_t *rows, apr_size_t count)
{
    apr_size_t i;

    for (i = 0; i < count; i++) {
        is_str(render(w, rows[i].json), rows[i].wanted, "%s", fixture_shown(rows[i].json));
    }
}

static void test_bodies(world_t *w)
{
    static const row_t rows[] = {
        /* literals */
        {"{}", "{}"},
        {"[]", "[]"},
        {"\"text\"", "\"text\""},
        {"  {\"a\" :  [ 1 , true,false , null ] }  ", "{\"a\":[1,true,false,null]}"},
        {"{\"limit\": 100.0, \"half\": 0.5, \"tenth\": 0.1, \"minus\": -3.0}",
         "{\"limit\":100.0,\"half\":0.5,\"tenth\":0.1,\"minus\":-3.0}"},
        {"[0, -1, 9007199254740993, 9223372036854775807]",
         "[0,-1,9007199254740993,9223372036854775807]"},
        {"{\"z\": 1, \"a\": 2, \"m\": {\"y\": 1, \"b\": 2}}",
         "{\"z\":1,\"a\":2,\"m\":{\"y\":1,\"b\":2}}"},
        {"\"\\u5bc6\\u7801 \\/ / \\u2028 \\ud83d\\ude00\"", "\"" HAN " / / " U2028 " " EMOJI "\""},
        {"\"" HAN U2028 "\"", "\"" HAN U2028 "\""},
        {"\"\\\" \\\\ \\b\\f\\n\\r\\t \\u0002\\u001f\\u007f\"",
         "\"\\\" \\\\ \\b\\f\\n\\r\\t \\u0002\\u001f\x7F\""},
        {"{\"a\\\"b\\n\": 1}", "{\"a\\\"b\\n\":1}"},
        {"\"100% {} %\"", "\"100% {} %\""},
        {"\"\\\\u0001\"", "\"\\\\u0001\""},
        {"\"$ # < >\"", "\"$ # < >\""},
        /* values and texts */
        {"%{account.id}", "15"},
        {"\"%{account.id}\"", "\"15\""},
        {"%{account.user_name}", "\"alice\""},
        {"\"%{account.user_name}\"", "\"alice\""},
        {"%{account.email}", "null"},
        {"\"%{account.email}\"", "\"\""},
        {"%{account.email_verified}", "false"},
        {"\"%{account.email_verified}\"", "\"false\""},
        {"\"%{account.id}/%{account.user_name}:%{account.email}!\"", "\"15/alice:!\""},
        {"[%{account.id},%{account.id}, \"%{account.id}%{account.id}\"]", "[15,15,\"1515\"]"},
        {"{\"a\": %{account.user_name}, \"b\": {\"c\": [%{account.email}]}}",
         "{\"a\":\"alice\",\"b\":{\"c\":[null]}}"},
        {"%{account.nickname}", "\"Al\""},
        {"%{account.extra.color}", "\"red\""},
        {"%{account.extra.shape}", "null"},
        {"%{account.display_name}", "\"Al\""},
        {"%{account.login_name}", "\"alice\""},
        {"%{account.registered_kind}", "\"user_name\""},
        {"%{question}", "\"why?\""},
        {"%{token}", "\"t-1\""},
        {"\"%{mount}/x\"", "\"/mount/x\""},
        {"%{mount}", "\"/mount\""},
        {"%{retry_after}", "2"},
        {"\"%{value}\"", "\"sent\""},
        {"%{session.id}", "\"0123456789abcdef\""},
        {"%{session.address}", "null"},
        /* filters */
        {"%{account.created|iso8601}", "\"2014-08-27T06:53:32.964+00:00\""},
        {"%{account.created|iso8601=+08:00}", "\"2014-08-27T14:53:32.964+08:00\""},
        {"\"%{account.created|iso8601=-09:30}\"", "\"2014-08-26T21:23:32.964-09:30\""},
        {"%{account.created|iso8601=+14:00}", "\"2014-08-27T20:53:32.964+14:00\""},
        {"%{account.updated|iso8601}", "\"1970-01-01T00:00:00.000+00:00\""},
        {"%{account.user_name|iso8601}", "\"alice\""},
        {"%{account.email|iso8601}", "null"},
        {"%{account.id|add=100000}", "100015"},
        {"\"%{account.id|add=-16}\"", "\"-1\""},
        {"%{account.user_name|add=1}", "\"alice\""},
        {"%{account.id|add=1|add=1}", "17"},
        {"%{account.email|or=0}", "0"},
        {"%{account.email|or=0.50}", "0.50"},
        {"%{account.email|or=[]}", "[]"},
        {"%{account.email|or={\"a\": {\"b\": 1}}}", "{\"a\": {\"b\": 1}}"},
        {"%{account.email|or=\"a|b\"}", "\"a|b\""},
        {"\"%{account.email|or=\\\"a|b\\\"}\"", "\"a|b\""},
        {"\"%{account.email|or=0}\"", "\"0\""},
        {"%{account.id|or=0}", "15"},
        {"%{account.role|role}", "1"},
        {"\"%{account.role|role}\"", "\"1\""},
        {"%{account.user_name|role}", "0"},
        {"%{account.email|role}", "0"},
        {"%{account.role|few}", "\"boss\""},
        {"\"%{account.role|few}\"", "\"boss\""},
        {"%{account.user_name|few}", "null"},
        {"\"%{account.user_name|few}\"", "\"\""},
        {"%{account.user_name|few|or=\"none\"}", "\"none\""},
        {"%{account.id|number}", "\"fifteen\""},
        {"%{account.id|add=-1|number|or=0}", "0"},
        {"%{account.email_verified|truth|or=[]}", "[]"},
        /* shapes */
        {"%{plain}", "{\"id\":15,\"name\":\"alice\"}"},
        {"{\"x\": %{outer}, \"y\": %{account.id}}",
         "{\"x\":{\"inner\":{\"id\":15,\"name\":\"alice\"},"
         "\"list\":[{\"id\":15,\"name\":\"alice\"},\"admin\"]},\"y\":15}"},
        {"%{failed}", "{\"code\":200,\"msg\":\"done\"}"},
        /* outcome and message */
        {"%{outcome}", "\"ok\""},
        {"\"is %{outcome}\"", "\"is ok\""},
        {"%{outcome|code}", "200"},
        {"\"%{outcome|code}\"", "\"200\""},
        {"%{message}", "\"done\""},
        {"\"%{message}, %{message}\"", "\"done, done\""},
    };

    check_rows(w, rows, COUNT(rows));
}

/* A shape for each item: none, one, many; the answer itself stays as it is. */
static void test_lists(world_t *w)
{
    static const account_entry_t items[] = {
        {APR_INT64_C(-9007199254740993), "first", 1}, {0, "\",\"x\":\"", 2}, {14, NULL, 3}};
    static const row_t none[] = {
        {"%{entries|detail}", "[]"},
        {"{\"a\": %{entries|detail}, \"b\": [%{entries|both}]}", "{\"a\":[],\"b\":[[]]}"},
        {"%{lists}", "{\"x\":[]}"},
    };
    static const row_t one[] = {
        {"%{entries|detail}", "[{\"n\":-9007199254740992,\"t\":\"first\"}]"},
        {"[%{entries|both}, %{account.id}]",
         "[[[{\"n\":-9007199254740992,\"t\":\"first\"},\"15\",\"ok\"]],15]"},
    };
    static const row_t many[] = {
        {"%{entries|detail}", "[{\"n\":-9007199254740992,\"t\":\"first\"},"
                              "{\"n\":1,\"t\":\"\\\",\\\"x\\\":\\\"\"},{\"n\":15,\"t\":\"\"}]"},
        {"{\"a\": %{lists}, \"b\": %{account.id}}",
         "{\"a\":{\"x\":[{\"n\":-9007199254740992,\"t\":\"first\"},"
         "{\"n\":1,\"t\":\"\\\",\\\"x\\\":\\\"\"},{\"n\":15,\"t\":\"\"}]},\"b\":15}"},
    };
    apr_array_header_t *array = apr_array_make(w->pool, 3, sizeof(account_entry_t));
    world_t copy = *w;
    apr_size_t i;

    copy.answer.entries = NULL;
    check_rows(&copy, none, COUNT(none));
    copy.answer.entries = array;
    check_rows(&copy, none, COUNT(none));
    APR_ARRAY_PUSH(array, account_entry_t) = items[0];
    check_rows(&copy, one, COUNT(one));
    for (i = 1; i < COUNT(items); i++) {
        APR_ARRAY_PUSH(array, account_entry_t) = items[i];
    }
    check_rows(&copy, many, COUNT(many));
    ok(!copy.answer.entry, "no item is left behind");
}

/* The same of sessions: another type of item, beside a list of the first. */
static void test_sessions(world_t *w)
{
    static const account_entry_t entry = {-1, "first", 1};
    static const row_t none[] = {
        {"[%{sessions|where}, %{sessions.count}]", "[[],0]"},
    };
    static const row_t rows[] = {
        {"%{sessions|where}", "[{\"id\":\"0123456789abcdef\",\"own\":true,\"agent\":\"a\\\"]}\"},"
                              "{\"id\":\"0123456789abcdee\",\"own\":false,\"agent\":\"\"}]"},
        {"{\"n\": %{sessions.count}, \"in\": %{nested}, \"e\": %{entries|detail}}",
         "{\"n\":7,\"in\":[[{\"id\":\"0123456789abcdef\",\"own\":true,\"agent\":\"a\\\"]}\"},"
         "{\"id\":\"0123456789abcdee\",\"own\":false,\"agent\":\"\"}]],"
         "\"e\":[{\"n\":0,\"t\":\"first\"}]}"},
    };
    apr_array_header_t *entries_of = apr_array_make(w->pool, 1, sizeof(account_entry_t));
    apr_array_header_t *sessions = apr_array_make(w->pool, 2, sizeof(account_session_t));
    account_session_t session = w->session;
    world_t copy = *w;

    check_rows(&copy, none, COUNT(none));
    session.agent = "a\"]}";
    APR_ARRAY_PUSH(sessions, account_session_t) = session;
    session.agent = NULL;
    session.id = "0123456789abcdee";
    APR_ARRAY_PUSH(sessions, account_session_t) = session;
    APR_ARRAY_PUSH(entries_of, account_entry_t) = entry;
    copy.answer.sessions = sessions;
    copy.answer.entries = entries_of;
    copy.answer.page.items = 7;
    check_rows(&copy, rows, COUNT(rows));
    ok(!copy.answer.item, "no item is left behind");
}

static apr_status_t get_decimal(const account_call_t *call, const account_answer_t *answer,
                                const char *rest, account_value_t *value)
{
    (void)call, (void)answer, (void)rest;
    value->type = ACCOUNT_DECIMAL;
    value->text = "120.50";
    return APR_SUCCESS;
}

/* Numbers that come as text: their digits are not touched. */
static void test_decimals(world_t *w)
{
    static const account_field_t decimal = {"decimal", ACCOUNT_CARRIES_TOKEN, get_decimal, 0};
    static const row_t rows[] = {
        {"[%{token}, \"%{token}\"]", "[120.50,\"120.50\"]"},
        {"[%{token|or=0}, \"%{token|or=1}\"]", "[120.50,\"120.50\"]"},
        {"[%{token|add=1}, %{token|iso8601}]", "[120.50,120.50]"},
        {"[%{token|sum}, \"%{token|sum}\", %{token|few}]", "[[1],\"much\",null]"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_template_t *compiled;
        account_buffer_t buffer;
        int j;

        is_str(compile(w, rows[i].json, &compiled), NULL, "%s", rows[i].json);
        for (j = 0; j < compiled->pieces->nelts; j++) {
            account_piece_t *piece = &APR_ARRAY_IDX(compiled->pieces, j, account_piece_t);

            piece->field = piece->field ? &decimal : NULL;
        }
        account_buffer_init(&buffer, 1, w->pool);
        account_template_render(compiled, &w->call, &w->answer, "", &buffer);
        is_str(buffer.bytes, rows[i].wanted, "a decimal in %s", rows[i].json);
    }
}

/* What has to be fetched for a template: "points" and the names of extras. */
static void test_needs(world_t *w)
{
    static const row_t rows[] = {
        {"{\"a\": %{account.id}, \"b\": \"%{question}\"}", NULL},
        {"%{account.points}", "points"},
        {"\"%{account.points_last_year}\"", "points"},
        {"%{points.total}", "points"},
        {"[%{points.last_year|or=0}]", "points"},
        {"[%{page.count}, %{entries.empty}, %{entries|detail}]", NULL},
        {"%{account.extra.color}", " color"},
        {"[%{account.extra.b}, \"x%{account.extra.a}%{account.extra.b}\"]", " b a"},
        {"%{dear}", "points x"},
        {"%{entries|dear}", "points x"},
        {"\"%{message}\"", " said"},
    };
    world_t copy = *w;
    apr_size_t i;

    copy.scope.message = "%{account.extra.said}";
    apr_hash_set(copy.scope.shapes, "dear", APR_HASH_KEY_STRING,
                 "[%{account.points}, %{account.extra.x}]");
    for (i = 0; i < COUNT(rows); i++) {
        const account_template_t *compiled = NULL;
        const char *error = compile(&copy, rows[i].json, &compiled);
        const account_needs_t *needs = error ? NULL : account_template_needs(compiled);
        const char *got = needs ? needs->points ? "points" : "" : NULL;
        int j;

        for (j = 0; needs && j < needs->extras->nelts; j++) {
            got =
                apr_pstrcat(w->pool, got, " ", APR_ARRAY_IDX(needs->extras, j, const char *), NULL);
        }
        is_str(error, NULL, "%s", rows[i].json);
        is_str(got, rows[i].wanted, "is needed for %s", rows[i].json);
    }
}

/* Outcomes through a map, and messages with values in them. */
static void test_outcomes(world_t *w)
{
    static const struct {
        const char *outcome;
        const char *message;
        const char *json;
        const char *wanted;
    } rows[] = {
        {"invalid.email.length", "x", "%{outcome|code}", "\"bad \\\"mail\\\"\""},
        {"invalid.email.length", "x", "\"%{outcome|code}\"", "\"bad \\\"mail\\\"\""},
        {"invalid.email", "x", "%{outcome|code}", "\"bad \\\"mail\\\"\""},
        {"invalid.emails", "x", "%{outcome|code}", "400"},
        {"invalid", "x", "%{outcome|code}", "400"},
        {"invalidated", "x", "%{outcome|code}", "null"},
        {"taken.email", "x", "%{outcome|code}", "null"},
        {"taken.email", "x", "%{outcome}", "\"taken.email\""},
        {"invalid", "not \"%{value}\"", "\"%{message}\"", "\"not \\\"sent\\\"\""},
        {"invalid", "%{value}", "%{message}", "\"sent\""},
        {"invalid", "%{value|few|or=\"no\"} of %{account.id|add=1}", "%{message}", "\"no of 16\""},
        {"invalid", "%{outcome|code}: %{mount}", "%{message}", "\"400: /mount\""},
        {"invalid", "\\n is not a line's end, \n is", "%{message}",
         "\"\\\\n is not a line's end, \\n is\""},
        {"invalid", "", "\"%{message}\"", "\"\""},
        {"invalid", "100%, {}", "\"%{message}\"", "\"100%, {}\""},
        {"invalid", "x", "%{failed}", "{\"code\":400,\"msg\":\"x\"}"},
        {"invalid", "%{plain}", "\"%{message}\"", "the shape %{plain} can't stand in quotes"},
        {"invalid", "%{value", "\"%{message}\"", "the %{ at %{value is not closed"},
        {"invalid", NULL, "\"%{message}\"",
         "the outcome invalid is shown with %{message} and has no AccountMessage"},
        {"invalid", "now %{message}", "\"%{message}\"",
         "an AccountMessage can't contain %{message}"},
        {"invalid", "%{message}", "%{message}", "an AccountMessage can't contain %{message}"},
    };
    world_t copy;
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        copy = *w;
        copy.scope.outcome = rows[i].outcome;
        copy.scope.message = rows[i].message;
        is_str(render(&copy, rows[i].json), rows[i].wanted, "%s of %s, \"%s\"",
               fixture_shown(rows[i].json), rows[i].outcome,
               fixture_shown(rows[i].message ? rows[i].message : "(none)"));
    }
    is_str(render(w, "%{outcome|few}"), "AccountMap few has no entry for the outcome ok, and no *",
           "an outcome in no map");
}

/* Values that would like to be more than values. */
static void test_injection(world_t *w)
{
    static const char *const values[] = {
        "\",\"admin\":true,\"x\":\"",
        "\"}",
        "\\",
        "\\\"",
        "\\u0022,\\u0022admin",
        "</script><script>alert(1)</script>",
        "%{account.id}",
        "%{token}\"",
        "\x01"
        "0",
        "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x1B\x1F",
        "tab\tline\nreturn\r",
        "\x7F",
        HAN "/" U2028 "\xE2\x80\xA9" EMOJI,
        "\xC2\x80",
        "null",
        "",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(values); i++) {
        static const char body[] = "{\"bare\": %{account.user_name}, \"text\": \"[%{value}]\", "
                                   "\"message\": \"%{message}\"}";
        const char *rendered;
        world_t copy = *w;
        json_t *json;

        copy.account.identifiers[ACCOUNT_USER_NAME] = values[i];
        copy.answer.account = &copy.account;
        copy.answer.value = values[i];
        copy.scope.message = "(%{value})";
        rendered = render(&copy, body);
        json = json_loads(rendered, JSON_REJECT_DUPLICATES, NULL);
        ok(json_is_object(json) && json_object_size(json) == 3, "is JSON with three members: %s",
           fixture_shown(rendered));
        is_str(json_string_value(json_object_get(json, "bare")), values[i], "as it is: %s",
               fixture_shown(values[i]));
        is_str(json_string_value(json_object_get(json, "text")),
               apr_pstrcat(w->pool, "[", values[i], "]", NULL), "in a text");
        is_str(json_string_value(json_object_get(json, "message")),
               apr_pstrcat(w->pool, "(", values[i], ")", NULL), "in a message");
        json_decref(json);
    }
}

/* Every ASCII character as a value. */
static void test_escapes(world_t *w)
{
    int wrong = 0;
    int c;

    for (c = 1; c < 128; c++) {
        char value[2] = {(char)c, '\0'};
        world_t copy = *w;
        json_t *json;

        copy.answer.value = value;
        json = json_loads(render(&copy, "[%{value}]"), 0, NULL);
        wrong += !json || strcmp(json_string_value(json_array_get(json, 0)), value) != 0;
        json_decref(json);
    }
    is_int(wrong, 0, "each ASCII character comes back");
}

static void test_errors(world_t *w)
{
    static const row_t rows[] = {
        {"{\"a\": %{account.id}", "this is not JSON: '}' expected near end of file, near …"},
        {"{\"a\": 1,}", "this is not JSON: string or '}' expected near '}', near …{\"a\": 1,}"},
        {"{'a': 1}", "this is not JSON: string or '}' expected near ''', near …{'a': 1}"},
        {"", "this is not JSON: unexpected token near end of file, near …"},
        {"{\"a\": 1} x", "this is not JSON: end of file expected near 'x', near …{\"a\": 1} x"},
        {"{\"a\": \"\\q\"}",
         "this is not JSON: invalid escape near '\"\\q', near …{\"a\": \"\\q\"}"},
        {"{\"a\": 1, \"a\": 2}", "this is not JSON: duplicate object key near '\"a\"', near …"},
        {"%{account.id", "the %{ at %{account.id is not closed"},
        {"\"%{account.id\"", "the %{ at %{account.id\" is not closed"},
        {"%{account.email|or={}", "the %{ at %{account.email|or={} is not closed"},
        {"%{acount.id}", "there is no value %{acount.id} (did you mean account.id?)"},
        {"%{account.emial}", "there is no value %{account.emial} (did you mean account.email?)"},
        {"%{account.nicknam}",
         "there is no value %{account.nicknam} (did you mean account.nickname?)"},
        {"%{mesage}", "there is no value %{mesage} (did you mean message?)"},
        {"%{plane}", "there is no value %{plane} (did you mean plain?)"},
        {"%{something.else.entirely}", "there is no value %{something.else.entirely}"},
        {"%{}", "there is no value %{}"},
        {"%{account.}", "there is no value %{account.}"},
        {"%{account.extra.}", "there is no value %{account.extra.}"},
        {"%{account.extra.Big}", "there is no value %{account.extra.Big}"},
        {"%{account.password}", "there is no value %{account.password}"},
        {"\"%{plain}\"", "the shape %{plain} can't stand in quotes"},
        {"%{plain|role}", "the shape %{plain} takes no filter"},
        {"%{itself}", "the shape itself contains itself"},
        {"%{ping}", "contains itself"},
        {"%{broken}", "this is not JSON"},
        {"%{broken}", "(in AccountShape broken)"},
        {"{%{account.id}: 1}", "a name can't be a %{slot}"},
        {"{\"%{account.id}\": 1}", "a name can't be a %{slot}"},
        {"{\"x%{account.id}\": 1}", "a name can't be a %{slot}"},
        {"\"\\u0001\"", "\\u0001 can't stand in a template"},
        {"[\"\\u00010\", %{account.id}]", "\\u0001 can't stand in a template"},
        {"\"a\\u0000b\"", "this is not JSON"},
        {"%{account.id|add}", "the filter add takes a whole number, as in add=100000"},
        {"%{account.id|add=}", "the filter add takes a whole number, as in add=100000"},
        {"%{account.id|add=1.5}", "the filter add takes a whole number, as in add=100000"},
        {"%{account.id|add=x}", "the filter add takes a whole number, as in add=100000"},
        {"%{account.email|or}", "the filter or takes JSON, as in or=0 or or=\"\""},
        {"%{account.email|or=}", "the filter or takes JSON, as in or=0 or or=\"\""},
        {"%{account.email|or=none}", "the filter or takes JSON, as in or=0 or or=\"\""},
        {"%{account.email|or=0|role}", "the filter or takes JSON, as in or=0 or or=\"\""},
        {"%{account.created|iso8601=8}", "\"8\" is no time zone: write it as +08:00"},
        {"%{account.created|iso8601=}", "\"\" is no time zone: write it as +08:00"},
        {"%{account.created|iso8601=08:00}", "\"08:00\" is no time zone: write it as +08:00"},
        {"%{account.created|iso8601=+8:00}", "\"+8:00\" is no time zone: write it as +08:00"},
        {"%{account.created|iso8601=+0x:00}", "\"+0x:00\" is no time zone: write it as +08:00"},
        {"%{account.created|iso8601=+14:01}", "\"+14:01\" is no time zone: at most 14:00"},
        {"%{account.created|iso8601=-15:00}", "\"-15:00\" is no time zone: at most 14:00"},
        {"%{account.role|rolle}", "there is no filter, map or shape rolle (did you mean role?)"},
        {"%{account.created|iso8610}",
         "there is no filter, map or shape iso8610 (did you mean iso8601?)"},
        {"%{account.id|}", "there is no filter, map or shape "},
        {"%{outcome|add=1}", "%{outcome} takes one AccountMap and no other filter"},
        {"%{outcome|code|code}", "%{outcome} takes one AccountMap and no other filter"},
        {"%{entries}", "the list %{entries} takes an AccountShape for its items and no other "
                       "filter: %{entries|SHAPE}"},
        {"[%{entries|detail|or=[]}]", "takes an AccountShape for its items and no other filter"},
        {"%{entries|role}", "takes an AccountShape for its items and no other filter"},
        {"%{entries|detail|plain}", "a list takes one shape, not two"},
        {"%{entries|detial}", "there is no filter, map or shape detial (did you mean detail?)"},
        {"%{entreis|detail}", "there is no value %{entreis} (did you mean entries?)"},
        {"\"%{entries|detail}\"", "the list %{entries} can't stand in quotes"},
        {"\"%{entries}\"", "the list %{entries} can't stand in quotes"},
        {"%{entries|lists}", "the list %{entries} can't stand in an item of a list"},
        {"%{entries|endless}", "the list %{entries} can't stand in an item of a list"},
        {"%{endless}", "the list %{entries} can't stand in an item of a list"},
        {"%{entries|broken}", "this is not JSON"},
        {"%{entries|broken}", "(in AccountShape broken)"},
        {"%{detail}", "the outcome ok does not carry %{entry.amount} (in AccountShape detail)"},
        {"%{entry.amount}", "the outcome ok does not carry %{entry.amount}"},
        {"%{account.id|detail}", "%{account.id} is no list: a shape is no filter for it"},
        {"%{entries.empty|detail}", "%{entries.empty} is no list: a shape is no filter for it"},
        {"%{mount|detail}", "%{mount} is no list: a shape is no filter for it"},
        {"%{outcome|detail}", "%{outcome} is no list: a shape is no filter for it"},
        {"%{message|detail}", "%{message} takes no filter"},
        {"%{plain|detail}", "the shape %{plain} takes no filter"},
        {"\"%{message|role}\"", "%{message} takes no filter"},
        {"\"${SERVER_ROOT}/x\"",
         "${SERVER_ROOT}/x\" was not replaced: there is no Define of that name"},
        {"\"\xFF\"", "the text is not valid UTF-8"},
        {"\"\xC0\xAF\"", "the text is not valid UTF-8"},
        {"\"\xED\xA0\x80\"", "the text is not valid UTF-8"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_template_t *compiled;
        const char *error = compile(w, rows[i].json, &compiled);

        if (!ok(error && strstr(error, rows[i].wanted), "%s: %s", fixture_shown(rows[i].json),
                fixture_shown(rows[i].wanted))) {
            diag("got: %s", error ? error : "(no complaint)");
        }
    }
}

static void test_carried(world_t *w)
{
    static const struct {
        const char *json;
        int carries;
        const char *error;
    } rows[] = {
        {"%{account.id}", ACCOUNT_CARRIES_ACCOUNT, NULL},
        {"%{account.id}", ACCOUNT_CARRIES_SESSION, "the outcome ok does not carry %{account.id}"},
        {"\"%{account.extra.x}\"", 0, "the outcome ok does not carry %{account.extra.x}"},
        {"%{session.token}", ACCOUNT_CARRIES_ACCOUNT,
         "the outcome ok does not carry %{session.token}"},
        {"%{session.token}", ACCOUNT_CARRIES_SESSION, NULL},
        {"%{question}", 0, "the outcome ok does not carry %{question}"},
        {"%{question}", ACCOUNT_CARRIES_QUESTION, NULL},
        {"%{token}", ACCOUNT_CARRIES_QUESTION, "the outcome ok does not carry %{token}"},
        {"%{value}", 0, "the outcome ok does not carry %{value}"},
        {"%{value}", ACCOUNT_CARRIES_VALUE, NULL},
        {"%{retry_after}", 0, "the outcome ok does not carry %{retry_after}"},
        {"%{points.total}", ACCOUNT_CARRIES_POINTS, NULL},
        {"%{entries|detail}", ACCOUNT_CARRIES_POINTS, NULL},
        {"%{entries|detail}", ACCOUNT_CARRIES_ACCOUNT, "the outcome ok does not carry %{entries}"},
        {"%{entries|both}", ACCOUNT_CARRIES_POINTS,
         "the outcome ok does not carry %{account.id} (in AccountShape both)"},
        {"%{entry.amount}", ACCOUNT_CARRIES_POINTS,
         "the outcome ok does not carry %{entry.amount}"},
        {"%{sessions|where}", ACCOUNT_CARRIES_SESSIONS, NULL},
        {"[%{sessions.count}]", ACCOUNT_CARRIES_SESSIONS, NULL},
        {"%{sessions|where}", ACCOUNT_CARRIES_SESSION | ACCOUNT_CARRIES_POINTS,
         "the outcome ok does not carry %{sessions}"},
        {"%{device.id}", ACCOUNT_CARRIES_SESSIONS | ACCOUNT_CARRIES_SESSION,
         "the outcome ok does not carry %{device.id}"},
        /* an item has the fields of its own list only */
        {"%{sessions|detail}", ACCOUNT_CARRIES_SESSIONS | ACCOUNT_CARRIES_POINTS,
         "the outcome ok does not carry %{entry.amount} (in AccountShape detail)"},
        {"%{entries|where}", ACCOUNT_CARRIES_SESSIONS | ACCOUNT_CARRIES_POINTS,
         "the outcome ok does not carry %{device.id} (in AccountShape where)"},
        {"%{sessions|crossed}", ACCOUNT_CARRIES_SESSIONS | ACCOUNT_CARRIES_POINTS,
         "the outcome ok does not carry %{entry.amount} (in AccountShape crossed)"},
        {"%{entries|nested}", ACCOUNT_CARRIES_SESSIONS | ACCOUNT_CARRIES_POINTS,
         "the list %{sessions} can't stand in an item of a list (in AccountShape nested)"},
        {"%{captcha.id}", 0, "the outcome ok does not carry %{captcha.id}"},
        {"%{stranger}", 0, "the outcome ok does not carry %{token} (in AccountShape stranger)"},
        {"%{mount} ", 0, NULL},
        {"%{outcome}", 0, NULL},
    };
    world_t copy = *w;
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_template_t *compiled;

        copy.scope.carries = rows[i].carries;
        is_str(compile(&copy, rows[i].json, &compiled), rows[i].error, "%s with %d", rows[i].json,
               rows[i].carries);
    }
    copy.scope.outcome = NULL;
    copy.scope.message = NULL;
    is_str(render(&copy, "{\"a\": %{token}, \"b\": \"x%{message}\", \"c\": [%{outcome}]}"),
           "{\"a\":\"t-1\",\"b\":\"x\",\"c\":[]}", "a shape by itself: the syntax only");
}

/* An answer without what it might carry: absent, not a crash. A sealed answer opens, a foreign one
 * is a failure. */
static void test_absent(world_t *w)
{
    static const account_answer_t empty = {0};
    account_profile_field_t field = {"answer", "blue \"moon\""};
    apr_array_header_t *fields = apr_array_make(w->pool, 1, sizeof(field));
    const account_field_t *f;
    world_t copy = *w;

    copy.answer = empty;
    for (f = account_fields; f->name; f++) {
        account_value_t value;

        is_int(f->get(&copy.call, &copy.answer, "question", &value), APR_SUCCESS, "%s of nothing",
               f->name);
    }
    APR_ARRAY_PUSH(fields, account_profile_field_t) = field;
    copy = *w;
    copy.answer.account = &copy.account;
    is_int(account_attributes_change(&w->store, &w->account, fields, &copy.account.attributes),
           APR_SUCCESS, "an answer");
    ok(!strstr(copy.account.attributes, "moon"), "is sealed");
    is_str(render(&copy, "\"%{account.answer}\""), "\"blue \\\"moon\\\"\"", "and shown");
    copy.account.ref = "ffffffffffffffffffffffffffffffff";
    is_str(render(&copy, "\"%{account.answer}\""), "\"\"", "but not of another account");
    copy.account.attributes = "no JSON";
    is_str(render(&copy, "%{account.nickname}"), "null", "attributes that are damaged are absent");
    is_int(account_attributes_change(&w->store, &copy.account, fields, &copy.account.attributes),
           APR_EINVAL, "and are not overwritten");
}

static void test_map_find(world_t *w)
{
    static const row_t rows[] = {
        {"ok", "ok"},
        {"ok.more", "ok"},
        {"invalid.email", "invalid.email"},
        {"invalid.email.length.x", "invalid.email"},
        {"invalid.name", "invalid"},
        {"", "*"},
        {".", "*"},
        {"*", "*"},
        {"OK", "*"},
    };
    const account_map_t *code = apr_hash_get(w->scope.maps, "code", APR_HASH_KEY_STRING);
    const account_map_t *few = apr_hash_get(w->scope.maps, "few", APR_HASH_KEY_STRING);
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_map_entry_t *entry = account_map_find(code, rows[i].json, w->pool);

        is_str(entry ? entry->key : NULL, rows[i].wanted, "map: \"%s\"", rows[i].json);
    }
    ok(!account_map_find(few, "other.admin", w->pool), "map: none, and no *");
    is_str(account_map_find(few, "admin.x.y.z", w->pool)->key, "admin", "map: far less specific");
}

static void test_buffer(apr_pool_t *pool)
{
    account_buffer_t buffer;
    int i;

    account_buffer_init(&buffer, 0, pool);
    is_str(buffer.bytes, "", "buffer: empty");
    account_buffer_add(&buffer, "", 0);
    for (i = 0; i < 10000; i++) {
        account_buffer_add_text(&buffer, "0123456789");
    }
    ok(buffer.length == 100000 && strlen(buffer.bytes) == 100000, "buffer: grows");
    account_buffer_add(&buffer, "a\0b", 3);
    ok(buffer.length == 100003 && memcmp(buffer.bytes + 100000, "a\0b", 4) == 0, "buffer: bytes");
}

int main(void)
{
    apr_pool_t *pool;
    world_t world;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    make_world(&world, pool);
    test_bodies(&world);
    test_lists(&world);
    test_sessions(&world);
    test_decimals(&world);
    test_needs(&world);
    test_outcomes(&world);
    test_injection(&world);
    test_escapes(&world);
    test_errors(&world);
    test_carried(&world);
    test_absent(&world);
    test_map_find(&world);
    test_buffer(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
