#include "base/dbd.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"

/* More than any statement has. */
#define MAX_ARGS 32

/* The letters of the placeholders; NULL for anything that the drivers would take wrongly. */
static const char *placeholders(const char *sql, apr_pool_t *pool)
{
    char types[MAX_ARGS + 1];
    int count = 0;
    const char *at;

    for (at = sql; *at != '\0'; at++) {
        if (*at == '?' || count == MAX_ARGS) {
            return NULL;
        }
        if (*at != '%') {
            continue;
        }
        if (!strncmp(at, "%lld", 4)) {
            types[count++] = 'n';
            at += 3;
        }
        else if (at[1] == 's') {
            types[count++] = 't';
            at++;
        }
        else if (at[1] == '%') {
            at++;
        }
        else {
            return NULL;
        }
    }
    types[count] = '\0';
    return apr_pstrdup(pool, types);
}

static int fits(const char *types, account_args_t args)
{
    int i;

    if (types == NULL || args.count < 0 || (size_t)args.count != strlen(types)) {
        return 0;
    }
    for (i = 0; i < args.count; i++) {
        if ((types[i] == 'n') != (args.values[i].type == ACCOUNT_ARG_NUMBER)) {
            return 0;
        }
    }
    return 1;
}

/* Prepares the statement if need be, and checks and converts its values. */
static apr_status_t ready(account_db_t *db, int number, account_args_t args, const void **values)
{
    const account_statement_t *statement = &db->dbd->statements[number];
    account_dbd_prepared_t *prepared = &db->prepared[number];
    const char *sql, *types;
    int i, code, tries = 0;

    if (db->problem != ACCOUNT_DBD_FINE) {
        return account_dbd_status(db); /* after a failure nothing more is done on this work */
    }
    sql = statement->sql[db->dbd->dialect] ? statement->sql[db->dbd->dialect]
                                           : statement->sql[ACCOUNT_MYSQL];
    types = prepared->statement ? prepared->types : placeholders(sql, db->pool);
    if (!fits(types, args)) {
        account_log(db->log, ACCOUNT_LOG_ERROR, APR_EINVAL,
                    ACLOGNO(00103) "database: %s: its values do not fit its placeholders",
                    statement->name);
        db->problem = ACCOUNT_DBD_MISUSE;
        return APR_EINVAL;
    }
    if (prepared->statement == NULL) {
        for (;;) {
            apr_dbd_prepared_t *fresh = NULL;

            code = apr_dbd_prepare(db->dbd->driver, db->pool, db->handle, sql, NULL, &fresh);
            if (code == 0) {
                prepared->statement = fresh;
                prepared->types = types;
                break;
            }
            if (!account_dbd_is_locked(db) || ++tries > LOCKED_TRIES
                || (db->deadline != 0 && account_clock_monotonic() > db->deadline)) {
                return account_dbd_failed(db, code, statement->name, 0);
            }
            apr_sleep(LOCKED_PAUSE);
        }
    }
    for (i = 0; i < args.count; i++) {
        values[i] = args.values[i].type == ACCOUNT_ARG_NUMBER ? (const void *)&args.values[i].number
                                                              : (const void *)args.values[i].text;
    }
    return APR_SUCCESS;
}

apr_status_t account_db_execute(account_db_t *db, int statement, account_args_t args,
                                apr_int64_t *rows)
{
    const void *values[MAX_ARGS];
    apr_status_t rv = ready(db, statement, args, values);
    int code, touched = 0;

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    code = apr_dbd_pbquery(db->dbd->driver, db->scratch, db->handle, &touched,
                           db->prepared[statement].statement, values);
    if (code != 0) {
        rv = account_dbd_failed(db, code, db->dbd->statements[statement].name, 1);
        db->may_have_run |=
            db->single && db->problem == ACCOUNT_DBD_LOST && code != GONE_BEFORE_SENDING;
        goto leave;
    }
    db->may_have_run |= db->single;
    if (rows != NULL) {
        *rows = touched;
    }

leave:
    apr_pool_clear(db->scratch);
    return rv;
}

/* The values of one row: the driver overwrites its own with the next. */
static const char *const *copy_row(account_db_t *db, apr_dbd_row_t *row, int count)
{
    const char **columns = apr_palloc(db->results, sizeof(*columns) * count);
    int i;

    for (i = 0; i < count; i++) {
        const char *value = apr_dbd_get_entry(db->dbd->driver, row, i);

        columns[i] = value ? apr_pstrdup(db->results, value) : NULL;
    }
    return columns;
}

apr_status_t account_db_rows(account_db_t *db, int statement, account_args_t args, int limit,
                             apr_array_header_t **rows)
{
    const void *values[MAX_ARGS];
    const apr_dbd_driver_t *driver = db->dbd->driver;
    const char *name = db->dbd->statements[statement].name;
    apr_dbd_results_t *results = NULL;
    apr_status_t rv = ready(db, statement, args, values);
    int code;

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    *rows = apr_array_make(db->results, 1, sizeof(const char *const *));
    code = apr_dbd_pbselect(driver, db->scratch, db->handle, &results,
                            db->prepared[statement].statement, 0, values);
    if (code != 0) {
        rv = account_dbd_failed(db, code, name, 1);
        goto leave;
    }
    for (;;) {
        apr_dbd_row_t *row = NULL;

        code = apr_dbd_get_row(driver, db->scratch, results, &row, -1);
        if (code != 0) {
            break; /* and never again: after "no more" the mysql driver would free twice */
        }
        if ((*rows)->nelts < limit) {
            db->width = apr_dbd_num_cols(driver, results);
            APR_ARRAY_PUSH(*rows, const char *const *) = copy_row(db, row, db->width);
        }
    }
    if (code != -1) {
        rv = account_dbd_failed(db, code, name, 1);
    }

leave:
    /* The results go before the connection does anything else: freeing them talks to it. */
    apr_pool_clear(db->scratch);
    return rv;
}

apr_status_t account_db_row(account_db_t *db, int statement, account_args_t args,
                            const char *const **columns)
{
    apr_array_header_t *rows;
    apr_status_t rv = account_db_rows(db, statement, args, 1, &rows);

    *columns = NULL;
    if (rv == APR_SUCCESS && rows->nelts > 0) {
        *columns = APR_ARRAY_IDX(rows, 0, const char *const *);
    }
    return rv;
}

int account_db_width(const account_db_t *db)
{
    return db->width;
}

apr_status_t account_db_schema(account_db_t *db, const char *sql)
{
    const apr_dbd_driver_t *driver = db->dbd->driver;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    apr_status_t rv = account_dbd_status(db);
    int code;

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (!strncasecmp(sql, "SELECT", 6) || !strncasecmp(sql, "PRAGMA", 6)) {
        /* It may answer with rows, and they must be read. */
        code = apr_dbd_select(driver, db->scratch, db->handle, &results, sql, 0);
        while (code == 0 && results != NULL) {
            code = apr_dbd_get_row(driver, db->scratch, results, &row, -1);
        }
        code = code == -1 ? 0 : code;
    }
    else {
        code = account_dbd_plain(db, sql);
    }
    if (code != 0) {
        rv = account_dbd_failed(db, code, "schema", 0);
    }
    db->may_have_run |= db->single;
    if (db->dbd->dialect == ACCOUNT_SQLITE3) {
        account_dbd_forget(db); /* a changed schema has expired them all */
    }

leave:
    apr_pool_clear(db->scratch);
    return rv;
}
