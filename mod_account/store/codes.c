#include "store/codes.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>

#include "store/rows.h"
#include "store/statements.h"

/* In the column tries. */
#define NOT_COUNTED (-1)

/* Two first codes for one target at the same moment: one of them finds the other's row the second
 * time. */
#define ISSUE_RUNS 2

static const char *digest_of(const account_store_t *store, const account_code_t *code, int key)
{
    const char *text = apr_pstrcat(store->pool, "code/", store->realm, "/", code->purpose, "/",
                                   code->target, "/", code->secret, NULL);

    return account_keys_digest(store->keys, key, text, store->pool);
}

typedef struct code_work_t {
    const account_store_t *store;
    const account_code_t *code;
    const account_password_change_t *change;
    account_code_state_e state;
} code_work_t;

static apr_status_t issue(account_db_t *db, void *baton)
{
    const code_work_t *work = baton;
    const account_store_t *store = work->store;
    const account_code_t *code = work->code;
    const char *digest = digest_of(store, code, 0);
    apr_int64_t tries = code->tries > 0 ? code->tries : NOT_COUNTED, rows;
    apr_status_t rv = account_db_execute(
        db, ACCOUNT_SQL_CODE_REPLACE,
        ACCOUNT_ARGS(NUMBER(store->now), NUMBER(tries), NUMBER(tries), TEXT(digest),
                     NUMBER(code->expires), NUMBER(store->now), TEXT(store->realm),
                     TEXT(code->purpose), TEXT(code->target)),
        &rows);

    if (rv == APR_SUCCESS && rows == 0) {
        rv = account_db_execute(db, ACCOUNT_SQL_CODE_INSERT,
                                ACCOUNT_ARGS(TEXT(store->realm), TEXT(code->purpose),
                                             TEXT(code->target), TEXT(digest), NUMBER(tries),
                                             NUMBER(code->expires), NUMBER(store->now)),
                                NULL);
    }
    return rv;
}

apr_status_t account_code_issue(const account_store_t *store, const account_code_t *code)
{
    code_work_t work = {.store = store, .code = code};
    apr_status_t rv = ACCOUNT_ECONFLICT;
    int runs;

    for (runs = 0; runs < ISSUE_RUNS && rv == ACCOUNT_ECONFLICT; runs++) {
        rv = account_store_run(store, ACCOUNT_TRANSACTION, issue, &work);
    }
    return rv;
}

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

    work->state = ACCOUNT_CODE_EXPIRED;
    if (rv != APR_SUCCESS || columns == NULL || apr_atoi64(columns[2]) <= store->now
        || apr_atoi64(columns[3]) != 0) {
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

    *state = rv == APR_SUCCESS ? work.state : ACCOUNT_CODE_EXPIRED;
    return rv;
}

/* What the right code allows. */
static apr_status_t reset(account_db_t *db, code_work_t *work)
{
    const account_store_t *store = work->store;
    const account_password_change_t *change = work->change;
    apr_int64_t rows;
    apr_status_t rv =
        account_db_execute(db, ACCOUNT_SQL_ACCOUNT_RESET_PASSWORD,
                           ACCOUNT_ARGS(TEXT(change->password), NUMBER(store->now),
                                        TEXT(store->realm), NUMBER(change->account->id)),
                           &rows);

    if (rv == APR_SUCCESS && rows == 0) {
        work->state = ACCOUNT_CODE_EXPIRED; /* its account is gone */
        rv = ACCOUNT_EROLLBACK;
    }
    if (rv == APR_SUCCESS) {
        rv = account_session_end_all(store, db, change->account->id);
    }
    if (rv == APR_SUCCESS && change->replacement != NULL) {
        rv = account_session_store(store, db, change->replacement);
    }
    return rv;
}

static apr_status_t reset_password(account_db_t *db, void *baton)
{
    code_work_t *work = baton;
    const account_store_t *store = work->store;
    const account_code_t *code = work->code;
    const char *digest = NULL;
    apr_int64_t rows = 0, had_try = 0;
    int counted = 0;
    /* A try is taken before the secret is looked at, so that many at once have no more of them. It
     * also locks the row. */
    apr_status_t rv = account_db_execute(db, ACCOUNT_SQL_CODE_TRY,
                                         ACCOUNT_ARGS(TEXT(store->realm), TEXT(code->purpose),
                                                      TEXT(code->target), NUMBER(store->now)),
                                         &had_try);

    if (rv == APR_SUCCESS) {
        rv = look(db, work, &digest, &counted);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (counted && had_try == 0) {
        work->state = ACCOUNT_CODE_EXPIRED; /* none was left */
    }
    if (work->state != ACCOUNT_CODE_RIGHT) {
        return APR_SUCCESS; /* the try is committed */
    }
    rv =
        account_db_execute(db, ACCOUNT_SQL_CODE_USE,
                           ACCOUNT_ARGS(NUMBER(store->now), TEXT(store->realm), TEXT(code->purpose),
                                        TEXT(code->target), TEXT(digest), NUMBER(store->now)),
                           &rows);
    if (rv == APR_SUCCESS && rows == 0) {
        work->state = ACCOUNT_CODE_EXPIRED; /* somebody else was faster */
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? reset(db, work) : rv;
}

apr_status_t account_code_reset_password(const account_store_t *store, const account_code_t *code,
                                         const account_password_change_t *change,
                                         account_code_state_e *state)
{
    code_work_t work = {.store = store, .code = code, .change = change};
    apr_status_t rv = account_store_run(store, ACCOUNT_TRANSACTION, reset_password, &work);

    if (rv == ACCOUNT_EROLLBACK) {
        rv = APR_SUCCESS;
    }
    *state = rv == APR_SUCCESS ? work.state : ACCOUNT_CODE_EXPIRED;
    return rv;
}
