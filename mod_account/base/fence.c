#include "base/fence.h"

#include <apr_atomic.h>

/* One slot that was closed. */
typedef struct closed_t {
    apr_uint32_t slot;
    apr_uint64_t until;
    int is_sole; /* nobody else was at it */
} closed_t;

/* FNV-1a, over the text and its end. */
static apr_uint64_t mix(apr_uint64_t hash, const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;

    do {
        hash = (hash ^ *byte) * APR_UINT64_C(1099511628211);
    } while (*byte++);
    return hash;
}

apr_uint32_t account_fence_slot(const char *what, const char *realm, const char *name)
{
    apr_uint64_t hash = mix(mix(mix(APR_UINT64_C(14695981039346656037), what), realm), name);

    return (apr_uint32_t)((hash ^ hash >> 32) % ACCOUNT_FENCE_SLOTS);
}

int account_fence_is_good(const account_fence_t *fence, apr_uint32_t slot, apr_time_t since)
{
    return apr_atomic_read64(&fence->slots[slot]) < (apr_uint64_t)since;
}

void account_fence_close(account_closing_t *closing, apr_uint32_t slot, apr_time_t now)
{
    volatile apr_uint64_t *at = &closing->fence->slots[slot];
    apr_uint64_t until, before;
    int i;

    for (i = 0; closing->closed && i < closing->closed->nelts; i++) {
        if (APR_ARRAY_IDX(closing->closed, i, closed_t).slot == slot) {
            return; /* another attempt at the same: the request's deadline is near enough */
        }
    }
    do {
        before = apr_atomic_read64(at);
        until = (apr_uint64_t)(now + ACCOUNT_FENCE_LATEST);
        until = until > before ? until : before + 1; /* a time of its own */
    } while (apr_atomic_cas64(at, until, before) != before);
    if (!closing->closed) {
        closing->closed = apr_array_make(closing->pool, 4, sizeof(closed_t));
    }
    APR_ARRAY_PUSH(closing->closed, closed_t) =
        (closed_t){slot, until, before <= (apr_uint64_t)now};
}

void account_fence_end(account_closing_t *closing, int is_known, apr_time_t now)
{
    int i;

    for (i = 0; closing->closed && i < closing->closed->nelts; i++) {
        const closed_t *closed = &APR_ARRAY_IDX(closing->closed, i, closed_t);

        if (is_known && closed->is_sole) {
            apr_atomic_cas64(&closing->fence->slots[closed->slot], (apr_uint64_t)now,
                             closed->until);
        }
    }
    closing->closed = NULL;
}
