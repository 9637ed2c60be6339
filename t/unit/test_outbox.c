/* store/messages.c: on SQLite, and on MySQL where ACCOUNT_TEST_MYSQL has the parameters of an empty
 * database. */

#include <stdlib.h>

#include <apr_strings.h>

#include "bench.h"
#include "tap.h"

#define SECOND APR_INT64_C(1000)
#define MINUTE BENCH_MINUTE
#define LEASE MINUTE
#define CONTENT "{\"text\": \"验证码 123456\", \"code\": \"123456\"}"
#define RACE_MESSAGES 240

static const account_claim_t sms = {ACCOUNT_SMS, 10, LEASE};
static const account_claim_t mail = {ACCOUNT_MAIL, 10, LEASE};

typedef struct put_t {
    const account_store_t *store;
    const account_message_t *message;
    apr_status_t end;
} put_t;

static apr_status_t put_inside(account_db_t *db, void *baton)
{
    put_t *put = baton;
    apr_status_t rv = account_message_store(put->store, db, put->message);

    return rv == APR_SUCCESS ? put->end : rv;
}

static apr_status_t put_message(bench_t *bench, const account_message_t *message, apr_status_t end)
{
    put_t put = {&bench->store, message, end};

    return account_store_run(&bench->store, ACCOUNT_TRANSACTION, put_inside, &put);
}

/* One that is due now and good for ten minutes. */
static void put(bench_t *bench, const char *ref, account_channel_e channel)
{
    account_message_t message = {.ref = ref,
                                 .channel = channel,
                                 .recipient = "13800138000",
                                 .name = "code-login",
                                 .content = CONTENT,
                                 .expires = bench->store.now + 10 * MINUTE};

    is_int(put_message(bench, &message, APR_SUCCESS), APR_SUCCESS, "%s: put %s", bench->name, ref);
}

/* Claims, and expects the refs in this order. */
static apr_array_header_t *claim(bench_t *bench, const account_claim_t *claim, const char *refs)
{
    apr_array_header_t *messages = NULL;
    const char *got = "";
    int i;

    is_int(account_messages_claim(&bench->store, claim, &messages), APR_SUCCESS, "%s: claim",
           bench->name);
    for (i = 0; messages && i < messages->nelts; i++) {
        got = apr_pstrcat(bench->store.pool, got, i ? " " : "",
                          APR_ARRAY_IDX(messages, i, account_message_t *)->ref, NULL);
    }
    is_str(got, refs, "%s: claimed", bench->name);
    return messages;
}

static void end(bench_t *bench, const apr_array_header_t *messages, account_delivery_e delivery,
                apr_int64_t retry)
{
    int i;

    for (i = 0; i < messages->nelts; i++) {
        is_int(account_message_end(&bench->store, APR_ARRAY_IDX(messages, i, account_message_t *),
                                   delivery, retry),
               APR_SUCCESS, "%s: end", bench->name);
    }
}

/* "unit/sms unit/mail" */
static void expect_due(bench_t *bench, const char *wanted)
{
    apr_array_header_t *mailboxes = NULL;
    const char *got = "";
    int i;

    is_int(account_messages_due(&bench->store, &mailboxes), APR_SUCCESS, "%s: due", bench->name);
    for (i = 0; mailboxes && i < mailboxes->nelts; i++) {
        const account_mailbox_t *mailbox = &APR_ARRAY_IDX(mailboxes, i, account_mailbox_t);

        got = apr_pstrcat(bench->store.pool, got, i ? " " : "", mailbox->realm, "/",
                          account_channel_names[mailbox->channel], NULL);
    }
    is_str(got, wanted, "%s: what is due", bench->name);
}

static void expect_down(bench_t *bench, account_channel_e channel, int wanted)
{
    int down = -1;

    is_int(account_messages_down(&bench->store, channel, &down), APR_SUCCESS, "%s: ask",
           bench->name);
    is_int(down, wanted, "%s: %s is %s", bench->name, account_channel_names[channel],
           wanted ? "down" : "up");
}

static void expect_age(bench_t *bench, apr_int64_t wanted)
{
    apr_int64_t age = -1;

    is_int(account_messages_age(&bench->store, &age), APR_SUCCESS, "%s: ask", bench->name);
    is_int(age, wanted, "%s: age", bench->name);
}

static void clear(bench_t *bench)
{
    bench->store.now = BENCH_NOW;
    bench->store.realm = "unit";
    bench_sql(bench, "DELETE FROM account_message");
}

static void test_one(bench_t *bench)
{
    apr_array_header_t *messages;
    account_message_t *message;
    const char *sealed;

    clear(bench);
    expect_due(bench, "");
    expect_age(bench, 0);
    claim(bench, &sms, "");
    put(bench, "m1", ACCOUNT_SMS);
    expect_due(bench, "unit/sms");
    sealed = bench_value(bench, "SELECT content FROM account_message");
    ok(sealed && *sealed && !strstr(sealed, "123456") && !strstr(sealed, "text"),
       "%s: the content is sealed", bench->name);
    claim(bench, &mail, "");
    bench->store.realm = "elsewhere";
    claim(bench, &sms, "");
    expect_due(bench, "unit/sms");
    bench->store.realm = "unit";
    bench->store.now += 5 * SECOND;
    expect_age(bench, 5 * SECOND);
    messages = claim(bench, &sms, "m1");
    if (messages->nelts != 1) {
        return;
    }
    message = APR_ARRAY_IDX(messages, 0, account_message_t *);
    is_str(message->content, CONTENT, "%s: content", bench->name);
    is_str(message->recipient, "13800138000", "%s: recipient", bench->name);
    is_str(message->name, "code-login", "%s: name", bench->name);
    is_int(message->channel, ACCOUNT_SMS, "%s: channel", bench->name);
    is_int(message->expires, BENCH_NOW + 10 * MINUTE, "%s: expires", bench->name);
    is_int(message->attempts, 1, "%s: the first attempt", bench->name);
    is_int(message->created, BENCH_NOW, "%s: created", bench->name);
    claim(bench, &sms, "");
    expect_due(bench, "");
    expect_age(bench, 5 * SECOND);
    end(bench, messages, ACCOUNT_DELIVERED, 0);
    expect_age(bench, 0);
    is_str(bench_value(bench, "SELECT content FROM account_message"), "", "%s: erased",
           bench->name);
    is_int(bench_number(bench, "SELECT done FROM account_message"), bench->store.now,
           "%s: and done", bench->name);
    bench->store.now += 2 * LEASE;
    claim(bench, &sms, "");
    expect_due(bench, "");
}

static void test_lease(bench_t *bench)
{
    apr_array_header_t *first, *second;

    clear(bench);
    put(bench, "m1", ACCOUNT_SMS);
    first = claim(bench, &sms, "m1");
    bench->store.now += LEASE - 1;
    claim(bench, &sms, "");
    bench->store.now++;
    second = claim(bench, &sms, "m1");
    if (second->nelts == 1) {
        is_int(APR_ARRAY_IDX(second, 0, account_message_t *)->attempts, 2, "%s: the second attempt",
               bench->name);
    }
    end(bench, first, ACCOUNT_DELIVERED, 0);
    is_int(bench_number(bench, "SELECT done FROM account_message"), 0,
           "%s: who lost the lease ends nothing", bench->name);
    end(bench, first, ACCOUNT_POSTPONED, bench->store.now);
    claim(bench, &sms, "");
    end(bench, second, ACCOUNT_UNDELIVERABLE, 0);
    is_str(bench_value(bench, "SELECT content FROM account_message"), "",
           "%s: undeliverable: erased", bench->name);
    end(bench, second, ACCOUNT_POSTPONED, bench->store.now);
    claim(bench, &sms, "");

    /* a lease that ran out, but nobody else came */
    put(bench, "m2", ACCOUNT_SMS);
    first = claim(bench, &sms, "m2");
    bench->store.now += 2 * LEASE;
    end(bench, first, ACCOUNT_DELIVERED, 0);
    claim(bench, &sms, "");
}

static void test_retry(bench_t *bench)
{
    apr_array_header_t *messages;

    clear(bench);
    put(bench, "m1", ACCOUNT_SMS);
    expect_down(bench, ACCOUNT_SMS, 0);
    messages = claim(bench, &sms, "m1");
    end(bench, messages, ACCOUNT_POSTPONED, bench->store.now + 2 * SECOND);
    expect_down(bench, ACCOUNT_SMS, 0);
    claim(bench, &sms, "");
    bench->store.now += 2 * SECOND;
    messages = claim(bench, &sms, "m1");
    end(bench, messages, ACCOUNT_OUT_OF_REACH, bench->store.now + 30 * SECOND);
    expect_down(bench, ACCOUNT_SMS, 1);
    expect_down(bench, ACCOUNT_MAIL, 0);
    bench->store.realm = "elsewhere";
    expect_down(bench, ACCOUNT_SMS, 0);
    bench->store.realm = "unit";
    bench->store.now += 10 * SECOND;
    put(bench, "m0", ACCOUNT_SMS);
    bench->store.now += 20 * SECOND;
    messages = claim(bench, &sms, "m1 m0");
    expect_down(bench, ACCOUNT_SMS, 1);
    end(bench, messages, ACCOUNT_DELIVERED, 0);
    expect_down(bench, ACCOUNT_SMS, 0);

    /* one that goes wakes those that nobody was in reach for, of its realm and channel */
    bench->store.now++;
    put(bench, "m3", ACCOUNT_SMS);
    messages = claim(bench, &sms, "m3");
    end(bench, messages, ACCOUNT_OUT_OF_REACH, bench->store.now + 30 * SECOND);
    put(bench, "m4", ACCOUNT_SMS);
    messages = claim(bench, &sms, "m4");
    expect_down(bench, ACCOUNT_SMS, 1);
    end(bench, messages, ACCOUNT_DELIVERED, 0);
    expect_down(bench, ACCOUNT_SMS, 0);
    messages = claim(bench, &sms, "m3");
    end(bench, messages, ACCOUNT_DELIVERED, 0);

    /* what has expired says nothing of now */
    put(bench, "m2", ACCOUNT_MAIL);
    messages = claim(bench, &mail, "m2");
    end(bench, messages, ACCOUNT_OUT_OF_REACH, bench->store.now + 30 * SECOND);
    expect_down(bench, ACCOUNT_MAIL, 1);
    bench->store.now += 10 * MINUTE;
    expect_down(bench, ACCOUNT_MAIL, 0);
    expect_due(bench, "");
    expect_age(bench, 0);
    claim(bench, &mail, "");
}

/* Claims one, which nobody is in reach for. */
static void fail(bench_t *bench, const char *ref)
{
    apr_array_header_t *messages = claim(bench, &sms, ref);

    end(bench, messages, ACCOUNT_OUT_OF_REACH, bench->store.now + 30 * SECOND);
}

/* A recipient that a gateway fails for is no reason to send nothing to the others. */
static void test_poison(bench_t *bench)
{
    clear(bench);
    put(bench, "poison", ACCOUNT_SMS);
    bench->store.now += 10 * SECOND;
    fail(bench, "poison");
    expect_down(bench, ACCOUNT_SMS, 1);
    bench->store.now = BENCH_NOW + 30 * SECOND - 1;
    expect_down(bench, ACCOUNT_SMS, 1);
    bench->store.now++; /* one is let through, to see, and no more while it is on its way */
    expect_down(bench, ACCOUNT_SMS, 0);
    put(bench, "probe1", ACCOUNT_SMS);
    expect_down(bench, ACCOUNT_SMS, 1);
    bench->store.now += 5 * SECOND;
    fail(bench, "probe1");
    expect_down(bench, ACCOUNT_SMS, 1);
    bench->store.now += 25 * SECOND; /* it did not go: one more, half a minute later */
    expect_down(bench, ACCOUNT_SMS, 0);
    bench->store.now += 5 * SECOND;
    fail(bench, "poison probe1");
    expect_down(bench, ACCOUNT_SMS, 0);
    put(bench, "probe2", ACCOUNT_SMS);
    expect_down(bench, ACCOUNT_SMS, 1);
    end(bench, claim(bench, &sms, "probe2"), ACCOUNT_DELIVERED, 0);
    expect_down(bench, ACCOUNT_SMS, 0);

    /* what another one went after says nothing of the gateway */
    fail(bench, "poison probe1");
    expect_down(bench, ACCOUNT_SMS, 0);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_message WHERE done = 0 AND down = 0"),
           2, "%s: both wait", bench->name);
    put(bench, "other", ACCOUNT_SMS);
    expect_down(bench, ACCOUNT_SMS, 0);

    /* but what came later does, though the first waits all the time: it is no probe */
    bench->store.now += SECOND;
    end(bench, claim(bench, &sms, "other"), ACCOUNT_DELIVERED, 0);
    bench->store.now++;
    put(bench, "later", ACCOUNT_SMS);
    fail(bench, "later");
    expect_down(bench, ACCOUNT_SMS, 1);
    bench->store.now += 30 * SECOND;
    expect_down(bench, ACCOUNT_SMS, 0);

    /* of its own realm and channel only */
    put(bench, "mail", ACCOUNT_MAIL);
    end(bench, claim(bench, &mail, "mail"), ACCOUNT_DELIVERED, 0);
    bench->store.realm = "elsewhere";
    put(bench, "e1", ACCOUNT_SMS);
    end(bench, claim(bench, &sms, "e1"), ACCOUNT_DELIVERED, 0);
    bench->store.realm = "unit";
    fail(bench, "poison probe1 later");
    is_str(bench_value(bench, "SELECT ref FROM account_message WHERE down = 1"), "later",
           "%s: others' are no proof", bench->name);
}

static void test_order(bench_t *bench)
{
    static const account_claim_t two = {ACCOUNT_SMS, 2, LEASE};

    clear(bench);
    bench->store.now = BENCH_NOW + 3;
    put(bench, "late", ACCOUNT_SMS);
    bench->store.now = BENCH_NOW + 1;
    put(bench, "early", ACCOUNT_SMS);
    bench->store.now = BENCH_NOW + 2;
    put(bench, "middle", ACCOUNT_SMS);
    put(bench, "other", ACCOUNT_MAIL);
    bench->store.now = BENCH_NOW + 4;
    claim(bench, &two, "early middle");
    claim(bench, &two, "late");
    bench->store.realm = "elsewhere";
    put(bench, "late", ACCOUNT_SMS);
    expect_due(bench, "elsewhere/sms unit/mail");
    claim(bench, &two, "late");
    bench->store.realm = "unit";
    claim(bench, &mail, "other");
}

static void test_refused(bench_t *bench)
{
    account_message_t message = {.ref = "m1",
                                 .recipient = "a",
                                 .name = "n",
                                 .content = CONTENT,
                                 .expires = BENCH_NOW + MINUTE};
    char *content;

    clear(bench);
    is_int(put_message(bench, &message, ACCOUNT_EROLLBACK), ACCOUNT_EROLLBACK,
           "%s: the transaction was rolled back", bench->name);
    claim(bench, &sms, "");
    is_int(put_message(bench, &message, APR_SUCCESS), APR_SUCCESS, "%s: put", bench->name);
    is_int(put_message(bench, &message, APR_SUCCESS), ACCOUNT_ECONFLICT, "%s: a ref twice",
           bench->name);
    message.ref = "m2";
    content = apr_palloc(bench->store.pool, ACCOUNT_CONTENT_MOST + 1);
    memset(content, 'x', ACCOUNT_CONTENT_MOST);
    content[ACCOUNT_CONTENT_MOST] = '\0';
    message.content = content;
    is_int(put_message(bench, &message, APR_SUCCESS), APR_EINVAL, "%s: too long", bench->name);
    ok(bench_logged(bench, "AC00160"), "%s: and said so", bench->name);
    content[ACCOUNT_CONTENT_MOST * 3 / 4 - 100] = '\0';
    is_int(put_message(bench, &message, APR_SUCCESS), APR_SUCCESS, "%s: long", bench->name);
    claim(bench, &sms, "m1 m2");
}

static void test_keys(bench_t *bench)
{
    bench_t *other;

    clear(bench);
    put(bench, "m1", ACCOUNT_SMS);
    put(bench, "m2", ACCOUNT_SMS);
    bench_sql(bench, "UPDATE account_message SET due = due + 60000 WHERE ref = 'm2'");
    other = bench_make(bench->name, bench->config.params, BENCH_KEY_B "\n" BENCH_KEY_A,
                       bench->store.pool);
    other->config.on_connect = NULL;
    bench_start(other);
    claim(other, &sms, "m1");
    is_str(other->lines, "", "%s: an older key opens", bench->name);
    bench_stop(other);
    other = bench_make(bench->name, bench->config.params, BENCH_KEY_B, bench->store.pool);
    other->config.on_connect = NULL;
    bench_start(other);
    other->store.now += 2 * LEASE;
    claim(other, &sms, "");
    ok(bench_logged(other, "AC00161") && bench_logged(other, "m1") && bench_logged(other, "m2"),
       "%s: a foreign key drops, with a line", bench->name);
    ok(!bench_logged(other, "13800138000"), "%s: without the recipient", bench->name);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_message WHERE done > 0 "
                               "AND content = ''"),
           2, "%s: both are done with", bench->name);
    bench_stop(other);

    /* a content of another message's */
    put(bench, "m3", ACCOUNT_SMS);
    bench_sql(bench, "UPDATE account_message SET ref = 'm4' WHERE ref = 'm3'");
    claim(bench, &sms, "");
    ok(bench_logged(bench, "AC00161"), "%s: a content is of its message only", bench->name);
}

/* How often each message was claimed. */
typedef struct tally_t {
    pthread_mutex_t mutex;
    int claimed[RACE_MESSAGES];
} tally_t;

/* Claims and delivers until nothing is due. */
static void deliver(bench_runner_t *runner)
{
    tally_t *tally = runner->baton;
    account_claim_t some = {ACCOUNT_SMS, 1 + runner->number % 10, LEASE};
    apr_array_header_t *messages, *due;
    int i;

    do {
        runner->rv = account_messages_claim(&runner->store, &some, &messages);
        for (i = 0; runner->rv == APR_SUCCESS && i < messages->nelts; i++) {
            const account_message_t *message = APR_ARRAY_IDX(messages, i, account_message_t *);

            pthread_mutex_lock(&tally->mutex);
            tally->claimed[atol(message->ref)]++;
            pthread_mutex_unlock(&tally->mutex);
            runner->won++;
            runner->rv = account_message_end(&runner->store, message, ACCOUNT_DELIVERED, 0);
        }
        if (runner->rv == APR_SUCCESS) {
            runner->rv = account_messages_due(&runner->store, &due);
        }
        runner->failed = runner->rv != APR_SUCCESS;
    } while (!runner->failed && due->nelts > 0);
}

static void test_race(bench_t *const *benches)
{
    tally_t tally = {.claimed = {0}};
    bench_t *bench = benches[0];
    int i, won, once = 0;

    clear(bench);
    pthread_mutex_init(&tally.mutex, NULL);
    for (i = 0; i < RACE_MESSAGES; i++) {
        account_message_t message = {.ref = apr_itoa(bench->store.pool, i),
                                     .recipient = "a",
                                     .name = "n",
                                     .content = CONTENT,
                                     .expires = BENCH_NOW + MINUTE};

        put_message(bench, &message, APR_SUCCESS);
    }
    bench_race(benches, 24, deliver, &tally, &won);
    for (i = 0; i < RACE_MESSAGES; i++) {
        once += tally.claimed[i] == 1;
    }
    is_int(once, RACE_MESSAGES, "%s: 24 claim: each message once", bench->name);
    is_int(won, RACE_MESSAGES, "%s: none was left", bench->name);
    is_int(bench_number(bench, "SELECT COUNT(*) FROM account_message WHERE done > 0"),
           RACE_MESSAGES, "%s: all are delivered", bench->name);
    is_int(bench_number(bench, "SELECT MAX(attempts) FROM account_message"), 1,
           "%s: at the first attempt", bench->name);
}

static void test_outbox(const char *driver, const char *params, apr_pool_t *pool)
{
    apr_global_mutex_t *writer = NULL;
    apr_array_header_t *messages;
    bench_t *benches[2];
    int i;

    apr_global_mutex_create(&writer, NULL, APR_LOCK_DEFAULT, pool);
    for (i = 0; i < 2; i++) {
        benches[i] = bench_make(driver, params, BENCH_KEY_A, pool);
        benches[i]->config.writer = writer;
        bench_start(benches[i]);
    }
    test_one(benches[0]);
    test_lease(benches[0]);
    test_retry(benches[0]);
    test_poison(benches[0]);
    test_order(benches[0]);
    is_str(strstr(benches[0]->lines, "AC0016"), NULL, "%s: nothing to say so far", driver);
    test_refused(benches[0]);
    test_keys(benches[0]);
    test_race(benches);

    clear(benches[0]);
    put(benches[0], "m1", ACCOUNT_SMS);
    bench_stop(benches[0]);
    bench_stop(benches[1]);
    benches[0] = bench_open(driver, params, BENCH_KEY_A, pool);
    claim(benches[0], &sms, "m1");
    bench_stop(benches[0]);
    benches[0] = bench_open(driver, params, BENCH_KEY_A, pool);
    claim(benches[0], &sms, "");
    benches[0]->store.now += LEASE;
    messages = claim(benches[0], &sms, "m1");
    is_int(messages->nelts, 1, "%s: after a restart", driver);
    bench_stop(benches[0]);
}

int main(void)
{
    return bench_main(test_outbox);
}
