/* base/gate: across processes, with processes that are killed, and with a gate that is gone. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/gate.h"
#include "base/status.h"
#include "tap.h"

#define MILLISECOND APR_TIME_C(1000)
#define SECOND (1000 * MILLISECOND)

/* Addresses. */
#define ONE "192.0.2.1"
#define OTHER "198.51.100.7"
#define THIRD "2001:db8::"
#define FOURTH "203.0.113.3"

#define MANY 40

/* What all processes see. */
typedef struct seen_t {
    int at_once;
    int most;
    int runs;
    int started;
    int stop;
    int busy;
    int other;
    int position[MANY]; /* when it was each one's turn, from 1 on */
} seen_t;

static int get(int *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

static int add(int *value, int delta)
{
    return __atomic_add_fetch(value, delta, __ATOMIC_SEQ_CST);
}

static seen_t *shared(void)
{
    void *memory = mmap(NULL, sizeof(seen_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);

    if (memory == MAP_FAILED) {
        abort();
    }
    memset(memory, 0, sizeof(seen_t));
    return memory;
}

static apr_time_t in(apr_time_t microseconds)
{
    return account_clock_monotonic() + microseconds;
}

/* Waits until *value is wanted, ten seconds at most. */
static int becomes(int *value, int wanted)
{
    apr_time_t deadline = in(10 * SECOND);

    while (get(value) != wanted && account_clock_monotonic() < deadline) {
        usleep(1000);
    }
    return get(value) == wanted;
}

/* The same of the load. */
static int load_becomes(account_gate_t *gate, int working, int waiting)
{
    apr_time_t deadline = in(10 * SECOND);
    int works, waits;

    for (;;) {
        account_gate_load(gate, &works, &waits);
        if (works == working && waits == waiting) {
            return 1;
        }
        if (account_clock_monotonic() >= deadline) {
            diag("%d work, %d wait", works, waits);
            return 0;
        }
        usleep(1000);
    }
}

static void short_work(void *baton)
{
    seen_t *seen = baton;
    int now = add(&seen->at_once, 1);
    int most = get(&seen->most);

    while (now > most && !__atomic_compare_exchange_n(&seen->most, &most, now, 0, __ATOMIC_SEQ_CST,
                                                      __ATOMIC_SEQ_CST)) {
    }
    usleep(2000);
    add(&seen->runs, 1);
    add(&seen->at_once, -1);
}

/* Works until it is told to stop. */
static void long_work(void *baton)
{
    seen_t *seen = baton;

    add(&seen->started, 1);
    while (!get(&seen->stop)) {
        usleep(1000);
    }
}

static void count_work(void *baton)
{
    add(&((seen_t *)baton)->runs, 1);
}

static void note(seen_t *seen, apr_status_t rv)
{
    if (rv == ACCOUNT_EBUSY) {
        add(&seen->busy, 1);
    } else if (rv != APR_SUCCESS) {
        add(&seen->other, 1);
    }
}

/* A child that passes the gate times times and ends. */
static pid_t start_child(account_gate_t *gate, void (*work)(void *), seen_t *seen, int times)
{
    pid_t child = fork();

    if (child == -1) {
        abort();
    }
    if (child == 0) {
        while (times-- > 0) {
            note(seen, account_gate_run(gate, ONE, in(60 * SECOND), work, seen));
        }
        _exit(0);
    }
    return child;
}

/* 0 when the child ended as it should. */
static int end_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    return status;
}

static account_gate_t *create(int slots, int waiters, apr_pool_t *pool)
{
    account_gate_t *gate = NULL;
    apr_status_t rv = account_gate_create(&gate, slots, waiters, -1, pool);

    if (rv != APR_SUCCESS) {
        diag("semget: status %d", rv);
        exit(1);
    }
    return gate;
}

static void test_creation(apr_pool_t *pool)
{
    static const struct {
        int slots, waiters;
        apr_status_t rv;
    } table[] = {
        {1, 0, APR_SUCCESS},      {1024, 0, APR_SUCCESS},   {1024, 31743, APR_SUCCESS},
        {1024, 31744, APR_EINVAL}, {2, 32000, APR_SUCCESS}, {0, 1, APR_EINVAL},
        {-1, 1, APR_EINVAL},      {1025, 0, APR_EINVAL},    {1, -1, APR_EINVAL},
        {1, 2147483647, APR_EINVAL},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        account_gate_t *gate = NULL;

        is_int(account_gate_create(&gate, table[i].slots, table[i].waiters, -1, pool), table[i].rv,
               "a gate of %d and %d", table[i].slots, table[i].waiters);
        ok((gate != NULL) == (table[i].rv == APR_SUCCESS), "is there if it was made");
    }
}

typedef struct surroundings_t {
    pthread_t thread;
    int priority;
    int blocked;
} surroundings_t;

static void look_around(void *baton)
{
    surroundings_t *found = baton;
    sigset_t mask;

    found->thread = pthread_self();
    found->priority = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    found->blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGUSR1) &&
                     sigismember(&mask, SIGALRM);
}

static void test_surroundings(apr_pool_t *pool)
{
    account_gate_t *gate = create(1, 0, pool);
    surroundings_t found = {0};
    int before = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    sigset_t mask;

    is_int(account_gate_slots(gate), 1, "a gate of one slot");
    is_int(account_gate_run(gate, ONE, in(SECOND), look_around, &found), APR_SUCCESS,
           "work is done");
    ok(!pthread_equal(found.thread, pthread_self()), "in another thread");
    is_int(found.priority, 19, "of the lowest priority");
    ok(found.blocked, "that gets no signals");
    is_int(getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)), before,
           "the caller keeps its own priority");
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ok(!sigismember(&mask, SIGTERM), "and its signals");
    ok(load_becomes(gate, 0, 0), "nobody works or waits");

    is_int(account_gate_run(NULL, ONE, 0, look_around, &found), APR_SUCCESS, "without a gate");
    is_int(account_gate_slots(NULL), 0, "which has no slots");
    ok(pthread_equal(found.thread, pthread_self()), "work is done by the caller");
    ok(load_becomes(NULL, 0, 0), "and nobody is counted");
}

static void test_limit(apr_pool_t *pool)
{
    enum { CHILDREN = 8, TIMES = 20, LIMIT = 3 };
    account_gate_t *gate = create(LIMIT, 100, pool);
    seen_t *seen = shared();
    pid_t children[CHILDREN];
    int bad = 0;
    int i;

    for (i = 0; i < CHILDREN; i++) {
        children[i] = start_child(gate, short_work, seen, TIMES);
    }
    for (i = 0; i < CHILDREN; i++) {
        bad += end_of(children[i]) != 0;
    }
    is_int(bad, 0, "all children ended well");
    is_int(seen->runs, CHILDREN * TIMES, "all work was done");
    is_int(seen->busy + seen->other, 0, "nobody was turned away");
    is_int(seen->most, LIMIT, "never more at once than there are slots, and all of them used");
    ok(load_becomes(gate, 0, 0), "all was given back");
}

/* A gate, what all see, an address. */
static void *pass(void *baton)
{
    void **work = baton;
    int i;

    for (i = 0; i < 20; i++) {
        note(work[1], account_gate_run(work[0], work[2], in(60 * SECOND), short_work, work[1]));
    }
    return NULL;
}

static void test_threads(apr_pool_t *pool)
{
    account_gate_t *gate = create(2, 100, pool);
    seen_t *seen = shared();
    void *work[] = {gate, seen, (void *)ONE};
    pthread_t threads[6];
    int i;

    for (i = 0; i < 6; i++) {
        pthread_create(&threads[i], NULL, pass, work);
    }
    for (i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
    }
    is_int(seen->runs, 120, "threads: all work was done");
    is_int(seen->most, 2, "threads: never more at once than there are slots");
    ok(load_becomes(gate, 0, 0), "threads: all was given back");
}

static void test_kill(apr_pool_t *pool)
{
    account_gate_t *gate = create(1, 1, pool);
    seen_t *seen = shared();
    pid_t holder = start_child(gate, long_work, seen, 1);
    pid_t waiter;

    ok(becomes(&seen->started, 1), "a child holds the slot");
    waiter = start_child(gate, long_work, seen, 1);
    ok(load_becomes(gate, 1, 1), "another one waits");
    kill(waiter, SIGKILL);
    end_of(waiter);
    ok(load_becomes(gate, 1, 0), "killed, it gives its place back");
    kill(holder, SIGKILL);
    end_of(holder);
    ok(load_becomes(gate, 0, 0), "killed at work, a child gives slot and place back");
    is_int(account_gate_run(gate, ONE, in(5 * SECOND), count_work, seen), APR_SUCCESS,
           "and the next one works");
    is_int(seen->runs, 1, "once");

    seen->started = 0;
    holder = start_child(gate, long_work, seen, 1);
    ok(becomes(&seen->started, 1), "a child holds the slot");
    seen->runs = 0;
    waiter = start_child(gate, count_work, seen, 1);
    ok(load_becomes(gate, 1, 1), "another one waits");
    kill(holder, SIGKILL);
    end_of(holder);
    is_int(end_of(waiter), 0, "when the first is killed, the other ends");
    is_int(seen->runs, 1, "having worked");
    ok(load_becomes(gate, 0, 0), "all was given back");
}

static void test_refusals(apr_pool_t *pool)
{
    account_gate_t *gate = create(1, 1, pool);
    seen_t *seen = shared();
    pid_t holder = start_child(gate, long_work, seen, 1);
    pid_t waiter;
    apr_time_t start, took;

    ok(becomes(&seen->started, 1), "a child holds the slot");
    start = account_clock_monotonic();
    is_int(account_gate_run(gate, ONE, in(100 * MILLISECOND), count_work, seen), ACCOUNT_EBUSY,
           "the deadline comes first");
    took = account_clock_monotonic() - start;
    ok(took >= 99 * MILLISECOND && took < 5 * SECOND, "after %d ms",
       (int)(took / MILLISECOND));
    ok(load_becomes(gate, 1, 0), "the place was given back");
    start = account_clock_monotonic();
    is_int(account_gate_run(gate, ONE, start - 1, count_work, seen), ACCOUNT_EBUSY,
           "a deadline that is over");

    waiter = start_child(gate, count_work, seen, 1);
    ok(load_becomes(gate, 1, 1), "a child waits");
    start = account_clock_monotonic();
    is_int(account_gate_run(gate, ONE, in(60 * SECOND), count_work, seen), ACCOUNT_EBUSY,
           "the queue is full");
    took = account_clock_monotonic() - start;
    ok(took < 5 * SECOND, "which is said at once");
    is_int(seen->runs, 0, "no work was done for those turned away");

    add(&seen->stop, 1);
    is_int(end_of(holder) + end_of(waiter), 0, "the children end");
    is_int(seen->runs, 1, "the one that waited worked");
    is_int(account_gate_run(gate, ONE, in(SECOND), count_work, seen), APR_SUCCESS,
           "the gate is free");
    ok(load_becomes(gate, 0, 0), "all was given back");
    is_int(account_gate_run(gate, ONE, account_clock_monotonic() - 1, count_work, seen),
           ACCOUNT_EBUSY,
           "a deadline that is over, the gate being free");
}

typedef struct turn_t {
    seen_t *seen;
    int number;
} turn_t;

static void take_turn(void *baton)
{
    turn_t *turn = baton;

    turn->seen->position[turn->number] = add(&turn->seen->runs, 1);
    usleep(5000); /* so that who is next can come */
}

/* A child that passes the gate once, and says that it will. */
static pid_t start_turn(account_gate_t *gate, const char *who, seen_t *seen, int number)
{
    pid_t child = fork();

    if (child == -1) {
        abort();
    }
    if (child == 0) {
        turn_t turn = {seen, number};

        note(seen, account_gate_run(gate, who, in(60 * SECOND), take_turn, &turn));
        _exit(0);
    }
    return child;
}

/* However many wait of one address, the others have their turns. */
static void test_turns(apr_pool_t *pool)
{
    enum { CROWD = 20 };
    account_gate_t *gate = create(1, MANY, pool);
    seen_t *seen = shared();
    pid_t holder = start_child(gate, long_work, seen, 1);
    pid_t children[CROWD + 4];
    int bad = 0;
    int i;

    ok(becomes(&seen->started, 1), "a child holds the slot");
    for (i = 0; i < CROWD; i++) {
        children[i] = start_turn(gate, ONE, seen, i);
        ok(load_becomes(gate, 1, i + 1), "%d of its address wait", i + 1);
    }
    for (; i < CROWD + 4; i++) {
        children[i] = start_turn(gate, i % 2 ? THIRD : OTHER, seen, i);
        ok(load_becomes(gate, 1, i + 1), "then one of another");
    }
    add(&seen->stop, 1);
    for (i = 0; i < CROWD + 4; i++) {
        bad += end_of(children[i]) != 0;
    }
    is_int(bad + end_of(holder), 0, "all end");
    is_int(seen->busy + seen->other, 0, "none was turned away");
    is_int(seen->position[0], 1, "who came first is first");
    is_int(seen->position[CROWD], 2, "then who came first of the second address");
    is_int(seen->position[CROWD + 1], 3, "and of the third");
    ok(seen->position[CROWD + 2] <= 12 && seen->position[CROWD + 3] <= 12,
       "their next ones do not wait for the crowd: %d and %d",
       seen->position[CROWD + 2], seen->position[CROWD + 3]);
    for (i = 1; i < CROWD; i++) {
        bad += seen->position[i] < seen->position[i - 1];
    }
    is_int(bad, 0, "who waited longer is before those of the same address");
    ok(load_becomes(gate, 0, 0), "all was given back");
}

/* One address alone gets half of the places. */
static void test_shares(apr_pool_t *pool)
{
    enum { PLACES = 20, CROWD = 18, SHARE = 11 };
    account_gate_t *gate = create(1, PLACES - 1, pool);
    seen_t *seen = shared();
    pid_t holder = start_child(gate, long_work, seen, 1);
    pid_t children[CROWD];
    pid_t others[2];
    int bad = 0;
    int i;

    ok(becomes(&seen->started, 1), "a child holds the slot");
    for (i = 0; i < CROWD; i++) {
        children[i] = start_turn(gate, ONE, seen, i);
    }
    ok(becomes(&seen->busy, CROWD + 1 - SHARE), "some of a crowd are turned away");
    ok(account_gate_is_full(gate, ONE), "for them it is full");
    ok(!account_gate_is_full(gate, OTHER), "for others it is not");
    ok(load_becomes(gate, 1, SHARE - 1), "the others wait");
    others[0] = start_turn(gate, OTHER, seen, CROWD);
    ok(load_becomes(gate, 1, SHARE), "who has another address still finds a place");
    others[1] = start_turn(gate, THIRD, seen, CROWD + 1);
    ok(load_becomes(gate, 1, SHARE + 1), "and so does the next one");
    kill(children[0], SIGKILL);
    end_of(children[0]); /* or it was turned away */
    add(&seen->stop, 1);
    bad += end_of(holder) + end_of(others[0]) + end_of(others[1]);
    for (i = 1; i < CROWD; i++) {
        bad += end_of(children[i]) != 0;
    }
    is_int(bad, 0, "all end, though one was killed that may have been the next of its address");
    ok(load_becomes(gate, 0, 0), "all was given back");
    is_int(seen->other, 0, "without a failure");
}

static void *pass_once(void *baton)
{
    void **both = baton;

    note(both[1], account_gate_run(both[0], ONE, in(60 * SECOND), count_work, both[1]));
    return NULL;
}

/* Of what one process gets, too, one address alone gets half. */
static void test_share_of_process(apr_pool_t *pool)
{
    enum { CROWD = 12, WAITERS = 8, SHARE = 5 };
    account_gate_t *gate = create(1, MANY, pool);
    seen_t *seen = shared();
    pid_t holder = start_child(gate, long_work, seen, 1);
    pid_t child;

    ok(becomes(&seen->started, 1), "a child holds the slot");
    child = fork();
    if (child == 0) {
        void *both[] = {gate, seen};
        pthread_t threads[CROWD];
        int i;

        account_gate_attach(gate, WAITERS, pool);
        for (i = 0; i < CROWD; i++) {
            pthread_create(&threads[i], NULL, pass_once, both);
        }
        seen->position[0] = becomes(&seen->busy, CROWD - SHARE) && load_becomes(gate, 1, SHARE);
        seen->position[1] = account_gate_is_full(gate, ONE);
        seen->position[2] = account_gate_is_full(gate, OTHER);
        add(&seen->stop, 1);
        note(seen, account_gate_run(gate, OTHER, in(60 * SECOND), count_work, seen));
        for (i = 0; i < CROWD; i++) {
            pthread_join(threads[i], NULL);
        }
        _exit(0);
    }
    is_int(end_of(child) + end_of(holder), 0, "a child with a crowd of one address ends");
    ok(seen->position[0], "of whom some waited, and the others were turned away");
    is_int(seen->position[1], 1, "for them it was full");
    is_int(seen->position[2], 0, "for others it was not");
    is_int(seen->busy, CROWD - SHARE, "nor were they turned away");
    is_int(seen->runs, SHARE + 1, "all others worked");
    is_int(seen->other, 0, "without a failure");
}

/* Of one process a few may wait, whatever places there are. */
static void test_process(apr_pool_t *pool)
{
    account_gate_t *gate = create(1, MANY, pool);
    seen_t *seen = shared();
    pid_t holder, child;

    ok(!account_gate_is_full(gate, ONE), "a gate that nobody uses is not full");
    ok(!account_gate_is_full(NULL, ONE), "nor is one that is not there");
    holder = start_child(gate, long_work, seen, 1);
    ok(becomes(&seen->started, 1), "a child holds the slot");
    child = fork();
    if (child == 0) {
        static const char *const who[] = {ONE, OTHER, THIRD};
        void *work[3][3];
        pthread_t threads[3];
        int i;

        account_gate_attach(gate, 2, pool);
        for (i = 0; i < 3; i++) {
            seen->position[i] = account_gate_is_full(gate, FOURTH);
            work[i][0] = gate;
            work[i][1] = seen;
            work[i][2] = (void *)who[i];
            pthread_create(&threads[i], NULL, pass, work[i]);
            load_becomes(gate, 1, i + 1);
        }
        seen->position[3] = account_gate_is_full(gate, FOURTH);
        note(seen, account_gate_run(gate, FOURTH, in(60 * SECOND), count_work, seen));
        add(&seen->stop, 1);
        for (i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        seen->position[4] = account_gate_is_full(gate, FOURTH);
        note(seen, account_gate_run(gate, FOURTH, in(60 * SECOND), count_work, seen));
        _exit(0);
    }
    is_int(end_of(child) + end_of(holder), 0, "a child that has many threads ends");
    is_int(seen->position[0] + seen->position[1] + seen->position[2], 0,
           "for the first three of them it was not full");
    is_int(seen->position[3], 1, "then it was");
    is_int(seen->busy, 1, "and one was turned away, whatever its address");
    is_int(seen->position[4], 0, "and later it was not");
    is_int(seen->runs, 61, "all others worked");
    is_int(seen->other, 0, "without a failure");
}

static void ignore(int signal)
{
    (void)signal;
}

/* A waiter that is interrupted waits on. */
static void test_signals(apr_pool_t *pool)
{
    account_gate_t *gate = create(1, 2, pool);
    seen_t *seen = shared();
    struct sigaction action = {.sa_handler = ignore};
    pid_t holder = start_child(gate, long_work, seen, 1);
    pid_t waiter;
    int i;

    ok(becomes(&seen->started, 1), "a child holds the slot");
    sigaction(SIGUSR1, &action, NULL);
    waiter = start_child(gate, count_work, seen, 1);
    ok(load_becomes(gate, 1, 1), "another one waits");
    for (i = 0; i < 20; i++) {
        kill(waiter, SIGUSR1);
        usleep(2000);
    }
    ok(load_becomes(gate, 1, 1), "and does so after twenty signals");
    add(&seen->stop, 1);
    is_int(end_of(holder) + end_of(waiter), 0, "both end");
    is_int(seen->runs, 1, "having worked");
    is_int(seen->busy + seen->other, 0, "without a failure");
}

static void test_removal(apr_pool_t *parent)
{
    account_gate_t *gate;
    apr_pool_t *pool;
    seen_t *seen = shared();
    pid_t child, holder;

    apr_pool_create(&pool, parent);
    gate = create(1, 5, pool);
    child = fork();
    if (child == 0) {
        apr_pool_destroy(pool);
        _exit(0);
    }
    end_of(child);
    is_int(account_gate_run(gate, ONE, in(SECOND), count_work, seen), APR_SUCCESS,
           "a child that destroys the pool leaves the gate");

    /* What a process of the generation before sees: the pool is gone in its parent only. */
    holder = start_child(gate, long_work, seen, 1);
    ok(becomes(&seen->started, 1), "a child holds the slot");
    child = start_child(gate, short_work, seen, 3);
    ok(load_becomes(gate, 1, 1), "another one waits");
    seen->runs = 0;
    apr_pool_destroy(pool);
    is_int(end_of(child), 0, "it ends, though the gate is gone");
    is_int(seen->runs, 3, "having worked");
    is_int(seen->busy + seen->other, 0, "without a failure");
    add(&seen->stop, 1);
    is_int(end_of(holder), 0, "so does the one that was at work");
}

/* The process that a gate is gone for, with threads. */
static void test_leftover(apr_pool_t *parent)
{
    account_gate_t *gate;
    apr_pool_t *pool;
    seen_t *seen = shared();
    int to_child[2];
    pid_t child;
    char go;

    apr_pool_create(&pool, parent);
    gate = create(4, 100, pool);
    if (pipe(to_child) != 0) {
        abort();
    }
    child = fork();
    if (child == 0) {
        void *work[] = {gate, seen, (void *)ONE};
        pthread_t threads[4];
        int i;

        if (read(to_child[0], &go, 1) != 1) {
            _exit(1);
        }
        for (i = 0; i < 4; i++) {
            pthread_create(&threads[i], NULL, pass, work);
        }
        usleep(10000);
        note(seen, account_gate_run(gate, ONE, account_clock_monotonic() - 1, count_work, seen));
        for (i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        _exit(0);
    }
    apr_pool_destroy(pool);
    ok(write(to_child[1], "", 1) == 1, "a gate is gone for a process with four threads");
    is_int(end_of(child), 0, "it ends");
    is_int(seen->runs, 80, "having worked");
    is_int(seen->most, 1, "one at a time");
    is_int(seen->busy, 1, "and turned away who was late");
    is_int(seen->other, 0, "without a failure");
    close(to_child[0]);
    close(to_child[1]);
}

static void test_owner(apr_pool_t *pool)
{
    enum { NOBODY = 65534 };
    int owner;

    if (geteuid() != 0) {
        account_gate_t *gate = NULL;

        is_int(account_gate_create(&gate, 1, 1, NOBODY, pool), APR_SUCCESS,
               "an owner is left out when we are not root");
        return;
    }
    for (owner = -1; owner <= NOBODY; owner += NOBODY + 1) {
        account_gate_t *gate = NULL;
        seen_t *seen = shared();
        pid_t child;

        account_gate_create(&gate, 1, 1, owner, pool);
        child = fork();
        if (child == 0) {
            if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
                _exit(1);
            }
            note(seen, account_gate_run(gate, ONE, in(SECOND), count_work, seen));
            _exit(0);
        }
        is_int(end_of(child), 0, "a process of the user nobody ends");
        if (owner == -1) {
            ok(seen->runs == 0 && seen->other == 1, "it may not pass root's gate");
        } else {
            ok(seen->runs == 1 && seen->other == 0, "it may pass its own");
        }
        is_int(account_gate_run(gate, ONE, in(SECOND), count_work, seen), APR_SUCCESS, "root may");
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);

    test_creation(pool);
    test_surroundings(pool);
    test_limit(pool);
    test_threads(pool);
    test_kill(pool);
    test_refusals(pool);
    test_turns(pool);
    test_shares(pool);
    test_process(pool);
    test_share_of_process(pool);
    test_signals(pool);
    test_removal(pool);
    test_leftover(pool);
    test_owner(pool);

    return done_testing();
}
