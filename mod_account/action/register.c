#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "action/hashing.h"
#include "action/session.h"
#include "base/text.h"

/* The kind that the shape of an identifier makes it. */
static account_kind_e kind_of(const char *identifier, apr_pool_t *pool)
{
    return account_text_mobile(pool, identifier)  ? ACCOUNT_MOBILE
           : account_text_email(pool, identifier) ? ACCOUNT_EMAIL
                                                  : ACCOUNT_USER_NAME;
}

/* What the request wants to be known by. */
static void collect_identifiers(const account_call_t *call, account_t *fields)
{
    const char *any = account_call_value(call, "account");
    int kind;

    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        fields->identifiers[kind] = account_call_value(call, account_kind_names[kind]);
    }
    if (any) {
        kind = kind_of(any, call->store->pool);
        if (!fields->identifiers[kind]) {
            fields->identifiers[kind] =
                kind == ACCOUNT_MOBILE ? account_text_mobile(call->store->pool, any) : any;
        }
    }
    for (kind = ACCOUNT_KINDS - 1; kind >= 0; kind--) {
        if (fields->identifiers[kind]) {
            fields->registered_kind = kind;
            fields->registered_with = fields->identifiers[kind];
        }
    }
}

/* Spares the hash when a name is taken already; the unique key decides in the end. */
static apr_status_t find_taken(const account_call_t *call, const account_t *fields,
                               account_answer_t *answer)
{
    apr_status_t rv = APR_SUCCESS;
    int kind;

    for (kind = 0; kind < ACCOUNT_KINDS && rv == APR_SUCCESS; kind++) {
        const account_t *holder = NULL;

        if (fields->identifiers[kind]) {
            rv = account_find(call->store,
                              account_text_identifier(call->store->pool, fields->identifiers[kind]),
                              &holder);
        }
        if (holder) {
            answer->outcome = ACCOUNT_TAKEN_USER_NAME + kind;
            break;
        }
    }
    return rv;
}

apr_status_t account_do_register(const account_call_t *call, account_answer_t *answer)
{
    const char *role = account_call_value(call, "role");
    account_t fields = {.attributes = "{}"};
    account_session_t *session = NULL;
    account_also_t also = {NULL, NULL, NULL};
    account_kind_e taken;
    apr_status_t rv;

    if (role && strcmp(role, APR_ARRAY_IDX(call->settings->roles, 0, const char *)) != 0) {
        answer->outcome = ACCOUNT_ROLE_REFUSED;
        return APR_SUCCESS;
    }
    fields.role = APR_ARRAY_IDX(call->settings->roles, 0, const char *);
    collect_identifiers(call, &fields);
    rv = find_taken(call, &fields, answer);
    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        return rv;
    }
    rv = account_hashing_make(call, account_call_value(call, "password"), &fields.password);
    if (rv == APR_SUCCESS) {
        rv = account_random_hex((const char **)&fields.ref, call->store->random, call->store->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = account_attributes_change(call->store, &fields, call->profile, &fields.attributes);
    }
    if (rv == APR_ENOSPC) {
        answer->outcome = ACCOUNT_BAD_REQUEST;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (account_call_is(call, "then", "login")) {
        rv = account_session_make(call->store, 0, &call->terms, &session);
    }
    if (rv == APR_SUCCESS) {
        also.session = session;
        rv = account_create(call->store, &fields, &also, &answer->account, &taken);
    }
    if (rv == ACCOUNT_ECONFLICT) {
        answer->outcome = ACCOUNT_TAKEN_USER_NAME + taken;
        return APR_SUCCESS;
    }
    answer->session = session;
    answer->session_begun = session != NULL;
    return rv;
}
