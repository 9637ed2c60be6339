/* Codes and mailed addresses end to end, over a clock that is moved: what they are good for, for
 * whom, how long, and what is told to whom. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "seventh.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define FORM(...) apr_pstrcat(server->process, __VA_ARGS__, NULL)

/* Ten minutes for codes. */
static void test_code_life(server_t *server)
{
    static const struct {
        const char *purpose;
        const char *request;
        const char *form; /* with the code behind it */
    } rows[] = {
        {"login", "POST /s/login/code", "t=13900000001&c="},
        {"reset", "POST /s/reset", "t=13900000001&p=password2&c="},
        {"any", "POST /s/login/any", "t=13900000001&c="},
        {"any", "POST /s/reset/any", "t=13900000001&p=password2&c="},
        {"any", "POST /s/login/and", "a=13900000001&p=password2&c="},
    };
    const char *code;
    apr_int64_t asked;
    apr_size_t i;

    prove(server, "13900000001", "password1");
    for (i = 0; i < COUNT(rows); i++) {
        code = code_for(server, rows[i].purpose, "13900000001", NULL);
        asked = server->now;
        server->now = asked + 601 * SECOND;
        expect(server, rows[i].request, with(server, rows[i].form, code), NULL, "expired-code");
        server->now = asked + 600 * SECOND;
        expect(server, rows[i].request, with(server, rows[i].form, code), NULL, "expired-code");
        server->now = asked + 599 * SECOND;
        expect(server, rows[i].request, with(server, rows[i].form, code), NULL, "ok");
        expect(server, rows[i].request, with(server, rows[i].form, code), NULL, "expired-code");
    }
    code = code_for(server, "register", "13900000002", NULL);
    asked = server->now;
    server->now = asked + 601 * SECOND;
    expect(server, "POST /s/register", with(server, "t=13900000002&c=", code), NULL,
           "expired-code");
    server->now = asked + 599 * SECOND;
    expect(server, "POST /s/register", with(server, "t=13900000002&c=", code), NULL, "ok");
    is_str(member(server, "mobile"), "13900000002", "registered by number");
    is_str(member(server, "mobile_verified"), "true", "which is verified");
    expect(server, "POST /s/login", "a=13900000002&p=", NULL, "invalid.password.required");
    expect(server, "POST /s/login", with(server, "a=13900000002&p=", code), NULL, "wrong-password");
}

/* A code of one purpose, or number, opens nothing else. */
static void test_code_purposes(server_t *server)
{
    static const char *const purposes[] = {"login", "reset", "any", "change"};
    static const struct {
        const char *purpose;
        const char *request;
        const char *form;
    } uses[] = {
        {"login", "POST /s/login/code", "t=a@x.cc&c="},
        {"reset", "POST /s/reset", "t=a@x.cc&p=password2&c="},
        {"any", "POST /s/login/any", "t=a@x.cc&c="},
        {"any", "POST /s/reset/any", "t=a@x.cc&p=password2&c="},
        {"change", "POST /s/address", "t=a@x.cc&c="},
        {"answer", "POST /s/reset/answer", "t=a@x.cc&p=password2&c="},
    };
    const char *session = prove(server, "a@x.cc", "password1");
    const char *code, *first;
    apr_size_t i, j;

    prove(server, "b@x.cc", "password1");
    for (i = 0; i < COUNT(purposes); i++) {
        /* a reset ends the session that a change needs */
        expect(server, "POST /s/login", "a=a@x.cc&p=password1", NULL, "ok");
        session = session_of(server);
        code = code_for(server, purposes[i], "a@x.cc",
                        strcmp(purposes[i], "change") == 0 ? session : NULL);
        for (j = 0; j < COUNT(uses); j++) {
            const char *got;

            if (strcmp(purposes[i], uses[j].purpose) == 0) {
                continue;
            }
            got = outcome(server, uses[j].request, with(server, uses[j].form, code), session);
            ok(strcmp(got, "wrong-code") == 0 || strcmp(got, "expired-code") == 0,
               "a code of purpose %s at %s: %s", purposes[i], uses[j].request, got);
        }
        expect(server, "POST /s/register", with(server, "t=new@x.cc&c=", code), NULL, "wrong-code");
    }
    expect(server, "POST /s/login", "a=a@x.cc&p=password1", NULL, "ok");

    /* of another number; codes of two numbers live beside each other */
    code = code_for(server, "reset", "a@x.cc", NULL);
    expect(server, "POST /s/reset", with(server, "t=b@x.cc&p=password2&c=", code), NULL,
           "wrong-code");
    first = code_for(server, "reset", "b@x.cc", NULL);
    expect(server, "POST /s/reset", with(server, "t=b@x.cc&p=password2&c=", code), NULL,
           "wrong-code");
    expect(server, "POST /s/reset", with(server, "t=b@x.cc&p=password2&c=", first), NULL, "ok");
    expect(server, "POST /s/reset", with(server, "t=A@X.cc&p=password3&c=", code), NULL, "ok");

    /* a second code takes the place of the first */
    first = code_for(server, "login", "a@x.cc", NULL);
    code = code_for(server, "login", "a@x.cc", NULL);
    expect(server, "POST /s/login/code", with(server, "t=a@x.cc&c=", first), NULL, "wrong-code");
    expect(server, "POST /s/login/code", with(server, "t=a@x.cc&c=", code), NULL, "ok");
}

/* The worst trap of all: a code for my number and the name of your account. */
static void test_code_and_account(server_t *server)
{
    const char *mine = prove(server, "13900000010", "password1");
    const char *code;

    register_as(server, "u=victim&m=13900000011&e=victim@x.cc&p=password1");
    register_as(server, "u=squat&m=13900000012&p=password1");
    code = code_for(server, "change", "squat@x.cc", mine);
    expect(server, "POST /s/address", with(server, "t=squat@x.cc&c=", code), mine, "ok");
    is_str(member(server, "email"), "squat@x.cc", "a second address of mine");

    code = code_for(server, "reset", "13900000010", NULL);
    expect(server, "POST /s/reset", with(server, "t=13900000010&a=victim&p=password2&c=", code),
           NULL, "wrong-code");
    expect(server, "POST /s/reset",
           with(server, "t=13900000010&a=13900000011&p=password2&c=", code), NULL, "wrong-code");
    expect(server, "POST /s/reset", with(server, "t=13900000010&a=nobody&p=password2&c=", code),
           NULL, "wrong-code");
    expect(server, "POST /s/login", "a=victim&p=password1", NULL, "ok");
    expect(server, "POST /s/reset", with(server, "t=13900000010&a=squat@x.cc&p=password2&c=", code),
           NULL, "ok");
    is_str(member(server, "mobile"), "13900000010", "another name of the same account");
    code = code_for(server, "reset", "13900000010", NULL);
    expect(server, "POST /s/reset",
           with(server, "t=13900000010&a=%2B8613900000010&p=password3&c=", code), NULL, "ok");

    /* its account has not proven it: only the number itself will do */
    code = code_for(server, "reset", "13900000012", NULL);
    expect(server, "POST /s/reset", with(server, "t=13900000012&a=squat&p=password2&c=", code),
           NULL, "wrong-code");
    expect(server, "POST /s/reset",
           with(server, "t=13900000012&a=13900000012&p=password2&c=", code), NULL, "ok");
    is_str(member(server, "mobile_verified"), "true", "and has proven it thereby");
    is_str(member(server, "user_name"), "squat", "the account that had it");
}

/* The number goes to somebody else after the code was sent. */
static void test_code_and_change(server_t *server)
{
    const char *session = prove(server, "13900000020", "password1");
    const char *reset = code_for(server, "reset", "13900000020", NULL);
    const char *login = code_for(server, "login", "13900000020", NULL);
    const char *any = code_for(server, "any", "13900000020", NULL);
    const char *code = code_for(server, "change", "13900000021", session);

    expect(server, "POST /s/address", with(server, "t=13900000020&c=", code), session,
           "wrong-code");
    expect(server, "POST /s/address", with(server, "t=13900000021&c=", code), session, "ok");
    is_str(member(server, "mobile"), "13900000021", "the number is changed");
    is_str(sent_to(server, "13900000020", "name"), "notice-address", "the old one is told");
    expect(server, "POST /s/reset", with(server, "t=13900000020&p=password2&c=", reset), NULL,
           "unknown-account");
    expect(server, "POST /s/login/code", with(server, "t=13900000020&c=", login), NULL,
           "unknown-account");
    expect(server, "POST /s/login", "a=13900000020&p=password1", NULL, "unknown-account");
    expect(server, "POST /s/login", "a=13900000021&p=password1", NULL, "ok");
    expect(server, "POST /s/register/any", with(server, "t=13900000020&p=password2&c=", any), NULL,
           "expired-code");

    /* somebody else has it now, and the codes are not his */
    session = prove(server, "13900000020", "password3");
    expect(server, "POST /s/reset", with(server, "t=13900000020&p=password2&c=", reset), NULL,
           "expired-code");
    expect(server, "POST /s/login/code", with(server, "t=13900000020&c=", login), NULL,
           "expired-code");
    expect(server, "POST /s/login/any", with(server, "t=13900000020&c=", any), NULL,
           "expired-code");
    expect(server, "POST /s/login/and", with(server, "a=13900000020&p=password3&c=", any), NULL,
           "expired-code");

    /* a code to change is the caller's alone */
    code = code_for(server, "change", "13900000022", session);
    expect(server, "POST /s/login", "a=13900000021&p=password1", NULL, "ok");
    expect(server, "POST /s/address", with(server, "t=13900000022&c=", code), session_of(server),
           "wrong-code");
    expect(server, "POST /s/address", with(server, "t=13900000022&c=", code), NULL,
           "not-logged-in");
    expect(server, "POST /s/send/change", "t=13900000022", NULL, "not-logged-in");
    expect(server, "POST /s/send/change", "t=13900000021", session, "taken.mobile");
    prove(server, "13900000022", "password1");
    expect(server, "POST /s/address", with(server, "t=13900000022&c=", code), session,
           "taken.mobile");
    is_str(stored(server, "13900000020")->identifiers[ACCOUNT_MOBILE], "13900000020",
           "nothing changed");
}

/* What nobody has proven does not log in by a code, and is recovered only by what it
 * began with. */
static void test_unproven(server_t *server)
{
    const char *session = register_as(server, "u=una&m=13900000030&p=password1");
    const char *code;

    expect(server, "POST /s/send/login", "t=13900000030", NULL, "unknown-account");
    code = code_for(server, "any", "13900000030", NULL);
    expect(server, "POST /s/login/any", with(server, "t=13900000030&c=", code), NULL,
           "unknown-account");
    expect(server, "POST /s/login/and", with(server, "a=13900000030&p=password1&c=", code), NULL,
           "ok");
    server->now += SECOND;
    expect(server, "POST /s/me", "e=una@x.cc", session, "ok");
    expect(server, "POST /s/send/reset", "t=13900000030", NULL, "ok");
    expect(server, "POST /s/send/reset", "t=una@x.cc", NULL, "unknown-account");
    expect(server, "POST /s/link", "t=una@x.cc", NULL, "ok");
    is_int(sent_count(server, "una@x.cc", "link-reset"), 0, "no recovery by what came later");
    code = code_for(server, "any", "13900000030", NULL);
    expect(server, "POST /s/reset/any", with(server, "t=una%40x.cc&p=password2&c=", code), NULL,
           "unknown-account");
    /* whoever has the number registers with it: it is taken from una, who keeps the rest */
    expect(server, "POST /s/register/any", with(server, "t=13900000030&p=password3&c=", code), NULL,
           "ok");
    expect(server, "GET /s/me", NULL, session, "ok");
    is_str(member(server, "mobile"), "null", "una has lost the number");
    is_str(member(server, "user_name"), "una", "and nothing else");
    expect(server, "POST /s/login", "a=13900000030&p=password1", NULL, "wrong-password");
    expect(server, "POST /s/login", "a=13900000030&p=password3", NULL, "ok");
    expect(server, "POST /s/login", "a=una&p=password1", NULL, "ok");

    /* a user name in the form of an address is one */
    register_as(server, "u=name@x.cc&p=password1");
    code = code_for(server, "reset", "name@x.cc", NULL);
    expect(server, "POST /s/reset", with(server, "t=name@x.cc&p=password2&c=", code), NULL, "ok");
    is_str(member(server, "email"), "name@x.cc", "which it shows from now on");
    is_str(member(server, "email_verified"), "true", "verified");
    register_as(server, "u=13900000031&p=password1");
    prove(server, "13900000031", "password2");
    ok(stored(server, "13900000031")->identifiers[ACCOUNT_USER_NAME] == NULL,
       "or it is taken away by who has it");
}

/* A code to "any": to register with while there is no account, to reset where there is one. */
static void test_any(server_t *server)
{
    const char *code = code_for(server, "any", "13900000040", NULL);

    expect(server, "POST /s/reset/any", with(server, "t=13900000040&p=password2&c=", code), NULL,
           "unknown-account");
    expect(server, "POST /s/register/any",
           with(server, "t=13900000040&p=password1&c=", wrong(server, code)), NULL, "wrong-code");
    expect(server, "POST /s/register/any", with(server, "t=13900000040&p=short&c=", code), NULL,
           "invalid.password.length");
    expect(server, "POST /s/register/any", with(server, "t=13900000040&p=password1&c=", code), NULL,
           "ok");
    ok(!server->response.answer.session_begun, "and is not logged in");
    expect(server, "POST /s/register/any", with(server, "t=13900000040&p=password1&c=", code), NULL,
           "taken.mobile");
    expect(server, "POST /s/reset/any", with(server, "t=13900000040&p=password2&c=", code), NULL,
           "expired-code");

    /* issued while unknown, used when there is an account: not for a reset */
    code = code_for(server, "any", "13900000041", NULL);
    prove(server, "13900000041", "password1");
    expect(server, "POST /s/reset/any", with(server, "t=13900000041&p=password2&c=", code), NULL,
           "wrong-code");
    expect(server, "POST /s/login/any", with(server, "t=13900000041&c=", code), NULL, "wrong-code");
    code = code_for(server, "any", "13900000041", NULL);
    expect(server, "POST /s/reset/any", with(server, "t=13900000041&p=password2&c=", code), NULL,
           "ok");
    expect(server, "POST /s/login", "a=13900000041&p=password2", NULL, "ok");
}

/* Accounts that wait for their mail, the mail, and how else they come alive. */
static void test_activation(server_t *server)
{
    const char *link, *token, *code;
    apr_int64_t asked = server->now;

    expect(server, "POST /s/join", "e=Joe%40x.cc&p=password1", NULL, "ok");
    ok(!server->response.answer.session_begun, "nobody is logged in");
    link = sent_to(server, "Joe@x.cc", "link");
    ok(link && strncmp(link, server->settings.activate_url, 40) == 0, "a mail: %s",
       link ? link : "none");
    token = token_in(link);
    expect(server, "POST /s/login", "a=joe@x.cc&p=password1", NULL, "not-activated");
    expect(server, "POST /s/login", "a=joe@x.cc&p=password2", NULL, "wrong-password");
    expect(server, "POST /s/send/login", "t=joe@x.cc", NULL, "unknown-account");
    expect(server, "POST /s/join", "e=joe@X.cc&p=password1", NULL, "taken.email");
    expect(server, "POST /s/activate", with(server, "k=", token + 1), NULL, "expired-token");
    expect(server, "POST /s/activate", FORM("k=", token, "a"), NULL, "expired-token");
    expect(server, "POST /s/activate", "k=x", NULL, "expired-token");
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), NULL, "expired-token");
    server->now = asked + DAY + SECOND;
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "expired-token");
    server->now = asked + DAY - SECOND;
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "ok");
    is_str(member(server, "email_verified"), "true", "activated, and the address is proven");
    ok(!server->response.answer.session_begun, "nobody is logged in by that");
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "expired-token");
    expect(server, "POST /s/login", "a=joe@x.cc&p=password1", NULL, "ok");

    /* without an address there is nothing to wait for; nor when it is switched off */
    expect(server, "POST /s/join", "u=joan&p=password1", NULL, "ok");
    ok(server->response.answer.session_begun, "a user name logs in at once");
    server->settings.activation = 0;
    expect(server, "POST /s/join", "e=jim@x.cc&p=password1", NULL, "ok");
    ok(server->response.answer.session_begun, "AccountActivation off: logged in at once");
    server->settings.activation = 1;

    /* the mail got lost: a reset proves the address as well */
    expect(server, "POST /s/join", "e=jill@x.cc&p=password1", NULL, "ok");
    token = token_in(sent_to(server, "jill@x.cc", "link"));
    code = code_for(server, "reset", "jill@x.cc", NULL);
    expect(server, "POST /s/reset", with(server, "t=jill@x.cc&p=password2&c=", code), NULL, "ok");
    ok(server->response.answer.session_begun, "recovered");
    expect(server, "POST /s/login", "a=jill@x.cc&p=password2", NULL, "ok");
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "expired-token");
    expect(server, "POST /s/join", "e=jack@x.cc&p=password1", NULL, "ok");
    sent_to(server, "jack@x.cc", "link");
    expect(server, "POST /s/link", "t=jack@x.cc", NULL, "ok");
    token = token_in(sent_to(server, "jack@x.cc", "link"));
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), NULL, "ok");
    expect(server, "POST /s/login", "a=jack@x.cc&p=password2", NULL, "ok");

    /* somebody else registered my address: who has it takes it, and the mail is worth nothing */
    expect(server, "POST /s/join", "u=thief&e=judy@x.cc&p=password1", NULL, "ok");
    token = token_in(sent_to(server, "judy@x.cc", "link"));
    prove(server, "judy@x.cc", "password3");
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "expired-token");
    expect(server, "POST /s/login", "a=judy@x.cc&p=password3", NULL, "ok");
    expect(server, "POST /s/login", "a=thief&p=password1", NULL, "not-activated");
    ok(!stored(server, "thief")->identifiers[ACCOUNT_EMAIL], "the thief no longer shows it");
    expect(server, "POST /s/register", "t=judy@x.cc&c=000000", NULL, "taken.email");
    expect(server, "POST /s/send/register", "t=judy@x.cc", NULL, "taken.email");
}

/* A changed address: shown at once, good for nothing until confirmed; the old one is told. */
static void test_new_address(server_t *server)
{
    const char *session = prove(server, "old@x.cc", "password1");
    const char *confirm, *mailed, *token;

    expect(server, "POST /s/link", "t=old@x.cc", NULL, "ok");
    mailed = token_in(sent_to(server, "old@x.cc", "link"));
    expect(server, "POST /s/me", "e=new@x.cc", session, "ok");
    is_str(member(server, "email"), "new@x.cc", "shown at once");
    is_str(member(server, "email_verified"), "false", "not verified");
    confirm = token_in(sent_to(server, "new@x.cc", "link"));
    is_int(sent_count(server, "old@x.cc", "notice-address"), 1, "the old one is told");
    is_int(sent_count(server, "new@x.cc", "notice-address"), 0, "the new one is asked only");
    expect(server, "POST /s/login", "a=new@x.cc&p=password1", NULL, "ok");
    expect(server, "POST /s/send/login", "t=new@x.cc", NULL, "unknown-account");
    expect(server, "POST /s/send/reset", "t=new@x.cc", NULL, "unknown-account");
    expect(server, "POST /s/link", "t=new@x.cc", NULL, "ok");
    is_int(sent_count(server, "new@x.cc", "link-reset"), 0, "no recovery by the new one");

    /* recovery by the old one, which is verified still */
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", mailed), NULL, "ok");
    is_str(member(server, "email"), "new@x.cc", "what is shown stays");
    is_str(member(server, "email_verified"), "false", "and is as unverified as it was");
    expect(server, "GET /s/me", NULL, session, "not-logged-in");
    expect(server, "POST /s/reset",
           with(server, "t=old@x.cc&p=password3&c=", code_for(server, "reset", "old@x.cc", NULL)),
           NULL, "ok");
    session = session_of(server);
    is_str(member(server, "email"), "new@x.cc", "by code too");

    /* confirmed: now the old one is worth nothing */
    expect(server, "POST /s/link", "t=old@x.cc", NULL, "ok");
    mailed = token_in(sent_to(server, "old@x.cc", "link"));
    expect(server, "POST /s/activate", with(server, "k=", confirm), NULL, "ok");
    is_str(member(server, "email_verified"), "true", "confirmed");
    expect(server, "POST /s/reset/link", FORM("p=password4&k=", mailed), NULL, "expired-token");
    expect(server, "POST /s/send/reset", "t=old@x.cc", NULL, "unknown-account");
    expect(server, "POST /s/login", "a=old@x.cc&p=password3", NULL, "unknown-account");
    expect(server, "POST /s/login", "a=new@x.cc&p=password3", NULL, "ok");

    /* there and back again: the address that was proven is so still */
    expect(server, "POST /s/me", "e=third@x.cc", session, "ok");
    confirm = token_in(sent_to(server, "third@x.cc", "link"));
    expect(server, "POST /s/me", "e=new@x.cc", session, "ok");
    is_str(member(server, "email_verified"), "true", "back at the proven one");
    expect(server, "POST /s/activate", with(server, "k=", confirm), NULL, "expired-token");
    expect(server, "POST /s/login", "a=third@x.cc&p=password3", NULL, "unknown-account");

    /* an unproven address that was changed after the mail went there: it is what the account began
     * with, and whoever has it has the account */
    session = register_as(server, "u=uma&e=uma@x.cc&p=password1");
    expect(server, "POST /s/link", "t=uma@x.cc", NULL, "ok");
    token = token_in(sent_to(server, "uma@x.cc", "link"));
    server->now += SECOND;
    expect(server, "POST /s/me", "e=uma2@x.cc", session, "ok");
    confirm = token_in(sent_to(server, "uma2@x.cc", "link"));
    expect(server, "POST /s/send/reset", "t=uma2@x.cc", NULL, "unknown-account");
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), NULL, "ok");
    is_str(member(server, "email"), "uma@x.cc", "the first one is shown again");
    is_str(member(server, "email_verified"), "true", "and proven");
    expect(server, "POST /s/activate", with(server, "k=", confirm), NULL, "expired-token");
    expect(server, "POST /s/login", "a=uma2@x.cc&p=password2", NULL, "unknown-account");
    expect(server, "POST /s/login", "a=uma&p=password2", NULL, "ok");
    session = session_of(server);

    /* somebody proves what another only claims */
    expect(server, "POST /s/me", "e=claim@x.cc", session, "ok");
    confirm = token_in(sent_to(server, "claim@x.cc", "link"));
    prove(server, "claim@x.cc", "password1");
    expect(server, "POST /s/activate", with(server, "k=", confirm), NULL, "expired-token");
    expect(server, "GET /s/me", NULL, session, "ok");
    is_str(member(server, "email"), "null", "uma has lost it");
    expect(server, "POST /s/me", "e=claim@x.cc", session, "taken.email");
}

/* What proves one address proves no other. */
static void test_proof_of_another(server_t *server)
{
    const char *token, *code, *session;

    expect(server, "POST /s/join", "e=first@x.cc&p=password1", NULL, "ok");
    token = token_in(sent_to(server, "first@x.cc", "link"));
    code = code_for(server, "reset", "first@x.cc", NULL);
    expect(server, "POST /s/reset", with(server, "t=first@x.cc&p=password2&c=", code), NULL, "ok");
    session = session_of(server);
    server->settings.activate_url = NULL; /* no mail that would replace the first one's token */
    expect(server, "POST /s/me", "e=second@x.cc", session, "ok");
    server->settings.activate_url = "https://shop.example/account/activate?token=";
    is_str(member(server, "email_verified"), "false", "a second address");
    ask(server, "POST /s/activate", with(server, "k=", token), NULL);
    expect(server, "GET /s/me", NULL, session, "ok");
    ok(strcmp(member(server, "email"), "second@x.cc") != 0
           || strcmp(member(server, "email_verified"), "false") == 0,
       "is not proven by what was mailed to the first");
}

static void test_links(server_t *server)
{
    const char *session = prove(server, "lea@x.cc", "password1");
    const char *other, *first, *token;
    apr_int64_t asked;

    expect(server, "POST /s/login", "a=lea@x.cc&p=password1", NULL, "ok");
    other = session_of(server);
    expect(server, "POST /s/link", "t=nobody@x.cc", NULL, "ok");
    is_int(sent_count(server, "nobody@x.cc", "link-reset"), 0, "nothing goes to nobody");
    expect(server, "POST /s/link", "t=lea@x.cc", NULL, "ok");
    first = token_in(sent_to(server, "lea@x.cc", "link"));
    asked = server->now;
    expect(server, "POST /s/link", "t=lea@x.cc", NULL, "ok");
    token = token_in(sent_to(server, "lea@x.cc", "link"));
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", first), NULL, "expired-token");
    expect(server, "POST /s/reset/link", FORM("p=short&k=", token), NULL,
           "invalid.password.length");
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "expired-token");
    server->now = asked + DAY + SECOND;
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), NULL, "expired-token");
    server->now = asked + DAY - SECOND;
    /* the last activity of the sessions is a day ago: they would have ended by themselves */
    sql(server, "UPDATE account_session SET seen = seen + 86000000");
    expect(server, "GET /s/me", NULL, other, "ok");
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), session, "ok");
    ok(server->response.answer.session_ended && !server->response.answer.session_begun,
       "the caller's session is over, and none begins");
    expect(server, "GET /s/me", NULL, session, "not-logged-in");
    expect(server, "GET /s/me", NULL, other, "not-logged-in");
    expect(server, "POST /s/reset/link", FORM("p=password3&k=", token), NULL, "expired-token");
    is_int(sent_count(server, "lea@x.cc", "notice-password"), 1, "one notice");
    expect(server, "POST /s/login", "a=lea@x.cc&p=password2", NULL, "ok");
    expect(server, "POST /s/login", "a=lea@x.cc&p=password1", NULL, "wrong-password");

    /* through SMS: the number proves as well */
    prove(server, "13900000050", "password1");
    expect(server, "POST /s/link", "t=13900000050", NULL, "ok");
    token = token_in(sent_to(server, "13900000050", "link"));
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), NULL, "ok");
}

/* Notices go to every proven address, and hold no secret. */
static void test_notices(server_t *server)
{
    const char *session = prove(server, "nora@x.cc", "password1");
    const char *code = code_for(server, "change", "13900000060", session);
    const char *text;

    expect(server, "POST /s/address", with(server, "t=13900000060&c=", code), session, "ok");
    expect(server, "POST /s/password", "o=wrong&p=password2", session, "wrong-password");
    is_int(sent_count(server, "nora@x.cc", "notice-password"), 0, "refused: no notice");
    expect(server, "POST /s/password", "o=password1&p=secret-2", session, "ok");
    text = sent_to(server, "nora@x.cc", "text");
    ok(text && !strstr(text, "secret-2") && !strstr(text, "password1"),
       "the notice holds no password");
    is_int(sent_count(server, "13900000060", "notice-password"), 1, "the number is told too");
    code = code_for(server, "reset", "13900000060", NULL);
    expect(server, "POST /s/reset",
           with(server, "t=13900000060&p=secret-3&c=", wrong(server, code)), NULL, "wrong-code");
    is_int(sent_count(server, "nora@x.cc", "notice-password"), 1, "a wrong code: no notice");
    expect(server, "POST /s/reset", with(server, "t=13900000060&p=secret-3&c=", code), NULL, "ok");
    is_int(sent_count(server, "nora@x.cc", "notice-password"), 2, "a reset by number is told");
    is_int(sent_count(server, "13900000060", "notice-password"), 2, "to both");
}

/* Closed accounts: only who has the code learns so, and it opens nothing. */
static void test_disabled(server_t *server)
{
    const char *admin = register_as(server, "u=boss&p=password1");
    const char *session = prove(server, "dora@x.cc", "password1");
    const char *login = code_for(server, "login", "dora@x.cc", NULL);
    const char *reset = code_for(server, "reset", "dora@x.cc", NULL);
    const char *token;

    expect(server, "POST /s/link", "t=dora@x.cc", NULL, "ok");
    token = token_in(sent_to(server, "dora@x.cc", "link"));
    expect(server, "POST /s/disable", "a=dora@x.cc", admin, "forbidden");
    expect(server, "POST /s/disable", "a=dora@x.cc", NULL, "not-logged-in");
    sql(server, "UPDATE account SET role = 'admin' WHERE user_name = 'boss'");
    expect(server, "POST /s/disable", "a=nobody", admin, "unknown-account");
    expect(server, "POST /s/disable", "a=boss", admin, "forbidden");
    expect(server, "POST /s/disable", "a=dora@x.cc", admin, "ok");
    expect(server, "POST /s/disable", "a=dora@x.cc", admin, "ok");
    expect(server, "GET /s/me", NULL, session, "not-logged-in");
    expect(server, "POST /s/login", "a=dora@x.cc&p=wrong", NULL, "wrong-password");
    expect(server, "POST /s/login", "a=dora@x.cc&p=password1", NULL, "disabled");
    expect(server, "POST /s/login/code", with(server, "t=dora@x.cc&c=", wrong(server, login)), NULL,
           "wrong-code");
    expect(server, "POST /s/login/code", with(server, "t=dora@x.cc&c=", login), NULL, "disabled");
    expect(server, "POST /s/reset",
           with(server, "t=dora@x.cc&p=password2&c=", wrong(server, reset)), NULL, "wrong-code");
    expect(server, "POST /s/reset", with(server, "t=dora@x.cc&p=password2&c=", reset), NULL,
           "disabled");
    expect(server, "POST /s/reset", with(server, "t=dora@x.cc&p=password2&c=", reset), NULL,
           "expired-code");
    expect(server, "POST /s/reset/link", FORM("p=password2&k=", token), NULL, "disabled");
    expect(server, "POST /s/link", "t=dora@x.cc", NULL, "ok");
    is_int(sent_count(server, "dora@x.cc", "link-reset"), 1, "no second mail to a closed account");
    expect(server, "POST /s/activate", with(server, "k=", token), NULL, "expired-token");
    expect(server, "POST /s/enable", "a=dora@x.cc", admin, "ok");
    expect(server, "POST /s/login", "a=dora@x.cc&p=password1", NULL, "ok");

    /* roles */
    expect(server, "POST /s/role", "a=dora@x.cc&r=emperor", admin, "role-refused");
    expect(server, "POST /s/role", "a=nobody&r=admin", admin, "unknown-account");
    expect(server, "POST /s/role", "a=boss&r=user", admin, "forbidden");
    expect(server, "POST /s/login", "a=dora@x.cc&p=password1", NULL, "ok");
    session = session_of(server);
    expect(server, "POST /s/role", "a=boss&r=user", session, "forbidden");
    expect(server, "POST /s/role", "a=dora@x.cc&r=admin", admin, "ok");
    is_str(member(server, "role"), "admin", "an administrator");
    expect(server, "POST /s/role", "a=boss&r=user", session, "ok");
    expect(server, "POST /s/role", "a=dora@x.cc&r=user", admin, "forbidden");

    /* one that waits for its mail is activated by nobody but its owner */
    expect(server, "POST /s/join", "e=wait@x.cc&p=password1", NULL, "ok");
    expect(server, "POST /s/enable", "a=wait@x.cc", session, "ok");
    expect(server, "POST /s/login", "a=wait@x.cc&p=password1", NULL, "not-activated");
}

/* Codes that come back when what they are for did not happen. */
static void test_not_spent(server_t *server)
{
    const char *code = code_for(server, "register", "13900000070", NULL);
    const char *session;

    prove(server, "13900000071", "password1");
    expect(server, "POST /s/login", "a=13900000071&p=password1", NULL, "ok");
    session = session_of(server);
    expect(server, "POST /s/send/login", "t=13900000071", session, "already-logged-in");
    expect(server, "POST /s/register", with(server, "t=13900000070&p=short&c=", code), NULL,
           "invalid.password.length");
    expect(server, "POST /s/register", with(server, "t=13900000070&c=", code), NULL, "ok");
    code = code_for(server, "any", "13900000071", NULL);
    expect(server, "POST /s/login/and", with(server, "a=13900000071&p=wrong&c=", code), NULL,
           "wrong-password");
    expect(server, "POST /s/login/and", with(server, "a=13900000071&p=password1&c=", code), NULL,
           "ok");
    expect(server, "POST /s/login/and", with(server, "a=13900000071&p=password1&c=", code), NULL,
           "expired-code");
    expect(server, "POST /s/login/and", "a=13900000071&p=password1&c=", NULL, "ok");
    expect(server, "POST /s/login/and", "a=13900000071&p=password1", NULL, "ok");

    /* five tries */
    code = code_for(server, "reset", "13900000071", NULL);
    expect(server, "POST /s/reset",
           with(server, "t=13900000071&p=password2&c=", wrong(server, code)), NULL, "wrong-code");
    expect(server, "POST /s/reset", "t=13900000071&p=password2&c=x", NULL, "wrong-code");
    expect(server, "POST /s/reset", "t=13900000071&p=password2&c=1", NULL, "wrong-code");
    expect(server, "POST /s/reset", "t=13900000071&p=password2&c=%E2%91%A0", NULL, "wrong-code");
    expect(server, "POST /s/reset",
           with(server, "t=13900000071&p=password2&c=", wrong(server, code)), NULL, "wrong-code");
    expect(server, "POST /s/reset", with(server, "t=13900000071&p=password2&c=", code), NULL,
           "expired-code");

    /* nothing is promised that can't be kept: a gateway that is down */
    sql(server, "INSERT INTO account_message (realm, ref, channel, recipient, name, content, "
                "created, expires, due, attempts, lease, down, done) VALUES ('shop', 'x', 'sms', "
                "'1', 'code-any', '', 0, 9000000000000, 9000000000000, 1, '', 1, 0)");
    expect(server, "POST /s/send/reset", "t=13900000071", NULL, "unavailable");
    expect(server, "POST /s/link", "t=13900000071", NULL, "unavailable");
    expect(server, "POST /s/send/any", "t=mail@x.cc", NULL, "ok");
    sql(server, "DELETE FROM account_message WHERE ref = 'x'");
    expect(server, "POST /s/send/reset", "t=13900000071", NULL, "ok");
}

/* Accounts are found by what an address means, so mail goes there too, however it is written. */
static void test_spelling(server_t *server)
{
    static const char sharp[] = "mike@stra\xC3\x9F"
                                "e.example";

    prove(server, "mike@strasse.example", "password1");
    expect(server, "POST /s/send/reset", "t=mike@stra%C3%9Fe.example", NULL, "ok");
    expect(server, "POST /s/link", "t=mike@stra%C3%9Fe.example", NULL, "ok");
    is_int(sent_count(server, sharp, "code-reset"), 0, "no code to another mailbox");
    is_int(sent_count(server, sharp, "link-reset"), 0, "and no link");
    is_int(sent_count(server, "mike@strasse.example", "code-reset"), 1, "the code to his");
    is_int(sent_count(server, "mike@strasse.example", "link-reset"), 1, "and the link");
    register_as(server, "u=bob&e=bob@stra%C3%9Fe.example&p=password1");
    is_str(member(server, "email"), "bob@strasse.example", "and so it is shown");
}

/* No code, token or text stands in the database. */
static void test_nothing_in_clear(server_t *server)
{
    account_store_t store = store_of(server);
    apr_array_header_t *found = NULL;
    account_claim_t claim = {ACCOUNT_MAIL, 100, DAY};

    sent_to(server, "x", "text");
    expect(server, "POST /s/send/any", "t=clear@x.cc", NULL, "ok");
    sql(server, "UPDATE account_message SET content = 'x' || content WHERE done = 0 "
                "AND recipient = 'clear@x.cc'");
    is_int(account_messages_claim(&store, &claim, &found), APR_SUCCESS, "claimed");
    is_int(found->nelts, 0, "what was changed in the database can't be opened: it is sealed");
}

int main(void)
{
    static void (*const tests[])(server_t * server) = {
        test_code_life,       test_code_purposes,    test_code_and_account,
        test_code_and_change, test_unproven,         test_any,
        test_activation,      test_new_address,      test_proof_of_another,
        test_links,           test_notices,          test_disabled,
        test_not_spent,       test_nothing_in_clear, test_spelling,
    };
    apr_pool_t *pool;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < COUNT(tests); i++) {
        server_t *server = seventh_make(pool);

        tests[i](server);
        apr_pool_destroy(server->process);
    }
    apr_pool_destroy(pool);
    return done_testing();
}
