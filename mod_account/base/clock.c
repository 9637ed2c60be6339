#include "base/clock.h"

#include <time.h>

apr_time_t account_clock_monotonic(void)
{
    struct timespec now = {0, 0};

    /* Cannot fail: the clock is there on every system that the module is built for. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}

/* The parts of a moment in a zone. */
static void explode(apr_int64_t now, int zone, apr_time_exp_t *parts)
{
    apr_time_exp_tz(parts, apr_time_from_msec(now), zone * 60);
}

static apr_int64_t implode(apr_time_exp_t *parts)
{
    apr_time_t time = 0;

    apr_time_exp_gmt_get(&time, parts);
    return apr_time_as_msec(time);
}

apr_int64_t account_clock_year(apr_int64_t now, int zone, int years)
{
    apr_time_exp_t parts;
    apr_time_exp_t start = {0};

    explode(now, zone, &parts);
    start.tm_year = parts.tm_year - years;
    start.tm_mday = 1;
    start.tm_gmtoff = zone * 60;
    return implode(&start);
}

static int days_in(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month] + (month == 1 && leap);
}

apr_int64_t account_clock_months_ago(apr_int64_t now, int zone, int months)
{
    apr_time_exp_t parts;
    int month, last;

    explode(now, zone, &parts);
    month = parts.tm_year * 12 + parts.tm_mon - months;
    parts.tm_year = month / 12;
    parts.tm_mon = month % 12;
    last = days_in(parts.tm_mon, parts.tm_year + 1900);
    parts.tm_mday = parts.tm_mday > last ? last : parts.tm_mday;
    return implode(&parts);
}
