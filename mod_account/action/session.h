#ifndef ACCOUNT_ACTION_SESSION_H
#define ACCOUNT_ACTION_SESSION_H

#include "action/call.h"

/* No honest client sends more session cookies of one name than this; more are none. */
#define ACCOUNT_SESSION_TOKENS 4
/* But a logout or login ends up to so many of each name. */
#define ACCOUNT_SESSION_TOKENS_ENDED 32

/*
 * Finds the caller's session. cookies: of apr_array_header_t *, for each cookie name its different
 * values (of const char *); the first name with a live session counts; two live sessions under one
 * name are none at all. Both results are NULL when nobody is logged in. A failure of the database
 * is a failure, never "not logged in".
 */
apr_status_t account_session_resolve(const account_store_t *store,
                                     const apr_array_header_t *cookies,
                                     const account_session_t **session, const account_t **account);

/* Begins a session for account, whose password was verified as read, in answer; those that the
 * request presented end in the same transaction (no fixation: ASVS 7.2.4). ACCOUNT_EROLLBACK: the
 * password has been changed or its hash renewed since, so look again. */
apr_status_t account_session_log_in(const account_call_t *call, const account_t *account,
                                    account_answer_t *answer);

/* Ends all tokens that the request presented, also when they are no session together (two live ones
 * under one name are none): who logs out wants none of them to live on. Their cookies expire. */
apr_status_t account_session_log_out(const account_call_t *call, account_answer_t *answer);

/* Tells in answer of a session that has been stored for account just now: its cookie is to be set,
 * and a device cookie where the browser has none. */
apr_status_t account_session_announce(const account_call_t *call, const account_t *account,
                                      const account_session_t *session, account_answer_t *answer);

#endif
