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

/* What stands between two quotation marks. */
typedef struct quoted_t {
    const char *at;
    apr_size_t length;
} quoted_t;

/* Reads one that begins at c. Where it goes on after it; NULL: there is none, or it has no end. */
static const char *read_quoted(const char *c, const char *end, quoted_t *quoted)
{
    const char *mark = c < end && *c == '"' ? memchr(c + 1, '"', end - c - 1) : NULL;

    if (!mark) {
        return NULL;
    }
    *quoted = (quoted_t){c + 1, mark - c - 1};
    return mark + 1;
}

static void keep(const account_attribute_texts_t *wanted, const quoted_t *key, const quoted_t *text,
                 apr_pool_t *pool)
{
    int i;

    for (i = 0; i < wanted->count; i++) {
        const char *name = wanted->names[i];

        if (strncmp(name, key->at, key->length) == 0 && name[key->length] == '\0') {
            wanted->values[i] = apr_pstrmemdup(pool, text->at, text->length);
        }
    }
}

/*
 * What json_dumps makes of texts without escapes, read where it stands: {"a":"x","b":"y"}. Every
 * guarded page asks for a few names. 0: it is something else, or not valid, and takes a parser;
 * else 1, and the values of names that are absent are as they were. Of two the last counts, as for
 * a parser.
 */
static int read_plain(const char *json, const account_attribute_texts_t *wanted, apr_pool_t *pool)
{
    apr_size_t length = json ? strlen(json) : 0;
    const char *end = json + length;
    const char *c = json;
    quoted_t key, text;

    if (length < 2 || *c != '{' || memchr(json, '\\', length)
        || !account_text_is_line(json, length)) {
        return 0;
    }
    if (length == 2) {
        return c[1] == '}';
    }
    do {
        c = read_quoted(c + 1, end, &key);
        if (!c || *c != ':') {
            return 0;
        }
        c = read_quoted(c + 1, end, &text);
        if (!c) {
            return 0;
        }
        keep(wanted, &key, &text, pool);
    } while (*c == ',');
    return c[0] == '}' && c + 1 == end;
}

static const char *context_of(const account_store_t *store, const account_t *account)
{
    return apr_pstrcat(store->pool, store->realm, "/", account->ref, "/" SEALED, NULL);
}

void account_attributes_read(const account_t *account, const account_attribute_texts_t *wanted,
                             apr_pool_t *pool)
{
    json_t *object;
    int i;

    for (i = 0; i < wanted->count; i++) {
        wanted->values[i] = NULL;
    }
    if (!read_plain(account->attributes, wanted, pool)) {
        object = parse(account, pool);
        for (i = 0; i < wanted->count; i++) {
            wanted->values[i] = json_string_value(json_object_get(object, wanted->names[i]));
        }
    }
}

const char *account_attribute_get(const account_store_t *store, const account_t *account,
                                  const char *name)
{
    const char *value;

    account_attributes_read(account, &(account_attribute_texts_t){&name, &value, 1}, store->pool);
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
