/* contract/: every contract there is compiles and renders whatever it may answer; what is
 * complained about. */

#include <string.h>

#include <apr_file_io.h>
#include <apr_fnmatch.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <jansson.h>

#include "contract/engine.h"
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
    account_settings_t settings;
    account_t account;
    account_session_t session;
    account_points_t points;
    account_answer_t answer;
} sample_t;

static void fill_sample(sample_t *sample, apr_pool_t *pool)
{
    static const account_entry_t entry = {-5, NASTY, FIXTURE_NOW};
    apr_array_header_t *entries = apr_array_make(pool, 2, sizeof(account_entry_t));
    apr_array_header_t *sessions = apr_array_make(pool, 1, sizeof(account_session_t));

    APR_ARRAY_PUSH(entries, account_entry_t) = entry;
    APR_ARRAY_PUSH(entries, account_entry_t) = entry;
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
    sample->points = (account_points_t){APR_INT64_C(-9007199254740992), 7};
    sample->answer.points = &sample->points;
    sample->answer.entries = entries;
    APR_ARRAY_PUSH(sessions, account_session_t) = sample->session;
    sample->answer.sessions = sessions;
    sample->answer.page = (account_page_t){1, 3, 25, 10};
    sample->answer.captcha_id = NASTY;
    sample->store.pool = pool;
    sample->store.realm = "unit";
    sample->store.keys = fixture_keys(pool);
}

/* How many templates were seen, and what became of them. */
typedef struct tally_t {
    int rendered;
    int wrong;
} tally_t;

static void render_one(const sample_t *sample, const account_route_t *route,
                       const account_compiled_reply_t *reply, tally_t *tally)
{
    account_call_t call = {
        .action = route->action, .store = &sample->store, .settings = &sample->settings};
    account_buffer_t buffer;
    apr_status_t rv;
    json_t *json;

    if (!reply->body) {
        tally->rendered++;
        tally->wrong += (reply->page != NULL) == reply->is_picture || reply->status < 200;
        return;
    }
    account_buffer_init(&buffer, 64, sample->store.pool);
    rv = account_template_render(reply->body, &call, &sample->answer, "/mount", &buffer);
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
    int all = (route->replies[ACCOUNT_NOT_LOGGED_IN] != NULL || !route->action->needs_session)
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

static void test_file(const char *path, apr_pool_t *pool)
{
    const char *error;
    const account_contract_t *contract = fixture_compile(fixture_file(path, pool), &error, pool);
    sample_t full = {NULL}, empty = {.name = "empty"};
    tally_t tally = {0, 0};
    int complete = 1;
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
        render_route(&full, route, &tally);
        render_route(&empty, route, &tally);
    }
    ok(complete, "%s: each of %d routes has its replies", path, contract->routes->nelts);
    is_int(tally.wrong, 0, "%s: %d bodies are JSON, a page or the picture", path, tally.rendered);
    ok(tally.rendered > contract->routes->nelts, "%s: so many", path);
}

static void test_files(const char *folder, apr_pool_t *pool)
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
                  pool);
    }
}

/* What the compiler complains about. lines: of the contract; R(lines) is a route's. */
#define R(lines) "<AccountRoute r POST /r>\n" lines "</AccountRoute>\n"
#define REPLIES "AccountReply * 400 '1'\nAccountReply ok 200 '1'\n"
#define LOGIN "AccountAction login\nAccountParam account a\nAccountParam password p\n"
#define PICTURE "AccountAction captcha_image\nAccountParam captcha_id i\n"
#define REGISTER "AccountAction register\nAccountParam password p\n"
#define SEND(purpose, is)                                                                          \
    "AccountAction send_code\nAccountSet purpose " purpose "\nAccountParam target t " is "\n"

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
        /* pages and pictures */
        {"AccountPage ok 200\n",
         "line 2: AccountPage takes: OUTCOME STATUS NAME (there are 2 words"},
        {"AccountPage ok 99 activate\n", "\"99\" is no HTTP status of a reply: 200 to 599"},
        {"AccountPage ok 200 activat\n",
         "line 2: there is no page activat (did you mean activate?)"},
        {"AccountPage ok 200 ../../etc/passwd\n", "line 2: there is no page ../../etc/passwd"},
        {REPLIES "AccountPage ok 200 activate\n",
         "line 4: the outcome ok has an AccountPage here and an AccountReply at line 3"},
        {"AccountPage * 400 failed\n" REPLIES,
         "line 3: the outcome * has an AccountReply here and an AccountPage at line 2"},
        {REPLIES R(LOGIN "AccountPage ok 200 activate\nAccountReply ok 200 '1'\n"),
         "line 9: the outcome ok has an AccountReply here and an AccountPage at line 8"},
        {"AccountPage ok 200 activate\nAccountPage ok 200 reset\n",
         "line 3: AccountPage ok stands twice: here and at line 2"},
        {REPLIES R(LOGIN "AccountPage taken 400 failed\n"),
         "line 8: the outcome taken can't happen on the route r"},
        {REPLIES R("AccountAction none\nAccountPage cross-site 400 failed\n"),
         "the outcome cross-site can't happen"},
        {"AccountPage * 400 failed\n" R(LOGIN),
         "line 3: the route r has no AccountReply for the answer ok of login"},
        {"AccountReply * 400 '1'\n" R(PICTURE "AccountReply image 200 '1'\n"),
         "line 6: the outcome image is a picture, not a reply"},
        {"AccountReply * 400 '1'\n" R(PICTURE "AccountPage image 200 activate\n"),
         "line 6: the outcome image is a picture, not a reply"},
        {"AccountReply * 400 '1'\nAccountReply image 200 '1'\n" R(PICTURE),
         "line 3: the outcome image is a picture, not a reply"},
        {"AccountReply * 400 '1'\nAccountMessage image x\n" R(PICTURE),
         "line 3: the outcome image is a picture, not a reply"},
        {REPLIES R(LOGIN "AccountReply image 200 '1'\n"), "the outcome image can't happen"},
        /* lists */
        {"AccountReply * 400 '1'\nAccountReply ok 200 '%{entries}'\n" R("AccountAction points\n"),
         "line 3: the list %{entries} takes an AccountShape for its items and no other filter: "
         "%{entries|SHAPE} (route r)"},
        {"AccountShape s '%{entry.amount}'\n" REPLIES R(
             "AccountAction points\nAccountReply ok 200 '%{s}'\n"),
         "the outcome ok does not carry %{entry.amount} (in AccountShape s) (route r)"},
        {"AccountShape s '%{entries}'\n", "line 2: the list %{entries} takes an AccountShape"},
        /* what was sent just now */
        {REPLIES R(LOGIN "AccountReply too-many.interval 400 '1'\n"),
         "the outcome too-many.interval can't happen on the route r"},
        {REPLIES R("AccountAction send_code\nAccountSet purpose any\nAccountParam target t\n"
                   "AccountReply too-many.interva 400 '1'\n"),
         "(did you mean too-many.interval?)"},
        {"AccountReply ok 200 '1'\nAccountReply too-many 400 '1'\n" R(
             "AccountAction none\nAccountReply too-many.interval 400 '1'\n"),
         "no AccountReply for the refusal bad-request of none"},
        /* kinds that the lines leave out */
        {REPLIES R(SEND("register", "is=mobile") "AccountReply taken.email 400 '1'\n"),
         "the outcome taken.email can't happen on the route r"},
        {REPLIES R(SEND("register", "is=email") "AccountMessage taken.mobile x\n"),
         "the outcome taken.mobile can't happen on the route r"},
        {REPLIES R(SEND("change", "is=email") "AccountMessage taken.mobile x\n"),
         "the outcome taken.mobile can't happen on the route r"},
        {REPLIES R(SEND("any", "") "AccountMessage taken x\n"), "the outcome taken can't happen"},
        {REPLIES "AccountMessage taken.email x\n" R(REGISTER "AccountParam account a is=mobile\n"),
         "the outcome taken.email can't happen on any route of this contract"},
        {REPLIES R(REGISTER
                   "AccountParam account a is=mobile\nAccountReply taken.user_name 400 '1'\n"),
         "the outcome taken.user_name can't happen on the route r"},
        {REPLIES R(REGISTER "AccountParam account a is=email\nAccountReply taken.mobile 400 '1'\n"),
         "the outcome taken.mobile can't happen on the route r"},
        {REPLIES R(REGISTER "AccountParam user_name u\nAccountReply taken.email 400 '1'\n"),
         "the outcome taken.email can't happen on the route r"},
        /* codes of purposes */
        {REPLIES R("AccountAction change_address\nAccountParam target t\nAccountParam code c\n"),
         "the route r takes a code of the purpose change, which no route of this contract issues"},
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

/* One route r of these lines, in a contract that replies to everything. */
static const account_route_t *route_of(const char *lines, apr_pool_t *pool)
{
    const account_contract_t *contract = fixture_contract(
        apr_pstrcat(pool, "<AccountContract c>\n" REPLIES "<AccountRoute r POST /r>\n", lines,
                    "</AccountRoute>\n<AccountRoute z GET /z>\nAccountAction none\n"
                    "</AccountRoute>\n</AccountContract>\n",
                    NULL),
        pool);

    return contract ? account_contract_route(contract, "r") : NULL;
}

/* "status template" of what the route says to an outcome, "status page", or "(none)". */
static const char *said(const account_route_t *route, account_outcome_e outcome, apr_pool_t *pool)
{
    const account_compiled_reply_t *reply = route ? route->replies[outcome] : NULL;
    const account_settings_t settings = {.site = "x"};
    const account_store_t store = {.pool = pool};
    const account_answer_t answer = {.outcome = outcome};
    account_buffer_t buffer;

    if (!reply || reply->page || reply->is_picture) {
        return !reply ? "(none)"
                      : apr_psprintf(pool, "%d %s", reply->status,
                                     reply->page ? reply->page : "(picture)");
    }
    account_buffer_init(&buffer, 64, pool);
    account_template_render(
        reply->body,
        &(account_call_t){.action = route->action, .store = &store, .settings = &settings}, &answer,
        "", &buffer);
    return apr_psprintf(pool, "%d %s", reply->status, buffer.bytes);
}

/* Which line speaks for an outcome. */
static void test_choice(apr_pool_t *pool)
{
    static const struct {
        const char *lines;
        account_outcome_e outcome;
        const char *wanted;
    } rows[] = {
        /* between replies and pages: the most specific name, whichever it is */
        {LOGIN "AccountPage ok 201 activated\n", ACCOUNT_OK, "201 activated"},
        {LOGIN "AccountPage * 410 failed\n", ACCOUNT_WRONG_PASSWORD, "410 failed"},
        {LOGIN "AccountPage * 410 failed\n", ACCOUNT_OK, "200 1"},
        {LOGIN "AccountPage * 410 failed\n", ACCOUNT_UNAVAILABLE, "503 failed"},
        {LOGIN "AccountPage * 410 failed\n", ACCOUNT_TOO_LARGE, "413 failed"},
        {LOGIN "AccountPage unavailable 500 failed\n", ACCOUNT_UNAVAILABLE, "500 failed"},
        {LOGIN "AccountPage * 410 failed\nAccountReply disabled 403 '2'\n",
         ACCOUNT_ACCOUNT_DISABLED, "403 2"},
        {SEND("register", "") "AccountPage taken.email 410 failed\nAccountReply taken 409 '2'\n",
         ACCOUNT_TAKEN_EMAIL, "410 failed"},
        {SEND("register", "") "AccountPage taken.email 410 failed\nAccountReply taken 409 '2'\n",
         ACCOUNT_TAKEN_MOBILE, "409 2"},
        /* the picture */
        {PICTURE, ACCOUNT_IMAGE, "200 (picture)"},
        {PICTURE "AccountReply unknown-captcha 404 '2'\n", ACCOUNT_UNKNOWN_CAPTCHA, "404 2"},
        /* too-many.interval is a too-many */
        {SEND("any", ""), ACCOUNT_TOO_MANY_INTERVAL, "400 1"},
        {SEND("any", "") "AccountReply too-many 429 '\"%{outcome}\"'\n", ACCOUNT_TOO_MANY_INTERVAL,
         "429 \"too-many.interval\""},
        {SEND("any", "") "AccountReply too-many 429 '\"%{outcome}\"'\n", ACCOUNT_TOO_MANY,
         "429 \"too-many\""},
        {SEND("any", "") "AccountReply too-many.interval 425 '2'\n", ACCOUNT_TOO_MANY_INTERVAL,
         "425 2"},
        {SEND("any", "") "AccountReply too-many.interval 425 '2'\n", ACCOUNT_TOO_MANY, "400 1"},
        {SEND("any", "") "AccountReply too-many 429 '\"%{message}\"'\n", ACCOUNT_TOO_MANY_INTERVAL,
         "429 \"Too many requests, try again later.\""},
        {SEND("any",
              "") "AccountReply too-many 429 '\"%{message}\"'\nAccountMessage too-many late\n",
         ACCOUNT_TOO_MANY_INTERVAL, "429 \"late\""},
        {SEND("any", "") "AccountReply too-many 429 '\"%{message} %{retry_after}\"'\n"
                         "AccountMessage too-many.interval wait\n",
         ACCOUNT_TOO_MANY_INTERVAL, "429 \"wait 0\""},
        {"AccountAction send_link\nAccountParam target t\n", ACCOUNT_TOO_MANY_INTERVAL, "400 1"},
        {LOGIN, ACCOUNT_TOO_MANY_INTERVAL, "(none)"},
        /* kinds */
        {SEND("register", ""), ACCOUNT_TAKEN_EMAIL, "400 1"},
        {SEND("register", "is=mobile"), ACCOUNT_TAKEN_EMAIL, "(none)"},
        {SEND("register", "is=mobile"), ACCOUNT_TAKEN_MOBILE, "400 1"},
        {SEND("register", "is=email"), ACCOUNT_TAKEN_EMAIL, "400 1"},
        {SEND("register", "is=email"), ACCOUNT_TAKEN_MOBILE, "(none)"},
        {SEND("register", "is=email") "AccountParam target m is=mobile\n", ACCOUNT_TAKEN_MOBILE,
         "400 1"},
        {SEND("register", "is=email") "AccountParam target m is=mobile\n", ACCOUNT_TAKEN_EMAIL,
         "400 1"},
        {SEND("change", "is=email"), ACCOUNT_TAKEN_MOBILE, "(none)"},
        {SEND("change", "is=email"), ACCOUNT_NOT_LOGGED_IN, "400 1"},
        {SEND("any", ""), ACCOUNT_NOT_LOGGED_IN, "(none)"},
        {REGISTER "AccountParam account a\n", ACCOUNT_TAKEN_USER_NAME, "400 1"},
        {REGISTER "AccountParam account a\n", ACCOUNT_TAKEN_MOBILE, "400 1"},
        {REGISTER "AccountParam account a is=mobile\n", ACCOUNT_TAKEN_USER_NAME, "(none)"},
        {REGISTER "AccountParam account a is=mobile\n", ACCOUNT_TAKEN_EMAIL, "(none)"},
        {REGISTER "AccountParam account a is=mobile\n", ACCOUNT_TAKEN_MOBILE, "400 1"},
        {REGISTER "AccountParam account a is=mobile\nAccountParam email e\n", ACCOUNT_TAKEN_EMAIL,
         "400 1"},
        {REGISTER "AccountParam user_name u is=email\n", ACCOUNT_TAKEN_USER_NAME, "400 1"},
        {REGISTER "AccountParam user_name u is=email\n", ACCOUNT_TAKEN_EMAIL, "(none)"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        is_str(said(route_of(rows[i].lines, pool), rows[i].outcome, pool), rows[i].wanted, "%s: %s",
               fixture_shown(rows[i].lines), account_outcomes[rows[i].outcome].name);
    }
}

/* A purpose's code is issued and taken in one contract. */
static void test_purposes(apr_pool_t *pool)
{
    ok(fixture_contract(
           "<AccountContract c>\n" REPLIES R(
               SEND("change", "")) "<AccountRoute s POST /s>\nAccountAction change_address\n"
                                   "AccountParam target t\nAccountParam code c\n</AccountRoute>\n"
                                   "</AccountContract>\n",
           pool)
           != NULL,
       "send_code issues codes of the purpose change");
}

/* What a server needs to be able to send. */
static void test_sends(apr_pool_t *pool)
{
    static const struct {
        const char *lines;
        const char *wanted;
    } rows[] = {
        {LOGIN, ""},
        {SEND("any", ""), " sms mail"},
        {SEND("any", "is=mobile"), " sms"},
        {SEND("any", "is=email"), " mail"},
        {SEND("any", "is=email") "AccountParam target m is=mobile\n", " sms mail"},
        {SEND("any", "is=email") "AccountParam target m is=email\n", " mail"},
        {"AccountAction send_link\nAccountParam target t is=email\n", " mail"},
        {REGISTER "AccountParam email e\n", ""},
        {REGISTER "AccountParam email e\nAccountSet then login\n", ""},
        {REGISTER "AccountParam email e\nAccountSet then activate\n", " mail"},
        {REGISTER "AccountParam user_name u\nAccountSet then activate\n", ""},
    };
    static const char *const names[ACCOUNT_CHANNELS] = {"sms", "mail"};
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_route_t *route = route_of(rows[i].lines, pool);
        const char *got = "";
        int channel;

        for (channel = 0; route && channel < ACCOUNT_CHANNELS; channel++) {
            if (account_route_sends(route, channel)) {
                got = apr_pstrcat(pool, got, " ", names[channel], NULL);
            }
        }
        is_str(got, rows[i].wanted, "%s sends by", fixture_shown(rows[i].lines));
    }
}

/* Every way in which a route can end, each once. */
static void test_outcomes(apr_pool_t *pool)
{
    const account_route_t *route =
        route_of(SEND("register", "is=mobile") "AccountParam target m is=mobile\n", pool);
    apr_array_header_t *names = route ? account_route_outcomes(route, pool) : NULL;
    const char *got = "";
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        got = apr_pstrcat(pool, got, APR_ARRAY_IDX(names, i, const char *), "\n", NULL);
    }
    is_str(got,
           "ok\ntaken.mobile\ntoo-many.interval\nbad-request\ntoo-many\ncross-site\nbad-method\n"
           "too-large\nbad-type\nunavailable\ninvalid.target.required\ninvalid.target.length\n"
           "invalid.target.email\ninvalid.target.mobile\n",
           "the outcomes of a route");
}

/* "contract route outcome": what the cases of a contract have to exercise. */
static int print_outcomes(const char *const *paths, apr_pool_t *pool)
{
    const char *error;
    int i, j;

    for (; *paths; paths++) {
        const account_contract_t *contract =
            fixture_compile(fixture_file(*paths, pool), &error, pool);

        if (!contract) {
            fprintf(stderr, "%s: %s\n", *paths, error);
            return 1;
        }
        for (i = 0; i < contract->routes->nelts; i++) {
            const account_route_t *route = ROUTE(contract->routes, i);
            const apr_array_header_t *names = account_route_outcomes(route, pool);

            for (j = 0; j < names->nelts; j++) {
                printf("%s %s %s\n", contract->name, route->name,
                       APR_ARRAY_IDX(names, j, const char *));
            }
        }
    }
    return 0;
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

int main(int argc, const char *argv[])
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc > 2 && strcmp(argv[1], "outcomes") == 0) {
        return print_outcomes(argv + 2, pool);
    }
    test_files("conf/contracts", pool);
    test_complaints(pool);
    test_choice(pool);
    test_purposes(pool);
    test_sends(pool);
    test_outcomes(pool);
    test_damaged(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
