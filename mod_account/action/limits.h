#ifndef ACCOUNT_ACTION_LIMITS_H
#define ACCOUNT_ACTION_LIMITS_H

#include "action/call.h"

/* Every limit there is; AccountLimit NAME changes one. */

/* One row for each, in the order of account_limit_e (action/call.h). */
typedef struct account_limit_t {
    const char *name;     /* "send-target" */
    const char *standard; /* as AccountLimit would say it: "5/1h 10/1d" */
    const char *what;     /* for the documentation: what is counted, of whom */
} account_limit_t;

extern const account_limit_t account_limits[ACCOUNT_LIMITS];

/* "5/1h 10/1d", or "off", to windows. NULL, or what is wrong. */
const char *account_limit_parse(account_limit_windows_t *windows, const char *words,
                                apr_pool_t *pool);

/* The number of a limit by its name, -1: none. */
int account_limit_find(const char *name);

/* What is counted by client address: the address itself, of IPv6 its /64; and the network it is in:
 * /24, /48. "" for none. */
const char *account_limit_address(const account_call_t *call);
const char *account_limit_network(const account_call_t *call);

/* A list of quotas while it is put together. */
#define ACCOUNT_BUDGET_MOST 8
typedef struct account_budget_t {
    account_quota_t quotas[ACCOUNT_BUDGET_MOST];
    account_limit_e limits[ACCOUNT_BUDGET_MOST]; /* by quota */
    int count;
} account_budget_t;

/* Adds one: the limit, counted for that subject in the call's realm. */
void account_budget_add(const account_call_t *call, account_budget_t *budget, account_limit_e limit,
                        const char *subject);

/* Ends answer as a limit with none left ends: too-many, of send-interval too-many.interval; wait:
 * milliseconds until it has one again. */
void account_limit_refuse(account_answer_t *answer, account_limit_e limit, apr_int64_t wait);

/* Takes all of it or nothing. When one has none left, answer ends too-many (or
 * too-many.interval), with its retry_after, and *taken is 0. */
apr_status_t account_budget_take(const account_call_t *call, const account_budget_t *budget,
                                 account_answer_t *answer, int *taken);

/*
 * Before a client is told whether somebody exists: that somebody does is counted, by its address,
 * exactly; that nobody does is told to whom could also be told the other. *told 0: answer ends
 * too-many, and says neither.
 */
apr_status_t account_limit_reveal(const account_call_t *call, int exists, account_answer_t *answer,
                                  int *told);

/* Takes back what account_limit_reveal has counted of somebody who exists: the client has proven to
 * be that somebody, and was told nothing. */
void account_limit_conceal(const account_call_t *call);

/* Gives it back. That this fails is nobody's failure: the limit is then nearer than it should be.
 */
void account_budget_return(const account_call_t *call, const account_budget_t *budget);

#endif
