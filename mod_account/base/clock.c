#include "base/clock.h"

#include <time.h>

apr_time_t account_clock_monotonic(void)
{
    struct timespec now = {0, 0};

    /* Cannot fail: the clock is there on every system that the module is built for. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}
