#include "action/mailed.h"

#include <apr_strings.h>
#include <string.h>

#include "action/actions.h"
#include "action/hashing.h"
#include "action/letters.h"
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

apr_status_t account_link_find(const account_call_t *call, const char *purpose,
                               account_link_t *link)
{
    static const account_kind_e kinds[] = {ACCOUNT_EMAIL, ACCOUNT_MOBILE};
    const char *token = account_call_value(call, "token");
    const account_t *account = NULL;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = APR_SUCCESS;
    int i;

    memset(link, 0, sizeof(*link));
    if (strlen(token) > REF_LENGTH) {
        rv = account_find_by_ref(call->store, apr_pstrmemdup(call->store->pool, token, REF_LENGTH),
                                 &account);
    }
    for (i = 0; rv == APR_SUCCESS && account && !link->account && i < 2; i++) {
        const char *address = account->identifiers[kinds[i]];

        if (address) {
            link->kind = kinds[i];
            link->code = (account_code_t){
                .purpose = purpose,
                .target = account->ref,
                .bound = account_text_identifier(call->store->pool, address),
                .secret = token,
            };
            rv = account_code_check(call->store, &link->code, &state);
            link->account = state == ACCOUNT_CODE_RIGHT ? account : NULL;
        }
    }
    return rv;
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
    account_redemption_t redemption = {.own = &own};
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = account_link_find(call, ACCOUNT_LINK_ACTIVATE, &link);

    if (rv == APR_SUCCESS && link.account) {
        own = (account_ownership_t){link.account, link.kind, link.account->identifiers[link.kind]};
        rv = account_code_redeem(call->store, &link.code, &redemption, &state);
    }
    if (rv == ACCOUNT_ECONFLICT) {
        rv = APR_SUCCESS; /* somebody else has proven it meanwhile */
        state = ACCOUNT_CODE_NONE;
    }
    answer->account = redemption.account;
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
    account_ownership_t own = {link->account, link->kind, link->account->identifiers[link->kind]};
    account_redemption_t redemption = {.reset = &change, .own = &own, .also = &also};
    apr_status_t rv =
        account_hashing_make(call, account_call_value(call, "password"), &change.password);

    if (rv == APR_SUCCESS) {
        rv = account_letter_notify(call, link->account, "notice-password", NULL, messages);
    }
    if (rv == APR_SUCCESS) {
        rv = account_code_redeem(call->store, &link->code, &redemption, state);
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
