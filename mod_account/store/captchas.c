#include "store/captchas.h"

#include "store/rows.h"
#include "store/statements.h"

typedef struct captcha_work_t {
    const account_store_t *store;
    const char *id;
    apr_int64_t expires;
    apr_int64_t rows;
} captcha_work_t;

static apr_status_t add(account_db_t *db, void *baton)
{
    const captcha_work_t *work = baton;

    return account_db_execute(
        db, ACCOUNT_SQL_CAPTCHA_INSERT,
        ACCOUNT_ARGS(TEXT(work->store->realm), TEXT(work->id), NUMBER(work->expires)), NULL);
}

apr_status_t account_captcha_add(const account_store_t *store, const char *id, apr_int64_t expires)
{
    captcha_work_t work = {.store = store, .id = id, .expires = expires};
    apr_status_t rv = account_store_run(store, ACCOUNT_WRITE, add, &work);

    /* 128 random bits that were there already: nobody's fault */
    return rv == ACCOUNT_ECONFLICT ? ACCOUNT_EDATABASE : rv;
}

static apr_status_t look(account_db_t *db, void *baton)
{
    captcha_work_t *work = baton;
    const account_store_t *store = work->store;
    const char *const *columns;
    apr_status_t rv = account_db_row(
        db, ACCOUNT_SQL_CAPTCHA_READ,
        ACCOUNT_ARGS(TEXT(store->realm), TEXT(work->id), NUMBER(store->now)), &columns);

    work->rows = columns != NULL;
    return rv;
}

apr_status_t account_captcha_find(const account_store_t *store, const char *id, int *found)
{
    captcha_work_t work = {.store = store, .id = id};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, look, &work);

    *found = rv == APR_SUCCESS && work.rows > 0;
    return rv;
}

static apr_status_t use(account_db_t *db, void *baton)
{
    captcha_work_t *work = baton;
    const account_store_t *store = work->store;

    return account_db_execute(db, ACCOUNT_SQL_CAPTCHA_USE,
                              ACCOUNT_ARGS(TEXT(store->realm), TEXT(work->id), NUMBER(store->now)),
                              &work->rows);
}

apr_status_t account_captcha_use(const account_store_t *store, const char *id, int *used)
{
    captcha_work_t work = {.store = store, .id = id};
    apr_status_t rv = account_store_run(store, ACCOUNT_WRITE, use, &work);

    *used = rv == APR_SUCCESS && work.rows > 0;
    return rv;
}
