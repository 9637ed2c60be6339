/* The actions on an account's own sessions, end to end through the contract that ships: who sees
 * and ends which, and how many there are after each way to begin one. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <jansson.h>

#include "site.h"
#include "tap.h"

#define LIST "GET /account/sessions"
#define OTHERS "DELETE /account/sessions"
#define END "POST /account/sessions/end"

/* The outcome that the last reply tells. */
static void answers(server_t *server, const char *request, const char *form, const char *cookies,
                    const char *outcome)
{
    const char *error;

    ask(server, request, form, cookies);
    error = member(server, "error");
    is_str(error ? error : member(server, "ok"), outcome, "%s %s", request, form ? form : "");
}

/* A member of the n-th session of the list, as text; NULL: there is none. */
static const char *shown(server_t *server, size_t n, const char *name)
{
    json_t *body = json_loadb(server->response.body, server->response.length, 0, NULL);
    json_t *value = json_object_get(json_array_get(json_object_get(body, "sessions"), n), name);
    const char *text =
        json_is_string(value)    ? apr_pstrdup(server->process, json_string_value(value))
        : json_is_integer(value) ? apr_psprintf(server->process, "%" APR_INT64_T_FMT,
                                                (apr_int64_t)json_integer_value(value))
        : json_is_true(value)    ? "true"
        : json_is_false(value)   ? "false"
        : json_is_null(value)    ? "null"
                                 : NULL;

    json_decref(body);
    return text;
}

static const char *id_of(server_t *server, const char *cookies)
{
    expect(server, "GET /six/session", NULL, cookies, "ok");
    return member(server, "id");
}

static const char *ending(server_t *server, const char *cookies)
{
    return apr_pstrcat(server->process, "session_id=", id_of(server, cookies), NULL);
}

/* How many sessions the account of the cookie has. */
static void counts(server_t *server, const char *cookies, const char *count)
{
    answers(server, LIST, NULL, cookies, "true");
    is_str(member(server, "count"), count, "sessions: %s", count);
}

static void test_list(server_t *server)
{
    const char *one = register_as(server, "u=amy&p=password1"), *two, *other;
    apr_int64_t begun = server->now;
    size_t i;

    answers(server, LIST, NULL, NULL, "not-logged-in");
    answers(server, LIST, NULL, "account_session=aaaaaaaaaaaaaaaaaaaaaaaaaa", "not-logged-in");
    counts(server, one, "1");
    is_str(shown(server, 0, "id"), server->response.answer.session->id, "id");
    is_int((long long)apr_atoi64(shown(server, 0, "created")), begun, "created");
    is_int((long long)apr_atoi64(shown(server, 0, "seen")), begun, "seen");
    is_int((long long)apr_atoi64(shown(server, 0, "expires")), begun + 3 * HOUR, "expires");
    is_str(shown(server, 0, "address"), "192.0.2.1", "address");
    is_str(shown(server, 0, "agent"), "unit/1", "agent");
    is_str(shown(server, 0, "current"), "true", "current");
    ok(!shown(server, 1, "id"), "no other");
    ok(!strstr(server->response.body, strchr(one, '=') + 1), "no token");

    server->now += MINUTE;
    server->address = "2001:db8::1";
    two = log_in(server, "a=amy&p=password1");
    server->address = "192.0.2.1";
    other = register_as(server, "u=ann&p=password1");
    counts(server, one, "2");
    is_str(shown(server, 0, "current"), "false", "of one time the one that began last first");
    is_str(shown(server, 0, "address"), "2001:db8::1", "its address");
    is_str(shown(server, 1, "current"), "true", "then the caller's");
    counts(server, two, "2");
    is_str(shown(server, 0, "current"), "true", "the same for the other");
    is_str(shown(server, 1, "current"), "false", "the same for the other");
    counts(server, other, "1");
    server->realm = "other";
    answers(server, LIST, NULL, one, "not-logged-in");
    server->realm = "shop";

    /* what never said what it is */
    sql(server, "UPDATE account_session SET agent = NULL");
    counts(server, two, "2");
    is_str(shown(server, 0, "agent"), "null", "no agent");
    sql(server, "UPDATE account_session SET agent = '\"}],\"x\":[{\"<script>'");
    counts(server, two, "2");
    is_str(shown(server, 0, "agent"), "\"}],\"x\":[{\"<script>", "an agent with quotes in it");
    server->now += HOUR - MINUTE - 1;
    counts(server, one, "2");
    server->now++;
    counts(server, one, "2");
    server->now += MINUTE;
    counts(server, one, "1");

    for (i = 0; i < 120; i++) {
        log_in(server, "a=amy&p=password1");
    }
    counts(server, one, "121");
    ok(shown(server, 99, "id") && !shown(server, 100, "id"), "a hundred are shown");
}

static void test_end(server_t *server)
{
    static const struct {
        const char *form;
        const char *outcome;
    } rows[] = {
        {"", "invalid.session_id.required"},
        {"session_id=", "invalid.session_id.required"},
        {"session_id=%00", "bad-request"},
        {"session_id=a%07", "invalid.session_id.text"},
        {"session_id=%FF", "bad-request"},
        {"session_id=%25", "unknown-session"},
        {"session_id=*", "unknown-session"},
        {"session_id=________________", "unknown-session"},
        {"session_id=0123456789abcdef", "unknown-session"},
        {"session_id='+OR+1%3D1+--+", "unknown-session"},
        {"session_id=%27%3BDROP+TABLE+account_session", "unknown-session"},
        {"session_id=1&session_id=2", "bad-request"},
    };
    const char *one = register_as(server, "u=bea&p=password1");
    const char *two = log_in(server, "a=bea&p=password1");
    const char *three = log_in(server, "a=bea&p=password1");
    const char *mmall = mmall_login(server, "username=bea&password=password1");
    const char *other = register_as(server, "u=bob&p=password1");
    const char *form, *foreign = ending(server, other);
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        answers(server, END, rows[i].form, one, rows[i].outcome);
    }
    form = ending(server, one);
    for (i = strlen(form) - 1; i > strlen("session_id="); i--) {
        answers(server, END, apr_pstrndup(server->process, form, i), two, "unknown-session");
    }
    answers(server, END, foreign, one, "unknown-session");
    answers(server, END, form, other, "unknown-session");
    answers(server, END, form, NULL, "not-logged-in");
    answers(server, END, apr_pstrcat(server->process, form, "0", NULL), two, "unknown-session");
    answers(server, apr_pstrcat(server->process, OTHERS "/", strchr(foreign, '=') + 1, NULL), NULL,
            one, "unknown-session");
    counts(server, one, "4");
    counts(server, other, "1");

    form = ending(server, two);
    answers(server, END, form, one, "true");
    ok(!server->response.answer.session_ended, "the caller's cookie stays");
    answers(server, END, form, one, "unknown-session");
    answers(server, LIST, NULL, two, "not-logged-in");
    answers(server, apr_pstrcat(server->process, OTHERS "/", id_of(server, mmall), NULL), NULL, one,
            "true");
    expect_status(server, "GET /user/get_user_info.do", NULL, mmall, "1");
    counts(server, one, "2");

    /* the caller's own is a logout */
    answers(server, END, ending(server, three), three, "true");
    ok(server->response.answer.session_ended, "the caller's cookie expires");
    answers(server, LIST, NULL, three, "not-logged-in");
    counts(server, one, "1");
    mmall = mmall_login(server, "username=bea&password=password1");
    two = apr_pstrcat(server->process, one, "; ", mmall, NULL);
    answers(server, END, ending(server, one), two, "true");
    answers(server, LIST, NULL, mmall, "not-logged-in");
    counts(server, other, "1");
}

static void test_end_others(server_t *server)
{
    const char *one = register_as(server, "u=cid&p=password1");
    const char *two = log_in(server, "a=cid&p=password1");
    const char *mmall = mmall_login(server, "username=cid&password=password1");
    const char *other = register_as(server, "u=col&p=password1");

    answers(server, OTHERS, NULL, NULL, "not-logged-in");
    answers(server, OTHERS, "session_id=x", one, "true");
    ok(!server->response.answer.session_ended && !server->response.answer.session_begun,
       "the caller's cookie stays");
    counts(server, one, "1");
    answers(server, LIST, NULL, two, "not-logged-in");
    answers(server, LIST, NULL, mmall, "not-logged-in");
    counts(server, other, "1");
    answers(server, "POST /account/sessions/end-others", NULL, one, "true");
    counts(server, one, "1");
    two = log_in(server, "a=cid&p=password1");
    answers(server, "POST /account/sessions/end-others", NULL, two, "true");
    answers(server, LIST, NULL, one, "not-logged-in");
    server->realm = "other";
    register_as(server, "u=cid&p=password1");
    answers(server, OTHERS, NULL, two, "not-logged-in");
    server->realm = "shop";
    counts(server, two, "1");
}

/* Each way to begin a session. */
static void test_most(server_t *server)
{
    const char *one, *two, *three, *token;

    server->settings.sessions_most = 2;
    one = register_as(server, "u=dan&p=password1&q=pet&s=rex");
    server->now += MINUTE;
    two = log_in(server, "a=dan&p=password1");
    server->now += MINUTE;
    expect(server, "GET /six/me", NULL, one, "ok");
    three = log_in(server, "a=dan&p=password1");
    expect(server, "GET /six/me", NULL, two, "not-logged-in");
    expect(server, "GET /six/me", NULL, one, "ok");
    counts(server, three, "2");
    expect(server, "POST /six/login", "a=dan&p=password1", one, "ok");
    one = cookie(server, "account_session");
    counts(server, three, "2");
    server->now += MINUTE;
    two = mmall_login(server, "username=dan&password=password1");
    counts(server, two, "2");
    token = token_of(server, "a=dan&q=pet&s=rex");
    expect(server, "POST /six/reset", with_token(server, "a=dan&p=password2", token), NULL, "ok");
    one = cookie(server, "account_session");
    counts(server, one, "1");
    two = log_in(server, "a=dan&p=password2");
    expect(server, "POST /six/rotate", "old=password2&p=password3", two, "ok");
    two = cookie(server, "account_session");
    counts(server, two, "1");
    server->settings.sessions_most = 1;
    three = log_in(server, "a=dan&p=password3");
    expect(server, "GET /six/me", NULL, two, "not-logged-in");
    counts(server, three, "1");
    two = register_as(server, "u=deb&p=password1");
    counts(server, three, "1");
    counts(server, two, "1");
    server->settings.sessions_most = 0;
}

static void test_failure(apr_pool_t *parent, const char *contract)
{
    server_t *server = server_make("/nonexistent/folder/account.db", parent);
    const char *session = "account_session=abcdefghijklmnopqrstuvwxyz";

    site_mount(server, "/account", contract);
    answers(server, LIST, NULL, session, "unavailable");
    answers(server, OTHERS, NULL, session, "unavailable");
    answers(server, END, "session_id=0123456789abcdef", session, "unavailable");
    is_int(server->response.status, 503, "HTTP says 503");
    apr_pool_destroy(server->process);
}

int main(void)
{
    const char *contract;
    apr_pool_t *pool;
    server_t *server;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    contract = fixture_read("conf/contracts/devices.conf", pool);
    server = server_make(":memory:", pool);
    if (!contract || server->mounts->nelts < 2) {
        ok(0, "the contracts");
        return done_testing();
    }
    site_mount(server, "/account", contract);
    test_list(server);
    test_end(server);
    test_end_others(server);
    test_most(server);
    test_failure(pool, contract);
    apr_pool_destroy(server->process);
    apr_pool_destroy(pool);
    return done_testing();
}
