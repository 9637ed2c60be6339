#include "action/actions.h"
#include "action/codes.h"
#include "action/outgoing.h"

/* The address becomes the caller's, verified; the one that it had before is told, and is worth
 * nothing any more. */
apr_status_t account_do_change_address(const account_call_t *call, account_answer_t *answer)
{
    const char *target = account_call_value(call, "target");
    account_kind_e kind = account_codes_kind(call, target);
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 2, sizeof(account_message_t *));
    account_also_t also = {.messages = messages};
    account_ownership_t own = {call->account, kind, target};
    account_redemption_t redemption = {.own = &own, .also = &also};
    account_claimant_t claimant;
    account_code_t code;
    account_budget_t budget;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = account_codes_claimant(call, "target", &claimant);

    /* (unless it is the caller's own, which is only proven now) */
    if (rv == APR_SUCCESS && call->account->identifiers[kind]
        && !(claimant.account && claimant.account->id == call->account->id)) {
        rv = account_outgoing_notify(call, call->account, "notice-address", target, messages);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    account_codes_fill(call, &claimant, &code, &budget);
    code.bound = call->account->ref;
    rv = account_code_redeem(call->store, &code, &redemption, &state);
    if (rv == ACCOUNT_ECONFLICT) {
        answer->outcome = ACCOUNT_TAKEN_USER_NAME + redemption.taken;
        return APR_SUCCESS;
    }
    account_codes_refuse(answer, state, redemption.wait);
    answer->account = redemption.account;
    return rv;
}
