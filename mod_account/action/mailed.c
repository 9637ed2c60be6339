#include "action/mailed.h"

#include <apr_strings.h>
#include <string.h>

#include "action/actions.h"
#include "action/codes.h"
#include "action/hashing.h"
#include "action/outgoing.h"
#include "base/text.h"

#define REF_LENGTH 32

apr_status_t account_link_make(const account_call_t *call, const char *purpose,
                               const account_t *account, const char *canonical,
                               account_code_t *code)
{
    const char *digits;
    apr_status_t rv = account_random_session_token(&digits, call->store->random, call->store->pool);

    if (rv == APR_SUCCESS) {
        *code = (account_code_t){
            .purpose = purpose,
            .target = account->ref,
            .bound = canonical,
            .secret = apr_pstrcat(call->store->pool, account->ref, digits, NULL),
            .expires = call->store->now + ACCOUNT_LINK_LIFE,
        };
    }
    return rv;
}

const char *account_link_url(const account_call_t *call, const account_code_t *code)
{
    const char *url = strcmp(code->purpose, ACCOUNT_LINK_RESET) == 0 ? call->settings->reset_url
                                                                     : call->settings->activate_url;

    return apr_pstrcat(call->store->pool, url ? url : "", code->secret, NULL);
}

/* Whose token it seems to be. */
static apr_status_t find_account(const account_call_t *call, const char *token,
                                 const account_t **account)
{
    *account = NULL;
    return strlen(token) > REF_LENGTH ? account_find_by_ref(
               call->store, apr_pstrmemdup(call->store->pool, token, REF_LENGTH), account)
                                      : APR_SUCCESS;
}

apr_status_t account_link_find(const account_call_t *call, const char *purpose,
                               account_link_t *link)
{
    const char *token = account_call_value(call, "token");
    apr_array_header_t *addresses = NULL;
    const account_t *account;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    int i;
    apr_status_t rv = find_account(call, token, &account);

    memset(link, 0, sizeof(*link));
    if (rv == APR_SUCCESS && account) {
        rv = account_find_addresses(call->store, account, &addresses);
    }
    for (i = 0; rv == APR_SUCCESS && account && !link->account && i < addresses->nelts; i++) {
        const account_address_t *address = &APR_ARRAY_IDX(addresses, i, account_address_t);

        link->kind = address->kind;
        link->is_proven = address->verified != 0;
        link->code = (account_code_t){
            .purpose = purpose,
            .target = account->ref,
            .bound = address->canonical,
            .secret = token,
        };
        rv = account_code_check(call->store, &link->code, &state);
        link->account = state == ACCOUNT_CODE_RIGHT ? account : NULL;
    }
    return rv;
}

/* That the token's address, and no other, is the account's. NULL: it has been proven before. */
static const account_ownership_t *owned(const account_call_t *call, const account_link_t *link,
                                        account_ownership_t *own)
{
    *own = (account_ownership_t){
        link->account, link->kind,
        account_outgoing_shown(call, link->account, link->kind, link->code.bound)};
    return link->is_proven && link->account->status != ACCOUNT_PENDING ? NULL : own;
}

apr_status_t account_do_open_link(const account_call_t *call, account_answer_t *answer)
{
    answer->token = account_call_value(call, "token");
    return APR_SUCCESS;
}

apr_status_t account_do_activate(const account_call_t *call, account_answer_t *answer)
{
    account_link_t link;
    account_ownership_t own;
    account_redemption_t redemption = {.own = NULL};
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = account_link_find(call, ACCOUNT_LINK_ACTIVATE, &link);

    if (rv == APR_SUCCESS && link.account) {
        redemption.own = owned(call, &link, &own);
        rv = account_code_redeem(call->store, &link.code, &redemption, &state);
    }
    if (rv == ACCOUNT_ECONFLICT) {
        rv = APR_SUCCESS; /* somebody else has proven it meanwhile */
        state = ACCOUNT_CODE_NONE;
    }
    answer->account = redemption.account ? redemption.account : link.account;
    if (state != ACCOUNT_CODE_RIGHT) {
        answer->outcome = ACCOUNT_EXPIRED_TOKEN;
    }
    return rv;
}

/* The right token proves the address, sets the password, and ends every session. */
static apr_status_t reset(const account_call_t *call, const account_link_t *link,
                          account_answer_t *answer, account_code_state_e *state)
{
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 2, sizeof(account_message_t *));
    account_also_t also = {.messages = messages};
    account_password_change_t change = {.account = link->account};
    account_ownership_t own;
    account_profile_t profile;
    account_redemption_t redemption = {
        .reset = &change, .own = owned(call, link, &own), .also = &also};
    apr_status_t rv =
        account_hashing_make(call, account_call_value(call, "password"), &change.password);

    if (rv == APR_SUCCESS && redemption.own) {
        rv = account_codes_disown(call, link->account, &profile);
        redemption.profile = &profile;
    }
    if (rv == APR_SUCCESS) {
        rv = account_outgoing_notify(call, link->account, "notice-password", NULL, messages);
    }
    if (rv == APR_SUCCESS) {
        rv = account_code_redeem(call->store, &link->code, &redemption, state);
    }
    if (rv == ACCOUNT_EROLLBACK) {
        rv = ACCOUNT_EBUSY; /* the profile was changed at the same moment: try again */
    }
    answer->account = redemption.account;
    answer->session_ended = rv == APR_SUCCESS && *state == ACCOUNT_CODE_RIGHT && call->account
                            && call->account->id == link->account->id;
    return rv;
}

apr_status_t account_do_reset_by_link(const account_call_t *call, account_answer_t *answer)
{
    account_link_t link;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = account_link_find(call, ACCOUNT_LINK_RESET, &link);

    answer->subject = link.account;
    if (rv == APR_SUCCESS && link.account && link.account->status == ACCOUNT_DISABLED) {
        answer->outcome = ACCOUNT_ACCOUNT_DISABLED;
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS && link.account) {
        rv = reset(call, &link, answer, &state);
    }
    if (rv == ACCOUNT_ECONFLICT) {
        rv = APR_SUCCESS;
        state = ACCOUNT_CODE_NONE;
    }
    if (rv == APR_SUCCESS && state != ACCOUNT_CODE_RIGHT) {
        answer->outcome = ACCOUNT_EXPIRED_TOKEN;
    }
    return rv;
}
