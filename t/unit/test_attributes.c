#include <apr_general.h>

#include "action/attributes.h"
#include "tap.h"

/* What is read without a parser must be what a parser reads, whoever wrote it. */
static void test_reading(apr_pool_t *pool)
{
    static const struct {
        const char *json;
        const char *name;
        const char *value; /* NULL: there is none */
    } table[] = {
        {"{}", "a", NULL},
        {"{\"a\":\"x\"}", "a", "x"},
        {"{\"a\":\"\"}", "a", ""},
        {"{\"a\":\"x\",\"b\":\"y\"}", "b", "y"},
        {"{\"a\":\"x\",\"b\":\"y\"}", "c", NULL},
        {"{\"a\":\"b\",\"c\":\"a\"}", "b", NULL},
        {"{\"ab\":\"x\",\"a\":\"y\"}", "a", "y"},
        {"{\"a\":\"x\",\"ab\":\"y\"}", "ab", "y"},
        {"{\"a\":\"x\",\"a\":\"y\"}", "a", "y"},
        {"{\"a\":\"\xe9\x97\xae\"}", "a", "\xe9\x97\xae"},
        {"{\"extra.a\":\"x:,{}[]\"}", "extra.a", "x:,{}[]"},
        /* for the parser */
        {" {\"a\" : \"x\" , \"b\":\"y\"}\n", "b", "y"},
        {"{\"a\":\"x\\\"y\"}", "a", "x\"y"},
        {"{\"a\":\"x\\\\\",\"b\":\"y\"}", "b", "y"},
        {"{\"\\u0061\":\"x\"}", "a", "x"},
        {"{\"a\":\"x\",\"\\u0061\":\"y\"}", "a", "y"},
        {"{\"b\":1,\"a\":\"x\"}", "a", "x"},
        {"{\"b\":{\"a\":\"x\"}}", "a", NULL},
        {"{\"b\":[\"a\",\"x\"],\"a\":\"y\"}", "a", "y"},
        {"{\"a\":\"x\",\"a\":1}", "a", NULL},
        {"{\"a\":null}", "a", NULL},
        /* nothing at all */
        {NULL, "a", NULL},
        {"", "a", NULL},
        {"{", "a", NULL},
        {"[\"a\"]", "a", NULL},
        {"{\"a\":\"x\"", "a", NULL},
        {"{\"a\":\"x", "a", NULL},
        {"{\"a\":", "a", NULL},
        {"{\"a\"", "a", NULL},
        {"{\"a", "a", NULL},
        {"{\"a\":\"x\",}", "a", NULL},
        {"{\"a\":\"x\",", "a", NULL},
        {"{\"a\":\"x\"}}", "a", NULL},
        {"{\"a\":\"x\"} b", "a", NULL},
        {"{,\"a\":\"x\"}", "a", NULL},
        {"{\"a\":\"x\ny\"}", "a", NULL},
        {"{\"a\":\"x\xff\"}", "a", NULL},
        {"{\"a\":\"x\",\"b\":\"\xc0\x80\"}", "a", NULL},
    };
    account_store_t store = {.realm = "unit", .pool = pool};
    account_t account = {.ref = "ref"};
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        account.attributes = table[i].json;
        is_str(account_attribute_get(&store, &account, table[i].name), table[i].value, "%s of %s",
               table[i].name, table[i].json ? table[i].json : "nothing");
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_reading(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
