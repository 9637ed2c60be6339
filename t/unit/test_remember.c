/* Passwords that come with every request: what is remembered of them, for how long, and that
 * nothing else is let in by it. Over a cache that the test looks into. */

#include <string.h>

#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "action/remember.h"
#include "base/clock.h"
#include "base/status.h"
#include "site.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A cache that holds nothing but what it is asked to hold, and can fail. */
typedef struct box_t {
    apr_hash_t *items; /* "space/key" to account_cache_item_t */
    apr_pool_t *pool;
    apr_status_t failure;
    int gets, hits, sets, adds, removes;
    int looks_at_trial;
    int trial_ends;  /* after so many looks: the one who had it verified is done */
    int trial_right; /* and it was right */
} box_t;

static const char *name_of(const account_cache_item_t *item, apr_pool_t *pool)
{
    return apr_pstrcat(pool, item->space, "/", apr_pstrndup(pool, item->key, item->key_length),
                       NULL);
}

static void put(box_t *box, const account_cache_item_t *item)
{
    apr_hash_set(box->items, name_of(item, box->pool), APR_HASH_KEY_STRING,
                 apr_pmemdup(box->pool, item, sizeof(*item)));
}

static void end_trial(box_t *box, const account_cache_item_t *trial)
{
    account_cache_item_t right = *trial;

    right.space = "right";
    apr_hash_set(box->items, name_of(trial, box->pool), APR_HASH_KEY_STRING, NULL);
    if (box->trial_right) {
        put(box, &right);
    }
}

static apr_status_t get(void *baton, account_cache_item_t *item, apr_pool_t *pool)
{
    box_t *box = baton;
    account_cache_item_t *found;

    box->gets += !item->is_uncounted;
    if (box->failure) {
        return box->failure;
    }
    if (strcmp(item->space, "trial") == 0 && ++box->looks_at_trial == box->trial_ends) {
        end_trial(box, item);
    }
    found = apr_hash_get(box->items, name_of(item, pool), APR_HASH_KEY_STRING);
    box->hits += found && !item->is_uncounted;
    return found ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t set(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    box_t *box = baton;

    (void)pool;
    box->sets++;
    if (!box->failure) {
        put(box, item);
    }
    return box->failure;
}

static apr_status_t add(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    box_t *box = baton;

    box->adds++;
    if (!box->failure && apr_hash_get(box->items, name_of(item, pool), APR_HASH_KEY_STRING)) {
        return APR_EEXIST;
    }
    if (!box->failure) {
        put(box, item);
    }
    return box->failure;
}

static apr_status_t take_out(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    box_t *box = baton;

    box->removes++;
    apr_hash_set(box->items, name_of(item, pool), APR_HASH_KEY_STRING, NULL);
    return box->failure;
}

static account_cache_t cache_of(box_t *box, server_t *server)
{
    memset(box, 0, sizeof(*box));
    box->pool = server->process;
    box->items = apr_hash_make(box->pool);
    return (account_cache_t){.get = get,
                             .set = set,
                             .add = add,
                             .remove = take_out,
                             .baton = box,
                             .keys = fixture_keys(server->process)};
}

/* What it ends with: an outcome's name, or "failed" with *status. */
static const char *recall_status(server_t *server, const account_cache_t *cache,
                                 const char *name_and_password, apr_status_t *status)
{
    char *password = apr_pstrdup(server->process, name_and_password);
    account_login_t login = {.name = apr_strtok(password, ":", &password), .password = NULL};
    account_answer_t answer = {.outcome = ACCOUNT_OK};
    account_store_t store = store_of(server);
    account_call_t call = {.store = &store, .settings = &server->settings};

    int verified;

    login.password = password;
    call.terms.address = server->address;
    *status = account_login_find(&call, &login);
    if (*status == APR_SUCCESS) {
        *status = account_login_recall(&call, &login, cache, &answer, &verified);
    }
    return *status == APR_SUCCESS ? account_outcomes[answer.outcome].name : "failed";
}

static const char *recall(server_t *server, const account_cache_t *cache, const char *words)
{
    apr_status_t status;

    return recall_status(server, cache, words, &status);
}

static void give(server_t *server)
{
    expect_status(server, "POST /user/register.do",
                  "username=anna&password=password1&email=anna@example.com", NULL, "0");
    expect_status(server, "POST /user/register.do",
                  "username=bert&password=password1&email=bert@example.com", NULL, "0");
}

static void test_remembering(server_t *server)
{
    box_t box;
    account_cache_t cache = cache_of(&box, server);

    give(server);
    is_str(recall(server, &cache, "anna:password1"), "ok", "right");
    is_int(box.sets, 1, "is remembered");
    is_int(apr_hash_count(box.items), 1, "and nothing else is");
    is_str(recall(server, &cache, "anna:password1"), "ok", "again");
    is_str(recall(server, &cache, "anna@example.com:password1"), "ok", "by another name");
    is_int(box.hits, 2, "both from memory");
    is_int(box.adds, 1, "without having it verified");
    is_str(recall(server, &cache, "bert:password1"), "ok", "another one, the same password");
    is_int(box.hits, 2, "is not remembered");
    is_str(recall(server, &cache, "anna:password2"), "wrong-password", "wrong");
    is_str(recall(server, &cache, "anna:password2"), "wrong-password", "wrong again");
    is_str(recall(server, &cache, "nobody:password1"), "unknown-account", "nobody");
    is_int(box.sets, 2, "what is wrong is not remembered");
    is_int(apr_hash_count(box.items), 2, "nor is anything left of it");
    is_int(box.adds, box.removes, "who begins to verify ends it");
    is_str(recall(server, NULL, "anna:password1"), "ok", "without a cache: right");
    is_str(recall(server, NULL, "anna:password2"), "wrong-password", "without a cache: wrong");
}

/* What counts now is what the account is now. */
static void test_changes(server_t *server)
{
    box_t box;
    account_cache_t cache = cache_of(&box, server);
    const char *realm = server->realm;

    give(server);
    is_str(recall(server, &cache, "anna:password1"), "ok", "right");
    sql(server, "UPDATE account SET status = 'disabled' WHERE user_name = 'anna'");
    is_str(recall(server, &cache, "anna:password1"), "disabled", "disabled");
    sql(server, "UPDATE account SET status = 'pending' WHERE user_name = 'anna'");
    is_str(recall(server, &cache, "anna:password1"), "not-activated", "pending");
    sql(server, "UPDATE account SET status = 'active' WHERE user_name = 'anna'");
    is_str(recall(server, &cache, "anna:password1"), "ok", "active");
    sql(server, "UPDATE account SET password = (SELECT password FROM (SELECT * FROM account) AS b "
                "WHERE b.user_name = 'bert') WHERE user_name = 'anna'");
    is_int(box.adds, 1, "all from memory");
    is_str(recall(server, &cache, "anna:password1"), "ok", "another hash of the same password");
    is_int(box.adds, 2, "is verified");
    sql(server, "UPDATE account SET password = NULL WHERE user_name = 'anna'");
    is_str(recall(server, &cache, "anna:password1"), "wrong-password", "no password");
    server->realm = "other";
    is_str(recall(server, &cache, "bert:password1"), "unknown-account", "another realm");
    server->realm = realm;
    is_str(recall(server, &cache, "bert:password1"), "ok", "his own");
    sql(server, "UPDATE account SET status = 'disabled' WHERE user_name = 'bert'");
    cache = cache_of(&box, server);
    is_str(recall(server, &cache, "bert:password1"), "disabled", "disabled before");
    is_int(apr_hash_count(box.items), 0, "is not remembered");
}

/* Neither in a key nor in a value. */
static void test_secrecy(server_t *server)
{
    box_t box;
    account_cache_t cache = cache_of(&box, server);
    account_keys_t *others = NULL;
    apr_hash_index_t *index;
    const char *error, *first = NULL;
    int looked = 0;

    give(server);
    is_str(recall(server, &cache, "anna:password1"), "ok", "right");
    for (index = apr_hash_first(server->process, box.items); index; index = apr_hash_next(index)) {
        const account_cache_item_t *item = apr_hash_this_val(index);

        first = apr_hash_this_key(index);
        ok(item->key_length == 64 && strspn(item->key, "0123456789abcdef") == 64,
           "the key is a digest");
        ok(item->value_length == 1, "the value says nothing");
        is_int(item->life, ACCOUNT_REMEMBERED, "for so long");
        looked++;
    }
    is_int(looked, 1, "looked at");
    is_int(account_keys_parse(&others, &error,
                              "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWZnaGlqa2xtbm9w",
                              server->process),
           APR_SUCCESS, "other keys");
    cache.keys = others;
    is_str(recall(server, &cache, "anna:password1"), "ok", "after a start");
    is_int(apr_hash_count(box.items), 2, "nothing is found that was there before");
    ok(first && apr_hash_get(box.items, first, APR_HASH_KEY_STRING), "it was another key");
}

static void test_limits(server_t *server)
{
    box_t box;
    account_cache_t cache = cache_of(&box, server);
    int i;

    give(server);
    site_limit(server, "password-account", "3/1m");
    site_limit(server, "password-address", "5/1m");
    server->address = "192.0.2.1";
    for (i = 0; i < 9; i++) {
        is_str(recall(server, &cache, "anna:password1"), "ok", "right counts nothing");
    }
    for (i = 0; i < 3; i++) {
        is_str(recall(server, &cache, "anna:password2"), "wrong-password", "a guess");
    }
    is_str(recall(server, &cache, "anna:password2"), "too-many", "one too many");
    is_str(recall(server, &cache, "anna:password1"), "ok", "what is remembered needs none");
    cache = cache_of(&box, server);
    is_str(recall(server, &cache, "anna:password1"), "too-many", "what is not does");
    is_int(box.sets, 0, "and is not remembered then");
    is_int(apr_hash_count(box.items), 0, "nothing is left");
    is_str(recall(server, &cache, "nobody:password2"), "unknown-account", "the address' fourth");
    is_str(recall(server, &cache, "nobody:password2"), "unknown-account", "and fifth");
    is_str(recall(server, &cache, "bert:password1"), "too-many", "now nobody from there");
    server->address = "198.51.100.1";
    is_str(recall(server, &cache, "bert:password1"), "ok", "from elsewhere");
}

static void test_failing_cache(server_t *server)
{
    box_t box;
    account_cache_t cache = cache_of(&box, server);
    int i;

    give(server);
    for (i = 0; i < 2; i++) {
        box.failure = i ? APR_EGENERAL : APR_ENOMEM;
        is_str(recall(server, &cache, "anna:password1"), "ok", "a failing cache: right");
        is_str(recall(server, &cache, "anna:password2"), "wrong-password", "wrong");
        is_str(recall(server, &cache, "nobody:password2"), "unknown-account", "nobody");
    }
}

/* Somebody else is having it verified: after so many looks he is done. */
static void meanwhile(server_t *server, box_t *box, int looks, int right)
{
    account_cache_t cache = cache_of(box, server);
    apr_hash_index_t *index;
    const account_cache_item_t *item;
    account_cache_item_t trial;

    /* what it is called is what it is when it was right */
    recall(server, &cache, "anna:password1");
    index = apr_hash_first(server->process, box->items);
    item = apr_hash_this_val(index);
    trial = *item;
    cache_of(box, server);
    trial.space = "trial";
    put(box, &trial);
    box->trial_ends = looks;
    box->trial_right = right;
}

static void test_waiting(server_t *server)
{
    box_t box;
    account_cache_t cache = cache_of(&box, server);
    apr_status_t status;
    apr_time_t start;

    give(server);
    meanwhile(server, &box, 3, 1);
    is_str(recall(server, &cache, "anna:password1"), "ok", "somebody else had it verified: right");
    is_int(box.sets, 0, "and nobody did so again");
    is_int(box.removes, 0, "who waits ends nothing");
    meanwhile(server, &box, 3, 0);
    is_str(recall(server, &cache, "anna:password1"), "ok", "he went without a word");
    is_int(box.sets, 1, "so it is verified");
    meanwhile(server, &box, 0, 0);
    start = account_clock_monotonic();
    is_str(recall_status(server, &cache, "anna:password1", &status), "failed", "he never ends");
    is_int(status, ACCOUNT_EBUSY, "busy");
    ok(account_clock_monotonic() - start < apr_time_from_sec(20), "and nobody waits for ever");
    is_str(recall(server, &cache, "bert:password1"), "ok", "others don't wait for that");
    is_str(recall(server, &cache, "anna:password2"), "wrong-password", "nor other passwords");
}

int main(void)
{
    static void (*const tests[])(server_t * server) = {test_remembering,   test_changes,
                                                       test_secrecy,       test_limits,
                                                       test_failing_cache, test_waiting};
    apr_pool_t *pool;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < COUNT(tests); i++) {
        server_t *server = server_make(":memory:", pool);

        tests[i](server);
        apr_pool_destroy(server->process);
    }
    apr_pool_destroy(pool);
    return done_testing();
}
