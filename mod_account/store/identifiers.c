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
    account_close_account(store, account_id);
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

/* Of which kind of address an identifier is: by its kind, or by shape, which a user name may have;
 * else ACCOUNT_USER_NAME. */
static account_kind_e address_kind(const char *canonical, account_kind_e kind, apr_pool_t *pool)
{
    if (kind != ACCOUNT_USER_NAME) {
        return kind;
    }
    return account_text_mobile(pool, canonical)  ? ACCOUNT_MOBILE
           : account_text_email(pool, canonical) ? ACCOUNT_EMAIL
                                                 : ACCOUNT_USER_NAME;
}

/* A verified address takes the place of whatever the account had of its kind, and ends the codes
 * for that. Where it is the user name, that logs in still, and proves nothing any more. old: what
 * the account showed of that kind till now, canonical, or NULL. */
static apr_status_t give_up_others(const account_store_t *store, account_db_t *db,
                                   const account_identifier_t *identifier, const char *old)
{
    apr_array_header_t *all = NULL;
    apr_status_t rv = account_identifiers_of(store, db, identifier->account_id, &all);
    int had, i;

    for (i = 0; rv == APR_SUCCESS && i < all->nelts; i++) {
        account_identifier_t *other = &APR_ARRAY_IDX(all, i, account_identifier_t);
        int is_shown = old != NULL && !strcmp(other->canonical, old);

        if (!strcmp(other->canonical, identifier->canonical)
            || (address_kind(other->canonical, other->kind, store->pool) != identifier->kind
                && !(is_shown && other->kind == ACCOUNT_USER_NAME))) {
            continue;
        }
        rv = account_code_end(store, db, ACCOUNT_SQL_CODE_END_ADDRESS, other->canonical);
        if (rv == APR_SUCCESS && other->kind == ACCOUNT_USER_NAME) {
            other->verified = 0;
            rv = set_verified(store, db, other, &had);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(db, ACCOUNT_SQL_IDENTIFIER_GIVE_UP_OTHERS,
                                ACCOUNT_ARGS(TEXT(store->realm), NUMBER(identifier->account_id),
                                             TEXT(account_kind_names[identifier->kind]),
                                             TEXT(identifier->canonical)),
                                NULL);
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
    account_identifier_t identifier = {.canonical =
                                           account_text_identifier(store->pool, ownership->address),
                                       .account_id = id,
                                       .kind = kind,
                                       .verified = store->now};
    const char *const *columns = NULL;
    const account_t *account;
    const char *old;
    apr_status_t rv;

    *found = 0;
    if (identifier.canonical == NULL || kind == ACCOUNT_USER_NAME) {
        return APR_EINVAL;
    }
    account_close_account(store, id);
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
    account = account_row_read(columns, store->pool);
    old = account->identifiers[kind];
    old = old ? account_text_identifier(store->pool, old) : NULL;
    rv = account_identifier_claim(store, db, &identifier);
    if (rv == APR_SUCCESS) {
        rv = give_up_others(store, db, &identifier, old);
    }
    if (rv == APR_SUCCESS) {
        rv = account_code_end(store, db, ACCOUNT_SQL_CODE_END_MAILED, account->ref);
    }
    if (rv == APR_SUCCESS && (old == NULL || strcmp(old, identifier.canonical))) {
        rv = account_db_execute(
            db, statements[kind].show,
            ACCOUNT_ARGS(TEXT(ownership->address), TEXT(store->realm), NUMBER(id)), NULL);
    }
    return rv;
}

apr_status_t account_identifiers_of(const account_store_t *store, account_db_t *db,
                                    apr_int64_t account_id, apr_array_header_t **identifiers)
{
    apr_array_header_t *rows = NULL;
    apr_status_t rv = account_db_rows(db, ACCOUNT_SQL_IDENTIFIERS,
                                      ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account_id)),
                                      IDENTIFIERS_MOST, &rows);
    int i;

    *identifiers = apr_array_make(store->pool, ACCOUNT_KINDS, sizeof(account_identifier_t));
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const char *const *columns = APR_ARRAY_IDX(rows, i, const char *const *);

        APR_ARRAY_PUSH(*identifiers, account_identifier_t) =
            (account_identifier_t){columns[0], account_id, account_kind_of(columns[1]),
                                   apr_atoi64(columns[2]), apr_atoi64(columns[3])};
    }
    return rv;
}

typedef struct holding_t {
    const account_store_t *store;
    const char *canonical;
    const account_holder_t *holder;
} holding_t;

/* Whether the account has an identifier that is verified. */
static int has_verified(const apr_array_header_t *all)
{
    int i;

    for (i = 0; i < all->nelts; i++) {
        if (APR_ARRAY_IDX(all, i, account_identifier_t).verified != 0) {
            return 1;
        }
    }
    return 0;
}

/* Whether the account began with that address: it is one of the oldest. A user name of an address'
 * shape is one only where there was no other from the start. all: the oldest first. */
static int is_among_first(const apr_array_header_t *all, const char *canonical, apr_pool_t *pool)
{
    const account_identifier_t *first = NULL, *found = NULL;
    int i;

    for (i = 0; i < all->nelts; i++) {
        const account_identifier_t *one = &APR_ARRAY_IDX(all, i, account_identifier_t);

        if (address_kind(one->canonical, one->kind, pool) == ACCOUNT_USER_NAME) {
            continue;
        }
        if (first == NULL || (one->created == first->created && first->kind == ACCOUNT_USER_NAME)) {
            first = one;
        }
        if (!strcmp(one->canonical, canonical)) {
            found = one;
        }
    }
    return found != NULL && found->created == first->created
           && (found->kind == ACCOUNT_USER_NAME) == (first->kind == ACCOUNT_USER_NAME);
}

/* Whether recovery may go to an unverified address: as is_first of account_holder_t. */
static int is_first(const account_t *account, const apr_array_header_t *all, const char *canonical,
                    apr_pool_t *pool)
{
    return account->email_verified == 0 && account->mobile_verified == 0 && !has_verified(all)
           && is_among_first(all, canonical, pool);
}

static apr_status_t find_holder(account_db_t *db, void *baton)
{
    holding_t *holding = baton;
    const account_store_t *store = holding->store;
    const char *const *columns;
    apr_array_header_t *all = NULL;
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
    rv = account_identifiers_of(store, db, holder->account->id, &all);
    if (rv == APR_SUCCESS) {
        holder->is_first = is_first(holder->account, all, holding->canonical, store->pool);
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
    apr_array_header_t *all = NULL;
    apr_status_t rv = account_identifiers_of(addresses->store, db, addresses->account_id, &all);
    int i;

    addresses->found = apr_array_make(pool, 2, sizeof(account_address_t));
    for (i = 0; rv == APR_SUCCESS && i < all->nelts; i++) {
        const account_identifier_t *one = &APR_ARRAY_IDX(all, i, account_identifier_t);
        account_kind_e kind = address_kind(one->canonical, one->kind, pool);

        if (kind != ACCOUNT_USER_NAME) {
            APR_ARRAY_PUSH(addresses->found, account_address_t) =
                (account_address_t){one->canonical, kind, one->verified};
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

/* An account that never proved an address goes on being recovered by the one that it began with
 * until the new one is proven, which a mail that goes there asks for: else who has its session for
 * a moment has it for ever. */
static apr_status_t keeps_old(account_db_t *db, const update_t *update, int *keeps)
{
    const account_profile_t *profile = update->profile;
    apr_array_header_t *all = NULL;
    apr_status_t rv;

    *keeps = 0;
    if (profile->also == NULL || profile->also->code == NULL || update->old == NULL) {
        return APR_SUCCESS;
    }
    rv = account_identifiers_of(update->store, db, profile->account->id, &all);
    *keeps = rv == APR_SUCCESS && is_first(profile->account, all, update->old, update->store->pool);
    return rv;
}

/* The old address goes, the new one comes. */
static apr_status_t change_email(account_db_t *db, const update_t *update)
{
    const char *realm = update->store->realm;
    apr_int64_t id = update->profile->account->id;
    /* It may be an earlier address of the account, or its user name. */
    account_identifier_t address = {
        .canonical = update->canonical, .account_id = id, .kind = ACCOUNT_EMAIL};
    int keeps;
    apr_status_t rv = keeps_old(db, update, &keeps);

    if (rv == APR_SUCCESS) {
        rv = account_identifier_claim(update->store, db, &address);
    }
    if (rv == APR_SUCCESS && update->old != NULL && !keeps) {
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
    account_close_account(store, account->id);
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
