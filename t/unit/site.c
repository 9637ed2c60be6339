#include "site.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <jansson.h>

#include "action/limits.h"
#include "base/clock.h"
#include "base/text.h"
#include "store/messages.h"
#include "store/statements.h"
#include "tap.h"

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

server_t *server_make(const char *database, apr_pool_t *parent)
{
    apr_array_header_t *roles;
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
    server->address = "192.0.2.1";
    server->random = (account_random_t){count, &server->counter};
    server->schema = (account_schema_t){.keys = fixture_keys(pool), .may_change = 1};
    config.on_connect_baton = &server->schema;
    server->settings.session_idle = DAY;
    server->settings.session_life = 30 * DAY;
    roles = apr_array_make(server->process, 1, sizeof(const char *));
    APR_ARRAY_PUSH(roles, const char *) = "user";
    server->settings.roles = roles;
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

void site_mount(server_t *server, const char *path, const char *text)
{
    add_mount(server, path, fixture_contract(text, server->process));
}

void site_limit(server_t *server, const char *name, const char *words)
{
    const char *error = account_limit_parse(&server->settings.limits[account_limit_find(name)],
                                            words, server->process);

    is_str(error, NULL, "limit %s %s", name, words);
}

static apr_array_header_t *words_of(apr_pool_t *pool, const char *one, const char *two)
{
    apr_array_header_t *words = apr_array_make(pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(words, const char *) = one;
    if (two) {
        APR_ARRAY_PUSH(words, const char *) = two;
    }
    return words;
}

void site_equip(server_t *server)
{
    account_settings_t *settings = &server->settings;
    account_texts_t *texts = NULL;
    const char *folder = fixture_path("conf/texts/en", server->process);
    int i;

    is_str(account_texts_read(&texts, folder, server->process), NULL, "texts");
    settings->texts = texts;
    for (i = 0; i < ACCOUNT_LIMITS; i++) {
        account_limit_parse(&settings->limits[i], account_limits[i].standard, server->process);
    }
    settings->sends[ACCOUNT_SMS] = settings->sends[ACCOUNT_MAIL] = 1;
    settings->activation = 1;
    settings->site = "shop.example";
    settings->activate_url = "https://shop.example/account/activate?token=";
    settings->reset_url = "https://shop.example/account/reset?token=";
    settings->device_cookie = "account_device";
    settings->captcha_font = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";
    settings->roles = words_of(server->process, "user", "admin");
    settings->chosen_roles = words_of(server->process, "user", NULL);
    settings->admin_roles = words_of(server->process, "admin", NULL);
    server->sent = apr_array_make(server->process, 16, sizeof(account_message_t *));
}

/* Claimed for longer than any test lasts. */
static void collect(server_t *server)
{
    account_store_t store = store_of(server);
    int channel;

    store.pool = server->sent->pool;
    for (channel = 0; channel < ACCOUNT_CHANNELS; channel++) {
        account_claim_t claim = {channel, 1000, 1000 * DAY};
        apr_array_header_t *messages = NULL;
        apr_status_t rv = account_messages_claim(&store, &claim, &messages);

        if (rv != APR_SUCCESS) {
            ok(0, "messages are claimed: %d", rv);
            continue;
        }
        apr_array_cat(server->sent, messages);
    }
}

const char *sent_to(server_t *server, const char *recipient, const char *what)
{
    int from = server->sent->nelts, i;
    const char *found = NULL;

    collect(server);
    for (i = from; i < server->sent->nelts; i++) {
        const account_message_t *message =
            APR_ARRAY_IDX(server->sent, i, const account_message_t *);
        json_t *content = json_loads(message->content, 0, NULL);
        const char *text = json_string_value(json_object_get(content, what));

        if (strcmp(message->recipient, recipient) == 0 && strcmp(what, "name") == 0) {
            found = message->name;
        }
        else if (strcmp(message->recipient, recipient) == 0 && text) {
            found = apr_pstrdup(server->process, text); /* notices have no code */
        }
        json_decref(content);
    }
    return found;
}

int sent_count(server_t *server, const char *recipient, const char *name)
{
    int count = 0, i;

    collect(server);
    for (i = 0; i < server->sent->nelts; i++) {
        const account_message_t *message =
            APR_ARRAY_IDX(server->sent, i, const account_message_t *);

        count += (!recipient || strcmp(message->recipient, recipient) == 0)
                 && strcmp(message->name, name) == 0;
    }
    return count;
}

const char *token_in(const char *link)
{
    return link && strchr(link, '=') ? strchr(link, '=') + 1 : "none";
}

account_store_t store_of(server_t *server)
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

const char *ask(server_t *server, const char *request, const char *form, const char *cookies)
{
    const char *path = strchr(request, ' ') + 1;
    const char *method = apr_pstrmemdup(server->process, request, path - request - 1);
    int is_get = strcmp(method, "GET") == 0;
    account_store_t store = store_of(server);
    account_match_t match;
    account_caller_t caller = {.cookies = cookies};
    account_exchange_t x = {
        .match = &match,
        .store = &store,
        .settings = &server->settings,
        .query = is_get ? form : NULL,
        .body_type = is_get ? ACCOUNT_BODY_NONE : ACCOUNT_BODY_FORM,
        .body = is_get ? NULL : form,
        .body_length = is_get || !form ? 0 : strlen(form),
        .caller = &caller,
        .cookie_names = server->cookie_names,
        .address = server->address,
        .agent = "unit/1",
    };

    memset(&server->response, 0, sizeof(server->response));
    if (!account_router_match(account_router_make(server->mounts, server->process), path, method,
                              &match, server->process)
        || !match.method_known) {
        return "no such route";
    }
    account_engine_answer(&x, &server->response);
    return server->response.body;
}

const char *member(server_t *server, const char *name)
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

void expect(server_t *server, const char *request, const char *form, const char *cookies,
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

void expect_status(server_t *server, const char *request, const char *form, const char *cookies,
                   const char *status)
{
    ask(server, request, form, cookies);
    if (!is_str(member(server, "status"), status, "%s %s: status %s", request,
                form ? fixture_shown(form) : "", status)) {
        diag("%d %s, failure %d", server->response.status, server->response.body,
             server->response.failure);
    }
}

const char *cookie(server_t *server, const char *name)
{
    const account_session_t *session = server->response.answer.session;

    return session && server->response.answer.session_begun
               ? apr_pstrcat(server->process, name, "=", session->token, NULL)
               : NULL;
}

const char *log_in(server_t *server, const char *form)
{
    const char *session;

    expect(server, "POST /six/login", form, NULL, "ok");
    session = cookie(server, "account_session");
    ok(session != NULL, "a session");
    return session;
}

const char *register_as(server_t *server, const char *form)
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

void sql(server_t *server, const char *text)
{
    account_work_t work = {.mode = ACCOUNT_WRITE, .fn = run_sql, .baton = (void *)text};

    work.deadline = account_clock_monotonic() + apr_time_from_sec(5);
    work.pool = server->process;
    is_int(account_database_run(server->database, &work), APR_SUCCESS, "%s", text);
}

const account_t *stored(server_t *server, const char *identifier)
{
    account_store_t store = store_of(server);
    const account_t *account = NULL;

    account_find(&store, account_text_identifier(server->process, identifier), &account);
    return account;
}

const char *mmall_login(server_t *server, const char *form)
{
    expect_status(server, "GET /user/login.do", form, NULL, "0");
    return cookie(server, "mmall_login_token");
}

const char *token_of(server_t *server, const char *form)
{
    expect(server, "POST /six/answer", form, NULL, "ok");
    return member(server, "token");
}

const char *with_token(server_t *server, const char *form, const char *token)
{
    return apr_pstrcat(server->process, form, "&t=", token, NULL);
}
