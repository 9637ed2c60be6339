#include <openssl/crypto.h>
#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "base/text.h"
#include "store/codes.h"

#define ANSWER_LIFE (12 * 3600 * APR_INT64_C(1000)) /* milliseconds */

static apr_status_t find_account(const account_call_t *call, const account_t **account)
{
    const char *canonical =
        account_text_identifier(call->store->pool, account_call_value(call, "account"));

    *account = NULL;
    return canonical ? account_find(call->store, canonical, account) : APR_SUCCESS;
}

apr_status_t account_do_security_question(const account_call_t *call, account_answer_t *answer)
{
    const account_t *account;
    apr_status_t rv = find_account(call, &account);

    if (rv == APR_SUCCESS && account) {
        rv = account_attribute_get(call->store, account, "question", &answer->question);
    }
    if (rv == APR_SUCCESS && !answer->question) {
        answer->outcome = account ? ACCOUNT_NO_QUESTION : ACCOUNT_UNKNOWN_ACCOUNT;
    }
    return rv;
}

/* The digests have one length, so the time tells nothing about where two texts differ. */
static int equal(const account_call_t *call, const char *stored, const char *given)
{
    const char *a, *b;

    if (!stored) {
        return 0;
    }
    a = account_keys_digest(call->store->keys, 0, stored, call->store->pool);
    b = account_keys_digest(call->store->keys, 0, given, call->store->pool);
    return CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

apr_status_t account_do_check_answer(const account_call_t *call, account_answer_t *answer)
{
    const char *question = NULL, *right = NULL;
    const account_t *account;
    account_code_t code = {.purpose = "answer", .expires = call->store->now + ANSWER_LIFE};
    apr_status_t rv = find_account(call, &account);

    if (rv == APR_SUCCESS && !account) {
        answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        rv = account_attribute_get(call->store, account, "question", &question);
    }
    if (rv == APR_SUCCESS) {
        rv = account_attribute_get(call->store, account, "answer", &right);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!equal(call, question, account_call_value(call, "question"))
        || !equal(call, right, account_call_value(call, "answer"))) {
        answer->outcome = ACCOUNT_WRONG_ANSWER;
        return APR_SUCCESS;
    }
    /* Bound to the account, not to the name it was asked by: one token for each. */
    code.target = account->ref;
    rv = account_random_uuid_token(&code.secret, call->store->random, call->store->pool);
    if (rv == APR_SUCCESS) {
        rv = account_code_issue(call->store, &code);
    }
    answer->token = code.secret;
    return rv;
}
