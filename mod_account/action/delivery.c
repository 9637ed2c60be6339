#include "action/delivery.h"

#include <string.h>

#include <apr_strings.h>
#include <jansson.h>

#include "base/clock.h"

#define CLAIM_MOST 20
#define SECOND APR_INT64_C(1000)
#define LEASE (60 * SECOND)
#define FIRST_RETRY (2 * SECOND)
#define LAST_RETRY (300 * SECOND)
#define REACH_RETRY (30 * SECOND)

/* Attempts after which a message that fails by itself is given up. */
#define MOST_FAILURES 10

/* For one question to the database; while the server stops there is less. */
#define PATIENCE apr_time_from_msec(2500)
#define SHORT_PATIENCE apr_time_from_sec(1)

/* How long the end of a message that was sent is tried to be stored: while its lease holds. */
#define STORING apr_time_from_sec(45)
#define STORING_PAUSE apr_time_from_msec(200)

/* A message that this round has claimed. */
typedef struct item_t {
    const account_post_t *post;
    const account_message_t *message;
    json_t *content;
    int is_ended;
} item_t;

typedef struct work_t {
    account_store_t store; /* realm and deadline of each question */
    account_round_t *round;
    apr_time_t began; /* monotonic */
    apr_int64_t now;  /* of the clock, when it began */
    item_t items[CLAIM_MOST];
    account_parcel_t parcels[CLAIM_MOST];
    int count;
} work_t;

static const char *directive_of(const account_post_t *post)
{
    return post->channel == ACCOUNT_SMS ? "AccountSms" : "AccountMail";
}

/* 138****8000, a***@b.c: enough to find whom it was for, in a log that more people read. */
static const char *masked(const char *recipient, apr_pool_t *pool)
{
    const char *at = strchr(recipient, '@');
    apr_size_t length = strlen(recipient);
    apr_size_t first = 1;

    if (at) {
        while (((unsigned char)recipient[first] & 0xC0) == 0x80) {
            first++; /* all bytes of one character */
        }
        return apr_pstrcat(pool, apr_pstrmemdup(pool, recipient, first), "***", at, NULL);
    }
    if (length < 9) {
        return "***";
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, recipient, 3), "****", recipient + length - 4,
                       NULL);
}

static int is_stopping(const work_t *work)
{
    return work->round->stopping(work->round->baton);
}

/* The store for one question about a post's realm. */
static const account_store_t *store_for(work_t *work, const account_post_t *post)
{
    apr_time_t clock = account_clock_monotonic();

    work->store.realm = post->realm;
    work->store.now = work->now + (clock - work->began) / 1000;
    work->store.deadline = clock + (is_stopping(work) ? SHORT_PATIENCE : PATIENCE);
    return &work->store;
}

/* ------------------------------------------------------------ claiming */

static int is_due(const account_post_t *post, const apr_array_header_t *mailboxes)
{
    int i;

    for (i = 0; i < mailboxes->nelts; i++) {
        const account_mailbox_t *mailbox = &APR_ARRAY_IDX(mailboxes, i, account_mailbox_t);

        if (mailbox->channel == post->channel && strcmp(mailbox->realm, post->realm) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *text_of(json_t *content, const char *member)
{
    return json_string_value(json_object_get(content, member));
}

/* Puts a claimed message among those to be sent; one whose content makes no sense is dropped. */
static apr_status_t add_item(work_t *work, const account_post_t *post,
                             const account_message_t *message)
{
    item_t *item = &work->items[work->count];
    account_parcel_t *parcel = &work->parcels[work->count];
    json_t *content = json_loads(message->content, JSON_REJECT_DUPLICATES, NULL);

    if (!text_of(content, "text")) {
        json_decref(content);
        account_log(work->store.log, ACCOUNT_LOG_ERROR, 0,
                    ACLOGNO(00189) "A message of realm %s (%s to %s) is dropped: what the database "
                                   "holds of it has no text",
                    post->realm, message->name, masked(message->recipient, work->store.pool));
        return account_message_end(store_for(work, post), message, ACCOUNT_UNDELIVERABLE,
                                   work->store.now);
    }
    item->post = post;
    item->message = message;
    item->content = content;
    item->is_ended = 0;
    *parcel = (account_parcel_t){
        .key = message->ref,
        .channel = account_channel_names[message->channel],
        .to = message->recipient,
        .name = message->name,
        .subject = text_of(content, "subject"),
        .text = text_of(content, "text"),
        .code = text_of(content, "code"),
        .link = text_of(content, "link"),
    };
    work->count++;
    return APR_SUCCESS;
}

static apr_status_t claim_from(work_t *work, const account_post_t *post, int limit)
{
    account_claim_t claim = {post->channel, limit, LEASE};
    apr_array_header_t *messages = NULL;
    apr_status_t rv = account_messages_claim(store_for(work, post), &claim, &messages);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < messages->nelts && work->count < CLAIM_MOST; i++) {
        rv = add_item(work, post, APR_ARRAY_IDX(messages, i, const account_message_t *));
    }
    return rv;
}

/* Claims from all posts that have something due, each its share; who comes first changes. */
static apr_status_t claim_all(work_t *work)
{
    account_round_t *round = work->round;
    apr_array_header_t *mailboxes = NULL;
    apr_status_t rv;
    int due = 0;
    int first, i;

    if (round->count == 0) {
        return APR_SUCCESS;
    }
    rv = account_messages_due(store_for(work, round->posts[0]), &mailboxes);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < round->count; i++) {
        due += is_due(round->posts[i], mailboxes);
    }
    first = (int)((apr_uint64_t)work->now / SECOND % (apr_uint64_t)round->count);
    for (i = 0; i < round->count && rv == APR_SUCCESS && due > 0 && work->count < CLAIM_MOST; i++) {
        const account_post_t *post = round->posts[(first + i) % round->count];

        if (is_due(post, mailboxes)) {
            int share = (CLAIM_MOST - work->count) / due;

            rv = claim_from(work, post, share > 0 ? share : 1);
            due--;
        }
    }
    return rv;
}

/* -------------------------------------------------------------- ending */

/* Whether the transport takes anything at all: 1, 0, or -1 when this round does not tell. One that
 * answers is there, whatever became of the rest; a parcel that was refused may never have left. */
static int reach_of(const work_t *work, const account_parcel_t **down)
{
    int reach = -1;
    int i;

    for (i = 0; i < work->count; i++) {
        const account_parcel_t *parcel = &work->parcels[i];

        if (parcel->end == ACCOUNT_PARCEL_SENT || parcel->end == ACCOUNT_PARCEL_FAILED) {
            return 1;
        }
        if (parcel->end == ACCOUNT_PARCEL_DOWN) {
            *down = parcel;
            reach = 0;
        }
    }
    return reach;
}

/* Going down and coming back are told once, for all posts of the transport. */
static void tell_reach(work_t *work, int reach, const account_parcel_t *down)
{
    account_round_t *round = work->round;
    const account_post_t *post = round->posts[0];
    int was_down = 0;
    int i;

    for (i = 0; i < round->count; i++) {
        was_down |= round->posts[i]->was_down;
        round->posts[i]->was_down = reach == -1 ? round->posts[i]->was_down : !reach;
    }
    if (reach == 0 && !was_down) {
        account_log(work->store.log, ACCOUNT_LOG_ERROR, 0,
                    ACLOGNO(00185) "%s %s can't be reached: %s; messages wait", directive_of(post),
                    account_transport_name(post->transport), down->reason);
    }
    if (reach == 1 && was_down) {
        account_log(work->store.log, ACCOUNT_LOG_NOTICE, 0,
                    ACLOGNO(00186) "%s %s can be reached again", directive_of(post),
                    account_transport_name(post->transport));
    }
}

/* Milliseconds until the next attempt: 2 s, twice as long each time, to a bound. */
static apr_int64_t delay_after(int attempts, apr_int64_t bound)
{
    apr_int64_t delay = FIRST_RETRY;

    while (attempts-- > 1 && delay < bound) {
        delay *= 2;
    }
    return delay < bound ? delay : bound;
}

/* A message whose next attempt would come too late has had its last. */
static void tell_expiry(work_t *work, int place, apr_int64_t retry)
{
    const account_message_t *message = work->items[place].message;
    const account_parcel_t *parcel = &work->parcels[place];

    if (retry >= message->expires) {
        account_log(
            work->store.log, ACCOUNT_LOG_WARNING, 0,
            ACLOGNO(00188) "A message of realm %s (%s to %s) is given up after %d attempts: "
                           "it expires before the next one; the last: %s",
            work->items[place].post->realm, message->name,
            masked(message->recipient, work->store.pool), message->attempts,
            parcel->reason ? parcel->reason : "no reason");
    }
}

/* What is to be stored of a parcel's end, and what is told of it. */
static account_delivery_e decide(work_t *work, int place, int reach, apr_int64_t *retry)
{
    const item_t *item = &work->items[place];
    const account_parcel_t *parcel = &work->parcels[place];
    apr_int64_t now = work->now + (account_clock_monotonic() - work->began) / 1000;
    account_delivery_e delivery = ACCOUNT_POSTPONED;

    *retry = now;
    switch (parcel->end) {
    case ACCOUNT_PARCEL_SENT:
        return ACCOUNT_DELIVERED;
    case ACCOUNT_PARCEL_WAITS: /* the server stops: another may have it at once */
        return ACCOUNT_POSTPONED;
    case ACCOUNT_PARCEL_REFUSED:
        account_log(work->store.log, ACCOUNT_LOG_WARNING, 0,
                    ACLOGNO(00187) "A message of realm %s (%s to %s) was refused for good: %s",
                    item->post->realm, item->message->name,
                    masked(item->message->recipient, work->store.pool), parcel->reason);
        return ACCOUNT_UNDELIVERABLE;
    case ACCOUNT_PARCEL_DOWN:
        delivery = reach == 0 ? ACCOUNT_OUT_OF_REACH : ACCOUNT_POSTPONED;
        break;
    case ACCOUNT_PARCEL_FAILED:
        if (item->message->attempts >= MOST_FAILURES) {
            account_log(work->store.log, ACCOUNT_LOG_WARNING, 0,
                        ACLOGNO(00190) "A message of realm %s (%s to %s) is given up after %d "
                                       "attempts; the last: %s",
                        item->post->realm, item->message->name,
                        masked(item->message->recipient, work->store.pool), item->message->attempts,
                        parcel->reason);
            return ACCOUNT_UNDELIVERABLE;
        }
        break;
    }
    *retry += delay_after(item->message->attempts,
                          delivery == ACCOUNT_OUT_OF_REACH ? REACH_RETRY : LAST_RETRY);
    tell_expiry(work, place, *retry);
    return delivery;
}

/* Stores how all ended. What went out would go out again if that could not be stored, so it is
 * tried for as long as nobody else can have claimed it. */
static apr_status_t end_all(work_t *work, int reach)
{
    account_delivery_e deliveries[CLAIM_MOST];
    apr_int64_t retries[CLAIM_MOST];
    apr_status_t rv;
    int i;

    for (i = 0; i < work->count; i++) {
        deliveries[i] = decide(work, i, reach, &retries[i]);
    }
    for (;;) {
        rv = APR_SUCCESS;
        for (i = 0; i < work->count && rv == APR_SUCCESS; i++) {
            item_t *item = &work->items[i];

            if (!item->is_ended) {
                rv = account_message_end(store_for(work, item->post), item->message, deliveries[i],
                                         retries[i]);
                item->is_ended = rv == APR_SUCCESS;
            }
        }
        if (rv == APR_SUCCESS || is_stopping(work)
            || account_clock_monotonic() - work->began > STORING) {
            return rv;
        }
        apr_sleep(STORING_PAUSE);
    }
}

apr_status_t account_delivery_round(const account_store_t *store, account_round_t *round, int *busy)
{
    work_t *work = apr_pcalloc(store->pool, sizeof(*work));
    account_dispatch_t dispatch = {
        .parcels = work->parcels,
        .stopping = round->stopping,
        .baton = round->baton,
        .pool = store->pool,
    };
    const account_parcel_t *down = NULL;
    apr_status_t claimed, ended = APR_SUCCESS;
    int reach, i;

    work->store = *store;
    work->round = round;
    work->began = account_clock_monotonic();
    work->now = store->now;
    claimed = claim_all(work);
    *busy = 0;
    if (work->count > 0) {
        /* What was claimed before the database failed is sent all the same. */
        dispatch.count = work->count;
        account_transport_send(work->items[0].post->transport, &dispatch);
        reach = reach_of(work, &down);
        ended = end_all(work, reach);
        tell_reach(work, reach, down); /* once everybody else can see it too */
        for (i = 0; i < work->count; i++) {
            *busy |= work->parcels[i].end != ACCOUNT_PARCEL_WAITS;
            json_decref(work->items[i].content);
        }
    }
    return claimed != APR_SUCCESS ? claimed : ended;
}
