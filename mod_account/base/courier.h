#ifndef ACCOUNT_BASE_COURIER_H
#define ACCOUNT_BASE_COURIER_H

#include "base/transport.h"

/*
 * What the kinds of transports share (transport.c): smtp.c, gateway.c, program.c and lines.c are
 * one kind each.
 */

/* Parcels that one transport has on their way at once, and how long one may take. */
#define ACCOUNT_COURIER_LANES 8
#define ACCOUNT_COURIER_SECONDS 10
#define ACCOUNT_COURIER_CONNECT_SECONDS 5

/* How long what is on its way may go on once the server stops: aborted, it would be sent twice. */
#define ACCOUNT_COURIER_FAREWELL apr_time_from_sec(2)

struct account_transport_t {
    const char *name;
    const char *identity; /* differs where anything does; NULL: as the name */
    const void *self;     /* of the kind's own type */
    /* As account_transport_send; SIGPIPE is blocked meanwhile. */
    void (*send)(const void *self, account_dispatch_t *dispatch);
};

/* The kinds: fill transport, or return a text for the administrator, in which no word stands that
 * may be a password or hold one. The first word begins with the kind's mark, in letters of either
 * case. */
const char *account_smtp_parse(account_transport_t *transport,
                               const account_transport_words_t *words, apr_pool_t *pool);
const char *account_gateway_parse(account_transport_t *transport,
                                  const account_transport_words_t *words, apr_pool_t *pool);
const char *account_program_parse(account_transport_t *transport,
                                  const account_transport_words_t *words, apr_pool_t *pool);
const char *account_lines_parse(account_transport_t *transport,
                                const account_transport_words_t *words, apr_pool_t *pool);

/* The word at a place, NULL: there are not so many. */
const char *account_words_at(const account_transport_words_t *words, int place);

/* One option NAME=VALUE that a kind takes; the last has the name NULL. *value stays as it is where
 * the option is not given. */
typedef struct account_words_option_t {
    const char *name;
    const char **value;
} account_words_option_t;

/* Reads the words from first on. NULL, or what is wrong: unknown, doubled, empty, no option. */
const char *account_words_options(const account_transport_words_t *words, int first,
                                  const account_words_option_t *options, apr_pool_t *pool);

/* Reads a file that a word names. NULL, or what is wrong: missing, not a regular file, larger than
 * 256 KiB, not text; is_secret: readable or writable by others than its owner. */
typedef struct account_words_file_t {
    const char *path; /* as in the word; as the server means it after reading */
    int is_secret;
    const char *text;
} account_words_file_t;
const char *account_words_file(const account_transport_words_t *words, account_words_file_t *file,
                               apr_pool_t *pool);

/* A text in place of one that may hold a secret: the first bytes, 32 at most, of its SHA-256. */
const char *account_words_digest(const char *text, int bytes, apr_pool_t *pool);

/* Whether the authority of an address is HOST or HOST:PORT, nothing else (no user, no password).
 * NULL, or what is wrong. */
const char *account_words_host(const char *authority);

/* How a parcel ended. The reason's memory is pool's: the dispatch's. */
#define account_parcel_end(parcel, how, pool, ...)                                                 \
    ((parcel)->end = (how), (parcel)->reason = apr_psprintf((pool), __VA_ARGS__))

/* The parcel as one line of JSON, the newline included: channel, to, template, code, link, subject,
 * text, what it has of them. NULL: it has a text that is not UTF-8. */
const char *account_parcel_line(const account_parcel_t *parcel, apr_pool_t *pool);

#endif
