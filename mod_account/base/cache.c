#include "base/cache.h"

#include <string.h>

#include <apr_strings.h>

#include "base/base64.h"

static const char *context_of(const account_cache_item_t *item, apr_pool_t *pool)
{
    return apr_pstrcat(pool, item->space, "/",
                       account_base64_encode(pool, item->key, item->key_length, 1), NULL);
}

const char *account_cache_seal(const account_keys_t *keys, const account_cache_item_t *item,
                               apr_pool_t *pool)
{
    apr_time_t until = apr_time_now() + item->life;
    const char *context = context_of(item, pool);
    char *plain = apr_palloc(pool, sizeof(until) + item->value_length);
    const char *text, *sealed;

    memcpy(plain, &until, sizeof(until));
    memcpy(plain + sizeof(until), item->value, item->value_length);
    text = account_base64_encode(pool, (const unsigned char *)plain,
                                 sizeof(until) + item->value_length, 1);
    return account_keys_seal(keys, context, text, &sealed, pool) == APR_SUCCESS ? sealed : NULL;
}

apr_status_t account_cache_unseal(const account_keys_t *keys, account_cache_item_t *item,
                                  const char *sealed, apr_pool_t *pool)
{
    unsigned char *plain;
    const char *text;
    apr_ssize_t length;
    apr_time_t until;

    if (account_keys_open(keys, context_of(item, pool), sealed, &text, pool) != APR_SUCCESS) {
        return APR_NOTFOUND;
    }
    plain = apr_palloc(pool, strlen(text) + 1);
    length = account_base64_decode(plain, strlen(text), text, strlen(text), 1);
    if (length <= (apr_ssize_t)sizeof(until)) {
        return APR_NOTFOUND;
    }
    memcpy(&until, plain, sizeof(until));
    if (until <= apr_time_now()) {
        return APR_NOTFOUND;
    }
    item->value = plain + sizeof(until);
    item->value_length = length - sizeof(until);
    return APR_SUCCESS;
}
