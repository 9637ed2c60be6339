#ifndef ACCOUNT_BASE_CLOCK_H
#define ACCOUNT_BASE_CLOCK_H

#include <apr_time.h>

/* Microseconds of a clock that is never set back, for deadlines only. Its zero means nothing. */
apr_time_t account_clock_monotonic(void);

/* When the calendar year began in which now lies, or the years-th before it; when it was months
 * months ago, on the same day of the month (or its last) at the same time of day. Milliseconds UTC;
 * zone: minutes east of UTC. */
apr_int64_t account_clock_year(apr_int64_t now, int zone, int years);
apr_int64_t account_clock_months_ago(apr_int64_t now, int zone, int months);

#endif
