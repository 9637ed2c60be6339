#ifndef ACCOUNT_ACTION_HASHING_H
#define ACCOUNT_ACTION_HASHING_H

#include "action/call.h"

/*
 * Password work for actions: through the gate, in a thread of its own, no connection held
 * meanwhile. ACCOUNT_EBUSY: the queue is full or too slow.
 */

/* Whether the others would be busy at once: no need to ask the database first. */
int account_hashing_is_busy(const account_call_t *call);

/* *matches: whether the password is account's. account NULL, an account without a password: takes
 * as long as a wrong password and never matches. */
apr_status_t account_hashing_verify(const account_call_t *call, const account_t *account,
                                    const char *password, int *matches);

/* *phc: the password's hash at the realm's cost. */
apr_status_t account_hashing_make(const account_call_t *call, const char *password,
                                  const char **phc);

#endif
