#ifndef ACCOUNT_BASE_FENCE_H
#define ACCOUNT_BASE_FENCE_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

/*
 * Since when a copy of something that the database says may be believed. A table of times in memory
 * that all processes of a machine share; nothing is ever evicted from it, and a process that is
 * killed leaves nothing behind in it that would have to be put right.
 *
 * Each thing that changes (an account, a session) has a slot by the hash of its name; others may
 * have the same one, which costs a look at the database and nothing else. A copy that was read from
 * the database is good while its slot is earlier than the moment before the reading began.
 *
 * - Who changes something closes its slot before the change is committed: the slot then lies
 *   ACCOUNT_FENCE_LATEST ahead, so no copy is good, neither those that exist nor those that are
 *   being read just now.
 * - Who knows that it has been committed, or never will be, opens the slot again: it then says
 *   "now". What was read before is worthless, what is read from now on contains the change.
 * - Who does not know (killed, the answer to COMMIT lost) leaves it closed: it opens by itself
 *   when the time that it says has come.
 * - Of several who change the same at once the last one opens: a slot counts who closed it and has
 *   not said how it ended. Who was killed is counted until the slot has opened by itself, with
 *   which counting begins anew; who ends later than that is not among them and opens nothing, but
 *   what was read until then is worthless all the same.
 *
 * So from the commit on, at the moment C, the slot never says less than C: while it is closed it
 * says more, since what commits does so within ACCOUNT_FENCE_LATEST of closing; it is opened when
 * whoever committed is done, so it then says a moment after C. A copy that is good at any moment
 * after C was read from after C on: it contains the change. (t/unit/test_cache.c tries every
 * order.)
 */

#define ACCOUNT_FENCE_SLOTS 65536

/* Longer than any change takes from closing to its commit, if it ever gets there: a request has
 * 2.5 seconds, a statement that its client left alone waits for a lock for 50 (MySQL's
 * innodb_lock_wait_timeout). */
#define ACCOUNT_FENCE_LATEST apr_time_from_sec(60)

typedef struct account_fence_t {
    /* ACCOUNT_FENCE_SLOTS, zero at first: a time (account_clock_monotonic) and a count */
    volatile apr_uint64_t *slots;
} account_fence_t;

/* The slot of something: what it is ("account"), in which realm, and its name there. */
apr_uint32_t account_fence_slot(const char *what, const char *realm, const char *name);

/* Whether a copy that was read from the moment since on is good. */
int account_fence_is_good(const account_fence_t *fence, apr_uint32_t slot, apr_time_t since);

/* What one transaction closed. One thread's. */
typedef struct account_closing_t {
    const account_fence_t *fence;
    apr_array_header_t *closed; /* NULL: nothing */
    apr_pool_t *pool;
} account_closing_t;

/* Before the commit; again and again does no harm. now: account_clock_monotonic. */
void account_fence_close(account_closing_t *closing, apr_uint32_t slot, apr_time_t now);

/* After it. is_known: it is known that all was committed, or that nothing was and will be. The
 * closing is empty then. */
void account_fence_end(account_closing_t *closing, int is_known, apr_time_t now);

#endif
