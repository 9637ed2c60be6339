#include "httpd/counters.h"

#include <ap_mpm.h>
#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/* For as long as the server runs. */
typedef struct totals_t {
    apr_time_t since;
    apr_uint64_t cache_hits;
    apr_uint64_t cache_misses;
    apr_uint64_t requests[]; /* by action, then by outcome */
} totals_t;

/* One of each child; its gauges, one for each backend, stand in an array behind all slots. */
typedef struct slot_t {
    volatile apr_uint32_t pid; /* 0: nobody's yet */
} slot_t;

struct account_counters_t {
    totals_t *totals;
    slot_t *slots; /* of this configuration: its backends may be others than those before */
    account_gauges_t *gauges;
    int slot_count;
    int backend_count;
    int own; /* the slot of this child, -1: none */
};

static apr_size_t action_count(void)
{
    const account_action_t *action = account_actions;

    while (action->name) {
        action++;
    }
    return action - account_actions;
}

/* Memory that is zero and that children share. */
static apr_status_t share(void **memory, apr_size_t size, apr_pool_t *pool)
{
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, size, NULL, pool);

    if (rv == APR_SUCCESS) {
        *memory = apr_shm_baseaddr_get(shm);
        memset(*memory, 0, size);
    }
    return rv;
}

/* Those of before a restart go on, unless another module was loaded meanwhile. */
static apr_status_t find_totals(account_counters_t *counters, apr_pool_t *process,
                                apr_pool_t *pconf)
{
    apr_size_t size = sizeof(totals_t) + action_count() * ACCOUNT_OUTCOMES * sizeof(apr_uint64_t);
    const char *key =
        apr_psprintf(pconf, "mod_account counters %s %" APR_SIZE_T_FMT, ACCOUNT_VERSION, size);
    void *memory = NULL;
    apr_status_t rv = APR_SUCCESS;

    apr_pool_userdata_get(&memory, key, process);
    if (!memory) {
        rv = share(&memory, size, process);
        if (rv == APR_SUCCESS) {
            ((totals_t *)memory)->since = apr_time_now();
            apr_pool_userdata_setn(memory, apr_pstrdup(process, key), NULL, process);
        }
    }
    counters->totals = memory;
    return rv;
}

apr_status_t account_counters_create(account_shared_t *shared, server_rec *servers,
                                     apr_pool_t *pconf)
{
    account_counters_t *counters = apr_pcalloc(pconf, sizeof(*counters));
    int processes = 1;
    void *memory = NULL;
    apr_status_t rv;

    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &processes);
    /* one that ends may not be gone when its successor begins */
    counters->slot_count = 2 * (processes > 0 ? processes : 1);
    counters->backend_count = shared->backends->nelts;
    counters->own = -1;
    rv = find_totals(counters, servers->process->pool, pconf);
    if (rv == APR_SUCCESS) {
        rv = share(&memory,
                   counters->slot_count
                       * (sizeof(slot_t) + counters->backend_count * sizeof(account_gauges_t)),
                   pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, servers,
                     ACLOGNO(00232) "no shared memory for the counters of account-status");
        return rv;
    }
    counters->slots = memory;
    counters->gauges = (account_gauges_t *)(counters->slots + counters->slot_count);
    shared->counters = counters;
    return rv;
}

/* A number that was a child's may be another process's by now: that one is not of our group. */
static int is_alive(apr_uint32_t pid)
{
    return pid != 0 && getpgid((pid_t)pid) == getpgrp();
}

static account_gauges_t *gauges_at(const account_counters_t *counters, int slot, int backend)
{
    return &counters->gauges[slot * counters->backend_count + backend];
}

/* Takes a slot: nobody's, or that of one that is gone. late goes on. */
void account_counters_begin(const account_shared_t *shared)
{
    account_counters_t *counters = shared->counters;
    apr_uint32_t own = (apr_uint32_t)getpid();
    int slot, backend;

    for (slot = 0; counters && counters->own < 0 && slot < counters->slot_count; slot++) {
        apr_uint32_t pid = apr_atomic_read32(&counters->slots[slot].pid);

        if ((pid != own && is_alive(pid))
            || apr_atomic_cas32(&counters->slots[slot].pid, own, pid) != pid) {
            continue;
        }
        counters->own = slot;
        for (backend = 0; backend < counters->backend_count; backend++) {
            account_gauges_t *gauges = gauges_at(counters, slot, backend);

            gauges->open = gauges->lent = gauges->waiting = gauges->is_down = 0;
        }
    }
}

account_gauges_t *account_counters_gauges(const account_shared_t *shared,
                                          const account_backend_t *backend)
{
    const account_counters_t *counters = shared->counters;

    return counters && counters->own >= 0 ? gauges_at(counters, counters->own, backend->number)
                                          : NULL;
}

static volatile apr_uint64_t *requests_at(const account_shared_t *shared,
                                          const account_action_t *action, account_outcome_e outcome)
{
    return &shared->counters->totals
                ->requests[(action - account_actions) * ACCOUNT_OUTCOMES + outcome];
}

void account_counter_request(const account_shared_t *shared, const account_action_t *action,
                             account_outcome_e outcome)
{
    if (shared->counters) {
        apr_atomic_inc64(requests_at(shared, action, outcome));
    }
}

void account_counter_cache_hit(const account_shared_t *shared)
{
    if (shared->counters) {
        apr_atomic_inc64(&shared->counters->totals->cache_hits);
    }
}

void account_counter_cache_miss(const account_shared_t *shared)
{
    if (shared->counters) {
        apr_atomic_inc64(&shared->counters->totals->cache_misses);
    }
}

apr_uint64_t account_counters_requests(const account_shared_t *shared,
                                       const account_action_t *action, account_outcome_e outcome)
{
    return shared->counters ? apr_atomic_read64(requests_at(shared, action, outcome)) : 0;
}

apr_uint64_t account_counters_cache_hits(const account_shared_t *shared)
{
    return shared->counters ? apr_atomic_read64(&shared->counters->totals->cache_hits) : 0;
}

apr_uint64_t account_counters_cache_misses(const account_shared_t *shared)
{
    return shared->counters ? apr_atomic_read64(&shared->counters->totals->cache_misses) : 0;
}

apr_time_t account_counters_since(const account_shared_t *shared)
{
    return shared->counters ? shared->counters->totals->since : 0;
}

int account_counters_children(const account_shared_t *shared)
{
    const account_counters_t *counters = shared->counters;
    int slot, alive = 0;

    for (slot = 0; counters && slot < counters->slot_count; slot++) {
        alive += is_alive(apr_atomic_read32(&counters->slots[slot].pid));
    }
    return alive;
}

void account_counters_load(const account_shared_t *shared, const account_backend_t *backend,
                           account_gauges_t *load)
{
    const account_counters_t *counters = shared->counters;
    int slot;

    *load = (account_gauges_t){0};
    for (slot = 0; counters && slot < counters->slot_count; slot++) {
        const account_gauges_t *gauges = gauges_at(counters, slot, backend->number);

        load->late += gauges->late;
        if (is_alive(apr_atomic_read32(&counters->slots[slot].pid))) {
            load->open += gauges->open;
            load->lent += gauges->lent;
            load->waiting += gauges->waiting;
            load->is_down += gauges->is_down;
        }
    }
}
