/* contract/engine: what the reply to an outcome becomes: JSON, a page, the picture, or
 * "unavailable" where that fails. The actions are played by this program, so there is no database.
 */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "contract/engine.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define JSON "application/json; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define PNG "\x89PNG\r\n\x1A\n\0\0IDAT"
#define TOKEN "0123456789abcdefghijklmnopqrstuv"
#define DEVICE_A "abcdefghijklmnopqrstuvwxyz"
#define DEVICE_B "bbcdefghijklmnopqrstuvwxyz"

static const char text[] =
    "<AccountContract c>\n"
    "AccountReply * 400 '\"%{outcome}\"'\n"
    "AccountReply too-many 429 '{\"wait\": %{retry_after}, \"text\": \"%{message}\"}'\n"
    "<AccountRoute plain GET /plain>\nAccountAction current\n"
    "AccountReply ok 200 '[%{account.id}, %{account.extra.orders}]'\n</AccountRoute>\n"
    "<AccountRoute picture GET /picture>\nAccountAction captcha_image\n"
    "AccountParam captcha_id id\n</AccountRoute>\n"
    "<AccountRoute send POST /send>\nAccountAction send_code\nAccountSet purpose any\n"
    "AccountParam target t\nAccountReply ok 200 '1'\n</AccountRoute>\n"
    "<AccountRoute open GET /reset>\nAccountAction open_link\nAccountParam token token\n"
    "AccountPage ok 200 reset\nAccountPage * 400 failed\n</AccountRoute>\n"
    "<AccountRoute reset POST /reset>\nAccountAction reset_by_link\n"
    "AccountParam token token\nAccountParam password password again=password2\n"
    "AccountPage ok 200 reset-done\nAccountPage * 400 failed\nAccountPage expired-token 410 "
    "expired\n"
    "AccountPage invalid.password 400 reset-again\n"
    "AccountReply disabled 403 '\"closed\"'\n</AccountRoute>\n"
    "<AccountRoute list GET /list>\nAccountAction points\nAccountParam page p\n"
    "AccountReply ok 200 '%{entries|item}'\n</AccountRoute>\n"
    "AccountShape item '[%{entry.amount}, \"%{entry.description}\"]'\n"
    "</AccountContract>\n";

/* What the played action does, and what it was given. */
typedef struct world_t {
    account_settings_t settings; /* first: the action finds the world by it */
    account_store_t store;
    account_t account;
    account_answer_t answer;
    apr_status_t status;
    account_call_t seen;
    const account_contract_t *contract;
    const char *cookies;
    account_response_t response;
    apr_pool_t *pool;
} world_t;

static apr_status_t play(const account_call_t *call, account_answer_t *answer)
{
    world_t *w = (world_t *)call->settings;

    w->seen = *call;
    *answer = w->answer;
    return w->status;
}

static void make_world(world_t *w, apr_pool_t *pool)
{
    account_texts_t *texts = NULL;

    memset(w, 0, sizeof(*w));
    w->pool = pool;
    w->store.pool = pool;
    w->store.realm = "unit";
    w->store.keys = fixture_keys(pool);
    w->store.now = FIXTURE_NOW;
    w->account.id = 15;
    w->account.attributes = "{}";
    w->settings.site = "shop.example";
    w->settings.lookups = apr_array_make(pool, 1, sizeof(void *));
    is_str(account_texts_read(&texts, fixture_path("conf/texts/en", pool), pool), NULL, "texts");
    w->settings.texts = texts;
    w->contract = fixture_contract(text, pool);
}

/* A route of the contract whose action this program plays: it needs no session. */
static account_route_t *played(world_t *w, const char *name)
{
    account_route_t *route =
        apr_pmemdup(w->pool, account_contract_route(w->contract, name), sizeof(*route));
    account_action_t *action = apr_pmemdup(w->pool, route->action, sizeof(*action));

    action->run = play;
    action->needs_session = 0;
    action->changes = 0;
    route->action = action;
    return route;
}

/* One request with the form; or, with a refusal, what is said before it is read. */
static void ask(world_t *w, const char *route, const char *form, account_outcome_e refusal)
{
    const account_mount_t mount = {.path = "/m", .contract = w->contract};
    const account_match_t match = {.mount = &mount,
                                   .route = played(w, route),
                                   .method_known = 1,
                                   .pairs = apr_array_make(w->pool, 1, sizeof(account_pair_t))};
    account_caller_t caller = {.cookies = w->cookies};
    const account_exchange_t x = {
        .match = &match,
        .store = &w->store,
        .settings = &w->settings,
        .query = form,
        .caller = &caller,
        .cookie_names = apr_array_make(w->pool, 1, sizeof(const char *)),
        .address = "192.0.2.1",
    };

    memset(&w->seen, 0, sizeof(w->seen));
    memset(&w->response, 0, sizeof(w->response));
    if (refusal == ACCOUNT_OK) {
        account_engine_answer(&x, &w->response);
    }
    else {
        account_engine_refuse(&x, refusal, &w->response);
    }
}

static void is_reply(const world_t *w, int status, const char *type, const char *body)
{
    is_int(w->response.status, status, "status %d", status);
    is_str(w->response.type, type, "type %s", type);
    is_int(w->response.is_page, strcmp(type, HTML) == 0, "a page or none");
    if (body) {
        is_str(w->response.body, body, "body %s", body);
        is_int(w->response.length, strlen(body), "all of it");
    }
}

/* The page holds this text, and is as long as it says. */
static void is_page(const world_t *w, int status, const char *holds)
{
    is_reply(w, status, HTML, NULL);
    ok(strstr(w->response.body, holds) != NULL, "the page has %s", holds);
    ok(w->response.length > 0 && strlen(w->response.body) == w->response.length, "its length");
}

static void test_json(world_t *w)
{
    static const account_entry_t entry = {-3, "tea", 0};
    apr_array_header_t *entries = apr_array_make(w->pool, 1, sizeof(account_entry_t));

    w->answer = (account_answer_t){.account = &w->account};
    ask(w, "plain", NULL, ACCOUNT_OK);
    is_reply(w, 200, JSON, "[15,null]");
    is_int(w->response.failure, APR_SUCCESS, "nothing failed");
    APR_ARRAY_PUSH(entries, account_entry_t) = entry;
    w->answer.entries = entries;
    ask(w, "list", "p=1", ACCOUNT_OK);
    is_reply(w, 200, JSON, "[[-3,\"tea\"]]");
    w->answer.entries = NULL;
    ask(w, "list", NULL, ACCOUNT_OK);
    is_reply(w, 200, JSON, "[]");
    w->status = APR_EGENERAL;
    ask(w, "plain", NULL, ACCOUNT_OK);
    is_reply(w, 503, JSON, "\"unavailable\"");
    is_int(w->response.failure, APR_EGENERAL, "and why");
    is_int(w->response.answer.retry_after, ACCOUNT_RETRY_AFTER, "and for how long");
    w->status = APR_SUCCESS;
    w->answer = (account_answer_t){.outcome = ACCOUNT_WRONG_PASSWORD};
    ask(w, "plain", NULL, ACCOUNT_OK);
    is_reply(w, 503, JSON, "\"unavailable\"");
}

static void test_interval(world_t *w)
{
    w->answer = (account_answer_t){.outcome = ACCOUNT_TOO_MANY_INTERVAL, .retry_after = 42};
    ask(w, "send", "t=13800138000", ACCOUNT_OK);
    is_reply(w, 429, JSON, "{\"wait\":42,\"text\":\"Too many requests, try again later.\"}");
    is_str(account_outcomes[w->response.answer.outcome].name, "too-many.interval", "as it is");
    w->answer = (account_answer_t){.outcome = ACCOUNT_TOO_MANY, .retry_after = 7};
    ask(w, "send", "t=13800138000", ACCOUNT_OK);
    is_reply(w, 429, JSON, "{\"wait\":7,\"text\":\"Too many requests, try again later.\"}");
}

static void test_picture(world_t *w)
{
    const account_picture_t picture = {PNG, sizeof(PNG) - 1};

    w->answer = (account_answer_t){.outcome = ACCOUNT_IMAGE, .picture = &picture};
    ask(w, "picture", "id=x", ACCOUNT_OK);
    is_reply(w, 200, "image/png", NULL);
    ok(w->response.length == sizeof(PNG) - 1 && memcmp(w->response.body, PNG, sizeof(PNG) - 1) == 0,
       "the picture's bytes, NUL included");
    w->answer.picture = NULL;
    ask(w, "picture", "id=x", ACCOUNT_OK);
    is_reply(w, 503, JSON, "\"unavailable\"");
    ok(w->response.failure != APR_SUCCESS, "an image without a picture is a failure");
    w->answer = (account_answer_t){.outcome = ACCOUNT_UNKNOWN_CAPTCHA};
    ask(w, "picture", "id=x", ACCOUNT_OK);
    is_reply(w, 400, JSON, "\"unknown-captcha\"");
}

static void test_pages(world_t *w)
{
    const account_texts_t *texts = w->settings.texts;

    w->answer = (account_answer_t){.token = TOKEN};
    ask(w, "open", "token=other", ACCOUNT_OK);
    is_page(w, 200, TOKEN);
    ok(!strstr(w->response.body, "other"), "the answer's token, not the request's");
    /* the form once more, with the token that the request brought */
    ask(w, "reset", "token=" TOKEN "&password=short&password2=short", ACCOUNT_OK);
    is_page(w, 400, TOKEN);
    is_str(w->response.refused, "password.length", "what was refused");
    ok(!strstr(w->response.body, "short"), "and never the password");
    ask(w, "reset", "token=" TOKEN "&password=long%20enough&password2=other", ACCOUNT_OK);
    is_page(w, 400, TOKEN);
    is_str(w->response.refused, "password.again", "what was refused");
    ask(w, "reset", "password=long%20enough&password2=long%20enough", ACCOUNT_OK);
    is_page(w, 400, "<");
    is_str(w->response.refused, "token.required", "what was refused");
    w->answer = (account_answer_t){.outcome = ACCOUNT_EXPIRED_TOKEN};
    ask(w, "reset", "token=" TOKEN "&password=long%20enough&password2=long%20enough", ACCOUNT_OK);
    is_page(w, 410, "<");
    ok(!w->response.refused, "nothing is invalid");
    w->answer = (account_answer_t){.outcome = ACCOUNT_ACCOUNT_DISABLED};
    ask(w, "reset", "token=" TOKEN "&password=long%20enough&password2=long%20enough", ACCOUNT_OK);
    is_reply(w, 403, JSON, "\"closed\"");
    /* before anything was read, and when the machine fails */
    ask(w, "open", "token=" TOKEN, ACCOUNT_BAD_METHOD);
    is_page(w, 405, "<");
    ok(!strstr(w->response.body, TOKEN), "nothing was read");
    ask(w, "open", "token=%FF", ACCOUNT_OK);
    is_page(w, 400, "<");
    w->status = APR_EGENERAL;
    ask(w, "open", "token=" TOKEN, ACCOUNT_OK);
    is_page(w, 503, "<");
    is_int(w->response.failure, APR_EGENERAL, "and why");
    w->status = APR_SUCCESS;
    w->settings.texts = NULL;
    ask(w, "open", "token=" TOKEN, ACCOUNT_OK);
    is_reply(w, 503, HTML, "");
    ok(w->response.failure != APR_SUCCESS, "no texts: a failure, and an empty body");
    ask(w, "open", "token=" TOKEN, ACCOUNT_TOO_LARGE);
    is_reply(w, 413, HTML, "");
    w->settings.texts = texts;
}

static void test_refused(world_t *w)
{
    static const struct {
        const char *form;
        const char *wanted;
    } rows[] = {
        {"", "target.required"},
        {"t=alice", "target.email"},
        {"t=138", "target.mobile"},
        {"t=a@b.cc", NULL},
    };
    apr_size_t i;

    w->answer = (account_answer_t){.outcome = ACCOUNT_OK};
    for (i = 0; i < COUNT(rows); i++) {
        ask(w, "send", rows[i].form, ACCOUNT_OK);
        is_str(w->response.refused, rows[i].wanted, "refused of \"%s\"", rows[i].form);
    }
}

static void test_devices(world_t *w)
{
    static const struct {
        const char *cookies;
        const char *wanted;
    } rows[] = {
        {NULL, ""},
        {"a=1", ""},
        {"dev=" DEVICE_A, DEVICE_A ";"},
        {"dev=" DEVICE_A "; x=" DEVICE_B "; dev=" DEVICE_B "; dev=" DEVICE_A,
         DEVICE_A ";" DEVICE_B ";"},
        {"dev=short; devx=" DEVICE_A, ""},
        {"dev=a" DEVICE_A "; dev=2bcdefghijklmnopqrstuvwxyz; dev=3bcdefghijklmnopqrstuvwxyz; "
         "dev=4bcdefghijklmnopqrstuvwxyz; dev=5bcdefghijklmnopqrstuvwxyz; "
         "dev=6bcdefghijklmnopqrstuvwxyz",
         "2bcdefghijklmnopqrstuvwxyz;3bcdefghijklmnopqrstuvwxyz;4bcdefghijklmnopqrstuvwxyz;"
         "5bcdefghijklmnopqrstuvwxyz;"},
    };
    apr_size_t i;
    int j;

    for (i = 0; i < COUNT(rows); i++) {
        const char *got = "";

        w->settings.device_cookie = "dev";
        w->cookies = rows[i].cookies;
        ask(w, "plain", NULL, ACCOUNT_OK);
        for (j = 0; w->seen.device_cookies && j < w->seen.device_cookies->nelts; j++) {
            got = apr_pstrcat(w->pool, got, APR_ARRAY_IDX(w->seen.device_cookies, j, const char *),
                              ";", NULL);
        }
        is_str(got, rows[i].wanted, "devices in %s", rows[i].cookies ? rows[i].cookies : "nothing");
        w->settings.device_cookie = NULL;
        ask(w, "plain", NULL, ACCOUNT_OK);
        ok(w->seen.device_cookies && w->seen.device_cookies->nelts == 0,
           "none without AccountDeviceCookie");
    }
    is_str(w->seen.terms.address, "192.0.2.1", "and whence it came");
}

int main(void)
{
    apr_pool_t *pool;
    world_t world;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    make_world(&world, pool);
    if (world.contract) {
        test_json(&world);
        test_interval(&world);
        test_picture(&world);
        test_pages(&world);
        test_refused(&world);
        test_devices(&world);
    }
    apr_pool_destroy(pool);
    return done_testing();
}
