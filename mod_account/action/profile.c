#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"

/* Two changes of one profile at the same time are both kept: who came second merges again. */
#define ATTEMPTS 3

apr_status_t account_do_update_profile(const account_call_t *call, account_answer_t *answer)
{
    account_profile_t profile = {call->account, account_call_value(call, "email"), NULL, NULL};
    int changed = 0;
    int attempt;
    apr_status_t rv = APR_SUCCESS;

    for (attempt = 0; attempt < ATTEMPTS && !changed && rv == APR_SUCCESS; attempt++) {
        if (attempt > 0) {
            rv = account_find_by_id(call->store, call->account->id, &profile.account);
        }
        if (rv == APR_SUCCESS && !profile.account) {
            return ACCOUNT_EDATABASE; /* deleted by hand meanwhile */
        }
        if (rv == APR_SUCCESS) {
            rv = account_attributes_change(call->store, profile.account, call->profile,
                                           &profile.attributes);
        }
        if (rv == APR_SUCCESS) {
            rv = account_update_profile(call->store, &profile, &answer->account, &changed);
        }
    }
    if (rv == ACCOUNT_ECONFLICT || rv == APR_ENOSPC) {
        answer->outcome = rv == APR_ENOSPC ? ACCOUNT_BAD_REQUEST : ACCOUNT_TAKEN_EMAIL;
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS && !changed ? ACCOUNT_EBUSY : rv;
}

apr_status_t account_do_check_identifier(const account_call_t *call, account_answer_t *answer)
{
    const char *wanted = account_call_value(call, "kind");
    const account_t *holder;
    int kind;
    apr_status_t rv = account_call_find(call, "value", &holder);

    answer->outcome = ACCOUNT_FREE;
    for (kind = 0; holder && kind < ACCOUNT_KINDS; kind++) {
        if (wanted ? strcmp(wanted, account_kind_names[kind]) == 0
                   : account_call_is(call, "kind", account_kind_names[kind])) {
            answer->outcome = ACCOUNT_TAKEN_USER_NAME + kind;
        }
    }
    return rv;
}
