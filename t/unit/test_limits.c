/* store/limits.c: on SQLite, and on MySQL where ACCOUNT_TEST_MYSQL has the parameters of an empty
 * database. */

#include <stdlib.h>

#include <apr_strings.h>

#include "bench.h"
#include "tap.h"

#define MINUTE BENCH_MINUTE
#define HOUR BENCH_HOUR

static const account_window_t three_an_hour[] = {{3, HOUR}};
static const account_window_t two_and_three[] = {{2, MINUTE}, {3, HOUR}};
static const account_window_t two_and_two[] = {{2, MINUTE}, {2, HOUR}};
static const account_window_t one_an_hour[] = {{1, HOUR}};
static const account_window_t twenty_an_hour[] = {{20, HOUR}};
static const account_window_t many_an_hour[] = {{1000, HOUR}};
static const account_window_t none_an_hour[] = {{0, HOUR}};

#define QUOTAS(...)                                                                                \
    ((account_quotas_t){(const account_quota_t[]){__VA_ARGS__},                                    \
                        sizeof((account_quota_t[]){__VA_ARGS__}) / sizeof(account_quota_t)})
#define OF(subject, windows)                                                                       \
    {                                                                                              \
        subject, windows, sizeof(windows) / sizeof(account_window_t)                               \
    }

/* Takes, and expects which quota is short, and for how long. */
static void take(bench_t *bench, account_quotas_t quotas, int quota, apr_int64_t wait)
{
    account_shortage_t shortage = {-2, -2};

    is_int(account_limits_take(&bench->store, quotas, &shortage), APR_SUCCESS, "%s: take",
           bench->name);
    is_int(shortage.quota, quota, "%s: %s", bench->name, quota < 0 ? "taken" : "none left");
    is_int(shortage.wait, wait, "%s: for so long", bench->name);
}

static void give_back(bench_t *bench, account_quotas_t quotas)
{
    is_int(account_limits_return(&bench->store, quotas), APR_SUCCESS, "%s: return", bench->name);
}

static apr_int64_t used(bench_t *bench)
{
    return bench_number(bench, "SELECT COALESCE(SUM(used), 0) FROM account_limit");
}

static void clear(bench_t *bench)
{
    bench->store.now = BENCH_NOW;
    bench_sql(bench, "DELETE FROM account_limit");
}

static void test_window(bench_t *bench)
{
    account_quotas_t quotas = QUOTAS(OF("one", three_an_hour));

    clear(bench);
    take(bench, quotas, -1, 0);
    bench->store.now += 10 * MINUTE;
    take(bench, quotas, -1, 0);
    take(bench, quotas, -1, 0);
    take(bench, quotas, 0, 50 * MINUTE);
    take(bench, QUOTAS(OF("other", three_an_hour)), -1, 0);
    bench->store.realm = "elsewhere";
    take(bench, quotas, -1, 0);
    bench->store.realm = "unit";
    bench->store.now = BENCH_NOW + HOUR - 1;
    take(bench, quotas, 0, 1);
    bench->store.now++;
    take(bench, quotas, -1, 0);
    take(bench, quotas, -1, 0);
    take(bench, quotas, -1, 0);
    take(bench, quotas, 0, HOUR);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_limit WHERE subject LIKE '%%one%%' "
                               "OR LENGTH(subject) <> 64"),
           0, "%s: subjects are digests", bench->name);
}

static void test_windows(bench_t *bench)
{
    account_quotas_t quotas = QUOTAS(OF("two", two_and_three));
    account_quotas_t both = QUOTAS(OF("both", two_and_two));

    clear(bench);
    take(bench, quotas, -1, 0);
    take(bench, quotas, -1, 0);
    take(bench, quotas, 0, MINUTE);
    is_int(used(bench), 4, "%s: what was refused is not counted", bench->name);
    bench->store.now += MINUTE;
    take(bench, quotas, -1, 0);
    take(bench, quotas, 0, HOUR - MINUTE);
    bench->store.now += MINUTE;
    take(bench, quotas, 0, HOUR - 2 * MINUTE);
    is_int(used(bench), 4, "%s: not even in the window that has some", bench->name);
    take(bench, both, -1, 0);
    take(bench, both, -1, 0);
    take(bench, both, 0, HOUR);
}

static void test_quotas(bench_t *bench)
{
    account_quotas_t pair = QUOTAS(OF("a", three_an_hour), OF("b", one_an_hour));
    account_quotas_t single = QUOTAS(OF("a", three_an_hour));

    clear(bench);
    take(bench, pair, -1, 0);
    take(bench, pair, 1, HOUR);
    take(bench, pair, 1, HOUR);
    is_int(used(bench), 2, "%s: all or nothing", bench->name);
    take(bench, single, -1, 0);
    take(bench, single, -1, 0);
    take(bench, pair, 0, HOUR);

    take(bench, (account_quotas_t){NULL, 0}, -1, 0);
    take(bench, QUOTAS({"off", NULL, 0}), -1, 0);
    take(bench, QUOTAS({"off", NULL, 0}, OF("b", one_an_hour)), 1, HOUR);
    take(bench, QUOTAS(OF("never", none_an_hour)), 0, HOUR);
}

static void test_return(bench_t *bench)
{
    account_quotas_t quotas = QUOTAS(OF("r", two_and_three));

    clear(bench);
    give_back(bench, quotas);
    is_int(used(bench), 0, "%s: what was never taken", bench->name);
    take(bench, quotas, -1, 0);
    take(bench, quotas, -1, 0);
    give_back(bench, quotas);
    take(bench, quotas, -1, 0);
    take(bench, quotas, 0, MINUTE);
    give_back(bench, quotas);
    give_back(bench, quotas);
    give_back(bench, quotas);
    is_int(used(bench), 0, "%s: never below 0", bench->name);
    take(bench, quotas, -1, 0);
    take(bench, quotas, -1, 0);
    take(bench, quotas, 0, MINUTE);
    bench->store.now += MINUTE;
    give_back(bench, quotas);
    is_int(used(bench), 2 + 1, "%s: only into a window that runs", bench->name);
    give_back(bench, (account_quotas_t){NULL, 0});
}

typedef struct inside_t {
    const account_store_t *store;
    account_quotas_t quotas;
    account_shortage_t shortage;
    apr_status_t end;
} inside_t;

static apr_status_t take_inside(account_db_t *db, void *baton)
{
    inside_t *inside = baton;
    apr_status_t rv = account_limits_take_in(inside->store, db, inside->quotas, &inside->shortage);

    return rv == APR_SUCCESS ? inside->end : rv;
}

static void test_inside(bench_t *bench)
{
    inside_t inside = {&bench->store,
                       QUOTAS(OF("i", three_an_hour), OF("j", one_an_hour)),
                       {0, 0},
                       ACCOUNT_EROLLBACK};

    clear(bench);
    is_int(account_store_run(&bench->store, ACCOUNT_TRANSACTION, take_inside, &inside),
           ACCOUNT_EROLLBACK, "%s: in a transaction that is rolled back", bench->name);
    is_int(inside.shortage.quota, -1, "%s: there was enough", bench->name);
    is_int(used(bench), 0, "%s: nothing is counted", bench->name);
    inside.end = APR_SUCCESS;
    is_int(account_store_run(&bench->store, ACCOUNT_TRANSACTION, take_inside, &inside), APR_SUCCESS,
           "%s: in one that is committed", bench->name);
    is_int(used(bench), 2, "%s: counted", bench->name);
    is_int(account_store_run(&bench->store, ACCOUNT_TRANSACTION, take_inside, &inside), APR_SUCCESS,
           "%s: and again", bench->name);
    is_int(inside.shortage.quota, 1, "%s: short of the second", bench->name);
    is_int(used(bench), 3, "%s: the first stays taken", bench->name);
}

static void take_one(bench_runner_t *runner)
{
    const account_quotas_t *quotas = runner->baton;
    account_shortage_t shortage;

    runner->rv = account_limits_take(&runner->store, *quotas, &shortage);
    runner->failed = runner->rv != APR_SUCCESS;
    runner->won = !runner->failed && shortage.quota < 0;
}

static void take_and_return(bench_runner_t *runner)
{
    const account_quotas_t *quotas = runner->baton;
    account_shortage_t shortage;
    int i;

    for (i = 0; i < 5 && !runner->failed; i++) {
        runner->rv = account_limits_take(&runner->store, *quotas, &shortage);
        if (runner->rv == APR_SUCCESS) {
            runner->won += shortage.quota < 0;
            runner->rv = account_limits_return(&runner->store, *quotas);
        }
        runner->failed = runner->rv != APR_SUCCESS;
    }
}

static void test_races(bench_t *const *benches)
{
    account_quotas_t one = QUOTAS(OF("race", twenty_an_hour));
    account_quotas_t two = QUOTAS(OF("race", many_an_hour), OF("narrow", one_an_hour));
    bench_t *bench = benches[0];
    int won;

    clear(bench);
    bench_race(benches, 200, take_one, &one, &won);
    is_int(won, 20, "%s: 200 at once of 20: exactly 20", bench->name);
    benches[0]->store.now = benches[1]->store.now = BENCH_NOW + HOUR;
    bench_race(benches, 200, take_one, &one, &won);
    is_int(won, 20, "%s: and in the next window", bench->name);
    benches[1]->store.now = BENCH_NOW;
    clear(bench);
    bench_race(benches, 100, take_one, &two, &won);
    is_int(won, 1, "%s: 100 at once of two quotas, one of them narrow", bench->name);
    is_int(used(bench), 2, "%s: nothing of the wide one is lost", bench->name);
    clear(bench);
    two.count = 1;
    bench_race(benches, 40, take_and_return, &two, &won);
    is_int(won, 200, "%s: taken and given back at once", bench->name);
    is_int(used(bench), 0, "%s: it adds up", bench->name);
}

static void test_limits(const char *driver, const char *params, apr_pool_t *pool)
{
    account_quotas_t quotas = QUOTAS(OF("restart", three_an_hour));
    apr_global_mutex_t *writer = NULL;
    account_shortage_t shortage = {-1, 0};
    bench_t *benches[2];
    int i;

    apr_global_mutex_create(&writer, NULL, APR_LOCK_DEFAULT, pool);
    for (i = 0; i < 2; i++) {
        benches[i] = bench_make(driver, params, BENCH_KEY_A, pool);
        benches[i]->config.writer = writer;
        bench_start(benches[i]);
    }
    test_window(benches[0]);
    test_windows(benches[0]);
    test_quotas(benches[0]);
    test_return(benches[0]);
    test_inside(benches[0]);
    test_races(benches);

    clear(benches[0]);
    take(benches[0], quotas, -1, 0);
    take(benches[1], quotas, -1, 0);
    bench_stop(benches[0]);
    bench_stop(benches[1]);
    benches[0] = bench_open(driver, params, BENCH_KEY_A, pool);
    take(benches[0], quotas, -1, 0);
    take(benches[0], quotas, 0, HOUR);
    is_str(benches[0]->lines, "", "%s: nothing to say of it", driver);

    bench_sql(benches[0], "DROP TABLE account_limit");
    is_int(account_limits_take(&benches[0]->store, quotas, &shortage), ACCOUNT_EDATABASE,
           "%s: who can't count lets nobody through", driver);
    is_int(account_limits_return(&benches[0]->store, quotas), ACCOUNT_EDATABASE, "%s: nor back",
           driver);
    bench_stop(benches[0]);
}

int main(void)
{
    return bench_main(test_limits);
}
