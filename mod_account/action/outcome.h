#ifndef ACCOUNT_ACTION_OUTCOME_H
#define ACCOUNT_ACTION_OUTCOME_H

#include "base/picture.h"
#include "store/accounts.h"
#include "store/points.h"

/* How an action, or the engine before it, can end. The machine's failures are apr_status_t until
 * the engine turns them into ACCOUNT_UNAVAILABLE. */
typedef enum account_outcome_e {
    ACCOUNT_OK,
    ACCOUNT_FREE,
    ACCOUNT_IMAGE,
    ACCOUNT_TAKEN_USER_NAME, /* in the order of account_kind_e */
    ACCOUNT_TAKEN_EMAIL,
    ACCOUNT_TAKEN_MOBILE,
    ACCOUNT_UNKNOWN_ACCOUNT,
    ACCOUNT_WRONG_PASSWORD,
    ACCOUNT_WRONG_CODE,
    ACCOUNT_EXPIRED_CODE,
    ACCOUNT_EXPIRED_TOKEN,
    ACCOUNT_NOT_ACTIVATED,
    ACCOUNT_ACCOUNT_DISABLED,
    ACCOUNT_NOT_YOURS,
    ACCOUNT_ROLE_REFUSED,
    ACCOUNT_ALREADY_LOGGED_IN,
    ACCOUNT_CAPTCHA_NEEDED,
    ACCOUNT_WRONG_CAPTCHA,
    ACCOUNT_UNKNOWN_CAPTCHA,
    ACCOUNT_UNKNOWN_SESSION,
    ACCOUNT_NO_QUESTION,
    ACCOUNT_WRONG_ANSWER,
    ACCOUNT_FORBIDDEN,         /* only an administrator may */
    ACCOUNT_TOO_MANY_INTERVAL, /* the last one was sent just now and is still good */
    /* the engine's own */
    ACCOUNT_INVALID,
    ACCOUNT_NOT_LOGGED_IN,
    ACCOUNT_BAD_REQUEST,
    ACCOUNT_TOO_MANY,
    ACCOUNT_CROSS_SITE,
    ACCOUNT_BAD_METHOD,
    ACCOUNT_TOO_LARGE,
    ACCOUNT_BAD_TYPE,
    ACCOUNT_UNAVAILABLE,
    ACCOUNT_OUTCOMES
} account_outcome_e;

/* What an outcome carries for the reply: one bit for each group of fields (action/fields.h). */
enum {
    ACCOUNT_CARRIES_ACCOUNT = 1 << 0,
    ACCOUNT_CARRIES_SESSION = 1 << 1,
    ACCOUNT_CARRIES_QUESTION = 1 << 2,
    ACCOUNT_CARRIES_TOKEN = 1 << 3,
    ACCOUNT_CARRIES_VALUE = 1 << 4,
    ACCOUNT_CARRIES_RETRY = 1 << 5,
    ACCOUNT_CARRIES_POINTS = 1 << 6,
    ACCOUNT_CARRIES_CAPTCHA = 1 << 7,
    ACCOUNT_CARRIES_SESSIONS = 1 << 8,
    /* one item of a list, inside a shape: of entries, of sessions */
    ACCOUNT_CARRIES_ENTRY = 1 << 9,
    ACCOUNT_CARRIES_DEVICE = 1 << 10,
    ACCOUNT_CARRIES_ITEM = ACCOUNT_CARRIES_ENTRY | ACCOUNT_CARRIES_DEVICE
};

/* One row for each outcome, in the order of the enumeration. */
typedef struct account_outcome_t {
    const char *name;    /* dotted: taken.email falls back to taken */
    int http_status;     /* under AccountReply *; 0: the line's */
    const char *message; /* built-in text of the engine's own outcomes; NULL: the contract's */
    int carries;         /* besides what the action's row says */
} account_outcome_t;

extern const account_outcome_t account_outcomes[ACCOUNT_OUTCOMES];

/* Of a list that is shown in parts. */
typedef struct account_page_t {
    apr_int64_t number; /* from 1 */
    apr_int64_t count;
    apr_int64_t items; /* on all pages */
    apr_int64_t size;
} account_page_t;

/* What an action answers. It starts zeroed; pointers live as long as the call's pool. */
typedef struct account_answer_t {
    account_outcome_e outcome;
    const account_t *account;
    const account_session_t *session; /* token is set: the caller's own, or a new one */
    int session_begun;                /* session is new: its cookie is to be set */
    int session_ended; /* the caller's session is over: its cookies are to be expired */
    const char *question;
    const char *token;
    const char *value;       /* of the parameter that was invalid */
    apr_int64_t retry_after; /* seconds */
    const char *captcha_id;
    const account_picture_t *picture;   /* of ACCOUNT_IMAGE */
    const account_points_t *points;     /* of account; where the reply has a slot for them */
    const apr_array_header_t *entries;  /* of account_entry_t */
    const apr_array_header_t *sessions; /* of account_session_t: account's, without their tokens */
    union {
        const void *item; /* the one being rendered, of the list's own type: */
        const account_entry_t *entry;
        const account_session_t *listed;
    };
    account_page_t page;               /* of entries, or of sessions */
    const apr_array_header_t *lookups; /* of const char *const *: values, by settings->lookups; NULL
                                        * where the reply has no slot for one */
    const char *device;                /* a new value for the device cookie, or NULL */
    /* Whom it concerned, for the audit only: set where somebody is refused too. Never in a reply.
     */
    const account_t *subject;
} account_answer_t;

#endif
