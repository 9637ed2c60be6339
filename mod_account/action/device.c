#include "action/device.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Of a session token's 26: first the random ones, then the signature. */
#define DIGITS 13

/* The signature of digits for account, by key n; NULL: there is none. It is for the password too:
 * who knew an earlier one and has collected cookies has none that is worth anything. */
static const char *signature(const account_call_t *call, const account_t *account, int key,
                             const char *digits)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    const account_store_t *store = call->store;
    const char *digest = account_keys_digest(
        store->keys, key,
        apr_pstrcat(store->pool, "device/", store->realm, "/", account->ref, "/",
                    account->password ? account->password : "", "/", digits, NULL),
        store->pool);
    char *text = apr_pcalloc(store->pool, DIGITS + 1);
    int i;

    for (i = 0; digest && i < DIGITS; i++) {
        const char pair[] = {digest[2 * i], digest[2 * i + 1], '\0'};

        text[i] = alphabet[strtoul(pair, NULL, 16) & 31];
    }
    return digest ? text : NULL;
}

const char *account_device_find(const account_call_t *call, const account_t *account)
{
    int i, key;

    for (i = 0; account && call->device_cookies && i < call->device_cookies->nelts; i++) {
        const char *value = APR_ARRAY_IDX(call->device_cookies, i, const char *);
        const char *digits = apr_pstrndup(call->store->pool, value, DIGITS);

        for (key = 0; strlen(value) == 2 * DIGITS && key < account_keys_count(call->store->keys);
             key++) {
            const char *wanted = signature(call, account, key, digits);

            if (wanted && CRYPTO_memcmp(wanted, value + DIGITS, DIGITS) == 0) {
                return digits;
            }
        }
    }
    return NULL;
}

apr_status_t account_device_remember(const account_call_t *call, const account_t *account,
                                     account_answer_t *answer)
{
    const char *digits, *signed_digits;
    apr_status_t rv;

    if (!call->settings->device_cookie || account_device_find(call, account)) {
        return APR_SUCCESS;
    }
    rv = account_random_session_token(&digits, call->store->random, call->store->pool);
    if (rv == APR_SUCCESS) {
        digits = apr_pstrndup(call->store->pool, digits, DIGITS);
        signed_digits = signature(call, account, 0, digits);
        answer->device =
            signed_digits ? apr_pstrcat(call->store->pool, digits, signed_digits, NULL) : NULL;
    }
    return rv;
}
