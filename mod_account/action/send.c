#include <apr_strings.h>
#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "action/captcha.h"
#include "action/codes.h"
#include "action/outgoing.h"
#include "action/mailed.h"

/* What is sent at most, and how soon again. */
static void add_send_limits(const account_call_t *call, account_budget_t *budget,
                            const char *purpose, const char *target)
{
    apr_pool_t *pool = call->store->pool;

    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_INTERVAL,
                       apr_pstrcat(pool, purpose, "/", target, NULL));
    account_outgoing_limits(call, budget, target);
}

/* Asking who exists is counted like sending, by who asks. */
static void add_ask_limits(const account_call_t *call, account_budget_t *budget)
{
    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_ADDRESS, account_limit_address(call));
    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_NETWORK, account_limit_network(call));
}

/* Whether a code of the call's purpose goes to the claimant; else how the answer ends. */
static int decide(const account_call_t *call, const account_claimant_t *claimant,
                  account_answer_t *answer)
{
    const account_t *account = claimant->account;
    const char *target = account_call_value(call, "target");

    if (account_call_is(call, "purpose", "register")
        || account_call_is(call, "purpose", "change")) {
        if (claimant->is_proven
            && (!call->account || account_call_is(call, "purpose", "register")
                || call->account->id != account->id)) {
            answer->outcome = ACCOUNT_TAKEN_USER_NAME + account_codes_kind(call, target);
        }
    }
    else if (account_call_is(call, "purpose", "login")) {
        if (claimant->is_proven && call->account && call->account->id == account->id) {
            answer->outcome = ACCOUNT_ALREADY_LOGGED_IN;
            answer->account = call->account;
        }
        else if (!claimant->is_proven) {
            answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
        }
    }
    else if (account_call_is(call, "purpose", "reset") && !claimant->may_recover) {
        answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
    }
    return answer->outcome == ACCOUNT_OK;
}

/* Code and message in one transaction. */
static apr_status_t issue_code(const account_call_t *call, const account_claimant_t *claimant)
{
    account_outgoing_t letter = {
        .name =
            apr_pstrcat(call->store->pool, "code-", account_call_constant(call, "purpose"), NULL),
        .to = account_call_value(call, "target"),
        .life = ACCOUNT_CODE_LIFE,
    };
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 1, sizeof(account_message_t *));
    account_code_t code;
    account_budget_t budget;
    apr_status_t rv;

    account_codes_fill(call, claimant, &code, &budget);
    if (account_call_is(call, "purpose", "change")) {
        code.bound = call->account->ref;
    }
    code.expires = call->store->now + ACCOUNT_CODE_LIFE;
    rv = account_random_digits(&code.secret, call->store->random, call->store->pool);
    letter.channel = account_outgoing_channel(call, letter.to);
    letter.values.code = code.secret;
    if (rv == APR_SUCCESS) {
        rv = account_outgoing_add(call, &letter, messages);
    }
    return rv == APR_SUCCESS ? account_code_issue(call->store, &code, messages) : rv;
}

/* The same work whether or not there is an account, so that the time does not tell; nor do guesses:
 * there is a code, which nobody has. */
static apr_status_t issue_nothing(const account_call_t *call, const account_claimant_t *claimant,
                                  const char *purpose)
{
    account_code_t code = {
        .purpose = purpose,
        .target = claimant->canonical,
        .bound = ACCOUNT_CODE_NOBODY,
        .tries = ACCOUNT_CODE_TRIES,
        .expires = call->store->now + ACCOUNT_CODE_LIFE,
    };
    apr_status_t rv = account_random_hex(&code.secret, call->store->random, call->store->pool);

    return rv == APR_SUCCESS ? account_code_issue(call->store, &code, NULL) : rv;
}

/* What was not sent because the machine failed has not been sent: it may be asked for again. */
static apr_status_t give_back_unsent(const account_call_t *call, const account_budget_t *budget,
                                     const account_captcha_pass_t *pass, apr_status_t rv)
{
    if (rv != APR_SUCCESS) {
        account_budget_return(call, budget);
        if (pass->taken) {
            account_budget_return(call, &pass->free);
        }
    }
    return rv;
}

apr_status_t account_do_send_code(const account_call_t *call, account_answer_t *answer)
{
    const char *target = account_call_value(call, "target");
    const char *purpose = account_call_constant(call, "purpose");
    account_captcha_pass_t pass = {.free = {.count = 0}};
    account_budget_t budget = {.count = 0};
    account_claimant_t claimant;
    account_answer_t ending = {.outcome = ACCOUNT_OK};
    int goes, seems, taken;
    apr_status_t rv;

    if (account_call_is(call, "purpose", "change") && !call->session) {
        answer->outcome = ACCOUNT_NOT_LOGGED_IN;
        return APR_SUCCESS;
    }
    rv = account_outgoing_check(call, account_outgoing_channel(call, target));
    if (rv == APR_SUCCESS) {
        rv = account_codes_claimant(call, "target", &claimant);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    answer->subject = claimant.account;
    goes = decide(call, &claimant, &ending);
    /* where it is not told who exists, everything is as if it went */
    seems = goes || (call->settings->hides && ending.outcome != ACCOUNT_ALREADY_LOGGED_IN);
    if (seems) {
        account_budget_add(call, &pass.free, ACCOUNT_LIMIT_CAPTCHA_TARGET,
                           apr_pstrcat(call->store->pool, purpose, "/", claimant.canonical, NULL));
        add_send_limits(call, &budget, purpose, claimant.canonical);
    }
    else {
        add_ask_limits(call, &budget);
    }
    account_budget_add(call, &pass.free, ACCOUNT_LIMIT_CAPTCHA_ADDRESS,
                       account_limit_address(call));
    rv = account_captcha_check(call, &pass, answer);
    if (rv != APR_SUCCESS || !pass.passed) {
        return rv;
    }
    rv = account_budget_take(call, &budget, answer, &taken);
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    if (!seems) {
        ending.subject = claimant.account;
        *answer = ending;
        return APR_SUCCESS;
    }
    rv = goes ? issue_code(call, &claimant) : issue_nothing(call, &claimant, purpose);
    return give_back_unsent(call, &budget, &pass, rv);
}

static apr_status_t issue_link(const account_call_t *call, const account_claimant_t *claimant)
{
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 1, sizeof(account_message_t *));
    account_outgoing_t letter = {
        .name = "link-reset",
        .to = account_call_value(call, "target"),
        .life = ACCOUNT_LINK_LIFE,
    };
    account_code_t code;
    apr_status_t rv =
        account_link_make(call, ACCOUNT_LINK_RESET, claimant->account, claimant->canonical, &code);

    letter.channel = account_outgoing_channel(call, letter.to);
    letter.values.name = account_display_name(call->store, claimant->account);
    if (rv == APR_SUCCESS) {
        letter.values.link = account_link_url(call, &code);
        rv = account_outgoing_add(call, &letter, messages);
    }
    return rv == APR_SUCCESS ? account_code_issue(call->store, &code, messages) : rv;
}

/* Always the same answer, who exists or not. */
apr_status_t account_do_send_link(const account_call_t *call, account_answer_t *answer)
{
    const char *target = account_call_value(call, "target");
    account_captcha_pass_t pass = {.free = {.count = 0}};
    account_budget_t budget = {.count = 0};
    account_claimant_t claimant;
    int taken;
    apr_status_t rv = account_outgoing_check(call, account_outgoing_channel(call, target));

    if (rv == APR_SUCCESS) {
        rv = account_codes_claimant(call, "target", &claimant);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    answer->subject = claimant.account;
    account_budget_add(call, &pass.free, ACCOUNT_LIMIT_CAPTCHA_FAILURES,
                       account_limit_address(call));
    rv = account_captcha_check(call, &pass, answer);
    if (rv != APR_SUCCESS || !pass.passed) {
        return rv;
    }
    add_send_limits(call, &budget, ACCOUNT_LINK_RESET, claimant.canonical);
    rv = account_budget_take(call, &budget, answer, &taken);
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    rv = claimant.may_recover && claimant.account->status != ACCOUNT_DISABLED
             ? issue_link(call, &claimant)
             : issue_nothing(call, &claimant, ACCOUNT_LINK_RESET);
    return give_back_unsent(call, &budget, &pass, rv);
}
