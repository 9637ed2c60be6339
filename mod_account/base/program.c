#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/courier.h"
#include "base/letter.h"

/*
 * A program of its own for each parcel, started without a shell. posix_spawn rather than
 * apr_proc_create: other threads of the process hold locks that a forked copy would wait for for
 * ever, it says at once when the program can't be run, and gives it the signals that it expects
 * (httpd's threads block most of them). Nothing hears of SIGCHLD; each is waited for by its id.
 */

#define STEP_MS 20
#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define TEMPORARY_FAILURE 75 /* EX_TEMPFAIL of sysexits.h */
#define NOT_EXECUTABLE 126   /* as shells tell it */
#define NOT_FOUND 127

/* From asking a program to end to ending it, and from there to giving it up. */
#define GRACE apr_time_from_sec(1)
#define SHORT_GRACE apr_time_from_msec(400) /* while the server stops */

typedef struct program_t {
    char **words;
    int is_mail;
    account_sender_t sender; /* of mail */
} program_t;

/* One program that runs. */
typedef struct run_t {
    account_parcel_t *parcel; /* NULL: the lane is free */
    pid_t pid;
    int input; /* the pipe's end; -1: all is written, or it reads no more */
    const char *text;
    apr_size_t left;
    apr_time_t deadline; /* when the next signal is due */
    int signals;         /* how many it was sent */
} run_t;

typedef struct lanes_t {
    const program_t *program;
    account_dispatch_t *dispatch;
    run_t runs[ACCOUNT_COURIER_LANES];
    int active;
    int is_stopping;
} lanes_t;

/* What the program reads, NULL: the parcel is not one that can be sent (its end is set). */
static const char *input_of(const program_t *program, account_parcel_t *parcel, apr_pool_t *pool)
{
    account_letter_t letter = {
        .sender = &program->sender,
        .to = parcel->to,
        .subject = parcel->subject,
        .text = parcel->text,
        .key = parcel->key,
        .date = apr_time_now(),
        .newline = "\n",
    };
    const char *line;

    if (program->is_mail) {
        if (!account_letter_is_address(parcel->to)) {
            account_parcel_end(parcel, ACCOUNT_PARCEL_REFUSED, pool, "its address is none");
            return NULL;
        }
        return account_letter_write(&letter, pool);
    }
    line = account_parcel_line(parcel, pool);
    if (!line) {
        account_parcel_end(parcel, ACCOUNT_PARCEL_REFUSED, pool, "it has a text that is not UTF-8");
    }
    return line;
}

/* Signals as they are in a program that a shell starts; and a group of processes of its own, for
 * what a program starts is to end with it. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error) {
        error = posix_spawnattr_setsigdefault(attributes, &all);
    }
    if (!error) {
        error = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (!error) {
        error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
                                                         | POSIX_SPAWN_SETPGROUP);
    }
    return error;
}

static int set_files(posix_spawn_file_actions_t *actions, int input)
{
    int error = posix_spawn_file_actions_adddup2(actions, input, 0);

    if (!error) {
        error = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    }
    if (!error) {
        error = posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0);
    }
#ifdef HAVE_ADDCLOSEFROM
    if (!error) {
        error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    }
#endif
    return error;
}

/* Starts it with input as its standard input. 0, or an errno. */
static int spawn(pid_t *pid, int input, char **words, char **environment)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);

    if (error) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = set_attributes(&attributes);
        if (!error) {
            error = set_files(&actions, input);
        }
        if (!error) {
            error = posix_spawn(pid, words[0], &actions, &attributes, words, environment);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Starts the program for a parcel; one that can't be ends the parcel. */
static void start(lanes_t *lanes, run_t *run, account_parcel_t *parcel)
{
    apr_pool_t *pool = lanes->dispatch->pool;
    const char *text = input_of(lanes->program, parcel, pool);
    char *environment[] = {
        (char *)PATH,
        apr_pstrcat(pool, "ACCOUNT_KEY=", parcel->key, NULL),
        apr_pstrcat(pool, "ACCOUNT_TO=", parcel->to, NULL),
        apr_pstrcat(pool, "ACCOUNT_CHANNEL=", parcel->channel, NULL),
        NULL,
    };
    char reason[120];
    int ends[2], error;

    if (!text) {
        return;
    }
    error = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
    if (!error) {
        error = fcntl(ends[1], F_SETFL, O_NONBLOCK) == -1 ? errno : 0;
        if (!error) {
            error = spawn(&run->pid, ends[0], lanes->program->words, environment);
        }
        close(ends[0]);
        if (error) {
            close(ends[1]);
        }
    }
    if (error) {
        account_parcel_end(parcel, ACCOUNT_PARCEL_DOWN, pool, "the program can't be run: %s",
                           apr_strerror(error, reason, sizeof(reason)));
        return;
    }
    run->parcel = parcel;
    run->input = ends[1];
    run->text = text;
    run->left = strlen(text);
    run->signals = 0;
    run->deadline = account_clock_monotonic() + apr_time_from_sec(ACCOUNT_COURIER_SECONDS);
    lanes->active++;
}

/* Writes what the pipe takes. */
static void feed(run_t *run)
{
    ssize_t written = 0;

    while (run->left > 0) {
        written = write(run->input, run->text, run->left);
        if (written <= 0) {
            break;
        }
        run->text += written;
        run->left -= (apr_size_t)written;
    }
    if (run->left == 0 || (written == -1 && errno != EAGAIN && errno != EINTR)) {
        close(run->input);
        run->input = -1;
    }
}

static void judge_exit(account_parcel_t *parcel, int code, apr_pool_t *pool)
{
    switch (code) {
    case 0:
        parcel->end = ACCOUNT_PARCEL_SENT;
        break;
    case NOT_EXECUTABLE:
    case NOT_FOUND:
        account_parcel_end(parcel, ACCOUNT_PARCEL_DOWN, pool,
                           "the program ended with exit status %d: something that it calls can't "
                           "be run",
                           code);
        break;
    case TEMPORARY_FAILURE:
        account_parcel_end(parcel, ACCOUNT_PARCEL_FAILED, pool,
                           "the program ended with exit status 75 (try again later)");
        break;
    default:
        account_parcel_end(parcel, ACCOUNT_PARCEL_FAILED, pool,
                           "the program ended with exit status %d", code);
    }
}

/* The program has ended, or is given up (status -1). */
static void finish(lanes_t *lanes, run_t *run, int status)
{
    account_parcel_t *parcel = run->parcel;
    apr_pool_t *pool = lanes->dispatch->pool;

    if (run->input != -1) {
        close(run->input);
    }
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        parcel->end = ACCOUNT_PARCEL_SENT; /* even if it was asked to end just then */
    }
    else if (run->signals > 0 && lanes->is_stopping) {
        parcel->end = ACCOUNT_PARCEL_WAITS;
    }
    else if (run->signals > 0) {
        account_parcel_end(parcel, ACCOUNT_PARCEL_DOWN, pool,
                           "the program did not end within %d seconds", ACCOUNT_COURIER_SECONDS);
    }
    else if (WIFEXITED(status)) {
        judge_exit(parcel, WEXITSTATUS(status), pool);
    }
    else {
        account_parcel_end(parcel, ACCOUNT_PARCEL_FAILED, pool,
                           "the program was ended by signal %d", WTERMSIG(status));
    }
    run->parcel = NULL;
    lanes->active--;
}

/* Asks a program that is late to end, then ends it, then leaves it to itself: one that sleeps in
 * the kernel can't be waited for. */
static void hurry(lanes_t *lanes, run_t *run)
{
    if (account_clock_monotonic() < run->deadline) {
        return;
    }
    if (run->signals == 2) {
        finish(lanes, run, -1);
        return;
    }
    kill(-run->pid, run->signals == 0 ? SIGTERM : SIGKILL);
    run->signals++;
    run->deadline = account_clock_monotonic() + (lanes->is_stopping ? SHORT_GRACE : GRACE);
}

/* Waits a little for pipes that take more. */
static void feed_all(lanes_t *lanes)
{
    struct pollfd polls[ACCOUNT_COURIER_LANES];
    run_t *fed[ACCOUNT_COURIER_LANES];
    nfds_t count = 0, i;
    int place;

    for (place = 0; place < ACCOUNT_COURIER_LANES; place++) {
        run_t *run = &lanes->runs[place];

        if (run->parcel && run->input != -1) {
            fed[count] = run;
            polls[count++] = (struct pollfd){.fd = run->input, .events = POLLOUT};
        }
    }
    if (poll(polls, count, STEP_MS) > 0) {
        for (i = 0; i < count; i++) {
            if (polls[i].revents) {
                feed(fed[i]);
            }
        }
    }
}

/* Once a program that was asked to end has done so, what it started ends too. Before its end is
 * taken in: until then no other process gets its id. */
static void end_group(const run_t *run)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0
        && info.si_pid == run->pid) {
        kill(-run->pid, SIGKILL);
    }
}

/* Looks after those that run. */
static void watch(lanes_t *lanes)
{
    int place;

    feed_all(lanes);
    for (place = 0; place < ACCOUNT_COURIER_LANES; place++) {
        run_t *run = &lanes->runs[place];
        int status = -1;
        pid_t ended;

        if (!run->parcel) {
            continue;
        }
        if (run->signals > 0) {
            end_group(run);
        }
        ended = waitpid(run->pid, &status, WNOHANG);
        if (ended == run->pid) {
            finish(lanes, run, status);
        }
        else if (ended == -1 && errno == ECHILD) {
            /* Somebody ignores SIGCHLD: how it ended is not known. */
            run->signals = run->signals ? run->signals : 1;
            finish(lanes, run, -1);
        }
        else {
            hurry(lanes, run);
        }
    }
}

/* The server stops: there is less time. */
static void stop(lanes_t *lanes)
{
    apr_time_t latest = account_clock_monotonic() + ACCOUNT_COURIER_FAREWELL;
    int place;

    lanes->is_stopping = 1;
    for (place = 0; place < ACCOUNT_COURIER_LANES; place++) {
        run_t *run = &lanes->runs[place];

        run->deadline = run->deadline < latest ? run->deadline : latest;
    }
}

static void send_by_program(const void *self, account_dispatch_t *dispatch)
{
    lanes_t *lanes = apr_pcalloc(dispatch->pool, sizeof(*lanes));
    int next = 0, place;

    lanes->program = self;
    lanes->dispatch = dispatch;
    for (;;) {
        if (!lanes->is_stopping && dispatch->stopping(dispatch->baton)) {
            stop(lanes);
        }
        for (place = 0; place < ACCOUNT_COURIER_LANES && !lanes->is_stopping; place++) {
            while (!lanes->runs[place].parcel && next < dispatch->count) {
                start(lanes, &lanes->runs[place], &dispatch->parcels[next++]);
            }
        }
        if (lanes->active == 0) {
            break;
        }
        watch(lanes);
    }
}

/* Whether quotes are closed, for apr_tokenize_to_argv does not say. */
static int is_balanced(const char *text)
{
    char quote = '\0';

    for (; *text; text++) {
        if (*text == '\\' && text[1]) {
            text++;
        }
        else if (quote) {
            quote = *text == quote ? '\0' : quote;
        }
        else if (*text == '"' || *text == '\'') {
            quote = *text;
        }
    }
    return quote == '\0';
}

/* What names the program and its arguments apart from others; arguments may hold a secret, so they
 * stand in it as a digest. */
static const char *name_of(const char *command, char **words, apr_pool_t *pool)
{
    if (!words[1]) {
        return apr_pstrcat(pool, "|", words[0], NULL);
    }
    return apr_pstrcat(pool, "|", words[0], " (arguments ", account_words_digest(command, 4, pool),
                       ")", NULL);
}

/* NULL, or why the program can't be run. */
static const char *check_program(const char *path, apr_pool_t *pool)
{
    struct stat info;
    char reason[120];

    if (*path != '/') {
        return "what follows | is no program: its path must be absolute, as in "
               "|/usr/sbin/sendmail -t -i";
    }
    if (stat(path, &info) != 0) {
        return apr_psprintf(pool, "|%s: %s", path, apr_strerror(errno, reason, sizeof(reason)));
    }
    if (!S_ISREG(info.st_mode) || !(info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
        return apr_psprintf(pool, "|%s is no program that can be run; chmod +x it", path);
    }
    return NULL;
}

const char *account_program_parse(account_transport_t *transport,
                                  const account_transport_words_t *words, apr_pool_t *pool)
{
    program_t *program = apr_pcalloc(pool, sizeof(*program));
    const char *command = account_words_at(words, 0) + 1;
    const char *sender = account_words_at(words, 1);
    const char *wrong;

    program->is_mail = words->is_mail;
    if (!is_balanced(command) || apr_tokenize_to_argv(command, &program->words, pool) != APR_SUCCESS
        || !program->words[0] || !*program->words[0]) {
        return is_balanced(command) ? "what follows | is no program"
                                    : "what follows | is no program with arguments: a quote is not "
                                      "closed";
    }
    wrong = check_program(program->words[0], pool);
    if (wrong) {
        return wrong;
    }
    if (account_words_at(words, words->is_mail ? 2 : 1)) {
        return apr_psprintf(pool,
                            "|%s: too many words; the program's arguments stand with it in "
                            "one pair of quotes",
                            program->words[0]);
    }
    transport->name = name_of(command, program->words, pool);
    if (words->is_mail) {
        if (!sender) {
            return apr_psprintf(pool,
                                "|%s needs a sender, the next word: \"Shop "
                                "<shop@example.com>\"",
                                program->words[0]);
        }
        wrong = account_sender_parse(&program->sender, sender, pool);
        transport->name = apr_pstrcat(pool, transport->name, " from ", sender, NULL);
    }
    transport->self = program;
    transport->send = send_by_program;
    return wrong;
}
