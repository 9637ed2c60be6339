/* store/: points, captchas, lookups, the sweep and the second version of the schema: on SQLite, and
 * on MySQL where ACCOUNT_TEST_MYSQL has the parameters of an empty database. */

#include <stdlib.h>

#include <apr_strings.h>

#include "bench.h"
#include "store/captchas.h"
#include "store/lookups.h"
#include "store/points.h"
#include "store/schema_sql.h"
#include "store/statements.h"
#include "store/sweep.h"
#include "tap.h"

#define NOW BENCH_NOW
#define MINUTE BENCH_MINUTE
#define HOUR BENCH_HOUR
#define DAY BENCH_DAY

#define SESSION(digest, seen, expires, idle)                                                       \
    "INSERT INTO account_session (realm, digest, account, created, seen, expires, idle, address) " \
    "VALUES ('unit', '" digest "', 1, 1, " seen ", " expires ", " idle ", 'a')"
#define CODE(target, expires)                                                                      \
    "INSERT INTO account_code (realm, purpose, target, digest, tries, expires, used, created) "    \
    "VALUES ('unit', 'reset', '" target "', 'd', 5, " expires ", 0, 1)"
#define MESSAGE(realm, ref, channel, expires, done)                                                \
    "INSERT INTO account_message (realm, ref, channel, recipient, name, content, created, "        \
    "expires, due, attempts, lease, down, done) VALUES ('" realm "', '" ref "', '" channel         \
    "', 'r', 'n', 'c', 1, " expires ", 1, 0, '', 0, " done ")"

static void run_version_1(const char *driver, const char *params, apr_pool_t *pool)
{
    bench_t *bench = bench_make(driver, params, BENCH_KEY_A, pool);
    const char *const *statement;
    int i;

    bench->config.on_connect = NULL;
    bench_start(bench);
    for (i = 0; i < account_migration_count; i++) {
        if ((int)account_migrations[i].dialect == account_database_dialect(driver)
            && account_migrations[i].version == 1) {
            for (statement = account_migrations[i].statements; *statement; statement++) {
                bench_sql(bench, *statement);
            }
        }
    }
    bench_sql(bench, SESSION("old", "1000", "1790000000000", "500"));
    bench_sql(bench, CODE("old", "1000"));
    bench_stop(bench);
}

/* From 1 to 2, and what stopped half-way is run again. */
static void test_migration(const char *driver, const char *params, apr_pool_t *pool)
{
    bench_t *bench;
    int run, more;

    run_version_1(driver, params, pool);
    for (run = 0; run < 2; run++) {
        bench = bench_open(driver, params, BENCH_KEY_A, pool);
        bench->store.now = 1000;
        is_int(account_sweep(&bench->store, &more), APR_SUCCESS, "%s: the new tables are there",
               driver);
        ok(bench_logged(bench, "002-") && !bench_logged(bench, "001-"), "%s: by their file",
           driver);
        is_int(bench_number(bench, "SELECT version FROM account_schema"), ACCOUNT_SCHEMA_VERSION,
               "%s: recorded", driver);
        is_int(bench_number(bench, "SELECT COUNT(*) FROM account_session"), 1,
               "%s: the session is still there", driver);
        is_int(bench_number(bench, "SELECT COUNT(*) FROM account_code"), 1, "%s: and the code",
               driver);
        bench_sql(bench, "UPDATE account_schema SET version = 1");
        bench_stop(bench);
    }
    bench = bench_open(driver, params, BENCH_KEY_A, pool);
    bench->store.now = 1499;
    account_sweep(&bench->store, &more);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_session"), 1,
           "%s: an old session, not idle for too long", driver);
    bench->store.now = 1500;
    account_sweep(&bench->store, &more);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_session"), 0,
           "%s: and idle for too long", driver);
    bench->store.now = DAY + 1000;
    account_sweep(&bench->store, &more);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_code"), 0, "%s: an old code", driver);
    bench_stop(bench);
}

static void expect_sums(bench_t *bench, apr_int64_t account, apr_int64_t total,
                        apr_int64_t last_year)
{
    account_years_t years = {1000, 2000};
    account_points_t points = {-1, -1};

    is_int(account_points_sum(&bench->store, account, &years, &points), APR_SUCCESS, "%s: sum",
           bench->name);
    is_int(points.total, total, "%s: total", bench->name);
    is_int(points.last_year, last_year, "%s: of last year", bench->name);
}

/* "d=20 c=30": descriptions and amounts. */
static void expect_entries(bench_t *bench, account_entries_wanted_t wanted, const char *expected,
                           apr_int64_t all)
{
    apr_array_header_t *entries = NULL;
    apr_int64_t count = -1;
    const char *got = "";
    int i;

    is_int(account_points_list(&bench->store, &wanted, &entries, &count), APR_SUCCESS, "%s: list",
           bench->name);
    for (i = 0; entries && i < entries->nelts; i++) {
        const account_entry_t *entry = &APR_ARRAY_IDX(entries, i, account_entry_t);

        got = apr_psprintf(bench->store.pool, "%s%s%s=%" APR_INT64_T_FMT "@%" APR_INT64_T_FMT, got,
                           i ? " " : "", entry->description, entry->amount, entry->created);
    }
    is_str(got, expected, "%s: entries", bench->name);
    is_int(count, all, "%s: of all", bench->name);
}

static void test_points(bench_t *bench)
{
    apr_array_header_t *entries;
    account_entries_wanted_t wrong = {15, 0, 0, 0, -1};
    apr_int64_t count;

    expect_sums(bench, 15, 0, 0);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 0, 0, 10}, "", 0);
    bench_sql(bench, "INSERT INTO account_point (account, amount, description, created) "
                     "VALUES (15, 20, 'order 4711', 999)");
    expect_sums(bench, 15, 20, 0);
    bench_sql(bench, "INSERT INTO account_point (account, amount, description, created) VALUES "
                     "(15, 30, 'a', 1000), (15, -5, 'b', 1999), (15, 7, 'c', 2000), "
                     "(15, 9007199254740991, '积分', 2000), (16, 100, 'other', 1500)");
    expect_sums(bench, 15, APR_INT64_C(9007199254740991) + 52, 25);
    expect_sums(bench, 16, 100, 100);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 0, 0, 10},
                   "积分=9007199254740991@2000 c=7@2000 b=-5@1999 a=30@1000 order 4711=20@999", 5);
    expect_entries(bench, (account_entries_wanted_t){15, 1000, 2000, 0, 10}, "b=-5@1999 a=30@1000",
                   2);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 1999, 0, 10},
                   "a=30@1000 order 4711=20@999", 2);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 0, 1, 2}, "c=7@2000 b=-5@1999", 5);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 0, 4, 2}, "order 4711=20@999", 5);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 0, 5, 2}, "", 5);
    expect_entries(bench, (account_entries_wanted_t){15, 0, 0, 0, 0}, "", 5);
    is_int(account_points_list(&bench->store, &wrong, &entries, &count), APR_EINVAL,
           "%s: less than none", bench->name);
    wrong = (account_entries_wanted_t){15, 0, 0, -1, 1};
    is_int(account_points_list(&bench->store, &wrong, &entries, &count), APR_EINVAL,
           "%s: before the first", bench->name);
}

static void expect_captcha(bench_t *bench, const char *id, int wanted)
{
    int found = -1;

    is_int(account_captcha_find(&bench->store, id, &found), APR_SUCCESS, "%s: find", bench->name);
    is_int(found, wanted, "%s: %s", bench->name, wanted ? "can be used" : "can't be used");
}

static void use_captcha(bench_t *bench, const char *id, int wanted)
{
    int used = -1;

    is_int(account_captcha_use(&bench->store, id, &used), APR_SUCCESS, "%s: use", bench->name);
    is_int(used, wanted, "%s: %s", bench->name, wanted ? "used" : "not used");
}

static void use_one(bench_runner_t *runner)
{
    runner->rv = account_captcha_use(&runner->store, "race", &runner->won);
    runner->failed = runner->rv != APR_SUCCESS;
}

static void test_captchas(bench_t *const *benches)
{
    bench_t *bench = benches[0];
    int won;

    expect_captcha(bench, "one", 0);
    use_captcha(bench, "one", 0);
    is_int(account_captcha_add(&bench->store, "one", NOW + MINUTE), APR_SUCCESS, "%s: add",
           bench->name);
    expect_captcha(bench, "one", 1);
    expect_captcha(bench, "one", 1);
    expect_captcha(bench, "ONE", 0);
    bench->store.realm = "elsewhere";
    expect_captcha(bench, "one", 0);
    use_captcha(bench, "one", 0);
    bench->store.realm = "unit";
    use_captcha(bench, "one", 1);
    use_captcha(bench, "one", 0);
    expect_captcha(bench, "one", 0);
    account_captcha_add(&bench->store, "two", NOW + MINUTE);
    bench->store.now = NOW + MINUTE - 1;
    expect_captcha(bench, "two", 1);
    bench->store.now = NOW + MINUTE;
    expect_captcha(bench, "two", 0);
    use_captcha(bench, "two", 0);
    bench->store.now = NOW;
    account_captcha_add(&bench->store, "race", NOW + MINUTE);
    bench_race(benches, 24, use_one, NULL, &won);
    is_int(won, 1, "%s: 24 at once use one: one winner", bench->name);
}

/* What of a table is left, its names in their order: "a b". */
static void expect_left(bench_t *bench, const char *name, const char *table, const char *wanted)
{
    const char *select =
        apr_psprintf(bench->store.pool,
                     account_database_dialect(bench->name) == ACCOUNT_MYSQL
                         ? "SELECT GROUP_CONCAT(%s ORDER BY %s SEPARATOR ' ') FROM %s"
                         : "SELECT GROUP_CONCAT(n, ' ') FROM (SELECT %s AS n, %s AS m FROM %s "
                           "ORDER BY m)",
                     name, name, table);

    is_str(bench_value(bench, select), wanted, "%s: what is left of %s", bench->name, table);
}

static void expect_sweep(bench_t *bench, int wanted)
{
    int more = -1;

    is_int(account_sweep(&bench->store, &more), APR_SUCCESS, "%s: sweep", bench->name);
    is_int(more, wanted, "%s: %s", bench->name, wanted ? "there is more" : "that was all");
}

static void test_sweep(bench_t *bench)
{
    static const char *const tables[] = {"session", "code", "message", "captcha", "limit"};
    size_t i;

    bench->store.now = 2 * DAY;
    for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        bench_sql(bench, apr_pstrcat(bench->store.pool, "DELETE FROM account_", tables[i], NULL));
    }
    expect_sweep(bench, 0);
    bench_sql(bench, SESSION("over", "172799999", "172800000", "1000000"));
    bench_sql(bench, SESSION("idle", "172799000", "172900000", "1000"));
    bench_sql(bench, SESSION("lives", "172799000", "172800001", "1001"));
    bench_sql(bench, CODE("old", "86400000"));
    bench_sql(bench, CODE("young", "86400001"));
    bench_sql(bench, MESSAGE("unit", "sent", "sms", "1", "86400000"));
    bench_sql(bench, MESSAGE("unit", "justsent", "sms", "1", "86400001"));
    bench_sql(bench, MESSAGE("unit", "u1", "sms", "86400000", "0"));
    bench_sql(bench, MESSAGE("unit", "u2", "sms", "86399999", "0"));
    bench_sql(bench, MESSAGE("shop2", "u3", "mail", "1", "0"));
    bench_sql(bench, MESSAGE("unit", "waits", "sms", "86400001", "0"));
    bench_sql(bench, "INSERT INTO account_captcha (realm, id, expires) VALUES "
                     "('unit', 'old', 172800000), ('unit', 'young', 172800001)");
    bench_sql(bench, "INSERT INTO account_limit (realm, subject, used, until) VALUES "
                     "('unit', 'old', 1, 172800000), ('unit', 'young', 1, 172800001)");
    expect_sweep(bench, 0);
    expect_left(bench, "digest", "account_session", "lives");
    expect_left(bench, "target", "account_code", "young");
    expect_left(bench, "ref", "account_message", "justsent waits");
    expect_left(bench, "id", "account_captcha", "young");
    expect_left(bench, "subject", "account_limit", "young");
    ok(bench_logged(bench, "AC00162: 2 messages of realm unit by sms"), "%s: those of one realm",
       bench->name);
    ok(bench_logged(bench, "AC00162: 1 messages of realm shop2 by mail"), "%s: those of another",
       bench->name);
    bench->lines[0] = '\0';
    expect_sweep(bench, 0);
    is_str(bench->lines, "", "%s: said once", bench->name);
}

/* Rows by the hundred: "…" with the number of the row in it. */
static void fill(bench_t *bench, const char *before, const char *after, int count)
{
    const char *values = "";
    int i;

    for (i = 0; i < count; i++) {
        values = apr_pstrcat(bench->store.pool, values, i ? ", " : "", "('unit', '",
                             apr_itoa(bench->store.pool, i), "', ", after, ")", NULL);
    }
    bench_sql(bench, apr_pstrcat(bench->store.pool, before, values, NULL));
}

#define FILL_CAPTCHAS "INSERT INTO account_captcha (realm, id, expires) VALUES "
#define FILL_MESSAGES                                                                              \
    "INSERT INTO account_message (realm, ref, channel, recipient, name, content, created, "        \
    "expires, due, attempts, lease, down, done) VALUES "
#define UNSENT "'sms', 'r', 'n', 'c', 1, 5, 1, 0, '', 0, 0"

static void test_much(bench_t *bench)
{
    fill(bench, FILL_CAPTCHAS, "5", 501);
    expect_sweep(bench, 1);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_captcha WHERE expires = 5"), 1,
           "%s: 500 at a time", bench->name);
    expect_sweep(bench, 0);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_captcha WHERE expires = 5"), 0,
           "%s: and the rest", bench->name);
    fill(bench, FILL_MESSAGES, UNSENT, 501);
    expect_sweep(bench, 1);
    ok(bench_logged(bench, "AC00162: 500 messages"), "%s: 500 unsent ones at a time", bench->name);
    expect_sweep(bench, 0);
    ok(bench_logged(bench, "AC00162: 1 messages"), "%s: and the rest", bench->name);
}

static void sweep_one(bench_runner_t *runner)
{
    int more;

    runner->rv = account_sweep(&runner->store, &more);
    runner->failed = runner->rv != APR_SUCCESS;
}

/* The messages that were told of. */
static int told(bench_t *bench)
{
    const char *at = bench->lines;
    int sum = 0;

    while ((at = strstr(at, "AC00162: ")) != NULL) {
        at += strlen("AC00162: ");
        sum += (int)strtol(at, NULL, 10);
    }
    return sum;
}

/* Several servers sweep at once. */
static void test_sweep_race(bench_t *const *benches)
{
    int won;

    fill(benches[0], FILL_CAPTCHAS, "5", 400);
    fill(benches[0], FILL_MESSAGES, UNSENT, 100);
    benches[0]->store.now = benches[1]->store.now = 2 * DAY;
    benches[0]->lines[0] = benches[1]->lines[0] = '\0';
    bench_race(benches, 8, sweep_one, NULL, &won);
    is_int(told(benches[0]) + told(benches[1]), 100, "%s: each is told of once", benches[0]->name);
    is_int(bench_number(benches[0], "SELECT COUNT(*) FROM account_captcha WHERE expires = 5"), 0,
           "%s: all are gone", benches[0]->name);
}

static void refused(const char *fields, const char *sql, const char *why, apr_pool_t *pool)
{
    account_lookup_t *lookup = NULL;
    const char *error = account_lookup_parse(&lookup, fields, sql, pool);

    ok(error && strstr(error, why) && !lookup, "refused: %s \"%s\"", fields, sql);
    if (!error || !strstr(error, why)) {
        diag("it says: %s", error ? error : "nothing");
    }
}

static void converted(const char *sql, const char *wanted, const char *inputs, apr_pool_t *pool)
{
    account_lookup_t *lookup = NULL;
    const char *error = account_lookup_parse(&lookup, "a", sql, pool), *got = "";
    int i;

    is_str(error, NULL, "parsed: %s", sql);
    if (lookup) {
        is_str(lookup->statement.sql[ACCOUNT_MYSQL], wanted, "as a statement");
        is_str(lookup->statement.sql[ACCOUNT_SQLITE3], NULL, "of both dialects");
        for (i = 0; i < lookup->input_count; i++) {
            got = apr_pstrcat(pool, got, i ? " " : "", lookup->inputs[i], NULL);
        }
        is_str(got, inputs, "with its values");
    }
}

static void test_parse(apr_pool_t *pool)
{
    const char *long_name = apr_psprintf(pool, "%065d", 7);
    const char *many = "SELECT 1 WHERE 1 IN (0";
    account_lookup_t *lookup = NULL;
    int i;

    refused("", "SELECT 1", "no names", pool);
    refused("a,", "SELECT 1", "no names", pool);
    refused(",a", "SELECT 1", "no names", pool);
    refused("a, b", "SELECT 1, 2", "no names", pool);
    refused("A", "SELECT 1", "no names", pool);
    refused("a-b", "SELECT 1", "no names", pool);
    refused(long_name, "SELECT 1", "no names", pool);
    refused("a,b,a", "SELECT 1, 2, 3", "a stands twice", pool);
    refused("a", "", "no SELECT", pool);
    refused("a", "DELETE FROM t", "no SELECT", pool);
    refused("a", "SELECTED", "no SELECT", pool);
    refused("a", "UPDATE t SET a = (SELECT 1)", "no SELECT", pool);
    refused("a", "SELECT 1; DELETE FROM t", "';'", pool);
    refused("a", "SELECT ';'", "';'", pool);
    refused("a", "SELECT 1 WHERE 1 = ?", "'?'", pool);
    refused("a", "SELECT x FROM t WHERE i = %{account.password}", "%{account.password}", pool);
    refused("a", "SELECT x FROM t WHERE i = %{account.idx}", "%{account.idx}", pool);
    refused("a", "SELECT x FROM t WHERE i = %{account.id", "%{account.id", pool);
    refused("a", "SELECT x FROM t WHERE i = %{id}", "%{id}", pool);
    refused("a", "SELECT x FROM t WHERE i = '%{account.id}'", "quotes", pool);
    refused("a", "SELECT x FROM t WHERE i = \"it's %{account.email}\"", "quotes", pool);
    refused("a", "SELECT x FROM t WHERE i = 'it", "without its second", pool);
    for (i = 0; i < 17; i++) {
        many = apr_pstrcat(pool, many, ", %{account.id}", NULL);
    }
    refused("a", apr_pstrcat(pool, many, ")", NULL), "more than 16", pool);

    converted("SELECT 1", "SELECT 1", "", pool);
    converted(" select\t1", "select\t1", "", pool);
    converted("SELECT x FROM t WHERE i = %{account.id} AND a LIKE '100%' AND e IN "
              "(%{account.email}, %{account.mobile}, %{account.ref}) AND n = %{account.user_name}",
              "SELECT x FROM t WHERE i = %lld AND a LIKE '100%%' AND e IN (%s, %s, %s) AND n = %s",
              "id email mobile ref user_name", pool);
    converted("SELECT 'it''s', 7 % 4, '%s'", "SELECT 'it''s', 7 %% 4, '%%s'", "", pool);
    is_str(account_lookup_parse(&lookup, "orders_count,total_spent,x2", "SELECT 1, 2, 3", pool),
           NULL, "three fields");
    is_int(lookup->fields->nelts, 3, "of three names");
    is_str(APR_ARRAY_IDX(lookup->fields, 1, const char *), "total_spent", "in their order");
    ok(strstr(lookup->statement.name, "orders_count") != NULL, "its name says which");
}

enum { ORDERS, NOBODY, NAME, ALL_INPUTS, TOO_MANY, MISSING, LOOKUPS };

static void run_lookup(bench_t *bench, const account_lookup_t *lookup, const account_t *account,
                       const char *wanted)
{
    const char *const *values = NULL;
    const char *got = "";
    int i;

    is_int(account_lookup_run(&bench->store, lookup, account, &values), APR_SUCCESS, "%s: %s",
           bench->name, lookup->statement.name);
    for (i = 0; values && i < lookup->fields->nelts; i++) {
        got =
            apr_pstrcat(bench->store.pool, got, i ? " " : "", values[i] ? values[i] : "NULL", NULL);
    }
    is_str(got, wanted, "%s: its values", bench->name);
}

static void test_lookups(const char *driver, const char *params, apr_pool_t *pool)
{
    static const char *const words[LOOKUPS][2] = {
        [ORDERS] = {"orders_count,total_spent",
                    "SELECT COUNT(*), SUM(amount) FROM site_order "
                    "WHERE account = %{account.id} AND note LIKE '100%'"},
        [NOBODY] = {"a,b", "SELECT note, amount FROM site_order WHERE account = -%{account.id}"},
        [NAME] = {"c", "SELECT note FROM site_order WHERE note = %{account.user_name}"},
        [ALL_INPUTS] = {"d,e", "SELECT COUNT(*), NULL FROM site_order WHERE account = "
                               "%{account.id} AND %{account.ref} = 'ref' AND "
                               "%{account.email} = 'a@b.cc' AND %{account.mobile} IS NULL"},
        [TOO_MANY] = {"f", "SELECT note, amount FROM site_order"},
        [MISSING] = {"g", "SELECT x FROM site_nowhere"},
    };
    account_statement_t statements[ACCOUNT_SQL_COUNT + LOOKUPS];
    account_t account = {.id = 7, .ref = "ref", .identifiers = {"x' OR '1'='1", "a@b.cc", NULL}};
    bench_t *bench = bench_make(driver, params, BENCH_KEY_A, pool);
    account_lookup_t *lookups[LOOKUPS];
    const char *const *values;
    int i;

    memcpy(statements, account_statements, sizeof(*statements) * ACCOUNT_SQL_COUNT);
    for (i = 0; i < LOOKUPS; i++) {
        is_str(account_lookup_parse(&lookups[i], words[i][0], words[i][1], pool), NULL,
               "%s: a lookup", driver);
        lookups[i]->number = ACCOUNT_SQL_COUNT + i;
        statements[ACCOUNT_SQL_COUNT + i] = lookups[i]->statement;
    }
    bench->config.statements = statements;
    bench->config.statement_count = ACCOUNT_SQL_COUNT + LOOKUPS;
    bench_start(bench);
    bench_sql(bench, "CREATE TABLE site_order (account BIGINT, amount BIGINT, note VARCHAR(20))");
    bench_sql(bench, "INSERT INTO site_order VALUES (7, 30, '100 a'), (7, 12, '100 b'), "
                     "(7, 1, '1000'), (7, 1000, '99'), (8, 5, '100 c')");
    run_lookup(bench, lookups[ORDERS], &account, "3 43");
    run_lookup(bench, lookups[NOBODY], &account, "NULL NULL");
    run_lookup(bench, lookups[NAME], &account, "NULL");
    run_lookup(bench, lookups[ALL_INPUTS], &account, "4 NULL");
    account.id = 9;
    run_lookup(bench, lookups[ORDERS], &account, "0 NULL");
    is_int(account_lookup_run(&bench->store, lookups[TOO_MANY], &account, &values), APR_EINVAL,
           "%s: two columns for one field", driver);
    ok(bench_logged(bench, "AC00163"), "%s: and said so", driver);
    is_int(account_lookup_run(&bench->store, lookups[MISSING], &account, &values),
           ACCOUNT_EDATABASE, "%s: a table that is not there", driver);
    ok(bench_logged(bench, "AccountLookup g"), "%s: it says which lookup", driver);
    run_lookup(bench, lookups[ORDERS], &account, "0 NULL");
    bench_stop(bench);
}

static void test_ledger(const char *driver, const char *params, apr_pool_t *pool)
{
    apr_global_mutex_t *writer = NULL;
    bench_t *benches[2];
    int i;

    test_migration(driver, params, pool);
    apr_global_mutex_create(&writer, NULL, APR_LOCK_DEFAULT, pool);
    for (i = 0; i < 2; i++) {
        benches[i] = bench_make(driver, params, BENCH_KEY_A, pool);
        benches[i]->config.writer = writer;
        bench_start(benches[i]);
    }
    test_points(benches[0]);
    test_captchas(benches);
    test_sweep(benches[0]);
    test_much(benches[0]);
    test_sweep_race(benches);
    bench_stop(benches[0]);
    bench_stop(benches[1]);
    if (account_database_dialect(driver) == ACCOUNT_SQLITE3) {
        test_parse(pool);
    }
    test_lookups(driver, params, pool);
}

int main(void)
{
    return bench_main(test_ledger);
}
