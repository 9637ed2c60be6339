#include "action/device.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

static const char *signature(const account_call_t *call, const account_t *account, int key,
                             const char *digits)
{
    const account_store_t *store = call->store;
    const char *text =
        apr_pstrcat(store->pool, "device/", store->realm, "/", account->ref, "/", digits, NULL);

    return account_keys_digest(store->keys, key, text, store->pool);
}

const char *account_device_find(const account_call_t *call, const account_t *account)
{
    int i, key;

    for (i = 0; account && call->devices && i < call->devices->nelts; i++) {
        const char *value = APR_ARRAY_IDX(call->devices, i, const char *);
        const char *dot = strchr(value, '.');
        const char *digits = dot ? apr_pstrmemdup(call->store->pool, value, dot - value) : NULL;

        for (key = 0; digits && key < account_keys_count(call->store->keys); key++) {
            const char *wanted = signature(call, account, key, digits);

            if (wanted && strlen(wanted) == strlen(dot + 1)
                && CRYPTO_memcmp(wanted, dot + 1, strlen(wanted)) == 0) {
                return digits;
            }
        }
    }
    return NULL;
}

apr_status_t account_device_remember(const account_call_t *call, const account_t *account,
                                     account_answer_t *answer)
{
    const char *digits;
    apr_status_t rv;

    if (!call->settings->device_cookie || account_device_find(call, account)) {
        return APR_SUCCESS;
    }
    rv = account_random_session_token(&digits, call->store->random, call->store->pool);
    if (rv == APR_SUCCESS) {
        answer->device =
            apr_pstrcat(call->store->pool, digits, ".", signature(call, account, 0, digits), NULL);
    }
    return rv;
}
