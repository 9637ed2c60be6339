#ifndef ACCOUNT_CONTRACT_ENGINE_H
#define ACCOUNT_CONTRACT_ENGINE_H

#include "contract/caller.h"
#include "contract/contract.h"
#include "contract/origin.h"
#include "contract/request.h"
#include "contract/router.h"

/* request → route → parameters → action → store → outcome → reply. */

/* A request as it is answered. */
typedef struct account_exchange_t {
    const account_match_t *match;
    const account_store_t *store;
    const account_settings_t *settings;
    account_gate_t *gate;
    const char *query; /* as sent, without the question mark; or NULL */
    account_body_e body_type;
    const char *body;
    apr_size_t body_length;
    account_caller_t *caller;               /* of this request */
    const apr_array_header_t *cookie_names; /* of const char *: those of the realm */
    const char *address;
    const char *agent;
} account_exchange_t;

/* What goes back. */
typedef struct account_response_t {
    int status;
    const char *type; /* of the body: JSON, HTML or PNG */
    int is_page;
    const char *body;
    apr_size_t length;
    account_answer_t answer;
    apr_status_t failure; /* of the machine: why it is unavailable */
    const char *refused;  /* what was invalid, for the log: "INPUT.RULE" */
    /* For the audit: who asked, in which session, where that was looked up; and
     * account_audit_stranger. */
    const account_t *caller;
    const account_session_t *session;
    const char *stranger;
} account_response_t;

/* How long a client shall wait after "unavailable", in seconds. */
#define ACCOUNT_RETRY_AFTER 2

/* Answers. Never fails: a failing machine is the contract's unavailable reply. */
void account_engine_answer(const account_exchange_t *exchange, account_response_t *response);

/* One of the outcomes that come before the parameters: cross-site, bad-method, too-large, bad-type,
 * unavailable, bad-request. */
void account_engine_refuse(const account_exchange_t *exchange, account_outcome_e outcome,
                           account_response_t *response);

#endif
