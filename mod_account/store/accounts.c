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

account_kind_e account_kind_of(const char *name)
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
    account->registered_kind = account_kind_of(columns[10]);
    account->registered_with = columns[11];
    account->attributes = columns[12];
    account->created = apr_atoi64(columns[13]);
    account->updated = apr_atoi64(columns[14]);
    return account;
}

/* One account by one key: an identifier, else a ref, else a number. */
typedef struct finding_t {
    const account_store_t *store;
    const char *canonical;
    const char *ref;
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
    else if (finding->ref != NULL) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_REF,
                            ACCOUNT_ARGS(TEXT(realm), TEXT(finding->ref)), &columns);
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
    finding_t finding = {.store = store, .canonical = canonical};
    /* what has no canonical form is nobody's */
    apr_status_t rv =
        canonical ? account_store_run(store, ACCOUNT_READ, find, &finding) : APR_SUCCESS;

    *account = rv == APR_SUCCESS ? finding.found : NULL;
    return rv;
}

apr_status_t account_find_by_id(const account_store_t *store, apr_int64_t id,
                                const account_t **account)
{
    finding_t finding = {.store = store, .id = id};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, find, &finding);

    *account = rv == APR_SUCCESS ? finding.found : NULL;
    return rv;
}

apr_status_t account_find_by_ref(const account_store_t *store, const char *ref,
                                 const account_t **account)
{
    finding_t finding = {.store = store, .ref = ref};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, find, &finding);

    *account = rv == APR_SUCCESS ? finding.found : NULL;
    return rv;
}

/* What to claim for an account that is to be created. */
typedef struct claims_t {
    const char *canonical[ACCOUNT_KINDS]; /* NULL: nothing */
    apr_int64_t verified[ACCOUNT_KINDS];
} claims_t;

/* The canonical form of each identifier, once. */
static apr_status_t collect_claims(const account_store_t *store, const account_t *fields,
                                   claims_t *claims)
{
    int kind, other;

    claims->verified[ACCOUNT_EMAIL] = fields->email_verified;
    claims->verified[ACCOUNT_MOBILE] = fields->mobile_verified;
    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        const char *shown = fields->identifiers[kind];

        if (shown == NULL) {
            continue;
        }
        claims->canonical[kind] = account_text_identifier(store->pool, shown);
        if (claims->canonical[kind] == NULL) {
            return APR_EINVAL;
        }
        for (other = 0; other < kind; other++) {
            if (claims->canonical[other] != NULL
                && !strcmp(claims->canonical[other], claims->canonical[kind])) {
                claims->canonical[kind] = NULL;
                if (claims->verified[other] == 0) {
                    claims->verified[other] = claims->verified[kind];
                }
                break;
            }
        }
    }
    return APR_SUCCESS;
}

/* The row of the account, and the account as it is then. */
static apr_status_t insert(const account_store_t *store, account_db_t *db, const account_t *fields,
                           const account_t **created)
{
    const char *ref = fields->ref;
    const char *const *columns = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (ref == NULL) {
        rv = account_random_hex(&ref, store->random, store->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(
            db, ACCOUNT_SQL_ACCOUNT_INSERT,
            ACCOUNT_ARGS(
                TEXT(ref), TEXT(store->realm), TEXT(fields->identifiers[ACCOUNT_USER_NAME]),
                TEXT(fields->identifiers[ACCOUNT_EMAIL]), TEXT(fields->identifiers[ACCOUNT_MOBILE]),
                NUMBER(fields->email_verified), NUMBER(fields->mobile_verified),
                TEXT(fields->password), TEXT(fields->role ? fields->role : ""),
                TEXT(status_names[fields->status]),
                TEXT(account_kind_names[fields->registered_kind]), TEXT(fields->registered_with),
                TEXT(fields->attributes ? fields->attributes : "{}"), NUMBER(store->now),
                NUMBER(store->now)),
            NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_REF,
                            ACCOUNT_ARGS(TEXT(store->realm), TEXT(ref)), &columns);
    }
    if (rv == APR_SUCCESS && columns == NULL) {
        rv = ACCOUNT_EDATABASE;
    }
    if (rv == APR_SUCCESS) {
        *created = account_row_read(columns, store->pool);
    }
    return rv;
}

apr_status_t account_create_in(const account_store_t *store, account_db_t *db,
                               const account_t *fields, const account_t **created,
                               account_kind_e *taken)
{
    claims_t claims = {{NULL}, {0}};
    apr_status_t rv = collect_claims(store, fields, &claims);
    int kind;

    *taken = ACCOUNT_KINDS;
    if (rv == APR_SUCCESS) {
        rv = insert(store, db, fields, created);
    }
    for (kind = 0; kind < ACCOUNT_KINDS && rv == APR_SUCCESS; kind++) {
        if (claims.canonical[kind] != NULL) {
            account_identifier_t identifier = {.canonical = claims.canonical[kind],
                                               .account_id = (*created)->id,
                                               .kind = kind,
                                               .verified = claims.verified[kind]};

            rv = account_identifier_claim(store, db, &identifier);
            if (rv == ACCOUNT_ECONFLICT) {
                *taken = kind;
            }
        }
    }
    return rv;
}

typedef struct creation_t {
    const account_store_t *store;
    const account_t *fields;
    const account_also_t *also;
    const account_t *created;
    account_kind_e taken;
} creation_t;

static apr_status_t create(account_db_t *db, void *baton)
{
    creation_t *creation = baton;
    const account_store_t *store = creation->store;
    apr_status_t rv =
        account_create_in(store, db, creation->fields, &creation->created, &creation->taken);

    return rv == APR_SUCCESS ? account_also_store(store, db, creation->also, creation->created->id)
                             : rv;
}

apr_status_t account_create(const account_store_t *store, const account_t *fields,
                            const account_also_t *also, const account_t **created,
                            account_kind_e *taken)
{
    creation_t creation = {store, fields, also, NULL, ACCOUNT_KINDS};
    apr_status_t rv = account_store_run(store, ACCOUNT_TRANSACTION, create, &creation);

    if (rv == ACCOUNT_ECONFLICT && (fields->email_verified || fields->mobile_verified)) {
        /* Who claimed it at the same moment can be displaced now, if he does not own it. */
        rv = account_store_run(store, ACCOUNT_TRANSACTION, create, &creation);
    }
    if (rv == APR_SUCCESS) {
        *created = creation.created;
    }
    else if (rv == ACCOUNT_ECONFLICT && creation.taken < ACCOUNT_KINDS) {
        *taken = creation.taken;
    }
    else if (rv == ACCOUNT_ECONFLICT) {
        rv = ACCOUNT_EDATABASE; /* 128 random bits that were there already: nobody's fault */
    }
    return rv;
}

/* Whoever could get in by something that was given out before can do so no longer. */
static apr_status_t end_secrets(const account_store_t *store, account_db_t *db,
                                const account_t *account)
{
    apr_array_header_t *identifiers = NULL;
    apr_status_t rv = account_session_end_all(store, db, account->id);
    int i;

    if (rv == APR_SUCCESS) {
        rv = account_code_end(store, db, ACCOUNT_SQL_CODE_END_TOKENS, account->ref);
    }
    if (rv == APR_SUCCESS) {
        rv = account_identifiers_of(store, db, account->id, &identifiers);
    }
    for (i = 0; rv == APR_SUCCESS && i < identifiers->nelts; i++) {
        rv = account_code_end(store, db, ACCOUNT_SQL_CODE_END_RECOVERY,
                              APR_ARRAY_IDX(identifiers, i, account_identifier_t).canonical);
    }
    return rv;
}

/* What goes with a new password. */
static apr_status_t finish_password(const account_store_t *store, account_db_t *db,
                                    const account_password_change_t *change)
{
    apr_status_t rv = end_secrets(store, db, change->account); /* closes the account */

    return rv == APR_SUCCESS ? account_also_store(store, db, change->also, change->account->id)
                             : rv;
}

apr_status_t account_reset_password_in(const account_store_t *store, account_db_t *db,
                                       const account_password_change_t *change, int *found)
{
    apr_int64_t rows = 0;
    apr_status_t rv =
        account_db_execute(db, ACCOUNT_SQL_ACCOUNT_RESET_PASSWORD,
                           ACCOUNT_ARGS(TEXT(change->password), NUMBER(store->now),
                                        TEXT(store->realm), NUMBER(change->account->id)),
                           &rows);

    *found = rows > 0;
    return rv == APR_SUCCESS && *found ? finish_password(store, db, change) : rv;
}

apr_status_t account_set_attributes_in(const account_store_t *store, account_db_t *db,
                                       const account_profile_t *profile, int *found)
{
    apr_int64_t rows = 0;
    apr_status_t rv;

    account_close_account(store, profile->account->id);
    rv = account_db_execute(db, ACCOUNT_SQL_ACCOUNT_SET_ATTRIBUTES,
                            ACCOUNT_ARGS(TEXT(profile->attributes), NUMBER(store->now),
                                         TEXT(store->realm), NUMBER(profile->account->id),
                                         TEXT(profile->account->attributes)),
                            &rows);

    *found = rows > 0;
    return rv;
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
    apr_int64_t rows = 0;
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_ACCOUNT_CHANGE_PASSWORD,
        ACCOUNT_ARGS(TEXT(work->change->password), NUMBER(store->now), TEXT(store->realm),
                     NUMBER(account->id), TEXT(account->password ? account->password : "")),
        &rows);

    if (rv == APR_SUCCESS && rows == 0) {
        rv = ACCOUNT_EROLLBACK;
    }
    return rv == APR_SUCCESS ? finish_password(store, db, work->change) : rv;
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

apr_status_t account_hold(const account_store_t *store, account_db_t *db, const account_t *account,
                          int *held)
{
    apr_int64_t rows = 0;
    apr_status_t rv =
        account_db_execute(db, ACCOUNT_SQL_ACCOUNT_HOLD,
                           ACCOUNT_ARGS(TEXT(store->realm), NUMBER(account->id),
                                        TEXT(account->password ? account->password : "")),
                           &rows);

    *held = rows > 0;
    return rv;
}

typedef struct standing_t {
    const account_store_t *store;
    const account_t *account;
    const char *role;
    account_status_e status;
    const account_also_t *also;
} standing_t;

static apr_status_t change_role(account_db_t *db, void *baton)
{
    const standing_t *standing = baton;
    const account_store_t *store = standing->store;
    apr_int64_t rows = 0;
    apr_status_t rv;

    account_close_account(store, standing->account->id);
    rv = account_db_execute(db, ACCOUNT_SQL_ACCOUNT_CHANGE_ROLE,
                            ACCOUNT_ARGS(TEXT(standing->role), NUMBER(store->now),
                                         TEXT(store->realm), NUMBER(standing->account->id),
                                         TEXT(standing->account->role)),
                            &rows);
    return rv == APR_SUCCESS && rows == 0 ? ACCOUNT_EROLLBACK : rv;
}

apr_status_t account_change_role(const account_store_t *store, const account_t *account,
                                 const char *role, int *changed)
{
    standing_t standing = {.store = store, .account = account, .role = role};
    apr_status_t rv = account_store_run(store, ACCOUNT_WRITE, change_role, &standing);

    *changed = rv == APR_SUCCESS;
    return rv == ACCOUNT_EROLLBACK ? APR_SUCCESS : rv;
}

static apr_status_t change_status(account_db_t *db, void *baton)
{
    const standing_t *standing = baton;
    const account_store_t *store = standing->store;
    apr_int64_t id = standing->account->id, rows = 0;
    apr_status_t rv;

    account_close_account(store, id);
    rv = account_db_execute(db, ACCOUNT_SQL_ACCOUNT_CHANGE_STATUS,
                            ACCOUNT_ARGS(TEXT(status_names[standing->status]), NUMBER(store->now),
                                         TEXT(store->realm), NUMBER(id),
                                         TEXT(status_names[standing->account->status])),
                            &rows);

    if (rv == APR_SUCCESS && rows == 0) {
        rv = ACCOUNT_EROLLBACK;
    }
    if (rv == APR_SUCCESS && standing->status == ACCOUNT_DISABLED) {
        rv = account_session_end_all(store, db, id);
    }
    return rv == APR_SUCCESS ? account_also_store(store, db, standing->also, id) : rv;
}

apr_status_t account_change_status(const account_store_t *store, const account_t *account,
                                   account_status_e status, const account_also_t *also,
                                   int *changed)
{
    standing_t standing = {store, account, NULL, status, also};
    apr_status_t rv = account_store_run(store, ACCOUNT_TRANSACTION, change_status, &standing);

    *changed = rv == APR_SUCCESS;
    return rv == ACCOUNT_EROLLBACK ? APR_SUCCESS : rv;
}
