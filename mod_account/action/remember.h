#ifndef ACCOUNT_ACTION_REMEMBER_H
#define ACCOUNT_ACTION_REMEMBER_H

#include "action/login.h"
#include "base/cache.h"

/*
 * account_login_verify for who sends the password with every request: that it was right is
 * remembered for ACCOUNT_REMEMBERED, and neither hashed nor counted again so long. What is
 * remembered is a keyed digest of realm, account, its stored hash and the password; so another
 * password, another hash of the same one, or another realm is not. login->account is read by each
 * request before, and its status counts at once. Of many that come with the same password at the
 * same time one verifies it, and the others wait for that. A hash of another cost than today's is
 * renewed.
 *
 * cache: NULL: nothing is remembered. *verified: by a hash, and not from memory. ACCOUNT_EBUSY
 * besides what account_login_verify returns: it took the one too long.
 */
apr_status_t account_login_recall(const account_call_t *call, const account_login_t *login,
                                  const account_cache_t *cache, account_answer_t *answer,
                                  int *verified);

#define ACCOUNT_REMEMBERED apr_time_from_sec(300)

#endif
