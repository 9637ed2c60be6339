#ifndef ACCOUNT_BASE_EXIT_H
#define ACCOUNT_BASE_EXIT_H

#include <apr_errno.h>

/*
 * The end of a process that may still have threads. exit() runs handlers that free what every
 * thread uses (OpenSSL's tables, APR's pools, loaded modules): whoever runs on meanwhile crashes.
 * So threads are joined before that; this is for those that can't be.
 */

/* To be zero but for these two when it is handed over; lives as long as the process. */
typedef struct account_exit_t {
    /* Called at exit: whether no thread of baton's runs any more. Must not wait for one. */
    int (*is_over)(void *baton);
    void *baton;
    int is_set;
} account_exit_t;

/*
 * From now on exit() asks is_over before all handlers that there are already. 0: the process ends
 * at once, with exit's status and what stdio has buffered, but without those handlers. The last
 * thing a pool's cleanup does: what is registered after it runs before it. Again: no effect.
 * APR_ENOMEM: exit() has no room for it. APR_ENOTIMPL where the system has no on_exit(3): such a
 * thread is then left to its luck.
 */
apr_status_t account_exit_guard(account_exit_t *leaving);

/* The module's code stays in memory for good: a thread that comes back from a system call late, and
 * the handler above, may outlive httpd's unloading of modules. */
void account_exit_keep_code(void);

/* To be called by a thread after the last thing it does with OpenSSL, if it may not be joined
 * before exit(): else OpenSSL frees what it keeps for the thread when that ends, which may
 * be after OpenSSL itself was freed. It may use OpenSSL again later. */
void account_exit_thread(void);

#endif
