/* base/random, base/keys and base/password. */

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "base/keys.h"
#include "base/log.h"
#include "base/password.h"
#include "base/random.h"
#include "base/text.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define REPEAT4(text) text text text text
#define REPEAT16(text) REPEAT4(REPEAT4(text))
#define REPEAT64(text) REPEAT4(REPEAT16(text))
#define REPEAT256(text) REPEAT4(REPEAT64(text))

/* ------------------------------------------------------------------ random */

/* Bytes that count up from *baton. */
static apr_status_t counting(void *baton, unsigned char *bytes, apr_size_t length)
{
    unsigned char *next = baton;

    while (length-- > 0) {
        *bytes++ = (*next)++;
    }
    return APR_SUCCESS;
}

/* Bytes that are all *baton. */
static apr_status_t constant(void *baton, unsigned char *bytes, apr_size_t length)
{
    memset(bytes, *(unsigned char *)baton, length);
    return APR_SUCCESS;
}

static apr_status_t failing(void *baton, unsigned char *bytes, apr_size_t length)
{
    (void)baton;
    (void)bytes;
    (void)length;
    return APR_EGENERAL;
}

typedef apr_status_t (*make_t)(const char **token, const account_random_t *random,
                               apr_pool_t *pool);

static void test_random(apr_pool_t *pool)
{
    static const struct {
        const char *name;
        make_t make;
        const char *counted; /* from bytes 0, 1, 2, ... */
        const char *zeros;
        const char *ones;
        const char *alphabet;
    } table[] = {
        {"session token", account_random_session_token, "aaaqeayeaudaocajbifqydiob4",
         "aaaaaaaaaaaaaaaaaaaaaaaaaa", "77777777777777777777777777",
         "abcdefghijklmnopqrstuvwxyz234567"},
        {"uuid token", account_random_uuid_token, "00010203-0405-4607-8809-0a0b0c0d0e0f",
         "00000000-0000-4000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff",
         "0123456789abcdef-"},
        {"hex", account_random_hex, "000102030405060708090a0b0c0d0e0f",
         "00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff",
         "0123456789abcdef"},
    };
    static const account_random_t none = {failing, NULL};
    apr_size_t i;
    int n;

    for (i = 0; i < COUNT(table); i++) {
        unsigned char next = 0, zero = 0, one = 0xFF;
        account_random_t counter = {counting, &next};
        account_random_t zeros = {constant, &zero};
        account_random_t ones = {constant, &one};
        apr_hash_t *seen = apr_hash_make(pool);
        const char *token = NULL;
        int wrong = 0;

        is_int(table[i].make(&token, &counter, pool), APR_SUCCESS, "%s is made", table[i].name);
        is_str(token, table[i].counted, "%s of counting bytes", table[i].name);
        table[i].make(&token, &zeros, pool);
        is_str(token, table[i].zeros, "%s of zero bits", table[i].name);
        table[i].make(&token, &ones, pool);
        is_str(token, table[i].ones, "%s of one bits", table[i].name);
        for (n = 0; n < 1000; n++) {
            wrong += table[i].make(&token, &account_random_secure, pool) != APR_SUCCESS;
            wrong += strlen(token) != strlen(table[i].counted);
            wrong += strspn(token, table[i].alphabet) != strlen(token);
            apr_hash_set(seen, token, APR_HASH_KEY_STRING, "");
        }
        is_int(wrong, 0, "%s: a thousand have the form", table[i].name);
        is_int(apr_hash_count(seen), 1000, "%s: a thousand are different", table[i].name);
        token = "before";
        is_int(table[i].make(&token, &none, pool), APR_EGENERAL, "%s without randomness fails",
               table[i].name);
        is_str(token, "before", "%s without randomness is none", table[i].name);
    }
}

/* -------------------------------------------------------------------- keys */

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* bytes 0 to 31 */
#define KEY_B "//////////////////////////////////////////8="
#define KEY_48 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"

static void test_key_texts(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        int count;         /* 0: refused */
        const char *error; /* what its text begins with */
    } table[] = {
        {KEY_A, 1, NULL},
        {KEY_A "\n", 1, NULL},
        {KEY_A "\r\n" KEY_B "\r\n", 2, NULL},
        {"# secret\n\n  \t\n " KEY_A " \n  # old\n" KEY_B "\n", 2, NULL},
        {"#" KEY_A "\n" KEY_48, 1, NULL},
        {REPEAT4(KEY_A "\n") REPEAT4(KEY_B "\n"), 8, NULL},
        {REPEAT4(KEY_A "\n") REPEAT4(KEY_B "\n") KEY_A, 0, "line 9 is one key too many"},
        {"", 0, "holds no key"},
        {"\n\n", 0, "holds no key"},
        {"# only a comment\n", 0, "holds no key"},
        {"secret\n", 0, "line 1 is not valid base64"},
        {"#\n" KEY_A "\n\n*\n", 0, "line 4 is not valid base64"},
        {KEY_A " # mine\n", 0, "line 1 is not valid base64"},
        {KEY_A KEY_B "\n", 0, "line 1 is not valid base64"}, /* padding in the middle */
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", 0, "line 1 is not valid base64"},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n", 0, "line 1 is not valid base64"},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n", 0, "line 1 is too short: 31 bytes"},
        {KEY_A "\nc2VjcmV0\n", 0, "line 2 is too short: 6 bytes"},
        {REPEAT256("AAAA"), 0, "line 1 is too long"},
        {REPEAT4("AAAA") REPEAT4(REPEAT16("AAAA")) REPEAT4(REPEAT16("AAAA")), 1, NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        account_keys_t *keys = NULL;
        const char *error = NULL;
        apr_status_t rv = account_keys_parse(&keys, &error, table[i].text, pool);

        if (table[i].count > 0) {
            ok(rv == APR_SUCCESS && keys != NULL &&
                   account_keys_count(keys) == table[i].count,
               "keys, row %d: there are %d", (int)i, table[i].count);
        } else {
            ok(rv == APR_EINVAL && keys == NULL && error != NULL &&
                   strncmp(error, table[i].error, strlen(table[i].error)) == 0,
               "keys, row %d: %s", (int)i, error != NULL ? error : "(no error)");
            ok(error == NULL || strstr(error, "AAEC") == NULL, "nothing of the key is told");
        }
    }
}

static account_keys_t *keys_of(const char *text, apr_pool_t *pool)
{
    account_keys_t *keys = NULL;
    const char *error = NULL;

    if (account_keys_parse(&keys, &error, text, pool) != APR_SUCCESS) {
        diag("%s", error);
        abort();
    }
    return keys;
}

static void test_digests(apr_pool_t *pool)
{
    account_keys_t *keys = keys_of(KEY_B "\n" KEY_A "\n", pool);
    account_keys_t *alone = keys_of(KEY_A, pool);
    const char *text = "session\nrealm\nabc";

    /* Computed with another implementation of HKDF and HMAC; what is stored depends on it. */
    is_str(account_keys_digest(alone, 0, text, pool),
           "49e81b222fdf606a4793626bcfed88792e7df9270bca5ce6f9efc789d03f76d3", "digest");
    is_str(account_keys_fingerprint(alone, 0, pool), "d4ef62161538d7df", "fingerprint");
    is_str(account_keys_digest(keys, 1, text, pool), account_keys_digest(alone, 0, text, pool),
           "a digest does not depend on the place of the key");
    ok(strcmp(account_keys_digest(keys, 0, text, pool), account_keys_digest(keys, 1, text, pool)),
       "two keys, two digests");
    ok(strcmp(account_keys_digest(alone, 0, text, pool), account_keys_digest(alone, 0, "", pool)),
       "two texts, two digests");
    is_int((long long)strlen(account_keys_digest(alone, 0, "", pool)), 64, "digest of nothing");
    ok(strcmp(account_keys_fingerprint(keys, 0, pool), account_keys_fingerprint(keys, 1, pool)),
       "two keys, two fingerprints");
    is_str(account_keys_digest(keys, 2, text, pool), NULL, "no digest beyond the keys");
    is_str(account_keys_digest(keys, -1, text, pool), NULL, "no digest before the keys");
    is_str(account_keys_fingerprint(keys, 2, pool), NULL, "no fingerprint beyond the keys");
}

static void is_refused(const account_keys_t *keys, const char *sealed, const char *name,
                       apr_pool_t *pool)
{
    const char *plain = NULL;
    apr_status_t rv = account_keys_open(keys, "realm/ref/answer", sealed, &plain, pool);

    ok(rv == APR_EINVAL && plain == NULL, "not opened: %s", name);
}

static void test_seals(apr_pool_t *pool)
{
    static const char *const plains[] = {
        "", "a", "\xE7\xA7\x98\xE5\xAF\x86 answer", REPEAT256("0123456789abcdef"),
    };
    static const char fixed[] = "v1.d4ef62161538d7df."
                                "BwcHBwcHBwcHBwcHH970eYIUgJtbVtVU7S7Dh5Xq+J9zWlCIs3k542g=";
    account_keys_t *keys = keys_of(KEY_A, pool);
    account_keys_t *rotated = keys_of(KEY_B "\n" KEY_A, pool);
    account_keys_t *other = keys_of(KEY_B, pool);
    const char *context = "realm/ref/answer";
    const char *sealed = NULL, *again = NULL, *plain = NULL;
    apr_size_t i;
    int opened = 0;

    for (i = 0; i < COUNT(plains); i++) {
        is_int(account_keys_seal(keys, context, plains[i], &sealed, pool), APR_SUCCESS,
               "%d bytes are sealed", (int)strlen(plains[i]));
        is_int(account_keys_open(keys, context, sealed, &plain, pool), APR_SUCCESS,
               "and opened");
        is_str(plain, plains[i], "and are the same");
    }
    is_int(account_keys_open(keys, context, fixed, &plain, pool), APR_SUCCESS,
           "a seal of another implementation is opened");
    is_str(plain, "\xE7\xA7\x98\xE5\xAF\x86 answer", "and holds its text");

    account_keys_seal(keys, context, "answer", &sealed, pool);
    account_keys_seal(keys, context, "answer", &again, pool);
    ok(strcmp(sealed, again) != 0, "no two seals of a text are the same");
    for (i = 0; sealed[i] != '\0'; i++) {
        opened += sealed[i] <= ' ' || sealed[i] >= 0x7F;
    }
    is_int(opened, 0, "printable without blanks");
    ok(strstr(sealed, account_keys_fingerprint(keys, 0, pool)) != NULL, "a seal names its key");

    is_int(account_keys_open(rotated, context, sealed, &plain, pool), APR_SUCCESS,
           "an old key opens");
    is_str(plain, "answer", "what it sealed");
    account_keys_seal(rotated, context, "answer", &again, pool);
    ok(strstr(again, account_keys_fingerprint(other, 0, pool)) != NULL, "the first key seals");
    is_int(account_keys_open(other, context, again, &plain, pool), APR_SUCCESS,
           "so that the old one can go");

    plain = NULL;
    is_int(account_keys_open(keys, "realm/ref2/answer", sealed, &plain, pool), APR_EINVAL,
           "another context");
    is_int(account_keys_open(keys, "", sealed, &plain, pool), APR_EINVAL, "no context");
    ok(plain == NULL, "nothing was opened");
    is_refused(other, sealed, "sealed by a key that is not there", pool);
    is_refused(keys, "", "nothing", pool);
    is_refused(keys, "answer", "plain text", pool);
    is_refused(keys, "v1.", "the form alone", pool);
    is_refused(keys, "v1.d4ef62161538d7df", "no dot", pool);
    is_refused(keys, "v1.d4ef62161538d7df.", "no box", pool);
    is_refused(keys, "v1.d4ef62161538d7df.AAAA", "a box too small", pool);
    is_refused(keys, "v1.d4ef62161538d7df.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==",
               "a box with no text and a wrong tag", pool);
    is_refused(keys, apr_pstrcat(pool, sealed, "=", NULL), "more padding", pool);
    is_refused(keys, apr_pstrcat(pool, sealed, "\n", NULL), "a line end", pool);
    is_refused(keys, apr_pstrmemdup(pool, sealed, strlen(sealed) - 4), "cut", pool);

    opened = 0;
    for (i = 0; sealed[i] != '\0'; i++) {
        char *damaged = apr_pstrdup(pool, sealed);

        damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
        opened += account_keys_open(keys, context, damaged, &plain, pool) != APR_EINVAL;
    }
    is_int(opened, 0, "no change of one character is overlooked");
}

static void write_file(const char *path, const char *bytes, apr_size_t length, mode_t mode)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0 ||
        chmod(path, mode) != 0) {
        abort();
    }
}

static void is_read_error(const char *path, const char *wanted, apr_status_t status,
                          apr_pool_t *pool)
{
    account_keys_t *keys = NULL;
    const char *error = NULL;
    apr_status_t rv = account_keys_read(&keys, &error, path, pool);

    ok(rv == status && keys == NULL && error != NULL && strstr(error, wanted) != NULL &&
           strstr(error, path) != NULL,
       "key file: %s", wanted);
    if (error != NULL) {
        diag("%s", error);
    }
}

static void test_key_files(apr_pool_t *pool)
{
    static const int readable[] = {0600, 0400, 0700};
    static const int open_to_others[] = {0640, 0620, 0604, 0602, 0666, 0644};
    char directory[] = "/tmp/account-keys-XXXXXX";
    const char *path, *pipe;
    account_keys_t *keys = NULL;
    const char *error = NULL;
    apr_size_t i;

    if (mkdtemp(directory) == NULL) {
        abort();
    }
    path = apr_pstrcat(pool, directory, "/keys", NULL);
    pipe = apr_pstrcat(pool, directory, "/pipe", NULL);

    is_read_error(path, "openssl rand -base64 32", APR_ENOENT, pool);
    is_read_error(directory, "is not a regular file", APR_EINVAL, pool);
    if (mkfifo(pipe, 0600) == 0) {
        is_read_error(pipe, "is not a regular file", APR_EINVAL, pool);
    }
    for (i = 0; i < COUNT(readable); i++) {
        write_file(path, KEY_A "\n" KEY_B "\n", strlen(KEY_A KEY_B) + 2, (mode_t)readable[i]);
        is_int(account_keys_read(&keys, &error, path, pool), APR_SUCCESS, "mode %04o is read",
               (unsigned int)readable[i]);
        is_int(account_keys_count(keys), 2, "both keys are there");
        unlink(path);
    }
    for (i = 0; i < COUNT(open_to_others); i++) {
        write_file(path, KEY_A "\n", strlen(KEY_A) + 1, (mode_t)open_to_others[i]);
        diag("mode %04o", (unsigned int)open_to_others[i]);
        is_read_error(path, "by others than its owner", APR_EACCES, pool);
        unlink(path);
    }
    write_file(path, "", 0, 0600);
    is_read_error(path, "holds no key", APR_EINVAL, pool);
    write_file(path, KEY_A "\nc2VjcmV0\n", strlen(KEY_A) + 10, 0600);
    is_read_error(path, "line 2 is too short", APR_EINVAL, pool);
    write_file(path, KEY_A "\n\0x", strlen(KEY_A) + 3, 0600);
    is_read_error(path, "is not a text file", APR_EINVAL, pool);
    write_file(path, apr_pcalloc(pool, 70000), 70000, 0600);
    is_read_error(path, "is too large", APR_EINVAL, pool);

    unlink(path);
    unlink(pipe);
    rmdir(directory);
}

/* ---------------------------------------------------------------- password */

static void test_costs(apr_pool_t *pool)
{
    static const struct {
        const char *words;
        int algorithm; /* -1: refused */
        unsigned int memory, passes, lanes;
    } table[] = {
        {"scrypt", ACCOUNT_SCRYPT, 14, 8, 5},
        {"scrypt ln=14 r=8 p=5", ACCOUNT_SCRYPT, 14, 8, 5},
        {" scrypt\tp=1   ln=17 ", ACCOUNT_SCRYPT, 17, 8, 1},
        {"scrypt ln=20 r=8 p=16", ACCOUNT_SCRYPT, 20, 8, 16},
        {"scrypt ln=1 r=1 p=1", ACCOUNT_SCRYPT, 1, 1, 1},
        {"scrypt ln=15 r=1 p=1", ACCOUNT_SCRYPT, 15, 1, 1},
        {"scrypt ln=16 r=1 p=1", -1, 0, 0, 0}, /* N < 2^(16 r) */
        {"scrypt ln=20 r=9", -1, 0, 0, 0},     /* above 1 GiB */
        {"scrypt ln=18 r=32", ACCOUNT_SCRYPT, 18, 32, 5},
        {"scrypt ln=19 r=32", -1, 0, 0, 0},
        {"scrypt ln=0", -1, 0, 0, 0},
        {"scrypt ln=21", -1, 0, 0, 0},
        {"scrypt r=0", -1, 0, 0, 0},
        {"scrypt r=33", -1, 0, 0, 0},
        {"scrypt p=0", -1, 0, 0, 0},
        {"scrypt p=17", -1, 0, 0, 0},
        {"scrypt m=19456", -1, 0, 0, 0},
#ifdef HAVE_ARGON2
        {"argon2id", ACCOUNT_ARGON2ID, 19456, 2, 1},
        {"argon2id m=19456 t=2 p=1", ACCOUNT_ARGON2ID, 19456, 2, 1},
        {"argon2id t=5 m=7168", ACCOUNT_ARGON2ID, 7168, 5, 1},
        {"argon2id m=8 t=1 p=1", ACCOUNT_ARGON2ID, 8, 1, 1},
        {"argon2id m=1048576 t=10 p=16", ACCOUNT_ARGON2ID, 1048576, 10, 16},
        {"argon2id m=128 p=16", ACCOUNT_ARGON2ID, 128, 2, 16},
        {"argon2id m=127 p=16", -1, 0, 0, 0}, /* 8 blocks a lane */
#else
        {"argon2id", -1, 0, 0, 0},
#endif
        {"argon2id m=7", -1, 0, 0, 0},
        {"argon2id m=1048577", -1, 0, 0, 0},
        {"argon2id t=0", -1, 0, 0, 0},
        {"argon2id t=11", -1, 0, 0, 0},
        {"argon2id p=0", -1, 0, 0, 0},
        {"argon2id p=17", -1, 0, 0, 0},
        {"argon2id m=64 m=64", -1, 0, 0, 0},
        {"argon2id m=", -1, 0, 0, 0},
        {"argon2id m", -1, 0, 0, 0},
        {"argon2id m=64k", -1, 0, 0, 0},
        {"argon2id m=-64", -1, 0, 0, 0},
        {"argon2id m=+64", -1, 0, 0, 0},
        {"argon2id m=064", -1, 0, 0, 0},
        {"argon2id m=0x40", -1, 0, 0, 0},
        {"argon2id m= 64", -1, 0, 0, 0},
        {"argon2id m=4294967360", -1, 0, 0, 0},           /* 2^32 + 64 */
        {"argon2id m=18446744073709551680", -1, 0, 0, 0}, /* 2^64 + 64 */
        {"argon2id M=64", -1, 0, 0, 0},
        {"argon2id mm=64", -1, 0, 0, 0},
        {"argon2id =64", -1, 0, 0, 0},
        {"argon2id x=1", -1, 0, 0, 0},
        {"argon2id m=64,t=1", -1, 0, 0, 0},
        {"argon2", -1, 0, 0, 0},
        {"argon2i", -1, 0, 0, 0},
        {"Argon2id", -1, 0, 0, 0},
        {"bcrypt", -1, 0, 0, 0},
        {"", -1, 0, 0, 0},
        {" ", -1, 0, 0, 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        account_password_cost_t cost = {ACCOUNT_SCRYPT, 99, 99, 99};
        const char *error = account_password_parse_cost(&cost, table[i].words, pool);

        if (table[i].algorithm < 0) {
            ok(error != NULL && cost.memory == 99, "cost \"%s\": %s", table[i].words,
               error != NULL ? error : "(no error)");
        } else {
            ok(error == NULL && (int)cost.algorithm == table[i].algorithm &&
                   cost.memory == table[i].memory && cost.passes == table[i].passes &&
                   cost.lanes == table[i].lanes,
               "cost \"%s\"%s%s", table[i].words, error != NULL ? ": " : "",
               error != NULL ? error : "");
        }
    }
}

static void test_weakness(void)
{
    static const struct {
        account_password_cost_t cost;
        int weak;
    } table[] = {
        {{ACCOUNT_ARGON2ID, 47104, 1, 1}, 0}, {{ACCOUNT_ARGON2ID, 19456, 2, 1}, 0},
        {{ACCOUNT_ARGON2ID, 12288, 3, 1}, 0}, {{ACCOUNT_ARGON2ID, 9216, 4, 1}, 0},
        {{ACCOUNT_ARGON2ID, 7168, 5, 1}, 0},  {{ACCOUNT_ARGON2ID, 7168, 4, 1}, 1},
        {{ACCOUNT_ARGON2ID, 7167, 6, 1}, 1},  {{ACCOUNT_ARGON2ID, 64, 1, 1}, 1},
        {{ACCOUNT_ARGON2ID, 19456, 1, 1}, 1}, {{ACCOUNT_ARGON2ID, 1048576, 10, 1}, 0},
        {{ACCOUNT_SCRYPT, 17, 8, 1}, 0},      {{ACCOUNT_SCRYPT, 16, 8, 2}, 0},
        {{ACCOUNT_SCRYPT, 15, 8, 3}, 0},      {{ACCOUNT_SCRYPT, 14, 8, 5}, 0},
        {{ACCOUNT_SCRYPT, 13, 8, 10}, 0},     {{ACCOUNT_SCRYPT, 12, 8, 16}, 1},
        {{ACCOUNT_SCRYPT, 14, 8, 4}, 1},      {{ACCOUNT_SCRYPT, 4, 1, 1}, 1},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(account_password_cost_is_weak(&table[i].cost), table[i].weak,
               "weakness of %s %u %u %u",
               table[i].cost.algorithm == ACCOUNT_SCRYPT ? "scrypt" : "argon2id",
               table[i].cost.memory, table[i].cost.passes, table[i].cost.lanes);
    }
    is_int(account_password_cost_is_weak(&account_password_default_cost), 0,
           "the default is not weak");
}

#define SCRYPT_SMALL "$scrypt$ln=4,r=1,p=1$TmFDbE5hQ2w$nlmng2GyVlKS+Ou7pg4rP1B7dwctqpSq2D5XBJyFO4c"
#define TAG32 "$asH5UaQtmkXjPFvbKuBLzOieZFx6gEk6/pI5iM11IPk"
#define SALT16 "$AQEBAQEBAQEBAQEBAQEBAQ"
#define KALENGO "$argon2id$v=19$m=19456,t=2,p=1" SALT16 TAG32

static void test_known_hashes(apr_pool_t *pool)
{
    static const struct {
        const char *phc;
        const char *password;
    } table[] = {
#ifdef HAVE_ARGON2
        {KALENGO, "kalengo2013"},
        {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
         "password"},
        {"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
         "password"},
#endif
        {"$scrypt$ln=14,r=8,p=5$AQEBAQEBAQEBAQEBAQEBAQ$"
         "ZPkKZxjAMlxNSNCABj4K01MkL5aE2Z5U9DV8ldZbe4c", "kalengo2013"},
        /* RFC 7914 12 */
        {"$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLV"
         "QylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw", "pleaseletmein"},
        {SCRYPT_SMALL, "\xC3\x85"},
        {SCRYPT_SMALL, "A\xCC\x8A"},       /* normalised */
        {SCRYPT_SMALL, "\xE2\x84\xAB"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        int matches = -1;

        is_int(account_password_verify(&matches, table[i].phc, table[i].password, pool),
               APR_SUCCESS, "verified: %s", table[i].phc);
        is_int(matches, 1, "and it matches");
        account_password_verify(&matches, table[i].phc, "Kalengo2013", pool);
        is_int(matches, 0, "another password does not");
        account_password_verify(&matches, table[i].phc, "", pool);
        is_int(matches, 0, "nor does none");
    }
#ifndef HAVE_ARGON2
    {
        int matches = -1;

        is_int(account_password_verify(&matches, KALENGO, "kalengo2013", pool), APR_ENOTIMPL,
               "argon2id is not there");
        is_int(matches, 0, "and does not match");
    }
#endif
}

/* None of these may match, take memory or fail. */
static void test_broken_hashes(apr_pool_t *pool)
{
    static const char *const table[] = {
        "",
        "$",
        "$$",
        "kalengo2013",
        "$argon2id",
        "$argon2id$",
        "$argon2id$v=19",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16,
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16 "$",
        "argon2id$v=19$m=19456,t=2,p=1" SALT16 TAG32,
        " $argon2id$v=19$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2i$v=19$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2d$v=19$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2idx$v=19$m=19456,t=2,p=1" SALT16 TAG32,
        "$ARGON2ID$v=19$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=16$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=019$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2id$m=19456,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$t=2,m=19456,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=2" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1,keyid=AA" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=019456,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=+19456,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m= 19456,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=19456, t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1 " SALT16 TAG32,
        /* bounds */
        "$argon2id$v=19$m=7,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=8,t=2,p=2" SALT16 TAG32,
        "$argon2id$v=19$m=1048577,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=4294967295,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=4294986752,t=2,p=1" SALT16 TAG32, /* 2^32 + 19456 */
        "$argon2id$v=19$m=99999999999999999999,t=2,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=0,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=11,p=1" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=2,p=0" SALT16 TAG32,
        "$argon2id$v=19$m=19456,t=2,p=17" SALT16 TAG32,
        /* salt and tag */
        "$argon2id$v=19$m=19456,t=2,p=1$" TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQ" TAG32, /* 7 bytes */
        "$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAR" TAG32, /* stray bits */
        "$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ==" TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEB*QEBAQEBAQ" TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1$" REPEAT16("AQEBAQEB") TAG32,
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16 TAG32 "=",
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16 TAG32 "\n",
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16 TAG32 "$",
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16 "$AQEBAQEBAQEBAQEBAQEB", /* 15 bytes */
        "$argon2id$v=19$m=19456,t=2,p=1" SALT16 "$" REPEAT16("AQEBAQEB"),
        "$argon2id$v=19$m=19456,t=2,p=1$$",
        /* scrypt */
        "$scrypt$v=19$ln=4,r=1,p=1" SALT16 TAG32,
        "$scrypt$ln=0,r=1,p=1" SALT16 TAG32,
        "$scrypt$ln=16,r=1,p=1" SALT16 TAG32,
        "$scrypt$ln=21,r=8,p=1" SALT16 TAG32,
        "$scrypt$ln=20,r=32,p=16" SALT16 TAG32,
        "$scrypt$ln=64,r=8,p=1" SALT16 TAG32,
        "$scrypt$n=16384,r=8,p=1" SALT16 TAG32,
        /* others */
        "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFC",
        "57ab8499d08c59a7211c77f557bf9425:4247",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        int matches = -1;
        apr_status_t rv = account_password_verify(&matches, table[i], "kalengo2013", pool);

        ok(rv == APR_SUCCESS && matches == 0, "no hash, row %d", (int)i);
        ok(!account_password_is_current(table[i], &account_password_default_cost),
           "nor is it current");
    }
}

static void test_hashing(apr_pool_t *pool)
{
    static const char *const words[] = {
        "scrypt ln=4 r=1 p=1",
#ifdef HAVE_ARGON2
        "argon2id m=64 t=1 p=1",
        "argon2id m=64 t=2 p=4",
#endif
    };
    static const char *const passwords[] = {
        "", "a", "correct horse battery staple", "\xE5\xAF\x86\xE7\xA0\x81 \xF0\x9F\x98\x80",
        REPEAT64("0123456789abcdef"),
    };
    static const account_random_t none = {failing, NULL};
    apr_size_t i, k;

    for (i = 0; i < COUNT(words); i++) {
        account_password_cost_t cost, other;
        const char *phc = NULL, *again = NULL;
        int matches = 0;

        if (account_password_parse_cost(&cost, words[i], pool) != NULL) {
            abort();
        }
        other = cost;
        other.lanes = cost.lanes == 1 ? 2 : 1;
        for (k = 0; k < COUNT(passwords); k++) {
            is_int(account_password_hash(&phc, passwords[k], &cost, &account_random_secure, pool),
                   APR_SUCCESS, "%s: hashed", words[i]);
            account_password_hash(&again, passwords[k], &cost, &account_random_secure, pool);
            ok(strcmp(phc, again) != 0, "each hash has a salt of its own");
            account_password_verify(&matches, phc, passwords[k], pool);
            is_int(matches, 1, "the password matches: %s", phc);
            account_password_verify(&matches, phc, apr_pstrcat(pool, passwords[k], " ", NULL),
                                    pool);
            is_int(matches, 0, "one with a blank behind does not");
        }
        ok(account_password_is_current(phc, &cost), "of the present cost");
        ok(!account_password_is_current(phc, &other), "not of another");

        account_password_hash(&phc, "e\xCC\x81", &cost, &account_random_secure, pool);
        account_password_verify(&matches, phc, "\xC3\xA9", pool);
        is_int(matches, 1, "composed and decomposed are one password");

        phc = NULL;
        is_int(account_password_hash(&phc, "a\xFF", &cost, &account_random_secure, pool),
               APR_EINVAL, "broken UTF-8 is not hashed");
        is_int(account_password_hash(&phc, "a", &cost, &none, pool), APR_EGENERAL,
               "nor is anything without randomness");
        ok(phc == NULL, "nothing was made");
        matches = -1;
        is_int(account_password_verify(&matches, again, "a\xFF", pool), APR_SUCCESS,
               "broken UTF-8 is verified");
        is_int(matches, 0, "and matches nothing");
    }
}

static void test_default_hash(apr_pool_t *pool)
{
    unsigned char one = 1;
    account_random_t ones = {constant, &one};
    const char *phc = NULL;

    account_password_hash(&phc, "kalengo2013", &account_password_default_cost, &ones, pool);
#ifdef HAVE_ARGON2
    is_str(phc, KALENGO, "the default hash");
#else
    is_str(phc, "$scrypt$ln=14,r=8,p=5$AQEBAQEBAQEBAQEBAQEBAQ$"
                "ZPkKZxjAMlxNSNCABj4K01MkL5aE2Z5U9DV8ldZbe4c", "the default hash");
#endif
}

#ifdef HAVE_ARGON2
static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0, resident = 0;

    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &total, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void test_memory(apr_pool_t *pool)
{
    static const account_password_cost_t cost = {ACCOUNT_ARGON2ID, 65536, 1, 1};
    const char *phc;
    long before;

    account_password_hash(&phc, "first", &cost, &account_random_secure, pool);
    before = resident_kib();
    account_password_hash(&phc, "second", &cost, &account_random_secure, pool);
    ok(resident_kib() - before < 16384, "the memory is the system's again");
}
#endif

/* --------------------------------------------------------------------- log */

static void keep(void *baton, account_log_level_e level, apr_status_t status, const char *message)
{
    char *line = baton;

    (void)level;
    (void)status;
    snprintf(line, 2000, "%s", message);
}

static void test_log(apr_pool_t *pool)
{
    char *line = apr_pcalloc(pool, 2000);
    char *text = apr_pcalloc(pool, 2000);
    account_log_t log = {keep, line};
    account_log_t none = {NULL, NULL};
    int i;

    account_log(&log, ACCOUNT_LOG_ERROR, 0, "%s: %d%%", "text", 7);
    is_str(line, "text: 7%", "a line");
    account_log(NULL, ACCOUNT_LOG_ERROR, 0, "to nobody");
    account_log(&none, ACCOUNT_LOG_ERROR, 0, "to nobody");
    is_str(line, "text: 7%", "a line to nobody");
    memset(text, 'a', 1500);
    account_log(&log, ACCOUNT_LOG_ERROR, 0, "%s", text);
    is_int((long long)strlen(line), 1000, "a long line is cut");
    text[1000] = '\0';
    account_log(&log, ACCOUNT_LOG_ERROR, 0, "%s", text);
    is_int((long long)strlen(line), 1000, "a line that just fits is not");
    for (i = 0; i < 6; i++) {
        memset(text, 'a', 990);
        snprintf(text + 990 + i, 1000, "%s", REPEAT16("\xE4\xB8\xAD"));
        memset(text + 990, 'b', (apr_size_t)i);
        account_log(&log, ACCOUNT_LOG_ERROR, 0, "%s", text);
        ok(strlen(line) > 997 && strlen(line) <= 1000 &&
               account_text_is_valid(line, strlen(line)),
           "a long line is not cut within a character, %d", i);
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);

    test_random(pool);
    test_key_texts(pool);
    test_digests(pool);
    test_seals(pool);
    test_key_files(pool);
    test_costs(pool);
    test_weakness();
    test_known_hashes(pool);
    test_broken_hashes(pool);
    test_hashing(pool);
    test_default_hash(pool);
#ifdef HAVE_ARGON2
    test_memory(pool);
#endif
    test_log(pool);

    return done_testing();
}
