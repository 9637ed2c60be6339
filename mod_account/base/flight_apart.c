#ifdef HAVE_CURL

#include <pthread.h>

#include <apr_allocator.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/flight.h"

#define STEP APR_TIME_C(20000)
#define ASKING apr_time_from_msec(100)

/* One thread with its part of the parcels, and memory that nobody else touches. */
typedef struct part_t {
    account_flyer_t flyer;
    account_dispatch_t dispatch;
    pthread_t thread;
    int has_thread;
    int is_done;
} part_t;

static int is_stopping(void *baton)
{
    return __atomic_load_n((const int *)baton, __ATOMIC_ACQUIRE);
}

static void *fly(void *data)
{
    part_t *part = data;

    account_flight_send(&part->flyer, &part->dispatch);
    __atomic_store_n(&part->is_done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* A pool below parent that another thread may use. */
static apr_pool_t *pool_apart(apr_pool_t *parent)
{
    apr_allocator_t *allocator = NULL;
    apr_pool_t *pool = NULL;

    if (apr_allocator_create(&allocator) != APR_SUCCESS
        || apr_pool_create_ex(&pool, parent, NULL, allocator) != APR_SUCCESS) {
        if (allocator) {
            apr_allocator_destroy(allocator);
        }
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    return pool;
}

/* Asks, for all threads, until they have ended. */
static void wait_for(part_t *parts, int count, account_dispatch_t *dispatch, int *stop)
{
    apr_time_t ask_at = account_clock_monotonic();
    int done, i;

    do {
        if (account_clock_monotonic() >= ask_at) {
            if (dispatch->stopping(dispatch->baton)) {
                __atomic_store_n(stop, 1, __ATOMIC_RELEASE);
            }
            ask_at = account_clock_monotonic() + ASKING;
        }
        for (i = 0, done = 0; i < count; i++) {
            done += __atomic_load_n(&parts[i].is_done, __ATOMIC_ACQUIRE);
        }
        if (done < count) {
            apr_sleep(STEP);
        }
    } while (done < count);
}

/* Takes over what a part's memory holds, and frees it. */
static void end_part(part_t *part, apr_pool_t *pool)
{
    int i;

    if (part->has_thread) {
        pthread_join(part->thread, NULL);
    }
    for (i = 0; i < part->dispatch.count; i++) {
        account_parcel_t *parcel = &part->dispatch.parcels[i];

        parcel->reason = parcel->reason ? apr_pstrdup(pool, parcel->reason) : NULL;
    }
    if (part->dispatch.pool) {
        apr_pool_destroy(part->dispatch.pool);
    }
}

/* Ends what a part would have sent: left waiting, it would be tried again at once, for ever. */
static void give_back(const part_t *part, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < part->dispatch.count; i++) {
        account_parcel_end(&part->dispatch.parcels[i], ACCOUNT_PARCEL_DOWN, pool,
                           "the system gives no thread to send it with");
    }
}

void account_flight_send_apart(const account_flyer_t *flyer, account_dispatch_t *dispatch)
{
    part_t parts[ACCOUNT_COURIER_LANES] = {0};
    int count = dispatch->count < flyer->lanes ? dispatch->count : flyer->lanes;
    int stop = 0;
    int i;

    for (i = 0; i < count; i++) {
        part_t *part = &parts[i];
        int first = dispatch->count * i / count;

        part->flyer = *flyer;
        part->flyer.lanes = 1;
        part->dispatch.parcels = dispatch->parcels + first;
        part->dispatch.count = dispatch->count * (i + 1) / count - first;
        part->dispatch.stopping = is_stopping;
        part->dispatch.baton = &stop;
        part->dispatch.pool = pool_apart(dispatch->pool);
        part->has_thread =
            part->dispatch.pool && pthread_create(&part->thread, NULL, fly, part) == 0;
        if (!part->has_thread) {
            part->is_done = 1;
            give_back(part, dispatch->pool);
        }
    }
    wait_for(parts, count, dispatch, &stop);
    for (i = 0; i < count; i++) {
        end_part(&parts[i], dispatch->pool);
    }
}

#endif
