#include "store/sessions.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/rows.h"
#include "store/snapshot.h"
#include "store/statements.h"

#define ID_DIGITS 16
#define ADDRESS_BYTES 45
#define AGENT_CHARACTERS 255

static const char *digest_of(const account_store_t *store, int key, const char *token)
{
    const char *text = apr_pstrcat(store->pool, "session/", store->realm, "/", token, NULL);

    return account_keys_digest(store->keys, key, text, store->pool);
}

static const char *id_of(const account_store_t *store, const char *digest)
{
    return apr_pstrndup(store->pool, digest, ID_DIGITS);
}

/* As much of the User-Agent as its column holds; NULL when it is no text. */
static const char *cut_agent(const char *agent, apr_pool_t *pool)
{
    apr_size_t end = 0;
    int characters = 0;

    if (agent == NULL || !account_text_is_valid(agent, strlen(agent))) {
        return NULL;
    }
    for (; agent[end] != '\0'; end++) {
        /* Not a byte within a character. */
        if (((unsigned char)agent[end] & 0xC0) != 0x80 && characters++ == AGENT_CHARACTERS) {
            break;
        }
    }
    return apr_pstrndup(pool, agent, end);
}

apr_status_t account_session_make(const account_store_t *store, apr_int64_t account_id,
                                  const account_session_terms_t *terms, account_session_t **session)
{
    account_session_t *made = apr_pcalloc(store->pool, sizeof(*made));
    const char *address = terms->address ? terms->address : "";
    apr_status_t rv = account_random_session_token(&made->token, store->random, store->pool);

    if (rv == APR_SUCCESS) {
        made->id = id_of(store, digest_of(store, 0, made->token));
        made->account_id = account_id;
        made->created = store->now;
        made->seen = store->now;
        made->expires = store->now + terms->life;
        made->idle = terms->idle;
        made->address = apr_pstrndup(store->pool, address, ADDRESS_BYTES);
        made->agent = cut_agent(terms->agent, store->pool);
        made->replaces = terms->replaces;
        made->most = terms->most;
        *session = made;
    }
    return rv;
}

apr_status_t account_session_end_all(const account_store_t *store, account_db_t *db,
                                     apr_int64_t account_id)
{
    account_close_account(store, account_id);
    return account_db_execute(db, ACCOUNT_SQL_SESSION_END_ALL,
                              ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account_id)), NULL);
}

/* Ends the session of a token, whichever key it was begun under. */
static apr_status_t end_token(const account_store_t *store, account_db_t *db, const char *token)
{
    apr_status_t rv = APR_SUCCESS;
    int key;

    account_close_token(store, token);
    for (key = 0; key < account_keys_count(store->keys) && rv == APR_SUCCESS; key++) {
        rv = account_db_execute(
            db, ACCOUNT_SQL_SESSION_END,
            ACCOUNT_ARGS(TEXT(store->realm), TEXT(digest_of(store, key, token))), NULL);
    }
    return rv;
}

apr_status_t account_session_store(const account_store_t *store, account_db_t *db,
                                   const account_session_t *session, apr_int64_t account_id)
{
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t ended = 0;
    int i;

    for (i = 0; session->replaces && i < session->replaces->nelts && rv == APR_SUCCESS; i++) {
        rv = end_token(store, db, APR_ARRAY_IDX(session->replaces, i, const char *));
    }

    if (rv == APR_SUCCESS) {
        rv = account_db_execute(db, ACCOUNT_SQL_SESSION_END_EXPIRED,
                                ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account_id),
                                             NUMBER(store->now), NUMBER(store->now)),
                                NULL);
    }
    if (rv == APR_SUCCESS && session->most > 0) {
        rv = account_db_execute(db, ACCOUNT_SQL_SESSION_END_OLDEST,
                                ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account_id),
                                             TEXT(store->realm), NUMBER(account_id),
                                             NUMBER(session->most - 1)),
                                &ended);
    }
    if (ended > 0) {
        account_close_account(store, account_id); /* the commit is to come */
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(
            db, ACCOUNT_SQL_SESSION_INSERT,
            ACCOUNT_ARGS(TEXT(store->realm), TEXT(digest_of(store, 0, session->token)),
                         NUMBER(account_id), NUMBER(session->created), NUMBER(session->seen),
                         NUMBER(session->expires), NUMBER(session->idle), TEXT(session->address),
                         TEXT(session->agent)),
            NULL);
    }
    return rv;
}

typedef struct beginning_t {
    const account_store_t *store;
    const account_session_t *session;
    const account_t *account;
} beginning_t;

static apr_status_t begin(account_db_t *db, void *baton)
{
    const beginning_t *beginning = baton;
    const account_t *account = beginning->account;
    int held = 0;
    apr_status_t rv = account_hold(beginning->store, db, account, &held);

    if (rv == APR_SUCCESS) {
        rv = held ? account_session_store(beginning->store, db, beginning->session, account->id)
                  : ACCOUNT_EROLLBACK;
    }
    return rv;
}

apr_status_t account_session_begin(const account_store_t *store, const account_session_t *session,
                                   const account_t *account)
{
    beginning_t beginning = {store, session, account};

    return account_store_run(store, ACCOUNT_TRANSACTION, begin, &beginning);
}

/* From SESSION_COLUMNS. */
static void read_columns(account_session_t *session, const char *const *columns)
{
    session->created = apr_atoi64(columns[0]);
    session->seen = apr_atoi64(columns[1]);
    session->expires = apr_atoi64(columns[2]);
    session->idle = apr_atoi64(columns[3]);
    session->address = columns[4];
    session->agent = columns[5];
}

typedef struct session_look_t {
    const account_store_t *store;
    const char *token;
    const char *first;  /* its digest under the key that signs */
    const char *digest; /* the one that was found */
    account_session_t *session;
    const account_t *account;
    apr_int64_t noted; /* rows in which seen was written */
} session_look_t;

static apr_status_t find(account_db_t *db, void *baton)
{
    session_look_t *look = baton;
    const account_store_t *store = look->store;
    const char *const *columns = NULL;
    apr_status_t rv = APR_SUCCESS;
    int key;

    look->session = NULL;
    look->account = NULL;
    for (key = 0; key < account_keys_count(store->keys) && columns == NULL; key++) {
        look->digest = key == 0 ? look->first : digest_of(store, key, look->token);
        rv = account_db_row(db, ACCOUNT_SQL_SESSION_FIND,
                            ACCOUNT_ARGS(TEXT(store->realm), TEXT(look->digest)), &columns);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (columns != NULL) {
        account_session_t *session = apr_pcalloc(store->pool, sizeof(*session));

        look->account = account_row_read(columns, store->pool);
        read_columns(session, columns + ACCOUNT_COLUMN_COUNT);
        session->token = look->token;
        session->id = id_of(store, look->digest);
        session->account_id = look->account->id;
        look->session = session;
    }
    return rv;
}

static apr_status_t write_seen(account_db_t *db, void *baton)
{
    session_look_t *look = baton;
    const account_store_t *store = look->store;

    return account_db_execute(db, ACCOUNT_SQL_SESSION_SEEN,
                              ACCOUNT_ARGS(NUMBER(store->now), TEXT(store->realm),
                                           TEXT(look->digest),
                                           NUMBER(store->now - ACCOUNT_SESSION_SEEN + 1)),
                              &look->noted);
}

/* Keeps a copy of what was read from since on. seen: as it was read. */
static void keep(const session_look_t *look, apr_time_t since, apr_int64_t seen)
{
    account_snapshot_t copy = {
        .since = since, .session = *look->session, .account = *look->account};

    /* A copy may not live longer than the session: what was not written does not count. */
    copy.session.seen = look->noted > 0 ? look->session->seen : seen;
    account_snapshot_put(look->store, &copy, look->first);
}

/* In the database; session and account are NULL where there is none that lives. */
static apr_status_t find_stored(session_look_t *look)
{
    const account_store_t *store = look->store;
    apr_time_t since = account_clock_monotonic();
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, find, look);
    account_session_t *found = look->session;
    apr_int64_t seen;

    if (rv != APR_SUCCESS || found == NULL || found->expires <= store->now
        || found->seen + found->idle <= store->now || look->account->status != ACCOUNT_ACTIVE) {
        look->session = NULL;
        look->account = NULL;
        return rv;
    }
    seen = found->seen;
    if (store->now - found->seen >= ACCOUNT_SESSION_SEEN
        && account_store_run(store, ACCOUNT_WRITE, write_seen, look) == APR_SUCCESS) {
        found->seen = store->now;
    }
    if (store->cache && look->first) { /* OpenSSL may fail */
        keep(look, since, seen);
    }
    return APR_SUCCESS;
}

apr_status_t account_session_find(const account_store_t *store, const char *token,
                                  const account_session_t **session,
                                  const struct account_t **account)
{
    session_look_t look = {.store = store, .token = token, .first = digest_of(store, 0, token)};
    const account_snapshot_t *copy =
        store->cache && look.first ? account_snapshot_get(store, token, look.first) : NULL;
    int is_good = copy && account_snapshot_judge(store, copy) == ACCOUNT_SNAPSHOT_GOOD;
    apr_status_t rv = is_good ? APR_SUCCESS : find_stored(&look);

    /* judged when the database has not answered: it may have been changed since */
    if (rv != APR_SUCCESS && copy
        && account_snapshot_judge(store, copy) != ACCOUNT_SNAPSHOT_WORTHLESS) {
        is_good = 1;
        rv = APR_SUCCESS;
    }
    *session = is_good ? &copy->session : look.session;
    *account = is_good ? &copy->account : look.account;
    return rv;
}

typedef struct ending_t {
    const account_store_t *store;
    const char *token;
} ending_t;

static apr_status_t end(account_db_t *db, void *baton)
{
    const ending_t *ending = baton;

    return end_token(ending->store, db, ending->token);
}

apr_status_t account_session_end(const account_store_t *store, const char *token)
{
    ending_t ending = {store, token};

    /* One statement for each key. */
    return account_keys_count(store->keys) == 1
               ? account_store_run(store, ACCOUNT_WRITE, end, &ending)
               : account_store_run(store, ACCOUNT_TRANSACTION, end, &ending);
}

typedef struct listing_t {
    const account_store_t *store;
    apr_int64_t account_id;
    int most;
    apr_array_header_t *rows;
    apr_int64_t count;
} listing_t;

static apr_status_t list(account_db_t *db, void *baton)
{
    listing_t *listing = baton;
    const account_store_t *store = listing->store;
    const char *const *columns = NULL;
    apr_status_t rv = account_db_row(db, ACCOUNT_SQL_SESSION_COUNT,
                                     ACCOUNT_ARGS(TEXT(store->realm), NUMBER(listing->account_id),
                                                  NUMBER(store->now), NUMBER(store->now)),
                                     &columns);

    listing->count = columns != NULL ? apr_atoi64(columns[0]) : 0;
    if (rv == APR_SUCCESS) {
        rv = account_db_rows(db, ACCOUNT_SQL_SESSION_LIST,
                             ACCOUNT_ARGS(TEXT(store->realm), NUMBER(listing->account_id),
                                          NUMBER(store->now), NUMBER(store->now),
                                          NUMBER(listing->most)),
                             listing->most, &listing->rows);
    }
    return rv;
}

apr_status_t account_sessions_list(const account_store_t *store, apr_int64_t account_id, int most,
                                   account_sessions_t *sessions)
{
    listing_t listing = {.store = store, .account_id = account_id, .most = most};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, list, &listing);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    sessions->count = listing.count;
    sessions->list = apr_array_make(store->pool, listing.rows->nelts, sizeof(account_session_t));
    for (i = 0; i < listing.rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(listing.rows, i, const char *const *);
        account_session_t *session = apr_array_push(sessions->list);

        memset(session, 0, sizeof(*session));
        session->id = id_of(store, columns[0]);
        session->account_id = account_id;
        read_columns(session, columns + 1);
    }
    return APR_SUCCESS;
}

typedef struct clearing_t {
    const account_store_t *store;
    const account_session_t *own;
    const char *id; /* NULL: all but own */
    apr_int64_t ended;
} clearing_t;

/* Who begins or ends sessions of the account waits for its row, so own is still there afterwards.
 */
static apr_status_t clear(account_db_t *db, void *baton)
{
    clearing_t *clearing = baton;
    const account_store_t *store = clearing->store;
    const account_session_t *own = clearing->own;
    const char *const *columns = NULL;
    account_args_t own_args = ACCOUNT_ARGS(TEXT(store->realm), NUMBER(own->account_id),
                                           TEXT(own->id), NUMBER(store->now), NUMBER(store->now));
    apr_status_t rv =
        account_db_execute(db, ACCOUNT_SQL_ACCOUNT_WAIT,
                           ACCOUNT_ARGS(TEXT(store->realm), NUMBER(own->account_id)), NULL);

    clearing->ended = -1;
    account_close_account(store, own->account_id);
    if (rv == APR_SUCCESS) {
        rv = account_db_row(db, ACCOUNT_SQL_SESSION_BY_ID, own_args, &columns);
    }
    if (rv == APR_SUCCESS && columns == NULL) {
        rv = ACCOUNT_EROLLBACK;
    }
    if (rv == APR_SUCCESS) {
        rv = clearing->id != NULL
                 ? account_db_execute(db, ACCOUNT_SQL_SESSION_END_BY_ID,
                                      ACCOUNT_ARGS(TEXT(store->realm), NUMBER(own->account_id),
                                                   TEXT(clearing->id), NUMBER(store->now),
                                                   NUMBER(store->now)),
                                      &clearing->ended)
                 : account_db_execute(
                     db, ACCOUNT_SQL_SESSION_END_OTHERS,
                     ACCOUNT_ARGS(TEXT(store->realm), NUMBER(own->account_id), TEXT(own->id)),
                     &clearing->ended);
    }
    return rv;
}

apr_status_t account_sessions_end(const account_store_t *store, const account_session_t *own,
                                  const char *id, apr_int64_t *ended)
{
    clearing_t clearing = {.store = store, .own = own, .id = id};
    apr_status_t rv;

    /* MySQL compares texts with the blanks at their ends left out. */
    if (id != NULL && (strlen(id) != ID_DIGITS || strspn(id, "0123456789abcdef") != ID_DIGITS)) {
        clearing.id = "";
    }
    rv = account_store_run(store, ACCOUNT_TRANSACTION, clear, &clearing);
    *ended = clearing.ended;
    return rv == ACCOUNT_EROLLBACK && clearing.ended < 0 ? APR_SUCCESS : rv;
}
