#include <apr_strings.h>
#include <string.h>

#include "action/actions.h"
#include "action/captcha.h"
#include "action/codes.h"
#include "action/hashing.h"
#include "action/outgoing.h"
#include "action/session.h"
#include "base/text.h"

/* What a reset works on. */
typedef struct reset_t {
    account_claimant_t claimant;
    int is_nobody; /* nobody who could reset it by such a code */
    int is_told;   /* ... and that somebody is has been counted */
    account_code_t code;
    account_budget_t budget;
    account_ownership_t own; /* with profile: the address is proven for the first time */
    account_profile_t profile;
    account_password_change_t change;
    account_also_t also;
    account_session_t *session;
} reset_t;

/* By a token that a security question has given: it is the account's, whatever name it was asked
 * by. */
static void use_answer(const account_call_t *call, reset_t *reset)
{
    reset->code = (account_code_t){
        .purpose = account_call_constant(call, "purpose"),
        .target = reset->claimant.account->ref,
        .secret = account_call_value(call, "code"),
    };
}

/* Whether the input "account" is the address itself, or a name of the account that has proven it:
 * a code for my number is no key to your account. */
static apr_status_t check_same(const account_call_t *call, const reset_t *reset, int *same)
{
    account_claimant_t other;
    apr_status_t rv = APR_SUCCESS;

    *same = 1;
    if (account_call_value(call, "account")) {
        rv = account_codes_claimant(call, "account", &other);
        *same = rv == APR_SUCCESS && other.canonical
                && (strcmp(other.canonical, reset->claimant.canonical) == 0
                    || (reset->claimant.is_proven && other.account
                        && other.account->id == reset->claimant.account->id));
    }
    return rv;
}

/* Finds the account and the code that it is about. answer: why it goes no further. */
static apr_status_t find_code(const account_call_t *call, reset_t *reset, account_answer_t *answer)
{
    int by_answer = account_call_is(call, "purpose", "answer");
    account_code_state_e state = ACCOUNT_CODE_NONE;
    int same = 1, told = 1;
    apr_status_t rv = account_codes_claimant(call, "target", &reset->claimant);

    answer->subject = reset->claimant.account;
    reset->is_nobody = by_answer ? !reset->claimant.account : !reset->claimant.may_recover;
    if (rv == APR_SUCCESS && !call->settings->hides) {
        rv = account_limit_reveal(call, !reset->is_nobody, answer, &told);
        reset->is_told = rv == APR_SUCCESS && told && !reset->is_nobody;
    }
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    if (reset->is_nobody && (by_answer || !call->settings->hides)) {
        answer->outcome = call->settings->hides ? ACCOUNT_EXPIRED_CODE : ACCOUNT_UNKNOWN_ACCOUNT;
        return APR_SUCCESS;
    }
    rv = check_same(call, reset, &same);
    if (rv != APR_SUCCESS || !same) {
        answer->outcome = ACCOUNT_WRONG_CODE;
        return rv;
    }
    if (by_answer) {
        use_answer(call, reset);
    }
    else {
        account_codes_fill(call, &reset->claimant, &reset->code, &reset->budget);
        reset->code.bound = reset->is_nobody ? ACCOUNT_CODE_NOBODY : reset->code.bound;
    }
    rv = account_code_check(call->store, &reset->code, &state);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* No hash is made for a code that can't be right. Whether one of six digits is right is said by
     * the redemption only, which counts. */
    if (by_answer && state == ACCOUNT_CODE_NONE) {
        state = ACCOUNT_CODE_EXPIRED;
    }
    if (by_answer || state == ACCOUNT_CODE_NONE || state == ACCOUNT_CODE_EXPIRED) {
        account_codes_refuse(answer, state, 0);
    }
    if (by_answer && answer->outcome == ACCOUNT_OK
        && reset->claimant.account->status == ACCOUNT_DISABLED) {
        answer->outcome = ACCOUNT_ACCOUNT_DISABLED;
    }
    return APR_SUCCESS;
}

/* Makes the hash and what is stored with it. */
static apr_status_t prepare(const account_call_t *call, reset_t *reset)
{
    const account_t *account = reset->claimant.account;
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 2, sizeof(account_message_t *));
    apr_status_t rv =
        account_hashing_make(call, account_call_value(call, "password"), &reset->change.password);

    if (rv != APR_SUCCESS || reset->is_nobody) {
        return rv;
    }
    reset->change.account = account;
    reset->also.messages = messages;
    rv = account_outgoing_notify(call, account, "notice-password", NULL, messages);
    if (rv == APR_SUCCESS && account_call_is(call, "then", "login")) {
        rv = account_session_make(call->store, account->id, &call->terms, &reset->session);
        reset->also.session = reset->session;
    }
    if (!account_call_is(call, "purpose", "answer") && !reset->claimant.is_proven) {
        const char *target = account_call_value(call, "target");
        account_kind_e kind = account_codes_kind(call, target);

        reset->own = (account_ownership_t){account, kind,
                                           kind == ACCOUNT_MOBILE
                                               ? account_text_mobile(call->store->pool, target)
                                               : account_text_email(call->store->pool, target)};
        if (rv == APR_SUCCESS) {
            rv = account_codes_disown(call, account, &reset->profile);
        }
    }
    return rv;
}

static apr_status_t redeem(const account_call_t *call, reset_t *reset, account_answer_t *answer)
{
    const account_t *account = reset->claimant.account;
    account_redemption_t redemption = {
        .reset = &reset->change,
        .own = reset->own.account ? &reset->own : NULL,
        .profile = reset->own.account ? &reset->profile : NULL,
        .also = &reset->also,
    };
    account_redemption_t nothing = {0};
    /* a closed account's code is spent for nothing: only who has it learns that it is closed;
     * nobody's is never right */
    int closed = reset->is_nobody || account->status == ACCOUNT_DISABLED;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv =
        account_code_redeem(call->store, &reset->code, closed ? &nothing : &redemption, &state);

    if (rv == ACCOUNT_ECONFLICT) {
        rv = APR_SUCCESS; /* somebody else has proven the address meanwhile */
        state = ACCOUNT_CODE_WRONG;
    }
    if (rv != APR_SUCCESS) {
        /* the profile was changed at the same moment: try again */
        return rv == ACCOUNT_EROLLBACK ? ACCOUNT_EBUSY : rv;
    }
    account_codes_refuse(answer, state, closed ? nothing.wait : redemption.wait);
    if (answer->outcome == ACCOUNT_OK && closed) {
        answer->outcome = ACCOUNT_ACCOUNT_DISABLED;
    }
    if (answer->outcome != ACCOUNT_OK) {
        return APR_SUCCESS;
    }
    answer->account = redemption.account;
    answer->session_ended = !reset->session && call->account && call->account->id == account->id;
    return reset->session ? account_session_announce(call, answer->account, reset->session, answer)
                          : APR_SUCCESS;
}

apr_status_t account_do_reset_password(const account_call_t *call, account_answer_t *answer)
{
    account_captcha_pass_t pass = {.free = {.count = 0}};
    reset_t reset = {.session = NULL};
    apr_status_t rv;

    account_budget_add(call, &pass.free, ACCOUNT_LIMIT_CAPTCHA_FAILURES,
                       account_limit_address(call));
    rv = account_captcha_check(call, &pass, answer);
    if (rv != APR_SUCCESS || !pass.passed) {
        return rv;
    }
    rv = find_code(call, &reset, answer);
    if (rv == APR_SUCCESS && answer->outcome == ACCOUNT_OK) {
        rv = prepare(call, &reset);
        if (rv == APR_SUCCESS) {
            rv = redeem(call, &reset, answer);
        }
    }
    if (pass.taken && (rv != APR_SUCCESS || answer->outcome == ACCOUNT_OK)) {
        account_budget_return(call, &pass.free);
    }
    if (reset.is_told && (rv != APR_SUCCESS || answer->outcome == ACCOUNT_OK)) {
        account_limit_conceal(call);
    }
    return rv;
}
