/*
 * What the cores can do: argon2id with the given parameters, in so many threads for so many
 * seconds. Prints how many a second.
 *
 *     argon2 KIB PASSES LANES THREADS SECONDS
 */
#include <argon2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct work_t {
    uint32_t kib, passes, lanes;
    double until;
    atomic_long done;
} work_t;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *hash(void *baton)
{
    static const char password[] = "Sesame-1-x", salt[] = "0123456789abcdef";
    work_t *work = baton;
    unsigned char tag[32];

    while (now() < work->until) {
        if (argon2id_hash_raw(work->passes, work->kib, work->lanes, password, sizeof(password) - 1,
                              salt, sizeof(salt) - 1, tag, sizeof(tag))
            != ARGON2_OK) {
            exit(1);
        }
        work->done++;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    work_t work = {0};
    double begun;
    long count, i;

    if (argc != 6) {
        return 2;
    }
    work.kib = (uint32_t)strtoul(argv[1], NULL, 10);
    work.passes = (uint32_t)strtoul(argv[2], NULL, 10);
    work.lanes = (uint32_t)strtoul(argv[3], NULL, 10);
    count = strtol(argv[4], NULL, 10);
    begun = now();
    work.until = begun + strtod(argv[5], NULL);
    if (count < 1 || count > 64) {
        return 2;
    }
    for (i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, hash, &work) != 0) {
            return 1;
        }
    }
    for (i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%.2f\n", (double)work.done / (now() - begun));
    return 0;
}
