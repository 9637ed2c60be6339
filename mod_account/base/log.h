#ifndef ACCOUNT_BASE_LOG_H
#define ACCOUNT_BASE_LOG_H

#include <apr_errno.h>

/* Log lines carry numbers of our own, so that an administrator can search for them. A number is
 * used once in the whole source and never again (t/guard.t). */
#define ACLOGNO(number) "AC" #number ": "

typedef enum account_log_level_e {
    ACCOUNT_LOG_ERROR,
    ACCOUNT_LOG_WARNING,
    ACCOUNT_LOG_NOTICE,
    ACCOUNT_LOG_DEBUG
} account_log_level_e;

/*
 * The core's way to the server's log, filled in by httpd/. May be called from any thread.
 * message: begins with ACLOGNO(nnnnn); holds no secret, and no bytes of a client that were not
 * escaped. fn may be NULL: then nothing is logged.
 */
typedef struct account_log_t {
    void (*fn)(void *baton, account_log_level_e level, apr_status_t status, const char *message);
    void *baton;
} account_log_t;

/* Formats like printf and hands the line to log->fn. Lines are cut at 1,000 bytes.
 * log: may be NULL. */
void account_log(const account_log_t *log, account_log_level_e level, apr_status_t status,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
