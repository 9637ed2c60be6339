#include "store/limits.h"

#include <apr_strings.h>

#include "store/rows.h"
#include "store/statements.h"

/* How often a row that others change at the same moment is looked at. */
#define TAKE_TRIES 4

/* A window of a subject. */
typedef struct count_t {
    const account_store_t *store;
    account_db_t *db;
    const account_window_t *window;
    const char *subject; /* the digest */
} count_t;

static apr_status_t find_count(count_t *count, const account_quota_t *quota, int window)
{
    const account_store_t *store = count->store;

    count->window = &quota->windows[window];
    count->subject =
        account_keys_digest(store->keys, 0,
                            apr_psprintf(store->pool, "limit/%s/%" APR_INT64_T_FMT "/%s",
                                         store->realm, count->window->period, quota->subject),
                            store->pool);
    return count->subject ? APR_SUCCESS : APR_EGENERAL;
}

/* *exists: whether the window was ever begun. *wait: milliseconds until it has one left; 0: it has.
 */
static apr_status_t look(const count_t *count, int *exists, apr_int64_t *wait)
{
    const account_store_t *store = count->store;
    const char *const *columns;
    apr_status_t rv =
        account_db_row(count->db, ACCOUNT_SQL_LIMIT_READ,
                       ACCOUNT_ARGS(TEXT(store->realm), TEXT(count->subject)), &columns);

    *exists = rv == APR_SUCCESS && columns != NULL;
    *wait = 0;
    if (*exists && apr_atoi64(columns[0]) >= count->window->most
        && apr_atoi64(columns[1]) > store->now) {
        *wait = apr_atoi64(columns[1]) - store->now;
    }
    return rv;
}

/* *wait: 0 when one was taken. */
static apr_status_t take(const count_t *count, apr_int64_t *wait)
{
    const account_store_t *store = count->store;
    const account_window_t *window = count->window;
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t rows = 0;
    int tries, exists;

    *wait = window->period;
    for (tries = 0; tries < TAKE_TRIES && window->most > 0; tries++) {
        rv = account_db_execute(count->db, ACCOUNT_SQL_LIMIT_TAKE,
                                ACCOUNT_ARGS(NUMBER(store->now), NUMBER(store->now),
                                             NUMBER(store->now + window->period),
                                             TEXT(store->realm), TEXT(count->subject),
                                             NUMBER(store->now), NUMBER(window->most)),
                                &rows);
        if (rv != APR_SUCCESS || rows > 0) {
            *wait = 0;
            break;
        }
        rv = look(count, &exists, wait);
        if (rv != APR_SUCCESS || *wait > 0) {
            break;
        }
        if (!exists) {
            rv = account_db_execute(count->db, ACCOUNT_SQL_LIMIT_OPEN,
                                    ACCOUNT_ARGS(TEXT(store->realm), TEXT(count->subject)), NULL);
        }
        if (rv != APR_SUCCESS) {
            break;
        }
        *wait = 1; /* one was given back just now, and taken by somebody else perhaps */
    }
    return rv;
}

/* The first window that has none left leaves those after it alone, but each of them may last
 * longer. */
static apr_status_t take_quota(count_t *count, const account_quota_t *quota, apr_int64_t *wait)
{
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t longer;
    int i, exists;

    *wait = 0;
    for (i = 0; i < quota->window_count && rv == APR_SUCCESS; i++) {
        rv = find_count(count, quota, i);
        if (rv == APR_SUCCESS && *wait == 0) {
            rv = take(count, wait);
        }
        else if (rv == APR_SUCCESS) {
            rv = look(count, &exists, &longer);
            *wait = longer > *wait ? longer : *wait;
        }
    }
    return rv;
}

apr_status_t account_limits_take_in(const account_store_t *store, account_db_t *db,
                                    account_quotas_t quotas, account_shortage_t *shortage)
{
    count_t count = {.store = store, .db = db};
    apr_status_t rv = APR_SUCCESS;
    int i;

    shortage->quota = -1;
    shortage->wait = 0;
    for (i = 0; i < quotas.count && shortage->quota < 0 && rv == APR_SUCCESS; i++) {
        rv = take_quota(&count, &quotas.quotas[i], &shortage->wait);
        if (shortage->wait > 0) {
            shortage->quota = i;
        }
    }
    return rv;
}

apr_status_t account_limits_return_in(const account_store_t *store, account_db_t *db,
                                      account_quotas_t quotas)
{
    count_t count = {.store = store, .db = db};
    apr_status_t rv = APR_SUCCESS;
    int i, j;

    for (i = 0; i < quotas.count; i++) {
        for (j = 0; j < quotas.quotas[i].window_count && rv == APR_SUCCESS; j++) {
            rv = find_count(&count, &quotas.quotas[i], j);
            if (rv == APR_SUCCESS) {
                rv = account_db_execute(
                    db, ACCOUNT_SQL_LIMIT_RETURN,
                    ACCOUNT_ARGS(TEXT(store->realm), TEXT(count.subject), NUMBER(store->now)),
                    NULL);
            }
        }
    }
    return rv;
}

typedef struct limits_work_t {
    const account_store_t *store;
    account_quotas_t quotas;
    account_shortage_t shortage;
} limits_work_t;

static apr_status_t take_all(account_db_t *db, void *baton)
{
    limits_work_t *work = baton;
    apr_status_t rv = account_limits_take_in(work->store, db, work->quotas, &work->shortage);

    return rv == APR_SUCCESS && work->shortage.quota >= 0 ? ACCOUNT_EROLLBACK : rv;
}

static apr_status_t look_at_all(account_db_t *db, void *baton)
{
    limits_work_t *work = baton;
    count_t count = {.store = work->store, .db = db};
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t wait;
    int i, j, exists;

    work->shortage = (account_shortage_t){-1, 0};
    for (i = 0; i < work->quotas.count && work->shortage.quota < 0; i++) {
        const account_quota_t *quota = &work->quotas.quotas[i];

        for (j = 0; j < quota->window_count && rv == APR_SUCCESS; j++) {
            rv = find_count(&count, quota, j);
            if (rv == APR_SUCCESS) {
                rv = look(&count, &exists, &wait);
            }
            if (rv == APR_SUCCESS && wait > 0) {
                work->shortage.quota = i;
                work->shortage.wait = wait > work->shortage.wait ? wait : work->shortage.wait;
            }
        }
    }
    return rv;
}

static apr_status_t return_all(account_db_t *db, void *baton)
{
    const limits_work_t *work = baton;

    return account_limits_return_in(work->store, db, work->quotas);
}

static int has_windows(account_quotas_t quotas)
{
    int i;

    for (i = 0; i < quotas.count; i++) {
        if (quotas.quotas[i].window_count > 0) {
            return 1;
        }
    }
    return 0;
}

apr_status_t account_limits_take(const account_store_t *store, account_quotas_t quotas,
                                 account_shortage_t *shortage)
{
    limits_work_t work = {.store = store, .quotas = quotas, .shortage = {.quota = -1}};
    apr_status_t rv = has_windows(quotas)
                          ? account_store_run(store, ACCOUNT_TRANSACTION, take_all, &work)
                          : APR_SUCCESS;

    *shortage = work.shortage;
    return rv == ACCOUNT_EROLLBACK ? APR_SUCCESS : rv;
}

apr_status_t account_limits_look(const account_store_t *store, account_quotas_t quotas,
                                 account_shortage_t *shortage)
{
    limits_work_t work = {.store = store, .quotas = quotas, .shortage = {.quota = -1}};
    apr_status_t rv = has_windows(quotas)
                          ? account_store_run(store, ACCOUNT_READ, look_at_all, &work)
                          : APR_SUCCESS;

    *shortage = work.shortage;
    return rv;
}

apr_status_t account_limits_return(const account_store_t *store, account_quotas_t quotas)
{
    limits_work_t work = {.store = store, .quotas = quotas};

    return has_windows(quotas) ? account_store_run(store, ACCOUNT_TRANSACTION, return_all, &work)
                               : APR_SUCCESS;
}
