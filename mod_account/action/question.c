#include <openssl/crypto.h>
#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "store/codes.h"

#define ANSWER_LIFE (12 * 3600 * APR_INT64_C(1000)) /* milliseconds */

apr_status_t account_do_security_question(const account_call_t *call, account_answer_t *answer)
{
    const account_t *account;
    apr_status_t rv = account_call_find(call, "account", &account);

    if (rv == APR_SUCCESS && account) {
        answer->question = account_attribute_get(call->store, account, "question");
    }
    if (rv == APR_SUCCESS && !answer->question) {
        answer->outcome = account ? ACCOUNT_NO_QUESTION : ACCOUNT_UNKNOWN_ACCOUNT;
    }
    return rv;
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

apr_status_t account_do_check_answer(const account_call_t *call, account_answer_t *answer)
{
    const account_t *account;
    account_code_t code = {.purpose = "answer", .expires = call->store->now + ANSWER_LIFE};
    apr_status_t rv = account_call_find(call, "account", &account);

    if (rv == APR_SUCCESS && !account) {
        answer->outcome = ACCOUNT_UNKNOWN_ACCOUNT;
    }
    else if (rv == APR_SUCCESS
             && (!is_equal(call, account, "question") || !is_equal(call, account, "answer"))) {
        answer->outcome = ACCOUNT_WRONG_ANSWER;
    }
    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        return rv;
    }
    /* Bound to the account, not to the name it was asked by: one token for each. */
    code.target = account->ref;
    rv = account_random_uuid_token(&code.secret, call->store->random, call->store->pool);
    if (rv == APR_SUCCESS) {
        rv = account_code_issue(call->store, &code, NULL);
    }
    answer->token = code.secret;
    return rv;
}
