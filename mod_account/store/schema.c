#include "store/schema.h"

#include <string.h>

#include <apr_strings.h>

#include "store/schema_sql.h"
#include "store/statements.h"

#define NO_VALUES ((account_args_t){0, NULL})

/* The row of account_schema. version is 0 when there is no such table, or nothing in it yet. */
typedef struct state_t {
    apr_int64_t version;
    const char *fingerprint;
} state_t;

static apr_status_t read_state(account_db_t *db, state_t *state)
{
    const char *const *columns;
    apr_status_t rv = account_db_row(db, ACCOUNT_SQL_SCHEMA_EXISTS, NO_VALUES, &columns);

    state->version = 0;
    state->fingerprint = "";
    if (rv != APR_SUCCESS || columns == NULL || !strcmp(columns[0], "0")) {
        goto leave;
    }
    rv = account_db_row(db, ACCOUNT_SQL_SCHEMA_READ, NO_VALUES, &columns);
    if (rv == APR_SUCCESS && columns != NULL) {
        state->version = apr_atoi64(columns[0]);
        state->fingerprint = columns[1];
    }

leave:
    return rv;
}

/* The files that are newer than the tables. */
static apr_status_t run_files(account_db_t *db, apr_int64_t version)
{
    const char *const *statement;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < account_migration_count && rv == APR_SUCCESS; i++) {
        const account_migration_t *file = &account_migrations[i];

        if (file->dialect != account_db_dialect(db) || file->version <= version) {
            continue;
        }
        for (statement = file->statements; *statement && rv == APR_SUCCESS; statement++) {
            rv = account_db_schema(db, *statement);
        }
        if (rv == APR_SUCCESS) {
            account_log(account_db_log(db), ACCOUNT_LOG_NOTICE, 0,
                        ACLOGNO(00150) "database: %s has been run", file->file);
        }
        else {
            account_log(account_db_log(db), ACCOUNT_LOG_ERROR, rv,
                        ACLOGNO(00151) "database: %s could not be run to its end: run it as a user "
                                       "who may create tables, or let the module's user do so",
                        file->file);
        }
    }
    return rv;
}

/* A lock of the whole server's; a connection that ends gives it back. */
static apr_status_t migrate_mysql(account_db_t *db, state_t *state)
{
    const char *const *columns;
    apr_status_t rv = account_db_row(db, ACCOUNT_SQL_SCHEMA_LOCK, NO_VALUES, &columns);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (columns == NULL || columns[0] == NULL || strcmp(columns[0], "1")) {
        account_log(account_db_log(db), ACCOUNT_LOG_NOTICE, 0,
                    ACLOGNO(00152) "database: somebody else is changing the tables just now");
        rv = ACCOUNT_EDATABASE;
        goto leave;
    }
    rv = read_state(db, state);
    if (rv == APR_SUCCESS) {
        rv = run_files(db, state->version);
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_row(db, ACCOUNT_SQL_SCHEMA_UNLOCK, NO_VALUES, &columns);
    }

leave:
    return rv;
}

static apr_status_t migrate_sqlite3(account_db_t *db, state_t *state)
{
    const char *const *columns;
    apr_status_t rv = account_db_row(db, ACCOUNT_SQL_SCHEMA_JOURNAL, NO_VALUES, &columns);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    /* Readers and a writer at the same time. The file keeps it; not possible within a transaction.
     */
    if (columns != NULL && strcmp(columns[0], "wal") && strcmp(columns[0], "memory")) {
        rv = account_db_schema(db, "PRAGMA journal_mode=WAL");
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_schema(db, "BEGIN IMMEDIATE");
    }
    if (rv == APR_SUCCESS) {
        rv = read_state(db, state);
    }
    if (rv == APR_SUCCESS) {
        rv = run_files(db, state->version);
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_schema(db, "COMMIT"); /* else closing the connection rolls back */
    }

leave:
    return rv;
}

/* The tables are there and of our version, or not. */
static apr_status_t check_version(account_db_t *db, const account_schema_t *schema, state_t *state)
{
    const char *dialect = account_db_dialect(db) == ACCOUNT_MYSQL ? "mysql" : "sqlite3";
    apr_status_t rv = read_state(db, state);

    if (rv == APR_SUCCESS && state->version < ACCOUNT_SCHEMA_VERSION && schema->may_change) {
        rv = account_db_dialect(db) == ACCOUNT_MYSQL ? migrate_mysql(db, state)
                                                     : migrate_sqlite3(db, state);
        if (rv == APR_SUCCESS) {
            rv = read_state(db, state);
        }
    }
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (state->version < ACCOUNT_SCHEMA_VERSION) {
        account_log(account_db_log(db), ACCOUNT_LOG_ERROR, 0,
                    ACLOGNO(00153) "database: the tables are of version %d, this module needs "
                                   "version %d: run the files sql/%s/NNN-*.sql above %03d in "
                                   "their order, or set AccountSchema auto",
                    (int)state->version, ACCOUNT_SCHEMA_VERSION, dialect, (int)state->version);
        rv = ACCOUNT_EDATABASE;
    }
    if (state->version > ACCOUNT_SCHEMA_VERSION) {
        account_log(account_db_log(db), ACCOUNT_LOG_ERROR, 0,
                    ACLOGNO(00154) "database: the tables are of version %d, newer than this "
                                   "module, which knows version %d: install the newer module",
                    (int)state->version, ACCOUNT_SCHEMA_VERSION);
        rv = ACCOUNT_EDATABASE;
    }

leave:
    return rv;
}

/* Whether the digests in the tables were made with a key of ours. */
static apr_status_t check_fingerprint(account_db_t *db, const account_schema_t *schema,
                                      state_t *state)
{
    apr_pool_t *pool = account_db_pool(db);
    const char *first = account_keys_fingerprint(schema->keys, 0, pool);
    apr_int64_t rows = 0;
    apr_status_t rv = APR_SUCCESS;
    int n, is_ours = !strcmp(state->fingerprint, ""), tries = 0;

    for (;;) {
        if (!strcmp(state->fingerprint, first)) {
            goto leave;
        }
        for (n = 1; n < account_keys_count(schema->keys) && !is_ours; n++) {
            is_ours = !strcmp(state->fingerprint, account_keys_fingerprint(schema->keys, n, pool));
        }
        if (!is_ours || tries++ > 1) {
            account_log(account_db_log(db), ACCOUNT_LOG_ERROR, 0,
                        ACLOGNO(00155) "database: it was written with a key (%s) that is not in "
                                       "AccountSecretFile (its first is %s): use the key file "
                                       "of the server that wrote it",
                        state->fingerprint, first);
            rv = ACCOUNT_EDATABASE;
            goto leave;
        }
        rv = account_db_execute(db, ACCOUNT_SQL_SCHEMA_SIGN,
                                ACCOUNT_ARGS(TEXT(first), TEXT(state->fingerprint)), &rows);
        if (rv != APR_SUCCESS || rows > 0) {
            goto leave;
        }
        /* Another server was faster: with which key? */
        rv = read_state(db, state);
        if (rv != APR_SUCCESS) {
            goto leave;
        }
        is_ours = 0;
    }

leave:
    return rv;
}

apr_status_t account_schema_check(account_db_t *db, void *baton)
{
    const account_schema_t *schema = baton;
    state_t state;
    apr_status_t rv = check_version(db, schema, &state);

    if (rv == APR_SUCCESS) {
        rv = check_fingerprint(db, schema, &state);
    }
    return rv;
}
