#include "httpd/cache.h"

#include <ap_mpm.h>
#include <ap_provider.h>
#include <ap_socache.h>
#include <apr_atomic.h>
#include <apr_global_mutex.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <openssl/crypto.h>
#include <string.h>
#include <util_mutex.h>

#include "base/base64.h"
#include "base/clock.h"
#include "contract/line.h"
#include "httpd/counters.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

#define MUTEX "account-cache"
#define STANDARD "shmcb"
#define STANDARD_FILE "account-cache(16777216)" /* in DefaultRuntimeDir: some 35,000 sessions */
#define KEY_BYTES 32
#define TTL apr_time_from_sec(10)
#define GRACE apr_time_from_sec(300)

/* What goes before a key: a hash, then the name of this server. */
#define HASH_BYTES 4
#define NAME_BYTES 16
#define ID_BYTES (HASH_BYTES + NAME_BYTES + 16 + ACCOUNT_CACHE_KEY_MOST)
/* A remote one answers at once; who does not is left alone for a while. */
#define PATIENCE apr_time_from_msec(250)
#define PAUSE apr_time_from_sec(10)
/* A value that is sealed: in base64 twice. */
#define SEALED_MOST (2 * ACCOUNT_CACHE_VALUE_MOST)

/* What AccountCache may name. */
typedef struct kind_t {
    const char *name;   /* of the provider */
    const char *module; /* that has it */
    int is_remote;      /* others could write there */
} kind_t;

static const kind_t kinds[] = {
    {"shmcb", "socache_shmcb", 0},
    {"memcache", "socache_memcache", 1},
    {"redis", "socache_redis", 1},
};

/* What AccountCache says, and what was made of it; it hangs on account_shared_t. */
struct account_cache_store_t {
    const kind_t *kind;    /* NULL: off */
    const char *arguments; /* or NULL */
    account_place_t place; /* file NULL: nobody wrote it */
    apr_interval_time_t ttl;
    apr_interval_time_t grace;
    /* made at start */
    ap_socache_provider_t *provider; /* NULL: its module is not loaded */
    ap_socache_instance_t *instance;
    apr_global_mutex_t *mutex; /* NULL: it needs none */
    const char *mutex_file;
    server_rec *server;
    const account_shared_t *shared;
    account_cache_t cache;
    const char *server_name; /* random at each start; where others write too, else NULL */
    int is_ready;            /* in this process */
    int inside_most;         /* and there, of who asks a remote one: */
    int inside;
    volatile apr_uint64_t moved;      /* when the first of them came, or one has left */
    volatile apr_uint64_t shut_until; /* account_clock_monotonic, both */
};

static struct account_cache_store_t *store_of(account_shared_t *shared, apr_pool_t *pool)
{
    if (!shared->cache) {
        shared->cache = apr_pcalloc(pool, sizeof(*shared->cache));
        shared->cache->kind = &kinds[0];
        shared->cache->ttl = TTL;
        shared->cache->grace = GRACE;
    }
    return shared->cache;
}

static const kind_t *find_kind(const char *word, apr_size_t length)
{
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, word, length) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

const char *account_cache_directive(cmd_parms *cmd, void *directory, const char *word)
{
    struct account_cache_store_t *store =
        store_of(account_server_of(cmd->server)->shared, cmd->pool);
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    const char *colon = strchr(word, ':');
    apr_size_t length = colon ? (apr_size_t)(colon - word) : strlen(word);

    (void)directory;
    if (error) {
        return error;
    }
    store->place.file = cmd->directive->filename;
    store->place.line = cmd->directive->line_num;
    store->arguments = colon && colon[1] ? colon + 1 : NULL;
    store->kind = NULL;
    if (strcasecmp(word, "off") == 0) {
        return NULL;
    }
    store->kind = find_kind(word, length);
    if (!store->kind) {
        return apr_psprintf(cmd->pool,
                            "AccountCache takes shmcb, shmcb:FILE(BYTES), memcache:HOST:PORT, "
                            "redis:HOST:PORT or off; there is no %s",
                            word);
    }
    if (store->kind->is_remote && !store->arguments) {
        return apr_psprintf(cmd->pool, "AccountCache %s wants an address: %s:HOST:PORT",
                            store->kind->name, store->kind->name);
    }
    return NULL;
}

/* A duration, or off: nothing. */
static const char *set_time(cmd_parms *cmd, const char *word, apr_interval_time_t *time)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_int64_t milliseconds = 0;

    if (!error && strcasecmp(word, "off") != 0) {
        error = account_line_duration(word, &milliseconds, cmd->pool);
        error =
            error ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error, ", or off", NULL) : NULL;
    }
    *time = apr_time_from_msec(milliseconds);
    return error;
}

const char *account_cache_ttl_directive(cmd_parms *cmd, void *directory, const char *word)
{
    (void)directory;
    return set_time(cmd, word, &store_of(account_server_of(cmd->server)->shared, cmd->pool)->ttl);
}

const char *account_cache_grace_directive(cmd_parms *cmd, void *directory, const char *word)
{
    (void)directory;
    return set_time(cmd, word, &store_of(account_server_of(cmd->server)->shared, cmd->pool)->grace);
}

apr_status_t account_cache_register(apr_pool_t *pconf)
{
    return ap_mutex_register(pconf, MUTEX, NULL, APR_LOCK_DEFAULT, 0);
}

static int refuse(const struct account_cache_store_t *store, server_rec *server, const char *what)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                 ACLOGNO(00273) "Syntax error on line %d of %s: AccountCache: %s",
                 store->place.line, store->place.file, what);
    return 0;
}

int account_cache_check(server_rec *servers, apr_pool_t *pconf)
{
    struct account_cache_store_t *store = store_of(account_server_of(servers)->shared, pconf);
    const char *error;

    if (!store->kind) {
        return 1;
    }
    store->provider = ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, store->kind->name,
                                         AP_SOCACHE_PROVIDER_VERSION);
    if (!store->provider) {
        return !store->place.file
               || refuse(store, servers,
                         apr_psprintf(pconf,
                                      "it needs mod_%s: LoadModule %s_module modules/mod_%s.so "
                                      "(on Debian: a2enmod %s)",
                                      store->kind->module, store->kind->module, store->kind->module,
                                      store->kind->module));
    }
    error = store->provider->create(
        &store->instance,
        store->arguments ? store->arguments : ap_runtime_dir_relative(pconf, STANDARD_FILE), pconf,
        pconf);
    return !error || refuse(store, servers, error);
}

/*
 * A remote cache that is there and says nothing (stopped, swapped out): the modules that ask it
 * wait for seconds, or without a limit. So only some threads of a process may be in it at once, and
 * no other goes in while one of them waits.
 */
static int may_go_in(struct account_cache_store_t *store, apr_time_t now)
{
    int inside;

    if ((apr_time_t)apr_atomic_read64(&store->shut_until) > now) {
        return 0;
    }
    inside = __atomic_add_fetch(&store->inside, 1, __ATOMIC_SEQ_CST);
    if (inside == 1) {
        apr_atomic_set64(&store->moved, now);
    }
    if (inside <= store->inside_most
        && now - (apr_time_t)apr_atomic_read64(&store->moved) < PATIENCE) {
        return 1;
    }
    __atomic_sub_fetch(&store->inside, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void go_out(struct account_cache_store_t *store, apr_time_t begun)
{
    apr_time_t now = account_clock_monotonic();

    if (now - begun >= PATIENCE) {
        apr_atomic_set64(&store->shut_until, now + PAUSE);
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, store->server,
                     ACLOGNO(00286) "AccountCache %s took %" APR_TIME_T_FMT
                                    " ms to answer: the database is asked instead for a while",
                     store->kind->name, apr_time_as_msec(now - begun));
    }
    apr_atomic_set64(&store->moved, now);
    __atomic_sub_fetch(&store->inside, 1, __ATOMIC_SEQ_CST);
}

/* Before the provider is asked, and after; *begun: when, of a remote one. */
static apr_status_t lock(struct account_cache_store_t *store, apr_time_t *begun)
{
    *begun = store->kind->is_remote ? account_clock_monotonic() : 0;
    if (store->kind->is_remote && !may_go_in(store, *begun)) {
        return APR_EBUSY;
    }
    return store->mutex ? apr_global_mutex_lock(store->mutex) : APR_SUCCESS;
}

static void unlock(struct account_cache_store_t *store, apr_time_t begun)
{
    if (store->mutex) {
        apr_global_mutex_unlock(store->mutex);
    }
    if (store->kind->is_remote) {
        go_out(store, begun);
    }
}

/* A hash, the server's name, "space/key"; 0: too long. shmcb goes by the first byte alone: where
 * that is not any byte, most of it stays empty. */
static unsigned int make_id(const struct account_cache_store_t *store, unsigned char *id,
                            const account_cache_item_t *item)
{
    apr_size_t space = strlen(item->space);
    apr_size_t length = HASH_BYTES, i;
    apr_uint32_t hash = 2166136261U;

    if (space == 0 || space > 15 || item->key_length == 0
        || item->key_length > ACCOUNT_CACHE_KEY_MOST) {
        return 0;
    }
    if (store->server_name) {
        memcpy(id + length, store->server_name, NAME_BYTES);
        length += NAME_BYTES;
    }
    memcpy(id + length, item->space, space);
    length += space;
    id[length++] = '/';
    memcpy(id + length, item->key, item->key_length);
    length += item->key_length;
    for (i = HASH_BYTES; i < length; i++) {
        hash = (hash ^ id[i]) * 16777619U;
    }
    hash ^= hash >> 15;
    memcpy(id, &hash, HASH_BYTES);
    return (unsigned int)length;
}

static apr_status_t retrieve(struct account_cache_store_t *store, account_cache_item_t *item,
                             apr_pool_t *pool)
{
    unsigned char id[ID_BYTES], small[ACCOUNT_CACHE_VALUE_MOST];
    int is_sealed = store->kind->is_remote;
    unsigned char *value = is_sealed ? apr_palloc(pool, SEALED_MOST + 1) : small;
    unsigned int length = is_sealed ? SEALED_MOST : sizeof(small);
    unsigned int id_length = make_id(store, id, item);
    apr_time_t begun;
    apr_status_t rv = id_length ? lock(store, &begun) : APR_EINVAL;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = store->provider->retrieve(store->instance, store->server, id, id_length, value, &length,
                                   pool);
    unlock(store, begun);
    if (rv == APR_SUCCESS && is_sealed) {
        value[length] = '\0';
        return account_cache_unseal(store->cache.keys, item, (const char *)value, pool);
    }
    if (rv == APR_SUCCESS) {
        item->value = apr_pmemdup(pool, value, length);
        item->value_length = length;
    }
    return rv;
}

static apr_status_t get(void *baton, account_cache_item_t *item, apr_pool_t *pool)
{
    struct account_cache_store_t *store = baton;
    apr_status_t rv = retrieve(store, item, pool);

    if (!item->is_uncounted && rv == APR_SUCCESS) {
        account_counter_cache_hit(store->shared);
    }
    else if (!item->is_uncounted) {
        account_counter_cache_miss(store->shared);
    }
    return rv;
}

static void found(void *baton)
{
    account_counter_cache_hit(((struct account_cache_store_t *)baton)->shared);
}

/* What a provider is given; it may want to write there. */
static apr_status_t put(struct account_cache_store_t *store, const account_cache_item_t *item,
                        int only_new, apr_pool_t *pool)
{
    unsigned char id[ID_BYTES], found[SEALED_MOST];
    unsigned int found_length = sizeof(found);
    unsigned int id_length = make_id(store, id, item);
    unsigned int length = (unsigned int)item->value_length;
    unsigned char *value;
    const char *sealed = NULL;
    apr_time_t begun;
    apr_status_t rv;

    if (!id_length || item->value_length == 0 || item->value_length > ACCOUNT_CACHE_VALUE_MOST) {
        return APR_EINVAL;
    }
    if (store->kind->is_remote) {
        sealed = account_cache_seal(store->cache.keys, item, pool);
        length = sealed ? (unsigned int)strlen(sealed) : 0;
        if (length == 0 || length > SEALED_MOST) {
            return APR_EINVAL;
        }
    }
    value = apr_pmemdup(pool, sealed ? (const void *)sealed : item->value, length);
    rv = lock(store, &begun);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (only_new
        && store->provider->retrieve(store->instance, store->server, id, id_length, found,
                                     &found_length, pool)
               == APR_SUCCESS) {
        rv = APR_EEXIST;
    }
    else {
        rv = store->provider->store(store->instance, store->server, id, id_length,
                                    apr_time_now() + item->life, value, length, pool);
    }
    unlock(store, begun);
    return rv;
}

static apr_status_t set(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    return put(baton, item, 0, pool);
}

static apr_status_t add(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    return put(baton, item, 1, pool);
}

static apr_status_t take_out(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    struct account_cache_store_t *store = baton;
    unsigned char id[ID_BYTES];
    unsigned int id_length = make_id(store, id, item);
    apr_time_t begun;
    apr_status_t rv = id_length ? lock(store, &begun) : APR_EINVAL;

    if (rv == APR_SUCCESS) {
        rv = store->provider->remove(store->instance, store->server, id, id_length, pool);
        unlock(store, begun);
    }
    return rv == APR_NOTFOUND ? APR_SUCCESS : rv;
}

static apr_status_t destroy(void *data)
{
    struct account_cache_store_t *store = data;

    store->provider->destroy(store->instance, store->server);
    return APR_SUCCESS;
}

static apr_status_t make_keys(const account_keys_t **keys, apr_pool_t *pool)
{
    unsigned char bytes[KEY_BYTES];
    apr_status_t rv = account_random_secure.fn(account_random_secure.baton, bytes, sizeof(bytes));
    account_keys_t *made = NULL;
    const char *text, *error;

    if (rv == APR_SUCCESS) {
        text = account_base64_encode(pool, bytes, sizeof(bytes), 1);
        rv = account_keys_parse(&made, &error, text, pool);
        OPENSSL_cleanse((void *)text, strlen(text));
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    *keys = made;
    return rv;
}

/* It outlives restarts: children of before go on changing for a while, and those after must know.
 */
static apr_status_t make_fence(account_shared_t *shared, server_rec *servers, apr_pool_t *pconf)
{
    static const char key[] = "mod_account fence 1";
    apr_size_t size = ACCOUNT_FENCE_SLOTS * sizeof(apr_uint64_t);
    apr_pool_t *process = servers->process->pool;
    account_fence_t *fence = apr_palloc(pconf, sizeof(*fence));
    void *memory = NULL;
    apr_shm_t *shm;
    apr_status_t rv = APR_SUCCESS;

    apr_pool_userdata_get(&memory, key, process);
    if (!memory) {
        rv = apr_shm_create(&shm, size, NULL, process);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, servers,
                         ACLOGNO(00285) "no shared memory to tell of changes of accounts");
            return rv;
        }
        memory = apr_shm_baseaddr_get(shm);
        memset(memory, 0, size);
        /* not the key itself: a restart may load this module to another place */
        apr_pool_userdata_setn(memory, apr_pstrdup(process, key), NULL, process);
    }
    fence->slots = memory;
    shared->fence = fence;
    return rv;
}

/* Where nobody said where, and the folder can't be written, in no file, and small. */
static apr_status_t open_store(struct account_cache_store_t *store, server_rec *servers,
                               apr_pool_t *pconf)
{
    static const struct ap_socache_hints hints = {
        .avg_id_len = 76, .avg_obj_size = 350, .expiry_interval = apr_time_from_sec(300)};
    apr_status_t rv = store->provider->init(store->instance, "mod_account", &hints, servers, pconf);

    if (rv != APR_SUCCESS && !store->arguments
        && !store->provider->create(&store->instance, NULL, pconf, pconf)) {
        rv = store->provider->init(store->instance, "mod_account", &hints, servers, pconf);
    }
    return rv;
}

apr_status_t account_cache_create(server_rec *servers, apr_pool_t *pconf)
{
    account_shared_t *shared = account_server_of(servers)->shared;
    struct account_cache_store_t *store = shared->cache;
    apr_status_t rv = make_fence(shared, servers, pconf);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!store->provider) {
        if (store->kind) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, servers,
                         ACLOGNO(00274) "mod_socache_shmcb is not loaded, so there is no "
                                        "AccountCache: each request asks the database for its "
                                        "session, and AuthBasicProvider account hashes the "
                                        "password of every request");
        }
        return APR_SUCCESS;
    }
    store->server = servers;
    store->shared = shared;
    store->cache = (account_cache_t){.get = get,
                                     .set = set,
                                     .add = add,
                                     .remove = take_out,
                                     .found = found,
                                     .baton = store,
                                     .ttl = store->ttl,
                                     .grace = store->grace};
    rv = make_keys(&store->cache.keys, pconf);
    if (rv == APR_SUCCESS && store->kind->is_remote) {
        store->server_name = account_keys_fingerprint(store->cache.keys, 0, pconf);
        rv = store->server_name && strlen(store->server_name) == NAME_BYTES ? APR_SUCCESS
                                                                            : APR_EGENERAL;
    }
    if (rv == APR_SUCCESS && (store->provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE)) {
        rv = ap_global_mutex_create(&store->mutex, &store->mutex_file, MUTEX, NULL, servers, pconf,
                                    0);
    }
    if (rv == APR_SUCCESS) {
        rv = open_store(store, servers, pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, servers,
                     ACLOGNO(00275) "AccountCache %s can't be made (the lines before say why); "
                                    "AccountCache off does without",
                     store->kind->name);
        return rv;
    }
    apr_pool_cleanup_register(pconf, store, destroy, apr_pool_cleanup_null);
    store->is_ready = 1;
    return APR_SUCCESS;
}

void account_cache_begin(server_rec *servers, apr_pool_t *pchild)
{
    struct account_cache_store_t *store = account_server_of(servers)->shared->cache;
    apr_status_t rv = APR_SUCCESS;
    int threads = 0;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    if (store) {
        store->inside_most = threads > 4 ? threads / 4 : 1;
        store->cache.shelf = account_shelf_make(pchild);
    }
    if (store && store->is_ready && store->mutex) {
        rv = apr_global_mutex_child_init(&store->mutex, store->mutex_file, pchild);
    }
    if (rv != APR_SUCCESS) {
        store->is_ready = 0;
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, servers,
                     ACLOGNO(00276) "the mutex of AccountCache can't be had in this child, which "
                                    "goes on without a cache");
    }
}

const account_cache_t *account_cache_of(const account_shared_t *shared)
{
    return shared->cache && shared->cache->is_ready ? &shared->cache->cache : NULL;
}

const account_cache_t *account_cache_of_sessions(const account_shared_t *shared)
{
    const account_cache_t *cache = account_cache_of(shared);

    return cache && cache->ttl > 0 ? cache : NULL;
}
