/* contract/engine: which request goes to which route. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "contract/engine.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ROUTE(routes, i) APR_ARRAY_IDX(routes, i, account_route_t *)
#define HAN "\xE5\xBC\xA0\xE4\xB8\x89"

static const char paths_contract[] =
    "<AccountContract paths>\n"
    "AccountReply * 400 '\"%{outcome}\"'\n"
    "AccountReply ok 200 '\"%{mount}\"'\n"
    "AccountReply free 200 '1'\n"
    "AccountReply taken 200 '2'\n"
    "<AccountRoute top GET />\nAccountAction none\n</AccountRoute>\n"
    "<AccountRoute login GET|POST /login.do>\nAccountAction login\n"
    "AccountParam account a\nAccountParam password p\n</AccountRoute>\n"
    "<AccountRoute me GET /i/me>\nAccountAction current\n</AccountRoute>\n"
    "<AccountRoute end DELETE /i/me>\nAccountAction logout\n</AccountRoute>\n"
    "<AccountRoute free GET /free/{kind}/{value}>\nAccountAction check_identifier\n"
    "AccountParam kind kind\nAccountParam value value\n</AccountRoute>\n"
    "<AccountRoute question PUT /free/{who}/question>\nAccountAction security_question\n"
    "AccountParam account who\n</AccountRoute>\n"
    "</AccountContract>\n";

typedef struct path_row_t {
    const char *path;
    const char *method;
    const char *route; /* NULL: no route has the path */
    int method_known;
    const char *allow;
    const char *pairs;
} path_row_t;

static const char *pairs_of(const account_match_t *match, apr_pool_t *pool)
{
    const char *all = "";
    int i;

    for (i = 0; match->pairs && i < match->pairs->nelts; i++) {
        const account_pair_t *pair = &APR_ARRAY_IDX(match->pairs, i, account_pair_t);

        all = apr_pstrcat(pool, all, pair->name, "=", pair->value, ";", NULL);
    }
    return all;
}

static void check_path(const apr_array_header_t *mounts, const path_row_t *row, apr_pool_t *pool)
{
    account_match_t match;
    int found = account_router_match(account_router_make(mounts, pool), row->path, row->method,
                                     &match, pool);

    is_str(found ? match.route->name : NULL, row->route, "%s %s: %s", row->method, row->path,
           row->route ? row->route : "nobody's");
    if (found && row->route) {
        is_int(match.method_known, row->method_known, "%s %s: known", row->method, row->path);
        is_str(match.allow, row->allow, "%s %s: allow", row->method, row->path);
        is_str(pairs_of(&match, pool), row->pairs, "%s %s: pairs", row->method, row->path);
    }
}

static apr_array_header_t *mounts_of(const account_mount_t *mounts, int count, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, count, sizeof(const account_mount_t *));
    int i;

    for (i = 0; i < count; i++) {
        APR_ARRAY_PUSH(list, const account_mount_t *) = &mounts[i];
    }
    return list;
}

static void test_paths(apr_pool_t *pool)
{
    static const path_row_t rows[] = {
        {"/user/login.do", "GET", "login", 1, "GET, POST", ""},
        {"/user/login.do", "POST", "login", 1, "GET, POST", ""},
        {"/user/login.do/", "POST", "login", 1, "GET, POST", ""},
        {"/user/login.do", "HEAD", "login", 0, "GET, POST", ""},
        {"/user/login.do", "PUT", "login", 0, "GET, POST", ""},
        {"/user/login.do", "FOO", "login", 0, "GET, POST", ""},
        {"/user/login.do", "get", "login", 0, "GET, POST", ""},
        {"/user/login.do", "", "login", 0, "GET, POST", ""},
        {"/user/i/me", "GET", "me", 1, "GET, HEAD, DELETE", ""},
        {"/user/i/me", "HEAD", "me", 1, "GET, HEAD, DELETE", ""},
        {"/user/i/me", "DELETE", "end", 1, "GET, HEAD, DELETE", ""},
        {"/user/i/me", "POST", "me", 0, "GET, HEAD, DELETE", ""},
        {"/user", "GET", "top", 1, "GET, HEAD", ""},
        {"/user/", "GET", "top", 1, "GET, HEAD", ""},
        {"/user/free/email/a@b.cc", "GET", "free", 1, "GET, HEAD", "kind=email;value=a@b.cc;"},
        {"/user/free/email/" HAN "/", "GET", "free", 1, "GET, HEAD", "kind=email;value=" HAN ";"},
        {"/user/free/me/question", "PUT", "question", 1, "GET, HEAD, PUT", "who=me;"},
        {"/user/free/me/question", "GET", "free", 1, "GET, HEAD, PUT", "kind=me;value=question;"},
        {"/user/free/%2e/x y", "GET", "free", 1, "GET, HEAD", "kind=%2e;value=x y;"},
        {"/other/login.do", "GET", "login", 1, "GET, POST", ""},
        {"/signin", "POST", "login", 1, "GET, POST", ""},
        {"/signin/", "POST", "login", 1, "GET, POST", ""},
        {"/signin", "DELETE", "login", 0, "GET, POST", ""},
        {"/signin/login.do", "POST", NULL, 0, NULL, NULL},
        {"/signin/x", "POST", NULL, 0, NULL, NULL},
        {"/signing", "POST", NULL, 0, NULL, NULL},
        {"/", "GET", NULL, 0, NULL, NULL},
        {"", "GET", NULL, 0, NULL, NULL},
        {"/use", "GET", NULL, 0, NULL, NULL},
        {"/users/login.do", "GET", NULL, 0, NULL, NULL},
        {"/userlogin.do", "GET", NULL, 0, NULL, NULL},
        {"/user//login.do", "GET", NULL, 0, NULL, NULL},
        {"/user/login.do//", "GET", NULL, 0, NULL, NULL},
        {"/user/login.dox", "GET", NULL, 0, NULL, NULL},
        {"/user/login.d", "GET", NULL, 0, NULL, NULL},
        {"/user/LOGIN.DO", "GET", NULL, 0, NULL, NULL},
        {"/user/login.do/x", "GET", NULL, 0, NULL, NULL},
        {"/user/i", "GET", NULL, 0, NULL, NULL},
        {"/user/free/email", "GET", NULL, 0, NULL, NULL},
        {"/user/free/email/", "GET", NULL, 0, NULL, NULL},
        {"/user/free//x", "GET", NULL, 0, NULL, NULL},
        {"/user/free/email/a/b", "GET", NULL, 0, NULL, NULL},
        {"login.do", "GET", NULL, 0, NULL, NULL},
    };
    static const path_row_t at_root[] = {
        {"/login.do", "GET", "login", 1, "GET, POST", ""},
        {"/", "GET", "top", 1, "GET, HEAD", ""},
        {"", "GET", "top", 1, "GET, HEAD", ""},
        {"//", "GET", NULL, 0, NULL, NULL},
        {"login.do", "GET", NULL, 0, NULL, NULL},
    };
    const account_contract_t *contract = fixture_contract(paths_contract, pool);
    account_mount_t mounts[] = {
        {.path = "/user", .contract = contract},
        {.path = "/other", .contract = contract},
        {.path = "/signin", .contract = contract},
    };
    account_mount_t root = {.path = "", .contract = contract};
    apr_size_t i;

    if (!contract) {
        return;
    }
    mounts[2].only = account_contract_route(contract, "login");
    ok(!account_contract_route(contract, "Login"), "no route of another name");
    for (i = 0; i < COUNT(rows); i++) {
        check_path(mounts_of(mounts, COUNT(mounts), pool), &rows[i], pool);
    }
    for (i = 0; i < COUNT(at_root); i++) {
        check_path(mounts_of(&root, 1, pool), &at_root[i], pool);
    }
    ok(!account_router_match(account_router_make(mounts_of(NULL, 0, pool), pool), "/", "GET",
                             &(account_match_t){NULL}, pool),
       "without mounts nothing matches");
}

/* Before any limit counts, whoever sends it. */
static void test_many_segments(apr_pool_t *pool)
{
    const account_contract_t *contract = fixture_contract(paths_contract, pool);
    account_mount_t mount = {.path = "/user", .contract = contract};
    account_router_t *router;
    account_match_t match;
    apr_time_t begun;
    char path[40001];
    int i, found = 0;

    if (!contract) {
        return;
    }
    router = account_router_make(mounts_of(&mount, 1, pool), pool);
    for (i = 0; i < 20000; i++) {
        memcpy(path + 2 * (apr_size_t)i, "/a", 2);
    }
    path[40000] = '\0';
    begun = apr_time_now();
    for (i = 0; i < 20; i++) {
        found += account_router_match(router, path, "GET", &match, pool);
    }
    is_int(found, 0, "20,000 segments are no route");
    ok(apr_time_now() - begun < apr_time_from_sec(1), "and 20 such paths take no second");
}

static void test_overlap(apr_pool_t *pool)
{
    static const struct {
        const char *first; /* METHODS PATH */
        const char *second;
        int overlap;
    } rows[] = {
        {"GET /a", "GET /a", 1},         {"GET /a", "GET /a/", 1},
        {"GET /a", "POST /a", 0},        {"GET|POST /a", "POST|PUT /a", 1},
        {"GET /a", "GET /b", 0},         {"GET /a", "GET /A", 0},
        {"GET /a/b", "GET /a", 0},       {"GET /a/{x}", "GET /a/b", 1},
        {"GET /{x}/b", "GET /a/{x}", 1}, {"GET /{x}/b", "GET /a/c", 0},
        {"GET /{x}", "GET /{y}", 1},     {"GET /{x}", "POST /{x}", 0},
        {"GET /", "GET /", 1},           {"GET /", "GET /{x}", 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const char *text =
            apr_psprintf(pool,
                         "<AccountContract c>\nAccountReply * 400 '1'\nAccountReply ok 200 '1'\n"
                         "<AccountRoute one %s>\nAccountAction login\nAccountParam account x\n"
                         "AccountParam password y\n</AccountRoute>\n"
                         "<AccountRoute two %s>\nAccountAction login\nAccountParam account x\n"
                         "AccountParam password y\n</AccountRoute>\n</AccountContract>\n",
                         rows[i].first, rows[i].second);
        const char *error;
        const account_contract_t *contract =
            fixture_compile(fixture_lines(text, "text", pool), &error, pool);

        if (rows[i].overlap) {
            is_str(error, "line 9: the routes one (line 4) and two answer the same request",
                   "overlap: %s and %s", rows[i].first, rows[i].second);
        }
        else if (ok(contract != NULL, "no overlap: %s and %s", rows[i].first, rows[i].second)) {
            ok(!account_routes_overlap(ROUTE(contract->routes, 0), ROUTE(contract->routes, 1)),
               "no overlap by itself");
        }
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_paths(pool);
    test_many_segments(pool);
    test_overlap(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
