#ifndef ACCOUNT_BASE_CLOCK_H
#define ACCOUNT_BASE_CLOCK_H

#include <apr_time.h>

/* Microseconds of a clock that is never set back, for deadlines only. Its zero means nothing. */
apr_time_t account_clock_monotonic(void);

#endif
