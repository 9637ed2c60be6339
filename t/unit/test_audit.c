/*
 * The audit: no action can end in a way of which nobody has said whether it is a security event; a
 * line is one line of plain JSON, whatever a client sends.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/registry.h"
#include "tap.h"

#define KEY_A "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"
#define KEY_B "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\n"

/* An outcome of the engine, which any action may have: those from here on. */
static int is_engines(account_outcome_e outcome)
{
    return outcome >= ACCOUNT_TOO_MANY_INTERVAL;
}

static int has_ending(const account_action_t *action, account_outcome_e outcome)
{
    int i;

    for (i = 0; i < action->ending_count; i++) {
        if (action->endings[i].outcome == outcome) {
            return 1;
        }
    }
    return 0;
}

/* Every action, every ending. */
static void test_no_gaps(void)
{
    const account_action_t *action;
    int i;

    for (action = account_actions; action->name; action++) {
        for (i = 0; i < action->ending_count; i++) {
            account_outcome_e outcome = action->endings[i].outcome;
            const account_audit_row_t *row = account_audit_find(action->name, outcome);

            ok(row != NULL && (row->action || is_engines(outcome)), "%s, %s: has a row",
               action->name, account_outcomes[outcome].name);
        }
        for (i = ACCOUNT_TOO_MANY_INTERVAL; i < ACCOUNT_OUTCOMES; i++) {
            if (!account_audit_find(action->name, i)) {
                ok(0, "%s, %s: has a row", action->name, account_outcomes[i].name);
            }
        }
    }
    ok(account_audit_find("login", ACCOUNT_NOT_YOURS) == NULL, "what can't happen has no row");
    ok(account_audit_find("fly", ACCOUNT_OK) == NULL, "nor has an action that is none");
}

/* No row is of something that does not exist, none stands twice, none has an event of its own
 * invention. */
static void test_rows(void)
{
    const account_audit_row_t *row, *other;

    for (row = account_audit_rows; row->outcome != ACCOUNT_OUTCOMES; row++) {
        const char *outcome = account_outcomes[row->outcome].name;
        const char *name = row->action ? row->action : "any action";
        const account_action_t *action = row->action ? account_action_find(row->action) : NULL;

        ok(row->action ? action && (has_ending(action, row->outcome) || is_engines(row->outcome))
                       : is_engines(row->outcome),
           "%s, %s: can happen", name, outcome);
        ok(!row->event == !row->description
               && (!row->event || (account_audit_is_known(row->event) && *row->description)),
           "%s, %s: an event of the vocabulary with a description, or none", name, outcome);
        for (other = account_audit_rows; other != row; other++) {
            if (other->outcome == row->outcome && !other->action == !row->action
                && (!row->action || strcmp(other->action, row->action) == 0)) {
                ok(0, "%s, %s: stands once", name, outcome);
            }
        }
    }
}

typedef struct expected_t {
    const char *action;
    account_outcome_e outcome;
    const char *event;
    int is_warning;
} expected_t;

/* Those that a person will look for. */
static void test_vocabulary(void)
{
    static const expected_t table[] = {
        {"login", ACCOUNT_OK, "authn_login_success", 0},
        {"login", ACCOUNT_WRONG_PASSWORD, "authn_login_fail", 1},
        {"login", ACCOUNT_UNKNOWN_ACCOUNT, "authn_login_fail", 1},
        {"login", ACCOUNT_TOO_MANY, "authn_login_fail_max", 1},
        {"login_with_code", ACCOUNT_TOO_MANY, "authn_login_fail_max", 1},
        {"send_code", ACCOUNT_TOO_MANY, "excess_rate_limit_exceeded", 1},
        {"change_password", ACCOUNT_OK, "authn_password_change", 0},
        {"change_password", ACCOUNT_WRONG_PASSWORD, "authn_password_change_fail", 1},
        {"change_password", ACCOUNT_NOT_LOGGED_IN, "authz_fail", 1},
        {"current", ACCOUNT_NOT_LOGGED_IN, NULL, 0},
        {"reset_by_link", ACCOUNT_OK, "authn_password_change", 0},
        {"logout", ACCOUNT_OK, "session_expired", 0},
        {"set_role", ACCOUNT_OK, "authz_change", 1},
        {"set_role", ACCOUNT_FORBIDDEN, "authz_fail", 1},
        {"disable", ACCOUNT_OK, "user_archived", 1},
        {"enable", ACCOUNT_OK, "user_updated", 1},
        {"register", ACCOUNT_OK, "user_created", 1},
        {"login", ACCOUNT_CROSS_SITE, "malicious_cors", 1},
        {"login", ACCOUNT_INVALID, "input_validation_fail", 1},
        {"login", ACCOUNT_BAD_REQUEST, "input_validation_fail", 1},
        {"login", ACCOUNT_UNAVAILABLE, NULL, 0},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const account_audit_row_t *row = account_audit_find(table[i].action, table[i].outcome);

        is_str(row ? row->event : "no row", table[i].event, "%s, %s", table[i].action,
               account_outcomes[table[i].outcome].name);
        if (table[i].event) {
            is_int(account_audit_is_warning(table[i].event), table[i].is_warning, "%s: level",
                   table[i].event);
        }
    }
    ok(!account_audit_is_known("authn_login_sucess"), "another spelling is not known");
    ok(account_audit_is_warning("authn_login_sucess"), "and warns");
}

static const account_t geely = {.id = 42, .role = "user"};
static const account_t boss = {.id = 7, .role = "admin"};
static const account_t promoted = {.id = 42, .role = "admin"};

static json_t *parse(const char *line)
{
    return json_loads(line, 0, NULL);
}

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static void test_line(apr_pool_t *pool)
{
    account_audit_t audit = {
        .now = APR_INT64_C(1795258319162345),
        .realm = "shop",
        .event = "authn_login_fail",
        .description = "wrong password",
        .contract = "tiny",
        .route = "enter",
        .outcome = "wrong-password",
        .subject = &geely,
        .stranger = "0123456789abcdef",
        .session = "fedcba9876543210",
        .agent = "curl/8",
        .address = "192.0.2.1",
        .host = "shop.example",
        .method = "POST",
        .uri = "/user/login.do",
    };

    is_str(account_audit_line(&audit, pool),
           "{\"datetime\":\"2026-11-21T10:51:59.162Z\",\"appid\":\"shop\","
           "\"event\":\"authn_login_fail:42\",\"level\":\"WARN\",\"description\":\"wrong "
           "password\",\"contract\":\"tiny\",\"route\":\"enter\",\"outcome\":\"wrong-password\","
           "\"account\":42,\"session\":\"fedcba9876543210\",\"useragent\":\"curl/8\","
           "\"source_ip\":\"192.0.2.1\",\"host\":\"shop.example\",\"request_method\":\"POST\","
           "\"request_uri\":\"/user/login.do\"}",
           "a line");
    audit = (account_audit_t){.realm = "shop",
                              .event = "authn_login_fail",
                              .description = "x",
                              .stranger = "0123456789abcdef"};
    is_str(account_audit_line(&audit, pool),
           "{\"datetime\":\"1970-01-01T00:00:00.000Z\",\"appid\":\"shop\",\"event\":\"authn_login_"
           "fail\",\"level\":\"WARN\",\"description\":\"x\",\"subject\":\"0123456789abcdef\"}",
           "the shortest, of a stranger");
}

typedef struct whom_t {
    const char *name;
    const char *event;
    const account_t *subject;
    const account_t *changed;
    const account_t *caller;
    const char *expected;
    int account; /* 0: not there */
    int by;
} whom_t;

static void test_whom(apr_pool_t *pool)
{
    static const whom_t table[] = {
        {"nobody", "authn_login_fail", NULL, NULL, NULL, "authn_login_fail", 0, 0},
        {"a login", "authn_login_success", &geely, &geely, NULL, "authn_login_success:42", 42, 0},
        {"a login in another's session", "authn_login_success", &geely, &geely, &boss,
         "authn_login_success:42", 42, 7},
        {"one's own profile", "user_updated", &geely, &promoted, &geely, "user_updated:42", 42, 0},
        {"another's account", "user_archived", &geely, &geely, &boss, "user_archived:7,42", 42, 7},
        {"another's role", "authz_change", &geely, &promoted, &boss, "authz_change:42,user,admin",
         42, 7},
        {"what he may not", "authz_fail", &boss, NULL, &geely, "authz_fail:42", 7, 42},
        {"what nobody may", "authz_fail", NULL, NULL, NULL, "authz_fail", 0, 0},
        {"what he may not, to nobody", "authz_fail", NULL, NULL, &geely, "authz_fail:42", 0, 42},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        account_audit_t audit = {.realm = "r",
                                 .event = table[i].event,
                                 .description = "x",
                                 .subject = table[i].subject,
                                 .changed = table[i].changed,
                                 .caller = table[i].caller};
        json_t *json = parse(account_audit_line(&audit, pool));

        is_str(text_of(json, "event"), table[i].expected, "%s: event", table[i].name);
        is_int(json_integer_value(json_object_get(json, "account")), table[i].account,
               "%s: account", table[i].name);
        is_int(json_integer_value(json_object_get(json, "by")), table[i].by, "%s: by",
               table[i].name);
        json_decref(json);
    }
}

static int is_plain(const char *line)
{
    for (; *line; line++) {
        if (*line < 0x20 || *line > 0x7E || *line == '\\') {
            return 0;
        }
    }
    return 1;
}

/* A text with every byte, and a long one of each: none breaks the line. */
static void test_hostile(apr_pool_t *pool)
{
    static const struct {
        const char *sent;
        const char *expected;
    } table[] = {
        {"Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)"},
        {"a\r\n{\"event\":\"x\"}", "a%0D%0A{%22event%22:%22x%22}"},
        {"\x1b[31mred\x1b[0m", "%1B[31mred%1B[0m"},
        {"\\\" %41 \x7f", "%5C%22 %2541 %7F"},
        {"h\xC3\xA9 \xE4\xBD\xA0", "h%C3%A9 %E4%BD%A0"},
        {"\xFF\xFE", "%FF%FE"},
        {"", ""},
    };
    account_audit_t audit = {.realm = "r", .event = "authn_login_fail", .description = "x"};
    char every[256], many[4001];
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        json_t *json;

        audit.agent = audit.uri = table[i].sent;
        json = parse(account_audit_line(&audit, pool));
        is_str(text_of(json, "useragent"), table[i].expected, "an agent: %s", table[i].expected);
        is_str(text_of(json, "request_uri"), table[i].expected, "a path: %s", table[i].expected);
        json_decref(json);
    }
    for (i = 0; i < 255; i++) {
        every[i] = (char)(i + 1);
    }
    every[255] = '\0';
    audit.agent = audit.uri = audit.method = audit.host = audit.address = every;
    ok(is_plain(account_audit_line(&audit, pool)), "every byte: a plain line");
    for (i = 1; i < 256; i++) {
        const char *line;
        json_t *json;

        memset(many, (int)i, 4000);
        many[4000] = '\0';
        audit.agent = audit.uri = audit.method = audit.host = audit.address = many;
        audit.contract = audit.route = audit.outcome = audit.description = many;
        line = account_audit_line(&audit, pool);
        json = parse(line);
        if (!is_plain(line) || strlen(line) + 1 > ACCOUNT_AUDIT_MOST || !json) {
            ok(0, "4000 times byte %d: a plain line of %d bytes", (int)i, (int)strlen(line));
        }
        json_decref(json);
    }
    memset(many, 'x', 4000);
    memcpy(many + 508, "\xE4\xBD\xA0", 3);
    audit = (account_audit_t){.realm = "r", .event = "x", .description = "x", .agent = many};
    {
        json_t *json = parse(account_audit_line(&audit, pool));
        const char *agent = text_of(json, "useragent");

        ok(agent && strlen(agent) == 509 && agent[508] == '+', "no character is cut in two");
        json_decref(json);
    }
}

static const char *stranger(const char *key, const char *realm, const char *name, apr_pool_t *pool)
{
    const account_action_t *login = account_action_find("login");
    const char *values[] = {name, "a password", NULL};
    account_keys_t *keys;
    const char *error;
    account_store_t store = {.realm = realm, .pool = pool};
    account_call_t call = {.action = login, .store = &store, .values = name ? values : NULL};

    if (account_keys_parse(&keys, &error, key, pool) != APR_SUCCESS) {
        return error;
    }
    store.keys = keys;
    return account_audit_stranger(&call);
}

static void test_stranger(apr_pool_t *pool)
{
    const char *digest = stranger(KEY_A, "shop", "geely", pool);

    ok(digest && strlen(digest) == 16 && strspn(digest, "0123456789abcdef") == 16,
       "a name that nobody has: 16 digits");
    is_str(stranger(KEY_A, "shop", "GEELY", pool), digest, "in another spelling the same");
    ok(strcmp(stranger(KEY_A, "shop", "anna", pool), digest) != 0, "another name: others");
    ok(strcmp(stranger(KEY_A, "mall", "geely", pool), digest) != 0, "another realm: others");
    ok(strcmp(stranger(KEY_B, "shop", "geely", pool), digest) != 0, "another key: others");
    ok(stranger(KEY_A, "shop", NULL, pool) == NULL, "no name: none");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    test_no_gaps();
    test_rows();
    test_vocabulary();
    test_line(pool);
    test_whom(pool);
    test_hostile(pool);
    test_stranger(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
