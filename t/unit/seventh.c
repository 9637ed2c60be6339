#include "seventh.h"

#include <string.h>

#include <apr_strings.h>

#include "tap.h"

#define ROUTE(name, where, action, lines)                                                          \
    "<AccountRoute " name " " where ">\nAccountAction " action "\n" lines "</AccountRoute>\n"
#define SET(name, value) "AccountSet " name " " value "\n"
#define P(input, name) "AccountParam " input " " name "\n"
#define OK(body) "AccountReply ok 200 '" body "'\n"
#define CAPTCHA P("captcha_id", "i") P("captcha_value", "v")

const char seventh_text[] =
    "<AccountContract seventh>\nAccountCookie seventh\n"
    "AccountShape who '{\"id\": %{account.id}, \"user_name\": %{account.user_name}, "
    "\"email\": %{account.email}, \"mobile\": %{account.mobile}, \"role\": %{account.role}, "
    "\"email_verified\": %{account.email_verified}, "
    "\"mobile_verified\": %{account.mobile_verified}}'\n"
    "AccountShape item '{\"amount\": %{entry.amount}, \"what\": %{entry.description}}'\n"
    "AccountReply * 400 '{\"outcome\": \"%{outcome}\"}'\n"
    "AccountReply too-many 429 '{\"outcome\": \"%{outcome}\", \"retry\": %{retry_after}}'\n"
    "AccountReply ok 200 '{\"outcome\": \"ok\"}'\n"
    /* sent */
    ROUTE("send_register", "POST /send/register", "send_code",
          SET("purpose", "register")
              P("target", "t")) ROUTE("send_login", "POST /send/login", "send_code",
                                      SET("purpose", "login") P("target", "t"))
        ROUTE("send_reset", "POST /send/reset", "send_code",
              SET("purpose", "reset") P("target", "t"))
            ROUTE("send_any", "POST /send/any", "send_code", SET("purpose", "any") P("target", "t"))
                ROUTE("send_change", "POST /send/change", "send_code",
                      SET("purpose", "change") P("target", "t"))
                    ROUTE("captcha_register", "POST /captcha/register", "send_code",
                          SET("purpose", "register") P("target", "t") CAPTCHA)
                        ROUTE("captcha_send", "POST /captcha/send", "send_code",
                              SET("purpose", "reset") P("target", "t") CAPTCHA)
                            ROUTE("link", "POST /link", "send_link", P("target", "t"))
                                ROUTE("captcha_link", "POST /captcha/link", "send_link",
                                      P("target", "t") CAPTCHA)
    /* used */
    ROUTE("login", "POST /login", "login", P("account", "a") P("password", "p") OK("%{who}")) ROUTE(
        "login_and", "POST /login/and", "login",
        SET("purpose", "any") P("account", "a") P("password", "p") P("code", "c") OK("%{who}"))
        ROUTE("login_code", "POST /login/code", "login_with_code",
              SET("purpose", "login") P("target", "t") P("code", "c") OK("%{who}"))
            ROUTE("login_any", "POST /login/any", "login_with_code",
                  SET("purpose", "any") P("target", "t") P("code", "c") OK("%{who}"))
                ROUTE("register", "POST /register", "register_with_code",
                      SET("purpose", "register") SET("then", "login") P("target", "t")
                          P("code", "c") P("password", "p") P("nickname", "n") OK("%{who}"))
                    ROUTE("register_any", "POST /register/any", "register_with_code",
                          SET("purpose", "any") P("target", "t") P("code", "c") P("password", "p")
                              OK("%{who}")) ROUTE("join", "POST /join", "register",
                                                  SET("then", "activate") P("user_name", "u")
                                                      P("email", "e") P("mobile", "m")
                                                          P("password", "p") OK("%{who}"))
                        ROUTE("reset", "POST /reset", "reset_password",
                              SET("purpose", "reset") SET("then", "login") P("target", "t")
                                  P("account", "a") P("code", "c") P("password", "p") OK("%{who}"))
                            ROUTE("reset_any", "POST /reset/any", "reset_password",
                                  SET("purpose", "any") P("target", "t") P("account", "a")
                                      P("code", "c") P("password", "p") OK("%{who}"))
                                ROUTE("captcha_reset", "POST /captcha/reset", "reset_password",
                                      SET("purpose", "reset") P("target", "t") P("code", "c")
                                          P("password", "p") CAPTCHA OK("%{who}"))
                                    ROUTE("answered", "POST /reset/answer", "reset_password",
                                          SET("purpose", "answer") P("target", "t") P("code", "c")
                                              P("password", "p") OK("%{who}"))
                                        ROUTE("activate", "POST /activate", "activate",
                                              P("token", "k") OK("%{who}"))
                                            ROUTE("by_link", "POST /reset/link", "reset_by_link",
                                                  P("token", "k") P("password", "p") OK("%{who}"))
                                                ROUTE("address", "POST /address", "change_address",
                                                      P("target", "t") P("code", "c") OK("%{who}"))
    /* the rest */
    ROUTE("me", "GET /me", "current", OK("%{who}")) ROUTE(
        "update", "POST /me", "update_profile",
        P("email", "e") P("nickname", "n") P("question", "q") P("answer", "s")
            OK("%{who}")) ROUTE("password", "POST /password", "change_password",
                                P("old_password", "o") P("password", "p") OK("%{who}"))
        ROUTE("question", "POST /question", "security_question",
              P("account", "a")
                  OK("{\"question\": %{question}}")) ROUTE("answer", "POST /answer", "check_answer",
                                                           P("account", "a")
                                                               P("question", "q") P("answer", "s")
                                                                   OK("{\"token\": %{token}}"))
            ROUTE("free", "GET /free/{value}", "check_identifier",
                  SET("kind", "email") P(
                      "value", "value") "AccountReply free 200 '{\"outcome\": \"free\"}'\n"
                                        "AccountReply taken 200 '{\"outcome\": \"%{outcome}\"}'\n")
                ROUTE("captcha", "GET /captcha", "captcha",
                      OK("{\"captcha\": %{captcha.id}}")) ROUTE("picture", "GET /picture/{i}",
                                                                "captcha_image",
                                                                P("captcha_id", "i"))
                    ROUTE("points", "GET /points", "points",
                          P("recent", "recent") P("older", "older") P("all", "all") P(
                              "page",
                              "page") P("size", "size")
                              OK("{\"total\": %{points.total}, \"last_year\": %{points.last_year}, "
                                 "\"entries\": %{entries|item}, \"empty\": %{entries.empty}, "
                                 "\"page\": %{page.number}, \"pages\": %{page.count}, \"items\": "
                                 "%{page.items}, "
                                 "\"size\": %{page.size}}")) ROUTE("role", "POST /role", "set_role",
                                                                   P("account", "a") P("role", "r")
                                                                       OK("%{who}"))
                        ROUTE("disable", "POST /disable", "disable", P("account", "a") OK("%{who}"))
                            ROUTE("enable", "POST /enable", "enable",
                                  P("account", "a") OK("%{who}")) "</AccountContract>\n";

void limits_off(server_t *server)
{
    memset(server->settings.limits, 0, sizeof(server->settings.limits));
}

server_t *seventh_make(apr_pool_t *parent)
{
    server_t *server = server_make(":memory:", parent);

    site_mount(server, "/s", seventh_text);
    site_equip(server);
    limits_off(server);
    return server;
}

const char *with(server_t *server, const char *form, const char *value)
{
    return apr_pstrcat(server->process, form, value ? value : "", NULL);
}

const char *code_for(server_t *server, const char *purpose, const char *target, const char *session)
{
    const char *code;

    expect(server, apr_pstrcat(server->process, "POST /s/send/", purpose, NULL),
           with(server, "t=", target), session, "ok");
    code = sent_to(server, target, "code");
    ok(code && strlen(code) == 6, "a code of purpose %s went to %s", purpose, target);
    return code ? code : "none";
}

const char *wrong(server_t *server, const char *code)
{
    char *other = apr_pstrdup(server->process, code);

    other[5] = other[5] == '9' ? '0' : other[5] + 1;
    return other;
}

const char *session_of(server_t *server)
{
    const char *session = cookie(server, "seventh");

    ok(session != NULL, "a session");
    return session;
}

const char *prove(server_t *server, const char *target, const char *password)
{
    const char *code = code_for(server, "register", target, NULL);

    expect(server, "POST /s/register",
           apr_pstrcat(server->process, "t=", target, "&p=", password, "&c=", code, NULL), NULL,
           "ok");
    return session_of(server);
}

const char *outcome(server_t *server, const char *request, const char *form, const char *cookies)
{
    const char *told;

    ask(server, request, form, cookies);
    told = member(server, "outcome");
    return told ? told : server->response.status == 200 ? "ok" : "?";
}
