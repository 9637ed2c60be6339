#include "store/accounts.h"

#include <string.h>

#include <apr_strings.h>

#include "base/text.h"
#include "store/rows.h"
#include "store/statements.h"

const char *const account_kind_names[ACCOUNT_KINDS] = {
    [ACCOUNT_USER_NAME] = "user_name",
    [ACCOUNT_EMAIL] = "email",
    [ACCOUNT_MOBILE] = "mobile",
};

static const char *const status_names[] = {
    [ACCOUNT_ACTIVE] = "active",
    [ACCOUNT_PENDING] = "pending",
    [ACCOUNT_DISABLED] = "disabled",
};

/* What somebody wrote into the table by hand and means nothing here does not let anybody in. */
static account_status_e status_of(const char *name)
{
    int i;

    for (i = 0; i < ACCOUNT_DISABLED; i++) {
        if (!strcmp(name, status_names[i])) {
            return (account_status_e)i;
        }
    }
    return ACCOUNT_DISABLED;
}

static account_kind_e kind_of(const char *name)
{
    int i;

    for (i = ACCOUNT_KINDS - 1; i > 0; i--) {
        if (!strcmp(name, account_kind_names[i])) {
            break;
        }
    }
    return (account_kind_e)i;
}

const account_t *account_row_read(const char *const *columns, apr_pool_t *pool)
{
    account_t *account;

    if (columns == NULL) {
        return NULL;
    }
    account = apr_pcalloc(pool, sizeof(*account));
    account->id = apr_atoi64(columns[0]);
    account->ref = columns[1];
    account->identifiers[ACCOUNT_USER_NAME] = columns[2];
    account->identifiers[ACCOUNT_EMAIL] = columns[3];
    account->identifiers[ACCOUNT_MOBILE] = columns[4];
    account->email_verified = apr_atoi64(columns[5]);
    account->mobile_verified = apr_atoi64(columns[6]);
    account->password = columns[7];
    account->role = columns[8];
    account->status = status_of(columns[9]);
    account->registered_kind = kind_of(columns[10]);
    account->registered_with = columns[11];
    account->attributes = columns[12];
    account->created = apr_atoi64(columns[13]);
    account->updated = apr_atoi64(columns[14]);
    return account;
}

/* One account by one key of a text or a number. */
typedef struct finding_t {
    const account_store_t *store;
    const char *canonical; /* or NULL: by id */
    apr_int64_t id;
    const account_t *found;
} finding_t;

static apr_status_t find(account_db_t *db, void *baton)
{
    finding_t *finding = baton;
    const char *realm = finding->store->realm;
    const char *const *columns = NULL;
    apr_status_t rv;

    if (finding->canonical != NULL) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_IDENTIFIER,
                            ACCOUNT_ARGS(TEXT(realm), TEXT(finding->canonical)), &columns);
    }
    else {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_ID,
                            ACCOUNT_ARGS(TEXT(realm), NUMBER(finding->id)), &columns);
    }
    finding->found = account_row_read(columns, finding->store->pool);
    return rv;
}

apr_status_t account_find(const account_store_t *store, const char *canonical,
                          const account_t **account)
{
    finding_t finding = {store, canonical, 0, NULL};
    /* what has no canonical form is nobody's */
    apr_status_t rv =
        canonical ? account_store_run(store, ACCOUNT_READ, find, &finding) : APR_SUCCESS;

    *account = rv == APR_SUCCESS ? finding.found : NULL;
    return rv;
}

apr_status_t account_find_by_id(const account_store_t *store, apr_int64_t id,
                                const account_t **account)
{
    finding_t finding = {store, NULL, id, NULL};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, find, &finding);

    *account = rv == APR_SUCCESS ? finding.found : NULL;
    return rv;
}

typedef struct creation_t {
    const account_store_t *store;
    const account_t *fields;
    const account_session_t *session;
    const char *ref;
    const char *canonical[ACCOUNT_KINDS]; /* NULL: nothing to claim */
    int kind;                             /* being claimed */
    const account_t *created;
} creation_t;

static apr_int64_t verified_of(const account_t *account, int kind)
{
    return kind == ACCOUNT_EMAIL    ? account->email_verified
           : kind == ACCOUNT_MOBILE ? account->mobile_verified
                                    : 0;
}

static apr_status_t create(account_db_t *db, void *baton)
{
    creation_t *creation = baton;
    const account_store_t *store = creation->store;
    const account_t *fields = creation->fields;
    const char *const *columns = NULL;
    apr_status_t rv;

    creation->kind = ACCOUNT_KINDS;
    rv = account_db_execute(
        db, ACCOUNT_SQL_ACCOUNT_INSERT,
        ACCOUNT_ARGS(
            TEXT(creation->ref), TEXT(store->realm), TEXT(fields->identifiers[ACCOUNT_USER_NAME]),
            TEXT(fields->identifiers[ACCOUNT_EMAIL]), TEXT(fields->identifiers[ACCOUNT_MOBILE]),
            NUMBER(fields->email_verified), NUMBER(fields->mobile_verified), TEXT(fields->password),
            TEXT(fields->role ? fields->role : ""), TEXT(status_names[fields->status]),
            TEXT(account_kind_names[fields->registered_kind]), TEXT(fields->registered_with),
            TEXT(fields->attributes ? fields->attributes : "{}"), NUMBER(store->now),
            NUMBER(store->now)),
        NULL);
    if (rv == APR_SUCCESS) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_REF, ACCOUNT_ARGS(TEXT(creation->ref)),
                            &columns);
    }
    if (rv != APR_SUCCESS || columns == NULL) {
        return rv == APR_SUCCESS ? ACCOUNT_EDATABASE : rv;
    }
    creation->created = account_row_read(columns, store->pool);
    for (creation->kind = 0; creation->kind < ACCOUNT_KINDS; creation->kind++) {
        if (creation->canonical[creation->kind] == NULL) {
            continue;
        }
        rv = account_db_execute(
            db, ACCOUNT_SQL_IDENTIFIER_INSERT,
            ACCOUNT_ARGS(TEXT(store->realm), TEXT(creation->canonical[creation->kind]),
                         NUMBER(creation->created->id), TEXT(account_kind_names[creation->kind]),
                         NUMBER(verified_of(fields, creation->kind)), NUMBER(store->now)),
            NULL);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (creation->session != NULL) {
        account_session_t session = *creation->session;

        session.account_id = creation->created->id;
        rv = account_session_store(store, db, &session);
    }
    return rv;
}

/* The canonical form of each identifier, once. */
static apr_status_t canonicalize(const account_store_t *store, creation_t *creation)
{
    int kind, other;

    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        const char *shown = creation->fields->identifiers[kind];

        if (shown == NULL) {
            continue;
        }
        creation->canonical[kind] = account_text_identifier(store->pool, shown);
        if (creation->canonical[kind] == NULL) {
            return APR_EINVAL;
        }
        for (other = 0; other < kind; other++) {
            if (creation->canonical[other] != NULL
                && !strcmp(creation->canonical[other], creation->canonical[kind])) {
                creation->canonical[kind] = NULL;
                break;
            }
        }
    }
    return APR_SUCCESS;
}

apr_status_t account_create(const account_store_t *store, const account_t *fields,
                            const account_session_t *session, const account_t **created,
                            account_kind_e *taken)
{
    creation_t creation = {
        .store = store, .fields = fields, .session = session, .ref = fields->ref};
    apr_status_t rv = canonicalize(store, &creation);

    if (rv == APR_SUCCESS && creation.ref == NULL) {
        rv = account_random_hex(&creation.ref, store->random, store->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = account_store_run(store, ACCOUNT_TRANSACTION, create, &creation);
    }
    if (rv == APR_SUCCESS) {
        *created = creation.created;
    }
    else if (rv == ACCOUNT_ECONFLICT && creation.kind < ACCOUNT_KINDS) {
        *taken = (account_kind_e)creation.kind;
    }
    else if (rv == ACCOUNT_ECONFLICT) {
        rv = ACCOUNT_EDATABASE; /* 128 random bits that were there already: nobody's fault */
    }
    return rv;
}

typedef struct update_t {
    const account_store_t *store;
    const account_profile_t *profile;
    const char *canonical; /* of the new address; NULL: it stays */
    const char *old;       /* of the old one, or NULL */
    const account_t *updated;
} update_t;

/* Claims the new address for the account, if it does not have it. *verified: since when it is. */
static apr_status_t claim(account_db_t *db, const update_t *update, apr_int64_t *verified)
{
    const account_store_t *store = update->store;
    apr_int64_t id = update->profile->account->id;
    const char *const *columns;
    apr_status_t rv =
        account_db_row(db, ACCOUNT_SQL_IDENTIFIER_READ,
                       ACCOUNT_ARGS(TEXT(store->realm), TEXT(update->canonical)), &columns);

    *verified = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (columns != NULL && apr_atoi64(columns[0]) != id) {
        return ACCOUNT_ECONFLICT;
    }
    if (columns != NULL) {
        *verified = apr_atoi64(columns[1]); /* an earlier address, or the user name */
        return APR_SUCCESS;
    }
    return account_db_execute(db, ACCOUNT_SQL_IDENTIFIER_INSERT,
                              ACCOUNT_ARGS(TEXT(store->realm), TEXT(update->canonical), NUMBER(id),
                                           TEXT(account_kind_names[ACCOUNT_EMAIL]), NUMBER(0),
                                           NUMBER(store->now)),
                              NULL);
}

/* The old address goes, the new one comes. */
static apr_status_t change_email(account_db_t *db, const update_t *update)
{
    const char *realm = update->store->realm;
    apr_int64_t id = update->profile->account->id, verified;
    apr_status_t rv = claim(db, update, &verified);

    if (rv == APR_SUCCESS && update->old != NULL) {
        rv = account_db_execute(db, ACCOUNT_SQL_IDENTIFIER_GIVE_UP,
                                ACCOUNT_ARGS(TEXT(realm), TEXT(update->old), NUMBER(id),
                                             TEXT(account_kind_names[ACCOUNT_EMAIL])),
                                NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(
            db, ACCOUNT_SQL_ACCOUNT_SET_EMAIL,
            ACCOUNT_ARGS(TEXT(update->profile->email), NUMBER(verified), TEXT(realm), NUMBER(id)),
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
    return rv;
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

typedef struct password_work_t {
    const account_store_t *store;
    const account_password_change_t *change;
} password_work_t;

static apr_status_t change_password(account_db_t *db, void *baton)
{
    const password_work_t *work = baton;
    const account_store_t *store = work->store;
    const account_t *account = work->change->account;
    apr_int64_t rows;
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_ACCOUNT_CHANGE_PASSWORD,
        ACCOUNT_ARGS(TEXT(work->change->password), NUMBER(store->now), TEXT(store->realm),
                     NUMBER(account->id), TEXT(account->password ? account->password : "")),
        &rows);

    if (rv == APR_SUCCESS && rows == 0) {
        rv = ACCOUNT_EROLLBACK;
    }
    if (rv == APR_SUCCESS) {
        rv = account_session_end_all(store, db, account->id);
    }
    if (rv == APR_SUCCESS && work->change->replacement != NULL) {
        rv = account_session_store(store, db, work->change->replacement);
    }
    return rv;
}

apr_status_t account_change_password(const account_store_t *store,
                                     const account_password_change_t *change, int *changed)
{
    password_work_t work = {store, change};
    apr_status_t rv = account_store_run(store, ACCOUNT_TRANSACTION, change_password, &work);

    *changed = rv == APR_SUCCESS;
    return rv == ACCOUNT_EROLLBACK ? APR_SUCCESS : rv;
}

static apr_status_t rehash_password(account_db_t *db, void *baton)
{
    const password_work_t *work = baton;
    const account_t *account = work->change->account;

    return account_db_execute(db, ACCOUNT_SQL_ACCOUNT_REHASH_PASSWORD,
                              ACCOUNT_ARGS(TEXT(work->change->password), TEXT(work->store->realm),
                                           NUMBER(account->id), TEXT(account->password)),
                              NULL);
}

apr_status_t account_rehash_password(const account_store_t *store, const account_t *account,
                                     const char *password)
{
    account_password_change_t change = {account, password, NULL};
    password_work_t work = {store, &change};

    return account_store_run(store, ACCOUNT_WRITE, rehash_password, &work);
}
