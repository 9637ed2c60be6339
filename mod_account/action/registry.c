#include "action/registry.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "action/actions.h"

const char *const account_type_names[ACCOUNT_TYPES] = {
    [ACCOUNT_TYPE_IDENTIFIER] = "identifier",
    [ACCOUNT_TYPE_ADDRESS] = "address",
    [ACCOUNT_TYPE_EMAIL] = "email",
    [ACCOUNT_TYPE_MOBILE] = "mobile",
    [ACCOUNT_TYPE_SECRET] = "secret",
    [ACCOUNT_TYPE_NEW_SECRET] = "new-secret",
    [ACCOUNT_TYPE_TEXT] = "text",
    [ACCOUNT_TYPE_NUMBER] = "number",
    [ACCOUNT_TYPE_BOOLEAN] = "boolean",
    [ACCOUNT_TYPE_KIND] = "kind",
    [ACCOUNT_TYPE_ROLE] = "role",
    [ACCOUNT_TYPE_DATE] = "date",
};

/* clang-format off */
/* Short names, so that the table below reads like the one in the documentation. */
#define IDENTIFIER ACCOUNT_TYPE_IDENTIFIER
#define ADDRESS ACCOUNT_TYPE_ADDRESS
#define EMAIL ACCOUNT_TYPE_EMAIL
#define MOBILE ACCOUNT_TYPE_MOBILE
#define SECRET ACCOUNT_TYPE_SECRET
#define NEW_SECRET ACCOUNT_TYPE_NEW_SECRET
#define TEXT_ ACCOUNT_TYPE_TEXT
#define NUMBER_ ACCOUNT_TYPE_NUMBER
#define BOOLEAN ACCOUNT_TYPE_BOOLEAN
#define KIND ACCOUNT_TYPE_KIND
#define ROLE ACCOUNT_TYPE_ROLE
#define DATE ACCOUNT_TYPE_DATE
#define OPTIONAL ACCOUNT_OPTIONAL
#define REQUIRED ACCOUNT_REQUIRED
#define ONE_OF ACCOUNT_ONE_OF

#define INPUTS(...) ((const account_input_t[]){__VA_ARGS__, {NULL, 0, 0}})
#define NO_INPUTS ((const account_input_t[]){{NULL, 0, 0}})
#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CONSTANTS(...) ((const account_constant_t[]){__VA_ARGS__, {NULL, NULL, 0}})
#define NO_CONSTANTS ((const account_constant_t[]){{NULL, NULL, 0}})
#define ENDINGS(...)                                                                               \
    ((const account_ending_t[]){__VA_ARGS__}),                                                     \
        sizeof((const account_ending_t[]){__VA_ARGS__}) / sizeof(account_ending_t)

#define ANSWER(outcome, carries) {ACCOUNT_##outcome, 1, carries, NULL, NULL}
#define ANSWER_KIND(outcome, kind) {ACCOUNT_##outcome, 1, 0, "kind", "kind=" kind}
#define REFUSAL(outcome) {ACCOUNT_##outcome, 0, 0, NULL, NULL}
#define REFUSAL_INPUT(outcome, input) {ACCOUNT_##outcome, 0, 0, input, NULL}
#define REFUSAL_SET(outcome, constant) {ACCOUNT_##outcome, 0, 0, NULL, constant}

enum {
    account = ACCOUNT_CARRIES_ACCOUNT,
    session = ACCOUNT_CARRIES_SESSION,
    question = ACCOUNT_CARRIES_QUESTION,
    token = ACCOUNT_CARRIES_TOKEN,
    points = ACCOUNT_CARRIES_POINTS,
    captcha = ACCOUNT_CARRIES_CAPTCHA,
    sessions = ACCOUNT_CARRIES_SESSIONS,
    retry = ACCOUNT_CARRIES_RETRY
};

const account_input_t account_profile_inputs[] = {
    {"given_name", TEXT_, OPTIONAL},
    {"family_name", TEXT_, OPTIONAL},
    {"name", TEXT_, OPTIONAL},
    {"nickname", TEXT_, OPTIONAL},
    {"picture", TEXT_, OPTIONAL},
    {"gender", TEXT_, OPTIONAL},
    {"birthdate", DATE, OPTIONAL},
    {"phone_number", TEXT_, OPTIONAL},
    {"question", TEXT_, OPTIONAL},
    {"answer", SECRET, OPTIONAL},
    {NULL, 0, 0},
};

#define SENDS_NOTHING {NULL, NULL, NULL}

const account_action_t account_actions[] = {
    {"none", 0, 0, 0, 0, NO_INPUTS, NO_CONSTANTS, ENDINGS(ANSWER(OK, 0)), account_do_none,
     SENDS_NOTHING},

    {"current", 1, 0, 0, 0, NO_INPUTS, NO_CONSTANTS, ENDINGS(ANSWER(OK, account | session)),
     account_do_current, SENDS_NOTHING},

    {"login", 0, 1, 0, 0,
     INPUTS({"account", IDENTIFIER, REQUIRED}, {"password", SECRET, REQUIRED},
            {"code", SECRET, OPTIONAL}),
     CONSTANTS({"purpose", VALUES("any"), 0}),
     ENDINGS(ANSWER(OK, account | session), REFUSAL(UNKNOWN_ACCOUNT), REFUSAL(WRONG_PASSWORD),
             REFUSAL_INPUT(WRONG_CODE, "code"), REFUSAL_INPUT(EXPIRED_CODE, "code"),
             REFUSAL(NOT_ACTIVATED), REFUSAL(ACCOUNT_DISABLED)),
     account_do_login, SENDS_NOTHING},

    {"login_with_code", 0, 1, 0, 0,
     INPUTS({"target", ADDRESS, REQUIRED}, {"code", SECRET, REQUIRED}),
     CONSTANTS({"purpose", VALUES("login", "any"), 1}),
     ENDINGS(ANSWER(OK, account | session), REFUSAL(UNKNOWN_ACCOUNT), REFUSAL(WRONG_CODE),
             REFUSAL(EXPIRED_CODE), REFUSAL(ACCOUNT_DISABLED)),
     account_do_login_with_code, SENDS_NOTHING},

    {"logout", 0, 1, 0, 0, INPUTS({"account_id", NUMBER_, OPTIONAL}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, 0), REFUSAL(NOT_LOGGED_IN), REFUSAL_INPUT(NOT_YOURS, "account_id")),
     account_do_logout, SENDS_NOTHING},

    {"sessions", 1, 0, 0, 0, NO_INPUTS, NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account | session | sessions)), account_do_sessions, SENDS_NOTHING},

    {"end_session", 1, 1, 0, 0, INPUTS({"session_id", TEXT_, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, 0), REFUSAL(UNKNOWN_SESSION)), account_do_end_session, SENDS_NOTHING},

    {"end_other_sessions", 1, 1, 0, 0, NO_INPUTS, NO_CONSTANTS, ENDINGS(ANSWER(OK, 0)),
     account_do_end_other_sessions, SENDS_NOTHING},

    {"register", 0, 1, 1, 0,
     INPUTS({"user_name", IDENTIFIER, ONE_OF}, {"email", EMAIL, ONE_OF}, {"mobile", MOBILE, ONE_OF},
            {"account", IDENTIFIER, ONE_OF}, {"password", NEW_SECRET, REQUIRED},
            {"role", ROLE, OPTIONAL}),
     CONSTANTS({"then", VALUES("nothing", "login", "activate"), 0}),
     ENDINGS(ANSWER(OK, account | session), REFUSAL_INPUT(TAKEN_USER_NAME, "user_name|account"),
             REFUSAL_INPUT(TAKEN_EMAIL, "email|account"),
             REFUSAL_INPUT(TAKEN_MOBILE, "mobile|account"), REFUSAL_INPUT(ROLE_REFUSED, "role")),
     account_do_register, {"email|account", "then=activate", "activate"}},

    {"register_with_code", 0, 1, 1, 0,
     INPUTS({"target", ADDRESS, REQUIRED}, {"code", SECRET, REQUIRED},
            {"password", NEW_SECRET, OPTIONAL}),
     CONSTANTS({"purpose", VALUES("register", "any"), 1},
               {"then", VALUES("nothing", "login"), 0}),
     ENDINGS(ANSWER(OK, account | session), REFUSAL_INPUT(TAKEN_EMAIL, "target"),
             REFUSAL_INPUT(TAKEN_MOBILE, "target"), REFUSAL(WRONG_CODE), REFUSAL(EXPIRED_CODE)),
     account_do_register_with_code, SENDS_NOTHING},

    {"send_code", 0, 1, 0, 0,
     INPUTS({"target", ADDRESS, REQUIRED}, {"captcha_id", TEXT_, OPTIONAL},
            {"captcha_value", TEXT_, OPTIONAL}),
     CONSTANTS({"purpose", VALUES("register", "login", "reset", "any", "change"), 1}),
     ENDINGS(ANSWER(OK, 0), REFUSAL_SET(TAKEN_EMAIL, "purpose=register"),
             REFUSAL_SET(TAKEN_MOBILE, "purpose=register"),
             REFUSAL_SET(UNKNOWN_ACCOUNT, "purpose=login"),
             REFUSAL_SET(UNKNOWN_ACCOUNT, "purpose=reset"),
             REFUSAL_SET(TAKEN_EMAIL, "purpose=change"),
             REFUSAL_SET(TAKEN_MOBILE, "purpose=change"),
             REFUSAL_SET(NOT_LOGGED_IN, "purpose=change"),
             {ACCOUNT_ALREADY_LOGGED_IN, 0, account, NULL, "purpose=login"},
             {ACCOUNT_TOO_MANY_INTERVAL, 0, retry, NULL, NULL},
             REFUSAL_INPUT(CAPTCHA_NEEDED, "captcha_id"),
             REFUSAL_INPUT(WRONG_CAPTCHA, "captcha_id")),
     account_do_send_code, {"target", NULL, NULL}},

    {"send_link", 0, 1, 0, 0,
     INPUTS({"target", ADDRESS, REQUIRED}, {"captcha_id", TEXT_, OPTIONAL},
            {"captcha_value", TEXT_, OPTIONAL}),
     NO_CONSTANTS,
     ENDINGS(ANSWER(OK, 0), {ACCOUNT_TOO_MANY_INTERVAL, 0, retry, NULL, NULL},
             REFUSAL_INPUT(CAPTCHA_NEEDED, "captcha_id"),
             REFUSAL_INPUT(WRONG_CAPTCHA, "captcha_id")),
     account_do_send_link, {"target", NULL, "reset_by_link"}},

    {"change_password", 1, 1, 0, 0,
     INPUTS({"old_password", SECRET, REQUIRED}, {"password", NEW_SECRET, REQUIRED}),
     CONSTANTS({"sessions", VALUES("others", "all"), 0}),
     ENDINGS(ANSWER(OK, account), REFUSAL(WRONG_PASSWORD)), account_do_change_password,
     SENDS_NOTHING},

    {"reset_password", 0, 1, 0, 0,
     INPUTS({"target", IDENTIFIER, REQUIRED}, {"account", IDENTIFIER, OPTIONAL},
            {"code", SECRET, REQUIRED}, {"password", NEW_SECRET, REQUIRED},
            {"captcha_id", TEXT_, OPTIONAL}, {"captcha_value", TEXT_, OPTIONAL}),
     CONSTANTS({"purpose", VALUES("reset", "any", "answer"), 1},
               {"then", VALUES("nothing", "login"), 0}),
     ENDINGS(ANSWER(OK, account | session), REFUSAL(UNKNOWN_ACCOUNT), REFUSAL(WRONG_CODE),
             REFUSAL(EXPIRED_CODE), REFUSAL(ACCOUNT_DISABLED),
             REFUSAL_INPUT(CAPTCHA_NEEDED, "captcha_id"),
             REFUSAL_INPUT(WRONG_CAPTCHA, "captcha_id")),
     account_do_reset_password, SENDS_NOTHING},

    {"update_profile", 1, 1, 1, 1, INPUTS({"email", EMAIL, OPTIONAL}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account), REFUSAL_INPUT(TAKEN_EMAIL, "email")), account_do_update_profile,
     SENDS_NOTHING},

    {"change_address", 1, 1, 0, 0,
     INPUTS({"target", ADDRESS, REQUIRED}, {"code", SECRET, REQUIRED}),
     CONSTANTS({"purpose", VALUES("change"), 0}),
     ENDINGS(ANSWER(OK, account), REFUSAL_INPUT(TAKEN_EMAIL, "target"),
             REFUSAL_INPUT(TAKEN_MOBILE, "target"), REFUSAL(WRONG_CODE), REFUSAL(EXPIRED_CODE)),
     account_do_change_address, SENDS_NOTHING},

    {"check_identifier", 0, 0, 0, 0,
     INPUTS({"value", TEXT_, REQUIRED}, {"kind", KIND, REQUIRED}),
     CONSTANTS({"kind", VALUES("user_name", "email", "mobile"), 0}),
     ENDINGS(ANSWER(FREE, 0), ANSWER_KIND(TAKEN_USER_NAME, "user_name"),
             ANSWER_KIND(TAKEN_EMAIL, "email"), ANSWER_KIND(TAKEN_MOBILE, "mobile")),
     account_do_check_identifier, SENDS_NOTHING},

    {"security_question", 0, 0, 0, 0, INPUTS({"account", IDENTIFIER, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, question), REFUSAL(UNKNOWN_ACCOUNT), REFUSAL(NO_QUESTION)),
     account_do_security_question, SENDS_NOTHING},

    {"check_answer", 0, 1, 0, 0,
     INPUTS({"account", IDENTIFIER, REQUIRED}, {"question", TEXT_, REQUIRED},
            {"answer", SECRET, REQUIRED}),
     NO_CONSTANTS,
     ENDINGS(ANSWER(OK, token), REFUSAL(UNKNOWN_ACCOUNT), REFUSAL(WRONG_ANSWER)),
     account_do_check_answer, SENDS_NOTHING},

    {"points", 1, 0, 0, 0,
     INPUTS({"recent", BOOLEAN, OPTIONAL}, {"older", BOOLEAN, OPTIONAL}, {"all", BOOLEAN, OPTIONAL},
            {"page", NUMBER_, OPTIONAL}, {"size", NUMBER_, OPTIONAL}),
     NO_CONSTANTS, ENDINGS(ANSWER(OK, account | points)), account_do_points, SENDS_NOTHING},

    {"captcha", 0, 0, 0, 0, NO_INPUTS, NO_CONSTANTS, ENDINGS(ANSWER(OK, captcha)),
     account_do_captcha, SENDS_NOTHING},

    {"captcha_image", 0, 0, 0, 0, INPUTS({"captcha_id", TEXT_, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(IMAGE, 0), REFUSAL(UNKNOWN_CAPTCHA)), account_do_captcha_image,
     SENDS_NOTHING},

    /* What a mailed address shows at first: nothing is looked up, nothing is spent. */
    {"open_link", 0, 0, 0, 0, INPUTS({"token", SECRET, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, token)), account_do_open_link, SENDS_NOTHING},

    {"activate", 0, 1, 0, 0, INPUTS({"token", SECRET, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account), REFUSAL(EXPIRED_TOKEN)), account_do_activate, SENDS_NOTHING},

    {"reset_by_link", 0, 1, 0, 0,
     INPUTS({"token", SECRET, REQUIRED}, {"password", NEW_SECRET, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account), REFUSAL(EXPIRED_TOKEN), REFUSAL(ACCOUNT_DISABLED)),
     account_do_reset_by_link, SENDS_NOTHING},

    {"set_role", 1, 1, 0, 0,
     INPUTS({"account", IDENTIFIER, REQUIRED}, {"role", ROLE, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account), REFUSAL(FORBIDDEN), REFUSAL(UNKNOWN_ACCOUNT),
             REFUSAL(ROLE_REFUSED)),
     account_do_set_role, SENDS_NOTHING},

    {"disable", 1, 1, 0, 0, INPUTS({"account", IDENTIFIER, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account), REFUSAL(FORBIDDEN), REFUSAL(UNKNOWN_ACCOUNT)),
     account_do_disable, SENDS_NOTHING},

    {"enable", 1, 1, 0, 0, INPUTS({"account", IDENTIFIER, REQUIRED}), NO_CONSTANTS,
     ENDINGS(ANSWER(OK, account), REFUSAL(FORBIDDEN), REFUSAL(UNKNOWN_ACCOUNT)),
     account_do_enable, SENDS_NOTHING},

    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, SENDS_NOTHING},
};
/* clang-format on */

const account_action_t *account_action_find(const char *name)
{
    const account_action_t *action;

    for (action = account_actions; action->name; action++) {
        if (strcmp(action->name, name) == 0) {
            return action;
        }
    }
    return NULL;
}

static int is_extra_name(const char *name)
{
    const char *c;

    for (c = name; *c; c++) {
        if (!apr_islower(*c) && !apr_isdigit(*c) && *c != '_') {
            return 0;
        }
    }
    return c > name && c - name <= 64;
}

static const account_input_t *find_input(const account_input_t *inputs, const char *name)
{
    for (; inputs->name; inputs++) {
        if (strcmp(inputs->name, name) == 0) {
            return inputs;
        }
    }
    return NULL;
}

int account_input_is_profile(const char *name)
{
    return (strncmp(name, "extra.", 6) == 0 && is_extra_name(name + 6))
           || find_input(account_profile_inputs, name) != NULL;
}

int account_action_input(const account_action_t *action, const char *name, account_input_t *input)
{
    const account_input_t *found = find_input(action->inputs, name);

    if (!found && action->takes_profile && account_input_is_profile(name)) {
        found = find_input(account_profile_inputs, name);
        if (!found) {
            *input = (account_input_t){name, ACCOUNT_TYPE_TEXT, ACCOUNT_OPTIONAL};
            return 1;
        }
    }
    if (found) {
        *input = *found;
    }
    return found != NULL;
}

int account_is_listed(const char *list, const char *value)
{
    apr_size_t length = strlen(value);

    while (list && *list) {
        if (strncmp(list, value, length) == 0 && (!list[length] || list[length] == ',')) {
            return 1;
        }
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return 0;
}
