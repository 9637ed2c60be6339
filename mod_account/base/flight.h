#ifndef ACCOUNT_BASE_FLIGHT_H
#define ACCOUNT_BASE_FLIGHT_H

#include <curl/curl.h>

#include "base/courier.h"

/* Parcels through libcurl, several at once: what SMTP and HTTP share. */

/* Bytes of an answer that are looked at; what is longer is not read to its end. */
#define ACCOUNT_FLIGHT_REPLY_BYTES 65536

/* How far an SMTP conversation has come. */
typedef enum account_phase_e {
    ACCOUNT_PHASE_HELLO, /* connecting, EHLO, STARTTLS, AUTH */
    ACCOUNT_PHASE_MAIL,
    ACCOUNT_PHASE_RCPT,
    ACCOUNT_PHASE_DATA
} account_phase_e;

/* One parcel on its way. */
typedef struct account_lane_t {
    CURL *easy;
    account_parcel_t *parcel; /* NULL: free */
    account_dispatch_t *dispatch;
    apr_pool_t *pool; /* the parcel's, cleared for the next */
    struct curl_slist *list;
    const char *upload; /* what is sent, from at on */
    apr_size_t at;
    char *reply; /* what came, NUL at its end */
    apr_size_t reply_length;
    int is_cut; /* there was more */
    char error[CURL_ERROR_SIZE];
    /* Of SMTP: the last command, what the server said to it (0: nothing yet). */
    account_phase_e phase;
    const char *command;
    int code;
    char detail[12]; /* the enhanced status code (RFC 3463): "5.1.1", or "" */
} account_lane_t;

typedef struct account_flyer_t {
    const void *self;
    int lanes; /* parcels on their way at once, at most ACCOUNT_COURIER_LANES */
    /* Sets lane->easy up for lane->parcel. 0: it can't be sent, its end is set. */
    int (*prepare)(const void *self, account_lane_t *lane);
    /* Sets the parcel's end. */
    void (*judge)(const void *self, account_lane_t *lane, CURLcode result);
} account_flyer_t;

/* libcurl as the process needs it, until pool is cleared. NULL, or what is wrong. */
const char *account_flight_begin(apr_pool_t *pool);

/* As account_transport_send. */
void account_flight_send(const account_flyer_t *flyer, account_dispatch_t *dispatch);

/* The same with a thread for each lane, for a protocol whose answers libcurl waits for with
 * everything else standing still. The flyer is called from these threads, dispatch->stopping is
 * not. */
void account_flight_send_apart(const account_flyer_t *flyer, account_dispatch_t *dispatch);

/* Why there was no answer, for parcel->reason. */
const char *account_flight_failure(account_lane_t *lane, CURLcode result);

/* ca=FILE: those that every program of the system trusts and those in the file, as one text.
 * NULL, or what is wrong. */
const char *account_flight_trust(const char **certificates, account_words_file_t *file,
                                 const account_transport_words_t *words, apr_pool_t *pool);

/* Has the easy handle trust them; NULL: those of the system. */
void account_flight_set_trust(CURL *easy, const char *certificates);

/* Which protocols the easy handle may speak: one of "smtp", "smtps", "http", "https". */
void account_flight_set_protocol(CURL *easy, const char *protocol);

#endif
