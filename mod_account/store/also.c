#include "store/also.h"

#include "store/rows.h"

apr_status_t account_also_store(const account_store_t *store, account_db_t *db,
                                const account_also_t *also, apr_int64_t account_id)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (also == NULL) {
        return rv;
    }
    if (also->session != NULL) {
        rv = account_session_store(store, db, also->session, account_id);
    }
    if (rv == APR_SUCCESS && also->code != NULL) {
        rv = account_code_store(store, db, also->code);
    }
    for (i = 0; also->messages != NULL && i < also->messages->nelts && rv == APR_SUCCESS; i++) {
        rv = account_message_store(store, db,
                                   APR_ARRAY_IDX(also->messages, i, const account_message_t *));
    }
    return rv;
}
