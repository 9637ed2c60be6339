#include "action/codes.h"

#include <apr_strings.h>

#include "action/attributes.h"
#include "base/text.h"

apr_status_t account_codes_disown(const account_call_t *call, const account_t *account,
                                  account_profile_t *profile)
{
    static const char *const secrets[] = {"question", "answer"};
    apr_array_header_t *fields =
        apr_array_make(call->store->pool, 2, sizeof(account_profile_field_t));
    int i;

    for (i = 0; i < 2; i++) {
        APR_ARRAY_PUSH(fields, account_profile_field_t) = (account_profile_field_t){secrets[i], ""};
    }
    *profile = (account_profile_t){.account = account};
    return account_attributes_change(call->store, account, fields, &profile->attributes);
}

apr_status_t account_codes_claimant(const account_call_t *call, const char *input,
                                    account_claimant_t *claimant)
{
    const account_holder_t *holder = NULL;
    apr_status_t rv = APR_SUCCESS;

    claimant->canonical =
        account_text_identifier(call->store->pool, account_call_value(call, input));
    if (claimant->canonical) {
        rv = account_find_holder(call->store, claimant->canonical, &holder);
    }
    claimant->holder = holder;
    claimant->account = holder ? holder->account : NULL;
    claimant->is_proven = holder && holder->verified;
    claimant->may_recover = holder && (holder->verified || holder->is_first);
    return rv;
}

void account_codes_fill(const account_call_t *call, const account_claimant_t *claimant,
                        account_code_t *code, account_budget_t *budget)
{
    *code = (account_code_t){
        .purpose = account_call_constant(call, "purpose"),
        .target = claimant->canonical,
        .bound = claimant->is_proven ? claimant->account->ref : "",
        .secret = account_call_value(call, "code"),
        .tries = ACCOUNT_CODE_TRIES,
    };
    budget->count = 0;
    /* the client's own first: when that is used up, nothing is taken from what the owner has */
    account_budget_add(call, budget, ACCOUNT_LIMIT_CODE_CLIENT,
                       apr_pstrcat(call->store->pool, account_limit_address(call), "/",
                                   claimant->canonical, NULL));
    account_budget_add(call, budget, ACCOUNT_LIMIT_CODE_TARGET, claimant->canonical);
    code->quotas = (account_quotas_t){budget->quotas, budget->count};
}

void account_codes_refuse(account_answer_t *answer, account_code_state_e state, apr_int64_t wait)
{
    switch (state) {
    case ACCOUNT_CODE_RIGHT:
        break;
    case ACCOUNT_CODE_EXPIRED:
        answer->outcome = ACCOUNT_EXPIRED_CODE;
        break;
    case ACCOUNT_CODE_EXHAUSTED:
        account_limit_refuse(answer, ACCOUNT_LIMIT_CODE_TARGET, wait);
        break;
    default:
        answer->outcome = ACCOUNT_WRONG_CODE;
        break;
    }
}

account_kind_e account_codes_kind(const account_call_t *call, const char *address)
{
    return account_text_mobile(call->store->pool, address) ? ACCOUNT_MOBILE : ACCOUNT_EMAIL;
}
