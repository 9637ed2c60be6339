#ifndef ACCOUNT_BASE_GATE_H
#define ACCOUNT_BASE_GATE_H

#include <apr_pools.h>
#include <apr_time.h>

/*
 * The gate that dear work (password hashing) passes: as many at once as it has slots, in all
 * processes together; a bounded number wait. Counting semaphores of System V with SEM_UNDO,
 * because the kernel gives back what a killed process held. Waiters are served in order, but those
 * of different addresses in turns: who is many waits for himself.
 */
typedef struct account_gate_t account_gate_t;

/* To be called before the fork. slots: 1-1024 at once; waiters: how many more may wait, 0 and up;
 * both together 32,767 at most (else APR_EINVAL). owner: the user id whose processes may pass (-1:
 * leave as is). The semaphores go with the pool, in the process that created them only; a process
 * that still runs work after that does one at a time. APR_ENOSPC and the like from semget(2). */
apr_status_t account_gate_create(account_gate_t **gate, int slots, int waiters, int owner,
                                 apr_pool_t *pool);

/* To be called in each child: when pool is destroyed, this first waits for the work that is under
 * way in this process. The thread that destroys it may be the one that gave the work, in a signal
 * handler: prefork ends its children so. waiters: how many of this process may wait (half as many
 * of one address alone), so that its other threads are left for other things. gate may be NULL. */
void account_gate_attach(account_gate_t *gate, int waiters, apr_pool_t *pool);

/*
 * Runs fn(baton) once, in a thread of its own at the lowest scheduling priority, and returns
 * when it has ended. who: the client's address, or what else takes turns; of one alone only half as
 * many may wait. deadline: of account_clock_monotonic, for the wait (not for the work).
 * ACCOUNT_EBUSY: the queue is full, or as much of it as one address or one process gets; the
 * deadline came first; or there is no thread to be had.
 * After that, and after any other failure (of semop(2)), fn was not run.
 * gate may be NULL (unit programs): fn runs at once, in the caller's thread.
 */
apr_status_t account_gate_run(account_gate_t *gate, const char *who, apr_time_t deadline,
                              void (*fn)(void *baton), void *baton);

/* Whether account_gate_run would be busy at once: who asks before needs no other work that would be
 * for nothing. */
int account_gate_is_full(const account_gate_t *gate, const char *who);

/* How many work and wait right now, of all processes, for the status page. Of a NULL gate, and of
 * one whose semaphores are gone, 0. */
void account_gate_load(account_gate_t *gate, int *working, int *waiting);

/* How many may work at once; 0 of a NULL gate. */
int account_gate_slots(const account_gate_t *gate);

#endif
