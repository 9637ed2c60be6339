#include "action/remember.h"

#include <apr_strings.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

/* Longer than anybody verifies; a process that was killed meanwhile holds nobody up for longer. */
#define TRIAL apr_time_from_sec(3)
#define STEP apr_time_from_msec(5)
/* Whoever waits any longer than this before the store's deadline would do so for nothing. */
#define KEPT_FOR_STORE apr_time_from_sec(1)

/* What is known of one password of one account. */
typedef struct memory_t {
    const account_cache_t *cache;
    account_cache_item_t right; /* it was right */
    account_cache_item_t trial; /* somebody is having it verified */
    apr_pool_t *pool;
} memory_t;

/* A name that nobody has is asked for as any other, so that the time is the same. 0: OpenSSL
 * failed. */
static int make_memory(const account_call_t *call, const account_login_t *login,
                       const account_cache_t *cache, memory_t *memory)
{
    apr_pool_t *pool = call->store->pool;
    const account_t *account = login->account;
    const char *hash =
        !account ? apr_pstrcat(pool, "?", account_text_identifier(pool, login->name), NULL)
        : account->password ? account->password
                            : "";
    const char *digest = account_keys_digest(
        cache->keys, 0,
        apr_psprintf(pool, "basic\n%s\n%" APR_INT64_T_FMT "\n%s\n%s", call->store->realm,
                     account ? account->id : 0, hash, login->password),
        pool);

    if (!digest) {
        return 0;
    }
    *memory = (memory_t){.cache = cache, .pool = pool};
    memory->right = (account_cache_item_t){.space = "right",
                                           .key = digest,
                                           .key_length = strlen(digest),
                                           .value = "1",
                                           .value_length = 1,
                                           .life = ACCOUNT_REMEMBERED};
    memory->trial = memory->right;
    memory->trial.space = "trial";
    memory->trial.life = TRIAL;
    memory->trial.is_uncounted = 1;
    return 1;
}

static int has(const memory_t *memory, const account_cache_item_t *what)
{
    account_cache_item_t item = *what;

    return memory->cache->get(memory->cache->baton, &item, memory->pool) == APR_SUCCESS;
}

/* Until nobody is having it verified any more. */
static apr_status_t wait_for_other(const account_call_t *call, const memory_t *memory)
{
    while (has(memory, &memory->trial)) {
        if (account_clock_monotonic() > call->store->deadline - KEPT_FOR_STORE) {
            return ACCOUNT_EBUSY;
        }
        apr_sleep(STEP);
    }
    return APR_SUCCESS;
}

static apr_status_t verify(const account_call_t *call, const account_login_t *login,
                           const memory_t *memory, account_answer_t *answer)
{
    const account_cache_t *cache = memory->cache;
    apr_status_t rv = account_login_verify(call, login, answer);

    if (rv == APR_SUCCESS && answer->outcome == ACCOUNT_OK) {
        cache->set(cache->baton, &memory->right, memory->pool);
        account_log(call->store->log, ACCOUNT_LOG_DEBUG, 0,
                    ACLOGNO(00199) "account %" APR_INT64_T_FMT
                                   ": the password was verified and is remembered for a while",
                    login->account->id);
    }
    return rv;
}

/* What is not remembered: verified (*verified), or found out by waiting for who verifies it. */
static apr_status_t find_out(const account_call_t *call, const account_login_t *login,
                             memory_t *memory, account_answer_t *answer, int *verified)
{
    const account_cache_t *cache = memory->cache;
    int is_first = cache->add(cache->baton, &memory->trial, memory->pool) != APR_EEXIST;
    apr_status_t rv = is_first ? APR_SUCCESS : wait_for_other(call, memory);

    memory->right.is_uncounted = 1;
    if (rv == APR_SUCCESS && has(memory, &memory->right)) {
        answer->outcome = account_login_judge(login->account); /* meanwhile */
    }
    else if (rv == APR_SUCCESS) {
        rv = verify(call, login, memory, answer);
        *verified = 1;
    }
    if (is_first) {
        cache->remove(cache->baton, &memory->trial, memory->pool);
    }
    return rv;
}

apr_status_t account_login_recall(const account_call_t *call, const account_login_t *login,
                                  const account_cache_t *cache, account_answer_t *answer,
                                  int *verified)
{
    memory_t memory;
    apr_status_t rv = APR_SUCCESS;

    *verified = 0;
    if (!cache || !make_memory(call, login, cache, &memory)) {
        rv = account_login_verify(call, login, answer);
        *verified = 1;
    }
    else if (has(&memory, &memory.right)) {
        answer->outcome = account_login_judge(login->account);
    }
    else {
        rv = find_out(call, login, &memory, answer, verified);
    }
    if (rv == APR_SUCCESS && answer->outcome == ACCOUNT_OK && *verified) {
        account_login_renew_hash(call, login); /* by now nobody waits for it */
    }
    return rv;
}
