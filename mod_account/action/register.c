#include <string.h>

#include "action/actions.h"
#include "action/attributes.h"
#include "action/codes.h"
#include "action/hashing.h"
#include "action/outgoing.h"
#include "action/mailed.h"
#include "action/roles.h"
#include "action/session.h"
#include "base/text.h"

/* What the request wants to be known by. */
static void collect_identifiers(const account_call_t *call, account_t *fields)
{
    const char *any = account_call_value(call, "account");
    int kind;

    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        fields->identifiers[kind] = account_call_value(call, account_kind_names[kind]);
    }
    if (any) {
        /* its shape makes it what it is */
        const char *mobile = account_text_mobile(call->store->pool, any);
        const char *email = mobile ? NULL : account_text_email(call->store->pool, any);

        kind = mobile ? ACCOUNT_MOBILE : email ? ACCOUNT_EMAIL : ACCOUNT_USER_NAME;
        if (!fields->identifiers[kind]) {
            fields->identifiers[kind] = mobile ? mobile : email ? email : any;
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

/* Its ref, and what the profile's lines give. answer: bad-request when that is too much. */
static apr_status_t fill_fields(const account_call_t *call, account_t *fields,
                                account_answer_t *answer)
{
    apr_status_t rv =
        account_random_hex((const char **)&fields->ref, call->store->random, call->store->pool);

    if (rv == APR_SUCCESS) {
        rv = account_attributes_change(call->store, fields, call->profile, &fields->attributes);
    }
    if (rv == APR_ENOSPC) {
        answer->outcome = ACCOUNT_BAD_REQUEST;
        rv = APR_SUCCESS;
    }
    return rv;
}

/* A registration waits for its mail when the contract wants that, there is an address, and the
 * administrator has not switched it off. */
static int waits_for_mail(const account_call_t *call, const account_t *fields)
{
    return account_call_is(call, "then", "activate") && call->settings->activation
           && fields->identifiers[ACCOUNT_EMAIL];
}

/* The mail that a registration waits for is counted like all others: else anybody could have the
 * server mail whomever he likes. *taken 0: answer says too-many. */
static apr_status_t count_mail(const account_call_t *call, const account_t *fields,
                               account_budget_t *budget, account_answer_t *answer, int *taken)
{
    if (waits_for_mail(call, fields)) {
        account_outgoing_limits(
            call, budget,
            account_text_identifier(call->store->pool, fields->identifiers[ACCOUNT_EMAIL]));
    }
    return account_budget_take(call, budget, answer, taken);
}

/* The address in the mail that activates the account. */
static apr_status_t add_activation(const account_call_t *call, const account_t *fields,
                                   account_code_t *code, apr_array_header_t *messages)
{
    account_outgoing_t letter = {
        .name = "link-activate",
        .channel = ACCOUNT_MAIL,
        .to = fields->identifiers[ACCOUNT_EMAIL],
        .life = ACCOUNT_LINK_LIFE,
    };
    apr_status_t rv =
        account_link_make(call, ACCOUNT_LINK_ACTIVATE, fields,
                          account_text_identifier(call->store->pool, letter.to), code);

    if (rv == APR_SUCCESS) {
        letter.values.link = account_link_url(call, code);
        letter.values.name = letter.to;
        rv = account_outgoing_add(call, &letter, messages);
    }
    return rv;
}

/* What is stored with the account: a session, or the mail that it waits for. */
static apr_status_t add_what_follows(const account_call_t *call, account_t *fields,
                                     account_code_t *code, account_also_t *also)
{
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 1, sizeof(account_message_t *));
    account_session_t *session = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (waits_for_mail(call, fields)) {
        fields->status = ACCOUNT_PENDING;
        rv = add_activation(call, fields, code, messages);
        also->code = code;
        also->messages = messages;
    }
    else if (!account_call_is(call, "then", "nothing")) {
        rv = account_session_make(call->store, 0, &call->terms, &session);
        also->session = session;
    }
    return rv;
}

static apr_status_t create(const account_call_t *call, account_t *fields, account_answer_t *answer)
{
    account_also_t also = {NULL, NULL, NULL};
    account_code_t code;
    account_kind_e taken;
    apr_status_t rv = fill_fields(call, fields, answer);

    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        return rv;
    }
    rv = add_what_follows(call, fields, &code, &also);
    if (rv == APR_SUCCESS) {
        rv = account_create(call->store, fields, &also, &answer->account, &taken);
    }
    if (rv == ACCOUNT_ECONFLICT) {
        answer->outcome = ACCOUNT_TAKEN_USER_NAME + taken;
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS && also.session
               ? account_session_announce(call, answer->account, also.session, answer)
               : rv;
}

apr_status_t account_do_register(const account_call_t *call, account_answer_t *answer)
{
    const char *role = account_call_value(call, "role");
    account_t fields = {.attributes = "{}", .role = role ? role : account_role_default(call)};
    account_answer_t found = {.outcome = ACCOUNT_OK};
    account_budget_t mails = {.count = 0};
    int told;
    apr_status_t rv;

    if (!account_role_may_choose(call, fields.role)) {
        answer->outcome = ACCOUNT_ROLE_REFUSED;
        return APR_SUCCESS;
    }
    collect_identifiers(call, &fields);
    rv = find_taken(call, &fields, &found);
    if (rv == APR_SUCCESS) {
        rv = account_limit_reveal(call, found.outcome != ACCOUNT_OK, answer, &told);
    }
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    if (found.outcome != ACCOUNT_OK) {
        answer->outcome = found.outcome;
        return APR_SUCCESS;
    }
    rv = count_mail(call, &fields, &mails, answer, &told);
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    rv = account_hashing_make(call, account_call_value(call, "password"), &fields.password);
    if (rv == APR_SUCCESS) {
        rv = create(call, &fields, answer);
    }
    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        account_budget_return(call, &mails); /* none goes out */
    }
    return rv;
}

/* The account that the code lets begin. */
static apr_status_t redeem(const account_call_t *call, const account_claimant_t *claimant,
                           account_t *fields, account_answer_t *answer)
{
    account_also_t also = {NULL, NULL, NULL};
    account_redemption_t redemption = {.create = fields, .also = &also};
    account_code_t code;
    account_budget_t budget;
    account_code_state_e state = ACCOUNT_CODE_NONE;
    apr_status_t rv = fill_fields(call, fields, answer);

    if (rv != APR_SUCCESS || answer->outcome != ACCOUNT_OK) {
        return rv;
    }
    account_codes_fill(call, claimant, &code, &budget);
    /* no hash is made for a code that can't be right; whether it is right is only said by the
     * redemption, which counts */
    rv = account_code_check(call->store, &code, &state);
    if (rv == APR_SUCCESS && (state == ACCOUNT_CODE_NONE || state == ACCOUNT_CODE_EXPIRED)) {
        account_codes_refuse(answer, state, 0);
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS && account_call_value(call, "password")) {
        rv = account_hashing_make(call, account_call_value(call, "password"), &fields->password);
    }
    if (rv == APR_SUCCESS) {
        rv = add_what_follows(call, fields, NULL, &also); /* it waits for no mail */
    }
    if (rv == APR_SUCCESS) {
        rv = account_code_redeem(call->store, &code, &redemption, &state);
    }
    if (rv == ACCOUNT_ECONFLICT) {
        answer->outcome = ACCOUNT_TAKEN_USER_NAME + redemption.taken;
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        account_codes_refuse(answer, state, redemption.wait);
        answer->account = redemption.account;
    }
    return rv == APR_SUCCESS && answer->outcome == ACCOUNT_OK && also.session
               ? account_session_announce(call, answer->account, also.session, answer)
               : rv;
}

apr_status_t account_do_register_with_code(const account_call_t *call, account_answer_t *answer)
{
    const char *target = account_call_value(call, "target");
    account_kind_e kind = account_codes_kind(call, target);
    account_claimant_t claimant;
    account_t fields = {
        .attributes = "{}",
        .role = account_role_default(call),
        .registered_kind = kind,
        .registered_with = target,
        .email_verified = kind == ACCOUNT_EMAIL ? call->store->now : 0,
        .mobile_verified = kind == ACCOUNT_MOBILE ? call->store->now : 0,
    };
    int told, is_told = 0;
    apr_status_t rv = account_codes_claimant(call, "target", &claimant);

    fields.identifiers[kind] = target;
    if (rv == APR_SUCCESS) {
        /* where it is not told, only who has the right code learns that it is taken */
        is_told = claimant.is_proven && !call->settings->hides;
        rv = account_limit_reveal(call, is_told, answer, &told);
    }
    if (rv != APR_SUCCESS || !told) {
        return rv;
    }
    if (is_told) {
        answer->outcome = ACCOUNT_TAKEN_USER_NAME + kind;
        return APR_SUCCESS;
    }
    return redeem(call, &claimant, &fields, answer);
}
