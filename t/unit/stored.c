#include "stored.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/text.h"
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

const account_session_terms_t terms = {30 * MINUTE, 600 * MINUTE, "192.0.2.1", "unit/1", NULL};

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
