#ifndef ACCOUNT_BASE_TRANSPORT_H
#define ACCOUNT_BASE_TRANSPORT_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/log.h"

/*
 * A way to deliver messages: what AccountMail and AccountSms name. Compiled at start, used by one
 * thread at a time.
 *
 *   smtp://HOST[:PORT], smtps://HOST[:PORT]   mail: an SMTP server (STARTTLS by smtp:// where it is
 *                                             offered, TLS from the first byte by smtps://)
 *   http://…, https://…                       SMS or mail: a gateway, by a request template
 *   |PROGRAM ARGUMENT …                       a program of its own for each message
 *   file:/PATH                                a file of JSON lines, appended to
 */
typedef struct account_transport_t account_transport_t;

/* words: of const char *, those of the directive, the address first. is_mail: of AccountMail (a
 * sender is needed: "Shop <shop@example.com>", the second word of smtp and program); else of
 * AccountSms. resolve: a path as the server means it, NULL: no path. */
typedef struct account_transport_words_t {
    const apr_array_header_t *words;
    int is_mail;
    const char *(*resolve)(apr_pool_t *pool, const char *path);
} account_transport_words_t;

/*
 * NULL, or a text for the administrator: an address of no known kind, a missing sender, a template
 * that can't be read or is wrong (with its name and place), an unknown option, "built without
 * libcurl". Further words are options NAME=VALUE: of smtp tls=try|required|off (required where
 * there is a user, else try), user=, password=, password-file= (its first line), ca=FILE (trusted
 * besides the system's certificates); of http ca=FILE. Contacts nobody, but libcurl is initialised
 * until pool is cleared: to be called before there are threads.
 */
const char *account_transport_parse(account_transport_t **transport,
                                    const account_transport_words_t *words, apr_pool_t *pool);

/* What names it in the log. Holds no password, nor the path of a gateway, which may hold a key. */
const char *account_transport_name(const account_transport_t *transport);

/* Whether both lead to the same in the same way, with the same password. */
int account_transport_is_same(const account_transport_t *a, const account_transport_t *b);

/* One message on its way. */
typedef struct account_parcel_t {
    const char *key;     /* the same at each attempt: Message-ID, Idempotency-Key */
    const char *channel; /* "sms", "mail" */
    const char *to;
    const char *name; /* of the text */
    const char *subject;
    const char *text;
    const char *code; /* or NULL, as link */
    const char *link;
    /* How it ended. */
    enum {
        ACCOUNT_PARCEL_WAITS,
        ACCOUNT_PARCEL_SENT,
        ACCOUNT_PARCEL_REFUSED, /* for good: an SMTP 5xx of this recipient */
        ACCOUNT_PARCEL_FAILED,  /* this one, for now: an SMTP 4xx, an SMTP server that took the
                                 * sender and then was silent, a reply that is no success */
        ACCOUNT_PARCEL_DOWN     /* nobody there, or in no state to take anything: no connection, no
                                 * answer in time, HTTP 5xx, a program that can't be run */
    } end;
    const char *reason; /* for the log: no recipient, no text of the message in it */
} account_parcel_t;

typedef struct account_dispatch_t {
    account_parcel_t *parcels;
    int count;
    int (*stopping)(void *baton); /* asked ten times a second: whether the server stops */
    void *baton;
    apr_pool_t *pool;
} account_dispatch_t;

/* Sends the parcels, eight at once, each for at most 10 seconds; returns when all have ended. When
 * stopping() says so no more are started, and those on their way have two seconds to end; what then
 * remains is ACCOUNT_PARCEL_WAITS (one that was on its way may have arrived). So it returns three
 * seconds at most after that. */
void account_transport_send(const account_transport_t *transport, account_dispatch_t *dispatch);

#endif
