#ifndef ACCOUNT_STORE_MESSAGES_H
#define ACCOUNT_STORE_MESSAGES_H

#include "store/store.h"

/* The outbox: what is to be sent is stored in the transaction of what it tells, and delivered
 * afterwards, by whichever server of the realm claims it first. */

typedef enum account_channel_e { ACCOUNT_SMS, ACCOUNT_MAIL, ACCOUNT_CHANNELS } account_channel_e;

/* "sms", "mail": as in the database. */
extern const char *const account_channel_names[ACCOUNT_CHANNELS];

/* Characters of a message's content, sealed. */
#define ACCOUNT_CONTENT_MOST 8000

typedef struct account_message_t {
    const char *ref; /* 32 hexadecimal digits: the same at each attempt to deliver it */
    account_channel_e channel;
    const char *recipient; /* a mobile number or e-mail address */
    const char *name;      /* of its text: "code-login" */
    const char *content;   /* a JSON object of texts: text, and subject, code, link where there are
                            * such; sealed in the database, erased when the message is done with */
    apr_int64_t expires;   /* milliseconds UTC: of no use later */
    /* By account_messages_claim: */
    apr_int64_t created; /* milliseconds UTC */
    int attempts;        /* so far, the one it was claimed for included */
    const char *lease;   /* whose it is */
} account_message_t;

/* A realm and channel that have something to deliver now. */
typedef struct account_mailbox_t {
    const char *realm;
    account_channel_e channel;
} account_mailbox_t;

/* *mailboxes: of account_mailbox_t. The store's realm is not looked at. */
apr_status_t account_messages_due(const account_store_t *store, apr_array_header_t **mailboxes);

/*
 * Claims up to limit messages of the store's realm that are due, the longest due first: nobody else
 * gets them for lease milliseconds; who has not told the end of one by then is taken for dead, and
 * it is due again. *messages: of account_message_t *. One whose content can't be opened (its key is
 * gone) is dropped with a log line; what has expired is not claimed.
 */
typedef struct account_claim_t {
    account_channel_e channel;
    int limit;
    apr_int64_t lease;
} account_claim_t;
apr_status_t account_messages_claim(const account_store_t *store, const account_claim_t *claim,
                                    apr_array_header_t **messages);

/* How an attempt ended. */
typedef enum account_delivery_e {
    ACCOUNT_DELIVERED,
    ACCOUNT_UNDELIVERABLE, /* refused for good: dropped */
    ACCOUNT_POSTPONED,     /* this one did not go; try again at retry */
    ACCOUNT_OUT_OF_REACH   /* nobody there, or in no state to take it; try again at retry */
} account_delivery_e;

/* Stores it, unless the lease ran out and another server has it by now. retry: milliseconds UTC.
 * When one is delivered, those of its realm and channel that nobody was in reach for are due at
 * once. ACCOUNT_OUT_OF_REACH tells of this message only, as ACCOUNT_POSTPONED does, where another
 * one of its realm and channel was done with since it was created: a recipient that the gateway
 * fails for does not close it to the others. */
apr_status_t account_message_end(const account_store_t *store, const account_message_t *message,
                                 account_delivery_e delivery, apr_int64_t retry);

/* Milliseconds between two messages that are let through to see whether a gateway works again. */
#define ACCOUNT_PROBE_INTERVAL 30000

/*
 * *down: whether what the realm sends through channel is known to go nowhere now: a message that
 * has not expired waits because its last attempt ended ACCOUNT_OUT_OF_REACH. Whoever is told so
 * sends nothing, so one is let through now and then: as soon as all that wait were created
 * ACCOUNT_PROBE_INTERVAL ago or earlier, *down is 0, and the next message that is stored is the
 * proof. It closes the channel again for that long, until it is delivered.
 */
apr_status_t account_messages_down(const account_store_t *store, account_channel_e channel,
                                   int *down);

/* Milliseconds that the oldest message which still waits, of any realm, has waited; 0: none. For
 * the status page. */
apr_status_t account_messages_age(const account_store_t *store, apr_int64_t *age);

#endif
