#include "action/fields.h"

#include <apr_strings.h>
#include <string.h>

#include "action/attributes.h"
#include "action/registry.h"
#include "base/clock.h"
#include "store/lookups.h"

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

/* What the site's own tables hold, as a number where it is one. */
static apr_status_t set_typed(account_value_t *value, const char *text)
{
    const char *c = text;
    apr_size_t digits;

    if (!text) {
        return set_text(value, NULL);
    }
    c += *c == '-';
    digits = strspn(c, "0123456789");
    if (digits == 0 || (*c == '0' && digits > 1)) {
        return set_text(value, text);
    }
    if (!c[digits] && digits <= 18) {
        return set_number(value, apr_atoi64(text));
    }
    c += digits;
    c += *c == '.' && c[1] ? 1 + strspn(c + 1, "0123456789") : 0;
    set_text(value, text);
    value->type = *c ? ACCOUNT_TEXT : ACCOUNT_DECIMAL;
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
NUMBER_FIELD(points_total, points, total)
NUMBER_FIELD(points_last_year, points, last_year)
NUMBER_FIELD(entry_amount, entry, amount)
NUMBER_FIELD(entry_created, entry, created)
TEXT_FIELD(entry_description, entry, description)
NUMBER_FIELD(session_created, session, created)
NUMBER_FIELD(session_seen, session, seen)
NUMBER_FIELD(session_expires, session, expires)
TEXT_FIELD(session_address, session, address)
TEXT_FIELD(session_agent, session, agent)
TEXT_FIELD(device_id, listed, id)
NUMBER_FIELD(device_created, listed, created)
NUMBER_FIELD(device_seen, listed, seen)
NUMBER_FIELD(device_expires, listed, expires)
TEXT_FIELD(device_address, listed, address)
TEXT_FIELD(device_agent, listed, agent)

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

/* Those of AccountLookup first: what the site's own tables say is newer than a copy. */
static const char *looked_up(const account_call_t *call, const account_answer_t *answer,
                             const char *name, int *found)
{
    const apr_array_header_t *lookups = call->settings ? call->settings->lookups : NULL;
    int i, j;

    *found = 0;
    for (i = 0; lookups && answer->lookups && i < lookups->nelts; i++) {
        const account_lookup_t *lookup = APR_ARRAY_IDX(lookups, i, const account_lookup_t *);

        for (j = 0; j < lookup->fields->nelts; j++) {
            if (strcmp(APR_ARRAY_IDX(lookup->fields, j, const char *), name) == 0) {
                const char *const *values = APR_ARRAY_IDX(answer->lookups, i, const char *const *);

                *found = values != NULL;
                return values ? values[j] : NULL;
            }
        }
    }
    return NULL;
}

GETTER(account_extra)
{
    int found;
    const char *text = looked_up(call, answer, rest, &found);

    if (found) {
        return set_typed(value, text);
    }
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

const char *account_display_name(const account_store_t *store, const account_t *account)
{
    static const char *const names[] = {"nickname", "given_name", "family_name", "name"};
    const char *values[4];
    const char *given, *family;

    account_attributes_read(account, &(account_attribute_texts_t){names, values, 4}, store->pool);
    given = values[1];
    family = values[2];
    return values[0]         ? values[0]
           : given && family ? apr_pstrcat(store->pool, given, " ", family, NULL)
           : given           ? given
           : family          ? family
           : values[3]       ? values[3]
                             : login_name(account);
}

GETTER(account_shown_name)
{
    (void)rest;
    return set_text(value,
                    answer->account ? account_display_name(call->store, answer->account) : NULL);
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

/* Whether it is the caller's own. */
GETTER(device_current)
{
    (void)call, (void)rest;
    return set_truth(value, answer->listed && answer->session
                                && strcmp(answer->listed->id, answer->session->id) == 0);
}

#define LIST_FIELD(name)                                                                           \
    GETTER(name)                                                                                   \
    {                                                                                              \
        (void)call, (void)rest;                                                                    \
        value->type = ACCOUNT_LIST;                                                                \
        value->list = answer->name;                                                                \
        return APR_SUCCESS;                                                                        \
    }

LIST_FIELD(entries)
LIST_FIELD(sessions)

GETTER(entries_empty)
{
    (void)call, (void)rest;
    return set_truth(value, !answer->entries || answer->entries->nelts == 0);
}

#define PAGE_FIELD(name, member)                                                                   \
    GETTER(name)                                                                                   \
    {                                                                                              \
        (void)call, (void)rest;                                                                    \
        return set_number(value, answer->page.member);                                             \
    }

PAGE_FIELD(page_number, number)
PAGE_FIELD(page_count, count)
PAGE_FIELD(page_items, items)
PAGE_FIELD(page_size, size)

GETTER(captcha_id)
{
    (void)call, (void)rest;
    return set_text(value, answer->captcha_id);
}

static int shows_one_of(const account_needs_t *needs, const account_lookup_t *lookup)
{
    int i, j;

    for (i = 0; needs->extras && i < needs->extras->nelts; i++) {
        for (j = 0; j < lookup->fields->nelts; j++) {
            if (strcmp(APR_ARRAY_IDX(needs->extras, i, const char *),
                       APR_ARRAY_IDX(lookup->fields, j, const char *))
                == 0) {
                return 1;
            }
        }
    }
    return 0;
}

static apr_status_t look_up(const account_call_t *call, account_answer_t *answer,
                            const account_needs_t *needs)
{
    const apr_array_header_t *lookups = call->settings->lookups;
    apr_array_header_t *found;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!lookups || !needs->extras || needs->extras->nelts == 0) {
        return APR_SUCCESS;
    }
    found = apr_array_make(call->store->pool, lookups->nelts, sizeof(const char *const *));
    for (i = 0; i < lookups->nelts && rv == APR_SUCCESS; i++) {
        const account_lookup_t *lookup = APR_ARRAY_IDX(lookups, i, const account_lookup_t *);
        const char *const **values = apr_array_push(found);

        *values = NULL;
        if (shows_one_of(needs, lookup)) {
            rv = account_lookup_run(call->store, lookup, answer->account, values);
        }
    }
    answer->lookups = found;
    return rv;
}

apr_status_t account_fields_prepare(const account_call_t *call, account_answer_t *answer,
                                    const account_needs_t *needs)
{
    account_points_t *points;
    account_years_t years;
    apr_status_t rv = APR_SUCCESS;

    if (!answer->account) {
        return APR_SUCCESS;
    }
    if (needs->points) {
        points = apr_pcalloc(call->store->pool, sizeof(*points));
        years.last_year = account_clock_year(call->store->now, call->settings->zone, 1);
        years.this_year = account_clock_year(call->store->now, call->settings->zone, 0);
        rv = account_points_sum(call->store, answer->account->id, &years, points);
        answer->points = points;
    }
    return rv == APR_SUCCESS ? look_up(call, answer, needs) : rv;
}

const account_field_t account_fields[] = {
    {"account.id", ACCOUNT_CARRIES_ACCOUNT, account_id, 0},
    {"account.login_name", ACCOUNT_CARRIES_ACCOUNT, account_login_name, 0},
    {"account.display_name", ACCOUNT_CARRIES_ACCOUNT, account_shown_name, 0},
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
    {"account.points", ACCOUNT_CARRIES_ACCOUNT, points_total, 0},
    {"account.points_last_year", ACCOUNT_CARRIES_ACCOUNT, points_last_year, 0},
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
    {"points.total", ACCOUNT_CARRIES_POINTS, points_total, 0},
    {"points.last_year", ACCOUNT_CARRIES_POINTS, points_last_year, 0},
    {"entries", ACCOUNT_CARRIES_POINTS, entries, ACCOUNT_CARRIES_ENTRY},
    {"entries.empty", ACCOUNT_CARRIES_POINTS, entries_empty, 0},
    {"entry.amount", ACCOUNT_CARRIES_ENTRY, entry_amount, 0},
    {"entry.created", ACCOUNT_CARRIES_ENTRY, entry_created, 0},
    {"entry.description", ACCOUNT_CARRIES_ENTRY, entry_description, 0},
    {"page.number", ACCOUNT_CARRIES_POINTS, page_number, 0},
    {"page.count", ACCOUNT_CARRIES_POINTS, page_count, 0},
    {"page.items", ACCOUNT_CARRIES_POINTS, page_items, 0},
    {"page.size", ACCOUNT_CARRIES_POINTS, page_size, 0},
    {"sessions", ACCOUNT_CARRIES_SESSIONS, sessions, ACCOUNT_CARRIES_DEVICE},
    {"sessions.count", ACCOUNT_CARRIES_SESSIONS, page_items, 0},
    {"device.id", ACCOUNT_CARRIES_DEVICE, device_id, 0},
    {"device.created", ACCOUNT_CARRIES_DEVICE, device_created, 0},
    {"device.seen", ACCOUNT_CARRIES_DEVICE, device_seen, 0},
    {"device.expires", ACCOUNT_CARRIES_DEVICE, device_expires, 0},
    {"device.address", ACCOUNT_CARRIES_DEVICE, device_address, 0},
    {"device.agent", ACCOUNT_CARRIES_DEVICE, device_agent, 0},
    {"device.current", ACCOUNT_CARRIES_DEVICE, device_current, 0},
    {"captcha.id", ACCOUNT_CARRIES_CAPTCHA, captcha_id, 0},
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
