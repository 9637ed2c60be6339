#include "bench.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store/statements.h"
#include "tap.h"

#define THREADS_MOST 256

static void remember(void *baton, account_log_level_e level, apr_status_t status,
                     const char *message)
{
    bench_t *bench = baton;
    apr_size_t used;

    (void)level;
    pthread_mutex_lock(&bench->mutex);
    used = strlen(bench->lines);
    apr_snprintf(bench->lines + used, sizeof(bench->lines) - used, "%s\n", message);
    if (getenv("ACCOUNT_TEST_VERBOSE")) {
        printf("# log: %s (%d)\n", message, status);
    }
    pthread_mutex_unlock(&bench->mutex);
}

bench_t *bench_make(const char *driver, const char *params, const char *keys, apr_pool_t *parent)
{
    account_keys_t *parsed = NULL;
    const char *error = NULL;
    apr_pool_t *pool;
    bench_t *bench;

    apr_pool_create(&pool, parent);
    if (account_keys_parse(&parsed, &error, keys, pool) != APR_SUCCESS) {
        ok(0, "keys: %s", error);
    }
    bench = apr_pcalloc(pool, sizeof(*bench));
    bench->name = driver;
    pthread_mutex_init(&bench->mutex, NULL);
    bench->log = (account_log_t){remember, bench};
    bench->schema = (account_schema_t){.keys = parsed, .may_change = 1};
    bench->config = (account_database_config_t){
        .driver = driver,
        .params = params,
        .statements = account_statements,
        .statement_count = ACCOUNT_SQL_COUNT,
        .connections = 8,
        .on_connect = account_schema_check,
        .on_connect_baton = &bench->schema,
        .log = &bench->log,
    };
    bench->store = (account_store_t){
        .realm = "unit",
        .keys = parsed,
        .random = &account_random_secure,
        .now = BENCH_NOW,
        .log = &bench->log,
        .pool = pool,
    };
    return bench;
}

void bench_start(bench_t *bench)
{
    is_int(account_database_create(&bench->store.database, &bench->config, bench->store.pool),
           APR_SUCCESS, "%s: start", bench->name);
    bench->store.deadline = account_clock_monotonic() + apr_time_from_sec(300);
}

bench_t *bench_open(const char *driver, const char *params, const char *keys, apr_pool_t *parent)
{
    bench_t *bench = bench_make(driver, params, keys, parent);

    bench_start(bench);
    return bench;
}

void bench_stop(bench_t *bench)
{
    apr_pool_destroy(bench->store.pool);
}

static apr_status_t run_sql(account_db_t *db, void *baton)
{
    return account_db_schema(db, baton);
}

void bench_sql(bench_t *bench, const char *text)
{
    is_int(account_store_run(&bench->store, ACCOUNT_WRITE, run_sql, (void *)text), APR_SUCCESS,
           "%s: %.60s", bench->name, text);
}

typedef struct look_t {
    const char *value;
} look_t;

static apr_status_t read_value(account_db_t *db, void *baton)
{
    look_t *look = baton;
    const char *const *columns;
    apr_status_t rv = account_db_row(db, 0, (account_args_t){0, NULL}, &columns);

    look->value = columns ? columns[0] : NULL;
    return rv;
}

const char *bench_value(bench_t *bench, const char *select)
{
    account_statement_t statement = {select, {select, NULL}};
    account_database_config_t config = bench->config;
    account_store_t store = bench->store;
    look_t look = {NULL};
    const char *value;

    config.statements = &statement;
    config.statement_count = 1;
    config.connections = 1;
    config.on_connect = NULL;
    apr_pool_create(&store.pool, NULL);
    if (account_database_create(&store.database, &config, store.pool) != APR_SUCCESS
        || account_store_run(&store, ACCOUNT_READ, read_value, &look) != APR_SUCCESS) {
        ok(0, "%s: %s", bench->name, select);
    }
    value = look.value ? apr_pstrdup(bench->store.pool, look.value) : NULL;
    apr_pool_destroy(store.pool);
    return value;
}

apr_int64_t bench_number(bench_t *bench, const char *select)
{
    const char *value = bench_value(bench, select);

    return value ? apr_atoi64(value) : -1;
}

int bench_logged(bench_t *bench, const char *text)
{
    int found;

    pthread_mutex_lock(&bench->mutex);
    found = strstr(bench->lines, text) != NULL;
    pthread_mutex_unlock(&bench->mutex);
    return found;
}

typedef struct thread_t {
    void (*fn)(bench_runner_t *);
    bench_runner_t runner;
    pthread_t thread;
} thread_t;

static void *run_thread(void *data)
{
    thread_t *thread = data;

    apr_pool_create(&thread->runner.store.pool, NULL);
    thread->fn(&thread->runner);
    apr_pool_destroy(thread->runner.store.pool);
    return NULL;
}

void bench_race(bench_t *const *benches, int count, void (*fn)(bench_runner_t *), void *baton,
                int *won)
{
    thread_t threads[THREADS_MOST];
    int i, failed = 0;
    apr_status_t rv = APR_SUCCESS;

    *won = 0;
    for (i = 0; i < count; i++) {
        threads[i] = (thread_t){.fn = fn};
        threads[i].runner =
            (bench_runner_t){.store = benches[i % 2]->store, .number = i, .baton = baton};
        threads[i].runner.store.deadline = account_clock_monotonic() + apr_time_from_sec(120);
        pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]);
    }
    for (i = 0; i < count; i++) {
        pthread_join(threads[i].thread, NULL);
        *won += threads[i].runner.won;
        failed += threads[i].runner.failed;
        rv = threads[i].runner.failed ? threads[i].runner.rv : rv;
    }
    if (!is_int(failed, 0, "%s: %d threads: no failure", benches[0]->name, count)) {
        diag("one of them: %d; the log:\n%s%s", rv, benches[0]->lines, benches[1]->lines);
    }
}

int bench_main(void (*test)(const char *driver, const char *params, apr_pool_t *pool))
{
    static const char *const files[] = {"a.db", "a.db-wal", "a.db-shm"};
    char directory[] = "/tmp/test_bench.XXXXXX";
    const char *params = getenv("ACCOUNT_TEST_MYSQL");
    apr_pool_t *pool;
    size_t i;

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(mkdtemp(directory) != NULL, "a directory");
    test("sqlite3", apr_pstrcat(pool, directory, "/a.db", NULL), pool);
    if (params != NULL && *params != '\0') {
        test("mysql", params, pool);
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
