#include "action/session.h"

#include <apr_strings.h>

#include "action/actions.h"
#include "action/device.h"

/* *live: how many of the tokens are sessions. */
static apr_status_t find_live(const account_store_t *store, const apr_array_header_t *tokens,
                              const account_session_t **session, const account_t **account,
                              int *live)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    *live = 0;
    for (i = 0; i < tokens->nelts && rv == APR_SUCCESS && *live < 2; i++) {
        const account_session_t *found_session;
        const account_t *found_account;

        rv = account_session_find(store, APR_ARRAY_IDX(tokens, i, const char *), &found_session,
                                  &found_account);
        if (rv == APR_SUCCESS && found_session) {
            *session = found_session;
            *account = found_account;
            ++*live;
        }
    }
    return rv;
}

apr_status_t account_session_resolve(const account_store_t *store,
                                     const apr_array_header_t *cookies,
                                     const account_session_t **session, const account_t **account)
{
    apr_status_t rv;
    int live = 0;
    int i;

    *session = NULL;
    *account = NULL;
    for (i = 0; i < cookies->nelts && live == 0; i++) {
        const apr_array_header_t *tokens = APR_ARRAY_IDX(cookies, i, apr_array_header_t *);

        if (tokens->nelts > ACCOUNT_SESSION_TOKENS) {
            break;
        }
        rv = find_live(store, tokens, session, account, &live);
        if (rv != APR_SUCCESS) {
            *session = NULL;
            *account = NULL;
            return rv;
        }
    }
    if (live != 1) {
        *session = NULL;
        *account = NULL;
    }
    return APR_SUCCESS;
}

apr_status_t account_session_log_in(const account_call_t *call, const account_t *account,
                                    account_answer_t *answer)
{
    account_session_t *session;
    apr_status_t rv = account_session_make(call->store, account->id, &call->terms, &session);

    if (rv == APR_SUCCESS) {
        rv = account_session_begin(call->store, session, account);
    }
    return rv == APR_SUCCESS ? account_session_announce(call, account, session, answer) : rv;
}

apr_status_t account_session_announce(const account_call_t *call, const account_t *account,
                                      const account_session_t *session, account_answer_t *answer)
{
    answer->session = session;
    answer->session_begun = 1;
    return account_device_remember(call, account, answer);
}

apr_status_t account_do_none(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_SUCCESS;
}

apr_status_t account_do_current(const account_call_t *call, account_answer_t *answer)
{
    answer->account = call->account;
    answer->session = call->session;
    return APR_SUCCESS;
}

apr_status_t account_session_log_out(const account_call_t *call, account_answer_t *answer)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < call->presented->nelts && rv == APR_SUCCESS; i++) {
        rv = account_session_end(call->store, APR_ARRAY_IDX(call->presented, i, const char *));
    }
    answer->session_ended = call->presented->nelts > 0;
    return rv;
}

apr_status_t account_do_logout(const account_call_t *call, account_answer_t *answer)
{
    const char *account_id = account_call_value(call, "account_id");

    answer->subject = call->account;
    if (!call->session) {
        answer->outcome = ACCOUNT_NOT_LOGGED_IN;
    }
    else if (account_id && apr_atoi64(account_id) != call->account->id) {
        answer->outcome = ACCOUNT_NOT_YOURS;
        return APR_SUCCESS;
    }
    return account_session_log_out(call, answer);
}
