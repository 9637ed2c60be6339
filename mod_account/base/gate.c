#include "base/gate.h"

#include <errno.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/status.h"

/* The work's stack. Hashing keeps its memory elsewhere; the default of 8 MiB would only be address
 * space, but a limit on that (ulimit -v) is a common one. */
#define STACK_BYTES (256 * 1024)
#define LOWEST_PRIORITY 19

/* How often the end of a child looks whether its work is done. */
#define LOOK apr_time_from_msec(5)

#define MAX_SLOTS 1024
#define MAX_PLACES 32767 /* SEMVMX: what a semaphore can count to */

/* The semaphores of the set: free slots; free places to work or to wait in; and the lanes, each 1
 * while nobody of it is next. Who is next in a lane waits for a slot, the others of the lane
 * behind; so lanes take turns, and the turn of one does not depend on how many wait in another.
 * There are fewer than the 50 that some systems can take back from a killed process. */
enum { SLOTS, PLACES, LANES, LANE_COUNT = 32, SEMAPHORES = LANES + LANE_COUNT };

struct account_gate_t {
    int id;
    int slots;
    int places;
    pid_t creator;
    /* Of this process alone. A graceful restart removes the set while processes of the generation
     * before still answer: from then on each of them does one piece of work at a time. */
    sem_t leftover;
    int running; /* threads, in this process */
    int here;    /* who is at work or waits, of this process */
    int here_of[LANE_COUNT];
    int most_here;
    int was_stormy; /* since nobody was here last: twice as many as can work were */
};

/* As semctl(2) wants it to be declared by its caller. */
union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

typedef struct work_t {
    account_gate_t *gate;
    void (*fn)(void *baton);
    void *baton;
} work_t;

static apr_status_t remove_gate(void *data)
{
    account_gate_t *gate = data;

    /* A forked process runs this as well, when it destroys the pool it inherited. */
    if (gate->creator == getpid()) {
        semctl(gate->id, 0, IPC_RMID);
    }
    return APR_SUCCESS;
}

static apr_status_t set_owner(int id, int owner)
{
    struct semid_ds state;

    if (semctl(id, 0, IPC_STAT, (union semun){.buf = &state}) == -1) {
        return errno;
    }
    state.sem_perm.uid = (uid_t)owner;
    if (semctl(id, 0, IPC_SET, (union semun){.buf = &state}) == -1) {
        return errno;
    }
    return APR_SUCCESS;
}

apr_status_t account_gate_create(account_gate_t **gate, int slots, int waiters, int owner,
                                 apr_pool_t *pool)
{
    account_gate_t *created;
    unsigned short values[SEMAPHORES];
    apr_status_t rv;
    int id, i;

    if (slots < 1 || slots > MAX_SLOTS || waiters < 0 || waiters > MAX_PLACES - slots) {
        return APR_EINVAL;
    }
    id = semget(IPC_PRIVATE, SEMAPHORES, IPC_CREAT | 0600);
    if (id == -1) {
        return errno;
    }
    created = apr_pcalloc(pool, sizeof(*created));
    created->id = id;
    created->slots = slots;
    created->places = slots + waiters;
    created->creator = getpid();
    created->most_here = INT_MAX;
    sem_init(&created->leftover, 0, 1);
    apr_pool_cleanup_register(pool, created, remove_gate, apr_pool_cleanup_null);

    values[SLOTS] = (unsigned short)created->slots;
    values[PLACES] = (unsigned short)created->places;
    for (i = LANES; i < SEMAPHORES; i++) {
        values[i] = 1;
    }
    if (semctl(id, 0, SETALL, (union semun){.array = values}) == -1) {
        rv = errno;
        goto failed;
    }
    if (owner != -1 && geteuid() == 0) {
        rv = set_owner(id, owner);
        if (rv != APR_SUCCESS) {
            goto failed;
        }
    }
    *gate = created;
    return APR_SUCCESS;

failed:
    apr_pool_cleanup_run(pool, created, remove_gate);
    return rv;
}

/* The pools that the work uses are destroyed next, and then the process exits. Work always ends,
 * and httpd kills a child that takes too long. */
static apr_status_t wait_for_work(void *data)
{
    account_gate_t *gate = data;

    while (__atomic_load_n(&gate->running, __ATOMIC_ACQUIRE) > 0) {
        apr_sleep(LOOK);
    }
    return APR_SUCCESS;
}

void account_gate_attach(account_gate_t *gate, int waiters, apr_pool_t *pool)
{
    if (gate != NULL) {
        gate->most_here = gate->slots + waiters;
        apr_pool_pre_cleanup_register(pool, gate, wait_for_work);
    }
}

/* The time until deadline; 0 when it is over. */
static int remaining(struct timespec *left, apr_time_t deadline)
{
    apr_time_t microseconds = deadline - account_clock_monotonic();

    if (microseconds <= 0) {
        return 0;
    }
    left->tv_sec = (time_t)apr_time_sec(microseconds);
    left->tv_nsec = (long)apr_time_usec(microseconds) * 1000;
    return 1;
}

/* Adds delta to a semaphore; waits for it until deadline (0: not at all). SEM_UNDO makes the kernel
 * take it back if the process ends. APR_EAGAIN: not possible until then. */
static apr_status_t change(const account_gate_t *gate, int semaphore, int delta,
                           apr_time_t deadline)
{
    struct sembuf operation = {
        .sem_num = (unsigned short)semaphore,
        .sem_op = (short)delta,
        .sem_flg = (short)(SEM_UNDO | (deadline == 0 ? IPC_NOWAIT : 0)),
    };
    struct timespec left = {0, 0};
    int failed;

    do {
        if (deadline != 0 && !remaining(&left, deadline)) {
            return APR_EAGAIN;
        }
        failed = semtimedop(gate->id, &operation, 1, deadline != 0 ? &left : NULL) == -1;
    } while (failed && errno == EINTR);
    return failed ? errno : APR_SUCCESS;
}

static int lane_of(const char *who)
{
    apr_uint32_t hash = 2166136261U;

    for (; *who; who++) {
        hash = (hash ^ (unsigned char)*who) * 16777619U;
    }
    return LANES + (int)((hash ^ hash >> 16) % LANE_COUNT);
}

/* A lane in which more wait than places are left takes no more: so one alone gets half of the
 * places, and whoever comes next always finds some. */
static int is_long(const account_gate_t *gate, int lane, int places)
{
    int waiting = semctl(gate->id, lane, GETNCNT);

    return waiting > 0 && waiting > places;
}

/* Waits for the lane's turn, then, before all others of the lane, for a slot. */
static apr_status_t take_slot(const account_gate_t *gate, int lane, apr_time_t deadline)
{
    apr_status_t rv = change(gate, lane, -1, deadline);

    if (rv == APR_SUCCESS) {
        rv = change(gate, SLOTS, -1, deadline);
        change(gate, lane, 1, 0);
    }
    return rv;
}

static apr_status_t enter(const account_gate_t *gate, int lane, apr_time_t deadline)
{
    apr_status_t rv = change(gate, PLACES, -1, 0);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = is_long(gate, lane, semctl(gate->id, PLACES, GETVAL)) ? APR_EAGAIN
                                                               : take_slot(gate, lane, deadline);
    if (rv != APR_SUCCESS) {
        change(gate, PLACES, 1, 0);
    }
    return rv;
}

/* Whether that many are too many of this process, or those of one lane too many of them: beside the
 * slots a lane alone gets half here too, else it would keep the others out of every process. */
static int is_crowded(const account_gate_t *gate, int here, int of_lane)
{
    return here > gate->most_here || of_lane - gate->slots > gate->most_here - here;
}

/* What malloc has of a storm, it keeps: for each of its arenas some 200 KiB that nobody uses. */
static void tidy(account_gate_t *gate)
{
    if (__atomic_exchange_n(&gate->was_stormy, 0, __ATOMIC_RELAXED)) {
#ifdef __GLIBC__
        malloc_trim(0);
#endif
    }
}

static void go(account_gate_t *gate, int lane)
{
    __atomic_sub_fetch(&gate->here_of[lane - LANES], 1, __ATOMIC_RELAXED);
    if (__atomic_sub_fetch(&gate->here, 1, __ATOMIC_RELAXED) == 0) {
        tidy(gate);
    }
}

/* One more of this process; 0: it has too many. */
static int come(account_gate_t *gate, int lane)
{
    int here = __atomic_add_fetch(&gate->here, 1, __ATOMIC_RELAXED);
    int of_lane = __atomic_add_fetch(&gate->here_of[lane - LANES], 1, __ATOMIC_RELAXED);

    if (is_crowded(gate, here, of_lane)) {
        go(gate, lane);
        return 0;
    }
    if (here > 2 * gate->slots) {
        __atomic_store_n(&gate->was_stormy, 1, __ATOMIC_RELAXED);
    }
    return 1;
}

/* Cannot fail but by the set being gone. */
static void leave(const account_gate_t *gate)
{
    change(gate, SLOTS, 1, 0);
    change(gate, PLACES, 1, 0);
}

static apr_status_t enter_leftover(account_gate_t *gate, apr_time_t deadline)
{
    struct timespec until, left;
    int failed;

    do {
        if (!remaining(&left, deadline)) {
            return APR_EAGAIN;
        }
        /* sem_timedwait knows the clock of the day only. */
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += left.tv_sec;
        until.tv_nsec += left.tv_nsec;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        failed = sem_timedwait(&gate->leftover, &until) == -1;
    } while (failed && errno == EINTR);
    return failed ? APR_EAGAIN : APR_SUCCESS;
}

static void *run(void *data)
{
    work_t *work = data;

#ifdef __linux__
    /* Linux has a priority for each thread; elsewhere this would slow down the whole process. */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOWEST_PRIORITY);
#endif
    work->fn(work->baton);
    /* Who waits for this may not be able to join it. */
    account_exit_thread();
    __atomic_sub_fetch(&work->gate->running, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* A thread of its own, because a thread cannot take its lower priority back. Signals are for the
 * server's threads. */
static apr_status_t run_in_thread(work_t *work)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int failed;

    if (pthread_attr_init(&attributes) != 0) {
        return ACCOUNT_EBUSY;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* Nor may a signal handler, which may end the process, find this counted and not started. */
    __atomic_add_fetch(&work->gate->running, 1, __ATOMIC_RELAXED);
    failed = pthread_create(&thread, &attributes, run, work);
    if (failed) {
        __atomic_sub_fetch(&work->gate->running, 1, __ATOMIC_RELAXED);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed) {
        return ACCOUNT_EBUSY;
    }
    pthread_join(thread, NULL);
    return APR_SUCCESS;
}

apr_status_t account_gate_run(account_gate_t *gate, const char *who, apr_time_t deadline,
                              void (*fn)(void *baton), void *baton)
{
    work_t work = {gate, fn, baton};
    int is_leftover = 0, lane;
    apr_status_t rv;

    if (gate == NULL) {
        fn(baton);
        return APR_SUCCESS;
    }
    lane = lane_of(who);
    if (!come(gate, lane)) {
        return ACCOUNT_EBUSY;
    }
    rv = enter(gate, lane, deadline);
    if (rv == EIDRM || rv == EINVAL) {
        is_leftover = 1;
        rv = enter_leftover(gate, deadline);
    }
    if (rv != APR_SUCCESS) {
        rv = APR_STATUS_IS_EAGAIN(rv) ? ACCOUNT_EBUSY : rv;
        goto end;
    }
    rv = run_in_thread(&work);
    if (is_leftover) {
        sem_post(&gate->leftover);
    }
    else {
        leave(gate);
    }
end:
    go(gate, lane);
    return rv;
}

int account_gate_is_full(const account_gate_t *gate, const char *who)
{
    int lane, places;

    if (gate == NULL) {
        return 0;
    }
    lane = lane_of(who);
    places = semctl(gate->id, PLACES, GETVAL); /* -1: the set is gone, which is not full */
    return is_crowded(gate, __atomic_load_n(&gate->here, __ATOMIC_RELAXED) + 1,
                      __atomic_load_n(&gate->here_of[lane - LANES], __ATOMIC_RELAXED) + 1)
           || places == 0 || (places > 0 && is_long(gate, lane, places - 1));
}

void account_gate_load(account_gate_t *gate, int *working, int *waiting)
{
    int slots, places;

    *working = 0;
    *waiting = 0;
    if (gate == NULL) {
        return;
    }
    slots = semctl(gate->id, SLOTS, GETVAL);
    places = semctl(gate->id, PLACES, GETVAL);
    if (slots == -1 || places == -1) {
        return;
    }
    *working = gate->slots - slots;
    *waiting = gate->places - places - *working;
    if (*waiting < 0) { /* the two were not read at the same time */
        *waiting = 0;
    }
}

int account_gate_slots(const account_gate_t *gate)
{
    return gate ? gate->slots : 0;
}
