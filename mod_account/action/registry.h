#ifndef ACCOUNT_ACTION_REGISTRY_H
#define ACCOUNT_ACTION_REGISTRY_H

#include "action/call.h"

/* Whether value is one of those in a list "a,b"; list may be NULL. */
int account_is_listed(const char *list, const char *value);

/* What a parameter's value must be by itself, before a contract narrows it. */
typedef enum account_type_e {
    ACCOUNT_TYPE_IDENTIFIER, /* a user name, e-mail address or mobile number */
    ACCOUNT_TYPE_ADDRESS,    /* an e-mail address or a mobile number */
    ACCOUNT_TYPE_EMAIL,
    ACCOUNT_TYPE_MOBILE,
    ACCOUNT_TYPE_SECRET,     /* at most 255 characters; never in %{value} or a log */
    ACCOUNT_TYPE_NEW_SECRET, /* 8-255 characters unless the line says otherwise */
    ACCOUNT_TYPE_TEXT,       /* at most 255 characters, none of them a control character */
    ACCOUNT_TYPE_NUMBER,     /* 0 to 2^53, decimal */
    ACCOUNT_TYPE_BOOLEAN,    /* true, false, 1, 0, Y, N, yes, no in any case */
    ACCOUNT_TYPE_KIND,       /* user_name, email or mobile */
    ACCOUNT_TYPE_ROLE,       /* 1-64 of [a-z0-9_-] */
    ACCOUNT_TYPE_DATE,
    ACCOUNT_TYPES
} account_type_e;

/* The types' names in error texts and in invalid.FIELD.RULE. */
extern const char *const account_type_names[ACCOUNT_TYPES];

typedef enum account_need_e {
    ACCOUNT_OPTIONAL,
    ACCOUNT_REQUIRED,
    ACCOUNT_ONE_OF /* at least one of the inputs marked so */
} account_need_e;

typedef struct account_input_t {
    const char *name; /* NULL ends the list */
    account_type_e type;
    account_need_e need;
} account_input_t;

/* Set by a contract's AccountSet, never by a client. */
typedef struct account_constant_t {
    const char *name;          /* NULL ends the list */
    const char *const *values; /* NULL ends the list; the first is the default */
    int required;              /* no default: every route must say */
} account_constant_t;

/* One way in which an action can end. */
typedef struct account_ending_t {
    account_outcome_e outcome;
    int is_answer; /* must be mapped by name; else a refusal, for which AccountReply * may stand */
    int carries;   /* ACCOUNT_CARRIES_* */
    /* Where it can happen: on routes that supply this input (one of a|b), or with this constant
     * ("name=value"); both NULL: everywhere. */
    const char *if_input;
    const char *if_constant;
} account_ending_t;

/* What an action needs to be able to send, so that a server which can't is told so at start. */
typedef struct account_sending_t {
    const char *to; /* the input that it sends to; NULL: it sends nothing it can't do without */
    const char *if_constant; /* only with this constant ("name=value"); NULL: always */
    const char *leads_to;    /* the action at the address that is sent; NULL: it sends none */
} account_sending_t;

typedef struct account_action_t {
    const char *name;
    int needs_session;  /* else anybody may call it */
    int changes;        /* state: passes the cross-site gate, never on HEAD */
    int takes_profile;  /* the inputs of account_profile_inputs and extra.* too */
    int clears_profile; /* an empty profile value clears the field instead of being absent */
    const account_input_t *inputs;
    const account_constant_t
        *constants; /* one named like an input stands in for it where it is set */
    const account_ending_t *endings;
    int ending_count;
    /* Does it. answer is zeroed (ACCOUNT_OK). A status other than APR_SUCCESS means the machine
     * failed and nothing is to be said but "unavailable". */
    apr_status_t (*run)(const account_call_t *call, account_answer_t *answer);
    account_sending_t sends;
} account_action_t;

/* All actions, a row with a NULL name at the end. */
extern const account_action_t account_actions[];

/* The profile fields that register, register_with_code and update_profile take besides their
 * inputs. */
extern const account_input_t account_profile_inputs[];

/* NULL: no action of that name. */
const account_action_t *account_action_find(const char *name);

/* The input (of the action, or a profile field where the action takes them). *input is filled; 0:
 * none of that name. extra.NAME: NAME is 1-64 of [a-z0-9_]. */
int account_action_input(const account_action_t *action, const char *name, account_input_t *input);

/* Whether the name is that of a profile field (extra.* included). */
int account_input_is_profile(const char *name);

#endif
