#ifndef ACCOUNT_STORE_SESSIONS_H
#define ACCOUNT_STORE_SESSIONS_H

#include "store/store.h"

/* How often the use of a session is written down: milliseconds. */
#define ACCOUNT_SESSION_SEEN 60000

struct account_t;

typedef struct account_session_t {
    const char *token; /* what the cookie carries; the database has its keyed digest only */
    const char *id;    /* the first 16 digits of the digest: names the session to its owner */
    apr_int64_t account_id;
    apr_int64_t created; /* milliseconds UTC, as all times */
    apr_int64_t seen;    /* at most a minute old while the session is used */
    apr_int64_t expires; /* the end of its absolute life */
    apr_int64_t idle;    /* milliseconds without a request that end it, counted from seen */
    const char *address; /* of the client at login */
    const char *agent;   /* User-Agent at login, cut at 255 characters; or NULL */
    const apr_array_header_t *replaces; /* of the terms, as most */
    int most;
} account_session_t;

/* How long a session that begins now shall live, in milliseconds, and who asks for it. */
typedef struct account_session_terms_t {
    apr_int64_t idle;
    apr_int64_t life;
    const char *address;
    const char *agent;                  /* cut here; what is not UTF-8 is dropped */
    const apr_array_header_t *replaces; /* tokens that end when this one begins, or NULL */
    int most; /* sessions of the account, this one included; 0: any number */
} account_session_terms_t;

/* Makes a session with a new random token, in memory only: account_session_begin, account_create
 * and account_change_password store it. */
apr_status_t account_session_make(const account_store_t *store, apr_int64_t account_id,
                                  const account_session_terms_t *terms,
                                  account_session_t **session);

/*
 * Stores it, ends those that it replaces, removes what has expired of the account's sessions, and
 * ends those that were used longest ago until as many are left as may be; all or nothing. account:
 * as read when its password was verified. ACCOUNT_EROLLBACK: by now the account has another
 * password or is not active, so nothing begins: a change of the password leaves no session behind,
 * not even one that was begun meanwhile.
 */
apr_status_t account_session_begin(const account_store_t *store, const account_session_t *session,
                                   const struct account_t *account);

/*
 * Whose session the token is: out of store->cache where a copy is good, else one SELECT. From a
 * copy the account has no password. Both are NULL when there is none of that token in the realm, it
 * has expired, was idle too long, or its account is not active. Sets seen, at most once a minute;
 * when only that write fails, the session is valid all the same. A token digest of an older key is
 * found too.
 */
apr_status_t account_session_find(const account_store_t *store, const char *token,
                                  const account_session_t **session,
                                  const struct account_t **account);

/* Ends one session; no session of that token is a success too. */
apr_status_t account_session_end(const account_store_t *store, const char *token);

typedef struct account_sessions_t {
    apr_array_header_t *list; /* of account_session_t, whose token, replaces and most are not set */
    apr_int64_t count;        /* of those that are not in list too */
} account_sessions_t;

/* An account's sessions that have not expired, the one used last first, most of them at most; in
 * the store's pool. A failure of the database is returned, and sessions is left as it was. */
apr_status_t account_sessions_list(const account_store_t *store, apr_int64_t account_id, int most,
                                   account_sessions_t *sessions);

/*
 * Ends sessions of the account whose session own is (found by account_session_find): the one of
 * that id, which may be its own, or, where id is NULL, all but own. id may be any text of a client:
 * one that names no live session of the account ends none. *ended: how many; -1: own is over by
 * now, and nothing was done, so that of two sessions that end each other one stays.
 */
apr_status_t account_sessions_end(const account_store_t *store, const account_session_t *own,
                                  const char *id, apr_int64_t *ended);

#endif
