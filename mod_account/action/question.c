#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "action/limits.h"
#include "base/text.h"
#include "store/codes.h"

#define ANSWER_LIFE (12 * 3600 * APR_INT64_C(1000)) /* milliseconds */

apr_status_t account_do_security_question(const account_call_t *call, account_answer_t *answer)
{
    const account_t *account;
    int told = 0;
    apr_status_t rv = account_call_find(call, "account", &account);

    answer->subject = account;
    if (rv == APR_SUCCESS && account) {
        answer->question = account_attribute_get(call->store, account, "question");
    }
    if (rv == APR_SUCCESS) {
        /* without one it is the same as for nobody, where that is not told */
        rv = account_limit_reveal(
            call, call->settings->hides ? answer->question != NULL : account != NULL, answer,
            &told);
    }
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    if (!answer->question) {
        answer->outcome =
            account || call->settings->hides ? ACCOUNT_NO_QUESTION : ACCOUNT_UNKNOWN_ACCOUNT;
    }
    return APR_SUCCESS;
}

/* The digests have one length, so the time tells nothing about where two texts differ. */
static int is_equal(const account_call_t *call, const account_t *account, const char *attribute)
{
    const char *stored = account_attribute_get(call->store, account, attribute);
    const char *given = account_call_value(call, attribute);
    const char *a, *b;

    if (!stored) {
        return 0;
    }
    a = account_keys_digest(call->store->keys, 0, stored, call->store->pool);
    b = account_keys_digest(call->store->keys, 0, given, call->store->pool);
    return a && b && CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

/* Bound to the account, not to the name it was asked by: one token for each. */
static apr_status_t issue_token(const account_call_t *call, const account_t *account,
                                account_answer_t *answer)
{
    account_code_t code = {
        .purpose = "answer",
        .target = account->ref,
        .expires = call->store->now + ANSWER_LIFE,
    };
    apr_status_t rv =
        account_random_uuid_token(&code.secret, call->store->random, call->store->pool);

    if (rv == APR_SUCCESS) {
        rv = account_code_issue(call->store, &code, NULL);
    }
    answer->token = code.secret;
    return rv;
}

/* An answer is guessed sooner than a password: few tries, for unknown accounts as for others. */
apr_status_t account_do_check_answer(const account_call_t *call, account_answer_t *answer)
{
    apr_pool_t *pool = call->store->pool;
    account_budget_t budget = {.count = 0};
    const account_t *account;
    int taken;
    apr_status_t rv = account_call_find(call, "account", &account);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    answer->subject = account;
    account_budget_add(
        call, &budget, ACCOUNT_LIMIT_ANSWER_ACCOUNT,
        account && !call->settings->hides
            ? account->ref
            : apr_pstrcat(pool, "?",
                          account_text_identifier(pool, account_call_value(call, "account")),
                          NULL));
    account_budget_add(call, &budget, ACCOUNT_LIMIT_PASSWORD_ADDRESS, account_limit_address(call));
    rv = account_budget_take(call, &budget, answer, &taken);
    if (rv == APR_SUCCESS && taken && !call->settings->hides) {
        rv = account_limit_reveal(call, account != NULL, answer, &taken);
    }
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    if (!account) {
        answer->outcome = call->settings->hides ? ACCOUNT_WRONG_ANSWER : ACCOUNT_UNKNOWN_ACCOUNT;
    }
    else if (!is_equal(call, account, "question") || !is_equal(call, account, "answer")) {
        answer->outcome = ACCOUNT_WRONG_ANSWER;
    }
    else {
        account_budget_return(call, &budget);
        if (!call->settings->hides) {
            account_limit_conceal(call);
        }
        rv = issue_token(call, account, answer);
    }
    return rv;
}
