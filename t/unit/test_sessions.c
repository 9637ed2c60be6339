/* Sessions end to end: who is logged in, until when, and what becomes of it when the machine fails.
 */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "site.h"
#include "tap.h"

static void test_login(server_t *server)
{
    const char *first = register_as(server, "u=kim&e=kim%40b.cc&m=13700137030&p=password1");
    const char *second, *both, *own;
    char *hash;

    log_in(server, "a=KIM&p=password1");
    log_in(server, "a=kim%40B.cc&p=password1");
    log_in(server, "a=%2B8613700137030&p=password1");
    expect(server, "POST /six/login", "a=kim&p=password2", NULL, "wrong-password");
    expect(server, "POST /six/login", "a=kim2&p=password1", NULL, "unknown-account");
    expect(server, "POST /six/login", "a=kim", NULL, "invalid.password.required");
    expect(server, "GET /six/me", NULL, first, "ok");
    expect(server, "POST /six/login", "a=kim&p=wrong", first, "wrong-password");
    expect(server, "GET /six/me", NULL, first, "ok");
    expect(server, "POST /six/login", "a=kim&p=password1", first, "ok");
    second = cookie(server, "account_session");
    ok(strcmp(first, second) != 0, "a login gives a new token");
    expect(server, "GET /six/me", NULL, first, "not-logged-in");
    expect(server, "GET /six/me", NULL, second, "ok");

    /* two live sessions under one name are none; a dead one beside a live one does not matter */
    own = log_in(server, "a=kim&p=password1");
    both = apr_pstrcat(server->process, own, "; ", second, NULL);
    expect(server, "GET /six/me", NULL, both, "not-logged-in");
    expect(server, "GET /six/me", NULL, apr_pstrcat(server->process, own, "; ", own, NULL), "ok");
    expect(server, "GET /six/me", NULL, apr_pstrcat(server->process, first, "; ", own, NULL), "ok");

    /* the contract's own cookie first, else the realm's others */
    register_as(server, "u=lea&p=password1");
    first = mmall_login(server, "username=lea&password=password1");
    expect(server, "GET /six/me", NULL, first, "ok");
    is_str(member(server, "user_name"), "lea", "another contract's cookie");
    both = apr_pstrcat(server->process, first, "; ", own, NULL);
    expect(server, "GET /six/me", NULL, both, "ok");
    is_str(member(server, "user_name"), "kim", "the contract's own cookie first");
    expect_status(server, "GET /user/get_user_info.do", NULL, both, "0");
    is_str(member(server, "data.username"), "lea", "of either contract");

    /* a hash of another cost is renewed */
    hash = apr_pstrdup(server->process, stored(server, "kim")->password);
    server->settings.cost.passes++;
    expect(server, "POST /six/login", "a=kim&p=wrong", NULL, "wrong-password");
    is_str(stored(server, "kim")->password, hash, "not by a wrong password");
    expect(server, "POST /six/login", "a=kim&p=password1", NULL, "ok");
    ok(strcmp(stored(server, "kim")->password, hash) != 0, "but by the right one");
    hash = apr_pstrdup(server->process, stored(server, "kim")->password);
    expect(server, "POST /six/login", "a=kim&p=password1", NULL, "ok");
    is_str(stored(server, "kim")->password, hash, "once");
    server->settings.cost.passes--;
    expect(server, "GET /six/me", NULL, own, "ok");

    /* closed accounts: only who knows the password learns it, and sessions end */
    sql(server, "UPDATE account SET status = 'disabled' WHERE user_name = 'kim'");
    expect(server, "POST /six/login", "a=kim&p=password1", NULL, "disabled");
    expect(server, "POST /six/login", "a=kim&p=password2", NULL, "wrong-password");
    expect(server, "GET /six/me", NULL, own, "not-logged-in");
    sql(server, "UPDATE account SET status = 'pending' WHERE user_name = 'kim'");
    expect(server, "POST /six/login", "a=kim&p=password1", NULL, "not-activated");
    expect(server, "GET /six/me", NULL, own, "not-logged-in");
    sql(server, "UPDATE account SET status = 'active', password = NULL WHERE user_name = 'kim'");
    expect(server, "POST /six/login", "a=kim&p=password1", NULL, "wrong-password");
    expect(server, "GET /six/me", NULL, own, "ok");
}

static void test_too_many_cookies(server_t *server)
{
    const char *cookies = register_as(server, "u=max&p=password1");
    int i;

    for (i = 0; i < 3; i++) {
        cookies = apr_psprintf(server->process, "account_session=%caaaaaaaaaaaaaaaaaaaaaaaaa; %s",
                               'b' + i, cookies);
    }
    expect(server, "GET /six/me", NULL, cookies, "ok");
    cookies =
        apr_pstrcat(server->process, cookies, "; account_session=zaaaaaaaaaaaaaaaaaaaaaaaaa", NULL);
    expect(server, "GET /six/me", NULL, cookies, "not-logged-in");
}

static void test_change_password(server_t *server)
{
    const char *one = register_as(server, "u=nina&p=password1");
    const char *two = log_in(server, "a=nina&p=password1");
    const char *other = register_as(server, "u=otto&p=password1");

    expect(server, "POST /six/rotate", "old=wrong&p=password2", one, "wrong-password");
    expect(server, "POST /six/rotate", "p=password2", one, "invalid.old_password.required");
    expect(server, "POST /six/rotate", "old=password1&p=short", one, "invalid.password.length");
    expect(server, "POST /six/rotate", "old=password1&p=password2", NULL, "not-logged-in");
    expect(server, "GET /six/me", NULL, two, "ok");
    server->now += SECOND;
    expect(server, "POST /six/rotate", "old=password1&p=password2", one, "ok");
    is_int(stored(server, "nina")->updated, server->now, "the account was updated now");
    expect(server, "GET /six/me", NULL, one, "not-logged-in");
    expect(server, "GET /six/me", NULL, two, "not-logged-in");
    expect(server, "GET /six/me", NULL, other, "ok");
    expect(server, "POST /six/login", "a=nina&p=password1", NULL, "wrong-password");
    one = log_in(server, "a=nina&p=password2");
    two = log_in(server, "a=nina&p=password2");
    ask(server, "POST /six/rotate", "old=password2&p=password3", one);
    one = cookie(server, "account_session");
    ok(one && !server->response.answer.session_ended, "the caller goes on under a new token");
    expect(server, "GET /six/me", NULL, one, "ok");
    expect(server, "GET /six/me", NULL, two, "not-logged-in");

    expect(server, "POST /six/password", "old=wrong&p=password4", one, "wrong-password");
    ok(!server->response.answer.session_ended, "nothing ended");
    expect(server, "POST /six/password", "old=password3&p=password4", one, "ok");
    ok(server->response.answer.session_ended && !server->response.answer.session_begun,
       "sessions all: the caller's too");
    expect(server, "GET /six/me", NULL, one, "not-logged-in");
    log_in(server, "a=nina&p=password4");
}

static apr_int64_t number_of(server_t *server, const char *name)
{
    const char *text = member(server, name);

    return text ? apr_atoi64(text) : -1;
}

/* A session's seen as the next request is told, at a time. */
static void expect_seen(server_t *server, const char *session, apr_int64_t now, apr_int64_t seen)
{
    server->now = now;
    expect(server, "GET /six/session", NULL, session, "ok");
    is_int(number_of(server, "seen"), seen, "seen, after %lld s", (long long)(now - seen) / 1000);
}

static void test_expiry(server_t *server)
{
    const char *session = register_as(server, "u=tom&p=password1");
    apr_int64_t begun = server->now, now;

    expect(server, "GET /six/session", NULL, session, "ok");
    is_int(number_of(server, "created"), begun, "begins now");
    is_int(number_of(server, "expires"), begun + 3 * HOUR, "the contract's life");
    is_str(member(server, "address"), "192.0.2.1", "address");
    is_str(member(server, "agent"), "unit/1", "agent");
    is_int(strlen(member(server, "id")), 16, "id");
    ok(!strstr(session, member(server, "id")), "the id is not of the token");

    /* once a minute */
    expect_seen(server, session, begun + 59 * SECOND, begun);
    expect_seen(server, session, begun + MINUTE - 1, begun);
    expect_seen(server, session, begun + MINUTE, begun + MINUTE);
    expect_seen(server, session, begun + 2 * MINUTE - 1, begun + MINUTE);

    /* idle for an hour since it was seen */
    expect_seen(server, session, begun + MINUTE + HOUR - 1, begun + MINUTE + HOUR - 1);
    now = server->now;
    server->now = now + HOUR;
    expect(server, "GET /six/me", NULL, session, "not-logged-in");
    server->now = now + HOUR - 1;
    expect(server, "GET /six/me", NULL, session, "ok");

    /* three hours in all, however busy */
    session = log_in(server, "a=tom&p=password1");
    begun = server->now;
    for (now = begun; now < begun + 3 * HOUR; now += 59 * MINUTE) {
        server->now = now;
        expect(server, "GET /six/me", NULL, session, "ok");
    }
    server->now = begun + 3 * HOUR - 1;
    expect(server, "GET /six/me", NULL, session, "ok");
    server->now = begun + 3 * HOUR;
    expect(server, "GET /six/me", NULL, session, "not-logged-in");

    /* mmall's idle time is its contract's, its life the realm's */
    session = mmall_login(server, "username=tom&password=password1");
    begun = server->now;
    for (now = begun; now < begun + 5 * HOUR; now += 29 * MINUTE) {
        server->now = now;
        expect_status(server, "GET /user/get_user_info.do", NULL, session, "0");
    }
    /* the terms are the session's, whichever contract asks */
    server->now += 30 * MINUTE;
    expect(server, "GET /six/me", NULL, session, "not-logged-in");
}

/* One database, two realms: nothing crosses. */
static void test_realms(server_t *server)
{
    const char *here = register_as(server, "u=uma&e=uma%40b.cc&p=password1&q=pet&s=rex");
    const char *token = token_of(server, "a=uma&q=pet&s=rex");
    const char *there;

    server->realm = "other";
    expect(server, "GET /six/me", NULL, here, "not-logged-in");
    expect(server, "POST /six/login", "a=uma&p=password1", NULL, "unknown-account");
    expect(server, "GET /six/free/user_name/uma", NULL, NULL, "free");
    expect(server, "GET /six/question", "a=uma", NULL, "unknown-account");
    there = register_as(server, "u=uma&e=uma%40b.cc&p=password9&q=pet&s=tom");
    expect(server, "POST /six/reset", with_token(server, "a=uma&p=password8", token), NULL,
           "expired-code");
    expect(server, "POST /six/rotate", "old=password1&p=password8", there, "wrong-password");
    expect(server, "POST /six/password", "old=password9&p=password8", there, "ok");
    there = log_in(server, "a=uma&p=password8");

    server->realm = "shop";
    expect(server, "GET /six/me", NULL, there, "not-logged-in");
    expect(server, "GET /six/me", NULL, here, "ok");
    expect(server, "POST /six/login", "a=uma&p=password8", NULL, "wrong-password");
    expect(server, "POST /six/reset", with_token(server, "a=uma&p=password2", token), NULL, "ok");
    server->realm = "other";
    expect(server, "GET /six/me", NULL, there, "ok");
    server->realm = "shop";
}

static void expect_unavailable(server_t *server, const char *request, const char *form,
                               const char *cookies)
{
    expect(server, request, form, cookies, "unavailable");
    is_int(server->response.status, 503, "%s: HTTP says 503", request);
    ok(server->response.failure != APR_SUCCESS, "%s: the failure is known", request);
    is_int(server->response.answer.retry_after, ACCOUNT_RETRY_AFTER, "%s: try again", request);
    ok(!server->response.answer.session_begun && !server->response.answer.session_ended,
       "%s: no cookie is touched", request);
}

static void test_random_fails(server_t *server)
{
    const char *session = register_as(server, "u=vera&p=password1&q=pet&s=rex");
    const char *token = token_of(server, "a=vera&q=pet&s=rex");

    server->counter.fails_at = server->counter.calls + 1;
    expect_unavailable(server, "POST /six/register", "u=walt&p=password1", NULL);
    expect_unavailable(server, "POST /six/login", "a=vera&p=password1", session);
    expect_unavailable(server, "POST /six/answer", "a=vera&q=pet&s=rex", NULL);
    expect_unavailable(server, "POST /six/rotate", "old=password1&p=password2", session);
    expect_unavailable(server, "POST /six/reset", with_token(server, "a=vera&p=password2", token),
                       NULL);
    expect_status(server, "POST /user/login.do", "username=vera&password=password1", NULL, "1");
    is_int(server->response.status, 503, "mmall: HTTP says 503");
    expect(server, "GET /six/me", NULL, session, "ok");
    expect(server, "POST /six/login", "a=vera&p=wrong", NULL, "wrong-password");
    server->counter.fails_at = 0;
    ok(!stored(server, "walt"), "nothing was stored");

    /* after the hash, before the row */
    server->counter.fails_at = server->counter.calls + 2;
    expect_unavailable(server, "POST /six/register", "u=walt&p=password1", NULL);
    server->counter.fails_at = server->counter.calls + 2;
    expect_unavailable(server, "POST /six/rotate", "old=password1&p=password2", session);
    server->counter.fails_at = server->counter.calls + 2;
    expect_unavailable(server, "POST /six/reset", with_token(server, "a=vera&p=password2", token),
                       NULL);
    server->counter.fails_at = 0;
    ok(!stored(server, "walt"), "nothing was stored");
    expect(server, "GET /six/me", NULL, session, "ok");
    expect(server, "POST /six/login", "a=vera&p=password2", NULL, "wrong-password");
    expect(server, "POST /six/reset", with_token(server, "a=vera&p=password2", token), NULL, "ok");
}

static void test_no_database(apr_pool_t *parent)
{
    server_t *server = server_make("/nonexistent/folder/account.db", parent);
    const char *session = "account_session=abcdefghijklmnopqrstuvwxyz";

    expect_unavailable(server, "POST /six/login", "a=kim&p=password1", NULL);
    expect_unavailable(server, "POST /six/register", "u=kim&p=password1", NULL);
    expect_unavailable(server, "GET /six/me", NULL, session);
    expect_unavailable(server, "GET /six/free/email/a@b.cc", NULL, NULL);
    expect_unavailable(server, "GET /six/question", "a=kim", NULL);
    expect(server, "GET /six/me", NULL, NULL, "not-logged-in");
    expect(server, "GET /six/settings", NULL, session, "ok");
    expect(server, "POST /six/login", "a=kim", NULL, "invalid.password.required");
    expect_status(server, "GET /user/get_user_info.do", NULL, session, "1");
    apr_pool_destroy(server->process);
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
    test_login(server);
    test_too_many_cookies(server);
    test_change_password(server);
    test_expiry(server);
    test_realms(server);
    test_random_fails(server);
    test_no_database(pool);
    apr_pool_destroy(server->process);
    apr_pool_destroy(pool);
    return done_testing();
}
