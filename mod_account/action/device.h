#ifndef ACCOUNT_ACTION_DEVICE_H
#define ACCOUNT_ACTION_DEVICE_H

#include "action/call.h"

/*
 * Device cookies: who has logged in to an account once gets one, and guesses at that account's
 * password from there are counted by themselves. So an attacker who uses up the account's guesses
 * does not lock its owner out (OWASP: Slow Down Online Guessing Attacks with Device Cookies). The
 * value is 65 random bits and as many of their signature for that account, in the form of a session
 * token; nothing is stored. Who forged one would have won a few guesses.
 */

/* What the call's device cookies say: the digits of one that is good for account, NULL: none. */
const char *account_device_find(const account_call_t *call, const account_t *account);

/* Has the reply set a device cookie for account, as it is now, unless the request carried one or
 * there are to be none. */
apr_status_t account_device_remember(const account_call_t *call, const account_t *account,
                                     account_answer_t *answer);

#endif
