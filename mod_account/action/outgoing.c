#include "action/outgoing.h"

#include <apr_strings.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int add_member(json_t *object, const char *name, const char *value)
{
    return !value || json_object_set_new(object, name, json_string(value)) == 0;
}

/* The content as the outbox keeps it; NULL: out of memory. */
static const char *content_of(const account_outgoing_t *letter, const account_written_t *written)
{
    json_t *object = json_object();
    char *text = NULL;
    const char *content = NULL;

    if (object && add_member(object, "subject", written->subject)
        && add_member(object, "text", written->text)
        && add_member(object, "code", letter->values.code)
        && add_member(object, "link", letter->values.link)) {
        text = json_dumps(object, JSON_COMPACT);
    }
    if (text) {
        content = apr_pstrdup(letter->values.pool, text);
    }
    free(text);
    json_decref(object);
    return content;
}

apr_status_t account_outgoing_add(const account_call_t *call, account_outgoing_t *letter,
                                  apr_array_header_t *messages)
{
    apr_pool_t *pool = call->store->pool;
    account_message_t *message = apr_pcalloc(pool, sizeof(*message));
    account_written_t written = {NULL, NULL};
    apr_status_t rv;

    if (!call->settings->sends[letter->channel] || !call->settings->texts) {
        return APR_SUCCESS;
    }
    letter->values.pool = pool;
    letter->values.site = call->settings->site;
    letter->values.minutes = apr_psprintf(pool, "%" APR_INT64_T_FMT, letter->life / 60000);
    letter->values.hours = apr_psprintf(pool, "%" APR_INT64_T_FMT, letter->life / 3600000);
    rv = account_texts_write(call->settings->texts, letter->name, letter->channel, &letter->values,
                             &written);
    if (rv == APR_SUCCESS) {
        rv = account_random_hex(&message->ref, call->store->random, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    message->channel = letter->channel;
    /* whatever a row from elsewhere may hold: mail goes to the address that is compared */
    message->recipient =
        letter->channel == ACCOUNT_MAIL ? account_text_email(pool, letter->to) : letter->to;
    if (!message->recipient) {
        return APR_SUCCESS;
    }
    message->name = letter->name;
    message->content = content_of(letter, &written);
    message->expires = call->store->now + letter->life;
    APR_ARRAY_PUSH(messages, account_message_t *) = message;
    return message->content ? APR_SUCCESS : APR_ENOMEM;
}

account_channel_e account_outgoing_channel(const account_call_t *call, const char *address)
{
    return account_text_mobile(call->store->pool, address) ? ACCOUNT_SMS : ACCOUNT_MAIL;
}

const char *account_outgoing_shown(const account_call_t *call, const account_t *account,
                                   account_kind_e kind, const char *canonical)
{
    const char *display = account->identifiers[kind];
    const char *compared = display ? account_text_identifier(call->store->pool, display) : NULL;

    return compared && strcmp(compared, canonical) == 0 ? display : canonical;
}

apr_status_t account_outgoing_notify(const account_call_t *call, const account_t *account,
                                     const char *name, const char *address,
                                     apr_array_header_t *messages)
{
    apr_array_header_t *addresses;
    int i, any_verified = 0;
    apr_status_t rv;

    if (!call->settings->sends[ACCOUNT_MAIL] && !call->settings->sends[ACCOUNT_SMS]) {
        return APR_SUCCESS;
    }
    rv = account_find_addresses(call->store, account, &addresses);
    for (i = 0; rv == APR_SUCCESS && i < addresses->nelts; i++) {
        any_verified |= APR_ARRAY_IDX(addresses, i, account_address_t).verified != 0;
    }
    for (i = 0; rv == APR_SUCCESS && i < addresses->nelts; i++) {
        const account_address_t *at = &APR_ARRAY_IDX(addresses, i, account_address_t);
        account_outgoing_t letter = {
            .name = name,
            .channel = at->kind == ACCOUNT_MOBILE ? ACCOUNT_SMS : ACCOUNT_MAIL,
            .to = account_outgoing_shown(call, account, at->kind, at->canonical),
            .life = ACCOUNT_LINK_LIFE,
            .values = {.address = address},
        };

        if (at->verified || !any_verified) {
            rv = account_outgoing_add(call, &letter, messages);
        }
    }
    return rv;
}

void account_outgoing_limits(const account_call_t *call, account_budget_t *budget,
                             const char *address)
{
    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_TARGET, address);
    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_ADDRESS, account_limit_address(call));
    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_NETWORK, account_limit_network(call));
    account_budget_add(call, budget, ACCOUNT_LIMIT_SEND_TOTAL, "");
}

apr_status_t account_outgoing_check(const account_call_t *call, account_channel_e channel)
{
    int down = 0;
    apr_status_t rv = account_messages_down(call->store, channel, &down);

    return rv == APR_SUCCESS && down ? ACCOUNT_EDELIVERY : rv;
}
