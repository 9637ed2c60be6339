#ifndef ACCOUNT_BASE_STATUS_H
#define ACCOUNT_BASE_STATUS_H

#include <apr_errno.h>

/*
 * apr_status_t says whether the machine worked. These are the failures that APR has no name for;
 * every other failure of the machine keeps APR's own code. What a rule refuses is an outcome
 * (action/outcome.h), never a status.
 */

/* A unique key exists already. The transaction was rolled back. */
#define ACCOUNT_ECONFLICT (APR_OS_START_USERERR + 1)
/* The database refused, lost or never had the connection; what was asked has not been done, or
 * (a COMMIT whose answer was lost) may have been. Details went to the log callback. */
#define ACCOUNT_EDATABASE (APR_OS_START_USERERR + 2)
/* Everybody is busy and the queue is full, or the deadline passed while waiting. Try later. */
#define ACCOUNT_EBUSY (APR_OS_START_USERERR + 3)
/* Work that returns this is rolled back without being a failure: the rule said no in mid-work. */
#define ACCOUNT_EROLLBACK (APR_OS_START_USERERR + 4)
/* Nothing can be delivered now: the gateway that messages go through is known to be down. */
#define ACCOUNT_EDELIVERY (APR_OS_START_USERERR + 5)

/* Whether it is one of these: APR has no text for it, and what is to be known of it was logged
 * where it happened, once and not for each request (of ACCOUNT_EBUSY nothing is). */
#define ACCOUNT_STATUS_IS_OURS(status) ((status) >= APR_OS_START_USERERR)

#endif
