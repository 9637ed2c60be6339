/* base/shelf: what was put there comes back whole or not at all, whoever writes meanwhile. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/shelf.h"
#include "tap.h"

#define THREADS 6
#define TURNS 40000
#define KEYS 300 /* more than there are places */

static void test_alone(apr_pool_t *pool)
{
    account_shelf_t *shelf = account_shelf_make(pool);
    char most[ACCOUNT_SHELF_VALUE_MOST + 1];
    char key[ACCOUNT_SHELF_KEY_MOST + 2];
    apr_size_t length = 0;
    const void *value;

    memset(most, 'v', sizeof(most));
    memset(key, 'k', sizeof(key));
    ok(!account_shelf_get(shelf, "a", &length, pool), "nothing is there at first");
    ok(!account_shelf_get(shelf, "", &length, pool), "nor without a key");
    account_shelf_put(shelf, "", "x", 1);
    ok(!account_shelf_get(shelf, "", &length, pool), "which takes nothing");
    account_shelf_put(shelf, "a", "one", 3);
    value = account_shelf_get(shelf, "a", &length, pool);
    ok(value && length == 3 && memcmp(value, "one", 3) == 0, "what was put there is");
    ok(!account_shelf_get(shelf, "ab", &length, pool), "under its key only");
    account_shelf_put(shelf, "a", "other", 5);
    ok(value && memcmp(value, "one", 3) == 0, "what was had stays as it was");
    value = account_shelf_get(shelf, "a", &length, pool);
    ok(value && length == 5 && memcmp(value, "other", 5) == 0, "what came later is there");

    account_shelf_put(shelf, "a", most, sizeof(most));
    value = account_shelf_get(shelf, "a", &length, pool);
    ok(value && length == 5, "what is too long is not");
    account_shelf_put(shelf, "a", most, sizeof(most) - 1);
    value = account_shelf_get(shelf, "a", &length, pool);
    ok(value && length == sizeof(most) - 1 && memcmp(value, most, length) == 0, "the longest is");
    account_shelf_put(shelf, "a", "", 0);
    value = account_shelf_get(shelf, "a", &length, pool);
    ok(value && length == 0, "and so is the shortest");

    key[ACCOUNT_SHELF_KEY_MOST + 1] = '\0';
    account_shelf_put(shelf, key, "x", 1);
    ok(!account_shelf_get(shelf, key, &length, pool), "a key that is too long has no place");
    key[ACCOUNT_SHELF_KEY_MOST] = '\0';
    account_shelf_put(shelf, key, "x", 1);
    ok(account_shelf_get(shelf, key, &length, pool) != NULL, "the longest has");

    ok(!account_shelf_get(NULL, "a", &length, pool), "no shelf has nothing");
    account_shelf_put(NULL, "a", "x", 1);
}

typedef struct worker_t {
    pthread_t thread;
    account_shelf_t *shelf;
    apr_pool_t *pool;
    unsigned int seed;
    int found;
    int wrong;
} worker_t;

/* A value says its key, and all its bytes are the same letter. */
static void *work(void *data)
{
    worker_t *worker = data;
    char value[ACCOUNT_SHELF_VALUE_MOST];
    char key[24];
    int turn;

    for (turn = 0; turn < TURNS; turn++) {
        int n = rand_r(&worker->seed) % KEYS;
        apr_size_t length = 0, i;

        apr_snprintf(key, sizeof(key), "key-%d", n);
        if (turn % 3 == 0) {
            length = sizeof(n) + 1 + rand_r(&worker->seed) % (sizeof(value) - sizeof(n) - 1);
            memset(value, 'a' + rand_r(&worker->seed) % 26, sizeof(value));
            memcpy(value, &n, sizeof(n));
            account_shelf_put(worker->shelf, key, value, length);
        } else {
            const char *got = account_shelf_get(worker->shelf, key, &length, worker->pool);

            worker->found += got != NULL;
            worker->wrong += got && (length <= sizeof(n) || memcmp(got, &n, sizeof(n)) != 0);
            for (i = sizeof(n); got && i < length; i++) {
                worker->wrong += got[i] != got[sizeof(n)];
            }
        }
        if (turn % 100 == 0) {
            apr_pool_clear(worker->pool);
        }
    }
    return NULL;
}

static void test_threads(apr_pool_t *pool)
{
    account_shelf_t *shelf = account_shelf_make(pool);
    worker_t workers[THREADS];
    int found = 0, wrong = 0;
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){.shelf = shelf, .seed = 4711 + i};
        apr_pool_create_unmanaged(&workers[i].pool);
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        apr_pool_destroy(workers[i].pool);
        found += workers[i].found;
        wrong += workers[i].wrong;
    }
    ok(found > THREADS * TURNS / 10, "threads: %d times something was found", found);
    is_int(wrong, 0, "threads: always whole, and that of the key");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    test_alone(pool);
    test_threads(pool);
    return done_testing();
}
