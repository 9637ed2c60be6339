#ifndef ACCOUNT_CONTRACT_JUDGE_H
#define ACCOUNT_CONTRACT_JUDGE_H

#include "contract/contract.h"
#include "contract/request.h"

/* Whether each name that the route reads has one value, however often and wherever it stands, and a
 * plain one. pairs: of account_pair_t. */
int account_judge_names(const account_route_t *route, const apr_array_header_t *pairs);

/* What came of the parameters. */
typedef struct account_judged_t {
    const char **values;                     /* by the action's inputs, normalised; NULL: absent */
    apr_array_header_t *profile;             /* of account_profile_field_t */
    const account_compiled_reply_t *refusal; /* of the first rule that is broken; NULL: none */
    const char *refused;                     /* what it is about: "INPUT.RULE" */
    const char *value;                       /* its value as sent, "" for a secret */
} account_judged_t;

/* Judges and normalises the parameters in the order of the route's lines, up to the first that
 * breaks a rule. Everything in judged lives in pool. */
void account_judge(const account_route_t *route, const apr_array_header_t *pairs,
                   account_judged_t *judged, apr_pool_t *pool);

#endif
