/* The actions end to end: a request in, a reply out, on SQLite in memory, with a clock that stands
 * still until it is moved and randomness that counts. */

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/text.h"
#include "contract/engine.h"
#include "fixture.h"
#include "store/schema.h"
#include "store/statements.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SECOND APR_INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* A contract of this program's own: what mmall does not use. */
static const char sixth_text[] =
    "<AccountContract sixth>\n"
    "AccountSessionIdle 1h\n"
    "AccountSessionLife 3h\n"
    "AccountShape who '{\"id\": %{account.id}, \"user_name\": %{account.user_name}, "
    "\"email\": %{account.email}, \"mobile\": %{account.mobile}, \"role\": %{account.role}, "
    "\"shown\": %{account.display_name}, \"nick\": %{account.nickname}, "
    "\"color\": %{account.extra.color}, \"phone\": %{account.phone_number}, "
    "\"answer\": %{account.answer}, \"with\": %{account.registered_with}, "
    "\"kind\": %{account.registered_kind}, \"verified\": %{account.email_verified}}'\n"
    "AccountReply * 400 '{\"outcome\": \"%{outcome}\"}'\n"
    "AccountReply ok 200 '{\"outcome\": \"ok\"}'\n"
    "<AccountRoute login POST /login>\nAccountAction login\n"
    "AccountParam account a\nAccountParam password p\n"
    "AccountReply ok 200 '%{who}'\n</AccountRoute>\n"
    "<AccountRoute me GET /me>\nAccountAction current\nAccountReply ok 200 '%{who}'\n"
    "</AccountRoute>\n"
    "<AccountRoute session GET /session>\nAccountAction current\n"
    "AccountReply ok 200 '{\"id\": %{session.id}, \"created\": %{session.created}, "
    "\"seen\": %{session.seen}, \"expires\": %{session.expires}, "
    "\"address\": %{session.address}, \"agent\": %{session.agent}}'\n</AccountRoute>\n"
    "<AccountRoute register POST /register>\nAccountAction register\nAccountSet then login\n"
    "AccountParam user_name u\nAccountParam email e\nAccountParam mobile m\n"
    "AccountParam account a\nAccountParam password p\nAccountParam role r\n"
    "AccountParam nickname n\nAccountParam extra.color c\nAccountParam question q\n"
    "AccountParam answer s\nAccountReply ok 200 '%{who}'\n</AccountRoute>\n"
    "<AccountRoute change POST /password>\nAccountAction change_password\n"
    "AccountSet sessions all\nAccountParam old_password old\nAccountParam password p\n"
    "</AccountRoute>\n"
    "<AccountRoute rotate POST /rotate>\nAccountAction change_password\n"
    "AccountParam old_password old\nAccountParam password p\n</AccountRoute>\n"
    "<AccountRoute update PUT /me>\nAccountAction update_profile\nAccountParam email e\n"
    "AccountParam nickname n\nAccountParam given_name g\nAccountParam family_name f\n"
    "AccountParam phone_number t\nAccountParam extra.color c\nAccountParam question q\n"
    "AccountParam answer s\nAccountReply ok 200 '%{who}'\n</AccountRoute>\n"
    "<AccountRoute free GET /free/{kind}/{value}>\nAccountAction check_identifier\n"
    "AccountParam kind kind\nAccountParam value value\n"
    "AccountReply free 200 '{\"outcome\": \"free\"}'\n"
    "AccountReply taken 200 '{\"outcome\": \"%{outcome}\"}'\n</AccountRoute>\n"
    "<AccountRoute question GET /question>\nAccountAction security_question\n"
    "AccountParam account a\nAccountReply ok 200 '{\"question\": %{question}}'\n</AccountRoute>\n"
    "<AccountRoute answer POST /answer>\nAccountAction check_answer\nAccountParam account a\n"
    "AccountParam question q\nAccountParam answer s\n"
    "AccountReply ok 200 '{\"token\": %{token}}'\n</AccountRoute>\n"
    "<AccountRoute reset POST /reset>\nAccountAction reset_password\nAccountSet purpose answer\n"
    "AccountSet then login\nAccountParam target a\nAccountParam code t\nAccountParam password p\n"
    "AccountReply ok 200 '%{who}'\n</AccountRoute>\n"
    "<AccountRoute recover POST /recover>\nAccountAction reset_password\nAccountSet purpose "
    "answer\n"
    "AccountParam target a\nAccountParam code t\nAccountParam password p\n</AccountRoute>\n"
    "<AccountRoute logout DELETE /session/{id}>\nAccountAction logout\nAccountParam account_id id\n"
    "</AccountRoute>\n"
    "<AccountRoute settings GET /settings>\nAccountAction none\n"
    "AccountReply ok 200 '{\"limit\": 100.0, \"mount\": \"%{mount}\"}'\n</AccountRoute>\n"
    "</AccountContract>\n";

/* Randomness that counts, and can fail from some call on. */
typedef struct counter_t {
    unsigned long long calls;
    unsigned long long fails_at; /* 0: never */
} counter_t;

typedef struct server_t {
    apr_pool_t *process; /* for everything: it lives as long as the server */
    counter_t counter;
    account_random_t random;
    account_schema_t schema;
    account_database_t *database;
    account_settings_t settings;
    apr_array_header_t *mounts;
    apr_array_header_t *cookie_names;
    const char *realm;
    apr_int64_t now;
    account_response_t response; /* of the last request */
} server_t;

static apr_status_t count(void *baton, unsigned char *bytes, apr_size_t length)
{
    counter_t *counter = baton;
    unsigned long long state = ++counter->calls * 0x9E3779B97F4A7C15ull;
    apr_size_t i;

    if (counter->fails_at && counter->calls >= counter->fails_at) {
        return APR_EGENERAL;
    }
    for (i = 0; i < length; i++) {
        state ^= state >> 27;
        state *= 0x94D049BB133111EBull;
        bytes[i] = (unsigned char)(state >> 56);
    }
    return APR_SUCCESS;
}

static void add_mount(server_t *server, const char *path, const account_contract_t *contract)
{
    account_mount_t *mount = apr_pcalloc(server->process, sizeof(*mount));

    if (contract) {
        mount->path = path;
        mount->contract = contract;
        APR_ARRAY_PUSH(server->mounts, const account_mount_t *) = mount;
        APR_ARRAY_PUSH(server->cookie_names, const char *) = contract->cookie;
    }
}

static server_t *server_make(const char *database, apr_pool_t *parent)
{
    server_t *server;
    const char *error;
    apr_pool_t *pool;
    account_database_config_t config = {
        .driver = "sqlite3",
        .params = database,
        .statements = account_statements,
        .statement_count = ACCOUNT_SQL_COUNT,
        .connections = 1,
        .on_connect = account_schema_check,
    };

    apr_pool_create(&pool, parent);
    server = apr_pcalloc(pool, sizeof(*server));
    server->process = pool;
    server->now = FIXTURE_NOW;
    server->realm = "shop";
    server->random = (account_random_t){count, &server->counter};
    server->schema = (account_schema_t){.keys = fixture_keys(pool), .may_change = 1};
    config.on_connect_baton = &server->schema;
    server->settings.session_idle = DAY;
    server->settings.session_life = 30 * DAY;
    server->settings.default_role = "user";
    if (account_password_parse_cost(&server->settings.cost, "argon2id m=8 t=1 p=1", pool)) {
        account_password_parse_cost(&server->settings.cost, "scrypt ln=4 r=1 p=1", pool);
    }
    server->mounts = apr_array_make(pool, 2, sizeof(const account_mount_t *));
    server->cookie_names = apr_array_make(pool, 2, sizeof(const char *));
    add_mount(server, "/user",
              fixture_compile(fixture_file("conf/contracts/mmall.conf", pool), &error, pool));
    add_mount(server, "/six", fixture_contract(sixth_text, pool));
    is_int(account_database_create(&server->database, &config, pool), APR_SUCCESS, "database: %s",
           database);
    return server;
}

static account_store_t store_of(server_t *server)
{
    return (account_store_t){
        .database = server->database,
        .realm = server->realm,
        .keys = server->schema.keys,
        .random = &server->random,
        .now = server->now,
        .deadline = account_clock_monotonic() + apr_time_from_sec(5),
        .pool = server->process,
    };
}

/* One request. request: "METHOD /path", form: of the body or the query, cookies: the header or
 * NULL. */
static const char *ask(server_t *server, const char *request, const char *form, const char *cookies)
{
    const char *path = strchr(request, ' ') + 1;
    const char *method = apr_pstrmemdup(server->process, request, path - request - 1);
    int is_get = strcmp(method, "GET") == 0;
    account_store_t store = store_of(server);
    account_match_t match;
    account_exchange_t x = {
        .match = &match,
        .store = &store,
        .settings = &server->settings,
        .query = is_get ? form : NULL,
        .body_type = is_get ? ACCOUNT_BODY_NONE : ACCOUNT_BODY_FORM,
        .body = is_get ? NULL : form,
        .body_length = is_get || !form ? 0 : strlen(form),
        .cookies = cookies,
        .cookie_names = server->cookie_names,
        .address = "192.0.2.1",
        .agent = "unit/1",
    };

    memset(&server->response, 0, sizeof(server->response));
    if (!account_engine_match(server->mounts, path, method, &match, server->process)
        || !match.method_known) {
        return "no such route";
    }
    account_engine_answer(&x, &server->response);
    return server->response.body;
}

/* A member of the last reply's body as text; objects in objects by a dot. */
static const char *member(server_t *server, const char *name)
{
    json_t *body = json_loadb(server->response.body, server->response.length, 0, NULL);
    const char *dot = strchr(name, '.');
    json_t *value =
        dot ? json_object_get(
            json_object_get(body, apr_pstrmemdup(server->process, name, dot - name)), dot + 1)
            : json_object_get(body, name);
    char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    const char *text = json_is_string(value)
                           ? apr_pstrdup(server->process, json_string_value(value))
                       : dumped ? apr_pstrdup(server->process, dumped)
                                : NULL;

    free(dumped);
    json_decref(body);
    return text;
}

/* The member "outcome" of what the sixth contract says, or "ok" when it says more. */
static const char *outcome_of(server_t *server)
{
    const char *outcome = member(server, "outcome");

    return outcome ? outcome : server->response.status == 200 ? "ok" : "?";
}

static void expect(server_t *server, const char *request, const char *form, const char *cookies,
                   const char *outcome)
{
    ask(server, request, form, cookies);
    if (!is_str(outcome_of(server), outcome, "%s %s: %s", request, form ? fixture_shown(form) : "",
                outcome)) {
        diag("%d %s, failure %d, refused %s", server->response.status, server->response.body,
             server->response.failure,
             server->response.refused ? server->response.refused : "nothing");
    }
}

/* The same of mmall: its status and the HTTP status. */
static void expect_status(server_t *server, const char *request, const char *form,
                          const char *cookies, const char *status)
{
    ask(server, request, form, cookies);
    if (!is_str(member(server, "status"), status, "%s %s: status %s", request,
                form ? fixture_shown(form) : "", status)) {
        diag("%d %s, failure %d", server->response.status, server->response.body,
             server->response.failure);
    }
}

/* The cookie of the session that the last request began. */
static const char *cookie(server_t *server, const char *name)
{
    const account_session_t *session = server->response.answer.session;

    return session && server->response.answer.session_begun
               ? apr_pstrcat(server->process, name, "=", session->token, NULL)
               : NULL;
}

static const char *log_in(server_t *server, const char *form)
{
    const char *session;

    expect(server, "POST /six/login", form, NULL, "ok");
    session = cookie(server, "account_session");
    ok(session != NULL, "a session");
    return session;
}

static const char *register_as(server_t *server, const char *form)
{
    const char *session;

    expect(server, "POST /six/register", form, NULL, "ok");
    session = cookie(server, "account_session");
    ok(session != NULL, "a session");
    return session;
}

static apr_status_t run_sql(account_db_t *db, void *baton)
{
    return account_db_schema(db, baton);
}

static void sql(server_t *server, const char *text)
{
    account_work_t work = {.mode = ACCOUNT_WRITE, .fn = run_sql, .baton = (void *)text};

    work.deadline = account_clock_monotonic() + apr_time_from_sec(5);
    work.pool = server->process;
    is_int(account_database_run(server->database, &work), APR_SUCCESS, "%s", text);
}

static const account_t *stored(server_t *server, const char *identifier)
{
    account_store_t store = store_of(server);
    const account_t *account = NULL;

    account_find(&store, account_text_identifier(server->process, identifier), &account);
    return account;
}

/* mmall's eleven routes, each outcome that they have. */

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

static const char *mmall_login(server_t *server, const char *form)
{
    expect_status(server, "GET /user/login.do", form, NULL, "0");
    return cookie(server, "mmall_login_token");
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
    expect(server, "GET /six/me", NULL, session, "unavailable");
    is_int(server->response.status, 503, "a damaged seal is the machine's failure");
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

static const char *token_of(server_t *server, const char *form)
{
    expect(server, "POST /six/answer", form, NULL, "ok");
    return member(server, "token");
}

static const char *with_token(server_t *server, const char *form, const char *token)
{
    return apr_pstrcat(server->process, form, "&t=", token, NULL);
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

    account_engine_match(server->mounts, "/six/login", "POST", &match, server->process);
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
    test_login(server);
    test_too_many_cookies(server);
    test_change_password(server);
    test_recovery(server);
    test_logout(server);
    test_none(server);
    test_expiry(server);
    test_realms(server);
    test_random_fails(server);
    test_refuse(server);
    test_no_database(pool);
    apr_pool_destroy(server->process);
    apr_pool_destroy(pool);
    return done_testing();
}
