/* store/sessions.c: an account's sessions listed and ended, and how many there may be: on SQLite,
 * and on MySQL where ACCOUNT_TEST_MYSQL has the parameters of a database for tests. */

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "stored.h"
#include "tap.h"

/* Begins one more, a minute later than the last. */
static account_session_t *begin(server_t *server, const account_t *account, int most)
{
    account_session_t *session;

    server->store.now += MINUTE;
    session = make_session(server, account);
    session->most = most;
    is_int(account_session_begin(&server->store, session, account), APR_SUCCESS, "%s: begins",
           server->name);
    return session;
}

/* The ids of the list, each followed by a blank. */
static const char *listed(const server_t *server, const account_t *account, int most,
                          apr_int64_t *count)
{
    account_sessions_t sessions = {NULL, -1};
    const char *ids = "";
    int i;

    is_int(account_sessions_list(&server->store, account->id, most, &sessions), APR_SUCCESS,
           "%s: list", server->name);
    for (i = 0; sessions.list && i < sessions.list->nelts; i++) {
        ids = apr_pstrcat(server->store.pool, ids,
                          APR_ARRAY_IDX(sessions.list, i, account_session_t).id, " ", NULL);
    }
    *count = sessions.count;
    return ids;
}

static void expect_list(const server_t *server, const account_t *account,
                        account_session_t *const *sessions, int from, int to)
{
    const char *wanted = "";
    apr_int64_t count;
    int i;

    for (i = to; i >= from; i--) {
        wanted = apr_pstrcat(server->store.pool, wanted, sessions[i]->id, " ", NULL);
    }
    is_str(listed(server, account, 100, &count), wanted, "%s: %d to %d are left", server->name,
           from, to);
    is_int(count, to - from + 1, "%s: counted", server->name);
}

/* How many ended by an id; NULL: the others; -1: own is over, -2: a failure. */
static int ended_by(const server_t *server, const account_session_t *own, const char *id)
{
    apr_int64_t ended = -3;

    return account_sessions_end(&server->store, own, id, &ended) == APR_SUCCESS ? (int)ended : -2;
}

static void test_list(server_t *server)
{
    const account_t *account = create(server, "list", NULL, NULL);
    const account_t *other = create(server, "list2", NULL, NULL);
    account_session_t *sessions[5];
    account_sessions_t found;
    const account_session_t *first;
    const char *name = server->name;
    apr_int64_t count;
    int i;

    is_str(listed(server, account, 100, &count), "", "%s: none", name);
    is_int(count, 0, "%s: of none", name);
    begin(server, other, 0);
    for (i = 0; i < 5; i++) {
        sessions[i] = begin(server, account, 0);
    }
    expect_list(server, account, sessions, 0, 4);
    is_str(listed(server, account, 1, &count),
           apr_pstrcat(server->store.pool, sessions[4]->id, " ", NULL), "%s: one of them", name);
    is_int(count, 5, "%s: of all", name);
    account_sessions_list(&server->store, account->id, 100, &found);
    first = &APR_ARRAY_IDX(found.list, 0, account_session_t);
    is_int(first->created, sessions[4]->created, "%s: created", name);
    is_int(first->seen, sessions[4]->seen, "%s: seen", name);
    is_int(first->expires, sessions[4]->expires, "%s: expires", name);
    is_int(first->idle, sessions[4]->idle, "%s: idle", name);
    is_int(first->account_id, account->id, "%s: account", name);
    is_str(first->address, "192.0.2.1", "%s: address", name);
    is_str(first->agent, "unit/1", "%s: agent", name);
    ok(first->token == NULL, "%s: no token", name);

    /* the one used last first, and none that has expired */
    server->store.now += MINUTE;
    ok(lives(server, sessions[0]->token), "%s: the oldest is used", name);
    ok(strncmp(listed(server, account, 1, &count), sessions[0]->id, 16) == 0, "%s: and is first",
       name);
    server->store.realm = "unit2";
    is_str(listed(server, account, 100, &count), "", "%s: none in another realm", name);
    server->store.realm = "unit";
    server->store.now += 30 * MINUTE - 1;
    is_str(listed(server, account, 100, &count),
           apr_pstrcat(server->store.pool, sessions[0]->id, " ", NULL), "%s: idle ones are none",
           name);
    is_int(ended_by(server, sessions[0], sessions[1]->id), 0, "%s: nor can they be ended", name);
    is_int(ended_by(server, sessions[1], sessions[0]->id), -1, "%s: nor end any", name);
    is_int(count, 1, "%s: and not counted", name);
    server->store.now++;
    is_str(listed(server, account, 100, &count), "", "%s: the last one idle", name);
    server->store.now = NOW;
}

static void test_end(server_t *server)
{
    static const char *const none[] = {
        "",
        "%",
        "________________",
        "%%%%%%%%%%%%%%%%",
        "0",
        "' OR '1'='1",
        "\" OR 1=1 -- -",
        "' OR 1=1 OR digest='x",
        "0000000000000000",
        "ffffffffffffffff",
        "\\",
        "x' UNION SELECT 1 -- ",
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
        "NULL",
        "*",
        "................",
    };
    const account_t *account = create(server, "end", NULL, NULL);
    const account_t *other = create(server, "end2", NULL, NULL);
    account_session_t *sessions[6], *foreign = begin(server, other, 0), *same;
    const char *name = server->name, *id;
    apr_pool_t *pool = server->store.pool;
    apr_int64_t count;
    char *upper;
    size_t i;
    int length;

    for (i = 0; i < 6; i++) {
        sessions[i] = begin(server, account, 0);
    }
    for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
        is_int(ended_by(server, sessions[0], none[i]), 0, "%s: no id: row %d", name, (int)i);
    }
    id = sessions[1]->id;
    for (length = 0; length < 16; length++) {
        is_int(ended_by(server, sessions[0], apr_pstrndup(pool, id, length)), 0,
               "%s: %d digits of an id", name, length);
    }
    is_int(ended_by(server, sessions[0], apr_pstrcat(pool, id, " ", NULL)), 0, "%s: a blank behind",
           name);
    is_int(ended_by(server, sessions[0], apr_pstrcat(pool, id, "%", NULL)), 0, "%s: a wildcard",
           name);
    is_int(ended_by(server, sessions[0], apr_pstrcat(pool, apr_pstrndup(pool, id, 15), "%", NULL)),
           0, "%s: a wildcard for a digit", name);
    is_int(ended_by(server, sessions[0], apr_pstrcat(pool, apr_pstrndup(pool, id, 15), "_", NULL)),
           0, "%s: another", name);
    upper = apr_pstrdup(pool, id);
    for (i = 0; i < 16; i++) {
        upper[i] = (char)(upper[i] >= 'a' ? upper[i] - 32 : upper[i]);
    }
    is_int(ended_by(server, sessions[0], strcmp(upper, id) ? upper : "X"), 0, "%s: capitals", name);
    is_int(ended_by(server, sessions[0], sessions[1]->token), 0, "%s: a token is no id", name);
    is_int(ended_by(server, sessions[0], foreign->id), 0, "%s: another account's id", name);
    is_int(ended_by(server, foreign, sessions[0]->id), 0, "%s: by the other account", name);
    server->store.realm = "unit2";
    is_int(ended_by(server, sessions[0], sessions[1]->id), -1, "%s: in another realm", name);
    is_int(ended_by(server, sessions[0], NULL), -1, "%s: all in another realm", name);
    server->store.realm = "unit";
    expect_list(server, account, sessions, 0, 5);
    ok(lives(server, foreign->token), "%s: the other account's lives", name);

    is_int(ended_by(server, sessions[0], sessions[5]->id), 1, "%s: one ends", name);
    expect_list(server, account, sessions, 0, 4);
    is_int(ended_by(server, sessions[0], sessions[5]->id), 0, "%s: once", name);
    is_int(ended_by(server, sessions[5], sessions[4]->id), -1, "%s: by one that is over", name);
    is_int(ended_by(server, sessions[5], NULL), -1, "%s: all by one that is over", name);
    is_int(ended_by(server, sessions[4], sessions[4]->id), 1, "%s: one's own", name);
    expect_list(server, account, sessions, 0, 3);
    is_int(ended_by(server, sessions[0], NULL), 3, "%s: all others", name);
    expect_list(server, account, sessions, 0, 0);
    is_int(ended_by(server, sessions[0], NULL), 0, "%s: there are none", name);
    ok(lives(server, foreign->token), "%s: but another account's", name);

    /* the same account in another realm is another account */
    server->store.realm = "unit2";
    account = create(server, "end", NULL, NULL);
    same = begin(server, account, 0);
    server->store.realm = "unit";
    is_int(ended_by(server, sessions[0], same->id), 0, "%s: another realm's id", name);
    is_int(ended_by(server, sessions[0], NULL), 0, "%s: another realm's", name);
    server->store.realm = "unit2";
    ok(lives(server, same->token), "%s: lives", name);
    is_str(listed(server, account, 100, &count), apr_pstrcat(pool, same->id, " ", NULL),
           "%s: and is listed there", name);
    server->store.realm = "unit";
    server->store.now = NOW;
}

/* Sessions of an older key are found and ended too. */
static void test_rolled_key(server_t *server)
{
    const account_t *account = create(server, "rolled", NULL, NULL);
    const account_keys_t *old = server->store.keys;
    account_session_t *sessions[6];
    const account_session_t *found;
    const account_t *owner;
    account_keys_t *rolled = NULL;
    const char *error, *name = server->name;
    int i;

    is_int(account_keys_parse(&rolled, &error, KEY_B "\n" KEY_A, server->store.pool), APR_SUCCESS,
           "%s: a new first key", name);
    for (i = 0; i < 3; i++) {
        sessions[i] = begin(server, account, 0);
    }
    server->store.keys = rolled;
    for (; i < 5; i++) {
        sessions[i] = begin(server, account, 0);
    }
    expect_list(server, account, sessions, 0, 4);
    account_session_find(&server->store, sessions[1]->token, &found, &owner);
    is_str(found ? found->id : NULL, sessions[1]->id, "%s: its id stays what it was", name);
    is_int(ended_by(server, sessions[4], sessions[2]->id), 1, "%s: a new one ends an old one",
           name);
    is_int(ended_by(server, found, sessions[3]->id), 1, "%s: an old one a new one", name);
    is_int(ended_by(server, found, NULL), 2, "%s: an old one all others", name);
    ok(lives(server, sessions[1]->token) && !lives(server, sessions[4]->token),
       "%s: but not itself", name);
    sessions[2] = begin(server, account, 2);
    expect_list(server, account, sessions, 1, 2);
    sessions[3] = begin(server, account, 2);
    expect_list(server, account, sessions, 2, 3);
    server->store.keys = old;
    server->store.now = NOW;
}

static void test_most(server_t *server)
{
    const account_t *account = create(server, "most", NULL, NULL);
    const account_t *other = create(server, "most2", NULL, NULL);
    account_session_t *sessions[9], *foreign = begin(server, other, 0), *last;
    account_also_t also = {NULL, NULL, NULL};
    account_password_change_t change = {account, OTHER_HASH, &also};
    account_t fields = fields_of("most3", NULL, NULL);
    const char *name = server->name;
    apr_array_header_t *replaced = apr_array_make(server->store.pool, 1, sizeof(const char *));
    account_kind_e taken;
    apr_int64_t count;
    int i, changed;

    for (i = 0; i < 5; i++) {
        sessions[i] = begin(server, account, 3);
        expect_list(server, account, sessions, i < 3 ? 0 : i - 2, i);
    }
    ok(!lives(server, sessions[0]->token) && !lives(server, sessions[1]->token),
       "%s: the oldest are over", name);

    /* it is the use that counts */
    server->store.now += MINUTE;
    ok(lives(server, sessions[2]->token), "%s: used now", name);
    sessions[5] = begin(server, account, 3);
    ok(lives(server, sessions[2]->token) && !lives(server, sessions[3]->token)
           && lives(server, sessions[4]->token),
       "%s: the one used longest ago ends", name);

    /* a new one stays, also where other clocks are ahead */
    sql(server, "UPDATE account_session SET seen = seen + 5000000");
    last = begin(server, account, 1);
    is_str(listed(server, account, 9, &count), apr_pstrcat(server->store.pool, last->id, " ", NULL),
           "%s: only the new one", name);

    /* what it replaces is no longer counted; what has expired neither */
    sessions[0] = begin(server, account, 2);
    APR_ARRAY_PUSH(replaced, const char *) = sessions[0]->token;
    server->store.now += MINUTE;
    sessions[1] = make_session(server, account);
    sessions[1]->replaces = replaced;
    sessions[1]->most = 2;
    is_int(account_session_begin(&server->store, sessions[1], account), APR_SUCCESS, "%s: anew",
           name);
    ok(lives(server, last->token) && lives(server, sessions[1]->token), "%s: both live", name);
    for (i = 2; i < 9; i++) {
        sessions[i] = begin(server, account, 0);
    }
    is_int((listed(server, account, 100, &count), count), 9, "%s: any number", name);
    begin(server, account, 4);
    is_int((listed(server, account, 100, &count), count), 4, "%s: a lower number ends many", name);
    ok(lives(server, foreign->token), "%s: of this account only", name);

    /* with a new password, and at registration */
    also.session = make_session(server, account);
    ((account_session_t *)also.session)->most = 1;
    is_int(account_change_password(&server->store, &change, &changed), APR_SUCCESS,
           "%s: a new password", name);
    is_int((listed(server, account, 100, &count), count), 1, "%s: one session", name);
    is_int(account_create(&server->store, &fields, &also, &account, &taken), ACCOUNT_EDATABASE,
           "%s: the same session twice is none", name);
    also.session = make_session(server, other);
    ((account_session_t *)also.session)->most = 1;
    is_int(account_create(&server->store, &fields, &also, &account, &taken), APR_SUCCESS,
           "%s: a registration", name);
    is_int((listed(server, account, 100, &count), count), 1, "%s: with its session", name);
    server->store.now = NOW;
}

static void *login_one(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_session_terms_t own = terms;
    account_session_t *session;

    own.most = 5;
    entrant->status = account_session_make(&store, entrant->account->id, &own, &session);
    if (entrant->status == APR_SUCCESS) {
        entrant->status = account_session_begin(&store, session, entrant->account);
    }
    apr_pool_destroy(store.pool);
    return NULL;
}

/* Each ends all others. */
static void *clear_one(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_session_t *const *sessions = (void *)entrant->code;
    apr_int64_t ended = 0;

    entrant->status = account_sessions_end(&store, sessions[entrant->number], NULL, &ended);
    entrant->state = ended < 0 ? ACCOUNT_CODE_NONE : ACCOUNT_CODE_RIGHT;
    apr_pool_destroy(store.pool);
    return NULL;
}

/* Each ends its neighbour's, in a ring. */
static void *end_next(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_session_t *const *sessions = (void *)entrant->code;
    apr_int64_t ended = 0;

    entrant->status = account_sessions_end(&store, sessions[entrant->number],
                                           sessions[(entrant->number + 1) % 20]->id, &ended);
    entrant->state = ended > 0 ? ACCOUNT_CODE_RIGHT : ACCOUNT_CODE_NONE;
    apr_pool_destroy(store.pool);
    return NULL;
}

static void test_races(server_t *server)
{
    const account_t *account = create(server, "races", NULL, NULL);
    entrant_t one = {.server = server, .account = account};
    account_session_t *sessions[40];
    const char *name = server->name;
    apr_int64_t count;
    int i, round;

    for (round = 0; round < 3; round++) {
        run_race(&one, 60, login_one, ACCOUNT_CODE_RIGHT);
        is_int((listed(server, account, 100, &count), count), 5, "%s: of sixty at once five stay",
               name);
    }
    for (round = 0; round < 3; round++) {
        for (i = 0; i < 40; i++) {
            sessions[i] = begin(server, account, 0);
        }
        one.code = (void *)sessions;
        is_int(run_race(&one, 40, clear_one, ACCOUNT_CODE_RIGHT), 1,
               "%s: of forty that end each other one did", name);
        is_int((listed(server, account, 100, &count), count), 1, "%s: and lives", name);
    }
    begin(server, account, 1);
    for (i = 0; i < 20; i++) {
        sessions[i] = begin(server, account, 0);
    }
    i = run_race(&one, 20, end_next, ACCOUNT_CODE_RIGHT);
    is_int((listed(server, account, 100, &count), count), 21 - i,
           "%s: %d of a ring ended another, and as many are gone", name, i);
    ok(i >= 10 && i < 20, "%s: one at least stays", name);
    server->store.now = NOW;
}

static void test_many(server_t *server)
{
    const account_t *account = create(server, "many", NULL, NULL);
    account_session_t *first = begin(server, account, 0);
    apr_int64_t count;
    int i;

    for (i = 0; i < 999; i++) {
        account_session_t *session;

        server->store.now++;
        account_session_make(&server->store, account->id, &terms, &session);
        account_session_begin(&server->store, session, account);
    }
    is_int((long long)strlen(listed(server, account, 100, &count)), 1700, "%s: a hundred of many",
           server->name);
    is_int(count, 1000, "%s: of a thousand", server->name);
    is_int(ended_by(server, first, NULL), 999, "%s: all but the first", server->name);
    server->store.now = NOW;
}

static void test(server_t *server)
{
    test_list(server);
    test_end(server);
    test_rolled_key(server);
    test_most(server);
    test_races(server);
    test_many(server);
}

int main(void)
{
    return run_on_databases(test);
}
