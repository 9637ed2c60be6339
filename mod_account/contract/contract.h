#ifndef ACCOUNT_CONTRACT_CONTRACT_H
#define ACCOUNT_CONTRACT_CONTRACT_H

#include "action/registry.h"
#include "contract/line.h"
#include "store/messages.h"
#include "contract/template.h"

/*
 * A contract, compiled: what a client may ask, which action answers, and how each outcome looks on
 * the wire. Made once at start, read by all threads, never changed.
 */

/* One of body, page and is_picture says what goes out. */
typedef struct account_compiled_reply_t {
    const char *outcome; /* what it replies to, dotted: "invalid.email.length" */
    int status;          /* HTTP */
    const account_template_t *body;
    const char *page; /* one of account_page_names */
    int is_picture;   /* the answer's */
} account_compiled_reply_t;

/* The rules that a parameter can break, in the order in which they are judged. */
typedef enum account_rule_e {
    ACCOUNT_RULE_REQUIRED,
    ACCOUNT_RULE_CONVERTER,
    ACCOUNT_RULE_LENGTH,
    ACCOUNT_RULE_TYPE,
    ACCOUNT_RULE_TYPE_MOBILE, /* an address that looks like a number and is none */
    ACCOUNT_RULE_IS,
    ACCOUNT_RULE_MATCH,
    ACCOUNT_RULE_ONE_OF,
    ACCOUNT_RULE_AGAIN,
    ACCOUNT_RULES
} account_rule_e;

/* One AccountParam line. */
typedef struct account_parameter_t {
    account_input_t input;
    int is_profile;
    int position;     /* among the action's inputs; -1 for a profile field */
    const char *name; /* on the wire */
    int base64;
    const account_map_t *map; /* backwards: a value on the wire to a key */
    int required;
    int clears; /* an empty value is a value: it clears the field */
    const char *again;
    apr_size_t least;
    apr_size_t most;
    void *regex;                /* pcre2_code */
    apr_array_header_t *one_of; /* of const char *, or NULL */
    const char *is;
    /* The first line of this input: it says whether the input is required. */
    const struct account_parameter_t *first;
    account_compiled_reply_t *refusals[ACCOUNT_RULES]; /* NULL: that rule can't be broken */
    const account_line_t *line;
} account_parameter_t;

typedef struct account_route_t {
    const char *name;
    apr_array_header_t *methods;  /* of const char * */
    apr_array_header_t *segments; /* of const char *; "{name}" matches any one */
    const account_action_t *action;
    const int *supplied;            /* by the action's inputs: whether a parameter gives it */
    const int *constants;           /* by the action's constants: the number of the chosen value */
    apr_array_header_t *parameters; /* of account_parameter_t *, in the order of the lines */
    apr_array_header_t *names;      /* of const char *: every name that the route reads */
    int takes_secrets;              /* one of its parameters is a secret */
    account_compiled_reply_t *replies[ACCOUNT_OUTCOMES]; /* NULL: can't happen here */
    const account_line_t *line;
} account_route_t;

/* The cookie of contracts that prescribe none. */
#define ACCOUNT_DEFAULT_COOKIE "account_session"

typedef struct account_contract_t {
    const char *name;
    const char *cookie;
    apr_int64_t session_idle; /* milliseconds; 0: the realm's */
    apr_int64_t session_life;
    apr_array_header_t *routes; /* of account_route_t * */
    const account_line_t *line;
} account_contract_t;

/*
 * Compiles <AccountContract NAME> and what is in it, and checks that it is complete: every outcome
 * of every route has its reply, every refusal that is shown its text, and nothing is there that
 * can't happen. NULL, or a text for the administrator; *at is then the line it is about. line must
 * live as long as the contract.
 */
const char *account_contract_compile(const account_contract_t **contract,
                                     const account_line_t *line, const account_line_t **at,
                                     apr_pool_t *pool);

/* The route of that name, NULL if there is none. */
const account_route_t *account_contract_route(const account_contract_t *contract, const char *name);

/* Whether the route can't do its work without sending through this channel. */
int account_route_sends(const account_route_t *route, account_channel_e channel);

/* The name of every outcome that can happen on the route, each once, the most specific of its names
 * (taken.email, invalid.FIELD.RULE): of const char *. */
apr_array_header_t *account_route_outcomes(const account_route_t *route, apr_pool_t *pool);

/* Whether some request (method and path below the same mount) could be answered by both. */
int account_routes_overlap(const account_route_t *a, const account_route_t *b);

#endif
