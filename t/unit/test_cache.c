/* Copies of sessions: base/fence.c in every order of events, and store/snapshot.c over a cache that
 * the test looks into, on SQLite, and on MySQL where ACCOUNT_TEST_MYSQL has the parameters of a
 * database for tests. */

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store/rows.h"
#include "store/snapshot.h"
#include "store/statements.h"
#include "stored.h"
#include "tap.h"

/*
 * Every order. Two who change the same thing, two who read it; after each step no copy that the
 * fence calls good may tell anything else than what is committed. Whether copies are in a cache,
 * were evicted, or are still to be put there makes no difference to the rule.
 */

enum { CLOSE = 'c', COMMIT = 'C', KNOWN = 'k', UNKNOWN = 'u', SINCE = 's', READ = 'r' };

/* What somebody does who changes something, and whether his end is known to him. */
static const char *const writers[] = {
    "cCk", /* as it should be */
    "c",   /* killed before the commit, or the database never heard of it */
    "cC",  /* killed between commit and invalidation */
    "cuC", /* the answer was lost, and what was asked for happens later */
    "ck",  /* rolled back */
    "cCu", /* the answer was lost, and it had happened */
};

typedef struct model_t {
    account_fence_t fence;
    apr_uint64_t *slots;
    account_closing_t closings[2];
    const char *steps[4]; /* two writers, two readers */
    apr_time_t now;
    apr_time_t step; /* time between two steps */
    int committed;   /* how often */
    apr_time_t since[2];
    int copies[2]; /* -1: none yet */
    int wrong;
    int good; /* copies that were good at some time */
    int runs;
    apr_pool_t *pool;
} model_t;

static void do_step(model_t *model, int who)
{
    int n = who % 2;

    model->now += model->step;
    switch (*model->steps[who]++) {
    case CLOSE:
        account_fence_close(&model->closings[n], 7, model->now);
        break;
    case COMMIT:
        model->committed++;
        break;
    case KNOWN:
        account_fence_end(&model->closings[n], 1, model->now);
        break;
    case UNKNOWN:
        account_fence_end(&model->closings[n], 0, model->now);
        break;
    case SINCE:
        model->since[n] = model->now;
        break;
    default:
        model->copies[n] = model->committed;
    }
}

static void judge(model_t *model)
{
    int n;

    for (n = 0; n < 2; n++) {
        if (model->copies[n] >= 0 && account_fence_is_good(&model->fence, 7, model->since[n])) {
            model->good++;
            model->wrong += model->copies[n] != model->committed;
        }
    }
}

static void try_orders(model_t *model)
{
    int who, left = 0;

    for (who = 0; who < 4; who++) {
        if (*model->steps[who]) {
            model_t saved = *model;
            apr_uint64_t slot = model->slots[7];

            left = 1;
            do_step(model, who);
            judge(model);
            try_orders(model);
            saved.wrong = model->wrong;
            saved.good = model->good;
            saved.runs = model->runs;
            *model = saved;
            model->slots[7] = slot;
        }
    }
    model->runs += !left;
}

/* first and second: what the two writers do. step: microseconds between two events. */
static model_t run_model(const char *first, const char *second, apr_time_t step, apr_pool_t *parent)
{
    model_t model = {.steps = {first, second, "sr", "sr"}, .copies = {-1, -1}, .step = step};

    apr_pool_create(&model.pool, parent);
    model.slots = apr_pcalloc(model.pool, ACCOUNT_FENCE_SLOTS * sizeof(apr_uint64_t));
    model.fence.slots = model.slots;
    model.now = apr_time_from_sec(100);
    model.closings[0] = (account_closing_t){&model.fence, NULL, model.pool};
    model.closings[1] = model.closings[0];
    /* closings are copied with the model: what is in their arrays may not change */
    try_orders(&model);
    apr_pool_destroy(model.pool);
    return model;
}

static void test_every_order(apr_pool_t *pool)
{
    const size_t count = sizeof(writers) / sizeof(*writers);
    size_t i, j;
    apr_time_t step;

    for (i = 0; i < count; i++) {
        for (j = 0; j < count; j++) {
            for (step = 0; step < 2; step++) {
                model_t model = run_model(writers[i], writers[j], step, pool);

                is_int(model.wrong, 0, "%s beside %s, %d us a step: %d orders, no wrong copy",
                       writers[i], writers[j], (int)step, model.runs);
            }
        }
    }
    ok(run_model("cCk", "", 1, pool).good > 0, "there are good copies");
    ok(run_model("Cck", "", 1, pool).wrong > 0, "who closes after the commit is found out");
    ok(run_model("ckC", "", 1, pool).wrong > 0, "who opens before it, too");
    ok(run_model("C", "", 1, pool).wrong > 0, "and who never closes");
}

static void test_fence(apr_pool_t *pool)
{
    apr_uint64_t *slots = apr_pcalloc(pool, ACCOUNT_FENCE_SLOTS * sizeof(apr_uint64_t));
    account_fence_t fence = {slots};
    account_closing_t one = {&fence, NULL, pool}, two = {&fence, NULL, pool};
    apr_time_t now = apr_time_from_sec(1000);
    apr_uint32_t slot = account_fence_slot("account", "realm", "1");

    ok(slot < ACCOUNT_FENCE_SLOTS, "a slot");
    ok(slot != account_fence_slot("account", "realm", "2"), "another name's");
    ok(slot != account_fence_slot("account", "other", "1"), "another realm's");
    ok(slot != account_fence_slot("session", "realm", "1"), "another thing's");
    ok(account_fence_slot("a", "bc", "d") != account_fence_slot("ab", "c", "d"),
       "not run together");
    ok(account_fence_is_good(&fence, slot, 1), "nothing was ever changed");
    account_fence_close(&one, slot, now);
    ok(!account_fence_is_good(&fence, slot, now + 5), "closed");
    account_fence_close(&one, slot, now + 10);
    account_fence_end(&one, 1, now + 20);
    ok(!account_fence_is_good(&fence, slot, now + 20), "opened: not what was read till then");
    ok(account_fence_is_good(&fence, slot, now + 21), "but from then on, also when closed twice");
    ok(one.closed == NULL, "and forgotten");
    account_fence_close(&one, slot, now + 30);
    account_fence_close(&two, slot, now + 30);
    account_fence_end(&one, 1, now + 40);
    ok(!account_fence_is_good(&fence, slot, now + 45), "two at once: one is done");
    account_fence_end(&two, 1, now + 50);
    ok(!account_fence_is_good(&fence, slot, now + 50), "both are");
    ok(account_fence_is_good(&fence, slot, now + 51), "then it is open");
    account_fence_close(&one, slot, now + 60);
    account_fence_close(&two, slot, now + 70);
    account_fence_end(&one, 0, now + 80);
    account_fence_end(&two, 1, now + 90);
    ok(!account_fence_is_good(&fence, slot, now + 91), "one does not know how it ended");
    now += ACCOUNT_FENCE_LATEST;
    ok(!account_fence_is_good(&fence, slot, now + 70), "closed until");
    ok(account_fence_is_good(&fence, slot, now + 71), "its time is over");
    account_fence_close(&one, slot, now + 80);
    now += ACCOUNT_FENCE_LATEST;
    account_fence_close(&two, slot, now + 80);
    account_fence_end(&one, 1, now + 85);
    ok(!account_fence_is_good(&fence, slot, now + 86), "who is too late opens nothing");
    account_fence_end(&two, 1, now + 90);
    ok(account_fence_is_good(&fence, slot, now + 91), "who closed it opens it");
    account_fence_close(&one, slot, now + 100);
    now += ACCOUNT_FENCE_LATEST;
    ok(account_fence_is_good(&fence, slot, now + 105), "read when it has opened by itself");
    account_fence_end(&one, 1, now + 110);
    ok(!account_fence_is_good(&fence, slot, now + 110), "who committed after that is heard");
    ok(account_fence_is_good(&fence, slot, now + 111), "it is open then");
}

/* As many as there is no room to count. */
static void test_crowd(apr_pool_t *pool)
{
    apr_uint64_t *slots = apr_pcalloc(pool, ACCOUNT_FENCE_SLOTS * sizeof(apr_uint64_t));
    account_fence_t fence = {slots};
    account_closing_t closings[5000];
    apr_time_t now = apr_time_from_sec(1000);
    int i, good = 0;

    for (i = 0; i < 5000; i++) {
        closings[i] = (account_closing_t){&fence, NULL, pool};
        account_fence_close(&closings[i], 3, now);
    }
    for (i = 0; i < 5000; i++) {
        account_fence_end(&closings[i], 1, now + 1);
        good += account_fence_is_good(&fence, 3, now + 2);
    }
    is_int(good, 0, "more than can be counted: nobody opens");
    ok(account_fence_is_good(&fence, 3, now + ACCOUNT_FENCE_LATEST + 1), "it does by itself");
    account_fence_close(&closings[0], 3, now + ACCOUNT_FENCE_LATEST);
    account_fence_end(&closings[0], 1, now + ACCOUNT_FENCE_LATEST + 2);
    ok(account_fence_is_good(&fence, 3, now + ACCOUNT_FENCE_LATEST + 3), "and counts anew");
}

/* A cache that the test looks into. */

typedef struct box_t {
    apr_hash_t *items;
    apr_pool_t *pool;
    int sets;
    /* called once: before the next get, before the next set */
    void (*at_get)(server_t *server, const account_t *account);
    void (*at_set)(server_t *server, const account_t *account);
    server_t *other; /* of another process, for them */
    const account_t *account;
} box_t;

static const char *name_of(const account_cache_item_t *item, apr_pool_t *pool)
{
    return apr_pstrcat(pool, item->space, "/", apr_pstrndup(pool, item->key, item->key_length),
                       NULL);
}

static void call_once(box_t *box, void (**event)(server_t *, const account_t *))
{
    void (*fn)(server_t *, const account_t *) = *event;

    *event = NULL;
    if (fn) {
        fn(box->other, box->account);
    }
}

static apr_status_t box_get(void *baton, account_cache_item_t *item, apr_pool_t *pool)
{
    box_t *box = baton;
    const account_cache_item_t *found;

    call_once(box, &box->at_get);
    found = apr_hash_get(box->items, name_of(item, pool), APR_HASH_KEY_STRING);
    if (found) {
        item->value = found->value;
        item->value_length = found->value_length;
    }
    return found ? APR_SUCCESS : APR_NOTFOUND;
}

static apr_status_t box_set(void *baton, const account_cache_item_t *item, apr_pool_t *pool)
{
    box_t *box = baton;
    account_cache_item_t *kept = apr_pmemdup(box->pool, item, sizeof(*item));

    (void)pool;
    call_once(box, &box->at_set);
    box->sets++;
    kept->value = apr_pmemdup(box->pool, item->value, item->value_length);
    apr_hash_set(box->items, name_of(item, box->pool), APR_HASH_KEY_STRING, kept);
    return APR_SUCCESS;
}

typedef struct bench_t {
    server_t *server;
    box_t box;
    account_cache_t cache;
    account_fence_t fence;
    account_closing_t closing;
    const account_t *account;
    const char *token;
} bench_t;

/* An account with a session, over a box. */
static bench_t *set_up(server_t *server, const char *name)
{
    apr_pool_t *pool = server->store.pool;
    bench_t *bench = apr_pcalloc(pool, sizeof(*bench));
    account_session_t *session;

    bench->server = server;
    bench->box = (box_t){.items = apr_hash_make(pool), .pool = pool, .other = server};
    bench->cache = (account_cache_t){.get = box_get,
                                     .set = box_set,
                                     .baton = &bench->box,
                                     .ttl = apr_time_from_sec(100),
                                     .grace = apr_time_from_sec(200)};
    bench->fence.slots = apr_pcalloc(pool, ACCOUNT_FENCE_SLOTS * sizeof(apr_uint64_t));
    bench->closing = (account_closing_t){&bench->fence, NULL, pool};
    bench->account = bench->box.account =
        create(server, name, apr_pstrcat(pool, name, "@example.com", NULL), NULL);
    server->store.now = NOW;
    session = make_session(server, bench->account);
    is_int(account_session_begin(&server->store, session, bench->account), APR_SUCCESS,
           "%s: a session of %s", server->name, name);
    bench->token = session->token;
    server->store.cache = &bench->cache;
    server->store.closing = &bench->closing;
    return bench;
}

static void tear_down(bench_t *bench)
{
    bench->server->store.cache = NULL;
    bench->server->store.closing = NULL;
}

/* The role of who has the token; "": nobody; "?": a failure. */
static const char *role_of(const bench_t *bench)
{
    const account_session_t *session;
    const account_t *account;
    apr_status_t rv = account_session_find(&bench->server->store, bench->token, &session, &account);

    return rv != APR_SUCCESS ? "?" : account ? account->role : "";
}

static void by_hand(const bench_t *bench, const char *text)
{
    is_int(sql(bench->server, text), APR_SUCCESS, "%s: by hand", bench->server->name);
}

static void test_copies(server_t *server)
{
    bench_t *bench = set_up(server, "anna");
    const account_session_t *stored, *session;
    const account_t *there, *account;
    account_store_t no_cache = server->store;

    no_cache.cache = NULL;
    account_session_find(&no_cache, bench->token, &stored, &there);
    is_str(role_of(bench), "user", "%s: read", server->name);
    is_int(bench->box.sets, 1, "and kept");
    by_hand(bench, "UPDATE account SET role = 'other'");
    account_session_find(&server->store, bench->token, &session, &account);
    is_str(account ? account->role : "", "user", "%s: asks no database", server->name);
    ok(account && account->password == NULL, "there is no hash in a copy");
    if (account) {
        is_int(account->id, there->id, "the id");
        is_str(account->ref, there->ref, "the ref");
        is_str(account->identifiers[ACCOUNT_USER_NAME], "anna", "the name");
        is_str(account->identifiers[ACCOUNT_EMAIL], "anna@example.com", "the address");
        ok(account->identifiers[ACCOUNT_MOBILE] == NULL, "no number");
        is_str(account->attributes, there->attributes, "attributes");
        is_int(account->created, there->created, "created");
        is_int(account->updated, there->updated, "updated");
        is_int(account->registered_kind, there->registered_kind, "registered as");
        is_str(session->id, stored->id, "the session's id");
        is_str(session->token, bench->token, "its token");
        is_int(session->account_id, there->id, "its account");
        is_int(session->created, stored->created, "it began");
        is_int(session->seen, stored->seen, "was seen");
        is_int(session->expires, stored->expires, "expires");
        is_int(session->idle, stored->idle, "idle");
        is_str(session->address, stored->address, "address");
    }
    bench->cache.ttl = apr_time_from_msec(1);
    apr_sleep(apr_time_from_msec(3));
    is_str(role_of(bench), "other", "%s: after its time the database is asked", server->name);
    by_hand(bench, "DELETE FROM account_session");
    apr_sleep(apr_time_from_msec(3));
    is_str(role_of(bench), "", "%s: gone by hand", server->name);
    tear_down(bench);
}

/* No secret, and nothing else than what was put in is taken for it. */
static void test_values(server_t *server)
{
    bench_t *bench = set_up(server, "vera");
    apr_hash_index_t *index;
    account_cache_item_t *item = NULL;
    const void *key = NULL;
    apr_size_t whole, length;
    int wrong = 0;

    role_of(bench);
    index = apr_hash_first(server->store.pool, bench->box.items);
    if (!ok(index != NULL, "%s: there is a copy", server->name)) {
        return;
    }
    apr_hash_this(index, &key, NULL, (void **)&item);
    ok(!memmem(item->value, item->value_length, bench->token, strlen(bench->token)),
       "no token in it");
    ok(!memmem(item->value, item->value_length, "argon2id", 8), "nor a hash");
    ok(!strstr(key, bench->token), "nor in its key");
    by_hand(bench, "UPDATE account SET role = 'new'");
    is_str(role_of(bench), "user", "it is used");
    whole = item->value_length;
    for (length = 0; length < whole; length++) {
        account_cache_item_t cut = *item;

        cut.value = apr_pmemdup(server->store.pool, item->value, length + 1);
        cut.value_length = length;
        apr_hash_set(bench->box.items, key, APR_HASH_KEY_STRING, &cut);
        wrong += strcmp(role_of(bench), "new") != 0;
    }
    for (length = 0; length < whole; length++) {
        account_cache_item_t changed = *item;
        char *bytes = apr_pmemdup(server->store.pool, item->value, whole);

        bytes[length] ^= 1;
        changed.value = bytes;
        apr_hash_set(bench->box.items, key, APR_HASH_KEY_STRING, &changed);
        wrong += strcmp(role_of(bench), "new") != 0;
    }
    is_int(wrong, 0, "%s: cut off or changed at any of %d places it is none", server->name,
           (int)whole);
    tear_down(bench);
}

/* It ends exactly when it should; and is seen once a minute. */
static void test_ends(server_t *server)
{
    bench_t *bench = set_up(server, "edna");
    apr_int64_t half = terms.idle / 2;

    is_str(role_of(bench), "user", "%s: lives", server->name);
    server->store.now = NOW + MINUTE - 1;
    is_str(role_of(bench), "user", "%s: before a minute is over", server->name);
    is_int(bench->box.sets, 1, "nothing is written");
    server->store.now = NOW + MINUTE;
    is_str(role_of(bench), "user", "%s: after a minute", server->name);
    is_int(bench->box.sets, 2, "it was seen");
    server->store.now = NOW + MINUTE + terms.idle - 1;
    is_str(role_of(bench), "user", "%s: a millisecond before it was idle too long", server->name);
    server->store.now += terms.idle;
    is_str(role_of(bench), "", "%s: idle too long", server->name);
    bench = set_up(server, "rosa");
    while (server->store.now + half < NOW + terms.life) {
        server->store.now += half;
        is_str(role_of(bench), "user", "%s: used", server->name);
    }
    server->store.now = NOW + terms.life - 1;
    is_str(role_of(bench), "user", "%s: a millisecond before its end", server->name);
    server->store.now++;
    is_str(role_of(bench), "", "%s: its end", server->name);
    tear_down(bench);
}

/* While the database can't be asked. */
static void test_grace(server_t *server)
{
    bench_t *bench = set_up(server, "gina");
    apr_time_t deadline = server->store.deadline;
    account_store_t no_cache = server->store;
    const account_session_t *session;
    const account_t *account;

    is_str(role_of(bench), "user", "%s: a copy", server->name);
    bench->cache.ttl = 1;
    server->store.deadline = no_cache.deadline = account_clock_monotonic() - 1;
    no_cache.cache = NULL;
    ok(account_session_find(&no_cache, bench->token, &session, &account) != APR_SUCCESS,
       "%s: the database can't be asked", server->name);
    is_str(role_of(bench), "user", "the old copy will do");
    server->store.now += MINUTE;
    is_str(role_of(bench), "user", "also when it ought to be seen");
    server->store.now += terms.idle;
    is_str(role_of(bench), "?", "but not when it may be over");
    server->store.now = NOW;
    bench->cache.grace = 1;
    is_str(role_of(bench), "?", "nor after the grace");
    bench->cache.grace = apr_time_from_sec(200);
    is_str(role_of(bench), "user", "as before");
    account_fence_close(&bench->closing,
                        account_snapshot_slot_of_account("unit", bench->account->id),
                        account_clock_monotonic());
    is_str(role_of(bench), "?", "what is being changed has no copy");
    account_fence_end(&bench->closing, 1, account_clock_monotonic());
    is_str(role_of(bench), "?", "nor what was");
    server->store.deadline = deadline;
    is_str(role_of(bench), "user", "%s: it can be asked again", server->name);
    tear_down(bench);
}

/* All that changes a session or an account. */

static void to_admin(server_t *server, const account_t *account)
{
    int changed;

    account_change_role(&server->store, again(server, account), "admin", &changed);
}

static void disable(server_t *server, const account_t *account)
{
    int changed;

    account_change_status(&server->store, again(server, account), ACCOUNT_DISABLED, NULL, &changed);
}

static void change_password(server_t *server, const account_t *account)
{
    account_password_change_t change = {again(server, account), OTHER_HASH, NULL};
    int changed;

    account_change_password(&server->store, &change, &changed);
}

static void reset_password(server_t *server, const account_t *account)
{
    account_code_t code = fresh_code(server, account->ref);
    account_password_change_t change = {again(server, account), OTHER_HASH, NULL};
    account_redemption_t redemption = {.reset = &change};

    redeem(server, &code, &redemption);
}

static void log_in_as_the_only_one(server_t *server, const account_t *account)
{
    account_session_t *session = make_session(server, account);

    session->most = 1;
    account_session_begin(&server->store, session, again(server, account));
}

static void end_others(server_t *server, const account_t *account)
{
    account_session_t *session = make_session(server, account);
    apr_int64_t ended;

    account_session_begin(&server->store, session, again(server, account));
    account_sessions_end(&server->store, session, NULL, &ended);
}

static const struct {
    const char *name;
    void (*fn)(server_t *server, const account_t *account);
    const char *role; /* who looks finds it then; "": nobody */
} changes[] = {
    {"another role", to_admin, "admin"},
    {"disabled", disable, ""},
    {"another password", change_password, ""},
    {"reset by a code", reset_password, ""},
    {"one session at most", log_in_as_the_only_one, ""},
    {"all others ended", end_others, ""},
};

static void test_changes(server_t *server)
{
    size_t i;
    int when;

    for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        /* before a look-up; between a miss and reading; between reading and keeping */
        for (when = 0; when < 3; when++) {
            bench_t *bench =
                set_up(server, apr_psprintf(server->store.pool, "user-%d-%d", (int)i, when));

            if (when == 0) {
                is_str(role_of(bench), "user", "%s: a copy", server->name);
                changes[i].fn(server, bench->account);
            }
            else if (when == 1) {
                bench->box.at_get = changes[i].fn;
                role_of(bench);
            }
            else {
                bench->box.at_set = changes[i].fn;
                is_str(role_of(bench), "user", "%s: read before", server->name);
                is_int(bench->box.sets, 1, "kept after");
            }
            is_str(role_of(bench), changes[i].role, "%s: %s, %d: known at once", server->name,
                   changes[i].name, when);
            is_str(role_of(bench), changes[i].role, "and again");
            tear_down(bench);
        }
    }
}

/* By the token, whose account need not be known. */
static void test_logout(server_t *server)
{
    bench_t *bench = set_up(server, "lena");

    is_str(role_of(bench), "user", "%s: a copy", server->name);
    is_int(account_session_end(&server->store, bench->token), APR_SUCCESS, "logs out");
    is_str(role_of(bench), "", "%s: logged out", server->name);
    bench = set_up(server, "lilo");
    is_str(role_of(bench), "user", "%s: a copy", server->name);
    {
        account_session_t *next = make_session(server, bench->account);
        apr_array_header_t *replaces = apr_array_make(server->store.pool, 1, sizeof(char *));

        APR_ARRAY_PUSH(replaces, const char *) = bench->token;
        next->replaces = replaces;
        is_int(account_session_begin(&server->store, next, bench->account), APR_SUCCESS,
               "%s: logs in again", server->name);
    }
    is_str(role_of(bench), "", "%s: the old one is over", server->name);
    tear_down(bench);
}

static const account_t *profile_of(const bench_t *bench)
{
    const account_session_t *session;
    const account_t *account = NULL;

    account_session_find(&bench->server->store, bench->token, &session, &account);
    return account;
}

static void test_profile(server_t *server)
{
    bench_t *bench = set_up(server, "nora");
    const account_t *stored = again(server, bench->account), *updated, *seen;
    account_profile_t profile = {stored, "nora2@example.com", "{\"nickname\":\"N\"}", NULL};
    account_t fields = fields_of("other", "nora2@example.com", NULL);
    account_kind_e taken;
    int changed;

    ok(profile_of(bench) != NULL, "%s: a copy", server->name);
    is_int(account_update_profile(&server->store, &profile, &updated, &changed), APR_SUCCESS,
           "%s: another profile", server->name);
    seen = profile_of(bench);
    is_str(seen ? seen->attributes : "", "{\"nickname\":\"N\"}", "%s: known at once", server->name);
    is_str(seen ? seen->identifiers[ACCOUNT_EMAIL] : "", "nora2@example.com", "and the address");
    ok(profile_of(bench) != NULL, "%s: a copy", server->name);
    fields.email_verified = NOW;
    is_int(account_create(&server->store, &fields, NULL, &updated, &taken), APR_SUCCESS,
           "%s: somebody proves that it is his", server->name);
    seen = profile_of(bench);
    ok(seen && seen->identifiers[ACCOUNT_EMAIL] == NULL, "%s: it is shown no longer", server->name);
    tear_down(bench);
}

/* Every statement that changes what a copy tells must come after a closing. Whoever adds one adds
 * it here, with a change above that goes through it, or the reason why there is none. */
static const char *const known[] = {
    "account-set-profile",
    "account-show-email",
    "account-show-mobile", /* account_update_profile */
    "account-prove-email",
    "account-prove-mobile", /* account_own_in */
    "account-hide",         /* identifiers.c */
    "account-set-email",    /* account_update_profile */
    "account-change-password",
    "account-reset-password", /* all sessions end with them */
    "account-hold",
    "account-wait",
    "account-rehash-password", /* no copy has logins or password */
    "account-set-attributes",
    "account-change-role",
    "account-change-status",
    "session-seen", /* a copy that is older says the end is earlier, and then the database is asked
                     */
    "session-end",
    "session-end-all",
    "session-end-by-id",
    "session-end-others",
    "session-end-expired",
    "sweep-sessions", /* a copy of those is over by itself */
    "session-end-oldest",
};

static int is_known(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcmp(known[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

static void test_statements(void)
{
    static const char *const changing[] = {"UPDATE account SET", "UPDATE account_session",
                                           "DELETE FROM account WHERE",
                                           "DELETE FROM account_session"};
    int i, found = 0;
    size_t j;

    for (i = 0; i < ACCOUNT_SQL_COUNT; i++) {
        for (j = 0; j < sizeof(changing) / sizeof(*changing); j++) {
            const account_statement_t *statement = &account_statements[i];

            if (statement->sql[0] && strstr(statement->sql[0], changing[j])) {
                found++;
                ok(is_known(statement->name), "%s: copies know of it", statement->name);
            }
        }
    }
    is_int(found, (int)(sizeof(known) / sizeof(*known)), "and there are no others");
}

static void test(server_t *server)
{
    test_copies(server);
    test_values(server);
    test_ends(server);
    test_grace(server);
    test_changes(server);
    test_logout(server);
    test_profile(server);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_fence(pool);
    test_crowd(pool);
    test_every_order(pool);
    test_statements();
    apr_pool_destroy(pool);
    return run_on_databases(test);
}
