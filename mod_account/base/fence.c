#include "base/fence.h"

#include <apr_atomic.h>

/* In a slot: microseconds, enough for a century, and how many are at it. At COUNT_MOST it stays:
 * the slot opens by itself. */
#define COUNT_BITS 12
#define COUNT_MOST ((1 << COUNT_BITS) - 1)
#define PACK(time, count) ((apr_uint64_t)(time) << COUNT_BITS | (apr_uint64_t)(count))
#define TIME(word) ((apr_time_t)((word) >> COUNT_BITS))
#define COUNT(word) ((int)((word)&COUNT_MOST))

/* One slot that was closed. */
typedef struct closed_t {
    apr_uint32_t slot;
    apr_time_t until; /* then at the latest it would have opened by itself */
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
    return TIME(apr_atomic_read64(&fence->slots[slot])) < since;
}

void account_fence_close(account_closing_t *closing, apr_uint32_t slot, apr_time_t now)
{
    volatile apr_uint64_t *at = &closing->fence->slots[slot];
    apr_time_t until = now + ACCOUNT_FENCE_LATEST;
    apr_uint64_t before, after;
    int i, count;

    for (i = 0; closing->closed && i < closing->closed->nelts; i++) {
        if (APR_ARRAY_IDX(closing->closed, i, closed_t).slot == slot) {
            return; /* another attempt at the same: the request's deadline is near enough */
        }
    }
    do {
        before = apr_atomic_read64(at);
        count = TIME(before) > now ? COUNT(before) + 1 : 1;
        after = PACK(TIME(before) > until ? TIME(before) : until,
                     count < COUNT_MOST ? count : COUNT_MOST);
    } while (apr_atomic_cas64(at, after, before) != before);
    if (!closing->closed) {
        closing->closed = apr_array_make(closing->pool, 4, sizeof(closed_t));
    }
    APR_ARRAY_PUSH(closing->closed, closed_t) = (closed_t){slot, until};
}

/* One less is at it; the last one opens. By the time that a late one is done counting may have
 * begun anew, so he leaves it, and only makes worthless what was read till now: it may be from
 * before his commit, if the slot has opened by itself. */
static void open_slot(const account_fence_t *fence, const closed_t *closed, apr_time_t now)
{
    volatile apr_uint64_t *at = &fence->slots[closed->slot];
    int is_late = now >= closed->until - ACCOUNT_FENCE_LATEST / 2;
    apr_uint64_t before, after;

    do {
        before = apr_atomic_read64(at);
        if (is_late ? TIME(before) >= now : COUNT(before) == COUNT_MOST || COUNT(before) == 0) {
            return;
        }
        after = !is_late && COUNT(before) > 1 ? before - 1 : PACK(now, 0);
    } while (apr_atomic_cas64(at, after, before) != before);
}

void account_fence_end(account_closing_t *closing, int is_known, apr_time_t now)
{
    int i;

    for (i = 0; closing->closed && i < closing->closed->nelts; i++) {
        if (is_known) {
            open_slot(closing->fence, &APR_ARRAY_IDX(closing->closed, i, closed_t), now);
        }
    }
    closing->closed = NULL;
}
