#include "store/points.h"

#include <apr_strings.h>

#include "store/rows.h"
#include "store/statements.h"

typedef struct sum_work_t {
    apr_int64_t account_id;
    const account_years_t *years;
    account_points_t points;
} sum_work_t;

/* No entries have no sum. */
static apr_int64_t number_of(const char *column)
{
    return column ? apr_atoi64(column) : 0;
}

static apr_status_t sum(account_db_t *db, void *baton)
{
    sum_work_t *work = baton;
    const char *const *columns;
    apr_status_t rv =
        account_db_row(db, ACCOUNT_SQL_POINT_SUM,
                       ACCOUNT_ARGS(NUMBER(work->years->last_year), NUMBER(work->years->this_year),
                                    NUMBER(work->account_id)),
                       &columns);

    if (columns != NULL) {
        work->points.total = number_of(columns[0]);
        work->points.last_year = number_of(columns[1]);
    }
    return rv;
}

apr_status_t account_points_sum(const account_store_t *store, apr_int64_t account_id,
                                const account_years_t *years, account_points_t *points)
{
    sum_work_t work = {.account_id = account_id, .years = years};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, sum, &work);

    *points = work.points;
    return rv;
}

typedef struct list_work_t {
    const account_entries_wanted_t *wanted;
    apr_array_header_t *rows;
    apr_int64_t count;
} list_work_t;

static apr_status_t list(account_db_t *db, void *baton)
{
    list_work_t *work = baton;
    const account_entries_wanted_t *wanted = work->wanted;
    apr_int64_t since = wanted->since ? wanted->since : APR_INT64_MIN;
    apr_int64_t until = wanted->until ? wanted->until : APR_INT64_MAX;
    const char *const *columns;
    apr_status_t rv = account_db_row(
        db, ACCOUNT_SQL_POINT_COUNT,
        ACCOUNT_ARGS(NUMBER(wanted->account_id), NUMBER(since), NUMBER(until)), &columns);

    work->count = columns != NULL ? number_of(columns[0]) : 0;
    if (rv == APR_SUCCESS) {
        rv = account_db_rows(db, ACCOUNT_SQL_POINT_LIST,
                             ACCOUNT_ARGS(NUMBER(wanted->account_id), NUMBER(since), NUMBER(until),
                                          NUMBER(wanted->most), NUMBER(wanted->offset)),
                             wanted->most, &work->rows);
    }
    return rv;
}

apr_status_t account_points_list(const account_store_t *store,
                                 const account_entries_wanted_t *wanted,
                                 apr_array_header_t **entries, apr_int64_t *count)
{
    list_work_t work = {.wanted = wanted};
    apr_status_t rv = wanted->most < 0 || wanted->offset < 0
                          ? APR_EINVAL
                          : account_store_run(store, ACCOUNT_READ, list, &work);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *count = work.count;
    *entries = apr_array_make(store->pool, work.rows->nelts, sizeof(account_entry_t));
    for (i = 0; i < work.rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(work.rows, i, const char *const *);

        APR_ARRAY_PUSH(*entries, account_entry_t) = (account_entry_t){
            .amount = number_of(columns[0]),
            .description = columns[1],
            .created = number_of(columns[2]),
        };
    }
    return APR_SUCCESS;
}
