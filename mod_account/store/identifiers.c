#include <string.h>

#include <apr_strings.h>

#include "base/text.h"
#include "store/rows.h"
#include "store/statements.h"

/* Claims of one identifier may follow each other while it is looked at. */
#define CLAIM_RUNS 3

/* More than one account has; who has that many has more than one address among them. */
#define IDENTIFIERS_MOST 20

/* The account no longer shows the identifier that it has lost. */
static apr_status_t hide(const account_store_t *store, account_db_t *db, apr_int64_t account_id,
                         const char *canonical)
{
    const char *shown[ACCOUNT_KINDS] = {NULL};
    const char *const *columns;
    const account_t *account;
    apr_status_t rv =
        account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_ID,
                       ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account_id)), &columns);
    int kind;

    if (rv != APR_SUCCESS || columns == NULL) {
        return rv;
    }
    account = account_row_read(columns, store->pool);
    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        const char *text = account->identifiers[kind];
        const char *same = text ? account_text_identifier(store->pool, text) : NULL;

        if (same != NULL && !strcmp(same, canonical)) {
            shown[kind] = text;
        }
    }
    return account_db_execute(db, ACCOUNT_SQL_ACCOUNT_HIDE,
                              ACCOUNT_ARGS(TEXT(shown[ACCOUNT_EMAIL]), TEXT(shown[ACCOUNT_MOBILE]),
                                           TEXT(shown[ACCOUNT_USER_NAME]),
                                           TEXT(shown[ACCOUNT_EMAIL]), TEXT(shown[ACCOUNT_MOBILE]),
                                           NUMBER(store->now), TEXT(store->realm),
                                           NUMBER(account_id)),
                              NULL);
}

static apr_status_t insert(const account_store_t *store, account_db_t *db,
                           const account_identifier_t *identifier)
{
    return account_db_execute(db, ACCOUNT_SQL_IDENTIFIER_INSERT,
                              ACCOUNT_ARGS(TEXT(store->realm), TEXT(identifier->canonical),
                                           NUMBER(identifier->account_id),
                                           TEXT(account_kind_names[identifier->kind]),
                                           NUMBER(identifier->verified), NUMBER(store->now)),
                              NULL);
}

/* What the account has already becomes as verified as that. *done: 0 when it does not have it. */
static apr_status_t set_verified(const account_store_t *store, account_db_t *db,
                                 const account_identifier_t *identifier, int *done)
{
    apr_int64_t rows = 0;
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_IDENTIFIER_SET_VERIFIED,
        ACCOUNT_ARGS(NUMBER(identifier->verified), TEXT(store->realm), TEXT(identifier->canonical),
                     NUMBER(identifier->account_id)),
        &rows);

    *done = rows > 0;
    return rv;
}

/* Takes it from who holds it and never verified it, if that is so still. */
static apr_status_t displace(const account_store_t *store, account_db_t *db,
                             const account_identifier_t *identifier, apr_int64_t holder)
{
    apr_int64_t rows = 0;
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_IDENTIFIER_DISPLACE,
        ACCOUNT_ARGS(TEXT(store->realm), TEXT(identifier->canonical), NUMBER(holder)), &rows);

    return rv == APR_SUCCESS && rows > 0 ? hide(store, db, holder, identifier->canonical) : rv;
}

apr_status_t account_identifier_claim(const account_store_t *store, account_db_t *db,
                                      account_identifier_t *identifier)
{
    int runs;

    for (runs = 0; runs < CLAIM_RUNS; runs++) {
        const char *const *columns;
        apr_int64_t holder, verified;
        int done = 0;
        apr_status_t rv =
            account_db_row(db, ACCOUNT_SQL_IDENTIFIER_READ,
                           ACCOUNT_ARGS(TEXT(store->realm), TEXT(identifier->canonical)), &columns);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (columns == NULL) {
            return insert(store, db, identifier); /* the unique key decides */
        }
        holder = apr_atoi64(columns[0]);
        verified = apr_atoi64(columns[1]);
        if (holder == identifier->account_id && identifier->verified == 0) {
            identifier->verified = verified;
            return APR_SUCCESS;
        }
        if (holder == identifier->account_id) {
            rv = set_verified(store, db, identifier, &done);
        }
        else if (identifier->verified == 0 || verified != 0) {
            rv = ACCOUNT_ECONFLICT;
        }
        else {
            rv = displace(store, db, identifier, holder);
        }
        if (rv != APR_SUCCESS || done) {
            return rv;
        }
    }
    return ACCOUNT_ECONFLICT;
}

/* A verified address takes the place of what the account had of its kind. old: what it showed of
 * that kind till now, canonical, or NULL. */
static apr_status_t give_up_others(const account_store_t *store, account_db_t *db,
                                   const account_identifier_t *identifier, const char *old)
{
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_IDENTIFIER_GIVE_UP_OTHERS,
        ACCOUNT_ARGS(TEXT(store->realm), NUMBER(identifier->account_id),
                     TEXT(account_kind_names[identifier->kind]), TEXT(identifier->canonical)),
        NULL);

    if (rv == APR_SUCCESS && old != NULL && strcmp(old, identifier->canonical)) {
        /* Where it is the user name too, that logs in still, and proves nothing any more. */
        account_identifier_t user_name = {old, identifier->account_id, ACCOUNT_USER_NAME, 0};
        int had;

        rv = set_verified(store, db, &user_name, &had);
    }
    return rv;
}

apr_status_t account_own_in(const account_store_t *store, account_db_t *db,
                            const account_ownership_t *ownership, int *found)
{
    static const struct {
        int prove, show;
    } statements[ACCOUNT_KINDS] = {
        [ACCOUNT_EMAIL] = {ACCOUNT_SQL_ACCOUNT_PROVE_EMAIL, ACCOUNT_SQL_ACCOUNT_SHOW_EMAIL},
        [ACCOUNT_MOBILE] = {ACCOUNT_SQL_ACCOUNT_PROVE_MOBILE, ACCOUNT_SQL_ACCOUNT_SHOW_MOBILE}};
    account_kind_e kind = ownership->kind;
    apr_int64_t id = ownership->account->id, rows = 0;
    account_identifier_t identifier = {account_text_identifier(store->pool, ownership->address), id,
                                       kind, store->now};
    const char *const *columns = NULL;
    const char *old;
    apr_status_t rv;

    *found = 0;
    if (identifier.canonical == NULL || kind == ACCOUNT_USER_NAME) {
        return APR_EINVAL;
    }
    rv = account_db_execute(
        db, statements[kind].prove,
        ACCOUNT_ARGS(NUMBER(store->now), NUMBER(store->now), TEXT(store->realm), NUMBER(id)),
        &rows);
    if (rv == APR_SUCCESS && rows > 0) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_ID,
                            ACCOUNT_ARGS(TEXT(store->realm), NUMBER(id)), &columns);
    }
    if (rv != APR_SUCCESS || columns == NULL) {
        return rv;
    }
    *found = 1;
    old = account_row_read(columns, store->pool)->identifiers[kind];
    old = old ? account_text_identifier(store->pool, old) : NULL;
    rv = account_identifier_claim(store, db, &identifier);
    if (rv == APR_SUCCESS) {
        rv = give_up_others(store, db, &identifier, old);
    }
    if (rv == APR_SUCCESS && (old == NULL || strcmp(old, identifier.canonical))) {
        rv = account_db_execute(
            db, statements[kind].show,
            ACCOUNT_ARGS(TEXT(ownership->address), TEXT(store->realm), NUMBER(id)), NULL);
    }
    return rv;
}

typedef struct holding_t {
    const account_store_t *store;
    const char *canonical;
    const account_holder_t *holder;
} holding_t;

/* By kind, or by shape: a user name may look like one. */
static int is_address(const char *canonical, account_kind_e kind, apr_pool_t *pool)
{
    return kind != ACCOUNT_USER_NAME || account_text_mobile(pool, canonical)
           || account_text_email(pool, canonical);
}

/* Whether none of an account's identifiers is verified, and just one is an address. */
static int is_one_unverified(const apr_array_header_t *rows, apr_pool_t *pool)
{
    int addresses = 0, i;

    for (i = 0; i < rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(rows, i, const char *const *);

        if (apr_atoi64(columns[2]) != 0) {
            return 0;
        }
        addresses += is_address(columns[0], account_kind_of(columns[1]), pool);
    }
    return addresses == 1;
}

static apr_status_t find_holder(account_db_t *db, void *baton)
{
    holding_t *holding = baton;
    const account_store_t *store = holding->store;
    const char *const *columns;
    apr_array_header_t *rows = NULL;
    account_holder_t *holder;
    apr_status_t rv =
        account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_IDENTIFIER,
                       ACCOUNT_ARGS(TEXT(store->realm), TEXT(holding->canonical)), &columns);

    holding->holder = NULL;
    if (rv != APR_SUCCESS || columns == NULL) {
        return rv;
    }
    holder = apr_pcalloc(store->pool, sizeof(*holder));
    holder->account = account_row_read(columns, store->pool);
    holder->verified = apr_atoi64(columns[ACCOUNT_COLUMN_COUNT]);
    holder->kind = account_kind_of(columns[ACCOUNT_COLUMN_COUNT + 1]);
    rv = account_db_rows(db, ACCOUNT_SQL_IDENTIFIERS,
                         ACCOUNT_ARGS(TEXT(store->realm), NUMBER(holder->account->id)),
                         IDENTIFIERS_MOST, &rows);
    if (rv == APR_SUCCESS) {
        holder->is_only = holder->account->email_verified == 0
                          && holder->account->mobile_verified == 0
                          && is_address(holding->canonical, holder->kind, store->pool)
                          && is_one_unverified(rows, store->pool);
        holding->holder = holder;
    }
    return rv;
}

apr_status_t account_find_holder(const account_store_t *store, const char *canonical,
                                 const account_holder_t **holder)
{
    holding_t holding = {store, canonical, NULL};
    apr_status_t rv =
        canonical ? account_store_run(store, ACCOUNT_READ, find_holder, &holding) : APR_SUCCESS;

    *holder = rv == APR_SUCCESS ? holding.holder : NULL;
    return rv;
}

typedef struct addresses_t {
    const account_store_t *store;
    apr_int64_t account_id;
    apr_array_header_t *found;
} addresses_t;

static apr_status_t find_addresses(account_db_t *db, void *baton)
{
    addresses_t *addresses = baton;
    apr_pool_t *pool = addresses->store->pool;
    apr_array_header_t *rows = NULL;
    apr_status_t rv =
        account_db_rows(db, ACCOUNT_SQL_IDENTIFIERS,
                        ACCOUNT_ARGS(TEXT(addresses->store->realm), NUMBER(addresses->account_id)),
                        IDENTIFIERS_MOST, &rows);
    int i;

    addresses->found = apr_array_make(pool, 2, sizeof(account_address_t));
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(rows, i, const char *const *);
        account_kind_e kind = account_kind_of(columns[1]);

        if (is_address(columns[0], kind, pool)) {
            APR_ARRAY_PUSH(addresses->found, account_address_t) =
                (account_address_t){columns[0],
                                    kind != ACCOUNT_USER_NAME               ? kind
                                    : account_text_mobile(pool, columns[0]) ? ACCOUNT_MOBILE
                                                                            : ACCOUNT_EMAIL,
                                    apr_atoi64(columns[2])};
        }
    }
    return rv;
}

apr_status_t account_find_addresses(const account_store_t *store, const account_t *account,
                                    apr_array_header_t **addresses)
{
    addresses_t work = {store, account->id, NULL};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, find_addresses, &work);

    *addresses = work.found;
    return rv;
}

typedef struct update_t {
    const account_store_t *store;
    const account_profile_t *profile;
    const char *canonical; /* of the new address; NULL: it stays */
    const char *old;       /* of the old one, or NULL */
    const account_t *updated;
} update_t;

/* The old address goes, the new one comes. */
static apr_status_t change_email(account_db_t *db, const update_t *update)
{
    const char *realm = update->store->realm;
    apr_int64_t id = update->profile->account->id;
    /* It may be an earlier address of the account, verified, or its user name. */
    account_identifier_t address = {update->canonical, id, ACCOUNT_EMAIL, 0};
    apr_status_t rv = account_identifier_claim(update->store, db, &address);

    if (rv == APR_SUCCESS && update->old != NULL) {
        rv = account_db_execute(db, ACCOUNT_SQL_IDENTIFIER_GIVE_UP,
                                ACCOUNT_ARGS(TEXT(realm), TEXT(update->old), NUMBER(id),
                                             TEXT(account_kind_names[ACCOUNT_EMAIL])),
                                NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(db, ACCOUNT_SQL_ACCOUNT_SET_EMAIL,
                                ACCOUNT_ARGS(TEXT(update->profile->email), NUMBER(address.verified),
                                             TEXT(realm), NUMBER(id)),
                                NULL);
    }
    return rv;
}

static apr_status_t update_profile(account_db_t *db, void *baton)
{
    update_t *update = baton;
    const account_store_t *store = update->store;
    const account_profile_t *profile = update->profile;
    const account_t *account = profile->account;
    const char *email = account->identifiers[ACCOUNT_EMAIL];
    const char *const *columns = NULL;
    apr_int64_t rows;
    apr_status_t rv;

    update->updated = NULL;
    rv = account_db_execute(
        db, ACCOUNT_SQL_ACCOUNT_SET_PROFILE,
        ACCOUNT_ARGS(TEXT(profile->attributes ? profile->attributes : account->attributes),
                     NUMBER(store->now), TEXT(store->realm), NUMBER(account->id),
                     TEXT(account->attributes), TEXT(email ? email : "")),
        &rows);
    if (rv == APR_SUCCESS && rows == 0) {
        rv = ACCOUNT_EROLLBACK;
    }
    if (rv == APR_SUCCESS && update->canonical != NULL) {
        if (update->old == NULL || strcmp(update->old, update->canonical)) {
            rv = change_email(db, update);
        }
        else {
            rv = account_db_execute(
                db, ACCOUNT_SQL_ACCOUNT_SHOW_EMAIL,
                ACCOUNT_ARGS(TEXT(profile->email), TEXT(store->realm), NUMBER(account->id)), NULL);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_ID,
                            ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account->id)), &columns);
        update->updated = account_row_read(columns, store->pool);
    }
    return rv == APR_SUCCESS ? account_also_store(store, db, profile->also, account->id) : rv;
}

apr_status_t account_update_profile(const account_store_t *store, const account_profile_t *profile,
                                    const account_t **updated, int *changed)
{
    const char *email = profile->account->identifiers[ACCOUNT_EMAIL];
    update_t update = {.store = store, .profile = profile};
    apr_status_t rv;

    *changed = 0;
    if (email != NULL) {
        update.old = account_text_identifier(store->pool, email);
    }
    if (profile->email != NULL) {
        update.canonical = account_text_identifier(store->pool, profile->email);
        if (update.canonical == NULL) {
            return APR_EINVAL;
        }
    }
    rv = account_store_run(store, ACCOUNT_TRANSACTION, update_profile, &update);
    if (rv == APR_SUCCESS) {
        *updated = update.updated;
        *changed = 1;
    }
    return rv == ACCOUNT_EROLLBACK ? APR_SUCCESS : rv;
}
