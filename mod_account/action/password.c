#include <apr_strings.h>

#include "action/actions.h"
#include "action/hashing.h"
#include "action/session.h"
#include "store/codes.h"

/* The account as it is after a change of its password just now. */
static const account_t *changed_account(const account_call_t *call, const account_t *account)
{
    account_t *changed = apr_pmemdup(call->store->pool, account, sizeof(*account));

    changed->updated = call->store->now;
    return changed;
}

/* *changed 0: the old password is wrong, or (*again) its hash was replaced meanwhile. */
static apr_status_t change(const account_call_t *call, account_password_change_t *change,
                           int *changed, int *again)
{
    int matches = 0;
    apr_status_t rv = account_hashing_verify(call, change->account,
                                             account_call_value(call, "old_password"), &matches);

    *changed = 0;
    if (rv == APR_SUCCESS && matches && !change->password) {
        rv = account_hashing_make(call, account_call_value(call, "password"), &change->password);
    }
    if (rv == APR_SUCCESS && matches) {
        rv = account_change_password(call->store, change, changed);
    }
    *again = matches && !*changed;
    return rv;
}

/* Every session ends; the caller goes on in a new one unless the contract says otherwise (ASVS
 * 7.4.3). */
apr_status_t account_do_change_password(const account_call_t *call, account_answer_t *answer)
{
    account_password_change_t wanted = {.account = call->account};
    account_also_t also = {NULL, NULL, NULL};
    account_session_t *session = NULL;
    int changed = 0, again = 0;
    apr_status_t rv = APR_SUCCESS;

    if (!account_call_is(call, "sessions", "all")) {
        rv = account_session_make(call->store, call->account->id, &call->terms, &session);
        also.session = session;
        wanted.also = &also;
    }
    if (rv == APR_SUCCESS) {
        rv = change(call, &wanted, &changed, &again);
    }
    if (rv == APR_SUCCESS && again) {
        /* Another change won, or a login renewed the hash: the password decides once more. */
        rv = account_find_by_id(call->store, call->account->id, &wanted.account);
        again = 0;
        if (rv == APR_SUCCESS && wanted.account) {
            rv = change(call, &wanted, &changed, &again);
        }
        if (rv == APR_SUCCESS && again) {
            rv = ACCOUNT_EBUSY;
        }
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!changed) {
        answer->outcome = ACCOUNT_WRONG_PASSWORD;
        return APR_SUCCESS;
    }
    answer->account = changed_account(call, wanted.account);
    answer->session = session;
    answer->session_begun = session != NULL;
    answer->session_ended = session == NULL;
    return APR_SUCCESS;
}

static void refuse_code(account_answer_t *answer, account_code_state_e state)
{
    if (state != ACCOUNT_CODE_RIGHT) {
        answer->outcome = state == ACCOUNT_CODE_WRONG ? ACCOUNT_WRONG_CODE : ACCOUNT_EXPIRED_CODE;
    }
}

apr_status_t account_do_reset_password(const account_call_t *call, account_answer_t *answer)
{
    account_code_t code = {.purpose = account_call_constant(call, "purpose"),
                           .secret = account_call_value(call, "code")};
    account_password_change_t change = {NULL, NULL, NULL};
    account_redemption_t redemption = {.reset = &change};
    account_also_t also = {NULL, NULL, NULL};
    account_session_t *session = NULL;
    account_code_state_e state;
    apr_status_t rv = account_call_find(call, "target", &change.account);

    if (rv == APR_SUCCESS && !change.account) {
        answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
    }
    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        return rv;
    }
    code.target = change.account->ref;
    rv = account_code_check(call->store, &code, &state);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    refuse_code(answer, state);
    if (answer->outcome == ACCOUNT_OK && change.account->status == ACCOUNT_DISABLED) {
        answer->outcome = ACCOUNT_ACCOUNT_DISABLED;
    }
    if (answer->outcome != ACCOUNT_OK) {
        return APR_SUCCESS;
    }
    rv = account_hashing_make(call, account_call_value(call, "password"), &change.password);
    if (rv == APR_SUCCESS && account_call_is(call, "then", "login")) {
        rv = account_session_make(call->store, change.account->id, &call->terms, &session);
        also.session = session;
        redemption.also = &also;
    }
    if (rv == APR_SUCCESS) {
        rv = account_code_redeem(call->store, &code, &redemption, &state);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    refuse_code(answer, state);
    if (answer->outcome == ACCOUNT_OK) {
        answer->account = redemption.account;
        answer->session = session;
        answer->session_begun = session != NULL;
        answer->session_ended =
            !session && call->account && call->account->id == change.account->id;
    }
    return APR_SUCCESS;
}
