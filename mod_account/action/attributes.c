#include "action/attributes.h"

#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"

/* Shown to its owner by one contract, so it must be readable, but not by the database's thief. */
#define SEALED "answer"

static apr_status_t json_cleanup(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

static json_t *parse(const account_t *account, apr_pool_t *pool)
{
    json_t *object = json_loads(account->attributes, 0, NULL);

    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    apr_pool_cleanup_register(pool, object, json_cleanup, apr_pool_cleanup_null);
    return object;
}

static const char *context_of(const account_store_t *store, const account_t *account)
{
    return apr_pstrcat(store->pool, store->realm, "/", account->ref, "/" SEALED, NULL);
}

const char *account_attribute_get(const account_store_t *store, const account_t *account,
                                  const char *name)
{
    const char *value = json_string_value(json_object_get(parse(account, store->pool), name));

    if (value && strcmp(name, SEALED) == 0
        && account_keys_open(store->keys, context_of(store, account), value, &value, store->pool)
               != APR_SUCCESS) {
        account_log(store->log, ACCOUNT_LOG_WARNING, 0,
                    ACLOGNO(00180) "the answer of account %" APR_INT64_T_FMT " can't be opened: it "
                                   "was sealed with a key that is not in AccountSecretFile",
                    account->id);
        value = NULL;
    }
    return value;
}

apr_status_t account_attributes_change(const account_store_t *store, const account_t *account,
                                       const apr_array_header_t *fields, const char **attributes)
{
    json_t *object = parse(account, store->pool);
    apr_status_t rv = APR_SUCCESS;
    char *text;
    int i;

    if (!object) {
        return APR_EINVAL;
    }
    for (i = 0; i < fields->nelts; i++) {
        const account_profile_field_t *field = &APR_ARRAY_IDX(fields, i, account_profile_field_t);
        const char *value = field->value;

        if (!*value) {
            json_object_del(object, field->name);
            continue;
        }
        if (strcmp(field->name, SEALED) == 0) {
            rv = account_keys_seal(store->keys, context_of(store, account), value, &value,
                                   store->pool);
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        if (json_object_set_new(object, field->name, json_string(value)) != 0) {
            return APR_ENOMEM;
        }
    }
    text = json_dumps(object, JSON_COMPACT);
    if (!text) {
        return APR_ENOMEM;
    }
    *attributes = apr_pstrdup(store->pool, text);
    free(text);
    return account_text_length(*attributes) <= ACCOUNT_ATTRIBUTES_MOST ? APR_SUCCESS : APR_ENOSPC;
}
