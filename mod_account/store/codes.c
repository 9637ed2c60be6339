#include "store/codes.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>

#include "store/rows.h"
#include "store/statements.h"

/* In the column tries. */
#define NOT_COUNTED (-1)

/* Who claims something at the same moment as another finds it claimed the second time; so does who
 * is the first to take from a quota. */
#define REDEEM_RUNS 3

static const char *digest_of(const account_store_t *store, const account_code_t *code, int key)
{
    const char *text =
        apr_pstrcat(store->pool, "code/", store->realm, "/", code->purpose, "/", code->target, "/",
                    code->bound ? code->bound : "", "/", code->secret, NULL);

    return account_keys_digest(store->keys, key, text, store->pool);
}

apr_status_t account_code_store(const account_store_t *store, account_db_t *db,
                                const account_code_t *code)
{
    const char *digest = digest_of(store, code, 0);
    apr_int64_t tries = code->tries > 0 ? code->tries : NOT_COUNTED;

    return account_db_execute(
        db, ACCOUNT_SQL_CODE_PUT,
        ACCOUNT_ARGS(TEXT(store->realm), TEXT(code->purpose), TEXT(code->target), TEXT(digest),
                     NUMBER(tries), NUMBER(code->expires), NUMBER(store->now), TEXT(digest),
                     NUMBER(tries), NUMBER(code->expires), NUMBER(store->now)),
        NULL);
}

apr_status_t account_code_end(const account_store_t *store, account_db_t *db, int statement,
                              const char *target)
{
    return account_db_execute(
        db, statement, ACCOUNT_ARGS(NUMBER(store->now), TEXT(store->realm), TEXT(target)), NULL);
}

typedef struct issue_t {
    const account_store_t *store;
    const account_also_t *also;
} issue_t;

static apr_status_t issue(account_db_t *db, void *baton)
{
    const issue_t *work = baton;

    return account_also_store(work->store, db, work->also, 0);
}

apr_status_t account_code_issue(const account_store_t *store, const account_code_t *code,
                                const apr_array_header_t *messages)
{
    account_also_t also = {NULL, code, messages};
    issue_t work = {store, &also};

    return account_store_run(store, ACCOUNT_TRANSACTION, issue, &work);
}

typedef struct code_work_t {
    const account_store_t *store;
    const account_code_t *code;
    account_redemption_t *redemption; /* NULL: just looking */
    account_code_state_e state;
} code_work_t;

/* In a time that does not tell how much is equal. */
static int is_equal(const char *a, const char *b)
{
    size_t length = strlen(a);

    return length == strlen(b) && CRYPTO_memcmp(a, b, length) == 0;
}

/* What the stored code says. *digest: the stored one, when the secret is right. */
static apr_status_t look(account_db_t *db, code_work_t *work, const char **digest, int *counted)
{
    const account_store_t *store = work->store;
    const account_code_t *code = work->code;
    const char *const *columns;
    apr_status_t rv = account_db_row(
        db, ACCOUNT_SQL_CODE_READ,
        ACCOUNT_ARGS(TEXT(store->realm), TEXT(code->purpose), TEXT(code->target)), &columns);
    int key;

    work->state = ACCOUNT_CODE_NONE;
    if (rv != APR_SUCCESS || columns == NULL) {
        return rv;
    }
    work->state = ACCOUNT_CODE_EXPIRED;
    if (apr_atoi64(columns[2]) <= store->now || apr_atoi64(columns[3]) != 0) {
        return rv;
    }
    *counted = apr_atoi64(columns[1]) != NOT_COUNTED;
    work->state = ACCOUNT_CODE_WRONG;
    for (key = 0; key < account_keys_count(store->keys); key++) {
        if (is_equal(columns[0], digest_of(store, code, key))) {
            work->state = ACCOUNT_CODE_RIGHT;
            *digest = columns[0];
        }
    }
    return rv;
}

static apr_status_t check(account_db_t *db, void *baton)
{
    code_work_t *work = baton;
    const char *digest;
    int counted;

    return look(db, work, &digest, &counted);
}

apr_status_t account_code_check(const account_store_t *store, const account_code_t *code,
                                account_code_state_e *state)
{
    code_work_t work = {.store = store, .code = code};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, check, &work);

    *state = rv == APR_SUCCESS ? work.state : ACCOUNT_CODE_NONE;
    return rv;
}

/* What the right code allows. *id: of the account that it is about; 0: none. */
static apr_status_t allow(account_db_t *db, code_work_t *work, apr_int64_t *id)
{
    const account_store_t *store = work->store;
    account_redemption_t *wanted = work->redemption;
    const account_t *created = NULL;
    apr_status_t rv = APR_SUCCESS;
    int found = 1;

    *id = 0;
    if (wanted->create != NULL) {
        rv = account_create_in(store, db, wanted->create, &created, &wanted->taken);
        *id = rv == APR_SUCCESS ? created->id : 0;
    }
    if (rv == APR_SUCCESS && wanted->reset != NULL) {
        *id = wanted->reset->account->id;
        rv = account_reset_password_in(store, db, wanted->reset, &found);
    }
    if (rv == APR_SUCCESS && found && wanted->own != NULL) {
        *id = wanted->own->account->id;
        rv = account_own_in(store, db, wanted->own, &found);
        wanted->taken = rv == ACCOUNT_ECONFLICT ? wanted->own->kind : ACCOUNT_KINDS;
    }
    if (rv == APR_SUCCESS && !found) {
        work->state = ACCOUNT_CODE_EXPIRED; /* its account is gone */
        return ACCOUNT_EROLLBACK;
    }
    if (rv == APR_SUCCESS && wanted->profile != NULL && wanted->profile->attributes != NULL) {
        *id = wanted->profile->account->id;
        rv = account_set_attributes_in(store, db, wanted->profile, &found);
        if (rv == APR_SUCCESS && !found) {
            rv = ACCOUNT_EROLLBACK;
        }
    }
    if (rv == APR_SUCCESS && wanted->begin != NULL) {
        *id = wanted->begin->id;
        rv = account_hold(store, db, wanted->begin, &found);
        if (rv == APR_SUCCESS && !found) {
            rv = ACCOUNT_EROLLBACK;
        }
    }
    return rv;
}

/* That, what is stored along, and the account as it is then. */
static apr_status_t fulfil(account_db_t *db, code_work_t *work)
{
    const account_store_t *store = work->store;
    const account_also_t *also = work->redemption->also;
    const char *const *columns = NULL;
    apr_int64_t id;
    apr_status_t rv = allow(db, work, &id);

    if (rv == APR_SUCCESS && id == 0 && also != NULL && also->session != NULL) {
        rv = APR_EINVAL;
    }
    if (rv == APR_SUCCESS) {
        rv = account_also_store(store, db, also, id);
    }
    if (rv == APR_SUCCESS && id != 0) {
        rv = account_db_row(db, ACCOUNT_SQL_ACCOUNT_BY_ID,
                            ACCOUNT_ARGS(TEXT(store->realm), NUMBER(id)), &columns);
    }
    work->redemption->account = account_row_read(columns, store->pool);
    return rv;
}

/* Takes from the quotas and a try, then looks: so many at once have no more of either. */
static apr_status_t guess(account_db_t *db, code_work_t *work, const char **digest)
{
    const account_store_t *store = work->store;
    const account_code_t *code = work->code;
    account_shortage_t shortage = {-1, 0};
    apr_int64_t had_try = 0;
    int counted = 0;
    apr_status_t rv = account_limits_take_in(store, db, code->quotas, &shortage);
    if (rv == APR_SUCCESS && shortage.quota >= 0) {
        work->state = ACCOUNT_CODE_EXHAUSTED;
        work->redemption->wait = shortage.wait;
        return rv;
    }
    if (rv == APR_SUCCESS) {
        rv = account_db_execute(db, ACCOUNT_SQL_CODE_TRY,
                                ACCOUNT_ARGS(TEXT(store->realm), TEXT(code->purpose),
                                             TEXT(code->target), NUMBER(store->now)),
                                &had_try);
    }
    if (rv == APR_SUCCESS) {
        rv = look(db, work, digest, &counted);
    }
    if (rv == APR_SUCCESS && counted && had_try == 0) {
        work->state = ACCOUNT_CODE_EXPIRED; /* none was left */
    }
    return rv;
}

/* The right one: it did not cost anything, and it is used. */
static apr_status_t use(account_db_t *db, code_work_t *work, const char *digest)
{
    const account_store_t *store = work->store;
    const account_code_t *code = work->code;
    apr_int64_t rows = 0;
    apr_status_t rv = account_limits_return_in(store, db, code->quotas);

    if (rv == APR_SUCCESS) {
        rv = account_db_execute(db, ACCOUNT_SQL_CODE_USE,
                                ACCOUNT_ARGS(NUMBER(store->now), TEXT(store->realm),
                                             TEXT(code->purpose), TEXT(code->target), TEXT(digest),
                                             NUMBER(store->now)),
                                &rows);
    }
    if (rv == APR_SUCCESS && rows == 0) {
        work->state = ACCOUNT_CODE_EXPIRED; /* somebody else was faster */
        rv = ACCOUNT_EROLLBACK;
    }
    return rv;
}

static apr_status_t redeem(account_db_t *db, void *baton)
{
    code_work_t *work = baton;
    const char *digest = NULL;
    apr_status_t rv;

    work->state = ACCOUNT_CODE_NONE;
    work->redemption->account = NULL;
    work->redemption->taken = ACCOUNT_KINDS;
    work->redemption->wait = 0;
    rv = guess(db, work, &digest);
    if (rv != APR_SUCCESS || work->state == ACCOUNT_CODE_WRONG) {
        return rv; /* what a wrong guess took is committed */
    }
    if (work->state != ACCOUNT_CODE_RIGHT) {
        return ACCOUNT_EROLLBACK; /* nothing was guessed at */
    }
    rv = use(db, work, digest);
    return rv == APR_SUCCESS ? fulfil(db, work) : rv;
}

apr_status_t account_code_redeem(const account_store_t *store, const account_code_t *code,
                                 account_redemption_t *redemption, account_code_state_e *state)
{
    code_work_t work = {.store = store, .code = code, .redemption = redemption};
    apr_status_t rv = ACCOUNT_ECONFLICT;
    int runs;

    for (runs = 0; runs < REDEEM_RUNS && rv == ACCOUNT_ECONFLICT; runs++) {
        rv = account_store_run(store, ACCOUNT_TRANSACTION, redeem, &work);
    }
    if (rv == ACCOUNT_ECONFLICT && redemption->taken == ACCOUNT_KINDS) {
        rv = ACCOUNT_EDATABASE;
        account_log(
            store->log, ACCOUNT_LOG_ERROR, rv,
            ACLOGNO(00156) "realm %s: a code of purpose %s was not redeemed: what was to be "
                           "stored with it is there already, %d times",
            store->realm, code->purpose, REDEEM_RUNS);
    }
    if (rv != APR_SUCCESS) {
        redemption->account = NULL;
    }
    if (rv == ACCOUNT_EROLLBACK && work.state != ACCOUNT_CODE_RIGHT) {
        rv = APR_SUCCESS;
    }
    *state = rv == APR_SUCCESS ? work.state : ACCOUNT_CODE_NONE;
    return rv;
}
