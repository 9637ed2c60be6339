#include "stored.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/messages.h"
#include "store/statements.h"
#include "tap.h"

static void remember(void *baton, account_log_level_e level, apr_status_t status,
                     const char *message)
{
    lines_t *lines = baton;
    apr_size_t used = strlen(lines->all);

    (void)level;
    (void)status;
    apr_snprintf(lines->all + used, sizeof(lines->all) - used, "%s\n", message);
    if (getenv("ACCOUNT_TEST_VERBOSE")) {
        printf("# log: %s\n", message);
    }
}

static account_keys_t *keys_of(const char *text, apr_pool_t *pool)
{
    account_keys_t *keys = NULL;
    const char *error = NULL;

    if (account_keys_parse(&keys, &error, text, pool) != APR_SUCCESS) {
        ok(0, "keys: %s", error);
    }
    return keys;
}

server_t *server_make(const char *driver, const char *params, const char *keys, apr_pool_t *parent)
{
    server_t *server;
    apr_pool_t *pool;

    apr_pool_create(&pool, parent);
    server = apr_pcalloc(pool, sizeof(*server));
    server->name = driver;
    server->log.fn = remember;
    server->log.baton = &server->lines;
    server->schema.keys = keys_of(keys, pool);
    server->schema.may_change = 1;
    server->config.driver = driver;
    server->config.params = params;
    server->config.statements = account_statements;
    server->config.statement_count = ACCOUNT_SQL_COUNT;
    server->config.connections = 4;
    server->config.on_connect = account_schema_check;
    server->config.on_connect_baton = &server->schema;
    server->config.log = &server->log;
    server->store.realm = "unit";
    server->store.keys = server->schema.keys;
    server->store.random = &account_random_secure;
    server->store.now = NOW;
    server->store.pool = pool;
    return server;
}

apr_status_t server_start(server_t *server)
{
    apr_status_t rv =
        account_database_create(&server->store.database, &server->config, server->store.pool);

    server->store.deadline = account_clock_monotonic() + apr_time_from_sec(300);
    return rv;
}

void server_stop(server_t *server)
{
    apr_pool_destroy(server->store.pool);
}

static apr_status_t run_sql(account_db_t *db, void *baton)
{
    return account_db_schema(db, baton);
}

apr_status_t sql(server_t *server, const char *text)
{
    account_work_t work = {.mode = ACCOUNT_WRITE, .fn = run_sql, .baton = (void *)text};

    work.deadline = account_clock_monotonic() + apr_time_from_sec(5);
    work.pool = server->store.pool;
    return account_database_run(server->store.database, &work);
}

const account_t *find(const server_t *server, const char *identifier)
{
    const account_t *account = NULL;

    if (account_find(&server->store, account_text_identifier(server->store.pool, identifier),
                     &account)
        != APR_SUCCESS) {
        ok(0, "%s: cannot look for %s", server->name, identifier);
    }
    return account;
}

account_t fields_of(const char *user_name, const char *email, const char *mobile)
{
    account_t fields = {0};

    fields.identifiers[ACCOUNT_USER_NAME] = user_name;
    fields.identifiers[ACCOUNT_EMAIL] = email;
    fields.identifiers[ACCOUNT_MOBILE] = mobile;
    fields.password = HASH;
    fields.role = "user";
    fields.attributes = "{\"question\":\"\xe9\x97\xae\xe9\xa2\x98\"}";
    return fields;
}

const account_t *create(const server_t *server, const char *user_name, const char *email,
                        const char *mobile)
{
    account_t fields = fields_of(user_name, email, mobile);
    const account_t *created = NULL;
    account_kind_e taken;

    if (account_create(&server->store, &fields, NULL, &created, &taken) != APR_SUCCESS) {
        ok(0, "%s: cannot create an account", server->name);
    }
    return created;
}

const account_t *again(const server_t *server, const account_t *account)
{
    const account_t *found = NULL;

    account_find_by_id(&server->store, account->id, &found);
    return found;
}

const account_session_terms_t terms = {30 * MINUTE, 600 * MINUTE, "192.0.2.1", "unit/1", NULL, 0};

account_session_t *make_session(const server_t *server, const account_t *account)
{
    account_session_t *session = NULL;

    is_int(account_session_make(&server->store, account->id, &terms, &session), APR_SUCCESS,
           "%s: a session is made", server->name);
    return session;
}

int lives(const server_t *server, const char *token)
{
    const account_session_t *session;
    const account_t *account;
    apr_status_t rv = account_session_find(&server->store, token, &session, &account);

    if (rv != APR_SUCCESS || !session != !account) {
        ok(0, "%s: cannot look for a session", server->name);
    }
    return session != NULL;
}

void drop_tables(const char *driver, const char *params, apr_pool_t *pool)
{
    static const char *const tables[] = {"account_schema",  "account",         "account_identifier",
                                         "account_session", "account_code",    "account_limit",
                                         "account_message", "account_captcha", "account_point"};
    server_t *server = server_make(driver, params, KEY_A, pool);
    size_t i;

    server->config.on_connect = NULL;
    server_start(server);
    for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        sql(server, apr_pstrcat(pool, "DROP TABLE IF EXISTS ", tables[i], NULL));
    }
    server_stop(server);
}

account_code_state_e check(const server_t *server, const account_code_t *code)
{
    account_code_state_e state = ACCOUNT_CODE_RIGHT;

    if (account_code_check(&server->store, code, &state) != APR_SUCCESS) {
        ok(0, "%s: cannot check", server->name);
    }
    return state;
}

void issue(const server_t *server, const account_code_t *code)
{
    if (account_code_issue(&server->store, code, NULL) != APR_SUCCESS) {
        ok(0, "%s: cannot issue", server->name);
    }
}

account_code_state_e redeem(const server_t *server, const account_code_t *code,
                            account_redemption_t *redemption)
{
    account_code_state_e state = ACCOUNT_CODE_RIGHT;

    if (account_code_redeem(&server->store, code, redemption, &state) != APR_SUCCESS) {
        ok(0, "%s: cannot redeem", server->name);
    }
    return state;
}

apr_array_header_t *messages_of(const server_t *server, int count)
{
    apr_pool_t *pool = server->store.pool;
    apr_array_header_t *messages = apr_array_make(pool, count, sizeof(account_message_t *));

    while (count-- > 0) {
        account_message_t *message = apr_pcalloc(pool, sizeof(*message));

        account_random_hex(&message->ref, server->store.random, pool);
        message->channel = ACCOUNT_MAIL;
        message->recipient = "a@example.com";
        message->name = "notice";
        message->content = "{\"text\": \"it happened\"}";
        message->expires = NOW + DAY;
        APR_ARRAY_PUSH(messages, account_message_t *) = message;
    }
    return messages;
}

int sent(const server_t *server)
{
    account_claim_t claim = {ACCOUNT_MAIL, 100, MINUTE};
    apr_array_header_t *messages = NULL;
    int i;

    if (account_messages_claim(&server->store, &claim, &messages) != APR_SUCCESS) {
        ok(0, "%s: cannot look into the outbox", server->name);
        return -1;
    }
    for (i = 0; i < messages->nelts; i++) {
        account_message_end(&server->store, APR_ARRAY_IDX(messages, i, account_message_t *),
                            ACCOUNT_DELIVERED, 0);
    }
    return messages->nelts;
}

account_code_t fresh_code(const server_t *server, const char *target)
{
    account_code_t code = {"any", target, "123456", NOW + 10 * MINUTE, 5, NULL, {NULL, 0}};

    issue(server, &code);
    return code;
}

account_store_t store_of(const entrant_t *entrant)
{
    account_store_t store = entrant->server->store;

    apr_pool_create(&store.pool, NULL);
    store.deadline = account_clock_monotonic() + apr_time_from_sec(120);
    return store;
}

int run_race(const entrant_t *one, int count, void *(*fn)(void *), account_code_state_e state)
{
    pthread_t thread[MANY];
    entrant_t entrant[MANY];
    int i, failed = 0, found = 0;

    for (i = 0; i < count; i++) {
        entrant[i] = *one;
        entrant[i].number = i;
        pthread_create(&thread[i], NULL, fn, &entrant[i]);
    }
    for (i = 0; i < count; i++) {
        pthread_join(thread[i], NULL);
        failed += entrant[i].status != APR_SUCCESS;
        found += entrant[i].status == APR_SUCCESS && entrant[i].state == state;
    }
    is_int(failed, 0, "%s: %d at once, no failure", one->server->name, count);
    return found;
}

static void run_on(const char *driver, const char *params, apr_pool_t *pool,
                   void (*test)(server_t *server))
{
    server_t *server = server_make(driver, params, KEY_A, pool);

    is_int(server_start(server), APR_SUCCESS, "%s: start", driver);
    test(server);
    server_stop(server);
}

int run_on_databases(void (*test)(server_t *server))
{
    static const char *const files[] = {"a.db", "a.db-wal", "a.db-shm"};
    char directory[] = "/tmp/test_stored.XXXXXX";
    const char *params = getenv("ACCOUNT_TEST_MYSQL");
    apr_pool_t *pool;
    size_t i;

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(mkdtemp(directory) != NULL, "a directory");
    run_on("sqlite3", apr_pstrcat(pool, directory, "/a.db", NULL), pool, test);
    if (params != NULL && *params != '\0') {
        drop_tables("mysql", params, pool);
        run_on("mysql", params, pool, test);
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
