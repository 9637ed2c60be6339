#ifndef ACCOUNT_ACTION_CAPTCHA_H
#define ACCOUNT_ACTION_CAPTCHA_H

#include "action/limits.h"

/* How long a captcha is good for, in milliseconds, and how many characters it shows. */
#define ACCOUNT_CAPTCHA_LIFE (5 * 60 * APR_INT64_C(1000))
#define ACCOUNT_CAPTCHA_CHARACTERS 5

/* What the captcha of that id shows, by key n of the module's: derived, so that it stands nowhere.
 * NULL: no such key. */
const char *account_captcha_text(const account_store_t *store, const char *id, int key);

/*
 * Whether the call may go on without a captcha, or has brought a right one (which is then used up,
 * right or wrong). free: what may happen without one; it is taken. Where the route has no captcha
 * it always passes. *passed 0: answer ends captcha-needed or wrong-captcha. *taken: whether free
 * was taken, for who gives it back.
 */
typedef struct account_captcha_pass_t {
    account_budget_t free;
    int taken;
    int passed;
} account_captcha_pass_t;
apr_status_t account_captcha_check(const account_call_t *call, account_captcha_pass_t *pass,
                                   account_answer_t *answer);

#endif
