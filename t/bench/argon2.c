/*
 * What the cores can do: argon2id with the given parameters, in so many threads for so many
 * seconds. Prints how many a second. keep: each thread's memory is what malloc kept from its hash
 * before; back: it is the system's after each hash, as in a server that is to be small afterwards.
 *
 *     argon2 KIB PASSES LANES THREADS SECONDS keep|back
 */
#define _DEFAULT_SOURCE
#include <argon2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef struct work_t {
    uint32_t kib, passes, lanes;
    double until;
    int is_back;
    atomic_long done;
} work_t;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int get(uint8_t **memory, size_t size)
{
    *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*memory == MAP_FAILED) {
        return ARGON2_MEMORY_ALLOCATION_ERROR;
    }
    madvise(*memory, size, MADV_HUGEPAGE);
    return ARGON2_OK;
}

static void give_back(uint8_t *memory, size_t size)
{
    munmap(memory, size);
}

static void *hash(void *baton)
{
    static const char password[] = "Sesame-1-x", salt[] = "0123456789abcdef";
    work_t *work = baton;
    unsigned char tag[32];

    while (now() < work->until) {
        argon2_context context = {
            .out = tag,
            .outlen = sizeof(tag),
            .pwd = (uint8_t *)password,
            .pwdlen = sizeof(password) - 1,
            .salt = (uint8_t *)salt,
            .saltlen = sizeof(salt) - 1,
            .t_cost = work->passes,
            .m_cost = work->kib,
            .lanes = work->lanes,
            .threads = 1,
            .version = ARGON2_VERSION_13,
            .allocate_cbk = work->is_back ? get : NULL,
            .free_cbk = work->is_back ? give_back : NULL,
        };

        if (argon2_ctx(&context, Argon2_id) != ARGON2_OK) {
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

    if (argc != 7) {
        return 2;
    }
    work.is_back = strcmp(argv[6], "back") == 0;
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
