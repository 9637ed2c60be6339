#include "base/shelf.h"

#include <string.h>

#include <apr_strings.h>

#define PLACES 256

typedef struct place_t {
    int is_taken;
    apr_uint32_t length;
    char key[ACCOUNT_SHELF_KEY_MOST + 1]; /* "": nothing lies here */
    char value[ACCOUNT_SHELF_VALUE_MOST];
} place_t;

struct account_shelf_t {
    place_t places[PLACES];
};

account_shelf_t *account_shelf_make(apr_pool_t *pool)
{
    return apr_pcalloc(pool, sizeof(account_shelf_t));
}

/* FNV-1a; *length: the key's. */
static place_t *place_of(account_shelf_t *shelf, const char *key, apr_size_t *length)
{
    apr_uint32_t hash = 2166136261U;
    const char *c;

    for (c = key; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    }
    *length = c - key;
    return &shelf->places[(hash ^ hash >> 16) % PLACES];
}

static int take(place_t *place)
{
    return !__atomic_exchange_n(&place->is_taken, 1, __ATOMIC_ACQUIRE);
}

static void leave(place_t *place)
{
    __atomic_store_n(&place->is_taken, 0, __ATOMIC_RELEASE);
}

const void *account_shelf_get(account_shelf_t *shelf, const char *key, apr_size_t *length,
                              apr_pool_t *pool)
{
    apr_size_t key_length;
    const void *value = NULL;
    place_t *place;

    if (!shelf) {
        return NULL;
    }
    place = place_of(shelf, key, &key_length);
    if (key_length == 0 || key_length > ACCOUNT_SHELF_KEY_MOST || !take(place)) {
        return NULL;
    }
    if (memcmp(place->key, key, key_length + 1) == 0) {
        *length = place->length;
        value = apr_pmemdup(pool, place->value, place->length);
    }
    leave(place);
    return value;
}

void account_shelf_put(account_shelf_t *shelf, const char *key, const void *value,
                       apr_size_t length)
{
    apr_size_t key_length;
    place_t *place;

    if (!shelf || length > ACCOUNT_SHELF_VALUE_MOST) {
        return;
    }
    place = place_of(shelf, key, &key_length);
    if (key_length == 0 || key_length > ACCOUNT_SHELF_KEY_MOST || !take(place)) {
        return;
    }
    memcpy(place->key, key, key_length + 1);
    memcpy(place->value, value, length);
    place->length = (apr_uint32_t)length;
    leave(place);
}
