#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "action/outgoing.h"
#include "action/mailed.h"
#include "base/text.h"

/* Two changes of one profile at the same time are both kept: who came second merges again. */
#define ATTEMPTS 3

/* A new e-mail address is shown at once, and unverified until its owner says yes to the mail that
 * goes there; the one before is told. */
typedef struct confirmation_t {
    account_code_t code;
    account_also_t also;
    apr_array_header_t *messages;
    account_budget_t budget;
} confirmation_t;

static int is_new_address(const account_call_t *call, const char *email)
{
    apr_pool_t *pool = call->store->pool;
    const char *old = call->account->identifiers[ACCOUNT_EMAIL];
    const char *was = old ? account_text_identifier(pool, old) : NULL;
    const char *is = account_text_identifier(pool, email);

    return is && (!was || strcmp(was, is) != 0);
}

static apr_status_t write_mails(const account_call_t *call, const char *email,
                                confirmation_t *confirmation)
{
    account_outgoing_t letter = {
        .name = "link-confirm",
        .channel = ACCOUNT_MAIL,
        .to = email,
        .life = ACCOUNT_LINK_LIFE,
    };
    const char *canonical = account_text_identifier(call->store->pool, email);
    apr_status_t rv = APR_SUCCESS;

    if (call->settings->activate_url && call->settings->sends[ACCOUNT_MAIL]) {
        rv = account_link_make(call, ACCOUNT_LINK_ACTIVATE, call->account, canonical,
                               &confirmation->code);
        confirmation->also.code = &confirmation->code;
        letter.values.link = account_link_url(call, &confirmation->code);
        letter.values.name = account_display_name(call->store, call->account);
        if (rv == APR_SUCCESS) {
            rv = account_outgoing_add(call, &letter, confirmation->messages);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = account_outgoing_notify(call, call->account, "notice-address", email,
                                     confirmation->messages);
    }
    account_outgoing_limits(call, &confirmation->budget, canonical);
    return rv;
}

/* Merges the profile's lines into the account's attributes and stores them, once more when somebody
 * else has changed them meanwhile. */
static apr_status_t update(const account_call_t *call, account_profile_t *profile,
                           account_answer_t *answer)
{
    int changed = 0;
    int attempt;
    apr_status_t rv = APR_SUCCESS;

    for (attempt = 0; attempt < ATTEMPTS && !changed && rv == APR_SUCCESS; attempt++) {
        if (attempt > 0) {
            rv = account_find_by_id(call->store, call->account->id, &profile->account);
        }
        if (rv == APR_SUCCESS && !profile->account) {
            return ACCOUNT_EDATABASE; /* deleted by hand meanwhile */
        }
        if (rv == APR_SUCCESS) {
            rv = account_attributes_change(call->store, profile->account, call->profile,
                                           &profile->attributes);
        }
        if (rv == APR_SUCCESS) {
            rv = account_update_profile(call->store, profile, &answer->account, &changed);
        }
    }
    if (rv == ACCOUNT_ECONFLICT || rv == APR_ENOSPC) {
        answer->outcome = rv == APR_ENOSPC ? ACCOUNT_BAD_REQUEST : ACCOUNT_TAKEN_EMAIL;
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS && !changed ? ACCOUNT_EBUSY : rv;
}

/* Another's address is told to be so by count, before anything is written to it. */
static apr_status_t check_taken(const account_call_t *call, account_answer_t *answer)
{
    const account_t *holder = NULL;
    int taken, told = 0;
    apr_status_t rv = account_call_find(call, "email", &holder);

    taken = rv == APR_SUCCESS && holder && holder->id != call->account->id;
    if (rv == APR_SUCCESS) {
        rv = account_limit_reveal(call, taken, answer, &told);
    }
    if (rv == APR_SUCCESS && told && taken) {
        answer->outcome = ACCOUNT_TAKEN_EMAIL;
    }
    return rv;
}

/* Who has a session alone could choose a question of his own to come back by: the owner is told. */
static int changes_question(const account_call_t *call)
{
    int i;

    for (i = 0; i < call->profile->nelts; i++) {
        const char *name = APR_ARRAY_IDX(call->profile, i, account_profile_field_t).name;

        if (strcmp(name, "question") == 0 || strcmp(name, "answer") == 0) {
            return 1;
        }
    }
    return 0;
}

apr_status_t account_do_update_profile(const account_call_t *call, account_answer_t *answer)
{
    account_profile_t profile = {call->account, account_call_value(call, "email"), NULL, NULL};
    confirmation_t confirmation = {
        .messages = apr_array_make(call->store->pool, 2, sizeof(account_message_t *))};
    int taken = 1, counts = 0;
    apr_status_t rv = APR_SUCCESS;

    confirmation.also.messages = confirmation.messages;
    profile.also = &confirmation.also;
    if (profile.email && is_new_address(call, profile.email)) {
        rv = check_taken(call, answer);
        if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
            return rv;
        }
        rv = write_mails(call, profile.email, &confirmation);
        counts = confirmation.messages->nelts > 0;
    }
    if (rv == APR_SUCCESS && changes_question(call)) {
        rv = account_outgoing_notify(call, call->account, "notice-question", NULL,
                                     confirmation.messages);
        if (!counts && confirmation.messages->nelts > 0) {
            account_outgoing_limits(call, &confirmation.budget, call->account->ref);
            counts = 1;
        }
    }
    if (rv == APR_SUCCESS && counts) {
        rv = account_budget_take(call, &confirmation.budget, answer, &taken);
    }
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    rv = update(call, &profile, answer);
    if (counts && (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK)) {
        account_budget_return(call, &confirmation.budget);
    }
    return rv;
}

apr_status_t account_do_check_identifier(const account_call_t *call, account_answer_t *answer)
{
    const char *wanted = account_call_value(call, "kind");
    const account_t *holder = NULL;
    int kind, told = 0;
    apr_status_t rv = account_call_find(call, "value", &holder);

    if (rv == APR_SUCCESS) {
        rv = account_limit_reveal(call, holder != NULL, answer, &told);
    }
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    answer->outcome = ACCOUNT_FREE;
    for (kind = 0; holder && kind < ACCOUNT_KINDS; kind++) {
        if (wanted ? strcmp(wanted, account_kind_names[kind]) == 0
                   : account_call_is(call, "kind", account_kind_names[kind])) {
            answer->outcome = ACCOUNT_TAKEN_USER_NAME + kind;
        }
    }
    return APR_SUCCESS;
}
