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

/* Of a text that begins with its quotation mark, how many bytes there are between the two; -1: it
 * has an escape, a control character or no end. */
static apr_ssize_t plain_text(const char *text)
{
    const char *c = text + 1;

    while (*c != '"' && *c != '\\' && (unsigned char)*c >= 0x20) {
        c++;
    }
    return *c == '"' ? c - text - 1 : -1;
}

/*
 * What json_dumps makes of texts without escapes, read where it stands: {"a":"x","b":"y"}. Every
 * guarded page asks for a few names. 0: it is something else, or not valid, and takes a parser;
 * else 1, and *value is NULL where the name is absent.
 */
static int find_plain(const char *json, const char *name, const char **value, apr_pool_t *pool)
{
    apr_size_t wanted = strlen(name);
    const char *found = NULL;
    const char *c = json;
    apr_ssize_t found_length = 0;

    *value = NULL;
    if (!json || *json != '{') {
        return 0;
    }
    if (strcmp(json, "{}") == 0) {
        return 1;
    }
    do {
        const char *key = ++c;
        apr_ssize_t key_length = *key == '"' ? plain_text(key) : -1;
        apr_ssize_t length;

        c = key + key_length + 2;
        if (key_length < 0 || c[0] != ':' || c[1] != '"' || (length = plain_text(++c)) < 0) {
            return 0;
        }
        if ((apr_size_t)key_length == wanted && memcmp(key + 1, name, wanted) == 0) {
            found = c + 1; /* of two the last, as a parser takes it */
            found_length = length;
        }
        c += length + 2;
    } while (*c == ',');
    if (c[0] != '}' || c[1] != '\0' || !account_text_is_valid(json, c - json)) {
        return 0;
    }
    *value = found ? apr_pstrmemdup(pool, found, found_length) : NULL;
    return 1;
}

static const char *context_of(const account_store_t *store, const account_t *account)
{
    return apr_pstrcat(store->pool, store->realm, "/", account->ref, "/" SEALED, NULL);
}

const char *account_attribute_get(const account_store_t *store, const account_t *account,
                                  const char *name)
{
    const char *value;

    if (!find_plain(account->attributes, name, &value, store->pool)) {
        value = json_string_value(json_object_get(parse(account, store->pool), name));
    }
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
