#include "action/roles.h"

#include <string.h>

#include "action/actions.h"
#include "base/text.h"

const char *account_role_default(const account_call_t *call)
{
    return APR_ARRAY_IDX(call->settings->roles, 0, const char *);
}

int account_role_may_choose(const account_call_t *call, const char *role)
{
    return strcmp(role, account_role_default(call)) == 0
           || account_text_is_in(call->settings->chosen_roles, role);
}

/* Whom an administrator may act upon. Not himself: the last one would have locked everybody out.
 * *account NULL: answer says why not. */
static apr_status_t find_other(const account_call_t *call, const account_t **account,
                               account_answer_t *answer)
{
    apr_status_t rv = APR_SUCCESS;

    *account = NULL;
    if (!account_text_is_in(call->settings->admin_roles, call->account->role)) {
        answer->outcome = ACCOUNT_FORBIDDEN;
        return APR_SUCCESS;
    }
    rv = account_call_find(call, "account", account);
    answer->subject = *account;
    if (rv == APR_SUCCESS && !*account) {
        answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
    }
    else if (rv == APR_SUCCESS && (*account)->id == call->account->id) {
        answer->outcome = ACCOUNT_FORBIDDEN;
        *account = NULL;
    }
    return rv;
}

/* The account as it is now. changed 0: somebody else was faster, and may try again. */
static apr_status_t answer_changed(const account_call_t *call, const account_t *account,
                                   int changed, account_answer_t *answer)
{
    return changed ? account_find_by_id(call->store, account->id, &answer->account) : ACCOUNT_EBUSY;
}

apr_status_t account_do_set_role(const account_call_t *call, account_answer_t *answer)
{
    const char *role = account_call_value(call, "role");
    const account_t *account;
    int changed = 0;
    apr_status_t rv = find_other(call, &account, answer);

    if (rv == APR_SUCCESS && account && !account_text_is_in(call->settings->roles, role)) {
        answer->outcome = ACCOUNT_ROLE_REFUSED;
        account = NULL;
    }
    if (rv != APR_SUCCESS || !account) {
        return rv;
    }
    rv = account_change_role(call->store, account, role, &changed);
    return rv == APR_SUCCESS ? answer_changed(call, account, changed, answer) : rv;
}

/* An account that is as it shall be stays so: asking twice is no fault. An account that waits for
 * its mail is activated by nobody but its owner; one that was disabled while it waited is active
 * when it is enabled: the administrator vouches for it. */
static apr_status_t change_status(const account_call_t *call, account_status_e status,
                                  account_answer_t *answer)
{
    const account_t *account;
    int changed = 0;
    apr_status_t rv = find_other(call, &account, answer);

    if (rv != APR_SUCCESS || !account) {
        return rv;
    }
    if (account->status == status
        || (status == ACCOUNT_ACTIVE && account->status == ACCOUNT_PENDING)) {
        answer->account = account;
        return APR_SUCCESS;
    }
    rv = account_change_status(call->store, account, status, NULL, &changed);
    return rv == APR_SUCCESS ? answer_changed(call, account, changed, answer) : rv;
}

apr_status_t account_do_disable(const account_call_t *call, account_answer_t *answer)
{
    return change_status(call, ACCOUNT_DISABLED, answer);
}

apr_status_t account_do_enable(const account_call_t *call, account_answer_t *answer)
{
    return change_status(call, ACCOUNT_ACTIVE, answer);
}
