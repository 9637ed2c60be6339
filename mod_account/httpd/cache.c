#include "httpd/cache.h"

#include <ap_provider.h>
#include <ap_socache.h>
#include <apr_global_mutex.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <openssl/crypto.h>
#include <string.h>
#include <util_mutex.h>

#include "base/base64.h"
#include "httpd/counters.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

#define MUTEX "account-cache"
#define STANDARD "shmcb"
#define KEY_BYTES 32

/* What AccountCache says, and what was made of it; it hangs on account_shared_t. */
struct account_cache_store_t {
    const char *name;      /* of the provider; NULL: off */
    const char *arguments; /* or NULL */
    account_place_t place; /* file NULL: nobody wrote it */
    /* made at start */
    ap_socache_provider_t *provider; /* NULL: its module is not loaded */
    ap_socache_instance_t *instance;
    apr_global_mutex_t *mutex; /* NULL: it needs none */
    const char *mutex_file;
    server_rec *server;
    const account_shared_t *shared;
    account_cache_t cache;
    int is_ready; /* in this process */
};

static struct account_cache_store_t *store_of(account_shared_t *shared, apr_pool_t *pool)
{
    if (!shared->cache) {
        shared->cache = apr_pcalloc(pool, sizeof(*shared->cache));
        shared->cache->name = STANDARD;
    }
    return shared->cache;
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
    store->arguments = colon ? colon + 1 : NULL;
    store->name = STANDARD;
    if (strcasecmp(word, "off") == 0) {
        store->name = NULL;
        return NULL;
    }
    if (length != strlen(STANDARD) || strncmp(word, STANDARD, length) != 0) {
        return apr_psprintf(
            cmd->pool, "AccountCache takes shmcb, shmcb:FILE(BYTES) or off; there is no %s", word);
    }
    return NULL;
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

    if (!store->name) {
        return 1;
    }
    store->provider =
        ap_lookup_provider(AP_SOCACHE_PROVIDER_GROUP, store->name, AP_SOCACHE_PROVIDER_VERSION);
    if (!store->provider) {
        return !store->place.file
               || refuse(store, servers,
                         "it needs mod_socache_shmcb: LoadModule socache_shmcb_module "
                         "modules/mod_socache_shmcb.so (on Debian: a2enmod socache_shmcb)");
    }
    error = store->provider->create(&store->instance, store->arguments, pconf, pconf);
    return !error || refuse(store, servers, error);
}

static apr_status_t lock(const struct account_cache_store_t *store)
{
    return store->mutex ? apr_global_mutex_lock(store->mutex) : APR_SUCCESS;
}

static void unlock(const struct account_cache_store_t *store)
{
    if (store->mutex) {
        apr_global_mutex_unlock(store->mutex);
    }
}

/* "space/key"; 0: too long. */
static unsigned int make_id(unsigned char *id, const account_cache_item_t *item)
{
    apr_size_t space = strlen(item->space);

    if (space == 0 || space > 15 || item->key_length == 0
        || item->key_length > ACCOUNT_CACHE_KEY_MOST) {
        return 0;
    }
    memcpy(id, item->space, space);
    id[space] = '/';
    memcpy(id + space + 1, item->key, item->key_length);
    return (unsigned int)(space + 1 + item->key_length);
}

static apr_status_t get(void *baton, account_cache_item_t *item, apr_pool_t *pool)
{
    struct account_cache_store_t *store = baton;
    unsigned char id[16 + ACCOUNT_CACHE_KEY_MOST], value[ACCOUNT_CACHE_VALUE_MOST];
    unsigned int length = sizeof(value);
    unsigned int id_length = make_id(id, item);
    apr_status_t rv = id_length ? lock(store) : APR_EINVAL;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = store->provider->retrieve(store->instance, store->server, id, id_length, value, &length,
                                   pool);
    unlock(store);
    if (rv == APR_SUCCESS) {
        item->value = apr_pmemdup(pool, value, length);
        item->value_length = length;
    }
    if (!item->is_uncounted && rv == APR_SUCCESS) {
        account_counter_cache_hit(store->shared);
    }
    else if (!item->is_uncounted) {
        account_counter_cache_miss(store->shared);
    }
    return rv;
}

static apr_status_t store_locked(struct account_cache_store_t *store,
                                 const account_cache_item_t *item, int only_new, apr_pool_t *pool)
{
    unsigned char id[16 + ACCOUNT_CACHE_KEY_MOST], value[ACCOUNT_CACHE_VALUE_MOST];
    unsigned int length = sizeof(value);
    unsigned int id_length = make_id(id, item);

    if (!id_length || item->value_length == 0 || item->value_length > sizeof(value)) {
        return APR_EINVAL;
    }
    if (only_new
        && store->provider->retrieve(store->instance, store->server, id, id_length, value, &length,
                                     pool)
               == APR_SUCCESS) {
        return APR_EEXIST;
    }
    memcpy(value, item->value, item->value_length);
    return store->provider->store(store->instance, store->server, id, id_length,
                                  apr_time_now() + item->life, value,
                                  (unsigned int)item->value_length, pool);
}

static apr_status_t put(struct account_cache_store_t *store, const account_cache_item_t *item,
                        int only_new, apr_pool_t *pool)
{
    apr_status_t rv = lock(store);

    if (rv == APR_SUCCESS) {
        rv = store_locked(store, item, only_new, pool);
        unlock(store);
    }
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
    unsigned char id[16 + ACCOUNT_CACHE_KEY_MOST];
    unsigned int id_length = make_id(id, item);
    apr_status_t rv = id_length ? lock(store) : APR_EINVAL;

    if (rv == APR_SUCCESS) {
        rv = store->provider->remove(store->instance, store->server, id, id_length, pool);
        unlock(store);
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

apr_status_t account_cache_create(server_rec *servers, apr_pool_t *pconf)
{
    static const struct ap_socache_hints hints = {
        .avg_id_len = 70, .avg_obj_size = 8, .expiry_interval = apr_time_from_sec(300)};
    struct account_cache_store_t *store = account_server_of(servers)->shared->cache;
    apr_status_t rv = APR_SUCCESS;

    if (!store->provider) {
        if (store->name) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, servers,
                         ACLOGNO(00274) "mod_socache_shmcb is not loaded, so there is no "
                                        "AccountCache: AuthBasicProvider account hashes the "
                                        "password of every request. Load it, or say AccountCache "
                                        "off");
        }
        return APR_SUCCESS;
    }
    store->server = servers;
    store->shared = account_server_of(servers)->shared;
    store->cache =
        (account_cache_t){.get = get, .set = set, .add = add, .remove = take_out, .baton = store};
    rv = make_keys(&store->cache.keys, pconf);
    if (rv == APR_SUCCESS && (store->provider->flags & AP_SOCACHE_FLAG_NOTMPSAFE)) {
        rv = ap_global_mutex_create(&store->mutex, &store->mutex_file, MUTEX, NULL, servers, pconf,
                                    0);
    }
    if (rv == APR_SUCCESS) {
        rv = store->provider->init(store->instance, "mod_account", &hints, servers, pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, servers,
                     ACLOGNO(00275) "AccountCache %s can't be made (the lines before say why); "
                                    "AccountCache off does without",
                     store->name);
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
