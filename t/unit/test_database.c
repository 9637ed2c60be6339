/* base/database.c, pool.c and dbd.c: on SQLite, and on MySQL where ACCOUNT_TEST_MYSQL has the
 * parameters of a database for tests. With ACCOUNT_TEST_MYSQL_PID too, that server is frozen for
 * some seconds. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/database.h"
#include "tap.h"

#define SECOND APR_USEC_PER_SEC
#define NONE ((account_args_t){0, NULL})

enum { PUT, GET, ALL, ADD, SUM, NOWHERE, ID, SLEEP, LATE, STATEMENTS };

static const account_statement_t statements[STATEMENTS] = {
    [PUT] = {"put", {"INSERT INTO unit_database (k, v, n) VALUES (%s, %s, %lld)", NULL}},
    [GET] = {"get", {"SELECT v, n FROM unit_database WHERE k = %s", NULL}},
    [ALL] = {"all", {"SELECT k FROM unit_database WHERE k LIKE 'all%%' ORDER BY k", NULL}},
    [ADD] = {"add", {"UPDATE unit_database SET n = n + %lld WHERE k = %s", NULL}},
    [SUM] = {"sum", {"SELECT SUM(n) FROM unit_database WHERE k = %s", NULL}},
    [NOWHERE] = {"nowhere", {"SELECT v FROM unit_nowhere WHERE k = %s", NULL}},
    [ID] = {"id", {"SELECT CONNECTION_ID()", "SELECT 1"}},
    [SLEEP] = {"sleep", {"SELECT SLEEP(%lld)", NULL}},
    [LATE] = {"late", {"UPDATE unit_database SET n = n + 1 WHERE k = %s AND SLEEP(2) = 0", NULL}},
};

/* What was logged. */
typedef struct lines_t {
    pthread_mutex_t mutex;
    int count;
    char all[20000];
} lines_t;

static void remember(void *baton, account_log_level_e level, apr_status_t status,
                     const char *message)
{
    lines_t *lines = baton;

    (void)level;
    (void)status;
    pthread_mutex_lock(&lines->mutex);
    lines->count++;
    if (strlen(lines->all) + strlen(message) + 2 < sizeof(lines->all)) {
        memcpy(lines->all + strlen(lines->all), message, strlen(message) + 1);
        memcpy(lines->all + strlen(lines->all), "\n", 2);
    }
    pthread_mutex_unlock(&lines->mutex);
    if (getenv("ACCOUNT_TEST_VERBOSE")) {
        diag("log: %s", message);
    }
}

static int logged(lines_t *lines, const char *text)
{
    int count = 0;
    const char *at;

    pthread_mutex_lock(&lines->mutex);
    for (at = lines->all; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    pthread_mutex_unlock(&lines->mutex);
    return count;
}

typedef struct test_t {
    const char *name;
    account_database_config_t config;
    account_database_t *database;
    lines_t *lines;
    account_log_t log;
    apr_pool_t *pool;
    account_gauges_t gauges;
} test_t;

/* One piece of work, most of what the tests need. */
typedef struct job_t {
    test_t *test;
    const char *key;
    apr_int64_t number;
    apr_status_t ends_with;
    int steps; /* what to do, see do_job */
    int runs;
    apr_int64_t rows;
    const char *const *columns;
    apr_array_header_t *list;
    const char *sql;
} job_t;

enum { DO_PUT = 1, DO_GET = 2, DO_ADD = 4, DO_SWALLOW = 8, DO_SQL = 16, DO_LOSE = 32 };

static apr_status_t run(test_t *test, int mode, apr_status_t (*fn)(account_db_t *, void *),
                        void *baton, apr_interval_time_t limit)
{
    account_work_t work = {.fn = fn, .baton = baton, .pool = test->pool};

    work.mode = mode;
    work.deadline = account_clock_monotonic() + limit;
    return account_database_run(test->database, &work);
}

static apr_status_t run_sql(account_db_t *db, void *baton)
{
    return account_db_schema(db, baton);
}

static apr_status_t read_id(account_db_t *db, void *baton)
{
    job_t *job = baton;

    return account_db_row(db, ID, NONE, &job->columns);
}

/* Kills a connection of the server's side by another one. */
static void kill_connection(test_t *test, const char *id)
{
    run(test, ACCOUNT_WRITE, run_sql, apr_pstrcat(test->pool, "KILL ", id, NULL), 2 * SECOND);
}

static apr_status_t do_job(account_db_t *db, void *baton)
{
    job_t *job = baton;
    apr_status_t rv = APR_SUCCESS;

    job->runs++;
    job->columns = NULL;
    if (job->steps & DO_LOSE && job->runs == 1) {
        const char *const *columns;

        rv = account_db_row(db, ID, NONE, &columns);
        if (rv == APR_SUCCESS) {
            kill_connection(job->test, columns[0]);
        }
    }
    if (rv == APR_SUCCESS && job->steps & DO_ADD) {
        rv = account_db_execute(db, ADD, ACCOUNT_ARGS(NUMBER(job->number), TEXT(job->key)),
                                &job->rows);
    }
    if (rv == APR_SUCCESS && job->steps & DO_PUT) {
        rv = account_db_execute(
            db, PUT, ACCOUNT_ARGS(TEXT(job->key), TEXT(NULL), NUMBER(job->number)), &job->rows);
    }
    if (job->steps & DO_SWALLOW) {
        rv = APR_SUCCESS;
    }
    if (rv == APR_SUCCESS && job->steps & DO_GET) {
        rv = account_db_row(db, GET, ACCOUNT_ARGS(TEXT(job->key)), &job->columns);
    }
    if (rv == APR_SUCCESS && job->steps & DO_SQL) {
        rv = account_db_schema(db, job->sql);
    }
    return rv == APR_SUCCESS ? job->ends_with : rv;
}

static apr_status_t job(test_t *test, int mode, int steps, const char *key, job_t *job)
{
    job->test = test;
    job->steps = steps;
    job->key = key;
    job->runs = 0;
    return run(test, mode, do_job, job, 3 * SECOND);
}

static const char *number_of(test_t *test, const char *key)
{
    job_t look = {0};

    job(test, ACCOUNT_READ, DO_GET, key, &look);
    return look.columns ? look.columns[1] : NULL;
}

static void start(test_t *test, const char *name, const char *driver, const char *params)
{
    memset(test, 0, sizeof(*test));
    apr_pool_create(&test->pool, NULL);
    test->name = name;
    test->lines = apr_pcalloc(test->pool, sizeof(*test->lines));
    pthread_mutex_init(&test->lines->mutex, NULL);
    test->log.fn = remember;
    test->log.baton = test->lines;
    test->config.driver = driver;
    test->config.params = params;
    test->config.statements = statements;
    test->config.statement_count = STATEMENTS;
    test->config.connections = 4;
    test->config.log = &test->log;
    test->config.gauges = &test->gauges;
}

static apr_status_t open_database(test_t *test)
{
    return account_database_create(&test->database, &test->config, test->pool);
}

static void make_table(test_t *test)
{
    run(test, ACCOUNT_WRITE, run_sql, "DROP TABLE IF EXISTS unit_database", 3 * SECOND);
    is_int(
        run(test, ACCOUNT_WRITE, run_sql,
            apr_pstrcat(test->pool,
                        "CREATE TABLE unit_database (k VARCHAR(100) NOT NULL PRIMARY KEY, "
                        "v VARCHAR(1000), n BIGINT NOT NULL)",
                        strcmp(test->config.driver, "mysql") ? "" : " CHARACTER SET utf8mb4", NULL),
            3 * SECOND),
        APR_SUCCESS, "%s: a table is made", test->name);
}

static apr_status_t put_text(account_db_t *db, void *baton)
{
    return account_db_execute(
        db, PUT, ACCOUNT_ARGS(TEXT("text"), TEXT(baton), NUMBER(APR_INT64_C(1790000000123))), NULL);
}

static apr_status_t list_some(account_db_t *db, void *baton)
{
    job_t *list = baton;

    return account_db_rows(db, ALL, NONE, 2, &list->list);
}

static apr_status_t misuse(account_db_t *db, void *baton)
{
    (void)baton;
    return account_db_execute(db, PUT, ACCOUNT_ARGS(TEXT("x"), NUMBER(1), NUMBER(1)), NULL);
}

static apr_status_t select_nowhere(account_db_t *db, void *baton)
{
    const char *const *columns;

    (void)baton;
    return account_db_row(db, NOWHERE, ACCOUNT_ARGS(TEXT("secret-value")), &columns);
}

static apr_status_t rollback_on_purpose(account_db_t *db, void *baton)
{
    (void)db;
    (void)baton;
    return ACCOUNT_EROLLBACK;
}

static void test_statements(test_t *test)
{
    static const char text[] = "\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 ' ? %s ;-- \\";
    account_database_load_t load;
    job_t work = {0};
    const char *name = test->name;

    is_int(run(test, ACCOUNT_WRITE, put_text, (void *)text, SECOND), APR_SUCCESS, "%s: insert",
           name);
    is_int(job(test, ACCOUNT_READ, DO_GET, "text", &work), APR_SUCCESS, "%s: select", name);
    if (!ok(work.columns != NULL, "%s: finds it", name)) {
        return;
    }
    is_str(work.columns[0], text, "%s: any text comes back", name);
    is_str(work.columns[1], "1790000000123", "%s: a big number comes back", name);
    is_int(job(test, ACCOUNT_READ, DO_GET, "none", &work), APR_SUCCESS, "%s: no row", name);
    ok(work.columns == NULL, "%s: is no failure", name);

    work.number = 5;
    job(test, ACCOUNT_WRITE, DO_PUT, "all1", &work);
    job(test, ACCOUNT_WRITE, DO_PUT, "all2", &work);
    job(test, ACCOUNT_WRITE, DO_PUT, "all3", &work);
    is_int(work.rows, 1, "%s: an INSERT touches one row", name);
    is_int(job(test, ACCOUNT_READ, DO_GET, "all1", &work), APR_SUCCESS, "%s: NULL", name);
    ok(work.columns[0] == NULL, "%s: comes back as NULL", name);
    is_int(run(test, ACCOUNT_READ, list_some, &work, SECOND), APR_SUCCESS, "%s: rows", name);
    is_int(work.list->nelts, 2, "%s: no more rows than asked for", name);
    is_str(APR_ARRAY_IDX(work.list, 1, const char *const *)[0], "all2", "%s: in order", name);

    work.number = 0;
    job(test, ACCOUNT_WRITE, DO_ADD, "all1", &work);
    is_int(work.rows, 1, "%s: an UPDATE that changes nothing has matched one row", name);
    job(test, ACCOUNT_WRITE, DO_ADD, "none", &work);
    is_int(work.rows, 0, "%s: one that matches none says 0", name);

    test->lines->count = 0;
    is_int(job(test, ACCOUNT_WRITE, DO_PUT, "all1", &work), ACCOUNT_ECONFLICT, "%s: conflict",
           name);
    is_int(test->lines->count, 0, "%s: is not logged", name);
    account_database_load(test->database, &load);
    is_int(load.open, 1, "%s: and the connection is used on", name);
    is_int(load.lent, 0, "%s: by nobody just now", name);
    is_int(load.up, 1, "%s: up", name);

    is_int(run(test, ACCOUNT_WRITE, misuse, NULL, SECOND), APR_EINVAL, "%s: wrong values", name);
    is_int(logged(test->lines, "AC00103"), 1, "%s: are logged", name);
    is_int(run(test, ACCOUNT_READ, select_nowhere, NULL, SECOND), ACCOUNT_EDATABASE,
           "%s: a table that is not there", name);
    is_int(logged(test->lines, "AC00102"), 1, "%s: is logged once", name);
    is_int(logged(test->lines, "nowhere"), 2, "%s: with its name, in the driver's text", name);
    is_int(logged(test->lines, "secret-value"), 0, "%s: and not with values", name);
    is_str(number_of(test, "all1"), "5", "%s: and then all is well", name);
}

static void test_transactions(test_t *test)
{
    job_t work = {.number = 1};
    const char *name = test->name;

    job(test, ACCOUNT_WRITE, DO_PUT, "t", &work);
    is_int(job(test, ACCOUNT_TRANSACTION, DO_ADD, "t", &work), APR_SUCCESS, "%s: commit", name);
    is_str(number_of(test, "t"), "2", "%s: is stored", name);
    is_int(job(test, ACCOUNT_TRANSACTION, DO_ADD | DO_PUT, "t", &work), ACCOUNT_ECONFLICT,
           "%s: conflict in a transaction", name);
    is_str(number_of(test, "t"), "2", "%s: nothing of it is stored", name);
    is_int(work.runs, 1, "%s: it is not run again", name);
    is_int(job(test, ACCOUNT_TRANSACTION, DO_ADD | DO_PUT | DO_SWALLOW, "t", &work),
           ACCOUNT_ECONFLICT, "%s: a failure that the work does not pass on is returned", name);
    is_str(number_of(test, "t"), "2", "%s: nothing of it is stored either", name);
    work.ends_with = ACCOUNT_EROLLBACK;
    is_int(job(test, ACCOUNT_TRANSACTION, DO_ADD, "t", &work), ACCOUNT_EROLLBACK, "%s: rollback",
           name);
    is_str(number_of(test, "t"), "2", "%s: nothing is stored", name);
    is_int(run(test, ACCOUNT_TRANSACTION, rollback_on_purpose, NULL, SECOND), ACCOUNT_EROLLBACK,
           "%s: an empty transaction rolls back", name);
}

typedef struct crowd_t {
    test_t *test;
    int transactions;
    int failures;
} crowd_t;

static void *one_of_crowd(void *data)
{
    crowd_t *crowd = data;
    test_t own = *crowd->test;
    int i;

    apr_pool_create(&own.pool, NULL);
    for (i = 0; i < crowd->transactions; i++) {
        job_t work = {.number = 1, .test = &own, .key = "crowd", .steps = DO_ADD | DO_GET};

        crowd->failures +=
            run(&own, ACCOUNT_TRANSACTION, do_job, &work, 10 * SECOND) != APR_SUCCESS;
    }
    apr_pool_destroy(own.pool);
    return NULL;
}

static int run_crowd(test_t *test, int threads, int transactions)
{
    pthread_t thread[64];
    crowd_t crowd[64];
    int i, failures = 0;

    for (i = 0; i < threads; i++) {
        crowd[i] = (crowd_t){test, transactions, 0};
        pthread_create(&thread[i], NULL, one_of_crowd, &crowd[i]);
    }
    for (i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        failures += crowd[i].failures;
    }
    return failures;
}

static void test_crowd(test_t *test)
{
    job_t work = {.number = 0};
    account_database_load_t load;

    job(test, ACCOUNT_WRITE, DO_PUT, "crowd", &work);
    is_int(run_crowd(test, 16, 25), 0, "%s: 16 threads, 400 transactions, no failure", test->name);
    is_str(number_of(test, "crowd"), "400", "%s: each of them counted", test->name);
    account_database_load(test->database, &load);
    ok(load.open <= test->config.connections && load.open >= 1 && load.lent == 0
           && load.waiting == 0,
       "%s: at most %d connections", test->name, test->config.connections);
}

static apr_status_t hold(account_db_t *db, void *baton)
{
    (void)db;
    apr_sleep(*(apr_interval_time_t *)baton);
    return APR_SUCCESS;
}

static void *hold_one(void *data)
{
    test_t own = *(test_t *)data;
    apr_interval_time_t pause = SECOND;

    apr_pool_create(&own.pool, NULL);
    run(&own, ACCOUNT_READ, hold, &pause, 3 * SECOND);
    apr_pool_destroy(own.pool);
    return NULL;
}

static void test_exhaustion(test_t *test)
{
    pthread_t thread[64];
    apr_interval_time_t none = 0;
    apr_time_t began;
    apr_uint32_t late;
    int i;

    for (i = 0; i < test->config.connections; i++) {
        pthread_create(&thread[i], NULL, hold_one, test);
    }
    apr_sleep(SECOND / 2);
    late = test->gauges.late;
    is_int(test->gauges.open, test->config.connections, "%s: gauges: open", test->name);
    is_int(test->gauges.lent, test->config.connections, "%s: gauges: lent", test->name);
    is_int(test->gauges.is_down, 0, "%s: gauges: up", test->name);
    began = account_clock_monotonic();
    is_int(run(test, ACCOUNT_READ, hold, &none, SECOND / 10), ACCOUNT_EBUSY,
           "%s: all connections are lent", test->name);
    is_int(test->gauges.late, late + 1, "%s: gauges: a wait that ended without one", test->name);
    is_int(test->gauges.waiting, 0, "%s: gauges: who has gone does not wait", test->name);
    began = account_clock_monotonic() - began;
    ok(began >= SECOND / 10 && began < SECOND / 4, "%s: told after the deadline (%d ms)",
       test->name, (int)(began / 1000));
    is_int(run(test, ACCOUNT_READ, hold, &none, 2 * SECOND), APR_SUCCESS,
           "%s: who waits longer gets one", test->name);
    is_int(test->gauges.late, late + 1, "%s: gauges: and is not late", test->name);
    for (i = 0; i < test->config.connections; i++) {
        pthread_join(thread[i], NULL);
    }
}

static void test_common(test_t *test)
{
    is_int(open_database(test), APR_SUCCESS, "%s: created", test->name);
    make_table(test);
    test_statements(test);
    test_transactions(test);
    test_crowd(test);
    test_exhaustion(test);
}

static apr_status_t refuse(account_db_t *db, void *baton)
{
    ++*(int *)baton;
    account_log(account_db_log(db), ACCOUNT_LOG_ERROR, 0, "refused");
    return ACCOUNT_EDATABASE;
}

static void test_unreachable(const char *name, const char *driver, const char *params)
{
    test_t test;
    account_database_load_t load;
    apr_interval_time_t none = 0;
    apr_time_t began;
    int calls = 0, i;

    start(&test, name, driver, params);
    is_int(open_database(&test), APR_SUCCESS, "%s: created", name);
    began = account_clock_monotonic();
    is_int(run(&test, ACCOUNT_READ, hold, &none, 2 * SECOND), ACCOUNT_EDATABASE, "%s: refused",
           name);
    for (i = 0; i < 100; i++) {
        calls += run(&test, ACCOUNT_READ, hold, &none, 2 * SECOND) == ACCOUNT_EDATABASE;
    }
    began = account_clock_monotonic() - began;
    is_int(calls, 100, "%s: and again", name);
    ok(began < SECOND / 2, "%s: at once (%d ms)", name, (int)(began / 1000));
    apr_sleep(SECOND * 11 / 10);
    run(&test, ACCOUNT_READ, hold, &none, 2 * SECOND);
    is_int(test.lines->count, 1, "%s: one line in the log", name);
    is_int(logged(test.lines, "AC00105"), 1, "%s: this one", name);
    account_database_load(test.database, &load);
    is_int(load.up, 0, "%s: down", name);
    is_int(test.gauges.is_down, 1, "%s: gauges: down", name);
    apr_pool_destroy(test.pool);
}

static void test_on_connect(const char *driver, const char *params)
{
    test_t test;
    apr_interval_time_t none = 0;
    int calls = 0;

    start(&test, driver, driver, params);
    test.config.on_connect = refuse;
    test.config.on_connect_baton = &calls;
    open_database(&test);
    is_int(run(&test, ACCOUNT_READ, hold, &none, 2 * SECOND), ACCOUNT_EDATABASE,
           "%s: on_connect says no", driver);
    apr_sleep(SECOND * 11 / 10);
    run(&test, ACCOUNT_READ, hold, &none, 2 * SECOND);
    is_int(calls, 2, "%s: it is asked once a second", driver);
    is_int(logged(test.lines, "refused"), 1, "%s: what it logs is logged once", driver);
    is_int(account_database_try(&test.config, test.pool), ACCOUNT_EDATABASE,
           "%s: a try asks it too", driver);
    apr_pool_destroy(test.pool);
}

static apr_status_t nap(account_db_t *db, void *baton)
{
    const char *const *columns;

    return account_db_row(db, SLEEP, ACCOUNT_ARGS(NUMBER(*(int *)baton)), &columns);
}

static apr_status_t update_late(account_db_t *db, void *baton)
{
    job_t *work = baton;

    work->runs++;
    return account_db_execute(db, LATE, ACCOUNT_ARGS(TEXT(work->key)), &work->rows);
}

static void test_lost(test_t *test)
{
    job_t id = {0}, work = {.number = 1};
    apr_time_t began;
    int five = 5;

    run(test, ACCOUNT_READ, read_id, &id, SECOND);
    kill_connection(test, id.columns[0]);
    apr_sleep(SECOND / 10);
    is_int(job(test, ACCOUNT_WRITE, DO_PUT, "lost", &work), APR_SUCCESS,
           "mysql: connections killed while idle are not noticed");
    is_int(work.runs, 1, "mysql: they are not even tried");

    is_int(job(test, ACCOUNT_TRANSACTION, DO_ADD | DO_LOSE, "lost", &work), APR_SUCCESS,
           "mysql: killed in a transaction");
    is_int(work.runs, 2, "mysql: it was run again");
    is_str(number_of(test, "lost"), "2", "mysql: and counted once");
    is_int(job(test, ACCOUNT_READ, DO_GET | DO_LOSE, "lost", &work), APR_SUCCESS,
           "mysql: killed while reading");
    is_int(work.runs, 2, "mysql: read again");

    began = account_clock_monotonic();
    is_int(run(test, ACCOUNT_READ, nap, &five, SECOND / 2), ACCOUNT_EDATABASE,
           "mysql: a statement that takes too long is ended");
    began = account_clock_monotonic() - began;
    ok(began >= SECOND / 2 && began < SECOND * 7 / 10, "mysql: at its deadline (%d ms)",
       (int)(began / 1000));

    work.runs = 0;
    work.key = "lost";
    is_int(run(test, ACCOUNT_WRITE, update_late, &work, SECOND / 2), ACCOUNT_EDATABASE,
           "mysql: so is one that writes");
    is_int(work.runs, 1, "mysql: which is not run again: it may have been done");
    is_str(number_of(test, "t"), "2", "mysql: all is well after that");
}

/* Two transactions that lock two rows in opposite orders. */
typedef struct deadlock_t {
    test_t *test;
    const char *first;
    const char *second;
    int runs;
    int failures;
} deadlock_t;

static apr_status_t lock_both(account_db_t *db, void *baton)
{
    deadlock_t *deadlock = baton;
    apr_status_t rv =
        account_db_execute(db, ADD, ACCOUNT_ARGS(NUMBER(1), TEXT(deadlock->first)), NULL);

    deadlock->runs++;
    if (rv == APR_SUCCESS) {
        apr_sleep(SECOND / 100);
        rv = account_db_execute(db, ADD, ACCOUNT_ARGS(NUMBER(1), TEXT(deadlock->second)), NULL);
    }
    return rv;
}

static void *lock_often(void *data)
{
    deadlock_t *deadlock = data;
    test_t own = *deadlock->test;
    int i;

    apr_pool_create(&own.pool, NULL);
    for (i = 0; i < 20; i++) {
        deadlock->failures +=
            run(&own, ACCOUNT_TRANSACTION, lock_both, deadlock, 3 * SECOND) != APR_SUCCESS;
        apr_sleep(SECOND / 25); /* now the other one */
    }
    apr_pool_destroy(own.pool);
    return NULL;
}

static void test_deadlock(test_t *test)
{
    deadlock_t one = {test, "left", "right", 0, 0}, other = {test, "right", "left", 0, 0};
    job_t work = {.number = 0};
    pthread_t thread;

    job(test, ACCOUNT_WRITE, DO_PUT, "left", &work);
    job(test, ACCOUNT_WRITE, DO_PUT, "right", &work);
    pthread_create(&thread, NULL, lock_often, &one);
    lock_often(&other);
    pthread_join(thread, NULL);
    is_int(one.failures + other.failures, 0, "mysql: deadlocks: no failure");
    ok(one.runs + other.runs > 40, "mysql: deadlocks: %d transactions were run again",
       one.runs + other.runs - 40);
    is_str(number_of(test, "left"), "40", "mysql: deadlocks: each counted once");
}

static void *nap_long(void *data)
{
    test_t own = *(test_t *)data;
    int five = 5;

    apr_pool_create(&own.pool, NULL);
    run(&own, ACCOUNT_READ, nap, &five, 10 * SECOND);
    apr_pool_destroy(own.pool);
    return NULL;
}

static void test_end(test_t *test)
{
    pthread_t thread;
    apr_time_t began;

    pthread_create(&thread, NULL, nap_long, test);
    apr_sleep(SECOND / 5);
    began = account_clock_monotonic();
    apr_pool_destroy(test->pool);
    began = account_clock_monotonic() - began;
    pthread_join(thread, NULL);
    ok(began < SECOND / 2, "mysql: the end waits for no statement (%d ms)", (int)(began / 1000));
}

typedef struct frozen_t {
    test_t *test;
    apr_interval_time_t longest;
    int refused;
} frozen_t;

static void *ask_frozen(void *data)
{
    frozen_t *frozen = data;
    test_t own = *frozen->test;
    apr_interval_time_t took;
    apr_time_t began;
    int i, zero = 0;

    apr_pool_create(&own.pool, NULL);
    for (i = 0; i < 10; i++) {
        began = account_clock_monotonic();
        frozen->refused += run(&own, ACCOUNT_READ, nap, &zero, SECOND) != APR_SUCCESS;
        took = account_clock_monotonic() - began;
        frozen->longest = took > frozen->longest ? took : frozen->longest;
        apr_sleep(SECOND / 10);
    }
    apr_pool_destroy(own.pool);
    return NULL;
}

/* Freezes the server, with idle connections open. */
static void test_frozen(const char *params, pid_t server)
{
    test_t test;
    pthread_t thread[16];
    frozen_t frozen[16];
    apr_interval_time_t longest = 0, total;
    apr_time_t began;
    int i, zero = 0, refused = 0;

    start(&test, "frozen", "mysql", params);
    open_database(&test);
    run_crowd(&test, 4, 0);
    is_int(run(&test, ACCOUNT_READ, nap, &zero, SECOND), APR_SUCCESS, "frozen: it was well");
    kill(server, SIGSTOP);
    apr_sleep(SECOND / 20); /* it takes a moment */
    began = account_clock_monotonic();
    for (i = 0; i < 16; i++) {
        frozen[i] = (frozen_t){&test, 0, 0};
        pthread_create(&thread[i], NULL, ask_frozen, &frozen[i]);
    }
    for (i = 0; i < 16; i++) {
        pthread_join(thread[i], NULL);
        refused += frozen[i].refused;
        longest = frozen[i].longest > longest ? frozen[i].longest : longest;
    }
    total = account_clock_monotonic() - began;
    is_int(refused, 160, "frozen: 16 threads asked ten times each, nobody got an answer");
    ok(longest < SECOND * 12 / 10, "frozen: nobody waited longer than a second (%d ms)",
       (int)(longest / 1000));
    diag("frozen: all of it took %d ms", (int)(total / 1000));
    while (account_clock_monotonic() < began + 8 * SECOND) {
        run(&test, ACCOUNT_READ, nap, &zero, SECOND);
        apr_sleep(SECOND / 10);
    }
    began = account_clock_monotonic();
    for (i = 0; i < 100; i++) {
        run(&test, ACCOUNT_READ, nap, &zero, SECOND);
    }
    diag("frozen: when it is known, an answer takes %d us",
         (int)((account_clock_monotonic() - began) / 100));
    kill(server, SIGCONT);
    began = account_clock_monotonic();
    while (run(&test, ACCOUNT_READ, nap, &zero, SECOND) != APR_SUCCESS
           && account_clock_monotonic() < began + 5 * SECOND) {
        apr_sleep(SECOND / 100);
    }
    total = account_clock_monotonic() - began;
    ok(total < 2 * SECOND, "frozen: well again %d ms after the server", (int)(total / 1000));
    is_int(logged(test.lines, "AC00107"), 1, "frozen: said once");
    is_int(logged(test.lines, "AC00104"), 1, "frozen: and the end of it");

    kill(server, SIGSTOP);
    began = account_clock_monotonic();
    run(&test, ACCOUNT_READ, nap, &zero, SECOND / 5);
    run(&test, ACCOUNT_READ, nap, &zero, SECOND / 5);
    apr_pool_destroy(test.pool);
    total = account_clock_monotonic() - began;
    ok(total < SECOND, "frozen: the end of the pool waits for nothing (%d ms)",
       (int)(total / 1000));
    kill(server, SIGCONT);
    apr_sleep(SECOND / 2); /* the openers that were left find their pool stopping */
}

/* Another process changes the schema, which invalidates the prepared statements of this one. */
static void test_stale(test_t *test, const char *file)
{
    test_t other;
    job_t work = {.number = 1};

    start(&other, "other", "sqlite3", file);
    open_database(&other);
    is_str(number_of(test, "t"), "2", "sqlite3: prepared");
    run(&other, ACCOUNT_WRITE, run_sql, "CREATE TABLE unit_other (x INTEGER)", SECOND);
    is_str(number_of(test, "t"), "2", "sqlite3: a changed schema is not noticed by a reader");
    run(&other, ACCOUNT_WRITE, run_sql, "DROP TABLE unit_other", SECOND);
    is_int(job(test, ACCOUNT_WRITE, DO_ADD, "t", &work), APR_SUCCESS, "sqlite3: or a writer");
    run(&other, ACCOUNT_WRITE, run_sql, "CREATE TABLE unit_other (x INTEGER)", SECOND);
    is_int(job(test, ACCOUNT_TRANSACTION, DO_ADD, "t", &work), APR_SUCCESS,
           "sqlite3: or a transaction");
    is_str(number_of(test, "t"), "4", "sqlite3: each counted once");
    apr_pool_destroy(other.pool);
}

static void test_processes(const char *file)
{
    test_t test;
    job_t work = {.number = 0};
    pid_t child[2];
    int i, status = 0, failed = 0;

    start(&test, "processes", "sqlite3", file);
    ok(apr_global_mutex_create(&test.config.writer, NULL, APR_LOCK_DEFAULT, test.pool)
           == APR_SUCCESS,
       "processes: a mutex");
    for (i = 0; i < 2; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            int failures;

            apr_sleep(SECOND / 2);
            apr_global_mutex_child_init(&test.config.writer, NULL, test.pool);
            open_database(&test);
            failures = run_crowd(&test, 8, 25);
            apr_pool_destroy(test.pool);
            _exit(failures > 0);
        }
    }
    open_database(&test);
    make_table(&test);
    job(&test, ACCOUNT_WRITE, DO_PUT, "crowd", &work);
    failed += run_crowd(&test, 8, 25);
    for (i = 0; i < 2; i++) {
        waitpid(child[i], &status, 0);
        failed += status != 0;
    }
    is_int(failed, 0, "processes: 3 of 8 threads, 600 transactions, no failure");
    is_str(number_of(&test, "crowd"), "600", "processes: each of them counted");
    apr_pool_destroy(test.pool);
}

static void test_sqlite3(apr_pool_t *pool, const char *directory)
{
    test_t test;
    const char *file = apr_pstrcat(pool, directory, "/a.db", NULL);
    struct stat info;

    start(&test, ":memory:", "sqlite3", ":memory:");
    test.config.connections = 1;
    test_common(&test);
    apr_pool_destroy(test.pool);

    start(&test, "sqlite3", "sqlite3", file);
    test_common(&test);
    run(&test, ACCOUNT_WRITE, run_sql, "PRAGMA journal_mode=WAL", SECOND);
    ok(stat(file, &info) == 0 && (info.st_mode & 0777) == 0600,
       "sqlite3: the file is its owner's only");
    test_stale(&test, file);
    apr_pool_destroy(test.pool);
    test_unreachable("no directory", "sqlite3",
                     apr_pstrcat(pool, directory, "/nowhere/a.db", NULL));
    test_on_connect("sqlite3", file);
}

static void test_mysql(const char *params)
{
    test_t test;
    const char *server = getenv("ACCOUNT_TEST_MYSQL_PID");

    start(&test, "mysql", "mysql", params);
    test_common(&test);
    test_lost(&test);
    test_deadlock(&test);
    test_end(&test);
    test_unreachable("no server", "mysql", "sock=/nowhere/mysqld.sock user=test dbname=test");
    test_on_connect("mysql", params);
    if (server != NULL) {
        test_frozen(params, (pid_t)apr_atoi64(server));
    }
}

int main(void)
{
    apr_pool_t *pool;
    char directory[] = "/tmp/test_database.XXXXXX";
    const char *params = getenv("ACCOUNT_TEST_MYSQL");

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(mkdtemp(directory) != NULL, "a directory");
    is_int(account_database_dialect("mysql"), ACCOUNT_MYSQL, "a driver");
    is_int(account_database_dialect("sqlite3"), ACCOUNT_SQLITE3, "the other driver");
    is_int(account_database_dialect("pgsql"), -1, "not one of ours");
    /* First: a process that has threads should not fork. */
    test_processes(apr_pstrcat(pool, directory, "/b.db", NULL));
    test_sqlite3(pool, directory);
    if (params != NULL && *params != '\0') {
        test_mysql(params);
    }
    else {
        diag("ACCOUNT_TEST_MYSQL is not set: not tested on MySQL");
    }
    if (chdir(directory) == 0) {
        unlink("a.db");
        unlink("a.db-wal");
        unlink("a.db-shm");
        unlink("b.db");
        unlink("b.db-journal");
        ok(rmdir(directory) == 0, "nothing else was left behind");
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
