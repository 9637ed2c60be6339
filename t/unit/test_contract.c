/* contract/: every contract there is compiles and renders whatever it may answer; which request
 * goes to which route; what becomes of each parameter. */

#include <string.h>

#include <apr_file_io.h>
#include <apr_fnmatch.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <jansson.h>

#include "base/text.h"
#include "contract/engine.h"
#include "contract/judge.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ROUTE(routes, i) APR_ARRAY_IDX(routes, i, account_route_t *)
#define PARAMETER(parameters, i) APR_ARRAY_IDX(parameters, i, account_parameter_t *)
#define DAMAGES 3000
#define HAN "\xE5\xBC\xA0\xE4\xB8\x89"
#define NASTY "\",\"admin\":true,\\ \n\x01" HAN

/* Sample data: an answer that carries everything, or nothing. */
typedef struct sample_t {
    const char *name;
    account_store_t store;
    account_t account;
    account_session_t session;
    account_answer_t answer;
} sample_t;

static void fill_sample(sample_t *sample, apr_pool_t *pool)
{
    sample->name = "full";
    sample->account = (account_t){
        .id = APR_INT64_C(9007199254740992),
        .ref = "0123456789abcdef0123456789abcdef",
        .identifiers = {NASTY, "a\"b@example.com", "13800138000"},
        .role = NASTY,
        .registered_with = NASTY,
        .attributes = "{\"nickname\":\"\\\",\\\"x\\\":\\\"\",\"gender\":\"female\",\"given_name\":"
                      "\"\\\\\",\"family_name\":\"\\n\",\"extra.orders_count\":\"3\"}",
        .created = FIXTURE_NOW,
        .updated = FIXTURE_NOW,
    };
    sample->session = (account_session_t){
        .token = "abcdefghijklmnopqrstuvwxyz",
        .id = "0123456789abcdef",
        .address = "::1",
        .agent = NASTY,
    };
    sample->answer.account = &sample->account;
    sample->answer.session = &sample->session;
    sample->answer.question = NASTY;
    sample->answer.token = "00000000-0000-4000-8000-000000000000";
    sample->answer.value = NASTY;
    sample->answer.retry_after = 2;
    sample->store.pool = pool;
    sample->store.realm = "unit";
    sample->store.keys = fixture_keys(pool);
}

/* How many templates were seen, and what became of them. */
typedef struct tally_t {
    int rendered;
    int later; /* with fields that this version does not have */
    int wrong;
} tally_t;

static void render_one(const sample_t *sample, const account_route_t *route,
                       const account_compiled_reply_t *reply, tally_t *tally)
{
    account_call_t call = {.action = route->action, .store = &sample->store};
    account_buffer_t buffer;
    apr_status_t rv;
    json_t *json;

    account_buffer_init(&buffer, 64, sample->store.pool);
    rv = account_template_render(reply->body, &call, &sample->answer, "/mount", &buffer);
    if (rv == APR_ENOTIMPL) {
        tally->later++;
        return;
    }
    json = rv == APR_SUCCESS ? json_loadb(buffer.bytes, buffer.length, JSON_REJECT_DUPLICATES, NULL)
                             : NULL;
    tally->rendered++;
    if (!json || json_object_get(json, "admin") || reply->status < 200 || reply->status > 599) {
        tally->wrong++;
        diag("route %s, %s: status %d, %s", route->name, sample->name, rv, buffer.bytes);
    }
    json_decref(json);
}

static void render_route(const sample_t *sample, const account_route_t *route, tally_t *tally)
{
    int outcome, rule, i;

    for (outcome = 0; outcome < ACCOUNT_OUTCOMES; outcome++) {
        if (route->replies[outcome]) {
            render_one(sample, route, route->replies[outcome], tally);
        }
    }
    for (i = 0; i < route->parameters->nelts; i++) {
        for (rule = 0; rule < ACCOUNT_RULES; rule++) {
            const account_parameter_t *parameter = PARAMETER(route->parameters, i);

            if (parameter->refusals[rule]) {
                render_one(sample, route, parameter->refusals[rule], tally);
            }
        }
    }
}

/* The outcomes that every route has. */
static int has_engine_replies(const account_route_t *route)
{
    int outcome;
    int all = (route->replies[ACCOUNT_NOT_LOGGED_IN] != NULL) == (route->action->needs_session != 0)
              && (route->replies[ACCOUNT_CROSS_SITE] != NULL) == (route->action->changes != 0);

    for (outcome = ACCOUNT_BAD_REQUEST; outcome < ACCOUNT_OUTCOMES; outcome++) {
        all &= outcome == ACCOUNT_CROSS_SITE || route->replies[outcome] != NULL;
    }
    for (outcome = 0; outcome < route->action->ending_count; outcome++) {
        const account_ending_t *ending = &route->action->endings[outcome];

        all &= ending->if_input || ending->if_constant || route->replies[ending->outcome] != NULL;
    }
    return all;
}

static void test_file(const char *path, int is_shipped, apr_pool_t *pool)
{
    const char *error;
    const account_contract_t *contract = fixture_compile(fixture_file(path, pool), &error, pool);
    sample_t full = {NULL}, empty = {.name = "empty"};
    tally_t tally = {0, 0, 0};
    int complete = 1, missing = 0;
    int i;

    if (!ok(contract != NULL, "%s compiles", path)) {
        diag("%s", error);
        return;
    }
    fill_sample(&full, pool);
    empty.store = full.store;
    for (i = 0; i < contract->routes->nelts; i++) {
        const account_route_t *route = ROUTE(contract->routes, i);

        complete &= has_engine_replies(route);
        missing += account_route_missing(route, pool) != NULL;
        render_route(&full, route, &tally);
        render_route(&empty, route, &tally);
    }
    ok(complete, "%s: each of %d routes has its replies", path, contract->routes->nelts);
    is_int(tally.wrong, 0, "%s: %d bodies are JSON", path, tally.rendered);
    ok(tally.rendered > 0, "%s: %d bodies are for later", path, tally.later);
    if (is_shipped) {
        is_int(missing + tally.later, 0, "%s: can be mounted", path);
    }
}

static void test_files(const char *folder, int is_shipped, apr_pool_t *pool)
{
    apr_array_header_t *names;
    int i;

    if (!ok(apr_match_glob(apr_pstrcat(pool, fixture_path(folder, pool), "/*.conf", NULL), &names,
                           pool)
                    == APR_SUCCESS
                && names->nelts > 0,
            "%s has contracts", folder)) {
        return;
    }
    for (i = 0; i < names->nelts; i++) {
        test_file(apr_pstrcat(pool, folder, "/", APR_ARRAY_IDX(names, i, const char *), NULL),
                  is_shipped, pool);
    }
}

/* Routing. */

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
    int found = account_engine_match(mounts, row->path, row->method, &match, pool);

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
    ok(!account_engine_match(mounts_of(NULL, 0, pool), "/", "GET", &(account_match_t){NULL}, pool),
       "without mounts nothing matches");
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

/* Parameters. */

/* A route of one line, the input of a type. line: AccountParam's arguments; with kept the values as
 * JSON. */
typedef struct judge_row_t {
    const char *action;
    const char *line;   /* AccountParam's */
    const char *sent;   /* a form */
    const char *wanted; /* the value, or "!rule" */
} judge_row_t;

/* What an action needs besides. */
static const struct {
    const char *action;
    const char *lines;
} needs[] = {
    {"login", "AccountParam password pw\nAccountParam account ac\n"},
    {"register", "AccountParam password pw\nAccountParam account ac\n"},
    {"check_identifier", "AccountParam value vv\nAccountParam kind kk\n"},
    {"update_profile", ""},
    {"logout", ""},
    {"points", ""},
    {"send_code", "AccountSet purpose any\nAccountParam target tt\n"},
};

/* Leaves out the needs that the line itself supplies. */
static const char *needs_of(const judge_row_t *row, apr_pool_t *pool)
{
    const char *input = apr_pstrmemdup(pool, row->line, strcspn(row->line, " "));
    const char *left = "";
    apr_size_t i;

    for (i = 0; i < COUNT(needs); i++) {
        char *state, *copy = apr_pstrdup(pool, needs[i].lines);
        char *line =
            strcmp(needs[i].action, row->action) == 0 ? apr_strtok(copy, "\n", &state) : NULL;

        for (; line; line = apr_strtok(NULL, "\n", &state)) {
            if (!strstr(line, apr_pstrcat(pool, "Param ", input, " ", NULL))) {
                left = apr_pstrcat(pool, left, line, "\n", NULL);
            }
        }
    }
    return left;
}

static const account_route_t *judge_route(const judge_row_t *row, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(
        pool,
        "<AccountContract c>\n"
        "AccountMap kind user_name=u email=e \"mobile=m x\" *=0\n"
        "AccountMap json on=true off=0 text=\"yes\"\n"
        "AccountReply * 400 '[\"%{outcome}\"]'\n",
        strcmp(row->action, "check_identifier") == 0
            ? "AccountReply free 200 '1'\nAccountReply taken 200 '1'\n"
        : strcmp(row->action, "points") == 0 ? ""
                                             : "AccountReply ok 200 '1'\n",
        "<AccountRoute r POST /r>\nAccountAction ", row->action, "\n",
        strcmp(row->action, "points") == 0 ? "AccountReply ok 200 '1'\n" : "", "AccountParam ",
        row->line, "\n", needs_of(row, pool),
        "</AccountRoute>\n"
        "<AccountRoute issues POST /issues>\nAccountAction send_code\nAccountSet purpose any\n"
        "AccountParam target t\nAccountReply ok 200 '1'\n</AccountRoute>\n</AccountContract>\n",
        NULL);
    const account_contract_t *contract = fixture_contract(text, pool);

    return contract ? account_contract_route(contract, "r") : NULL;
}

/* The value, "(absent)", or "!" and the outcome that the refusal renders. */
static const char *judge(const account_route_t *route, const char *form, apr_pool_t *pool)
{
    apr_array_header_t *pairs = apr_array_make(pool, 4, sizeof(account_pair_t));
    const account_parameter_t *parameter = PARAMETER(route->parameters, 0);
    account_call_t call = {.action = route->action};
    account_answer_t answer = {.outcome = ACCOUNT_INVALID};
    account_judged_t judged;
    account_buffer_t buffer;
    int i;

    if (!account_request_form(pairs, form, strlen(form))) {
        return "(malformed)";
    }
    account_judge(route, pairs, &judged, pool);
    if (judged.refusal) {
        account_buffer_init(&buffer, 64, pool);
        account_template_render(judged.refusal->body, &call, &answer, "", &buffer);
        return apr_psprintf(pool, "!%.*s", (int)buffer.length - 4, buffer.bytes + 2);
    }
    if (!parameter->is_profile) {
        return judged.values[parameter->position] ? judged.values[parameter->position] : "(absent)";
    }
    for (i = 0; i < judged.profile->nelts; i++) {
        const account_profile_field_t *field =
            &APR_ARRAY_IDX(judged.profile, i, account_profile_field_t);

        if (strcmp(field->name, parameter->input.name) == 0) {
            return *field->value ? field->value : "(cleared)";
        }
    }
    return "(absent)";
}

/* The other parameters of these actions, right. */
#define REST "pw=password1&ac=somebody&vv=x&kk=email&tt=a@b.cc&"

static void test_judge(apr_pool_t *parent)
{
    static const judge_row_t rows[] = {
        /* identifier */
        {"login", "account a", "a=alice", "alice"},
        {"login", "account a", "a=+Alice+B%E3%80%80", "Alice B"},
        {"login", "account a", "a=" HAN, HAN},
        {"login", "account a", "a=Alice%40Example.com", "Alice@Example.com"},
        {"login", "account a", "a=", "!invalid.account.required"},
        {"login", "account a", "b=alice", "!invalid.account.required"},
        {"login", "account a", "a=++", "!invalid.account.identifier"},
        {"login", "account a", "a=a%0Ab", "!invalid.account.identifier"},
        {"login", "account a", "a=%E2%80%8B", "!invalid.account.identifier"},
        {"login", "account a length=3-5", "a=ab", "!invalid.account.length"},
        {"login", "account a length=3-5", "a=abc", "abc"},
        {"login", "account a length=3-5", "a=abcde", "abcde"},
        {"login", "account a length=3-5", "a=abcdef", "!invalid.account.length"},
        {"login", "account a length=-2", "a=" HAN, HAN},
        {"login", "account a length=-2", "a=" HAN HAN, "!invalid.account.length"},
        {"login", "account a length=3-", "a=abcdef", "abcdef"},
        {"login", "account a match=^[a-z]+$", "a=abc", "abc"},
        {"login", "account a match=^[a-z]+$", "a=+abc+", "abc"},
        {"login", "account a match=^[a-z]+$", "a=abc1", "!invalid.account.match"},
        {"login", "account a match=^[a-z]+$", "a=ABC", "!invalid.account.match"},
        {"login", "account a match=^\\p{Han}{2}$", "a=" HAN, HAN},
        {"login", "account a match=^\\p{Han}{2}$", "a=ab", "!invalid.account.match"},
        {"login", "account a is=mobile", "a=%2B86+138-0013-8000", "!invalid.account.mobile"},
        {"login", "account a is=mobile", "a=%2B8613800138000", "13800138000"},
        {"login", "account a is=mobile", "a=alice", "!invalid.account.mobile"},
        {"login", "account a is=email", "a=alice", "!invalid.account.email"},
        {"login", "account a is=email", "a=a@b.cc", "a@b.cc"},
        {"login", "account a|base64", "a=YWxpY2U%3D", "alice"},
        {"login", "account a|base64", "a=YWxpY2U", "!invalid.account.base64"},
        {"login", "account a|base64", "a=alice", "!invalid.account.base64"},
        {"login", "account a|base64", "a=YQBi", "!invalid.account.base64"},
        {"login", "account a|base64", "a=", "!invalid.account.required"},
        {"login", "account a|base64 length=2-", "a=YQ%3D%3D", "!invalid.account.length"},
        /* secret */
        {"login", "password p", "p=x", "x"},
        {"login", "password p", "p=+x%0A%01+", " x\n\x01 "},
        {"login", "password p", "p=", "!invalid.password.required"},
        {"login", "password p length=-2", "p=xyz", "!invalid.password.length"},
        {"login", "code c", "", "(absent)"},
        {"login", "code c", "c=", "(absent)"},
        {"login", "code c required", "c=", "!invalid.code.required"},
        /* new-secret */
        {"register", "password p", "p=1234567", "!invalid.password.length"},
        {"register", "password p", "p=12345678", "12345678"},
        {"register", "password p", "p=" HAN HAN HAN HAN, HAN HAN HAN HAN},
        {"register", "password p", "p=+++++++1", "       1"},
        {"register", "password p length=6-255", "p=123456", "123456"},
        {"register", "password p length=6-255", "p=12345", "!invalid.password.length"},
        {"register", "password p again=q", "p=12345678&q=12345678", "12345678"},
        {"register", "password p again=q", "p=12345678&q=12345679", "!invalid.password.again"},
        {"register", "password p again=q", "p=12345678", "!invalid.password.again"},
        {"register", "password p again=q", "p=12345678&q=", "!invalid.password.again"},
        {"register", "password p again=q", "q=12345678", "!invalid.password.required"},
        {"register", "password p|base64 again=q", "p=MTIzNDU2Nzg%3D&q=MTIzNDU2Nzg%3D", "12345678"},
        {"register", "password p|base64 again=q", "p=MTIzNDU2Nzg%3D&q=12345678",
         "!invalid.password.again"},
        /* email, mobile */
        {"register", "email e", "e=+Alice%40Example.com+", "Alice@Example.com"},
        {"register", "email e", "e=alice", "!invalid.email.email"},
        {"register", "email e", "e=", "(absent)"},
        {"register", "email e required", "e=", "!invalid.email.required"},
        {"register", "email e", "e=13800138000", "!invalid.email.email"},
        {"register", "mobile m", "m=13800138000", "13800138000"},
        {"register", "mobile m", "m=%2B8613800138000", "13800138000"},
        {"register", "mobile m", "m=8613800138000", "13800138000"},
        {"register", "mobile m", "m=013800138000", "13800138000"},
        {"register", "mobile m", "m=%EF%BC%91%EF%BC%93800138000", "13800138000"},
        {"register", "mobile m", "m=12800138000", "!invalid.mobile.mobile"},
        {"register", "mobile m", "m=1380013800", "!invalid.mobile.mobile"},
        /* role */
        {"register", "role r", "r=vip_user-1", "vip_user-1"},
        {"register", "role r", "r=Admin", "!invalid.role.role"},
        {"register", "role r", "r=a+b", "!invalid.role.role"},
        {"register", "role r", "r=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234",
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234"},
        {"register", "role r",
         "r=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345",
         "!invalid.role.role"},
        {"register", "role r one-of=user,vip", "r=vip", "vip"},
        {"register", "role r one-of=user,vip", "r=admin", "!invalid.role.one-of"},
        {"register", "role r one-of=user,vip", "r=user,vip", "!invalid.role.role"},
        /* text, date */
        {"register", "nickname n", "n=+a+", " a "},
        {"register", "nickname n", "n=a%09b", "!invalid.nickname.text"},
        {"register", "nickname n", "n=a%C2%85b", "!invalid.nickname.text"},
        {"register", "nickname n", "n=", "(absent)"},
        {"register", "extra.x n", "n=y", "y"},
        {"register", "extra.x n is=resident-id", "n=11010519491231002X", "11010519491231002X"},
        {"register", "extra.x n is=resident-id", "n=110105194912310021",
         "!invalid.extra.x.resident-id"},
        {"register", "extra.x n is=date", "n=2024-02-29", "2024-02-29"},
        {"register", "extra.x n is=date", "n=2023-02-29", "!invalid.extra.x.date"},
        {"register", "birthdate b", "b=2000-01-31", "2000-01-31"},
        {"register", "birthdate b", "b=2000-1-31", "!invalid.birthdate.date"},
        {"register", "birthdate b", "b=2000-02-30", "!invalid.birthdate.date"},
        {"register", "birthdate b", "b=", "(absent)"},
        /* what clears */
        {"update_profile", "nickname n", "n=", "(cleared)"},
        {"update_profile", "nickname n", "n=x", "x"},
        {"update_profile", "nickname n", "", "(absent)"},
        {"update_profile", "nickname n length=0-9", "n=", "(cleared)"},
        {"update_profile", "nickname n length=-9", "n=", "(cleared)"},
        {"update_profile", "nickname n length=1-", "n=", "!invalid.nickname.length"},
        {"update_profile", "nickname n length=2-", "n=x", "!invalid.nickname.length"},
        {"update_profile", "birthdate n", "n=", "(cleared)"},
        {"update_profile", "answer n", "n=", "(cleared)"},
        {"update_profile", "email n", "n=", "(absent)"},
        {"update_profile", "gender n|kind", "n=u", "user_name"},
        {"update_profile", "gender n|kind", "n=0", "(cleared)"},
        {"update_profile", "gender n|kind", "n=z", "!invalid.gender.kind"},
        /* number, boolean */
        {"logout", "account_id i", "i=0", "0"},
        {"logout", "account_id i", "i=9007199254740992", "9007199254740992"},
        {"logout", "account_id i", "i=9007199254740993", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=99999999999999999999", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=-1", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=1.0", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=+1", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=0x1", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=", "(absent)"},
        {"points", "all x", "x=true", "true"},
        {"points", "all x", "x=Y", "true"},
        {"points", "all x", "x=yES", "true"},
        {"points", "all x", "x=1", "true"},
        {"points", "all x", "x=FALSE", "false"},
        {"points", "all x", "x=n", "false"},
        {"points", "all x", "x=No", "false"},
        {"points", "all x", "x=0", "false"},
        {"points", "all x", "x=2", "!invalid.all.boolean"},
        {"points", "all x", "x=on", "!invalid.all.boolean"},
        /* kind */
        {"check_identifier", "kind k", "k=email", "email"},
        {"check_identifier", "kind k", "k=Email", "!invalid.kind.kind"},
        {"check_identifier", "kind k", "k=phone", "!invalid.kind.kind"},
        {"check_identifier", "kind k", "", "!invalid.kind.required"},
        {"check_identifier", "kind k|kind", "k=e", "email"},
        {"check_identifier", "kind k|kind", "k=m+x", "mobile"},
        {"check_identifier", "kind k|kind", "k=email", "!invalid.kind.kind"},
        {"check_identifier", "kind k|kind", "k=0", "!invalid.kind.required"},
        {"check_identifier", "value k|json", "k=true", "on"},
        {"check_identifier", "value k|json", "k=0", "off"},
        {"check_identifier", "value k|json", "k=yes", "text"},
        {"check_identifier", "value k|json", "k=no", "!invalid.value.json"},
        /* address */
        {"send_code", "target t", "t=+A%40b.cc", "A@b.cc"},
        {"send_code", "target t", "t=%2B86+13800138000", "!invalid.target.mobile"},
        {"send_code", "target t", "t=%2B8613800138000", "13800138000"},
        {"send_code", "target t", "t=1380013800", "!invalid.target.mobile"},
        {"send_code", "target t", "t=138-0013", "!invalid.target.mobile"},
        {"send_code", "target t", "t=alice", "!invalid.target.email"},
        {"send_code", "target t", "t=alice@", "!invalid.target.email"},
        {"send_code", "target t is=mobile", "t=a@b.cc", "!invalid.target.mobile"},
        {"send_code", "target t is=email", "t=13800138000", "!invalid.target.email"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_route_t *route;
        apr_pool_t *pool;

        apr_pool_create(&pool, parent);
        route = judge_route(&rows[i], pool);
        if (route) {
            is_str(judge(route, apr_pstrcat(pool, REST, rows[i].sent, NULL), pool), rows[i].wanted,
                   "%s: %s, sent %s", rows[i].action, rows[i].line, fixture_shown(rows[i].sent));
        }
        apr_pool_destroy(pool);
    }
}

/* 255 and 256 characters of one and of three bytes, for each kind of length. */
static void test_lengths(apr_pool_t *pool)
{
    static const struct {
        const char *action;
        const char *line;
        const char *rule;
    } rows[] = {
        {"login", "password p", "!invalid.password.length"},
        {"login", "account p", "!invalid.account.length"},
        {"register", "password p", "!invalid.password.length"},
        {"register", "nickname p", "!invalid.nickname.length"},
        {"check_identifier", "value p", "!invalid.value.length"},
    };
    apr_size_t i;
    int wide, count;

    for (i = 0; i < COUNT(rows); i++) {
        judge_row_t row = {rows[i].action, rows[i].line, NULL, NULL};
        const account_route_t *route = judge_route(&row, pool);

        for (wide = 0; route && wide < 2; wide++) {
            for (count = 255; count <= 256; count++) {
                char *text = apr_pcalloc(pool, 256 * 3 + 1);
                int j;

                for (j = 0; j < count; j++) {
                    memcpy(text + strlen(text), wide ? "\xE5\xBC\xA0" : "x", wide ? 3 : 1);
                }
                is_str(judge(route, apr_pstrcat(pool, REST "p=", text, NULL), pool),
                       count == 255 ? text : rows[i].rule, "%s: %s, %d %s characters",
                       rows[i].action, rows[i].line, count, wide ? "wide" : "narrow");
            }
        }
    }
}

/* Several lines for one input, one of several inputs, and the order of the refusals. */
static void test_alternatives(apr_pool_t *pool)
{
    static const char text[] = "<AccountContract c>\n"
                               "AccountReply * 400 '[\"%{outcome}\"]'\n"
                               "AccountReply ok 200 '1'\n"
                               "<AccountRoute r POST /r>\n"
                               "AccountAction register\n"
                               "AccountParam user_name u length=3-\n"
                               "AccountParam user_name name|base64\n"
                               "AccountParam email mail\n"
                               "AccountParam password p\n"
                               "AccountParam nickname n length=2-\n"
                               "</AccountRoute>\n</AccountContract>\n";
    static const struct {
        const char *sent;
        const char *user_name;
    } rows[] = {
        {"u=alice&p=password1", "alice"},
        {"name=YWxpY2U%3D&p=password1", "alice"},
        {"u=&name=YWxpY2U%3D&p=password1", "alice"},
        {"u=bob&name=YWxpY2U%3D&p=password1", "bob"},
        {"u=x&name=YWxpY2U%3D&p=password1", "!invalid.user_name.length"},
        {"u=&name=%2A&p=password1", "!invalid.user_name.base64"},
        {"mail=a@b.cc&p=password1", "(absent)"},
        {"p=password1", "!invalid.user_name.required"},
        {"u=&name=&mail=&p=password1", "!invalid.user_name.required"},
        {"mail=x&p=password1", "!invalid.email.email"},
        {"u=alice&mail=x&p=password1", "!invalid.email.email"},
        {"u=alice&p=short&n=x", "!invalid.password.length"},
        {"u=alice&n=x", "!invalid.password.required"},
        {"u=alice&p=password1&n=x", "!invalid.nickname.length"},
        {"p=short", "!invalid.password.length"},
    };
    const account_contract_t *contract = fixture_contract(text, pool);
    apr_size_t i;

    for (i = 0; contract && i < COUNT(rows); i++) {
        is_str(judge(ROUTE(contract->routes, 0), rows[i].sent, pool), rows[i].user_name,
               "alternatives: %s", rows[i].sent);
    }
}

/* What a refusal carries: the value as sent, never a secret. */
static void test_refused_value(apr_pool_t *pool)
{
    static const struct {
        const char *action;
        const char *line;
        const char *sent;
        const char *value;
    } rows[] = {
        {"register", "email e", "e=+x+", " x "},
        {"register", "email e|base64", "e=%2A", "*"},
        {"register", "password p", "p=short", ""},
        {"login", "code p length=-1", "p=12", ""},
        {"register", "answer p length=-1", "p=12", ""},
        {"register", "email e required", "", ""},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        judge_row_t row = {rows[i].action, rows[i].line, NULL, NULL};
        const account_route_t *route = judge_route(&row, pool);
        apr_array_header_t *pairs = apr_array_make(pool, 4, sizeof(account_pair_t));
        const char *form = apr_pstrcat(pool, rows[i].sent, "&" REST, NULL);
        account_judged_t judged;

        if (route && account_request_form(pairs, form, strlen(form))) {
            account_judge(route, pairs, &judged, pool);
            ok(judged.refusal != NULL, "%s %s is refused", rows[i].line, rows[i].sent);
            is_str(judged.value, rows[i].value, "and carries its value, unless it is a secret");
        }
    }
}

/* What the compiler complains about. lines: of the contract; R(lines) is a route's. */
#define R(lines) "<AccountRoute r POST /r>\n" lines "</AccountRoute>\n"
#define REPLIES "AccountReply * 400 '1'\nAccountReply ok 200 '1'\n"
#define LOGIN "AccountAction login\nAccountParam account a\nAccountParam password p\n"

static void test_complaints(apr_pool_t *pool)
{
    static const struct {
        const char *lines;
        const char *wanted;
    } rows[] = {
        {"", "line 1: a contract needs at least one <AccountRoute>"},
        {"AccountCookie a=b\n", "line 2: \"a=b\" is no cookie name"},
        {"AccountCookie\n", "line 2: AccountCookie takes: NAME (there are 0 words"},
        {"AccountSessionIdle 30\n", "\"30\" is no duration"},
        {"AccountSessionIdle 0m\n", "\"0m\" is no duration"},
        {"AccountSessionLife -1d\n", "\"-1d\" is no duration"},
        {"AccountSessionLife 99999999999999999999d\n", "is no duration"},
        {"AccountSessionLife 1dd\n", "\"1dd\" is no duration"},
        {"AccountMap m a\n", "\"a\" is no entry: write key=value"},
        {"AccountMap m =a\n", "\"=a\" is no entry: write key=value"},
        {"AccountMap m a=1 a=2\n", "AccountMap m has the key a twice"},
        {"AccountMap m a=1\nAccountMap m a=1\n", "line 3: there is an AccountMap m already"},
        {"AccountMap m a=${X}\n", "was not replaced"},
        {"AccountShape account.id '1'\n", "a shape can't be named account.id"},
        {"AccountShape message '1'\n", "a shape can't be named message"},
        {"AccountShape s '{'\n", "this is not JSON"},
        {"AccountShape s '1'\nAccountShape s '1'\n", "line 3: there is an AccountShape s already"},
        {"AccountShape s '%{s}'\n", "contains itself"},
        {"AccountShape s '1\n", "is not closed"},
        {"AccountReply ok 99 '1'\n", "\"99\" is no HTTP status of a reply: 200 to 599"},
        {"AccountReply ok 600 '1'\n", "\"600\" is no HTTP status of a reply: 200 to 599"},
        {"AccountReply ok +20 '1'\n", "\"+20\" is no HTTP status of a reply: 200 to 599"},
        {"AccountReply ok 200\n", "AccountReply takes: OUTCOME STATUS 'JSON' (there are 2 words"},
        {REPLIES "AccountReply ok 200 '2'\n", "AccountReply ok stands twice: here and at line 3"},
        {"AccountMessage * x\n", "there is no AccountMessage *"},
        {"AccountMessage ok \"\xFF\"\n", "the text is not valid UTF-8"},
        {"AccountParam a b\n", "AccountParam belongs inside an <AccountRoute>"},
        {"AccountRepley ok 200 '1'\n",
         "AccountRepley can't stand in an <AccountContract> (did you mean AccountReply?)"},
        {REPLIES "<AccountRoute r POST>\nAccountAction none\n</AccountRoute>\n",
         "<AccountRoute takes: NAME METHOD|METHOD /path>"},
        {REPLIES "<AccountRoute r HEAD /r>\nAccountAction none\n</AccountRoute>\n",
         "HEAD is no method"},
        {REPLIES "<AccountRoute r POST r>\nAccountAction none\n</AccountRoute>\n",
         "the path r must begin with /"},
        {REPLIES "<AccountRoute r POST /r{a}>\nAccountAction none\n</AccountRoute>\n",
         "\"r{a}\" in the path /r{a} is neither plain text nor a {name}"},
        {REPLIES "<AccountRoute r POST /{a}>\nAccountAction none\n</AccountRoute>\n",
         "no AccountParam of the route r reads {a} of its path"},
        {REPLIES R("AccountAction none\n") R("AccountAction none\n"),
         "line 7: there is a route r already, at line 4"},
        {REPLIES R(""), "line 4: the route r has no AccountAction"},
        {REPLIES R("AccountAction nonne\n"), "there is no action nonne (did you mean none?)"},
        {REPLIES R("AccountAction none\nAccountAction none\n"),
         "a route has one AccountAction, not two"},
        {REPLIES R("AccountAction none\nAccountCookie x\n"),
         "AccountCookie belongs outside of an <AccountRoute>"},
        {REPLIES R("AccountAction login\nAccountParam account a\n"),
         "the action login needs the input password"},
        {REPLIES R("AccountAction register\nAccountParam password p\n"),
         "the action register needs one of the inputs user_name, email, mobile, account"},
        {REPLIES R(LOGIN "AccountParam acount b\n"),
         "line 8: the action login has no input acount (did you mean account?)"},
        {REPLIES R(LOGIN "AccountParam nickname n\n"), "the action login has no input nickname"},
        {REPLIES R(LOGIN "AccountParam account a\n"), "AccountParam account a stands twice"},
        {REPLIES R(LOGIN "AccountParam account b|bas64\n"), "there is no converter bas64"},
        {REPLIES R(LOGIN "AccountParam account b requird\n"),
         "\"requird\" is no constraint (did you mean required?)"},
        {REPLIES R(LOGIN "AccountParam account b length=x\n"), "length=x is no range"},
        {REPLIES R(LOGIN "AccountParam account b length=9-1\n"), "not less than the minimum"},
        {REPLIES R(LOGIN "AccountParam account b length=-\n"), "length=- is no range"},
        {REPLIES R(LOGIN "AccountParam account b length=1-99999\n"), "length=1-99999: at most"},
        {REPLIES R(LOGIN "AccountParam account b match=(\n"), "match=( is no regular expression"},
        {REPLIES R(LOGIN "AccountParam account b is=mail\n"), "is=mail: there are mobile, email"},
        {REPLIES R(LOGIN "AccountParam account b one-of=,\n"), "one-of= needs values"},
        {REPLIES R(LOGIN "AccountSet then login\n"), "the action login has no constant then"},
        {REPLIES R(LOGIN "AccountSet purpose login\n"), "purpose can't be login"},
        {REPLIES R(LOGIN "AccountSet purpose any\nAccountSet purpose any\n"),
         "purpose is set twice"},
        {REPLIES R(LOGIN "AccountParam code c\n"),
         "the route r takes a code of the purpose any, which no route of this contract issues"},
        {REPLIES R("AccountAction send_code\nAccountParam target t\n"),
         "the action send_code needs an AccountSet purpose"},
        {"AccountReply ok 200 '1'\n" R(LOGIN), "line 3: the route r has no AccountReply for the "
                                               "refusal unknown-account of login"},
        {"AccountReply * 400 '1'\n" R(LOGIN),
         "line 3: the route r has no AccountReply for the answer ok of login"},
        {"AccountReply ok 200 '1'\nAccountReply * 400 '\"%{message}\"'\n" R(LOGIN),
         "line 4: the outcome unknown-account is shown with %{message} and has no AccountMessage"},
        {"AccountReply ok 200 '%{token}'\nAccountReply * 400 '1'\n" R(LOGIN),
         "line 2: the outcome ok does not carry %{token} (route r)"},
        {REPLIES R(LOGIN "AccountReply taken 400 '1'\n"),
         "line 8: the outcome taken can't happen on the route r"},
        {REPLIES R(LOGIN "AccountReply wrong-pasword 400 '1'\n"),
         "can't happen on the route r: the action login does not end so (did you mean "
         "wrong-password?)"},
        {REPLIES "AccountMessage taken x\n" R(LOGIN),
         "line 4: the outcome taken can't happen on any route of this contract"},
        {REPLIES R(LOGIN "AccountMessage wrong-code x\n"), "the outcome wrong-code can't happen"},
        {REPLIES R("AccountAction none\nAccountReply not-logged-in 400 '1'\n"),
         "the outcome not-logged-in can't happen"},
        {REPLIES R("AccountAction none\nAccountReply cross-site 400 '1'\n"),
         "the outcome cross-site can't happen"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const char *text =
            apr_pstrcat(pool, "<AccountContract c>\n", rows[i].lines, "</AccountContract>\n", NULL);
        const char *error;

        fixture_compile(fixture_lines(text, "text", pool), &error, pool);
        if (!ok(error && strstr(error, rows[i].wanted), "complains: %s",
                fixture_shown(rows[i].wanted))) {
            diag("got: %s", error ? error : "(no complaint)");
        }
    }
}

/* A contract with a few bytes changed compiles or is complained about, with a text that is UTF-8
 * and not empty. */
static void test_damaged(apr_pool_t *parent)
{
    static const char dear[] = "%{}|=\"'\\<>*,:.[] \n-_$()0a";
    const char *text = fixture_read("conf/contracts/mmall.conf", parent);
    apr_size_t length = text ? strlen(text) : 0;
    unsigned state = 2463534242u;
    int complaints = 0, mute = 0;
    int i, change;
    apr_pool_t *pool;

    apr_pool_create(&pool, parent);
    for (i = 0; text && i < DAMAGES; i++) {
        char *damaged = apr_pstrdup(pool, text);
        const char *error;

        for (change = 0; change < 1 + i % 3; change++) {
            state = state * 1664525u + 1013904223u;
            damaged[(state >> 8) % length] = dear[(state >> 4) % (sizeof(dear) - 1)];
        }
        fixture_compile(fixture_lines(damaged, "text", pool), &error, pool);
        complaints += error != NULL;
        mute += error && !*error;
        apr_pool_clear(pool);
    }
    ok(complaints > DAMAGES / 10 && complaints < DAMAGES, "some of %d damaged contracts compile",
       DAMAGES);
    is_int(mute, 0, "the others are complained about");
    diag("%d complaints", complaints);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_files("conf/contracts", 1, pool);
    test_files("t/drafts", 0, pool);
    test_paths(pool);
    test_overlap(pool);
    test_judge(pool);
    test_lengths(pool);
    test_alternatives(pool);
    test_refused_value(pool);
    test_complaints(pool);
    test_damaged(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
