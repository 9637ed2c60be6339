#ifndef ACCOUNT_UNIT_BENCH_H
#define ACCOUNT_UNIT_BENCH_H

#include <pthread.h>

#include "store/rows.h"
#include "store/schema.h"

/* A store on a database of its own, for unit programs of store/; and many threads that use it. */

#define BENCH_KEY_A "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define BENCH_KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
#define BENCH_NOW APR_INT64_C(1790000000000)
#define BENCH_MINUTE APR_INT64_C(60000)
#define BENCH_HOUR (60 * BENCH_MINUTE)
#define BENCH_DAY (24 * BENCH_HOUR)

/* One process' view of a database. */
typedef struct bench_t {
    const char *name; /* the driver's: for the checks */
    account_database_config_t config;
    account_schema_t schema;
    account_log_t log;
    pthread_mutex_t mutex;
    char lines[20000]; /* that were logged */
    account_store_t store;
} bench_t;

/* In a pool of its own; config may still be changed. */
bench_t *bench_make(const char *driver, const char *params, const char *keys, apr_pool_t *parent);

/* bench_start: with a check. bench_open: bench_make and bench_start. */
void bench_start(bench_t *bench);
bench_t *bench_open(const char *driver, const char *params, const char *keys, apr_pool_t *parent);
void bench_stop(bench_t *bench);

/* A statement of the test's own, with a check; and the first value that a SELECT gives, as a text
 * or a number (-1: NULL or no row). */
void bench_sql(bench_t *bench, const char *text);
const char *bench_value(bench_t *bench, const char *select);
apr_int64_t bench_number(bench_t *bench, const char *select);

/* Whether the log has that text. */
int bench_logged(bench_t *bench, const char *text);

/* One of many threads, with a store of its own. */
typedef struct bench_runner_t {
    account_store_t store;
    int number;
    void *baton;
    int won; /* what fn says of itself */
    int failed;
    apr_status_t rv; /* of what failed */
} bench_runner_t;

/* count threads run fn, half of them on each of two views of one database; with a check that none
 * failed. *won: the sum. */
void bench_race(bench_t *const *benches, int count, void (*fn)(bench_runner_t *), void *baton,
                int *won);

/* What main does: runs test on SQLite, in a directory of its own, and on MySQL where
 * ACCOUNT_TEST_MYSQL has the parameters of an empty database. */
int bench_main(void (*test)(const char *driver, const char *params, apr_pool_t *pool));

#endif
