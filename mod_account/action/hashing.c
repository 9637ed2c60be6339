#include "action/hashing.h"

#include "action/limits.h"

/* Who waits for the gate any longer than this before the store's deadline would hash for nothing.
 */
#define KEPT_FOR_STORE apr_time_from_sec(1)

typedef struct job_t {
    const account_call_t *call;
    const char *stored; /* to verify against; NULL: make a hash */
    const char *password;
    const char *phc;
    int matches;
    apr_status_t rv;
} job_t;

/* Runs in the gate's thread while the caller waits: the pool is never used by two at once. */
static void run_job(void *baton)
{
    job_t *job = baton;
    apr_pool_t *pool = job->call->store->pool;

    if (job->stored) {
        job->rv = account_password_verify(&job->matches, job->stored, job->password, pool);
    }
    else {
        job->rv = account_password_hash(&job->phc, job->password, &job->call->settings->cost,
                                        job->call->store->random, pool);
    }
}

static apr_status_t through_gate(job_t *job)
{
    const account_call_t *call = job->call;
    apr_status_t rv = account_gate_run(call->gate, account_limit_address(call),
                                       call->store->deadline - KEPT_FOR_STORE, run_job, job);

    return rv == APR_SUCCESS ? job->rv : rv;
}

int account_hashing_is_busy(const account_call_t *call)
{
    return account_gate_is_full(call->gate, account_limit_address(call));
}

apr_status_t account_hashing_verify(const account_call_t *call, const account_t *account,
                                    const char *password, int *matches)
{
    /* Without a hash to compare with it is compared with one that nothing matches: the same work,
     * so the time does not tell whether the account exists (ASVS 6.3.8). */
    int has_hash = account && account->password && account_password_is_readable(account->password);
    job_t job = {call,
                 has_hash ? account->password
                          : account_password_dummy(&call->settings->cost, call->store->pool),
                 password,
                 NULL,
                 0,
                 APR_SUCCESS};
    apr_status_t rv = through_gate(&job);

    *matches = has_hash && job.matches;
    return rv;
}

apr_status_t account_hashing_make(const account_call_t *call, const char *password,
                                  const char **phc)
{
    job_t job = {call, NULL, password, NULL, 0, APR_SUCCESS};
    apr_status_t rv = through_gate(&job);

    *phc = job.phc;
    return rv;
}
