#ifndef ACCOUNT_ACTION_AUDIT_H
#define ACCOUNT_ACTION_AUDIT_H

#include "action/call.h"

/*
 * The audit: one line of JSON for each security event, named as in OWASP's Logging Vocabulary. What
 * is an event stands in one table, by action and outcome.
 */

/* One row of that table. */
typedef struct account_audit_row_t {
    const char *action; /* NULL: whatever action ended so */
    account_outcome_e outcome;
    const char *event;       /* "authn_login_fail"; NULL: this is no security event */
    const char *description; /* in plain English; NULL where there is no event */
} account_audit_row_t;

/* The row of an action that ended so: its own, else that of any action. NULL: the table has a gap
 * (t/unit/test_audit.c looks for one). */
const account_audit_row_t *account_audit_find(const char *action, account_outcome_e outcome);

/* All rows, a row without description and event and with ACCOUNT_OUTCOMES at the end. */
extern const account_audit_row_t account_audit_rows[];

/* Whether the event is one of the vocabulary that this module uses (asked by unit programs: another
 * spelling is no error of the compiler's), and whether its level is WARN (one that is not known has
 * it too), else INFO. */
int account_audit_is_known(const char *event);
int account_audit_is_warning(const char *event);

/* The two events that go beside that of an action: sessions begin and end by several of them. */
#define ACCOUNT_EVENT_SESSION_CREATED "session_created"
#define ACCOUNT_EVENT_SESSION_EXPIRED "session_expired"

/* What a line is made of. Everything but now, realm, event and description may be NULL. Only agent,
 * method and uri come from a client. */
typedef struct account_audit_t {
    apr_time_t now;
    const char *realm;
    const char *event;
    const char *description;
    const char *contract;
    const char *route;
    const char *outcome;
    const account_t *subject; /* whom it concerns */
    const account_t *changed; /* as it is now, where its role was changed */
    const account_t *caller;  /* who did it, by his session */
    const char *stranger;     /* account_audit_stranger, where nobody is the subject */
    const char *session;      /* its id, never its token */
    const char *agent;
    const char *address;
    const char *host; /* the server's name */
    const char *method;
    const char *uri; /* without its query */
} account_audit_t;

/* The longest line, in bytes, its newline included: a pipe takes so much at once. */
#define ACCOUNT_AUDIT_MOST 4096

/*
 * One line without a newline, printable ASCII without a backslash: what is not ASCII, control
 * characters, quotes, backslashes and percent signs of a client's texts stand percent-encoded, so
 * the line is the same in a file and in a log that escapes. Long ones are cut. NULL: out of memory.
 */
const char *account_audit_line(const account_audit_t *audit, apr_pool_t *pool);

/* For a name that is no account's: 16 hexadecimal digits, keyed, so that the same name can be seen
 * again and nobody learns it from the log (it may be a password in the wrong field). Of the first
 * identifier or address that the call was given; NULL: none. */
const char *account_audit_stranger(const account_call_t *call);

#endif
