#include "store/messages.h"

#include <limits.h>
#include <string.h>

#include <apr_strings.h>

#include "store/rows.h"
#include "store/statements.h"

const char *const account_channel_names[ACCOUNT_CHANNELS] = {
    [ACCOUNT_SMS] = "sms",
    [ACCOUNT_MAIL] = "mail",
};

/* What the seal of a message's content is bound to. */
static const char *context_of(const account_store_t *store, const char *ref)
{
    return apr_pstrcat(store->pool, store->realm, "/message/", ref, NULL);
}

apr_status_t account_message_store(const account_store_t *store, account_db_t *db,
                                   const account_message_t *message)
{
    const char *sealed;
    apr_status_t rv = account_keys_seal(store->keys, context_of(store, message->ref),
                                        message->content, &sealed, store->pool);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (strlen(sealed) > ACCOUNT_CONTENT_MOST) {
        rv = APR_EINVAL;
        account_log(store->log, ACCOUNT_LOG_ERROR, rv,
                    ACLOGNO(00160) "message %s of realm %s: the text %s is too long for the "
                                   "outbox (%d characters, sealed; %d at most): shorten it",
                    message->ref, store->realm, message->name, (int)strlen(sealed),
                    ACCOUNT_CONTENT_MOST);
        goto leave;
    }
    rv = account_db_execute(db, ACCOUNT_SQL_MESSAGE_INSERT,
                            ACCOUNT_ARGS(TEXT(store->realm), TEXT(message->ref),
                                         TEXT(account_channel_names[message->channel]),
                                         TEXT(message->recipient), TEXT(message->name),
                                         TEXT(sealed), NUMBER(store->now), NUMBER(message->expires),
                                         NUMBER(store->now)),
                            NULL);

leave:
    return rv;
}

typedef struct due_work_t {
    const account_store_t *store;
    apr_array_header_t *rows;
} due_work_t;

static apr_status_t read_due(account_db_t *db, void *baton)
{
    due_work_t *work = baton;
    apr_int64_t now = work->store->now;

    return account_db_rows(db, ACCOUNT_SQL_MESSAGE_DUE, ACCOUNT_ARGS(NUMBER(now), NUMBER(now)),
                           INT_MAX, &work->rows);
}

apr_status_t account_messages_due(const account_store_t *store, apr_array_header_t **mailboxes)
{
    due_work_t work = {.store = store};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, read_due, &work);
    int i, channel;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *mailboxes = apr_array_make(store->pool, work.rows->nelts, sizeof(account_mailbox_t));
    for (i = 0; i < work.rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(work.rows, i, const char *const *);

        for (channel = 0; channel < ACCOUNT_CHANNELS; channel++) {
            if (!strcmp(columns[1], account_channel_names[channel])) {
                APR_ARRAY_PUSH(*mailboxes, account_mailbox_t) =
                    (account_mailbox_t){columns[0], (account_channel_e)channel};
            }
        }
    }
    return APR_SUCCESS;
}

typedef struct claim_work_t {
    const account_store_t *store;
    const account_claim_t *claim;
    const char *lease;
    apr_array_header_t *rows;
} claim_work_t;

static apr_status_t claim(account_db_t *db, void *baton)
{
    claim_work_t *work = baton;
    const account_store_t *store = work->store;
    const char *channel = account_channel_names[work->claim->channel];
    apr_int64_t until = store->now + work->claim->lease;
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_MESSAGE_CLAIM,
        ACCOUNT_ARGS(TEXT(work->lease), NUMBER(until), TEXT(store->realm), TEXT(channel),
                     NUMBER(store->now), NUMBER(store->now), TEXT(store->realm), TEXT(channel),
                     NUMBER(store->now), NUMBER(store->now), NUMBER(work->claim->limit)),
        NULL);

    if (rv == APR_SUCCESS) {
        rv = account_db_rows(
            db, ACCOUNT_SQL_MESSAGE_CLAIMED,
            ACCOUNT_ARGS(TEXT(store->realm), TEXT(channel), NUMBER(until), TEXT(work->lease)),
            INT_MAX, &work->rows);
    }
    return rv;
}

/* Opens a message that was claimed, or drops it: *message is NULL then. */
static apr_status_t unpack(const claim_work_t *work, const char *const *columns,
                           account_message_t **message)
{
    const account_store_t *store = work->store;
    account_message_t *read = apr_pcalloc(store->pool, sizeof(*read));
    apr_status_t rv;

    read->ref = columns[0];
    read->channel = work->claim->channel;
    read->recipient = columns[1];
    read->name = columns[2];
    read->expires = apr_atoi64(columns[4]);
    read->attempts = (int)apr_atoi64(columns[5]);
    read->created = apr_atoi64(columns[6]);
    read->lease = work->lease;
    *message = read;
    rv = account_keys_open(store->keys, context_of(store, read->ref), columns[3], &read->content,
                           store->pool);
    if (rv == APR_EINVAL) {
        *message = NULL;
        rv = account_message_end(store, read, ACCOUNT_UNDELIVERABLE, 0);
        account_log(store->log, ACCOUNT_LOG_ERROR, rv,
                    ACLOGNO(00161) "message %s (%s, by %s) of realm %s is dropped: it was sealed "
                                   "with a key that is not in AccountSecretFile, or was changed",
                    read->ref, read->name, account_channel_names[read->channel], store->realm);
    }
    return rv;
}

apr_status_t account_messages_claim(const account_store_t *store, const account_claim_t *claiming,
                                    apr_array_header_t **messages)
{
    claim_work_t work = {.store = store, .claim = claiming};
    apr_status_t rv = account_random_hex(&work.lease, store->random, store->pool);
    int i;

    *messages = apr_array_make(store->pool, 0, sizeof(account_message_t *));
    if (rv == APR_SUCCESS) {
        rv = account_store_run(store, ACCOUNT_TRANSACTION, claim, &work);
    }
    for (i = 0; rv == APR_SUCCESS && i < work.rows->nelts; i++) {
        account_message_t *message;

        rv = unpack(&work, APR_ARRAY_IDX(work.rows, i, const char *const *), &message);
        if (rv == APR_SUCCESS && message != NULL) {
            APR_ARRAY_PUSH(*messages, account_message_t *) = message;
        }
    }
    return rv;
}

typedef struct end_work_t {
    const account_store_t *store;
    const account_message_t *message;
    account_delivery_e delivery;
    apr_int64_t retry;
} end_work_t;

static apr_status_t finish(account_db_t *db, const end_work_t *work)
{
    const account_store_t *store = work->store;
    const account_message_t *message = work->message;
    apr_status_t rv = account_db_execute(db, ACCOUNT_SQL_MESSAGE_FINISH,
                                         ACCOUNT_ARGS(NUMBER(store->now), TEXT(store->realm),
                                                      TEXT(message->ref), TEXT(message->lease)),
                                         NULL);

    if (rv == APR_SUCCESS && work->delivery == ACCOUNT_DELIVERED) {
        rv = account_db_execute(db, ACCOUNT_SQL_MESSAGE_WAKE,
                                ACCOUNT_ARGS(NUMBER(store->now), TEXT(store->realm),
                                             TEXT(account_channel_names[message->channel])),
                                NULL);
    }
    return rv;
}

/* *down: whether the message tells something of its gateway, not only of itself. */
static apr_status_t find_down(account_db_t *db, const end_work_t *work, int *down)
{
    const account_message_t *message = work->message;
    const char *const *columns = NULL;
    apr_status_t rv = APR_SUCCESS;

    *down = work->delivery == ACCOUNT_OUT_OF_REACH;
    if (*down) {
        rv = account_db_row(db, ACCOUNT_SQL_MESSAGE_FINISHED,
                            ACCOUNT_ARGS(TEXT(work->store->realm),
                                         TEXT(account_channel_names[message->channel]),
                                         NUMBER(message->created)),
                            &columns);
        *down = columns == NULL;
    }
    return rv;
}

static apr_status_t end(account_db_t *db, void *baton)
{
    const end_work_t *work = baton;
    const account_store_t *store = work->store;
    const account_message_t *message = work->message;
    int down;
    apr_status_t rv;

    if (work->delivery == ACCOUNT_DELIVERED || work->delivery == ACCOUNT_UNDELIVERABLE) {
        return finish(db, work);
    }
    rv = find_down(db, work, &down);
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(db, ACCOUNT_SQL_MESSAGE_POSTPONE,
                                ACCOUNT_ARGS(NUMBER(work->retry), NUMBER(down), TEXT(store->realm),
                                             TEXT(message->ref), TEXT(message->lease)),
                                NULL);
    }
    return rv;
}

apr_status_t account_message_end(const account_store_t *store, const account_message_t *message,
                                 account_delivery_e delivery, apr_int64_t retry)
{
    end_work_t work = {store, message, delivery, retry};

    return account_store_run(store, ACCOUNT_TRANSACTION, end, &work);
}

typedef struct down_work_t {
    const account_store_t *store;
    account_channel_e channel;
    int down;
} down_work_t;

static apr_status_t read_down(account_db_t *db, void *baton)
{
    down_work_t *work = baton;
    const account_store_t *store = work->store;
    const char *channel = account_channel_names[work->channel];
    const char *const *columns;
    apr_status_t rv =
        account_db_row(db, ACCOUNT_SQL_MESSAGE_DOWN,
                       ACCOUNT_ARGS(TEXT(store->realm), TEXT(channel), NUMBER(store->now),
                                    TEXT(store->realm), TEXT(channel), NUMBER(store->now),
                                    NUMBER(store->now - ACCOUNT_PROBE_INTERVAL)),
                       &columns);

    work->down = columns != NULL;
    return rv;
}

apr_status_t account_messages_down(const account_store_t *store, account_channel_e channel,
                                   int *down)
{
    down_work_t work = {.store = store, .channel = channel};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, read_down, &work);

    *down = rv == APR_SUCCESS && work.down;
    return rv;
}

typedef struct age_work_t {
    const account_store_t *store;
    apr_int64_t age;
} age_work_t;

static apr_status_t read_age(account_db_t *db, void *baton)
{
    age_work_t *work = baton;
    apr_int64_t now = work->store->now;
    const char *const *columns;
    apr_status_t rv =
        account_db_row(db, ACCOUNT_SQL_MESSAGE_OLDEST, ACCOUNT_ARGS(NUMBER(now)), &columns);

    work->age = 0;
    if (columns != NULL && columns[0] != NULL && apr_atoi64(columns[0]) < now) {
        work->age = now - apr_atoi64(columns[0]);
    }
    return rv;
}

apr_status_t account_messages_age(const account_store_t *store, apr_int64_t *age)
{
    age_work_t work = {.store = store};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, read_age, &work);

    *age = rv == APR_SUCCESS ? work.age : 0;
    return rv;
}
