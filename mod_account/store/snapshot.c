#include "store/snapshot.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"

/* Another one with each change of what is written. */
#define FORMAT 2

#define NUMBERS 13
#define HEAD ((NUMBERS + 1) * sizeof(apr_int64_t)) /* a sum goes first */
#define TEXTS 10
#define NO_TEXT APR_UINT32_MAX

apr_uint32_t account_snapshot_slot_of_account(const char *realm, apr_int64_t account_id)
{
    char name[24];

    apr_snprintf(name, sizeof(name), "%" APR_INT64_T_FMT, account_id);
    return account_fence_slot("account", realm, name);
}

apr_uint32_t account_snapshot_slot_of_token(const char *realm, const char *token)
{
    return account_fence_slot("session", realm, token);
}

/* Its numbers and texts in their order, to be written; the same order for reading. */
static void spread(const account_snapshot_t *snapshot, apr_int64_t *numbers, const char **texts)
{
    const account_session_t *session = &snapshot->session;
    const account_t *account = &snapshot->account;
    const apr_int64_t all[NUMBERS] = {
        FORMAT,           snapshot->since,          session->created,
        session->seen,    session->expires,         session->idle,
        account->id,      account->email_verified,  account->mobile_verified,
        account->status,  account->registered_kind, account->created,
        account->updated,
    };
    const char *const words[TEXTS] = {
        session->id,
        session->address,
        session->agent,
        account->ref,
        account->identifiers[ACCOUNT_USER_NAME],
        account->identifiers[ACCOUNT_EMAIL],
        account->identifiers[ACCOUNT_MOBILE],
        account->role,
        account->registered_with,
        account->attributes,
    };

    memcpy(numbers, all, sizeof(all));
    memcpy(texts, words, sizeof(words));
}

static void gather(account_snapshot_t *snapshot, const apr_int64_t *numbers,
                   const char *const *texts)
{
    account_session_t *session = &snapshot->session;
    account_t *account = &snapshot->account;

    snapshot->since = numbers[1];
    session->created = numbers[2];
    session->seen = numbers[3];
    session->expires = numbers[4];
    session->idle = numbers[5];
    account->id = session->account_id = numbers[6];
    account->email_verified = numbers[7];
    account->mobile_verified = numbers[8];
    account->status = (account_status_e)numbers[9];
    account->registered_kind = (account_kind_e)numbers[10];
    account->created = numbers[11];
    account->updated = numbers[12];
    session->id = texts[0];
    session->address = texts[1];
    session->agent = texts[2];
    account->ref = texts[3];
    account->identifiers[ACCOUNT_USER_NAME] = texts[4];
    account->identifiers[ACCOUNT_EMAIL] = texts[5];
    account->identifiers[ACCOUNT_MOBILE] = texts[6];
    account->role = texts[7];
    account->registered_with = texts[8];
    account->attributes = texts[9];
}

static apr_uint64_t mix(apr_uint64_t sum, apr_uint64_t word)
{
    sum = (sum ^ word) * APR_UINT64_C(1099511628211);
    return sum ^ sum >> 32;
}

/* As FNV-1a, eight bytes at once, over the key and all that follows the sum: a process that was
 * killed while it wrote may have left parts of two in a cache. */
static apr_uint64_t sum_of(const char *key, const char *bytes, apr_size_t length)
{
    const char *part[] = {key, bytes + sizeof(apr_uint64_t)};
    const apr_size_t lengths[] = {strlen(key), length - sizeof(apr_uint64_t)};
    apr_uint64_t sum = APR_UINT64_C(14695981039346656037);
    apr_uint64_t word;
    apr_size_t at;
    int i;

    for (i = 0; i < 2; i++) {
        for (at = 0; lengths[i] - at >= sizeof(word); at += sizeof(word)) {
            memcpy(&word, part[i] + at, sizeof(word));
            sum = mix(sum, word);
        }
        word = lengths[i];
        memcpy(&word, part[i] + at, lengths[i] - at);
        sum = mix(sum, word);
    }
    return sum;
}

/* A sum, numbers, lengths of the texts, texts with their ends. 0: too long. */
static apr_size_t write_down(const account_snapshot_t *snapshot, const char *key, char *bytes)
{
    apr_int64_t numbers[NUMBERS];
    apr_uint32_t lengths[TEXTS];
    const char *texts[TEXTS];
    apr_size_t used = HEAD + sizeof(lengths);
    apr_uint64_t sum;
    int i;

    spread(snapshot, numbers, texts);
    for (i = 0; i < TEXTS; i++) {
        apr_size_t length = texts[i] ? strlen(texts[i]) : 0;

        lengths[i] = texts[i] ? (apr_uint32_t)length : NO_TEXT;
        if (texts[i] && length + 1 > ACCOUNT_CACHE_VALUE_MOST - used) {
            return 0;
        }
        if (texts[i]) {
            memcpy(bytes + used, texts[i], length + 1);
            used += length + 1;
        }
    }
    memcpy(bytes + sizeof(sum), numbers, sizeof(numbers));
    memcpy(bytes + HEAD, lengths, sizeof(lengths));
    sum = sum_of(key, bytes, used);
    memcpy(bytes, &sum, sizeof(sum));
    return used;
}

/* The texts stay where they are. 0: it is something else. */
static int read_back(const account_cache_item_t *item, const char *key,
                     account_snapshot_t *snapshot)
{
    const char *bytes = item->value;
    apr_int64_t numbers[NUMBERS];
    apr_uint32_t lengths[TEXTS];
    const char *texts[TEXTS];
    apr_size_t used = HEAD + sizeof(lengths);
    apr_uint64_t sum;
    int i;

    if (item->value_length < used) {
        return 0;
    }
    memcpy(&sum, bytes, sizeof(sum));
    memcpy(numbers, bytes + sizeof(sum), sizeof(numbers));
    memcpy(lengths, bytes + HEAD, sizeof(lengths));
    if (numbers[0] != FORMAT || sum != sum_of(key, bytes, item->value_length)) {
        return 0;
    }
    for (i = 0; i < TEXTS; i++) {
        texts[i] = NULL;
        if (lengths[i] != NO_TEXT) {
            if (lengths[i] >= item->value_length - used || bytes[used + lengths[i]] != '\0') {
                return 0;
            }
            texts[i] = bytes + used;
            used += lengths[i] + 1;
        }
    }
    if (used != item->value_length || !texts[0] || !texts[9]) {
        return 0;
    }
    gather(snapshot, numbers, texts);
    return 1;
}

/* Of the digest, which is made with the realm, and of the database: realms in two of them may have
 * the same name and keys. */
static const char *key_of(const account_store_t *store, const char *digest)
{
    return apr_psprintf(store->pool, "%d/%s", store->database_number, digest);
}

static account_cache_item_t item_of(const char *key)
{
    return (account_cache_item_t){.space = "session", .key = key, .key_length = strlen(key)};
}

static int is_unchanged(const account_store_t *store, const account_snapshot_t *snapshot)
{
    const account_fence_t *fence = store->closing ? store->closing->fence : NULL;
    apr_uint32_t account = account_snapshot_slot_of_account(store->realm, snapshot->account.id);
    apr_uint32_t token = account_snapshot_slot_of_token(store->realm, snapshot->session.token);

    return fence && account_fence_is_good(fence, account, snapshot->since)
           && account_fence_is_good(fence, token, snapshot->since);
}

account_snapshot_state_e account_snapshot_judge(const account_store_t *store,
                                                const account_snapshot_t *snapshot)
{
    const account_session_t *session = &snapshot->session;
    apr_time_t age = account_clock_monotonic() - snapshot->since;

    if (age < 0 || session->expires <= store->now || session->seen + session->idle <= store->now
        || snapshot->account.status != ACCOUNT_ACTIVE || !is_unchanged(store, snapshot)) {
        return ACCOUNT_SNAPSHOT_WORTHLESS;
    }
    return age < store->cache->ttl && store->now - session->seen < ACCOUNT_SESSION_SEEN
               ? ACCOUNT_SNAPSHOT_GOOD
           : age < store->cache->grace ? ACCOUNT_SNAPSHOT_OLD
                                       : ACCOUNT_SNAPSHOT_WORTHLESS;
}

static account_snapshot_t *read_item(const account_cache_item_t *item, const char *key,
                                     const char *token, apr_pool_t *pool)
{
    account_snapshot_t *snapshot = apr_pcalloc(pool, sizeof(*snapshot));

    if (!read_back(item, key, snapshot)) {
        return NULL;
    }
    snapshot->session.token = token;
    return snapshot;
}

/* That of this process, if it is good: then no other is asked. */
static const account_snapshot_t *get_kept(const account_store_t *store, const char *token,
                                          const char *key)
{
    const account_cache_t *cache = store->cache;
    account_cache_item_t item = item_of(key);
    const account_snapshot_t *snapshot = NULL;

    item.value = account_shelf_get(cache->shelf, key, &item.value_length, store->pool);
    if (item.value) {
        snapshot = read_item(&item, key, token, store->pool);
    }
    if (!snapshot || account_snapshot_judge(store, snapshot) != ACCOUNT_SNAPSHOT_GOOD) {
        return NULL;
    }
    cache->found(cache->baton);
    return snapshot;
}

const account_snapshot_t *account_snapshot_get(const account_store_t *store, const char *token,
                                               const char *digest)
{
    const account_cache_t *cache = store->cache;
    const char *key = key_of(store, digest);
    account_cache_item_t item = item_of(key);
    const account_snapshot_t *snapshot = get_kept(store, token, key);

    if (!snapshot && cache->get(cache->baton, &item, store->pool) == APR_SUCCESS) {
        snapshot = read_item(&item, key, token, store->pool);
        if (snapshot) {
            account_shelf_put(cache->shelf, key, item.value, item.value_length);
        }
    }
    return snapshot;
}

void account_snapshot_put(const account_store_t *store, const account_snapshot_t *snapshot,
                          const char *digest)
{
    const account_cache_t *cache = store->cache;
    apr_interval_time_t life = cache->ttl > cache->grace ? cache->ttl : cache->grace;
    const char *key = key_of(store, digest);
    account_cache_item_t item = item_of(key);
    char bytes[ACCOUNT_CACHE_VALUE_MOST];

    if (!is_unchanged(store, snapshot)) {
        return; /* it would be found worthless */
    }
    item.value = bytes;
    item.value_length = write_down(snapshot, key, bytes);
    item.life = life > apr_time_from_sec(1) ? life : apr_time_from_sec(1);
    if (item.value_length > 0) {
        account_shelf_put(cache->shelf, key, bytes, item.value_length);
        cache->set(cache->baton, &item, store->pool);
    }
}
