#include "store/sweep.h"

#include <string.h>

#include "store/rows.h"
#include "store/statements.h"

#define ROWS_MOST 500
#define DAY APR_INT64_C(86400000)

/* How long what is over is kept, in milliseconds. */
typedef struct rule_t {
    int statement;
    apr_int64_t kept;
} rule_t;

static const rule_t rules[] = {
    {ACCOUNT_SQL_SWEEP_SESSIONS, 0},   {ACCOUNT_SQL_SWEEP_CODES, DAY},
    {ACCOUNT_SQL_SWEEP_MESSAGES, DAY}, {ACCOUNT_SQL_SWEEP_CAPTCHAS, 0},
    {ACCOUNT_SQL_SWEEP_LIMITS, 0},
};

typedef struct sweep_work_t {
    const account_store_t *store;
    const rule_t *rule;
    apr_int64_t rows;
} sweep_work_t;

static apr_status_t sweep(account_db_t *db, void *baton)
{
    sweep_work_t *work = baton;

    return account_db_execute(
        db, work->rule->statement,
        ACCOUNT_ARGS(NUMBER(work->store->now - work->rule->kept), NUMBER(ROWS_MOST)), &work->rows);
}

/* How many messages of a realm and channel were never sent. */
typedef struct loss_t {
    const char *realm;
    const char *channel;
    int count;
} loss_t;

typedef struct unsent_work_t {
    const account_store_t *store;
    apr_array_header_t *rows;
    apr_array_header_t *losses; /* of loss_t */
} unsent_work_t;

static void count_loss(apr_array_header_t *losses, const char *realm, const char *channel)
{
    int i;

    for (i = 0; i < losses->nelts; i++) {
        loss_t *loss = &APR_ARRAY_IDX(losses, i, loss_t);

        if (!strcmp(loss->realm, realm) && !strcmp(loss->channel, channel)) {
            loss->count++;
            return;
        }
    }
    APR_ARRAY_PUSH(losses, loss_t) = (loss_t){realm, channel, 1};
}

/* One by one, so that of two servers that sweep at once only one tells of it. */
static apr_status_t sweep_unsent(account_db_t *db, void *baton)
{
    unsent_work_t *work = baton;
    const account_store_t *store = work->store;
    apr_int64_t expired = store->now - DAY, deleted = 0;
    apr_status_t rv =
        account_db_rows(db, ACCOUNT_SQL_SWEEP_UNSENT,
                        ACCOUNT_ARGS(NUMBER(expired), NUMBER(ROWS_MOST)), ROWS_MOST, &work->rows);
    int i;

    work->losses = apr_array_make(store->pool, 2, sizeof(loss_t));
    for (i = 0; rv == APR_SUCCESS && i < work->rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(work->rows, i, const char *const *);

        rv = account_db_execute(db, ACCOUNT_SQL_MESSAGE_DELETE,
                                ACCOUNT_ARGS(TEXT(columns[0]), TEXT(columns[1]), NUMBER(expired)),
                                &deleted);
        if (rv == APR_SUCCESS && deleted > 0) {
            count_loss(work->losses, columns[0], columns[2]);
        }
    }
    return rv;
}

/* A transaction only where there is something to do. */
static apr_status_t look_for_unsent(account_db_t *db, void *baton)
{
    unsent_work_t *work = baton;

    return account_db_rows(db, ACCOUNT_SQL_SWEEP_UNSENT,
                           ACCOUNT_ARGS(NUMBER(work->store->now - DAY), NUMBER(1)), 1, &work->rows);
}

static apr_status_t drop_unsent(const account_store_t *store, int *more)
{
    unsent_work_t work = {.store = store};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, look_for_unsent, &work);
    int i;

    if (rv != APR_SUCCESS || work.rows->nelts == 0) {
        return rv;
    }
    rv = account_store_run(store, ACCOUNT_TRANSACTION, sweep_unsent, &work);
    for (i = 0; rv == APR_SUCCESS && i < work.losses->nelts; i++) {
        const loss_t *loss = &APR_ARRAY_IDX(work.losses, i, loss_t);

        account_log(store->log, ACCOUNT_LOG_WARNING, 0,
                    ACLOGNO(00162) "%d messages of realm %s by %s were never sent: a day ago they "
                                   "had expired, and are removed now",
                    loss->count, loss->realm, loss->channel);
    }
    *more |= rv == APR_SUCCESS && work.rows->nelts >= ROWS_MOST;
    return rv;
}

apr_status_t account_sweep(const account_store_t *store, int *more)
{
    sweep_work_t work = {.store = store};
    apr_status_t rv = APR_SUCCESS;
    size_t i;

    *more = 0;
    for (i = 0; i < sizeof(rules) / sizeof(*rules) && rv == APR_SUCCESS; i++) {
        work.rule = &rules[i];
        rv = account_store_run(store, ACCOUNT_WRITE, sweep, &work);
        *more |= rv == APR_SUCCESS && work.rows >= ROWS_MOST;
    }
    return rv == APR_SUCCESS ? drop_unsent(store, more) : rv;
}
