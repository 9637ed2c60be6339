/* store/: on SQLite, and on MySQL where ACCOUNT_TEST_MYSQL has the parameters of a database for
 * tests, whose tables of ours are dropped first. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/schema.h"
#include "store/schema_sql.h"
#include "store/statements.h"
#include "stored.h"
#include "tap.h"

#define THREADS 16

static apr_status_t look_nowhere(const server_t *server)
{
    const account_t *account;
    account_store_t store = server->store;

    store.deadline = account_clock_monotonic() + apr_time_from_sec(5);
    return account_find(&store, "nobody", &account);
}

static void test_create(server_t *server)
{
    account_t fields = fields_of("Alice", "Alice@Example.com", "13800000001");
    const account_t *created = NULL, *other = NULL;
    account_kind_e taken = ACCOUNT_KINDS;
    const char *name = server->name;
    account_store_t elsewhere = server->store;

    fields.mobile_verified = NOW - 5;
    fields.registered_kind = ACCOUNT_MOBILE;
    fields.registered_with = "13800000001";
    is_int(account_create(&server->store, &fields, NULL, &created, &taken), APR_SUCCESS,
           "%s: an account", name);
    ok(created->id > 0 && strlen(created->ref) == 32, "%s: has a number and a ref", name);
    is_str(created->identifiers[ACCOUNT_EMAIL], "Alice@Example.com", "%s: shown as given", name);
    is_int(created->created, NOW, "%s: created now", name);
    is_int(created->mobile_verified, NOW - 5, "%s: verified", name);
    is_int(created->email_verified, 0, "%s: not verified", name);
    is_int(created->registered_kind, ACCOUNT_MOBILE, "%s: registered", name);
    is_str(created->registered_with, "13800000001", "%s: with", name);
    is_str(created->attributes, fields.attributes, "%s: attributes", name);
    is_int(created->status, ACCOUNT_ACTIVE, "%s: active", name);

    other = find(server, "ALICE");
    ok(other && other->id == created->id, "%s: found by user name", name);
    other = find(server, "alice@example.COM");
    ok(other && other->id == created->id, "%s: by e-mail address", name);
    other = find(server, "+8613800000001");
    ok(other && other->id == created->id, "%s: by mobile number", name);
    other = again(server, created);
    ok(other && !strcmp(other->ref, created->ref), "%s: by id", name);
    ok(find(server, "alice2") == NULL, "%s: nobody", name);
    ok(find(server, "\xc3\xa1lice") == NULL, "%s: nobody with an accent", name);

    elsewhere.realm = "unit2";
    is_int(account_find(&elsewhere, "alice", &other), APR_SUCCESS, "%s: another realm", name);
    ok(other == NULL, "%s: does not know her", name);
    account_find_by_id(&elsewhere, created->id, &other);
    ok(other == NULL, "%s: nor by id", name);
    is_int(account_create(&elsewhere, &fields, NULL, &other, &taken), APR_SUCCESS,
           "%s: she registers there too", name);
    ok(other->id != created->id, "%s: as somebody else", name);

    fields = fields_of("Bob", "ALICE@example.com", "13800000002");
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), ACCOUNT_ECONFLICT,
           "%s: an address that is taken", name);
    is_int(taken, ACCOUNT_EMAIL, "%s: is named", name);
    ok(find(server, "bob") == NULL && find(server, "13800000002") == NULL,
       "%s: nothing else was claimed", name);
    fields = fields_of("13800000001", NULL, NULL);
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), ACCOUNT_ECONFLICT,
           "%s: another's mobile number as user name", name);
    is_int(taken, ACCOUNT_USER_NAME, "%s: is named too", name);
    fields = fields_of("carol@example.com", "Carol@example.com", NULL);
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), APR_SUCCESS,
           "%s: one identifier twice is one claim", name);
    fields = fields_of(" \t", NULL, NULL);
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), APR_EINVAL,
           "%s: nothing to claim", name);
    fields = fields_of("Dora ' \xf0\x9f\x98\x80 %s ?", NULL, NULL);
    fields.password = NULL;
    fields.attributes = NULL;
    fields.status = ACCOUNT_PENDING;
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), APR_SUCCESS,
           "%s: an odd name, no password", name);
    other = find(server, "dora ' \xf0\x9f\x98\x80 %S ?");
    ok(other && other->password == NULL && other->status == ACCOUNT_PENDING
           && !strcmp(other->attributes, "{}"),
       "%s: comes back", name);
}

static const account_t *update(server_t *server, const account_t *account, const char *email,
                               const char *attributes, apr_status_t *rv)
{
    account_profile_t profile = {account, email, attributes, NULL};
    const account_t *updated = NULL;
    int changed;

    *rv = account_update_profile(&server->store, &profile, &updated, &changed);
    return changed ? updated : NULL;
}

static void test_profile(server_t *server)
{
    const char *name = server->name;
    const account_t *first = create(server, "profile", "first@example.com", NULL), *second, *third;
    apr_status_t rv;

    create(server, "somebody", "somebody@example.com", NULL);
    server->store.now = NOW + 1000;
    second = update(server, first, NULL, "{\"a\":\"1\"}", &rv);
    ok(rv == APR_SUCCESS && second != NULL, "%s: attributes", name);
    is_str(second->attributes, "{\"a\":\"1\"}", "%s: are stored", name);
    is_int(second->updated, NOW + 1000, "%s: with the time", name);
    is_str(second->identifiers[ACCOUNT_EMAIL], "first@example.com", "%s: the address stays", name);
    ok(update(server, first, NULL, "{\"a\":\"2\"}", &rv) == NULL && rv == APR_SUCCESS,
       "%s: somebody was faster: nothing changed", name);

    ok(update(server, second, "Somebody@example.com", NULL, &rv) == NULL && rv == ACCOUNT_ECONFLICT,
       "%s: another's address", name);
    third = again(server, first);
    is_str(third->identifiers[ACCOUNT_EMAIL], "first@example.com", "%s: is not taken", name);

    third = update(server, second, "New@example.com", NULL, &rv);
    ok(third && !strcmp(third->identifiers[ACCOUNT_EMAIL], "New@example.com"), "%s: a new address",
       name);
    ok(find(server, "new@example.com") != NULL, "%s: logs in", name);
    ok(find(server, "first@example.com") == NULL, "%s: the old one is free", name);
    is_str(third->attributes, second->attributes, "%s: the attributes stay", name);
    ok(update(server, second, "stale@example.com", NULL, &rv) == NULL && rv == APR_SUCCESS
           && find(server, "stale@example.com") == NULL,
       "%s: the address was changed meanwhile: nothing changed", name);

    sql(server, "UPDATE account SET email_verified = 7 WHERE email = 'New@example.com'");
    sql(server, "UPDATE account_identifier SET verified = 7 WHERE value = 'new@example.com'");
    third = update(server, third, "NEW@example.com", NULL, &rv);
    ok(third && third->email_verified == 7, "%s: other letters of it stay verified", name);
    third = update(server, third, "newer@example.com", NULL, &rv);
    ok(third && third->email_verified == 0, "%s: a newer one is not verified", name);
    ok(find(server, "new@example.com") != NULL, "%s: the verified one still finds the account",
       name);
    third = update(server, third, "new@example.com", NULL, &rv);
    ok(third && third->email_verified == 7, "%s: and can be had back, verified", name);
    ok(find(server, "newer@example.com") == NULL, "%s: the unverified one is free then", name);
    server->store.now = NOW;
}

static void test_sessions(server_t *server)
{
    const char *name = server->name;
    const account_t *owner = create(server, "sessions", NULL, NULL), *found_owner = NULL;
    const account_session_t *found = NULL;
    account_session_t *session = make_session(server, owner), *next;
    account_session_terms_t odd = terms;
    apr_array_header_t *replaced;
    char agent[700];
    int i;

    ok(!lives(server, session->token), "%s: not stored yet", name);
    is_int(account_session_begin(&server->store, session, owner), APR_SUCCESS, "%s: begins", name);
    is_int(account_session_find(&server->store, session->token, &found, &found_owner), APR_SUCCESS,
           "%s: is looked for", name);
    ok(found && found_owner && found_owner->id == owner->id, "%s: and found, with its account",
       name);
    is_str(found->id, session->id, "%s: id", name);
    is_int((long long)strlen(found->id), 16, "%s: of 16 digits", name);
    is_str(found->address, "192.0.2.1", "%s: address", name);
    is_str(found->agent, "unit/1", "%s: agent", name);
    is_int(found->expires, NOW + 600 * MINUTE, "%s: end", name);
    ok(!lives(server, "nosuchtoken"), "%s: no such token", name);
    server->store.realm = "unit2";
    ok(!lives(server, session->token), "%s: not in another realm", name);
    server->store.realm = "unit";

    server->store.now = NOW + 59000;
    account_session_find(&server->store, session->token, &found, &found_owner);
    is_int(found->seen, NOW, "%s: seen is not written each time", name);
    server->store.now = NOW + 60000;
    account_session_find(&server->store, session->token, &found, &found_owner);
    is_int(found->seen, NOW + 60000, "%s: but once a minute", name);
    server->store.now = NOW + 30 * MINUTE + 59999;
    ok(lives(server, session->token), "%s: so it lives on", name);
    server->store.now = NOW + 61 * MINUTE;
    ok(!lives(server, session->token), "%s: till it is idle too long", name);
    server->store.now = NOW;

    next = make_session(server, owner);
    replaced = apr_array_make(server->store.pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(replaced, const char *) = session->token;
    next->replaces = replaced;
    is_int(account_session_begin(&server->store, next, owner), APR_SUCCESS,
           "%s: another in its place", name);
    ok(!lives(server, session->token) && lives(server, next->token), "%s: ends the one", name);
    sql(server, "UPDATE account_session SET idle = 999999999999");
    server->store.now = NOW + 600 * MINUTE - 1;
    ok(lives(server, next->token), "%s: an absolute life", name);
    server->store.now++;
    ok(!lives(server, next->token), "%s: ends", name);
    server->store.now = NOW + 1;
    sql(server, "UPDATE account SET status = 'disabled' WHERE user_name = 'sessions'");
    ok(!lives(server, next->token), "%s: a disabled account has none", name);
    sql(server, "UPDATE account SET status = 'active' WHERE user_name = 'sessions'");
    ok(lives(server, next->token), "%s: an active one has", name);
    is_int(account_session_end(&server->store, next->token), APR_SUCCESS, "%s: it ends", name);
    ok(!lives(server, next->token), "%s: at once", name);
    is_int(account_session_end(&server->store, next->token), APR_SUCCESS, "%s: twice is no failure",
           name);

    for (i = 0; i < 233; i++) {
        memcpy(agent + 3 * i, "\xe4\xb8\xad", 4);
    }
    odd.agent = apr_pstrcat(server->store.pool, agent, agent, NULL);
    odd.address = "2001:0db8:0000:0000:0000:0000:0000:0001%a-long-scope-name";
    account_session_make(&server->store, owner->id, &odd, &session);
    is_int((long long)strlen(session->agent), 765, "%s: an agent is cut at 255 characters", name);
    is_int(account_session_begin(&server->store, session, owner), APR_SUCCESS, "%s: and fits",
           name);
    odd.agent = "\xff";
    account_session_make(&server->store, owner->id, &odd, &session);
    ok(session->agent == NULL, "%s: one that is no text is dropped", name);
    is_int(account_session_begin(&server->store, session, owner), APR_SUCCESS, "%s: which is fine",
           name);
    server->store.now = NOW;
}

static void test_passwords(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "passwords", NULL, NULL);
    account_session_t *old = make_session(server, account), *replacement;
    account_also_t also = {NULL, NULL, NULL};
    account_password_change_t change = {account, OTHER_HASH, &also};
    int changed = -1;

    account_session_begin(&server->store, old, account);
    replacement = make_session(server, account);
    also.session = replacement;
    is_int(account_change_password(&server->store, &change, &changed), APR_SUCCESS,
           "%s: a new password", name);
    is_int(account_session_begin(&server->store, make_session(server, account), account),
           ACCOUNT_EROLLBACK, "%s: no session for who verified the old one", name);
    is_int(changed, 1, "%s: is set", name);
    is_str(again(server, account)->password, OTHER_HASH, "%s: and stored", name);
    ok(!lives(server, old->token), "%s: sessions end", name);
    ok(lives(server, replacement->token), "%s: but the new one", name);
    is_int(account_change_password(&server->store, &change, &changed), APR_SUCCESS,
           "%s: with the old password again", name);
    is_int(changed, 0, "%s: nothing is changed", name);
    ok(lives(server, replacement->token), "%s: no session ends", name);

    is_int(account_rehash_password(&server->store, account, "stale"), APR_SUCCESS,
           "%s: a rehash of a hash that is gone", name);
    is_str(again(server, account)->password, OTHER_HASH, "%s: does nothing", name);
    account_rehash_password(&server->store, again(server, account), HASH);
    is_str(again(server, account)->password, HASH, "%s: one of the stored hash does", name);
    ok(lives(server, replacement->token), "%s: and sessions stay", name);

    sql(server, "UPDATE account SET password = NULL WHERE user_name = 'passwords'");
    account = again(server, account);
    change.account = account;
    change.also = NULL;
    account_change_password(&server->store, &change, &changed);
    is_int(changed, 1, "%s: a first password", name);
}

/* Many at once. */
typedef struct racer_t {
    server_t *server;
    const account_t *account;
    int number;
    int won;
    int failed;
} racer_t;

static void *register_one(void *data)
{
    racer_t *racer = data;
    account_store_t store = racer->server->store;
    account_t fields = fields_of(NULL, "race@example.com", NULL);
    const account_t *created;
    account_kind_e taken;
    apr_status_t rv;

    apr_pool_create(&store.pool, NULL);
    store.deadline = account_clock_monotonic() + apr_time_from_sec(20);
    fields.identifiers[ACCOUNT_USER_NAME] = apr_psprintf(store.pool, "racer%d", racer->number);
    rv = account_create(&store, &fields, NULL, &created, &taken);
    racer->won = rv == APR_SUCCESS;
    racer->failed = rv != APR_SUCCESS && rv != ACCOUNT_ECONFLICT;
    apr_pool_destroy(store.pool);
    return NULL;
}

/* All change the password with one old one. */
static void *change_one(void *data)
{
    racer_t *racer = data;
    account_store_t store = racer->server->store;
    account_password_change_t change = {racer->account, HASH "x", NULL};
    apr_status_t rv;

    apr_pool_create(&store.pool, NULL);
    store.deadline = account_clock_monotonic() + apr_time_from_sec(20);
    rv = account_change_password(&store, &change, &racer->won);
    racer->failed = rv != APR_SUCCESS;
    apr_pool_destroy(store.pool);
    return NULL;
}

static void race(server_t *server, void *(*fn)(void *), const account_t *account, int winners,
                 const char *what)
{
    pthread_t thread[THREADS];
    racer_t racer[THREADS];
    int i, won = 0, failed = 0;

    for (i = 0; i < THREADS; i++) {
        racer[i] = (racer_t){server, account, i, 0, 0};
        pthread_create(&thread[i], NULL, fn, &racer[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        won += racer[i].won;
        failed += racer[i].failed;
    }
    is_int(won, winners, "%s: %d %s", server->name, THREADS, what);
    is_int(failed, 0, "%s: no failure", server->name);
}

static void test_races(server_t *server)
{
    const account_t *account = create(server, "race", NULL, NULL);
    int i, found = 0;

    race(server, register_one, NULL, 1, "register one address: one winner");
    for (i = 0; i < THREADS; i++) {
        found += find(server, apr_psprintf(server->store.pool, "racer%d", i)) != NULL;
    }
    is_int(found, 1, "%s: and one user name", server->name);
    race(server, change_one, again(server, account), 1, "with one old password: one winner");
}

static void *look_first(void *data)
{
    racer_t *racer = data;

    racer->failed = look_nowhere(racer->server) != APR_SUCCESS;
    return NULL;
}

/* Several processes find no tables at the same moment. */
static void test_first_start(const char *driver, const char *params, apr_pool_t *pool)
{
    server_t *server[4];
    pthread_t thread[4];
    racer_t racer[4];
    int i, failed = 0;

    for (i = 0; i < 4; i++) {
        server[i] = server_make(driver, params, KEY_A, pool);
        server_start(server[i]);
        racer[i] = (racer_t){server[i], NULL, i, 0, 0};
        pthread_create(&thread[i], NULL, look_first, &racer[i]);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        failed += racer[i].failed;
        server_stop(server[i]);
    }
    is_int(failed, 0, "%s: four at once make the tables", driver);
}

static void refused(const char *driver, const char *params, const char *keys, const char *line,
                    apr_pool_t *pool)
{
    server_t *server = server_make(driver, params, keys, pool);

    server->schema.may_change = 0;
    server_start(server);
    is_int(look_nowhere(server), ACCOUNT_EDATABASE, "%s: refused", driver);
    ok(strstr(server->lines.all, line) != NULL, "%s: with %s", driver, line);
    server_stop(server);
}

static void accepted(const char *driver, const char *params, const char *keys, apr_pool_t *pool)
{
    server_t *server = server_make(driver, params, keys, pool);

    server->schema.may_change = 0;
    server_start(server);
    is_int(look_nowhere(server), APR_SUCCESS, "%s: accepted", driver);
    is_str(server->lines.all, "", "%s: and nothing to say", driver);
    server_stop(server);
}

static void test_schema(const char *driver, const char *params, apr_pool_t *pool)
{
    server_t *server;
    account_session_t *session;
    const account_t *account;
    const char *token;

    refused(driver, params, KEY_A, "AC00153", pool);
    test_first_start(driver, params, pool);
    accepted(driver, params, KEY_A, pool);
    refused(driver, params, KEY_B, "AC00155", pool);

    server = server_make(driver, params, KEY_A, pool);
    server_start(server);
    account = create(server, "rotation", NULL, NULL);
    session = make_session(server, account);
    account_session_begin(&server->store, session, account);
    token = apr_pstrdup(pool, session->token);
    server_stop(server);
    server = server_make(driver, params, KEY_B "\n" KEY_A, pool);
    server_start(server);
    ok(lives(server, token), "%s: a session of an older key is found", driver);
    is_int(account_session_end(&server->store, token), APR_SUCCESS, "%s: and ended", driver);
    ok(!lives(server, token), "%s: really", driver);
    server_stop(server);
    refused(driver, params, KEY_A, "AC00155", pool);
    accepted(driver, params, KEY_B, pool);

    server = server_make(driver, params, KEY_B, pool);
    server_start(server);
    sql(server, "UPDATE account_schema SET version = 99");
    server_stop(server);
    refused(driver, params, KEY_B, "AC00154", pool);
    server = server_make(driver, params, KEY_B, pool);
    server->config.on_connect = NULL;
    server_start(server);
    sql(server, apr_psprintf(pool, "UPDATE account_schema SET version = %d, fingerprint = ''",
                             ACCOUNT_SCHEMA_VERSION));
    server_stop(server);
}

static void test_store(const char *driver, const char *params, apr_pool_t *pool)
{
    server_t *server = server_make(driver, params, KEY_A, pool);

    is_int(server_start(server), APR_SUCCESS, "%s: start", driver);
    test_create(server);
    test_profile(server);
    test_sessions(server);
    test_passwords(server);
    test_races(server);
    server_stop(server);
}

/* The tables of the source agree with each other. */
static void test_tables(void)
{
    int i, latest[ACCOUNT_DIALECTS] = {0, 0}, missing = 0;

    for (i = 0; i < account_migration_count; i++) {
        latest[account_migrations[i].dialect] = account_migrations[i].version;
    }
    is_int(latest[ACCOUNT_MYSQL], ACCOUNT_SCHEMA_VERSION, "the last file for mysql");
    is_int(latest[ACCOUNT_SQLITE3], ACCOUNT_SCHEMA_VERSION, "the last file for sqlite3");
    for (i = 0; i < ACCOUNT_SQL_COUNT; i++) {
        missing += account_statements[i].name == NULL || account_statements[i].sql[0] == NULL;
    }
    is_int(missing, 0, "each statement has a name and a text");
}

/* account_database_try, as the server's start uses it. */
static void test_try(const char *file, apr_pool_t *pool)
{
    server_t *server = server_make("sqlite3", file, KEY_A, pool);

    is_int(account_database_try(&server->config, pool), APR_SUCCESS, "sqlite3: a try");
    ok(strstr(server->lines.all, "AC00150") != NULL, "sqlite3: makes the tables");
    is_int(account_database_try(&server->config, pool), APR_SUCCESS, "sqlite3: another");
    apr_pool_destroy(server->store.pool);
}

int main(void)
{
    static const char *const files[] = {"a.db", "a.db-wal", "a.db-shm", "b.db"};
    apr_pool_t *pool;
    char directory[] = "/tmp/test_store.XXXXXX";
    const char *params = getenv("ACCOUNT_TEST_MYSQL"), *file;
    size_t i;

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(mkdtemp(directory) != NULL, "a directory");
    test_tables();
    test_store("sqlite3", ":memory:", pool);
    file = apr_pstrcat(pool, directory, "/a.db", NULL);
    test_schema("sqlite3", file, pool);
    test_store("sqlite3", file, pool);
    test_try(apr_pstrcat(pool, directory, "/b.db", NULL), pool);
    if (params != NULL && *params != '\0') {
        drop_tables("mysql", params, pool);
        test_schema("mysql", params, pool);
        test_store("mysql", params, pool);
    }
    else {
        diag("ACCOUNT_TEST_MYSQL is not set: not tested on MySQL");
    }
    if (chdir(directory) == 0) {
        for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
            unlink(files[i]);
        }
        ok(rmdir(directory) == 0, "nothing else was left behind");
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
