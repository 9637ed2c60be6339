#include "action/fields.h"

#include <apr_strings.h>
#include <string.h>

#include "action/attributes.h"
#include "action/registry.h"

#define GETTER(name)                                                                               \
    static apr_status_t name(const account_call_t *call, const account_answer_t *answer,           \
                             const char *rest, account_value_t *value)

static apr_status_t set_text(account_value_t *value, const char *text)
{
    value->type = text ? ACCOUNT_TEXT : ACCOUNT_NULL;
    value->text = text;
    return APR_SUCCESS;
}

static apr_status_t set_number(account_value_t *value, apr_int64_t number)
{
    value->type = ACCOUNT_NUMBER;
    value->number = number;
    return APR_SUCCESS;
}

static apr_status_t set_truth(account_value_t *value, int truth)
{
    value->type = ACCOUNT_TRUTH;
    value->number = truth != 0;
    return APR_SUCCESS;
}

/* Outcomes may carry an account that an answer happens not to have: absent, not a crash. */
#define TEXT_FIELD(name, object, text)                                                             \
    GETTER(name)                                                                                   \
    {                                                                                              \
        (void)call, (void)rest;                                                                    \
        return set_text(value, answer->object ? answer->object->text : NULL);                      \
    }
#define NUMBER_FIELD(name, object, number)                                                         \
    GETTER(name)                                                                                   \
    {                                                                                              \
        (void)call, (void)rest;                                                                    \
        return answer->object ? set_number(value, answer->object->number) : set_text(value, NULL); \
    }

NUMBER_FIELD(account_id, account, id)
TEXT_FIELD(account_user_name, account, identifiers[ACCOUNT_USER_NAME])
TEXT_FIELD(account_email, account, identifiers[ACCOUNT_EMAIL])
TEXT_FIELD(account_mobile, account, identifiers[ACCOUNT_MOBILE])
TEXT_FIELD(account_role, account, role)
NUMBER_FIELD(account_created, account, created)
NUMBER_FIELD(account_updated, account, updated)
TEXT_FIELD(account_registered_with, account, registered_with)
TEXT_FIELD(session_token, session, token)
TEXT_FIELD(session_id, session, id)
NUMBER_FIELD(session_created, session, created)
NUMBER_FIELD(session_seen, session, seen)
NUMBER_FIELD(session_expires, session, expires)
TEXT_FIELD(session_address, session, address)
TEXT_FIELD(session_agent, session, agent)

GETTER(account_email_verified)
{
    (void)call, (void)rest;
    return set_truth(value, answer->account && answer->account->email_verified);
}

GETTER(account_mobile_verified)
{
    (void)call, (void)rest;
    return set_truth(value, answer->account && answer->account->mobile_verified);
}

GETTER(account_registered_kind)
{
    (void)call, (void)rest;
    return set_text(value,
                    answer->account ? account_kind_names[answer->account->registered_kind] : NULL);
}

/* A profile field or extra.NAME: its attribute has the field's own name. */
GETTER(account_attribute)
{
    return set_text(
        value, answer->account ? account_attribute_get(call->store, answer->account, rest) : NULL);
}

GETTER(account_extra)
{
    return account_attribute(call, answer, apr_pstrcat(call->store->pool, "extra.", rest, NULL),
                             value);
}

/* The user name, else the e-mail address, else the mobile number: never empty. */
static const char *login_name(const account_t *account)
{
    int kind = 0;

    while (kind < ACCOUNT_KINDS - 1 && !account->identifiers[kind]) {
        kind++;
    }
    return account->identifiers[kind];
}

GETTER(account_login_name)
{
    (void)call, (void)rest;
    return set_text(value, answer->account ? login_name(answer->account) : NULL);
}

GETTER(account_display_name)
{
    static const char *const names[] = {"nickname", "given_name", "family_name", "name"};
    enum { NICKNAME, GIVEN, FAMILY, NAME, COUNT };
    account_value_t found[COUNT];
    int i;

    for (i = 0; i < COUNT; i++) {
        account_attribute(call, answer, names[i], &found[i]);
    }
    if (found[NICKNAME].text) {
        return set_text(value, found[NICKNAME].text);
    }
    if (found[GIVEN].text && found[FAMILY].text) {
        return set_text(value, apr_pstrcat(call->store->pool, found[GIVEN].text, " ",
                                           found[FAMILY].text, NULL));
    }
    for (i = GIVEN; i < COUNT; i++) {
        if (found[i].text) {
            return set_text(value, found[i].text);
        }
    }
    return account_login_name(call, answer, rest, value);
}

GETTER(account_phone_number)
{
    apr_status_t rv = account_attribute(call, answer, "phone_number", value);

    (void)rest;
    if (rv == APR_SUCCESS && !value->text) {
        return account_mobile(call, answer, rest, value);
    }
    return rv;
}

GETTER(question)
{
    (void)call, (void)rest;
    return set_text(value, answer->question);
}

GETTER(token)
{
    (void)call, (void)rest;
    return set_text(value, answer->token);
}

GETTER(invalid_value)
{
    (void)call, (void)rest;
    return set_text(value, answer->value ? answer->value : "");
}

GETTER(retry_after)
{
    (void)call, (void)rest;
    return set_number(value, answer->retry_after);
}

const account_field_t account_fields[] = {
    {"account.id", ACCOUNT_CARRIES_ACCOUNT, account_id, 0},
    {"account.login_name", ACCOUNT_CARRIES_ACCOUNT, account_login_name, 0},
    {"account.display_name", ACCOUNT_CARRIES_ACCOUNT, account_display_name, 0},
    {"account.user_name", ACCOUNT_CARRIES_ACCOUNT, account_user_name, 0},
    {"account.email", ACCOUNT_CARRIES_ACCOUNT, account_email, 0},
    {"account.mobile", ACCOUNT_CARRIES_ACCOUNT, account_mobile, 0},
    {"account.email_verified", ACCOUNT_CARRIES_ACCOUNT, account_email_verified, 0},
    {"account.mobile_verified", ACCOUNT_CARRIES_ACCOUNT, account_mobile_verified, 0},
    {"account.phone_number", ACCOUNT_CARRIES_ACCOUNT, account_phone_number, 0},
    {"account.role", ACCOUNT_CARRIES_ACCOUNT, account_role, 0},
    {"account.created", ACCOUNT_CARRIES_ACCOUNT, account_created, 0},
    {"account.updated", ACCOUNT_CARRIES_ACCOUNT, account_updated, 0},
    {"account.registered_kind", ACCOUNT_CARRIES_ACCOUNT, account_registered_kind, 0},
    {"account.registered_with", ACCOUNT_CARRIES_ACCOUNT, account_registered_with, 0},
    {"account.points", ACCOUNT_CARRIES_ACCOUNT, NULL, 0},
    {"account.points_last_year", ACCOUNT_CARRIES_ACCOUNT, NULL, 0},
    {"account.extra.", ACCOUNT_CARRIES_ACCOUNT, account_extra, 0},
    /* the other profile fields: their names are those of the attributes */
    {"account.", ACCOUNT_CARRIES_ACCOUNT, account_attribute, 0},
    {"session.token", ACCOUNT_CARRIES_SESSION, session_token, 0},
    {"session.id", ACCOUNT_CARRIES_SESSION, session_id, 0},
    {"session.created", ACCOUNT_CARRIES_SESSION, session_created, 0},
    {"session.seen", ACCOUNT_CARRIES_SESSION, session_seen, 0},
    {"session.expires", ACCOUNT_CARRIES_SESSION, session_expires, 0},
    {"session.address", ACCOUNT_CARRIES_SESSION, session_address, 0},
    {"session.agent", ACCOUNT_CARRIES_SESSION, session_agent, 0},
    {"question", ACCOUNT_CARRIES_QUESTION, question, 0},
    {"token", ACCOUNT_CARRIES_TOKEN, token, 0},
    {"value", ACCOUNT_CARRIES_VALUE, invalid_value, 0},
    {"retry_after", ACCOUNT_CARRIES_RETRY, retry_after, 0},
    {"points.total", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"points.last_year", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"entries", ACCOUNT_CARRIES_POINTS, NULL, 1},
    {"entries.empty", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"entry.amount", ACCOUNT_CARRIES_ENTRY, NULL, 0},
    {"entry.created", ACCOUNT_CARRIES_ENTRY, NULL, 0},
    {"entry.description", ACCOUNT_CARRIES_ENTRY, NULL, 0},
    {"page.number", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"page.count", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"page.items", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"page.size", ACCOUNT_CARRIES_POINTS, NULL, 0},
    {"captcha.id", ACCOUNT_CARRIES_CAPTCHA, NULL, 0},
    {NULL, 0, NULL, 0},
};

const account_field_t *account_field_find(const char *name, const char **rest)
{
    const account_field_t *field;

    *rest = NULL;
    for (field = account_fields; field->name; field++) {
        apr_size_t length = strlen(field->name);

        if (field->name[length - 1] != '.') {
            if (strcmp(field->name, name) == 0) {
                return field;
            }
        }
        else if (strncmp(field->name, name, length) == 0 && name[length]) {
            *rest = name + length;
            /* "account." stands for the profile fields, extra.* has a row of its own */
            if (field->get == account_extra ? account_input_is_profile(name + 8)
                                            : account_input_is_profile(*rest)) {
                return field;
            }
        }
    }
    return NULL;
}
