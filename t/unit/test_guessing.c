/* Whoever guesses: at codes, passwords, answers, captchas, names; and what he is told. Over a clock
 * that is moved, from many addresses. */

#include <string.h>

#include <apr_general.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "action/captcha.h"
#include "action/limits.h"
#include "seventh.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define FORM(...) apr_pstrcat(server->process, __VA_ARGS__, NULL)

/* The standard limits of these names; the others stay off. */
static void limits_on(server_t *server, const char *const *names)
{
    for (; *names; names++) {
        site_limit(server, *names, account_limits[account_limit_find(*names)].standard);
    }
}

#define LIMITS(...) limits_on(server, (const char *const[]){__VA_ARGS__, NULL})

/* The n-th of many clients, each in a network of its own. */
static void from(server_t *server, int n)
{
    server->address = apr_psprintf(server->process, "10.%d.%d.7", n / 256, n % 256);
}

/* How often asking ends so, in so many times. */
static int times(server_t *server, int many, const char *const *asked, const char *wanted)
{
    apr_pool_t *kept = server->process;
    int i, count = 0;

    for (i = 0; i < many; i++) {
        apr_pool_create(&server->process, kept);
        count += strcmp(outcome(server, asked[0], asked[1], asked[2]), wanted) == 0;
        apr_pool_destroy(server->process);
        server->process = kept;
    }
    memset(&server->response, 0, sizeof(server->response));
    return count;
}

#define TIMES(many, request, form, cookies, wanted)                                                \
    times(server, many, (const char *const[]){request, form, cookies}, wanted)

/* One round of an attack on the codes of a number: asks for a new one, guesses at it till it is
 * told that there is no more to guess at. *sent: the right one. The guesses that counted. */
static int attack(server_t *server, const char *send, const char *use, const char **sent)
{
    apr_pool_t *pool = server->sent->pool;
    int guesses = 0;

    if (strcmp(outcome(server, send, "t=13900000001", NULL), "ok") == 0) {
        const char *code = sent_to(server, "13900000001", "code");

        *sent = code ? apr_pstrdup(pool, code) : *sent;
    }
    while (*sent && guesses < 100
           && strcmp(outcome(server, use,
                             apr_pstrcat(server->process, "t=13900000001&p=password2&c=",
                                         wrong(server, *sent), NULL),
                             NULL),
                     "wrong-code")
                  == 0) {
        guesses++;
    }
    return guesses;
}

/* A day, 250 addresses, three kinds of codes. */
static void test_codes_of_a_day(server_t *server)
{
    static const char *const ways[][2] = {{"POST /s/send/reset", "POST /s/reset"},
                                          {"POST /s/send/login", "POST /s/login/code"},
                                          {"POST /s/send/any", "POST /s/reset/any"}};
    const char *sent[COUNT(ways)] = {NULL};
    apr_pool_t *kept = server->process;
    apr_int64_t begin = server->now, first = 0;
    int total = 0, most = 0, step, codes;

    prove(server, "13900000001", "password1");
    LIMITS("send-interval", "send-target", "send-address", "send-network", "send-total",
           "code-target");
    for (step = 0; step < 24 * 60; step++) {
        int way = step % COUNT(ways), guesses;

        apr_pool_create(&server->process, kept);
        server->now = begin + step * MINUTE;
        from(server, step % 250);
        guesses = attack(server, ways[way][0], ways[way][1], &sent[way]);
        first = first || !guesses ? first : server->now;
        most = guesses > most ? guesses : most;
        total += guesses;
        apr_pool_destroy(server->process);
        server->process = kept;
    }
    codes = sent_count(server, "13900000001", "code-reset")
            + sent_count(server, "13900000001", "code-login")
            + sent_count(server, "13900000001", "code-any");
    is_int(total, 20, "twenty guesses in a day");
    is_int(most, 5, "five at a code");
    is_int(codes, 10, "ten codes in a day");
    from(server, 251);
    /* whoever has the right one has no luck either */
    server->now = first + DAY - MINUTE;
    limits_off(server);
    LIMITS("code-target");
    sent[0] = code_for(server, "reset", "13900000001", NULL);
    expect(server, "POST /s/reset", with(server, "t=13900000001&p=password2&c=", sent[0]), NULL,
           "too-many");
    is_str(member(server, "retry"), "60", "until the day is over");
    server->now = first + DAY;
    expect(server, "POST /s/reset", with(server, "t=13900000001&p=password2&c=", sent[0]), NULL,
           "ok");
}

static void test_codes(server_t *server)
{
    const char *code;
    int i;

    prove(server, "13900000001", "password1");
    LIMITS("code-target");
    /* burnt after five */
    code = code_for(server, "reset", "13900000001", NULL);
    is_int(TIMES(9, "POST /s/reset", FORM("t=13900000001&p=password2&c=", wrong(server, code)),
                 NULL, "wrong-code"),
           5, "five guesses");
    expect(server, "POST /s/reset", with(server, "t=13900000001&p=password2&c=", code), NULL,
           "expired-code");
    /* four, and the right one; what was right did not count */
    for (i = 0; i < 3; i++) {
        code = code_for(server, "login", "13900000001", NULL);
        is_int(TIMES(4, "POST /s/login/code", FORM("t=13900000001&c=", wrong(server, code)), NULL,
                     "wrong-code"),
               4, "four guesses");
        expect(server, "POST /s/login/code", with(server, "t=13900000001&c=", code), NULL, "ok");
    }
    for (i = 0; i < 30; i++) {
        code = code_for(server, "login", "13900000001", NULL);
        expect(server, "POST /s/login/code", with(server, "t=13900000001&c=", code), NULL, "ok");
    }
    code = code_for(server, "any", "13900000001", NULL);
    is_int(TIMES(9, "POST /s/reset/any", FORM("t=13900000001&p=password2&c=", wrong(server, code)),
                 NULL, "wrong-code"),
           3, "three are left of twenty");
    expect(server, "POST /s/reset/any", with(server, "t=13900000001&p=password2&c=", code), NULL,
           "too-many");
    expect(server, "POST /s/login/any", with(server, "t=13900000001&c=", code), NULL, "too-many");
    expect(server, "POST /s/login/and", with(server, "a=13900000001&p=password1&c=", code), NULL,
           "too-many");
    expect(server, "POST /s/login", "a=13900000001&p=password1", NULL, "ok");
    /* another number's are its own; so are those of who registers */
    code = code_for(server, "register", "13900000002", NULL);
    is_int(TIMES(9, "POST /s/register", FORM("t=13900000002&c=", wrong(server, code)), NULL,
                 "wrong-code"),
           5, "five guesses at a registration");
    expect(server, "POST /s/register", with(server, "t=13900000002&c=", code), NULL,
           "expired-code");
    for (i = 0; i < 3; i++) {
        code = code_for(server, "register", "13900000002", NULL);
        TIMES(5, "POST /s/register", FORM("t=13900000002&c=", wrong(server, code)), NULL, "x");
    }
    code = code_for(server, "register", "13900000002", NULL);
    expect(server, "POST /s/register", with(server, "t=13900000002&c=", code), NULL, "too-many");
}

/* At one account's password, from many addresses. */
static void test_password(server_t *server)
{
    apr_int64_t begin = server->now;
    int evaluated = 0, i;

    register_as(server, "u=vera&e=vera@x.cc&p=password1");
    LIMITS("password-account", "password-address", "password-device");
    for (i = 0; i < 250; i++) {
        from(server, i);
        /* whatever it is called */
        evaluated += TIMES(2, "POST /s/login", i % 2 ? "a=vera&p=wrong" : "a=VERA@x.cc&p=wrong",
                           NULL, "wrong-password");
    }
    is_int(evaluated, 10, "ten guesses in a minute");
    from(server, 300);
    expect(server, "POST /s/login", "a=vera&p=password1", NULL, "too-many");
    is_str(member(server, "retry"), "60", "a minute");
    is_int(server->response.status, 429, "said as the contract wants");
    server->now = begin + 59 * SECOND;
    expect(server, "POST /s/login", "a=vera&p=password1", NULL, "too-many");
    is_str(member(server, "retry"), "1", "a second");
    server->now = begin + MINUTE;
    expect(server, "POST /s/login", "a=vera&p=password1", NULL, "ok");
    for (i = 1; i < 60; i++) {
        server->now = begin + i * MINUTE;
        from(server, 300 + i);
        evaluated += TIMES(20, "POST /s/login", "a=vera&p=wrong", NULL, "wrong-password");
    }
    is_int(evaluated, 100, "a hundred in an hour");
    expect(server, "POST /s/login", "a=vera&p=password1", NULL, "too-many");
    server->now = begin + HOUR;
    expect(server, "POST /s/login", "a=vera&p=password1", NULL, "ok");

    /* nobody's password, just so */
    from(server, 400);
    is_int(TIMES(15, "POST /s/login", "a=nobody&p=wrong", NULL, "unknown-account"), 10,
           "ten in a minute for a name that nobody has");
}

/* At many accounts, from one address. */
static void test_password_address(server_t *server)
{
    apr_int64_t begin = server->now;
    int evaluated = 0, i;

    register_as(server, "u=wanda&p=password1");
    LIMITS("password-account", "password-address");
    for (i = 0; i < 200; i++) {
        evaluated +=
            TIMES(1, "POST /s/login", apr_psprintf(server->process, "a=name%d&p=password1", i),
                  NULL, "unknown-account");
    }
    is_int(evaluated, 20, "twenty guesses from an address");
    expect(server, "POST /s/login", "a=wanda&p=password1", NULL, "too-many");
    server->now = begin + 10 * MINUTE - SECOND;
    expect(server, "POST /s/login", "a=wanda&p=password1", NULL, "too-many");
    from(server, 1);
    expect(server, "POST /s/login", "a=wanda&p=password1", NULL, "ok");
    server->address = "192.0.2.1";
    server->now = begin + 10 * MINUTE;
    expect(server, "POST /s/login", "a=wanda&p=password1", NULL, "ok");

    /* what is right does not count */
    is_int(TIMES(50, "POST /s/login", "a=wanda&p=password1", NULL, "ok"), 50,
           "fifty logins in a row");
    is_int(TIMES(12, "POST /s/login", "a=wanda&p=wrong", NULL, "wrong-password"), 10,
           "and all ten guesses left");
}

/* Who is one address: a /64, and IPv4 in whatever form. */
static void test_addresses(server_t *server)
{
    static const struct {
        const char *one;
        const char *other;
        int same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.2", 0},
        {"192.0.2.1", "::ffff:192.0.2.1", 1},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", 0},
        {"::ffff:c000:201", "192.0.2.1", 1},
        {"2001:db8::1", "2001:db8::ffff:1:2:3", 1},
        {"2001:db8::1", "2001:DB8:0:0:8000::", 1},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", 0},
        {"2001:db8::1", "2001:db9::1", 0},
        {"::1", "::2", 1},
        {"", "192.0.2.1", 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        limits_off(server);
        site_limit(server, "password-address", "1/10m");
        server->now += HOUR;
        server->address = rows[i].one;
        expect(server, "POST /s/login", "a=nobody&p=wrong", NULL, "unknown-account");
        server->address = rows[i].other;
        expect(server, "POST /s/login", "a=nobody&p=wrong", NULL,
               rows[i].same ? "too-many" : "unknown-account");
    }
    /* a network: /24, /48 */
    limits_off(server);
    site_limit(server, "send-network", "1/1h");
    server->address = "198.51.100.1";
    expect(server, "POST /s/send/any", "t=13900000001", NULL, "ok");
    server->address = "198.51.100.200";
    expect(server, "POST /s/send/any", "t=13900000002", NULL, "too-many");
    server->address = "198.51.101.1";
    expect(server, "POST /s/send/any", "t=13900000002", NULL, "ok");
    server->address = "2001:db8:1:1::1";
    expect(server, "POST /s/send/any", "t=13900000001", NULL, "ok");
    server->address = "2001:db8:1:ffff::1";
    expect(server, "POST /s/send/any", "t=13900000002", NULL, "too-many");
    server->address = "2001:db8:2:1::1";
    expect(server, "POST /s/send/any", "t=13900000002", NULL, "ok");
}

static const char *device_of(server_t *server)
{
    const char *device = server->response.answer.device;

    ok(device != NULL, "a device cookie");
    return FORM("account_device=", device ? device : "none");
}

/* The owner comes in by his device while somebody else uses up the account's guesses. */
static void test_devices(server_t *server)
{
    const char *owner, *second, *foreign, *forged;
    char *changed;
    int i;

    register_as(server, "u=olga&p=password1");
    register_as(server, "u=eve&p=password1");
    expect(server, "POST /s/login", "a=olga&p=password1", NULL, "ok");
    owner = device_of(server);
    expect(server, "POST /s/login", "a=olga&p=password1", NULL, "ok");
    second = device_of(server);
    ok(strcmp(owner, second) != 0, "each device its own");
    expect(server, "POST /s/login", "a=olga&p=password1", owner, "ok");
    ok(server->response.answer.device == NULL, "who has one gets no other");
    expect(server, "POST /s/login", "a=eve&p=password1", owner, "ok");
    foreign = device_of(server);
    expect(server, "POST /s/login", "a=eve&p=wrong", NULL, "wrong-password");
    ok(server->response.answer.device == NULL, "nobody gets one for a wrong password");

    LIMITS("password-account", "password-device", "password-address");
    for (i = 0; i < 20; i++) {
        from(server, i);
        TIMES(1, "POST /s/login", "a=olga&p=wrong", NULL, "wrong-password");
    }
    expect(server, "POST /s/login", "a=olga&p=password1", NULL, "too-many");
    expect(server, "POST /s/login", "a=olga&p=password1", foreign, "too-many");
    changed = apr_pstrdup(server->process, owner);
    changed[strlen(changed) - 1] = changed[strlen(changed) - 1] == 'a' ? 'b' : 'a';
    expect(server, "POST /s/login", "a=olga&p=password1", changed, "too-many");
    changed = apr_pstrdup(server->process, owner);
    changed[15] = changed[15] == 'a' ? 'b' : 'a';
    expect(server, "POST /s/login", "a=olga&p=password1", changed, "too-many");
    forged = "account_device=aaaaaaaaaaaaaaaaaaaaaaaaaa";
    expect(server, "POST /s/login", "a=olga&p=password1", forged, "too-many");
    expect(server, "POST /s/login", "a=olga&p=password1", "account_device=", "too-many");
    expect(server, "POST /s/login", "a=olga&p=password1", owner, "ok");
    expect(server, "POST /s/login", "a=olga&p=password1", FORM(foreign, "; ", owner), "ok");

    /* a device has its own ten, which are nobody else's */
    is_int(TIMES(15, "POST /s/login", "a=olga&p=wrong", owner, "wrong-password"), 10,
           "ten guesses from a device");
    expect(server, "POST /s/login", "a=olga&p=password1", owner, "too-many");
    expect(server, "POST /s/login", "a=olga&p=password1", second, "ok");
    is_int(TIMES(15, "POST /s/login", "a=eve&p=wrong", owner, "wrong-password"), 10,
           "another account's are counted as if there was no cookie");

    /* with the password its device cookies end; the browser that changed it has a new one */
    limits_off(server);
    expect(server, "POST /s/login", "a=olga&p=password1", second, "ok");
    expect(server, "POST /s/password", "o=password1&p=password2",
           FORM(cookie(server, "seventh"), "; ", second), "ok");
    changed = apr_pstrdup(server->process, device_of(server));
    LIMITS("password-account", "password-device");
    TIMES(10, "POST /s/login", "a=olga&p=wrong", NULL, "wrong-password");
    expect(server, "POST /s/login", "a=olga&p=password2", second, "too-many");
    expect(server, "POST /s/login", "a=olga&p=password2", changed, "ok");

    /* by a code, or a reset, too */
    limits_off(server);
    prove(server, "13900000001", "password1");
    expect(server, "POST /s/login/code",
           with(server, "t=13900000001&c=", code_for(server, "login", "13900000001", NULL)), NULL,
           "ok");
    device_of(server);
    server->settings.device_cookie = NULL;
    expect(server, "POST /s/login", "a=olga&p=password2", NULL, "ok");
    ok(server->response.answer.device == NULL, "AccountDeviceCookie off: none");
}

/* Old passwords, guessed by who has a session. */
static void test_old_password(server_t *server)
{
    const char *session = register_as(server, "u=petra&p=password1");

    LIMITS("password-account", "password-address");
    is_int(TIMES(15, "POST /s/password", "o=wrong&p=password2", session, "wrong-password"), 10,
           "ten guesses in a minute");
    expect(server, "POST /s/password", "o=password1&p=password2", session, "too-many");
    expect(server, "POST /s/login", "a=petra&p=password1", NULL, "ok");
    server->now += MINUTE;
    expect(server, "POST /s/password", "o=password1&p=password2", session, "ok");
}

static void test_answers(server_t *server)
{
    apr_int64_t begin = server->now;
    int evaluated = 0, i;

    register_as(server, "u=quin&p=password1&q=pet&s=rex");
    LIMITS("answer-account");
    is_int(TIMES(20, "POST /s/answer", "a=quin&q=pet&s=rex", NULL, "ok"), 20,
           "right answers do not count");
    for (i = 0; i < 24 * 6; i++) {
        server->now = begin + i * 10 * MINUTE;
        from(server, i);
        evaluated += TIMES(3, "POST /s/answer", "a=quin&q=pet&s=wrong", NULL, "wrong-answer");
        ok(i >= 6 || evaluated <= 3, "at most three in the first hour");
    }
    is_int(evaluated, 10, "ten in a day");
    expect(server, "POST /s/answer", "a=quin&q=pet&s=rex", NULL, "too-many");
    server->now = begin + DAY + SECOND;
    expect(server, "POST /s/answer", "a=quin&q=pet&s=rex", NULL, "ok");
    is_int(TIMES(9, "POST /s/answer", "a=nobody&q=pet&s=rex", NULL, "unknown-account"), 3,
           "three for a name that nobody has");
}

/* Of a captcha made just now: its id, and what it shows. */
static const char *captcha(server_t *server, const char **text)
{
    account_store_t store = store_of(server);
    const char *id;

    expect(server, "GET /s/captcha", NULL, NULL, "ok");
    id = member(server, "captcha");
    ok(id && strlen(id) == 32, "a captcha");
    *text = account_captcha_text(&store, id ? id : "", 0);
    return id ? id : "none";
}

static const char *solved(server_t *server, const char *form)
{
    const char *text, *id = captcha(server, &text);

    return FORM(form, "&i=", id, "&v=", text);
}

static void test_captcha(server_t *server)
{
    const char *id, *text, *form;
    char *small;
    apr_size_t i;

    site_limit(server, "captcha-target", "1/10m");
    prove(server, "13900000001", "password1");
    /* the first is free; then by captcha only, each once, right or wrong */
    expect(server, "POST /s/captcha/send", "t=13900000001", NULL, "ok");
    expect(server, "POST /s/captcha/send", "t=13900000001", NULL, "captcha-needed");
    ok(sent_to(server, "13900000001", "code") != NULL, "the first was sent");
    id = captcha(server, &text);
    expect(server, "POST /s/captcha/send", FORM("t=13900000001&i=", id), NULL, "captcha-needed");
    expect(server, "POST /s/captcha/send", FORM("t=13900000001&v=", text), NULL, "captcha-needed");
    expect(server, "POST /s/captcha/send", FORM("t=13900000001&i=", id, "&v=", text, "x"), NULL,
           "wrong-captcha");
    expect(server, "POST /s/captcha/send", FORM("t=13900000001&i=", id, "&v=", text), NULL,
           "wrong-captcha");
    ok(sent_to(server, "13900000001", "code") == NULL, "nothing was sent");
    form = solved(server, "t=13900000001");
    expect(server, "POST /s/captcha/send", form, NULL, "ok");
    expect(server, "POST /s/captcha/send", form, NULL, "wrong-captcha");
    id = captcha(server, &text);
    small = apr_pstrdup(server->process, text);
    for (i = 0; small[i]; i++) {
        small[i] = apr_tolower(small[i]);
    }
    expect(server, "POST /s/captcha/send", FORM("t=13900000001&i=", id, "&v=+", small, "+"), NULL,
           "ok");
    expect(server, "POST /s/captcha/send", "t=13900000001&i=x&v=x", NULL, "wrong-captcha");
    expect(server, "POST /s/captcha/send", "t=13900000001&i=%27+OR+1&v=x", NULL, "wrong-captcha");
    form = solved(server, "t=13900000001");
    server->now += 5 * MINUTE;
    expect(server, "POST /s/captcha/send", form, NULL, "wrong-captcha");
    form = solved(server, "t=13900000001");
    server->now += 5 * MINUTE - 1;
    expect(server, "POST /s/captcha/send", form, NULL, "ok");
    /* another purpose, another number, another realm */
    expect(server, "POST /s/captcha/register", "t=13900000009", NULL, "ok");
    expect(server, "POST /s/captcha/register", "t=13900000009", NULL, "captcha-needed");
    form = solved(server, "t=13900000009");
    server->realm = "other";
    expect(server, "POST /s/captcha/register", form, NULL, "wrong-captcha");
    server->realm = "shop";
    server->now += 10 * MINUTE;
    expect(server, "POST /s/captcha/send", "t=13900000001", NULL, "ok");
    /* a route without a captcha does not ask for one */
    expect(server, "POST /s/send/reset", "t=13900000001", NULL, "ok");

    /* from one address: three an hour, to whomever */
    limits_off(server);
    site_limit(server, "captcha-address", "3/1h");
    is_int(TIMES(9, "POST /s/captcha/register", "t=13900000008", NULL, "ok"), 3, "three are free");
    expect(server, "POST /s/captcha/send", "t=13900000007", NULL, "captcha-needed");
    expect(server, "POST /s/captcha/register", solved(server, "t=13900000007"), NULL, "ok");
    from(server, 1);
    expect(server, "POST /s/captcha/register", "t=13900000007", NULL, "ok");
}

static void test_captcha_failures(server_t *server)
{
    const char *code;

    site_limit(server, "captcha-failures", "3/1h");
    prove(server, "13900000001", "password1");
    code = code_for(server, "reset", "13900000001", NULL);
    is_int(TIMES(4, "POST /s/captcha/reset",
                 FORM("t=13900000001&p=password2&c=", wrong(server, code)), NULL, "wrong-code"),
           3, "three failures");
    expect(server, "POST /s/captcha/reset", FORM("t=13900000001&p=password2&c=", code), NULL,
           "captcha-needed");
    expect(server, "POST /s/captcha/link", "t=13900000001", NULL, "captcha-needed");
    expect(server, "POST /s/captcha/reset",
           solved(server, FORM("t=13900000001&p=password2&c=", wrong(server, code))), NULL,
           "wrong-code");
    expect(server, "POST /s/captcha/reset",
           solved(server, FORM("t=13900000001&p=password2&c=", code)), NULL, "ok");
    from(server, 1);
    is_int(TIMES(4, "POST /s/captcha/link", "t=13900000001", NULL, "ok"), 3, "three mails");
    from(server, 2);
    /* what succeeds is no failure */
    for (int i = 0; i < 5; i++) {
        code = code_for(server, "reset", "13900000001", NULL);
        expect(server, "POST /s/captcha/reset", FORM("t=13900000001&p=password2&c=", code), NULL,
               "ok");
    }
}

static void test_pictures(server_t *server)
{
    const char *id, *text;

    id = captcha(server, &text);
    expect(server, FORM("GET /s/picture/", id), NULL, NULL, "ok");
    if (is_str(server->response.type, "image/png", "a picture")) {
        ok(memcmp(server->response.body, "\x89PNG", 4) == 0, "indeed");
    }
    expect(server, "GET /s/picture/0123456789abcdef0123456789abcdef", NULL, NULL,
           "unknown-captcha");
    expect(server, FORM("POST /s/captcha/send"), FORM("t=13900000001&i=", id, "&v=x"), NULL,
           "wrong-captcha");
    expect(server, FORM("GET /s/picture/", id), NULL, NULL, "unknown-captcha");
    id = captcha(server, &text);
    server->now += 5 * MINUTE;
    expect(server, FORM("GET /s/picture/", id), NULL, NULL, "unknown-captcha");
    LIMITS("captcha-pictures");
    is_int(TIMES(10, "GET /s/captcha", NULL, NULL, "ok"), 10, "ten captchas");
    is_int(TIMES(15, "GET /s/picture/x", NULL, NULL, "unknown-captcha"), 10, "ten pictures");
    expect(server, "GET /s/captcha", NULL, NULL, "too-many");
    from(server, 1);
    expect(server, "GET /s/captcha", NULL, NULL, "ok");
    server->address = "192.0.2.1";
    server->now += MINUTE;
    expect(server, "GET /s/captcha", NULL, NULL, "ok");
}

/* What is sent: each limit by itself, till its window is over. */
static void test_sends(server_t *server)
{
    static const struct {
        const char *limit;
        int many;
        apr_int64_t period;
        int same_target;
        int same_address;
        const char *outcome;
    } rows[] = {
        {"send-interval", 1, 60 * SECOND, 1, 0, "too-many.interval"},
        {"send-target", 5, HOUR, 1, 0, "too-many"},
        {"send-address", 10, HOUR, 0, 1, "too-many"},
        {"send-network", 60, HOUR, 0, 1, "too-many"},
        {"send-total", 1000, HOUR, 0, 0, "too-many"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        apr_int64_t begin = server->now += 40 * DAY;
        apr_pool_t *kept = server->process;
        int sent = 0, n;

        limits_off(server);
        limits_on(server, (const char *const[]){rows[i].limit, NULL});
        for (n = 0; n < rows[i].many + 3; n++) {
            apr_pool_create(&server->process, kept);
            from(server, rows[i].same_address ? 5 : n);
            sent += strcmp(outcome(server, "POST /s/send/any",
                                   apr_psprintf(server->process, "t=139%08d",
                                                rows[i].same_target ? 5 : n),
                                   NULL),
                           "ok")
                    == 0;
            apr_pool_destroy(server->process);
            server->process = kept;
        }
        is_int(sent, rows[i].many, "%s: %d", rows[i].limit, rows[i].many);
        from(server, 5);
        server->now = begin + rows[i].period - 1;
        expect(server, "POST /s/send/any", "t=13900000005", NULL, rows[i].outcome);
        is_str(member(server, "retry"), "1", "%s: a second", rows[i].limit);
        server->now = begin + rows[i].period;
        expect(server, "POST /s/send/any", "t=13900000005", NULL, "ok");
    }
    /* ten a day to a number, whatever it is for and whichever number form */
    server->now += 40 * DAY;
    limits_off(server);
    site_limit(server, "send-target", "10/1d");
    is_int(TIMES(4, "POST /s/send/any", "t=13900000006", NULL, "ok"), 4, "codes");
    is_int(TIMES(4, "POST /s/send/register", "t=%2B8613900000006", NULL, "ok"), 4, "other codes");
    is_int(TIMES(4, "POST /s/link", "t=8613900000006", NULL, "ok"), 2, "mailed addresses");
    expect(server, "POST /s/send/any", "t=13900000006", NULL, "too-many");

    /* the interval is of a purpose, and the earlier code stays good */
    limits_off(server);
    site_limit(server, "send-interval", "1/60s");
    prove(server, "13900000007", "password1");
    {
        const char *code = code_for(server, "reset", "13900000007", NULL);

        expect(server, "POST /s/send/reset", "t=13900000007", NULL, "too-many.interval");
        expect(server, "POST /s/send/any", "t=13900000007", NULL, "ok");
        expect(server, "POST /s/reset", with(server, "t=13900000007&p=password2&c=", code), NULL,
               "ok");
    }
}

/* What a registration mails is sent like everything else. */
static void test_activation_mails(server_t *server)
{
    int sent = 0, i;

    LIMITS("send-target", "send-address");
    for (i = 0; i < 30; i++) {
        sent += strcmp(outcome(server, "POST /s/join",
                               apr_psprintf(server->process, "e=n%d@x.cc&p=password1", i), NULL),
                       "ok")
                == 0;
    }
    is_int(sent, 10, "ten activation mails an hour from an address");
    is_int(sent_count(server, NULL, "link-activate"), 10, "ten were mailed");
    ok(!stored(server, "n29@x.cc"), "who got none is not registered");
    expect(server, "POST /s/join", "u=nomail&p=password1", NULL, "ok");
    server->now += HOUR;
    expect(server, "POST /s/join", "e=n29@x.cc&p=password1", NULL, "ok");
}

/* Who exists: ten an hour are told, and what nobody has is told to whom could be told the other. */
static void test_reveal(server_t *server)
{
    static const struct {
        const char *known, *known_form, *outcome;
        const char *unknown, *unknown_form, *other;
    } rows[] = {
        {"GET /s/free/rita@x.cc", NULL, "taken.email", "GET /s/free/no@x.cc", NULL, "free"},
        {"POST /s/question", "a=rita@x.cc", "ok", "POST /s/question", "a=no", "unknown-account"},
        {"POST /s/join", "e=rita@x.cc&p=password1", "taken.email", NULL, NULL, NULL},
        {"POST /s/register", "t=rita@x.cc&c=1", "taken.email", "POST /s/register", "t=no@x.cc&c=1",
         "wrong-code"},
        {"POST /s/login/code", "t=rita@x.cc&c=1", "wrong-code", "POST /s/login/code",
         "t=no@x.cc&c=1", "unknown-account"},
        {"POST /s/reset", "t=rita@x.cc&c=1&p=password2", "wrong-code", "POST /s/reset",
         "t=no@x.cc&c=1&p=password2", "unknown-account"},
        {"POST /s/reset/answer", "t=rita@x.cc&c=1&p=password2", "expired-code",
         "POST /s/reset/answer", "t=no@x.cc&c=1&p=password2", "unknown-account"},
        {"POST /s/answer", "a=rita@x.cc&q=why&s=1", "wrong-answer", "POST /s/answer",
         "a=no@x.cc&q=why&s=1", "unknown-account"},
    };
    apr_size_t i;

    prove(server, "rita@x.cc", "password1");
    sql(server, "UPDATE account SET attributes = '{\"question\":\"why\"}'");
    LIMITS("reveal-address");
    for (i = 0; i < COUNT(rows); i++) {
        from(server, (int)i);
        if (rows[i].unknown) {
            is_int(TIMES(30, rows[i].unknown, rows[i].unknown_form, NULL, rows[i].other), 30,
                   "%s: that nobody has it costs nothing", rows[i].unknown);
        }
        is_int(TIMES(30, rows[i].known, rows[i].known_form, NULL, rows[i].outcome), 10, "%s: ten",
               rows[i].known);
        expect(server, "GET /s/free/no@x.cc", NULL, NULL, "too-many");
        expect(server, "GET /s/free/rita@x.cc", NULL, NULL, "too-many");
        if (rows[i].unknown) {
            expect(server, rows[i].unknown, rows[i].unknown_form, NULL, "too-many");
        }
        server->now += 10 * MINUTE;
        expect(server, rows[i].known, rows[i].known_form, NULL, rows[i].outcome);
    }
}

/* The same for who has a session, and asks by giving himself an address. */
static void test_reveal_in_session(server_t *server)
{
    const char *session = register_as(server, "u=sly&p=password1");

    prove(server, "rita@x.cc", "password1");
    LIMITS("reveal-address");
    is_int(TIMES(30, "POST /s/me", "e=rita@x.cc", session, "taken.email"), 10, "ten are told");
    expect(server, "POST /s/me", "e=free@x.cc", session, "too-many");
    expect(server, "POST /s/me", "n=sly", session, "ok");
    is_str(member(server, "email"), "null", "nothing changed");
    server->now += 10 * MINUTE;
    is_int(TIMES(20, "POST /s/me", "e=free@x.cc", session, "ok"), 20, "one's own costs nothing");
    expect(server, "POST /s/me", "e=rita@x.cc", session, "taken.email");
}

/* Who has the right code, or answer, is told nothing that he did not know. */
static void test_reveal_nothing(server_t *server)
{
    int i;

    register_as(server, "u=ruth&e=ruth@x.cc&p=password1&q=pet&s=rex");
    prove(server, "13900000001", "password1");
    LIMITS("reveal-address");
    for (i = 0; i < 12; i++) {
        expect(server, "POST /s/login/code",
               with(server, "t=13900000001&c=", code_for(server, "login", "13900000001", NULL)),
               NULL, "ok");
        expect(server, "POST /s/reset",
               with(server,
                    "t=13900000001&p=password2&c=", code_for(server, "reset", "13900000001", NULL)),
               NULL, "ok");
        expect(server, "POST /s/answer", "a=ruth&q=pet&s=rex", NULL, "ok");
        expect(server, "POST /s/reset/answer",
               with(server, "t=ruth&p=password2&c=", member(server, "token")), NULL, "ok");
    }
}

/* Nobody is let in uncounted. */
static void test_failing_database(server_t *server)
{
    static const struct {
        const char *request;
        const char *form;
    } rows[] = {
        {"POST /s/login", "a=13900000001&p=password1"},
        {"POST /s/login", "a=13900000001&p=wrong"},
        {"POST /s/login", "a=nobody&p=wrong"},
        {"POST /s/login/code", "t=13900000001&c="},
        {"POST /s/reset", "t=13900000001&p=password2&c="},
        {"POST /s/captcha/reset", "t=13900000001&p=password2&c="},
        {"POST /s/reset/answer", "t=13900000001&p=password2&c=x"},
        {"POST /s/register", "t=13900000001&c=x"},
        {"POST /s/send/any", "t=13900000002"},
        {"POST /s/link", "t=13900000001"},
        {"POST /s/question", "a=13900000001"},
        {"POST /s/answer", "a=13900000001&q=1&s=1"},
        {"POST /s/join", "e=new@x.cc&p=password1"},
        {"GET /s/captcha", NULL},
        {"GET /s/picture/x", NULL},
        {"GET /s/free/no@x.cc", NULL},
    };
    const char *codes[COUNT(rows)] = {NULL}, *session;
    apr_size_t i;

    prove(server, "13900000001", "password1");
    codes[3] = code_for(server, "login", "13900000001", NULL);
    codes[4] = codes[5] = code_for(server, "reset", "13900000001", NULL);
    site_equip(server);
    sql(server, "ALTER TABLE account_limit RENAME TO away");
    for (i = 0; i < COUNT(rows); i++) {
        expect(server, rows[i].request, rows[i].form ? with(server, rows[i].form, codes[i]) : NULL,
               NULL, "unavailable");
        is_int(server->response.status, 503, "503");
        ok(!server->response.answer.session_begun, "and no session");
    }
    sql(server, "ALTER TABLE away RENAME TO account_limit");
    expect(server, "POST /s/login/code", with(server, "t=13900000001&c=", codes[3]), NULL, "ok");
    expect(server, "POST /s/reset", with(server, "t=13900000001&p=password2&c=", codes[4]), NULL,
           "ok");
    session = session_of(server);
    /* nor when it is not known who is who */
    sql(server, "ALTER TABLE account_identifier RENAME TO away");
    for (i = 0; i < COUNT(rows); i++) {
        if (strncmp(rows[i].request, "GET /s/captcha", 14)
            && strncmp(rows[i].request, "GET /s/picture", 14)) {
            expect(server, rows[i].request,
                   rows[i].form ? with(server, rows[i].form, codes[i]) : NULL, NULL, "unavailable");
        }
    }
    sql(server, "ALTER TABLE away RENAME TO account_identifier");
    /* counters that fail for others fail for nobody who has nothing to count */
    sql(server, "DROP TABLE account_limit");
    expect(server, "GET /s/me", NULL, session, "ok");
}

/* What is asked about somebody, one after the other. */
typedef struct asked_t {
    const char *request;
    const char *form; /* the name goes behind it */
    int many;
    apr_int64_t later; /* the clock moves before */
} asked_t;

static const asked_t asked_of_all[] = {
    {"POST /s/login", "p=wrong&a=", 13, 0},
    {"POST /s/login", "p=wrong&a=", 3, 2 * MINUTE},
    {"POST /s/question", "a=", 13, 0},
    {"POST /s/answer", "q=pet&s=x&a=", 5, 0},
    {"POST /s/reset/answer", "p=password2&c=x&t=", 2, 0},
    {"POST /s/reset", "p=password2&c=000000&t=", 2, 0},
    {"POST /s/send/reset", "t=", 2, HOUR},
    {"POST /s/reset", "p=password2&c=000000&t=", 7, 0},
    {"POST /s/send/login", "t=", 1, 2 * MINUTE},
    {"POST /s/login/code", "c=000000&t=", 2, 0},
    {"POST /s/login/code", "c=000000&t=", 2, 11 * MINUTE},
    {"POST /s/send/login", "t=", 1, HOUR},
    {"POST /s/login/code", "c=000000&t=", 7, 0},
    {"POST /s/send/reset", "t=", 1, 0},
    {"POST /s/captcha/reset", "p=password2&c=000000&t=", 7, 0},
    {"POST /s/send/any", "t=", 1, HOUR},
    {"POST /s/reset/any", "p=password2&c=000000&t=", 7, 0},
    {"POST /s/login/any", "c=000000&t=", 2, 0},
    {"POST /s/link", "t=", 2, HOUR},
    {"POST /s/send/register", "t=", 2, HOUR},
    {"POST /s/register", "c=000000&p=password2&t=", 7, DAY},
    {"POST /s/send/register", "t=", 2, 0},
    {"POST /s/register", "c=000000&p=password2&t=", 7, 0},
    {"POST /s/register", "c=000000&p=password2&t=", 2, 11 * MINUTE},
    {"POST /s/captcha/send", "t=", 3, HOUR},
    {"POST /s/captcha/register", "t=", 3, HOUR},
};

/* Everything that was answered, one reply a line. */
static const char *answers_about(server_t *server, const char *name, const char *address)
{
    apr_array_header_t *lines = apr_array_make(server->process, 64, sizeof(const char *));
    apr_int64_t begin = server->now;
    apr_size_t i;
    int n;

    server->address = address;
    for (i = 0; i < COUNT(asked_of_all); i++) {
        server->now += asked_of_all[i].later;
        for (n = 0; n < asked_of_all[i].many; n++) {
            ask(server, asked_of_all[i].request, with(server, asked_of_all[i].form, name), NULL);
            APR_ARRAY_PUSH(lines, const char *) = apr_psprintf(
                server->process, "%s %s (%d): %d %s", asked_of_all[i].request, asked_of_all[i].form,
                n, server->response.status, server->response.body);
        }
    }
    server->now = begin;
    return apr_array_pstrcat(server->process, lines, '\n');
}

/* AccountEnumeration strict: the same to the byte, however often and whenever. */
static void test_strict(server_t *server)
{
    static const char *const known[] = {"13900000001", "known@x.cc"};
    static const char *const unknown[] = {"13900000002", "unknown@x.cc"};
    apr_size_t i;

    for (i = 0; i < COUNT(known); i++) {
        char *state, *other_state, *line, *other;
        char *all;
        int differ = 0, lines = 0;

        prove(server, known[i], "password1");
        site_equip(server);
        server->settings.hides = 1;
        all = apr_pstrdup(server->process, answers_about(server, known[i], "192.0.2.10"));
        other = apr_pstrdup(server->process, answers_about(server, unknown[i], "198.51.100.10"));
        line = apr_strtok(all, "\n", &state);
        other = apr_strtok(other, "\n", &other_state);
        while (line && other) {
            lines++;
            if (strcmp(line, other) != 0) {
                differ++;
                diag("  known: %s", line);
                diag("unknown: %s", other);
            }
            line = apr_strtok(NULL, "\n", &state);
            other = apr_strtok(NULL, "\n", &other_state);
        }
        is_int(differ, 0, "%s, %s: no reply tells them apart", known[i], unknown[i]);
        ok(lines > 80, "of %d", lines);
        limits_off(server);
        server->settings.hides = 0;
        is_int(sent_count(server, unknown[i], "code-reset")
                   + sent_count(server, unknown[i], "code-login")
                   + sent_count(server, unknown[i], "link-reset"),
               0, "nothing went to nobody");
        expect(server, "POST /s/login", FORM("p=password1&a=", known[i]), NULL, "ok");
    }
}

int main(void)
{
    static void (*const tests[])(server_t * server) = {
        test_codes_of_a_day,   test_codes,
        test_password,         test_password_address,
        test_addresses,        test_devices,
        test_old_password,     test_answers,
        test_captcha,          test_captcha_failures,
        test_pictures,         test_sends,
        test_activation_mails, test_reveal,
        test_reveal_nothing,   test_reveal_in_session,
        test_failing_database, test_strict,
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
