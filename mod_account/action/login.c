#include <apr_strings.h>

#include "action/actions.h"
#include "action/codes.h"
#include "action/device.h"
#include "action/hashing.h"
#include "action/login.h"
#include "action/session.h"
#include "base/text.h"

void account_login_renew_hash(const account_call_t *call, const account_login_t *login)
{
    const char *phc;

    if (!account_password_is_current(login->account->password, &call->settings->cost)
        && account_hashing_make(call, login->password, &phc) == APR_SUCCESS) {
        account_rehash_password(call->store, login->account, phc);
    }
}

/* A guess counts for the account and for the client's address; from a device that has logged in to
 * the account before, for that device alone, so that nobody locks the owner out. For a name that
 * nobody has the same is counted as for one that somebody has; where it is not told who exists, by
 * name, so that two names of one account are not seen to be. */
static void add_guess(const account_call_t *call, const account_login_t *login,
                      account_budget_t *budget)
{
    apr_pool_t *pool = call->store->pool;
    const account_t *account = login->account;
    const char *device = account_device_find(call, account);
    const char *name = account_text_identifier(pool, login->name);
    const char *subject =
        account && !call->settings->hides ? account->ref : apr_pstrcat(pool, "?", name, NULL);

    if (device) {
        account_budget_add(call, budget, ACCOUNT_LIMIT_PASSWORD_DEVICE,
                           apr_pstrcat(pool, subject, "/", device, NULL));
        return;
    }
    account_budget_add(call, budget, ACCOUNT_LIMIT_PASSWORD_ACCOUNT, subject);
    account_budget_add(call, budget, ACCOUNT_LIMIT_PASSWORD_ADDRESS, account_limit_address(call));
}

apr_status_t account_login_find(const account_call_t *call, account_login_t *login)
{
    return account_find(call->store, account_text_identifier(call->store->pool, login->name),
                        &login->account);
}

account_outcome_e account_login_judge(const account_t *account)
{
    return account->status == ACCOUNT_ACTIVE    ? ACCOUNT_OK
           : account->status == ACCOUNT_PENDING ? ACCOUNT_NOT_ACTIVATED
                                                : ACCOUNT_ACCOUNT_DISABLED;
}

apr_status_t account_login_verify(const account_call_t *call, const account_login_t *login,
                                  account_answer_t *answer)
{
    account_budget_t budget = {.count = 0};
    int matches = 0, taken;
    apr_status_t rv;

    answer->subject = login->account;
    if (account_hashing_is_busy(call)) {
        return ACCOUNT_EBUSY;
    }
    add_guess(call, login, &budget);
    rv = account_budget_take(call, &budget, answer, &taken);
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    rv = account_hashing_verify(call, login->account, login->password, &matches);
    if (rv == APR_SUCCESS && (!login->account || !matches)) {
        answer->outcome = login->account || call->settings->hides ? ACCOUNT_WRONG_PASSWORD
                                                                  : ACCOUNT_UNKNOWN_ACCOUNT;
        return APR_SUCCESS;
    }
    account_budget_return(call, &budget); /* right, or not looked at */
    if (rv == APR_SUCCESS) {
        answer->outcome = account_login_judge(login->account);
    }
    return rv;
}

void account_login_forgive(const account_call_t *call, const account_login_t *login)
{
    account_budget_t budget = {.count = 0};

    add_guess(call, login, &budget);
    account_budget_return(call, &budget);
}

/* The code that came along is spent in the transaction that begins the session. */
static apr_status_t begin_with_code(const account_call_t *call, const account_t *account,
                                    account_answer_t *answer)
{
    account_session_t *session;
    account_also_t also = {NULL, NULL, NULL};
    account_redemption_t redemption = {.begin = account, .also = &also};
    account_claimant_t claimant;
    account_code_t code;
    account_budget_t budget;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = account_codes_claimant(call, "account", &claimant);

    if (rv == APR_SUCCESS) {
        rv = account_session_make(call->store, account->id, &call->terms, &session);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    also.session = session;
    account_codes_fill(call, &claimant, &code, &budget);
    rv = account_code_redeem(call->store, &code, &redemption, &state);
    if (rv == APR_SUCCESS && state == ACCOUNT_CODE_RIGHT) {
        return account_session_announce(call, account, session, answer);
    }
    account_codes_refuse(answer, state, redemption.wait);
    return rv;
}

/* ACCOUNT_EROLLBACK: the hash that was verified is no longer the account's. */
static apr_status_t log_in(const account_call_t *call, account_answer_t *answer)
{
    account_login_t login = {.name = account_call_value(call, "account"),
                             .password = account_call_value(call, "password")};
    apr_status_t rv = account_hashing_is_busy(call) ? ACCOUNT_EBUSY : APR_SUCCESS;

    if (rv == APR_SUCCESS) {
        rv = account_login_find(call, &login);
    }
    if (rv == APR_SUCCESS) {
        rv = account_login_verify(call, &login, answer);
    }
    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        return rv;
    }
    rv = account_call_value(call, "code") ? begin_with_code(call, login.account, answer)
                                          : account_session_log_in(call, login.account, answer);
    if (rv == APR_SUCCESS && answer->outcome == ACCOUNT_OK) {
        answer->account = login.account;
        account_login_renew_hash(call, &login);
    }
    return rv;
}

apr_status_t account_do_login(const account_call_t *call, account_answer_t *answer)
{
    apr_status_t rv = log_in(call, answer);

    if (rv == ACCOUNT_EROLLBACK) {
        rv = log_in(call, answer); /* changed, or only renewed by another login: look again */
    }
    return rv == ACCOUNT_EROLLBACK ? ACCOUNT_EBUSY : rv;
}

/* As begin_with_code, without a password: the number or address must be proven to be the
 * account's. */
static apr_status_t redeem_login(const account_call_t *call, const account_claimant_t *claimant,
                                 account_answer_t *answer)
{
    account_session_t *session = NULL;
    account_also_t also = {NULL, NULL, NULL};
    account_redemption_t redemption = {0};
    account_code_t code;
    account_budget_t budget;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = APR_SUCCESS;

    account_codes_fill(call, claimant, &code, &budget);
    if (!claimant->is_proven) {
        code.bound = ACCOUNT_CODE_NOBODY;
    }
    /* a closed account's code is spent for nothing: only who has it learns that it is closed */
    else if (claimant->account->status == ACCOUNT_ACTIVE) {
        rv = account_session_make(call->store, claimant->account->id, &call->terms, &session);
        also.session = session;
        redemption.begin = claimant->account;
        redemption.also = &also;
    }
    if (rv == APR_SUCCESS) {
        rv = account_code_redeem(call->store, &code, &redemption, &state);
    }
    if (rv == APR_SUCCESS && state == ACCOUNT_CODE_RIGHT && !session) {
        answer->outcome = ACCOUNT_ACCOUNT_DISABLED;
    }
    else if (rv == APR_SUCCESS && state == ACCOUNT_CODE_RIGHT) {
        answer->account = claimant->account;
        rv = account_session_announce(call, claimant->account, session, answer);
    }
    else if (rv == APR_SUCCESS) {
        account_codes_refuse(answer, state, redemption.wait);
    }
    return rv;
}

/* That somebody has the number is told to who guesses at a code of his. */
static apr_status_t log_in_with_code(const account_call_t *call, account_answer_t *answer)
{
    account_claimant_t claimant;
    int told = 1;
    apr_status_t rv = account_codes_claimant(call, "target", &claimant);

    answer->subject = claimant.account;
    if (rv == APR_SUCCESS && !call->settings->hides) {
        rv = account_limit_reveal(call, claimant.is_proven, answer, &told);
    }
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    if (!claimant.is_proven && !call->settings->hides) {
        answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
        return APR_SUCCESS;
    }
    rv = redeem_login(call, &claimant, answer);
    if (!call->settings->hides && (rv != APR_SUCCESS || answer->outcome == ACCOUNT_OK)) {
        account_limit_conceal(call);
    }
    return rv;
}

apr_status_t account_do_login_with_code(const account_call_t *call, account_answer_t *answer)
{
    apr_status_t rv = log_in_with_code(call, answer);

    if (rv == ACCOUNT_EROLLBACK) {
        rv = log_in_with_code(call, answer);
    }
    return rv == ACCOUNT_EROLLBACK ? ACCOUNT_EBUSY : rv;
}
