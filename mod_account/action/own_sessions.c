#include <string.h>

#include "action/actions.h"
#include "action/session.h"

/* More are not shown, only counted: there are as many only where AccountSessionsPerAccount is off
 * or much larger than by default. */
#define SHOWN_MOST 100

apr_status_t account_do_sessions(const account_call_t *call, account_answer_t *answer)
{
    account_sessions_t sessions = {NULL, 0};
    apr_status_t rv = account_sessions_list(call->store, call->account->id, SHOWN_MOST, &sessions);

    answer->account = call->account;
    answer->session = call->session;
    answer->sessions = sessions.list;
    answer->page.items = sessions.count;
    return rv;
}

apr_status_t account_do_end_session(const account_call_t *call, account_answer_t *answer)
{
    const char *id = account_call_value(call, "session_id");
    apr_int64_t ended;
    apr_status_t rv = account_sessions_end(call->store, call->session, id, &ended);

    if (rv != APR_SUCCESS || ended <= 0) {
        answer->outcome = ended < 0 ? ACCOUNT_NOT_LOGGED_IN : ACCOUNT_UNKNOWN_SESSION;
        return rv;
    }
    return strcmp(id, call->session->id) == 0 ? account_session_log_out(call, answer) : rv;
}

apr_status_t account_do_end_other_sessions(const account_call_t *call, account_answer_t *answer)
{
    apr_int64_t ended;
    apr_status_t rv = account_sessions_end(call->store, call->session, NULL, &ended);

    answer->outcome = ended < 0 ? ACCOUNT_NOT_LOGGED_IN : ACCOUNT_OK;
    return rv;
}
