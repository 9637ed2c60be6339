/* The action "points" and the calendar that it goes by. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "seventh.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define EAST (8 * 60)
#define WEST (-5 * 60)

/* Milliseconds of a date and time of day in UTC. */
static apr_int64_t at(int year, int month, int day, apr_int64_t of_day)
{
    apr_time_exp_t parts = {0};
    apr_time_t time = 0;

    parts.tm_year = year - 1900;
    parts.tm_mon = month - 1;
    parts.tm_mday = day;
    apr_time_exp_gmt_get(&time, &parts);
    return apr_time_as_msec(time) + of_day;
}

static void test_months(void)
{
    static const struct {
        int from[3];
        int months;
        int to[3];
    } rows[] = {
        {{2026, 7, 15}, 3, {2026, 4, 15}},    {{2026, 3, 15}, 3, {2025, 12, 15}},
        {{2026, 1, 31}, 3, {2025, 10, 31}},   {{2026, 5, 31}, 3, {2026, 2, 28}},
        {{2024, 5, 31}, 3, {2024, 2, 29}},    {{2024, 5, 29}, 3, {2024, 2, 29}},
        {{2026, 7, 31}, 1, {2026, 6, 30}},    {{2026, 12, 31}, 1, {2026, 11, 30}},
        {{2026, 3, 1}, 12, {2025, 3, 1}},     {{2024, 2, 29}, 12, {2023, 2, 28}},
        {{2024, 2, 29}, 48, {2020, 2, 29}},   {{2100, 5, 31}, 3, {2100, 2, 28}},
        {{2000, 5, 31}, 3, {2000, 2, 29}},    {{2026, 1, 1}, 1, {2025, 12, 1}},
        {{2026, 12, 15}, 12, {2025, 12, 15}}, {{2026, 11, 30}, 0, {2026, 11, 30}},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        apr_int64_t from = at(rows[i].from[0], rows[i].from[1], rows[i].from[2], 0);
        apr_int64_t to = at(rows[i].to[0], rows[i].to[1], rows[i].to[2], 0);
        apr_int64_t noon = 12 * HOUR + 34 * MINUTE + 56 * SECOND;

        is_int(account_clock_months_ago(from + noon, 0, rows[i].months), to + noon,
               "%d months before %d-%d-%d", rows[i].months, rows[i].from[0], rows[i].from[1],
               rows[i].from[2]);
        /* the same local days elsewhere */
        is_int(account_clock_months_ago(from - 8 * HOUR, EAST, rows[i].months), to - 8 * HOUR,
               "at midnight in the east");
        is_int(account_clock_months_ago(from + 29 * HOUR - SECOND, WEST, rows[i].months),
               to + 29 * HOUR - SECOND, "just before midnight in the west");
    }
    /* UTC has the 28th still, the east the 1st already */
    is_int(account_clock_months_ago(at(2026, 2, 28, 20 * HOUR), EAST, 1),
           at(2026, 1, 31, 20 * HOUR), "1 March in the east: 1 February there");
    is_int(account_clock_months_ago(at(2026, 2, 28, 20 * HOUR), 0, 1), at(2026, 1, 28, 20 * HOUR),
           "28 February in UTC: 28 January");
}

static void test_years(void)
{
    apr_int64_t year = at(2026, 1, 1, 0);

    is_int(account_clock_year(at(2026, 7, 1, 0), 0, 0), year, "this year");
    is_int(account_clock_year(at(2026, 7, 1, 0), 0, 1), at(2025, 1, 1, 0), "last year");
    is_int(account_clock_year(year, 0, 0), year, "its first moment");
    is_int(account_clock_year(year - 1, 0, 0), at(2025, 1, 1, 0), "and one before");
    is_int(account_clock_year(at(2024, 12, 31, DAY - 1), 0, 0), at(2024, 1, 1, 0), "a leap year");
    is_int(account_clock_year(year - 8 * HOUR, EAST, 0), year - 8 * HOUR,
           "it begins eight hours sooner in the east");
    is_int(account_clock_year(year - 8 * HOUR - 1, EAST, 0), at(2025, 1, 1, 0) - 8 * HOUR,
           "and not sooner than that");
    is_int(account_clock_year(year, WEST, 0), at(2025, 1, 1, 0) + 5 * HOUR,
           "in the west it is the old year still");
    is_int(account_clock_year(year, WEST, 1), at(2024, 1, 1, 0) + 5 * HOUR, "and the one before");
    is_int(account_clock_year(year + 5 * HOUR, WEST, 0), year + 5 * HOUR, "till five");
}

static void earn(server_t *server, const char *mobile, int amount, apr_int64_t when)
{
    sql(server, apr_psprintf(server->process,
                             "INSERT INTO account_point (account, amount, description, created) "
                             "VALUES (%" APR_INT64_T_FMT ", %d, 'no %d', %" APR_INT64_T_FMT ")",
                             stored(server, mobile)->id, amount, amount, when));
}

/* What the list shows: the amounts, with blanks between them. */
static const char *amounts(server_t *server)
{
    const char *list = "";
    int i;
    const apr_array_header_t *entries = server->response.answer.entries;

    for (i = 0; entries && i < entries->nelts; i++) {
        list = apr_psprintf(server->process, "%s%s%" APR_INT64_T_FMT, list, *list ? " " : "",
                            APR_ARRAY_IDX(entries, i, account_entry_t).amount);
    }
    return list;
}

static void check_list(server_t *server, const char *query, const char *wanted, const char *session)
{
    expect(server, "GET /s/points", query, session, "ok");
    is_str(amounts(server), wanted, "%s", query);
}

static void test_recent(server_t *server)
{
    const char *session, *other;
    apr_int64_t border;

    server->settings.zone = EAST;
    server->now = at(2026, 5, 30, 20 * HOUR); /* the 31st in the east: its border is 28 February */
    session = prove(server, "13900000001", "password1");
    other = prove(server, "13900000002", "password1");
    border = at(2026, 2, 27, 20 * HOUR);
    expect(server, "GET /s/points", NULL, NULL, "not-logged-in");
    check_list(server, "", "", session);
    is_str(member(server, "total"), "0", "nothing yet");
    is_str(member(server, "empty"), "true", "an empty list");
    is_str(member(server, "pages"), "0", "of no pages");
    earn(server, "13900000001", 1, border - 1);
    earn(server, "13900000001", 2, border);
    earn(server, "13900000001", -3, server->now);
    earn(server, "13900000002", 100, server->now);
    check_list(server, "", "-3 2 1", session);
    check_list(server, "recent=true", "-3 2", session);
    check_list(server, "older=true", "1", session);
    check_list(server, "older=true&recent=true", "-3 2 1", session);
    check_list(server, "older=false&recent=false", "-3 2 1", session);
    check_list(server, "older=false&recent=1", "-3 2", session);
    is_str(member(server, "items"), "2", "counted as filtered");
    is_str(member(server, "total"), "0", "but the total is of all");
    is_str(member(server, "empty"), "false", "the list is not empty");
    check_list(server, "", "100", other);
    expect(server, "GET /s/points", "recent=maybe", session, "invalid.recent.boolean");
    expect(server, "GET /s/points", "page=-1", session, "invalid.page.number");
    expect(server, "GET /s/points", "size=1e3", session, "invalid.size.number");
    expect(server, "GET /s/points", "page=99999999999999999999", session, "invalid.page.number");
    server->settings.zone = 0; /* the 30th: the border is 28 February, later than in the east */
    check_list(server, "recent=true", "-3", session);
}

static void test_pages(server_t *server)
{
    const char *session = prove(server, "13900000003", "password1");

    sql(server, apr_psprintf(server->process,
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                             "WHERE i < 1105) INSERT INTO account_point (account, amount, "
                             "description, created) SELECT %" APR_INT64_T_FMT ", i, 'a', "
                             "%" APR_INT64_T_FMT " + i FROM n",
                             stored(server, "13900000003")->id, server->now - 2000));
    check_list(server, "", "1105 1104 1103 1102 1101 1100 1099 1098 1097 1096", session);
    is_str(member(server, "size"), "10", "ten, unless it is told");
    is_str(member(server, "pages"), "111", "on 111 pages");
    is_str(member(server, "items"), "1105", "of 1105");
    check_list(server, "page=111", "5 4 3 2 1", session);
    check_list(server, "page=112", "", session);
    is_str(member(server, "page"), "112", "a page behind the last");
    is_str(member(server, "empty"), "true", "is empty");
    check_list(server, "page=0&size=3", "1105 1104 1103", session);
    is_str(member(server, "page"), "1", "page 0 is the first");
    check_list(server, "page=2&size=3", "1102 1101 1100", session);
    check_list(server, "page=9007199254740992&size=100", "", session);
    expect(server, "GET /s/points", "size=9007199254740992", session, "ok");
    is_str(member(server, "size"), "100", "a hundred at most");
    is_int(server->response.answer.entries->nelts, 100, "a hundred");
    is_str(member(server, "pages"), "12", "on twelve pages");
    check_list(server, "size=0&page=111", "5 4 3 2 1", session);
    expect(server, "GET /s/points", "all=y&page=7&size=1", session, "ok");
    is_int(server->response.answer.entries->nelts, 1000, "all: a thousand at most");
    is_str(member(server, "page"), "1", "as one page");
    is_str(member(server, "size"), "1000", "of a thousand");
    is_str(member(server, "pages"), "2", "of two: it says that there are more");
    expect(server, "GET /s/points", "all=n&size=2", session, "ok");
    is_int(server->response.answer.entries->nelts, 2, "not all");
}

/* Last year, where midnight is. */
static void test_last_year(server_t *server)
{
    apr_int64_t midnight = at(2026, 1, 1, -8 * HOUR); /* in the east */
    const char *session;

    server->settings.zone = EAST;
    server->now = midnight - SECOND;
    session = prove(server, "13900000004", "password1");
    earn(server, "13900000004", 1, at(2024, 1, 1, -8 * HOUR) - 1);
    earn(server, "13900000004", 10, at(2024, 1, 1, -8 * HOUR));
    earn(server, "13900000004", 100, at(2025, 1, 1, -8 * HOUR) - 1);
    earn(server, "13900000004", 1000, at(2025, 1, 1, -8 * HOUR));
    earn(server, "13900000004", 10000, midnight - 1);
    earn(server, "13900000004", 100000, midnight);
    check_list(server, "size=1", "100000", session);
    is_str(member(server, "last_year"), "110", "2025 in the east still: last year is 2024");
    is_str(member(server, "total"), "111111", "the total");
    server->now = midnight;
    check_list(server, "size=1", "100000", session);
    is_str(member(server, "last_year"), "11000", "2026: last year is 2025");
    server->settings.zone = 0;
    check_list(server, "size=1", "100000", session);
    is_str(member(server, "last_year"), "1100", "in UTC it is 2025 still, of other bounds");
}

int main(void)
{
    static void (*const tests[])(server_t * server) = {test_recent, test_pages, test_last_year};
    apr_pool_t *pool;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_months();
    test_years();
    for (i = 0; i < COUNT(tests); i++) {
        server_t *server = seventh_make(pool);

        tests[i](server);
        apr_pool_destroy(server->process);
    }
    apr_pool_destroy(pool);
    return done_testing();
}
