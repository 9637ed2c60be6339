#ifndef ACCOUNT_ACTION_CALL_H
#define ACCOUNT_ACTION_CALL_H

#include <apr_tables.h>

#include "action/outcome.h"
#include "action/texts.h"
#include "base/gate.h"
#include "base/password.h"
#include "store/limits.h"

/* Whatever is counted: a row of account_limits (action/limits.h) for each. */
typedef enum account_limit_e {
    ACCOUNT_LIMIT_SEND_INTERVAL,
    ACCOUNT_LIMIT_SEND_TARGET,
    ACCOUNT_LIMIT_SEND_ADDRESS,
    ACCOUNT_LIMIT_SEND_NETWORK,
    ACCOUNT_LIMIT_SEND_TOTAL,
    ACCOUNT_LIMIT_CAPTCHA_TARGET,
    ACCOUNT_LIMIT_CAPTCHA_ADDRESS,
    ACCOUNT_LIMIT_CAPTCHA_FAILURES,
    ACCOUNT_LIMIT_CAPTCHA_PICTURES,
    ACCOUNT_LIMIT_CODE_TARGET,
    ACCOUNT_LIMIT_CODE_CLIENT,
    ACCOUNT_LIMIT_PASSWORD_ACCOUNT,
    ACCOUNT_LIMIT_PASSWORD_DEVICE,
    ACCOUNT_LIMIT_PASSWORD_ADDRESS,
    ACCOUNT_LIMIT_ANSWER_ACCOUNT,
    ACCOUNT_LIMIT_REVEAL_ADDRESS,
    ACCOUNT_LIMIT_REVEAL_NETWORK,
    ACCOUNT_LIMITS
} account_limit_e;

#define ACCOUNT_LIMIT_WINDOWS 4

typedef struct account_limit_windows_t {
    account_window_t windows[ACCOUNT_LIMIT_WINDOWS];
    int count; /* 0: off */
} account_limit_windows_t;

/* What the administrator decided for a realm; compiled at start, shared by all threads. */
typedef struct account_settings_t {
    account_password_cost_t cost;
    apr_int64_t session_idle; /* milliseconds; a contract may have its own */
    apr_int64_t session_life;
    int sessions_most;                      /* of an account; 0: any number */
    const apr_array_header_t *roles;        /* of const char *: all there are, the first is given */
    const apr_array_header_t *chosen_roles; /* those that people may give themselves */
    const apr_array_header_t *admin_roles;  /* those that may change others' */
    account_limit_windows_t limits[ACCOUNT_LIMITS];
    int hides;        /* AccountEnumeration strict: who exists is not told where it need not be */
    int activation;   /* AccountActivation */
    int zone;         /* minutes east of UTC, for calendar years and months */
    const char *site; /* the host of AccountPublicURL, else the realm: for texts */
    const char *device_cookie;   /* its name; NULL: none */
    int sends[ACCOUNT_CHANNELS]; /* whether there is an AccountSms, an AccountMail */
    const account_texts_t *texts;
    /* Where mailed addresses lead, up to the token; NULL: nowhere. */
    const char *activate_url;
    const char *reset_url;
    const char *captcha_font;
    const apr_array_header_t *lookups; /* of account_lookup_t * */
} account_settings_t;

/* A profile field as the request wants it: an empty value clears the field. */
typedef struct account_profile_field_t {
    const char *name; /* as in the contract language: "nickname", "extra.notify_email" */
    const char *value;
} account_profile_field_t;

struct account_action_t;

/* Everything that an action works on; clock and randomness are in store. */
typedef struct account_call_t {
    const struct account_action_t *action;
    const account_store_t *store;
    const account_settings_t *settings;
    account_gate_t *gate;      /* NULL: hash in this thread */
    const char *const *values; /* by the action's inputs: judged and normalised, NULL if absent */
    const int *supplied;  /* by the action's inputs: whether the route has a parameter for it */
    const int *constants; /* by the action's constants: the number of the chosen value */
    /* Of account_profile_field_t, in the order of the contract's lines. */
    apr_array_header_t *profile;
    const apr_array_header_t *presented; /* of const char *: the session tokens in the request */
    const account_session_t *session;    /* the caller's; NULL: not logged in */
    const account_t *account;            /* the caller's */
    const apr_array_header_t *device_cookies; /* of const char *: those in the request */
    account_session_terms_t terms;            /* of a session that this call begins */
} account_call_t;

/* The value of an input of the call's action by its name, NULL if absent. */
const char *account_call_value(const account_call_t *call, const char *input);

/* Whether the route has a parameter for that input; the request need not have sent it. */
int account_call_supplies(const account_call_t *call, const char *input);

/* Finds who holds the identifier that an input names, as account_find. The input is present. */
apr_status_t account_call_find(const account_call_t *call, const char *input,
                               const account_t **account);

/* The chosen value of a constant of the call's action, by its name. */
const char *account_call_constant(const account_call_t *call, const char *constant);

/* Whether the constant has this value, by their names. */
int account_call_is(const account_call_t *call, const char *constant, const char *value);

#endif
