/* base/exit.c, and what pool.c and gate.c do about threads that still run when their process
 * ends. Each process here ends as a child of httpd does: its pool is destroyed, then exit(). The
 * database is one that speaks just enough of MySQL's protocol, when it wants to. */

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/database.h"
#include "base/exit.h"
#include "base/gate.h"
#include "tap.h"

#define STATUS 7
#define MS (APR_USEC_PER_SEC / 1000)

/* The two ends of a conversation between this program and a process that it started. */
typedef struct process_t {
    pid_t pid;
    int fd;       /* letters: the process says what it has come to, and waits for an answer */
    int listener; /* of the database */
    const char *params;
} process_t;

static void say(int fd, char letter)
{
    ok(write(fd, &letter, 1) == 1, "said %c", letter);
}

/* The next letter within so many milliseconds; 0: none, or the other side has ended. */
static char hear(int fd, int milliseconds)
{
    struct pollfd one = {fd, POLLIN, 0};
    char letter = 0;

    return poll(&one, 1, milliseconds) == 1 && read(fd, &letter, 1) == 1 ? letter : 0;
}

/* --------------------------------------------------------------- the database */

static const char greeting[] =
    "\x0a"
    "5.5.5-10.11.0\0"
    "\x01\0\0\0"
    "abcdefgh\0"
    "\x09\xa2" /* what it can do: long passwords, a database's name, 4.1, transactions, ... */
    "\x2d"
    "\x02\0"
    "\x08\0" /* ... plugins */
    "\x15"
    "\0\0\0\0\0\0\0\0\0\0"
    "ijklmnopqrst\0"
    "mysql_native_password";

static int send_packet(int fd, int number, const char *bytes, size_t length)
{
    char packet[256] = {(char)length, 0, 0, (char)number};

    memcpy(packet + 4, bytes, length);
    return send(fd, packet, length + 4, MSG_NOSIGNAL) == (ssize_t)length + 4;
}

static int greet(int fd)
{
    return send_packet(fd, 0, greeting, sizeof(greeting));
}

/* Reads a packet within two seconds. Its first byte, or -1; *number: its number. */
static int read_packet(int fd, int *number)
{
    struct pollfd one = {fd, POLLIN, 0};
    unsigned char head[4], body[4096];
    size_t length;

    if (poll(&one, 1, 2000) != 1 || recv(fd, head, 4, MSG_WAITALL) != 4) {
        return -1;
    }
    length = head[0] | (size_t)head[1] << 8;
    *number = head[3];
    if (length == 0 || length > sizeof(body) || recv(fd, body, length, MSG_WAITALL) < 1) {
        return -1;
    }
    return body[0];
}

/* Says yes to all that is asked. How many packets there were. */
static int say_yes(int fd)
{
    static const char yes[] = "\0\0\0\x02\0\0";
    int number, count = 0;

    while (read_packet(fd, &number) >= 0 && send_packet(fd, number + 1, yes, sizeof(yes))) {
        count++;
    }
    return count;
}

/* --------------------------------------------------------------- a process */

/* The last of all handlers: httpd's are through, and OpenSSL's. */
static void last(int status, void *data)
{
    int fd = (int)(intptr_t)data;

    (void)status;
    if (write(fd, "x", 1) == 1) {
        hear(fd, 4000);
    }
}

static void use_openssl(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    EVP_Digest("", 0, digest, NULL, EVP_sha1(), NULL);
}

static void be_silent(void *baton, account_log_level_e level, apr_status_t status, const char *text)
{
    (void)baton, (void)level, (void)status, (void)text;
}

static apr_status_t nothing(account_db_t *db, void *baton)
{
    (void)db, (void)baton;
    return APR_SUCCESS;
}

/* Asks the database, gets no answer in time, and goes. */
static void ask_and_go(const process_t *process, apr_pool_t *pool)
{
    account_log_t log = {be_silent, NULL};
    account_database_config_t config = {.driver = "mysql",
                                        .params = process->params,
                                        .statements = NULL,
                                        .connections = 4,
                                        .log = &log};
    account_database_t *database;
    account_work_t work = {.fn = nothing, .mode = ACCOUNT_READ, .pool = pool};

    if (account_database_create(&database, &config, pool) != APR_SUCCESS) {
        _exit(1);
    }
    work.deadline = account_clock_monotonic() + 100 * MS;
    if (account_database_run(database, &work) != ACCOUNT_EBUSY || write(process->fd, "a", 1) != 1
        || hear(process->fd, 4000) != 'g') {
        _exit(2);
    }
}

typedef struct hashing_t {
    const process_t *process;
    account_gate_t *gate;
    char *result;
} hashing_t;

static void hash(void *baton)
{
    hashing_t *hashing = baton;
    int i;

    if (write(hashing->process->fd, "a", 1) == 1) {
        for (i = 0; i < 30; i++) {
            apr_sleep(10 * MS);
            use_openssl();
        }
        apr_cpystrn(hashing->result, "done", 5);
    }
}

static void *pass_gate(void *data)
{
    hashing_t *hashing = data;

    account_gate_run(hashing->gate, "192.0.2.1",
                     account_clock_monotonic() + 1000 * MS, hash, hashing);
    return NULL;
}

/* As prefork, whose only thread destroys its pools in a signal handler, while it waits for a hash:
 * here another thread waits. */
static void hash_and_go(const process_t *process, apr_pool_t *pool)
{
    hashing_t *hashing = apr_pcalloc(pool, sizeof(*hashing));
    apr_pool_t *request;
    pthread_t thread;

    hashing->process = process;
    apr_pool_create(&request, pool);
    hashing->result = apr_pcalloc(request, 100);
    if (account_gate_create(&hashing->gate, 1, 1, -1, pool) != APR_SUCCESS
        || (account_gate_attach(hashing->gate, 1, pool), 0)
        || pthread_create(&thread, NULL, pass_gate, hashing) != 0
        || hear(process->fd, 4000) != 'g') {
        _exit(2);
    }
}

static process_t start(void (*fn)(const process_t *, apr_pool_t *), int listener,
                       const char *params)
{
    process_t process = {0, -1, listener, params};
    int ends[2];
    apr_pool_t *pool;

    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    process.pid = fork();
    if (process.pid != 0) {
        close(ends[1]);
        process.fd = ends[0];
        return process;
    }
    close(ends[0]);
    process.fd = ends[1];
    on_exit(last, (void *)(intptr_t)process.fd);
    apr_initialize();
    atexit(apr_terminate);
    use_openssl();
    apr_pool_create(&pool, NULL);
    fn(&process, pool);
    apr_pool_destroy(pool);
    exit(STATUS);
}

/* What became of it: its exit status, or minus the signal. */
static int end_of(process_t *process)
{
    int status = 0;

    close(process->fd);
    waitpid(process->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --------------------------------------------------------------- the tests */

/* The database says nothing until the process is through with its handlers, then it does. */
static void test_late(int listener, const char *params)
{
    process_t process = start(ask_and_go, listener, params);
    int database = accept(listener, NULL, NULL), number;
    apr_time_t began;
    char letter;

    is_int(hear(process.fd, 4000), 'a', "a database that is silent: asked in vain");
    began = account_clock_monotonic();
    say(process.fd, 'g');
    letter = hear(process.fd, 4000);
    began = account_clock_monotonic() - began;
    if (letter != 0) {
        greet(database);
        read_packet(database, &number);
        say(process.fd, 'g');
    }
    is_int(letter, 0, "silent: no handler runs while a thread may come back");
    is_int(end_of(&process), STATUS, "silent: the process ends as it wants to");
    ok(began < 2000 * MS, "silent: soon (%d ms)", (int)(began / 1000));
    close(database);
}

/* The database answers while the process is about to end. */
static void test_slow(int listener, const char *params)
{
    process_t process = start(ask_and_go, listener, params);
    int database = accept(listener, NULL, NULL);

    is_int(hear(process.fd, 4000), 'a', "a database that is slow: asked in vain");
    say(process.fd, 'g');
    is_int(hear(process.fd, 50), 0, "slow: it is waited for");
    ok(greet(database), "slow: it greets");
    ok(say_yes(database) >= 4, "slow: the thread goes on until it is through");
    is_int(hear(process.fd, 4000), 'x', "slow: and only then all handlers run");
    is_int(end_of(&process), STATUS, "slow: the process ends as it wants to");
    close(database);
}

static void test_gate(void)
{
    process_t process = start(hash_and_go, -1, NULL);
    apr_time_t began = account_clock_monotonic();

    is_int(hear(process.fd, 4000), 'a', "a hash");
    say(process.fd, 'g');
    is_int(hear(process.fd, 4000), 'x', "hash: all handlers run");
    began = account_clock_monotonic() - began;
    if (!ok(began >= 250 * MS, "hash: when it is made (%d ms)", (int)(began / 1000))) {
        apr_sleep(400 * MS); /* in which it may find that its memory is gone */
    }
    is_int(end_of(&process), STATUS, "hash: the process ends as it wants to");
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    apr_cpystrn(address.sun_path, path, sizeof(address.sun_path));
    return bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0
                   && listen(listener, 10) == 0
               ? listener
               : -1;
}

int main(void)
{
    char directory[] = "/tmp/test_exit.XXXXXX";
    char path[64], params[128];
    int listener;

    apr_initialize();
    ok(mkdtemp(directory) != NULL, "a directory");
    apr_snprintf(path, sizeof(path), "%s/s", directory);
    apr_snprintf(params, sizeof(params), "sock=%s user=test pass=test dbname=test", path);
    listener = listen_at(path);
    ok(listener >= 0, "a database");
    test_late(listener, params);
    test_slow(listener, params);
    test_gate();
    close(listener);
    unlink(path);
    ok(rmdir(directory) == 0, "nothing was left behind");
    return done_testing();
}
