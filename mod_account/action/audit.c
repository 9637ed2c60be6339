#include "action/audit.h"

#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#include "action/registry.h"
#include "base/text.h"

/* Bytes of a client's texts, as they stand in the line. */
#define AGENT_MOST 512
#define URI_MOST 1536
#define METHOD_MOST 32

/* Whom an event names after its colon. */
typedef enum whom_e {
    SUBJECT,
    CALLER,  /* who tried what he may not */
    BOTH,    /* who changed whom; one number where that is one account */
    CHANGED, /* whom, and from what role to which */
} whom_e;

typedef struct event_t {
    const char *name; /* as in the OWASP Logging Vocabulary */
    int is_warning;
    whom_e whom;
} event_t;

#define LOGIN_SUCCESS "authn_login_success"
#define LOGIN_FAIL "authn_login_fail"
#define LOGIN_FAIL_MAX "authn_login_fail_max"
#define PASSWORD_CHANGE "authn_password_change"
#define PASSWORD_CHANGE_FAIL "authn_password_change_fail"
#define TOKEN_CREATED "authn_token_created"
#define AUTHZ_FAIL "authz_fail"
#define AUTHZ_CHANGE "authz_change"
#define USER_CREATED "user_created"
#define USER_UPDATED "user_updated"
#define USER_ARCHIVED "user_archived"
#define RATE_LIMIT "excess_rate_limit_exceeded"
#define CORS "malicious_cors"
#define INPUT_FAIL "input_validation_fail"

static const event_t events[] = {
    {LOGIN_SUCCESS, 0, SUBJECT},
    {LOGIN_FAIL, 1, SUBJECT},
    {LOGIN_FAIL_MAX, 1, SUBJECT},
    {PASSWORD_CHANGE, 0, SUBJECT},
    {PASSWORD_CHANGE_FAIL, 1, SUBJECT},
    {TOKEN_CREATED, 0, SUBJECT},
    {AUTHZ_FAIL, 1, CALLER},
    {AUTHZ_CHANGE, 1, CHANGED},
    {USER_CREATED, 1, SUBJECT},
    {USER_UPDATED, 1, BOTH},
    {USER_ARCHIVED, 1, BOTH},
    {ACCOUNT_EVENT_SESSION_CREATED, 0, SUBJECT},
    {ACCOUNT_EVENT_SESSION_EXPIRED, 0, SUBJECT},
    {RATE_LIMIT, 1, SUBJECT},
    {CORS, 1, SUBJECT},
    {INPUT_FAIL, 1, SUBJECT},
    {NULL, 1, SUBJECT},
};

/* clang-format off */
#define NO_EVENT(action, outcome) {action, ACCOUNT_##outcome, NULL, NULL}
#define EVENT(action, outcome, event, description) {action, ACCOUNT_##outcome, event, description}

const account_audit_row_t account_audit_rows[] = {
    NO_EVENT("none", OK),
    NO_EVENT("current", OK),
    NO_EVENT("current", NOT_LOGGED_IN), /* how a page asks whether somebody is there */

    EVENT("login", OK, LOGIN_SUCCESS, "logged in with the password"),
    EVENT("login", UNKNOWN_ACCOUNT, LOGIN_FAIL, "no account of that name"),
    EVENT("login", WRONG_PASSWORD, LOGIN_FAIL, "wrong name or password"),
    EVENT("login", WRONG_CODE, LOGIN_FAIL, "the right password with a wrong code"),
    EVENT("login", EXPIRED_CODE, LOGIN_FAIL, "the right password with a code that has expired"),
    EVENT("login", NOT_ACTIVATED, LOGIN_FAIL, "the account waits for its activation"),
    EVENT("login", ACCOUNT_DISABLED, LOGIN_FAIL, "the account is disabled"),
    EVENT("login", TOO_MANY, LOGIN_FAIL_MAX, "too many logins failed: this one was not looked at"),

    EVENT("login_with_code", OK, LOGIN_SUCCESS, "logged in with a code"),
    EVENT("login_with_code", UNKNOWN_ACCOUNT, LOGIN_FAIL, "no account has proven that address"),
    EVENT("login_with_code", WRONG_CODE, LOGIN_FAIL, "wrong code"),
    EVENT("login_with_code", EXPIRED_CODE, LOGIN_FAIL, "the code has expired"),
    EVENT("login_with_code", ACCOUNT_DISABLED, LOGIN_FAIL, "the account is disabled"),
    EVENT("login_with_code", TOO_MANY, LOGIN_FAIL_MAX,
          "too many logins failed: this one was not looked at"),

    EVENT("logout", OK, ACCOUNT_EVENT_SESSION_EXPIRED, "logged out"),
    NO_EVENT("logout", NOT_LOGGED_IN),
    EVENT("logout", NOT_YOURS, AUTHZ_FAIL, "a logout of another account"),

    NO_EVENT("sessions", OK),

    EVENT("end_session", OK, ACCOUNT_EVENT_SESSION_EXPIRED, "one of the account's sessions ended"),
    NO_EVENT("end_session", UNKNOWN_SESSION),

    EVENT("end_other_sessions", OK, ACCOUNT_EVENT_SESSION_EXPIRED,
          "the account's other sessions ended"),

    EVENT("register", OK, USER_CREATED, "registered"),
    NO_EVENT("register", TAKEN_USER_NAME),
    NO_EVENT("register", TAKEN_EMAIL),
    NO_EVENT("register", TAKEN_MOBILE),
    EVENT("register", ROLE_REFUSED, AUTHZ_FAIL, "a registration with a role that is not given"),

    EVENT("register_with_code", OK, USER_CREATED, "registered with a code"),
    NO_EVENT("register_with_code", TAKEN_EMAIL),
    NO_EVENT("register_with_code", TAKEN_MOBILE),
    EVENT("register_with_code", WRONG_CODE, INPUT_FAIL, "a registration with a wrong code"),
    EVENT("register_with_code", EXPIRED_CODE, INPUT_FAIL,
          "a registration with a code that has expired"),

    EVENT("send_code", OK, TOKEN_CREATED, "a code was asked for"),
    NO_EVENT("send_code", TAKEN_EMAIL),
    NO_EVENT("send_code", TAKEN_MOBILE),
    NO_EVENT("send_code", UNKNOWN_ACCOUNT),
    NO_EVENT("send_code", ALREADY_LOGGED_IN),
    NO_EVENT("send_code", CAPTCHA_NEEDED),
    EVENT("send_code", WRONG_CAPTCHA, INPUT_FAIL, "a wrong captcha"),

    EVENT("send_link", OK, TOKEN_CREATED, "a mail for a new password was asked for"),
    NO_EVENT("send_link", CAPTCHA_NEEDED),
    EVENT("send_link", WRONG_CAPTCHA, INPUT_FAIL, "a wrong captcha"),

    EVENT("change_password", OK, PASSWORD_CHANGE, "changed the password; other sessions ended"),
    EVENT("change_password", WRONG_PASSWORD, PASSWORD_CHANGE_FAIL, "the old password was wrong"),
    EVENT("change_password", TOO_MANY, PASSWORD_CHANGE_FAIL,
          "too many old passwords were wrong: this one was not looked at"),

    EVENT("reset_password", OK, PASSWORD_CHANGE, "reset the password; all sessions ended"),
    EVENT("reset_password", UNKNOWN_ACCOUNT, PASSWORD_CHANGE_FAIL, "no account to reset"),
    EVENT("reset_password", WRONG_CODE, PASSWORD_CHANGE_FAIL, "a reset with a wrong code"),
    EVENT("reset_password", EXPIRED_CODE, PASSWORD_CHANGE_FAIL,
          "a reset with a code that has expired"),
    EVENT("reset_password", ACCOUNT_DISABLED, PASSWORD_CHANGE_FAIL, "the account is disabled"),
    NO_EVENT("reset_password", CAPTCHA_NEEDED),
    EVENT("reset_password", WRONG_CAPTCHA, INPUT_FAIL, "a wrong captcha"),

    EVENT("update_profile", OK, USER_UPDATED, "changed the profile"),
    NO_EVENT("update_profile", TAKEN_EMAIL),

    EVENT("change_address", OK, USER_UPDATED, "changed an address"),
    NO_EVENT("change_address", TAKEN_EMAIL),
    NO_EVENT("change_address", TAKEN_MOBILE),
    EVENT("change_address", WRONG_CODE, INPUT_FAIL, "a changed address with a wrong code"),
    EVENT("change_address", EXPIRED_CODE, INPUT_FAIL,
          "a changed address with a code that has expired"),

    NO_EVENT("check_identifier", FREE),
    NO_EVENT("check_identifier", TAKEN_USER_NAME),
    NO_EVENT("check_identifier", TAKEN_EMAIL),
    NO_EVENT("check_identifier", TAKEN_MOBILE),

    NO_EVENT("security_question", OK),
    NO_EVENT("security_question", UNKNOWN_ACCOUNT),
    NO_EVENT("security_question", NO_QUESTION),

    EVENT("check_answer", OK, TOKEN_CREATED, "answered the security question: may reset"),
    EVENT("check_answer", UNKNOWN_ACCOUNT, PASSWORD_CHANGE_FAIL,
          "an answer to the security question of no account"),
    EVENT("check_answer", WRONG_ANSWER, PASSWORD_CHANGE_FAIL,
          "a wrong answer to the security question"),

    NO_EVENT("points", OK),
    NO_EVENT("points", NOT_LOGGED_IN),
    NO_EVENT("captcha", OK),
    NO_EVENT("captcha_image", IMAGE),
    NO_EVENT("captcha_image", UNKNOWN_CAPTCHA),
    NO_EVENT("open_link", OK),

    EVENT("activate", OK, USER_UPDATED, "followed a mail: the address is proven"),
    EVENT("activate", EXPIRED_TOKEN, INPUT_FAIL, "an activation that is unknown or has expired"),
    EVENT("reset_by_link", OK, PASSWORD_CHANGE, "reset the password by a mail; all sessions ended"),
    EVENT("reset_by_link", EXPIRED_TOKEN, PASSWORD_CHANGE_FAIL,
          "a reset by a mail that is unknown or has expired"),
    EVENT("reset_by_link", ACCOUNT_DISABLED, PASSWORD_CHANGE_FAIL, "the account is disabled"),

    EVENT("set_role", OK, AUTHZ_CHANGE, "an administrator gave another role"),
    EVENT("set_role", FORBIDDEN, AUTHZ_FAIL, "may not give that account a role"),
    NO_EVENT("set_role", UNKNOWN_ACCOUNT),
    EVENT("set_role", ROLE_REFUSED, INPUT_FAIL, "there is no such role"),
    EVENT("disable", OK, USER_ARCHIVED, "an administrator disabled the account"),
    EVENT("disable", FORBIDDEN, AUTHZ_FAIL, "may not disable that account"),
    NO_EVENT("disable", UNKNOWN_ACCOUNT),
    EVENT("enable", OK, USER_UPDATED, "an administrator enabled the account"),
    EVENT("enable", FORBIDDEN, AUTHZ_FAIL, "may not enable that account"),
    NO_EVENT("enable", UNKNOWN_ACCOUNT),

    /* the engine's own, of every action that has no row of its own for them */
    EVENT(NULL, TOO_MANY_INTERVAL, RATE_LIMIT, "asked again too soon"),
    EVENT(NULL, INVALID, INPUT_FAIL, "a parameter breaks a rule"),
    EVENT(NULL, NOT_LOGGED_IN, AUTHZ_FAIL, "needs a session and has none"),
    EVENT(NULL, BAD_REQUEST, INPUT_FAIL, "the request is malformed"),
    EVENT(NULL, TOO_MANY, RATE_LIMIT, "a limit is reached"),
    EVENT(NULL, CROSS_SITE, CORS, "the page of another site wanted to change state"),
    NO_EVENT(NULL, BAD_METHOD),
    EVENT(NULL, TOO_LARGE, INPUT_FAIL, "the request is too large"),
    EVENT(NULL, BAD_TYPE, INPUT_FAIL, "the body's media type is not accepted"),
    NO_EVENT(NULL, UNAVAILABLE), /* the error log has it */

    {NULL, ACCOUNT_OUTCOMES, NULL, NULL},
};
/* clang-format on */

const account_audit_row_t *account_audit_find(const char *action, account_outcome_e outcome)
{
    const account_audit_row_t *row, *any = NULL;

    for (row = account_audit_rows; row->outcome != ACCOUNT_OUTCOMES; row++) {
        if (row->outcome != outcome) {
            continue;
        }
        if (!row->action) {
            any = row;
        }
        else if (strcmp(row->action, action) == 0) {
            return row;
        }
    }
    return any;
}

/* The last one stands for those that are not known. */
static const event_t *find_event(const char *name)
{
    const event_t *event;

    for (event = events; event->name && strcmp(event->name, name) != 0; event++) {
    }
    return event;
}

int account_audit_is_known(const char *event)
{
    return find_event(event)->name != NULL;
}

int account_audit_is_warning(const char *event)
{
    return find_event(event)->is_warning;
}

/* A client's text, percent-encoded where it must be, in at most so many bytes; "+" at its end says
 * that it was cut. A character is never cut in two, where it is one of UTF-8. */
static const char *clean(const char *text, apr_size_t most, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    const unsigned char *c;
    char *out, *start, *whole;

    if (!text) {
        return NULL;
    }
    whole = out = start = apr_palloc(pool, most + 2);
    for (c = (const unsigned char *)text; *c; c++) {
        int is_plain = *c >= 0x20 && *c < 0x7F && !strchr("\"\\%", *c);

        if ((*c & 0xC0) != 0x80) {
            whole = out;
        }
        if ((apr_size_t)(out - start) + (is_plain ? 1 : 3) > most) {
            out = whole;
            *out++ = '+';
            break;
        }
        if (is_plain) {
            *out++ = (char)*c;
        }
        else {
            *out++ = '%';
            *out++ = digits[*c >> 4];
            *out++ = digits[*c & 15];
        }
    }
    *out = '\0';
    return start;
}

/* The event with whom it names. */
static const char *name_event(const account_audit_t *audit, apr_pool_t *pool)
{
    const account_t *subject = audit->subject, *caller = audit->caller;
    const account_t *named = subject;

    switch (find_event(audit->event)->whom) {
    case CALLER:
        named = caller ? caller : subject;
        break;
    case BOTH:
        if (caller && subject && caller->id != subject->id) {
            return apr_psprintf(pool, "%s:%" APR_INT64_T_FMT ",%" APR_INT64_T_FMT, audit->event,
                                caller->id, subject->id);
        }
        break;
    case CHANGED:
        if (subject && audit->changed) {
            return apr_psprintf(pool, "%s:%" APR_INT64_T_FMT ",%s,%s", audit->event, subject->id,
                                clean(subject->role, 64, pool),
                                clean(audit->changed->role, 64, pool));
        }
        break;
    default:
        break;
    }
    return named ? apr_psprintf(pool, "%s:%" APR_INT64_T_FMT, audit->event, named->id)
                 : audit->event;
}

static const char *name_time(apr_time_t now, apr_pool_t *pool)
{
    apr_time_exp_t at;

    apr_time_exp_gmt(&at, now);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at.tm_year + 1900,
                        at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec,
                        (int)(at.tm_usec / 1000));
}

static void set_text(json_t *line, const char *name, const char *value)
{
    if (value) {
        json_object_set_new(line, name, json_string(value));
    }
}

static void set_account(json_t *line, const char *name, const account_t *account)
{
    if (account) {
        json_object_set_new(line, name, json_integer(account->id));
    }
}

const char *account_audit_line(const account_audit_t *audit, apr_pool_t *pool)
{
    json_t *line = json_object();
    const account_t *subject = audit->subject, *caller = audit->caller;
    int is_other = caller && (!subject || caller->id != subject->id);
    const char *text;
    char *dumped;

    set_text(line, "datetime", name_time(audit->now, pool));
    set_text(line, "appid", audit->realm);
    set_text(line, "event", name_event(audit, pool));
    set_text(line, "level", account_audit_is_warning(audit->event) ? "WARN" : "INFO");
    set_text(line, "description", clean(audit->description, 256, pool));
    set_text(line, "contract", clean(audit->contract, 64, pool));
    set_text(line, "route", clean(audit->route, 64, pool));
    set_text(line, "outcome", clean(audit->outcome, 128, pool));
    set_account(line, "account", subject);
    set_account(line, "by", is_other ? caller : NULL);
    set_text(line, "subject", subject ? NULL : audit->stranger);
    set_text(line, "session", audit->session);
    set_text(line, "useragent", clean(audit->agent, AGENT_MOST, pool));
    set_text(line, "source_ip", clean(audit->address, 64, pool));
    set_text(line, "host", clean(audit->host, 255, pool));
    set_text(line, "request_method", clean(audit->method, METHOD_MOST, pool));
    set_text(line, "request_uri", clean(audit->uri, URI_MOST, pool));
    dumped = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
    text = apr_pstrdup(pool, dumped);
    free(dumped);
    json_decref(line);
    return text;
}

const char *account_audit_stranger(const account_call_t *call)
{
    const account_input_t *inputs = call->action->inputs;
    const char *name = NULL, *canonical, *digest;
    apr_pool_t *pool = call->store->pool;
    int i;

    for (i = 0; call->values && inputs[i].name && !name; i++) {
        account_type_e type = inputs[i].type;

        if (type == ACCOUNT_TYPE_IDENTIFIER || type == ACCOUNT_TYPE_ADDRESS
            || type == ACCOUNT_TYPE_EMAIL || type == ACCOUNT_TYPE_MOBILE) {
            name = call->values[i];
        }
    }
    if (!name) {
        return NULL;
    }
    canonical = account_text_identifier(pool, name);
    digest = account_keys_digest(
        call->store->keys, 0,
        apr_pstrcat(pool, "audit/", call->store->realm, "/", canonical ? canonical : name, NULL),
        pool);
    return digest ? apr_pstrndup(pool, digest, 16) : NULL;
}
