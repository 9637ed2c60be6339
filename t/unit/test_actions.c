/* The actions end to end: a request in, a reply out, on SQLite in memory. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "site.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void test_mmall_register(server_t *server)
{
    static const struct {
        const char *form;
        const char *status;
    } rows[] = {
        {"username=admin&password=password1&email=a%40b.cc&phone=13800138000&question=q&answer=a",
         "0"},
        {"username=admin&password=password1&email=x%40b.cc", "1"},
        {"username=+ADMIN+&password=password1&email=x%40b.cc", "1"},
        {"username=other&password=password1&email=A%40B.cc", "1"},
        {"username=a%40b.cc&password=password1&email=x%40b.cc", "1"},
        {"username=other&password=short&email=x%40b.cc", "1"},
        {"username=other&password=password1&email=x", "1"},
        {"username=other&password=password1", "1"},
        {"username=other&email=x%40b.cc", "1"},
        {"username=other&username=another&password=password1&email=x%40b.cc", "1"},
        {"username=other&password=password1&email=%", "1"},
        {"username=other&password=password1&email=x%40b.cc&question=a%0Ab", "1"},
        {"username=poor&password=123456&email=poor%40b.cc", "0"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        expect_status(server, "POST /user/register.do", rows[i].form, NULL, rows[i].status);
        is_int(server->response.status, 200, "and HTTP says 200");
        ok(!server->response.answer.session_begun, "and nobody is logged in");
    }
    ok(!stored(server, "other") && !stored(server, "x@b.cc"),
       "what was refused left nothing behind");
    is_int(stored(server, "poor")->id, stored(server, "admin")->id + 1, "not even a number");
}

static void test_mmall(server_t *server)
{
    const char *admin, *token;

    test_mmall_register(server);
    admin = mmall_login(server, "username=admin&password=password1");
    ok(admin != NULL, "mmall: a session");
    is_str(member(server, "data.username"), "admin", "mmall: the user");
    is_str(member(server, "data.email"), "a@b.cc", "mmall: the email");
    is_str(member(server, "data.phone"), "13800138000", "mmall: the phone");
    is_str(member(server, "data.role"), "0", "mmall: the role");
    is_str(member(server, "data.answer"), "a", "mmall: the answer");
    is_str(member(server, "data.password"), "", "mmall: no password");
    expect_status(server, "POST /user/login.do", "username=A%40b.cc&password=password1", NULL, "0");
    expect_status(server, "POST /user/login.do", "username=admin&password=Password1", NULL, "1");
    expect_status(server, "POST /user/login.do", "username=admin&password=password1+", NULL, "1");
    expect_status(server, "POST /user/login.do", "username=nobody&password=password1", NULL, "1");
    /* the phone of a profile is no identifier */
    expect_status(server, "POST /user/login.do", "username=13800138000&password=password1", NULL,
                  "1");
    expect_status(server, "POST /user/login.do", "username=admin", NULL, "1");

    expect_status(server, "GET /user/get_information.do", NULL, NULL, "10");
    expect_status(server, "GET /user/get_user_info.do", NULL, NULL, "1");
    expect_status(server, "GET /user/get_user_info.do", NULL, admin, "0");
    expect_status(server, "GET /user/check_valid.do", "type=username&str=admin", NULL, "1");
    expect_status(server, "GET /user/check_valid.do", "type=email&str=A%40B.CC", NULL, "1");
    expect_status(server, "GET /user/check_valid.do", "type=username&str=free", NULL, "0");
    expect_status(server, "GET /user/check_valid.do", "type=phone&str=free", NULL, "1");

    expect_status(server, "POST /user/forget_get_question.do", "username=admin", NULL, "0");
    is_str(member(server, "data"), "q", "mmall: the question");
    expect_status(server, "POST /user/forget_get_question.do", "username=poor", NULL, "1");
    expect_status(server, "POST /user/forget_get_question.do", "username=nobody", NULL, "1");
    expect_status(server, "POST /user/forget_check_answer.do", "username=admin&question=q&answer=b",
                  NULL, "1");
    expect_status(server, "POST /user/forget_check_answer.do", "username=admin&question=p&answer=a",
                  NULL, "1");
    expect_status(server, "POST /user/forget_check_answer.do", "username=poor&question=q&answer=a",
                  NULL, "1");
    expect_status(server, "POST /user/forget_check_answer.do", "username=admin&question=q&answer=a",
                  NULL, "0");
    token = member(server, "data");
    ok(strlen(token) == 36 && token[14] == '4', "mmall: the token is a UUID");
    expect_status(server, "POST /user/forget_reset_password.do",
                  "username=admin&passwordNew=password2", NULL, "1");
    expect_status(server, "POST /user/forget_reset_password.do",
                  "username=admin&passwordNew=password2&forgetToken=wrong", NULL, "1");
    expect_status(server, "POST /user/forget_reset_password.do",
                  apr_pstrcat(server->process,
                              "username=poor&passwordNew=password2&forgetToken=", token, NULL),
                  NULL, "1");
    expect_status(server, "GET /user/get_user_info.do", NULL, admin, "0");
    expect_status(server, "POST /user/forget_reset_password.do",
                  apr_pstrcat(server->process,
                              "username=admin&passwordNew=password2&forgetToken=", token, NULL),
                  NULL, "0");
    expect_status(server, "GET /user/get_user_info.do", NULL, admin, "1");
    expect_status(server, "POST /user/login.do", "username=admin&password=password1", NULL, "1");
    admin = mmall_login(server, "username=admin&password=password2");

    expect_status(server, "POST /user/reset_password.do", "passwordOld=x&passwordNew=password3",
                  admin, "1");
    expect_status(server, "POST /user/reset_password.do",
                  "passwordOld=password2&passwordNew=password3", NULL, "1");
    expect_status(server, "POST /user/reset_password.do",
                  "passwordOld=password2&passwordNew=password3", admin, "0");
    ok(cookie(server, "mmall_login_token") != NULL, "mmall: the caller goes on");
    expect_status(server, "GET /user/get_user_info.do", NULL, admin, "1");
    admin = mmall_login(server, "username=admin&password=password3");

    expect_status(server, "POST /user/update_information.do", "phone=13900139000&email=n%40b.cc",
                  admin, "0");
    is_str(member(server, "data.phone"), "13900139000", "mmall: the new phone");
    is_str(member(server, "data.question"), "q", "mmall: what is absent stays");
    expect_status(server, "POST /user/update_information.do", "email=poor%40b.cc", admin, "1");
    expect_status(server, "POST /user/update_information.do", "phone=1", NULL, "1");
    expect_status(server, "POST /user/logout.do", NULL, admin, "0");
    ok(server->response.answer.session_ended, "mmall: the cookie expires");
    expect_status(server, "POST /user/logout.do", NULL, admin, "0");
    expect_status(server, "GET /user/get_information.do", NULL, admin, "10");
}

/* The sixth contract: register with each kind of identifier, then login. */
static void test_register(server_t *server)
{
    static const struct {
        const char *form;
        const char *outcome;
        const char *user_name; /* "null": none */
        const char *email;
        const char *mobile;
        const char *kind;
    } rows[] = {
        {"u=Bob&p=password1", "ok", "Bob", "null", "null", "user_name"},
        {"e=Bob%40B.cc&p=password1", "ok", "null", "Bob@B.cc", "null", "email"},
        {"m=%2B8613700137000&p=password1", "ok", "null", "null", "13700137000", "mobile"},
        {"a=carol&p=password1", "ok", "carol", "null", "null", "user_name"},
        {"a=carol%40b.cc&p=password1", "ok", "null", "carol@b.cc", "null", "email"},
        {"a=13700137001&p=password1", "ok", "null", "null", "13700137001", "mobile"},
        {"u=dave&e=dave%40b.cc&m=13700137002&p=password1", "ok", "dave", "dave@b.cc", "13700137002",
         "user_name"},
        {"e=erin%40b.cc&m=13700137003&p=password1", "ok", "null", "erin@b.cc", "13700137003",
         "email"},
        {"u=frank%40b.cc&e=frank%40b.cc&p=password1", "ok", "frank@b.cc", "frank@b.cc", "null",
         "user_name"},
        {"u=BOB&p=password1", "taken.user_name", NULL, NULL, NULL, NULL},
        {"a=%EF%BC%A2ob&p=password1", "taken.user_name", NULL, NULL, NULL, NULL},
        {"e=bob%40b.CC&p=password1", "taken.email", NULL, NULL, NULL, NULL},
        {"a=bob%40b.cc&p=password1", "taken.email", NULL, NULL, NULL, NULL},
        {"m=13700137000&p=password1", "taken.mobile", NULL, NULL, NULL, NULL},
        {"a=8613700137000&p=password1", "taken.mobile", NULL, NULL, NULL, NULL},
        {"u=bob%40b.cc&p=password1", "taken.user_name", NULL, NULL, NULL, NULL},
        {"u=13700137000&p=password1", "taken.user_name", NULL, NULL, NULL, NULL},
        {"u=new&e=bob%40b.cc&m=13700137000&p=password1", "taken.email", NULL, NULL, NULL, NULL},
        {"u=new&p=password1&r=user", "ok", "new", "null", "null", "user_name"},
        {"u=newer&p=password1&r=admin", "role-refused", NULL, NULL, NULL, NULL},
        {"p=password1", "invalid.user_name.required", NULL, NULL, NULL, NULL},
        {"u=newer&p=short", "invalid.password.length", NULL, NULL, NULL, NULL},
        {"u=newer&p=password1&p=password2", "bad-request", NULL, NULL, NULL, NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        expect(server, "POST /six/register", rows[i].form, NULL, rows[i].outcome);
        is_int(server->response.answer.session_begun, rows[i].user_name != NULL,
               "%s: logged in or not", rows[i].form);
        if (rows[i].user_name) {
            is_str(member(server, "user_name"), rows[i].user_name, "%s: user name", rows[i].form);
            is_str(member(server, "email"), rows[i].email, "%s: email", rows[i].form);
            is_str(member(server, "mobile"), rows[i].mobile, "%s: mobile", rows[i].form);
            is_str(member(server, "kind"), rows[i].kind, "%s: kind", rows[i].form);
            is_str(member(server, "role"), "user", "%s: role", rows[i].form);
            is_str(member(server, "verified"), "false", "%s: not verified", rows[i].form);
        }
    }
    ok(!stored(server, "newer"), "what was refused left nothing behind");
}

static void test_answer_is_sealed(server_t *server)
{
    const char *session = register_as(server, "u=gina&p=password1&q=color&s=ultramarine&n=G&c=red");
    const account_t *account = stored(server, "gina");

    is_str(member(server, "answer"), "ultramarine", "the answer is shown");
    is_str(member(server, "nick"), "G", "the nickname too");
    ok(!strstr(account->attributes, "ultramarine"), "but in the database it is sealed");
    ok(strstr(account->attributes, "color") && strstr(account->attributes, "red"),
       "the rest is in clear");
    ok(strncmp(account->password, "$", 1) == 0 && !strstr(account->password, "password1"),
       "the password is a hash");
    expect(server, "PUT /six/me", "s=vermilion", session, "ok");
    is_str(member(server, "answer"), "vermilion", "another answer");
    ok(!strstr(stored(server, "gina")->attributes, "vermilion"), "is sealed too");
    sql(server, "UPDATE account SET attributes = '{\"question\":\"color\",\"answer\":\"x\"}' "
                "WHERE user_name = 'gina'");
    expect(server, "GET /six/me", NULL, session, "ok");
    is_str(member(server, "answer"), "null",
           "an answer that can't be opened is absent: the rest goes on");
}

static void test_update(server_t *server)
{
    const char *session = register_as(server, "u=hugo&e=hugo%40b.cc&m=13700137010&p=password1&n=H"
                                              "&c=red&q=why&s=so");
    const char *other = register_as(server, "u=ida&p=password1");

    expect(server, "PUT /six/me", "n=Hu&c=blue&t=010-1234", session, "ok");
    is_str(member(server, "nick"), "Hu", "changed");
    is_str(member(server, "color"), "blue", "changed");
    is_str(member(server, "phone"), "010-1234", "set");
    is_str(member(server, "answer"), "so", "what is absent stays");
    expect(server, "PUT /six/me", "n=&c=&t=&s=", session, "ok");
    is_str(member(server, "nick"), "null", "cleared");
    is_str(member(server, "color"), "null", "cleared");
    is_str(member(server, "answer"), "null", "cleared");
    is_str(member(server, "phone"), "13700137010", "the phone number falls back to the mobile");
    is_str(member(server, "shown"), "hugo", "the name to its login name");
    expect(server, "PUT /six/me", "g=Hugo&f=Boss", session, "ok");
    is_str(member(server, "shown"), "Hugo Boss", "given and family name");
    expect(server, "PUT /six/me", "f=", session, "ok");
    is_str(member(server, "shown"), "Hugo", "given name only");
    expect(server, "PUT /six/me", "", session, "ok");
    expect(server, "PUT /six/me", "e=", session, "ok");
    is_str(member(server, "email"), "hugo@b.cc", "an address is never cleared");
    expect(server, "PUT /six/me", "e=Hugo%40B.CC", session, "ok");
    is_str(member(server, "email"), "Hugo@B.CC", "its own address in another form");
    expect(server, "PUT /six/me", "e=hugo%40b.cc&n=x", other, "taken.email");
    expect(server, "GET /six/me", NULL, other, "ok");
    is_str(member(server, "nick"), "null", "and nothing else was changed");
    expect(server, "PUT /six/me", "e=hugo2%40b.cc", session, "ok");
    expect(server, "PUT /six/me", "e=hugo%40b.cc", other, "ok");
    expect(server, "PUT /six/me", "e=13700137010", session, "invalid.email.email");
    expect(server, "PUT /six/me", "n=a%00", session, "bad-request");
    expect(server, "PUT /six/me", "n=x", NULL, "not-logged-in");
    expect(server, "PUT /six/me", "e=nonsense", NULL, "not-logged-in");
    expect(server, "PUT /six/me", "n=%", NULL, "bad-request");
}

static void test_check_identifier(server_t *server)
{
    static const struct {
        const char *path;
        const char *outcome;
    } rows[] = {
        {"GET /six/free/user_name/judy", "taken.user_name"},
        {"GET /six/free/user_name/JUDY", "taken.user_name"},
        {"GET /six/free/email/judy@b.cc", "taken.email"},
        {"GET /six/free/mobile/13700137020", "taken.mobile"},
        {"GET /six/free/mobile/+8613700137020", "taken.mobile"},
        {"GET /six/free/user_name/judy@b.cc", "taken.user_name"}, /* one name space */
        {"GET /six/free/user_name/judy2", "free"},
        {"GET /six/free/email/nobody", "free"},
        {"GET /six/free/nonsense/judy", "invalid.kind.kind"},
        {"GET /six/free/email/a\xFF", "bad-request"},
        {"HEAD /six/free/email/judy@b.cc", "taken.email"},
    };
    apr_size_t i;

    register_as(server, "u=judy&e=judy%40b.cc&m=13700137020&p=password1");
    for (i = 0; i < COUNT(rows); i++) {
        expect(server, rows[i].path, NULL, NULL, rows[i].outcome);
    }
}

static void test_recovery(server_t *server)
{
    static const char answers[] = "a=paul%40b.cc&q=pet&s=rex";
    const char *session = register_as(server, "u=paul&e=paul%40b.cc&p=password1&q=pet&s=rex");
    const char *first, *second;
    apr_int64_t asked;

    expect(server, "GET /six/question", "a=PAUL", NULL, "ok");
    is_str(member(server, "question"), "pet", "the question");
    expect(server, "GET /six/question", "a=paul2", NULL, "unknown-account");
    expect(server, "GET /six/question", "", NULL, "invalid.account.required");
    register_as(server, "u=quinn&p=password1");
    expect(server, "GET /six/question", "a=quinn", NULL, "no-question");
    expect(server, "POST /six/answer", "a=quinn&q=pet&s=rex", NULL, "wrong-answer");
    expect(server, "POST /six/answer", "a=paul&q=pet&s=Rex", NULL, "wrong-answer");
    expect(server, "POST /six/answer", "a=paul&q=pets&s=rex", NULL, "wrong-answer");
    expect(server, "POST /six/answer", "a=paul2&q=pet&s=rex", NULL, "unknown-account");
    expect(server, "POST /six/answer", "a=paul&q=pet&s=", NULL, "invalid.answer.required");
    expect(server, "POST /six/reset", "a=paul&t=x&p=password2", NULL, "expired-code");

    /* replaced by a second; bound to the account, not to a name; single use */
    first = token_of(server, answers);
    expect(server, "POST /six/reset", "a=paul&t=x&p=password2", NULL, "wrong-code");
    second = token_of(server, answers);
    ok(strcmp(first, second) != 0, "another token");
    expect(server, "POST /six/reset", with_token(server, "a=paul&p=password2", first), NULL,
           "wrong-code");
    expect(server, "POST /six/reset", with_token(server, "a=quinn&p=password2", second), NULL,
           "expired-code");
    expect(server, "POST /six/reset", with_token(server, "a=nobody&p=password2", second), NULL,
           "unknown-account");
    expect(server, "POST /six/reset", with_token(server, "a=paul&p=short", second), NULL,
           "invalid.password.length");
    expect(server, "GET /six/me", NULL, session, "ok");
    expect(server, "POST /six/reset", with_token(server, "a=paul&p=password2", second), session,
           "ok");
    ok(cookie(server, "account_session") != NULL, "reset, then login");
    expect(server, "GET /six/me", NULL, session, "not-logged-in");
    expect(server, "GET /six/me", NULL, cookie(server, "account_session"), "not-logged-in");
    session = log_in(server, "a=paul&p=password2");
    expect(server, "POST /six/reset", with_token(server, "a=paul&p=password3", second), NULL,
           "expired-code");
    expect(server, "POST /six/login", "a=paul&p=password1", NULL, "wrong-password");

    /* twelve hours */
    asked = server->now;
    first = token_of(server, answers);
    server->now = asked + 12 * HOUR - SECOND;
    expect(server, "POST /six/reset", "a=paul&t=x&p=password3", NULL, "wrong-code");
    expect(server, "POST /six/recover", with_token(server, "a=paul&p=password3", first), NULL,
           "ok");
    ok(!server->response.answer.session_begun, "recover: nobody is logged in");
    log_in(server, "a=paul&p=password3");
    asked = server->now;
    first = token_of(server, answers);
    server->now = asked + 12 * HOUR + SECOND;
    expect(server, "POST /six/recover", with_token(server, "a=paul&p=password4", first), NULL,
           "expired-code");
    asked = server->now;
    first = token_of(server, answers);
    server->now = asked + 12 * HOUR;
    expect(server, "POST /six/recover", with_token(server, "a=paul&p=password4", first), NULL,
           "expired-code");

    /* the caller's own password */
    session = log_in(server, "a=paul&p=password3");
    first = token_of(server, answers);
    expect(server, "POST /six/recover", with_token(server, "a=paul&p=password4", first), session,
           "ok");
    ok(server->response.answer.session_ended, "recover: the caller's session is over");
    session = register_as(server, "u=rose&p=password1");
    first = token_of(server, answers);
    expect(server, "POST /six/recover", with_token(server, "a=paul&p=password5", first), session,
           "ok");
    ok(!server->response.answer.session_ended, "recover: another caller's is not");
    expect(server, "GET /six/me", NULL, session, "ok");

    first = token_of(server, answers);
    sql(server, "UPDATE account SET status = 'disabled' WHERE user_name = 'paul'");
    expect(server, "POST /six/recover", with_token(server, "a=paul&p=password6", first), NULL,
           "disabled");
}

static void test_logout(server_t *server)
{
    const char *one = register_as(server, "u=sam&p=password1");
    const char *two = log_in(server, "a=sam&p=password1");
    const char *id = apr_psprintf(server->process, "DELETE /six/session/%" APR_INT64_T_FMT,
                                  stored(server, "sam")->id);

    expect(server, "DELETE /six/session/1", NULL, one, "not-yours");
    expect(server, "DELETE /six/session/x", NULL, one, "invalid.account_id.number");
    expect(server, id, NULL, NULL, "not-logged-in");
    expect(server, "GET /six/me", NULL, one, "ok");
    expect(server, id, NULL, one, "ok");
    ok(server->response.answer.session_ended, "logout: the cookie expires");
    expect(server, id, NULL, one, "not-logged-in");
    expect(server, "GET /six/me", NULL, one, "not-logged-in");
    expect(server, "GET /six/me", NULL, two, "ok");
}

static void test_none(server_t *server)
{
    is_str(ask(server, "GET /six/settings", NULL, NULL), "{\"limit\":100.0,\"mount\":\"/six\"}",
           "none: the body");
    is_str(ask(server, "GET /six/settings", "a=%", NULL), "{\"outcome\":\"bad-request\"}",
           "none: a malformed query");
    is_str(ask(server, "HEAD /six/settings", NULL, "account_session=x"),
           "{\"limit\":100.0,\"mount\":\"/six\"}", "none: HEAD");
}

static void test_refuse(server_t *server)
{
    static const struct {
        account_outcome_e outcome;
        int status;
        const char *body;
        apr_int64_t retry_after;
    } rows[] = {
        {ACCOUNT_CROSS_SITE, 403, "{\"outcome\":\"cross-site\"}", 0},
        {ACCOUNT_BAD_METHOD, 405, "{\"outcome\":\"bad-method\"}", 0},
        {ACCOUNT_TOO_LARGE, 413, "{\"outcome\":\"too-large\"}", 0},
        {ACCOUNT_BAD_TYPE, 415, "{\"outcome\":\"bad-type\"}", 0},
        {ACCOUNT_UNAVAILABLE, 503, "{\"outcome\":\"unavailable\"}", ACCOUNT_RETRY_AFTER},
        {ACCOUNT_BAD_REQUEST, 400, "{\"outcome\":\"bad-request\"}", 0},
        {ACCOUNT_TOO_MANY, 400, "{\"outcome\":\"too-many\"}", ACCOUNT_RETRY_AFTER},
    };
    account_store_t store = store_of(server);
    account_match_t match;
    account_exchange_t x = {.match = &match, .store = &store, .settings = &server->settings};
    apr_size_t i;

    account_router_match(account_router_make(server->mounts, server->process), "/six/login", "POST",
                         &match, server->process);
    for (i = 0; i < COUNT(rows); i++) {
        account_response_t response = {0};

        account_engine_refuse(&x, rows[i].outcome, &response);
        is_int(response.status, rows[i].status, "refuse: status of %s",
               account_outcomes[rows[i].outcome].name);
        is_str(response.body, rows[i].body, "refuse: body");
        is_int(response.answer.retry_after, rows[i].retry_after, "refuse: retry after");
    }
}

int main(void)
{
    apr_pool_t *pool;
    server_t *server;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    server = server_make(":memory:", pool);
    if (server->mounts->nelts < 2) {
        ok(0, "the contracts");
        return done_testing();
    }
    test_mmall(server);
    test_register(server);
    test_answer_is_sealed(server);
    test_update(server);
    test_check_identifier(server);
    test_recovery(server);
    test_logout(server);
    test_none(server);
    test_refuse(server);
    apr_pool_destroy(server->process);
    apr_pool_destroy(pool);
    return done_testing();
}
