/* action/delivery, with programs and files to send through and an outbox in memory. */

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "action/delivery.h"
#include "base/clock.h"
#include "base/status.h"
#include "tap.h"

#define NOW APR_INT64_C(1790000000000)
#define SECOND APR_INT64_C(1000)
#define MOST 64

/* --------------------------------------------------- an outbox in memory */

typedef struct entry_t {
    const char *realm;
    account_message_t message;
    int is_claimed;
    int ended; /* how many times */
    account_delivery_e delivery;
    apr_int64_t retry;
} entry_t;

typedef struct outbox_t {
    entry_t entries[MOST];
    int count;
    int claims;
    apr_time_t patience; /* the most that a question had, in microseconds */
    int due_fails;
    int claim_fails_at; /* the claim that fails; 0: none */
    int ends_fail;      /* so many */
} outbox_t;

static outbox_t *outbox(void)
{
    static outbox_t box;

    return &box;
}

const char *const account_channel_names[ACCOUNT_CHANNELS] = {"sms", "mail"};

static void note_patience(const account_store_t *store)
{
    apr_time_t patience = store->deadline - account_clock_monotonic();

    if (patience > outbox()->patience) {
        outbox()->patience = patience;
    }
}

apr_status_t account_messages_due(const account_store_t *store, apr_array_header_t **mailboxes)
{
    int i, j;

    note_patience(store);
    if (outbox()->due_fails) {
        return ACCOUNT_EDATABASE;
    }
    *mailboxes = apr_array_make(store->pool, 4, sizeof(account_mailbox_t));
    for (i = 0; i < outbox()->count; i++) {
        const entry_t *entry = &outbox()->entries[i];
        account_mailbox_t mailbox = {entry->realm, entry->message.channel};

        for (j = 0; j < (*mailboxes)->nelts; j++) {
            account_mailbox_t *other = &APR_ARRAY_IDX(*mailboxes, j, account_mailbox_t);

            if (other->channel == mailbox.channel && strcmp(other->realm, mailbox.realm) == 0) {
                break;
            }
        }
        if (j == (*mailboxes)->nelts && !entry->is_claimed) {
            APR_ARRAY_PUSH(*mailboxes, account_mailbox_t) = mailbox;
        }
    }
    return APR_SUCCESS;
}

apr_status_t account_messages_claim(const account_store_t *store, const account_claim_t *claim,
                                    apr_array_header_t **messages)
{
    int i;

    note_patience(store);
    if (++outbox()->claims == outbox()->claim_fails_at) {
        return ACCOUNT_EDATABASE;
    }
    *messages = apr_array_make(store->pool, 4, sizeof(account_message_t *));
    for (i = 0; i < outbox()->count && (*messages)->nelts < claim->limit; i++) {
        entry_t *entry = &outbox()->entries[i];

        if (!entry->is_claimed && entry->message.channel == claim->channel
            && strcmp(entry->realm, store->realm) == 0) {
            entry->is_claimed = 1;
            APR_ARRAY_PUSH(*messages, const account_message_t *) = &entry->message;
        }
    }
    return APR_SUCCESS;
}

apr_status_t account_message_end(const account_store_t *store, const account_message_t *message,
                                 account_delivery_e delivery, apr_int64_t retry)
{
    int i;

    note_patience(store);
    if (outbox()->ends_fail > 0) {
        outbox()->ends_fail--;
        return ACCOUNT_EDATABASE;
    }
    for (i = 0; i < outbox()->count; i++) {
        entry_t *entry = &outbox()->entries[i];

        if (&entry->message == message && strcmp(entry->realm, store->realm) == 0) {
            entry->ended++;
            entry->delivery = delivery;
            entry->retry = retry;
        }
    }
    return APR_SUCCESS;
}

static entry_t *add(const char *realm, account_channel_e channel, const char *recipient)
{
    entry_t *entry = &outbox()->entries[outbox()->count++];

    *entry = (entry_t){.realm = realm};
    entry->message = (account_message_t){
        .ref = "00ff",
        .channel = channel,
        .recipient = recipient,
        .name = "code-login",
        .content = "{\"text\": \"hidden-text\", \"code\": \"hidden-code\", \"subject\": \"S\"}",
        .expires = NOW + 600 * SECOND,
        .attempts = 1,
    };
    return entry;
}

/* ------------------------------------------------------------- the rounds */

typedef struct bench_t {
    account_store_t store;
    account_post_t posts[3];
    account_post_t *list[3];
    account_round_t round;
    const char *log; /* all lines of the last round */
    const char *mode;
    int is_stopping;
    int busy;
    apr_pool_t *pool;
} bench_t;

static void note(void *baton, account_log_level_e level, apr_status_t status, const char *message)
{
    static const char *const levels[] = {"error", "warning", "notice", "debug"};
    bench_t *bench = baton;

    (void)status;
    bench->log = apr_pstrcat(bench->pool, bench->log, levels[level], " ", message, "\n", NULL);
}

static int stopping(void *baton)
{
    return ((bench_t *)baton)->is_stopping;
}

static const char *as_it_is(apr_pool_t *pool, const char *path)
{
    return apr_pstrdup(pool, path);
}

static void spew(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (!file || fputs(text, file) == EOF || fclose(file) != 0) {
        abort();
    }
}

static const char *slurp(const char *path, apr_pool_t *pool)
{
    FILE *file = fopen(path, "r");
    char *text = apr_pcalloc(pool, 20001);

    if (file) {
        text[fread(text, 1, 20000, file)] = '\0';
        fclose(file);
    }
    return text;
}

static const account_transport_t *transport(const char *address, const char *sender,
                                            apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(const char *));
    account_transport_words_t words = {list, sender != NULL, as_it_is};
    account_transport_t *made = NULL;
    const char *error;

    APR_ARRAY_PUSH(list, const char *) = address;
    if (sender) {
        APR_ARRAY_PUSH(list, const char *) = sender;
    }
    error = account_transport_parse(&made, &words, pool);
    if (error) {
        diag("%s", error);
        abort();
    }
    return made;
}

static apr_status_t run(bench_t *bench)
{
    static account_log_t log;
    apr_status_t rv;

    log = (account_log_t){note, bench};
    bench->store =
        (account_store_t){.realm = "nobody", .now = NOW, .log = &log, .pool = bench->pool};
    bench->round.stopping = stopping;
    bench->round.baton = bench;
    bench->log = "";
    bench->busy = -1;
    rv = account_delivery_round(&bench->store, &bench->round, &bench->busy);
    return rv;
}

/* One post of a program that does what the mode file says. */
static void set_mode(bench_t *bench, const char *mode)
{
    spew(bench->mode, apr_pstrcat(bench->pool, mode, "\n", NULL));
}

static void reset(void)
{
    *outbox() = (outbox_t){.count = 0};
}

/* Whether a message waits until so many seconds from now, give or take what the test took. */
static int waits(const entry_t *entry, account_delivery_e delivery, int seconds)
{
    apr_int64_t delay = entry->retry - NOW;

    if (entry->ended != 1 || entry->delivery != delivery || delay < seconds * SECOND
        || delay > (seconds + 2) * SECOND) {
        diag("ended %d times, as %d, for %" APR_INT64_T_FMT, entry->ended, entry->delivery, delay);
        return 0;
    }
    return 1;
}

static void test_content(bench_t *bench, const char *folder)
{
    const char *path = apr_pstrcat(bench->pool, folder, "/lines", NULL);
    entry_t *entry;

    bench->posts[0] = (account_post_t){
        "shop", ACCOUNT_MAIL,
        transport(apr_pstrcat(bench->pool, "file:", path, NULL), NULL, bench->pool), 0};
    bench->round.count = 1;
    is_int(run(bench), APR_SUCCESS, "an empty outbox");
    is_int(bench->busy, 0, "is nothing to do");
    entry = add("shop", ACCOUNT_MAIL, "a@b.c");
    entry->message.content = "{\"subject\": \"S\", \"text\": \"T\", \"link\": \"L\"}";
    add("other", ACCOUNT_MAIL, "a@b.c");
    add("shop", ACCOUNT_SMS, "13800138000");
    is_int(run(bench), APR_SUCCESS, "one message is this post's");
    is_int(bench->busy, 1, "it was claimed");
    is_int(entry->delivery, ACCOUNT_DELIVERED, "and delivered");
    is_str(slurp(path, bench->pool),
           "{\"channel\":\"mail\",\"to\":\"a@b.c\",\"template\":\"code-login\",\"link\":\"L\","
           "\"subject\":\"S\",\"text\":\"T\"}\n",
           "with what it holds");
    is_int(outbox()->entries[1].is_claimed + outbox()->entries[2].is_claimed, 0,
           "others' are left alone");
    is_str(bench->log, "", "and nothing is told");
    reset();
    entry = add("shop", ACCOUNT_MAIL, "secret@b.c");
    entry->message.content = "{\"code\": \"hidden-code\"}";
    is_int(run(bench), APR_SUCCESS, "content without a text");
    is_int(entry->delivery, ACCOUNT_UNDELIVERABLE, "is dropped");
    is_str(bench->log,
           "error AC00189: A message of realm shop (code-login to s***@b.c) is dropped: what the "
           "database holds of it has no text\n",
           "and told");
    reset();
}

static void test_retries(bench_t *bench)
{
    static const int failed[] = {2, 4, 8, 16, 32, 64, 128, 256, 300};
    static const int down[] = {2, 4, 8, 16, 30, 30};
    entry_t *entry;
    int i;

    for (i = 0; i < 9; i++) {
        set_mode(bench, "75");
        entry = add("shop", ACCOUNT_SMS, "13800138000");
        entry->message.attempts = i + 1;
        run(bench);
        ok(waits(entry, ACCOUNT_POSTPONED, failed[i]), "failed attempt %d waits %d s", i + 1,
           failed[i]);
        reset();
    }
    is_str(bench->log, "", "of which nothing is told");
    for (i = 0; i < 6; i++) {
        set_mode(bench, "127");
        entry = add("shop", ACCOUNT_SMS, "13800138000");
        entry->message.attempts = i + 1;
        run(bench);
        ok(waits(entry, ACCOUNT_OUT_OF_REACH, down[i]), "attempt %d out of reach waits %d s", i + 1,
           down[i]);
        if (i == 0) {
            is_str(bench->log,
                   apr_pstrcat(bench->pool, "error AC00185: AccountSms ",
                               account_transport_name(bench->posts[0].transport),
                               " can't be reached: the program ended with exit status 127: "
                               "something that it calls can't be run; messages wait\n",
                               NULL),
                   "going down is told");
        }
        else {
            is_str(bench->log, "", "once");
        }
        reset();
    }
    set_mode(bench, "0");
    for (i = 0; i < 2; i++) {
        entry = add("shop", ACCOUNT_SMS, "13800138000");
        run(bench);
        is_int(entry->delivery, ACCOUNT_DELIVERED, "back again");
        is_str(bench->log,
               i ? ""
                 : apr_pstrcat(bench->pool, "notice AC00186: AccountSms ",
                               account_transport_name(bench->posts[0].transport),
                               " can be reached again\n", NULL),
               i ? "once" : "is told");
        reset();
    }
    set_mode(bench, "case $ACCOUNT_TO in 1380013800[0-4]) exit 0;; *) exit 127;; esac");
    add("shop", ACCOUNT_SMS, "13800138001");
    entry = add("shop", ACCOUNT_SMS, "13800138009");
    run(bench);
    ok(waits(entry, ACCOUNT_POSTPONED, 2), "one out of reach where another went is just late");
    is_str(bench->log, "", "which is not worth a line");
    reset();
}

static void test_given_up(bench_t *bench)
{
    entry_t *entry = add("shop", ACCOUNT_SMS, "13800138000");

    set_mode(bench, "75");
    entry->message.attempts = 5;
    entry->message.expires = NOW + 20 * SECOND;
    run(bench);
    is_str(bench->log,
           "warning AC00188: A message of realm shop (code-login to 138****8000) is given up after "
           "5 attempts: it expires before the next one; the last: the program ended with exit "
           "status 75 (try again later)\n",
           "the last attempt is told");
    ok(waits(entry, ACCOUNT_POSTPONED, 32), "and it waits for its end");
    reset();
    entry = add("shop", ACCOUNT_SMS, "12345678");
    entry->message.attempts = 5;
    entry->message.expires = NOW + SECOND;
    run(bench);
    ok(strstr(bench->log, "(code-login to ***)") != NULL, "a short recipient is not shown at all");
    reset();
    bench->posts[0].channel = ACCOUNT_MAIL;
    bench->posts[0].transport = transport("|/bin/true", "Shop <a@b.c>", bench->pool);
    entry = add("shop", ACCOUNT_MAIL, "é <x>@b.c");
    run(bench);
    is_int(entry->delivery, ACCOUNT_UNDELIVERABLE, "a refused one is dropped");
    is_int(bench->busy, 1, "which is an end too");
    is_str(bench->log,
           "warning AC00187: A message of realm shop (code-login to é***@b.c) was refused for "
           "good: its address is none\n",
           "and told");
    reset();
}

static void test_last_attempt(bench_t *bench)
{
    entry_t *entry;

    set_mode(bench, "75");
    entry = add("shop", ACCOUNT_SMS, "13800138000");
    entry->message.attempts = 10;
    run(bench);
    is_int(entry->delivery, ACCOUNT_UNDELIVERABLE, "the tenth failure is the last");
    is_str(bench->log,
           "warning AC00190: A message of realm shop (code-login to 138****8000) is given up after "
           "10 attempts; the last: the program ended with exit status 75 (try again later)\n",
           "and told");
    reset();
    set_mode(bench, "127");
    entry = add("shop", ACCOUNT_SMS, "13800138000");
    entry->message.attempts = 10;
    run(bench);
    ok(waits(entry, ACCOUNT_OUT_OF_REACH, 30), "a gateway out of reach does not count");
    reset();
    set_mode(bench, "0");
    add("shop", ACCOUNT_SMS, "13800138000");
    run(bench);
    reset();
}

static void test_troubles(bench_t *bench)
{
    entry_t *entry;
    int i;

    set_mode(bench, "0");
    entry = add("shop", ACCOUNT_SMS, "13800138000");
    outbox()->ends_fail = 3;
    is_int(run(bench), APR_SUCCESS, "an end that can't be stored at first");
    is_int(entry->ended, 1, "is stored in the end");
    is_int(entry->delivery, ACCOUNT_DELIVERED, "as it was");
    ok(outbox()->patience > apr_time_from_sec(2) && outbox()->patience <= apr_time_from_msec(2500),
       "no question to the database takes longer than 2.5 s");
    reset();
    outbox()->due_fails = 1;
    is_int(run(bench), ACCOUNT_EDATABASE, "no database");
    is_int(bench->busy, 0, "nothing to do");
    reset();

    bench->round.count = 2;
    entry = add("shop", ACCOUNT_SMS, "13800138000");
    add("club", ACCOUNT_SMS, "13800138000");
    outbox()->claim_fails_at = 2;
    is_int(run(bench), ACCOUNT_EDATABASE, "the database goes away between two claims");
    is_int(outbox()->entries[0].ended + outbox()->entries[1].ended, 1, "what was claimed is sent");
    reset();

    for (i = 0; i < 60; i++) {
        add(i < 30 ? "shop" : "club", ACCOUNT_SMS, "13800138000");
    }
    is_int(run(bench), APR_SUCCESS, "two realms with thirty each");
    for (i = 0; i < 60 && outbox()->entries[i].is_claimed == (i % 30 < 10); i++) {
    }
    is_int(i, 60, "ten of each are claimed");
    for (i = 0; i < 60 && outbox()->entries[i].ended == (i % 30 < 10); i++) {
    }
    is_int(i, 60, "and ended");
    reset();
    for (i = 0; i < 30; i++) {
        add("club", ACCOUNT_SMS, "13800138000");
    }
    is_int(run(bench), APR_SUCCESS, "thirty of one realm");
    for (i = 0; i < 30 && outbox()->entries[i].is_claimed == (i < 20); i++) {
    }
    is_int(i, 30, "twenty are claimed");
    reset();

    set_mode(bench, "127");
    add("shop", ACCOUNT_SMS, "13800138000");
    add("club", ACCOUNT_SMS, "13800138000");
    run(bench);
    is_int(bench->posts[0].was_down + bench->posts[1].was_down, 2, "a transport of two is down");
    ok(strchr(bench->log, '\n') == strrchr(bench->log, '\n') && *bench->log, "in one line");
    reset();

    bench->is_stopping = 1;
    entry = add("shop", ACCOUNT_SMS, "13800138000");
    is_int(run(bench), APR_SUCCESS, "a server that stops");
    ok(waits(entry, ACCOUNT_POSTPONED, 0), "leaves the message to others at once");
    is_int(bench->busy, 0, "and does not go on");
    reset();
    entry = add("shop", ACCOUNT_SMS, "13800138000");
    outbox()->ends_fail = 1000;
    is_int(run(bench), ACCOUNT_EDATABASE, "and does not wait for a database");
    reset();
}

int main(void)
{
    char folder[] = "/tmp/test_delivery.XXXXXX";
    bench_t bench = {.log = ""};
    const char *program;
    int i;

    apr_initialize();
    apr_pool_create(&bench.pool, NULL);
    if (!mkdtemp(folder)) {
        abort();
    }
    for (i = 0; i < 3; i++) {
        bench.list[i] = &bench.posts[i];
    }
    bench.round.posts = bench.list;
    bench.mode = apr_pstrcat(bench.pool, folder, "/mode", NULL);
    program = apr_pstrcat(bench.pool, folder, "/program", NULL);
    spew(program, "#!/bin/sh\nread mode < ${0%program}mode\ncase $mode in [0-9]*) exit $mode;; *) "
                  "eval \"$mode\";; esac\n");
    chmod(program, 0700);

    test_content(&bench, folder);
    program = apr_pstrcat(bench.pool, "|", program, NULL);
    bench.posts[0] = (account_post_t){"shop", ACCOUNT_SMS, transport(program, NULL, bench.pool), 0};
    bench.posts[1] = bench.posts[0];
    bench.posts[1].realm = "club";
    bench.round.count = 1;
    test_retries(&bench);
    test_last_attempt(&bench);
    test_given_up(&bench);
    bench.posts[0] = (account_post_t){"shop", ACCOUNT_SMS, bench.posts[1].transport, 0};
    test_troubles(&bench);

    if (fork() == 0) {
        execlp("rm", "rm", "-r", folder, (char *)NULL);
        _exit(127);
    }
    while (wait(NULL) > 0) {
    }
    apr_pool_destroy(bench.pool);
    apr_terminate();
    return done_testing();
}
