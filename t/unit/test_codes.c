/* store/: codes, how often they may be guessed at, and what they allow. */

#include <apr_strings.h>

#include "base/clock.h"
#include "stored.h"
#include "tap.h"

static const account_window_t twenty_a_day = {20, DAY};

static account_code_state_e reset(const server_t *server, const account_code_t *code,
                                  const account_t *account)
{
    account_password_change_t change = {account, OTHER_HASH, NULL};
    account_redemption_t redemption = {.reset = &change};

    return redeem(server, code, &redemption);
}

/* Just consumes. */
static account_code_state_e use(const server_t *server, const account_code_t *code)
{
    account_redemption_t redemption = {NULL};

    return redeem(server, code, &redemption);
}

/* Of a target, of an account of that user name. */
static void test_codes(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "codes", NULL, NULL);
    account_session_t *session = make_session(server, account);
    account_code_t code = {.purpose = "reset", .target = "codes", .secret = "secret"};
    account_code_t wrong, other;
    int i;

    code.expires = NOW + 10 * MINUTE;
    account_session_begin(&server->store, session, account);
    is_int(check(server, &code), ACCOUNT_CODE_NONE, "%s: no code", name);
    is_int(use(server, &code), ACCOUNT_CODE_NONE, "%s: to redeem either", name);
    is_int(account_code_issue(&server->store, &code, NULL), APR_SUCCESS, "%s: a code", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: is right", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: as often as it is asked", name);
    wrong = code;
    wrong.secret = "sEcret";
    is_int(check(server, &wrong), ACCOUNT_CODE_WRONG, "%s: another is wrong", name);
    other = code;
    other.purpose = "answer";
    is_int(check(server, &other), ACCOUNT_CODE_NONE, "%s: not for another purpose", name);
    other = code;
    other.target = "codes2";
    is_int(check(server, &other), ACCOUNT_CODE_NONE, "%s: nor target", name);
    server->store.realm = "unit2";
    is_int(check(server, &code), ACCOUNT_CODE_NONE, "%s: nor realm", name);
    server->store.realm = "unit";
    other = code;
    other.bound = account->ref;
    is_int(check(server, &other), ACCOUNT_CODE_WRONG, "%s: nor for somebody", name);
    issue(server, &other);
    is_int(check(server, &other), ACCOUNT_CODE_RIGHT, "%s: one for somebody", name);
    is_int(check(server, &code), ACCOUNT_CODE_WRONG, "%s: is not for nobody", name);
    is_int(use(server, &code), ACCOUNT_CODE_WRONG, "%s: nor redeemed so", name);
    other.bound = "";
    issue(server, &code);
    is_int(check(server, &other), ACCOUNT_CODE_RIGHT, "%s: nobody is the empty text", name);

    for (i = 0; i < 10; i++) {
        reset(server, &wrong, account);
    }
    is_int(reset(server, &wrong, account), ACCOUNT_CODE_WRONG, "%s: wrong ones are not counted",
           name);
    is_str(again(server, account)->password, HASH, "%s: and change nothing", name);
    is_int(reset(server, &code, account), ACCOUNT_CODE_RIGHT, "%s: the right one", name);
    is_str(again(server, account)->password, OTHER_HASH, "%s: changes the password", name);
    ok(!lives(server, session->token), "%s: and ends the sessions", name);
    is_int(reset(server, &code, account), ACCOUNT_CODE_EXPIRED, "%s: once", name);
    is_int(check(server, &code), ACCOUNT_CODE_EXPIRED, "%s: for ever", name);
    issue(server, &code);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: a new one", name);
    server->store.now = code.expires - 1;
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: lasts", name);
    server->store.now = code.expires;
    is_int(reset(server, &code, account), ACCOUNT_CODE_EXPIRED, "%s: and ends", name);
    server->store.now = NOW;
}

/* No answer is not the right one. */
static void test_failure(server_t *server)
{
    account_code_t code = fresh_code(server, "failure");
    account_redemption_t redemption = {NULL};
    account_code_state_e state = ACCOUNT_CODE_RIGHT;
    account_store_t late = server->store;

    late.deadline = account_clock_monotonic() - 1;
    ok(account_code_redeem(&late, &code, &redemption, &state) != APR_SUCCESS,
       "%s: too late for an answer", server->name);
    ok(state != ACCOUNT_CODE_RIGHT, "%s: is not right", server->name);
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: and can be asked again", server->name);
}

static void test_tries(server_t *server)
{
    const char *name = server->name;
    account_code_t code = {"login", "tries", "123456", NOW + 10 * MINUTE, 5, NULL, {NULL, 0}};
    account_code_t guess = code;
    int i;

    issue(server, &code);
    guess.secret = "000000";
    for (i = 0; i < 5; i++) {
        is_int(use(server, &guess), ACCOUNT_CODE_WRONG, "%s: wrong guess %d", name, i + 1);
    }
    is_int(use(server, &guess), ACCOUNT_CODE_EXPIRED, "%s: there is no sixth", name);
    is_int(use(server, &code), ACCOUNT_CODE_EXPIRED, "%s: even the right one is dead", name);
    issue(server, &code);
    for (i = 0; i < 4; i++) {
        use(server, &guess);
    }
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: a new one has all its tries", name);
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: also the last", name);
    is_int(use(server, &code), ACCOUNT_CODE_EXPIRED, "%s: once", name);
}

/* Guesses that the quota has left, till it has none. */
static int guesses_left(const server_t *server, const account_quota_t *quota)
{
    account_quotas_t quotas = {quota, 1};
    account_shortage_t shortage = {-1, 0};
    int count = -1, i;

    while (shortage.quota < 0 && count < 100) {
        count++;
        if (account_limits_take(&server->store, quotas, &shortage) != APR_SUCCESS) {
            ok(0, "%s: cannot take", server->name);
            break;
        }
    }
    for (i = 0; i < count; i++) {
        account_limits_return(&server->store, quotas);
    }
    return count;
}

static void test_quota(server_t *server)
{
    const char *name = server->name;
    account_quota_t quota = {"code-target/quota", &twenty_a_day, 1};
    account_code_t code = {"login", "quota", "123456", NOW + 10 * MINUTE, 5, NULL, {&quota, 1}};
    account_code_t guess = code, other = code;
    account_redemption_t redemption = {NULL};
    int i;

    guess.secret = "000000";
    other.purpose = "reset";
    other.secret = "000000";
    is_int(use(server, &code), ACCOUNT_CODE_NONE, "%s: no code", name);
    is_int(guesses_left(server, &quota), 20, "%s: nothing was guessed at", name);
    issue(server, &code);
    is_int(use(server, &guess), ACCOUNT_CODE_WRONG, "%s: a wrong guess", name);
    is_int(guesses_left(server, &quota), 19, "%s: counts", name);
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: the right one", name);
    is_int(guesses_left(server, &quota), 19, "%s: does not", name);
    is_int(use(server, &guess), ACCOUNT_CODE_EXPIRED, "%s: one that was used", name);
    is_int(guesses_left(server, &quota), 19, "%s: nor does that", name);
    for (i = 0; i < 19; i++) {
        if (i % 5 == 0) {
            issue(server, &code);
        }
        use(server, &guess);
    }
    is_int(guesses_left(server, &quota), 0, "%s: it counts over all codes", name);
    issue(server, &code);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_EXHAUSTED, "%s: even the right one",
           name);
    ok(redemption.wait > 0 && redemption.wait <= DAY, "%s: has to wait", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: it was not used", name);
    is_int(use(server, &other), ACCOUNT_CODE_EXHAUSTED, "%s: for every purpose", name);
    other.quotas.count = 0;
    is_int(use(server, &other), ACCOUNT_CODE_NONE, "%s: who has no quota is not counted", name);
    code.expires = guess.expires = NOW + 2 * DAY;
    issue(server, &code);
    server->store.now = NOW + redemption.wait;
    is_int(redeem(server, &guess, &redemption), ACCOUNT_CODE_WRONG, "%s: not for ever", name);
    is_int(redemption.wait, 0, "%s: without waiting", name);
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: and the tries were not touched", name);
    server->store.now = NOW;
}

/* All of them, or none. */
static void test_quotas(server_t *server)
{
    static const account_window_t two_a_minute = {2, MINUTE};
    const char *name = server->name;
    account_quota_t quotas[] = {{"code-target/quotas", &twenty_a_day, 1},
                                {"code-address/quotas", &two_a_minute, 1}};
    account_code_t code = {"login", "quotas", "123456", NOW + DAY, 5, NULL, {quotas, 2}};
    account_code_t guess = code;
    account_redemption_t redemption = {NULL};

    guess.secret = "000000";
    issue(server, &code);
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: a right one of two quotas", name);
    is_int(guesses_left(server, &quotas[0]), 20, "%s: gives back the first", name);
    is_int(guesses_left(server, &quotas[1]), 2, "%s: and the second", name);
    issue(server, &code);
    use(server, &guess);
    is_int(use(server, &guess), ACCOUNT_CODE_WRONG, "%s: two wrong ones", name);
    is_int(guesses_left(server, &quotas[0]), 18, "%s: count for the first", name);
    is_int(guesses_left(server, &quotas[1]), 0, "%s: and for the second", name);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_EXHAUSTED, "%s: which has none left",
           name);
    ok(redemption.wait > 0 && redemption.wait <= MINUTE, "%s: its wait", name);
    is_int(guesses_left(server, &quotas[0]), 18, "%s: nothing is taken then", name);
    server->store.now = NOW + MINUTE;
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: till then", name);
    server->store.now = NOW;
}

static void test_create_by_code(server_t *server)
{
    const char *name = server->name;
    account_t fields = fields_of("bycode", NULL, "13800000400");
    account_also_t also = {NULL, NULL, messages_of(server, 1)};
    account_redemption_t redemption = {.create = &fields, .also = &also};
    account_code_t code = fresh_code(server, "13800000400"), guess = code;
    account_code_state_e state;
    account_session_t *session;

    account_session_make(&server->store, 0, &terms, &session);
    also.session = session;
    fields.mobile_verified = NOW;
    guess.secret = "000000";
    is_int(redeem(server, &guess, &redemption), ACCOUNT_CODE_WRONG, "%s: a wrong code", name);
    ok(find(server, "bycode") == NULL && redemption.account == NULL && sent(server) == 0,
       "%s: registers nobody", name);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: a right one", name);
    ok(redemption.account && find(server, "bycode")->id == redemption.account->id, "%s: registers",
       name);
    is_int(redemption.account->mobile_verified, NOW, "%s: verified", name);
    ok(lives(server, session->token) && sent(server) == 1, "%s: with all that", name);

    code = fresh_code(server, "13800000401");
    fields = fields_of("BYCODE", NULL, "13800000401");
    also.session = make_session(server, redemption.account);
    also.messages = messages_of(server, 1);
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), ACCOUNT_ECONFLICT,
           "%s: a name that is taken", name);
    is_int(redemption.taken, ACCOUNT_USER_NAME, "%s: is told", name);
    ok(redemption.account == NULL && find(server, "13800000401") == NULL && sent(server) == 0
           && !lives(server, also.session->token),
       "%s: nothing is stored", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: the code can still be used", name);
    fields = fields_of(" ", NULL, NULL);
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), APR_EINVAL,
           "%s: a name that is none", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: nor is it used by that", name);
    redemption.create = NULL;
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), APR_EINVAL,
           "%s: a session of nobody", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: begins not", name);
}

static void test_reset_by_code(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "resets", NULL, NULL);
    account_t gone = *account;
    account_session_t *old = make_session(server, account), *new = make_session(server, account);
    account_also_t also = {new, NULL, messages_of(server, 1)};
    account_also_t notice = {NULL, NULL, messages_of(server, 1)};
    account_password_change_t change = {account, OTHER_HASH, &notice};
    account_redemption_t redemption = {.reset = &change, .also = &also};
    account_code_t code = fresh_code(server, account->ref);

    account_session_begin(&server->store, old, account);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: a reset", name);
    is_str(redemption.account->password, OTHER_HASH, "%s: gives the account as it is then", name);
    ok(!lives(server, old->token) && lives(server, new->token), "%s: one session is left", name);
    is_int(sent(server), 2, "%s: both notices", name);
    code = fresh_code(server, account->ref);
    gone.id = 1000000;
    change.account = &gone;
    change.also = redemption.also = NULL;
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_EXPIRED, "%s: an account that is gone",
           name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: nothing happened", name);
}

/* A new password ends all that was given out to get one, and nothing of anybody else. */
static void test_secrets_end(server_t *server)
{
    static const struct {
        const char *purpose, *target; /* NULL: the account's ref */
        int ends;
    } secrets[] = {{"answer", NULL, 1},
                   {"link", NULL, 1},
                   {"activate", NULL, 0},
                   {"reset", "secrets@example.com", 1},
                   {"any", "secrets@example.com", 1},
                   {"login", "secrets@example.com", 0},
                   {"reset", "13800000450", 1},
                   {"any", "secrets", 1},
                   {"reset", "13800000451", 0},
                   {"any", "secrets2", 0}};
    const char *name = server->name;
    const account_t *account = create(server, "secrets", "Secrets@example.com", "13800000450");
    account_password_change_t change = {account, OTHER_HASH, NULL};
    account_code_t code = {.secret = "123456", .expires = NOW + DAY};
    int round, i, count = sizeof(secrets) / sizeof(*secrets), changed = 0;

    create(server, "secrets2", NULL, "13800000451");
    for (round = 0; round < 2; round++) {
        for (i = 0; i < count; i++) {
            code.purpose = secrets[i].purpose;
            code.target = secrets[i].target ? secrets[i].target : account->ref;
            issue(server, &code);
        }
        if (round == 0) {
            account_change_password(&server->store, &change, &changed);
            ok(changed, "%s: a change of the password", name);
        }
        else {
            account_code_t redeemed = fresh_code(server, "elsewhere");

            is_int(reset(server, &redeemed, account), ACCOUNT_CODE_RIGHT, "%s: a reset", name);
        }
        for (i = 0; i < count; i++) {
            code.purpose = secrets[i].purpose;
            code.target = secrets[i].target ? secrets[i].target : account->ref;
            is_int(check(server, &code),
                   secrets[i].ends ? ACCOUNT_CODE_EXPIRED : ACCOUNT_CODE_RIGHT, "%s: %s of %s",
                   name, code.purpose, secrets[i].target ? secrets[i].target : "the account");
        }
    }
    account_change_password(&server->store, &change, &changed);
    ok(!changed, "%s: no change", name);
    code.purpose = "reset";
    code.target = "13800000450";
    issue(server, &code);
    account_change_password(&server->store, &change, &changed);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: ends nothing", name);
}

static void test_disabled_meanwhile(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "shut", NULL, NULL);
    account_code_t code = fresh_code(server, "shut");
    int changed = 0;

    account_change_status(&server->store, account, ACCOUNT_DISABLED, NULL, &changed);
    is_int(reset(server, &code, account), ACCOUNT_CODE_EXPIRED, "%s: a closed account", name);
    is_str(again(server, account)->password, HASH, "%s: keeps its password", name);
    sql(server, "UPDATE account SET status = 'odd' WHERE user_name = 'shut'");
    is_int(reset(server, &code, account), ACCOUNT_CODE_EXPIRED, "%s: so does an odd one", name);
    sql(server, "UPDATE account SET status = 'pending' WHERE user_name = 'shut'");
    is_int(reset(server, &code, account), ACCOUNT_CODE_RIGHT, "%s: not one that waits", name);
}

static void test_attributes_by_code(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "dropped", NULL, "13800000460");
    account_profile_t profile = {account, NULL, "{\"a\":\"new\"}", NULL};
    account_password_change_t change = {account, OTHER_HASH, NULL};
    account_ownership_t own = {account, ACCOUNT_MOBILE, "13800000460"};
    account_redemption_t redemption = {.reset = &change, .own = &own, .profile = &profile};
    account_code_t code = fresh_code(server, "dropped");
    account_code_state_e state;

    sql(server, "UPDATE account SET attributes = '{\"x\":\"y\"}' WHERE user_name = 'dropped'");
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), ACCOUNT_EROLLBACK,
           "%s: attributes that are others by now", name);
    is_str(again(server, account)->password, HASH, "%s: nothing is stored", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: nor used", name);
    profile.account = again(server, account);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: as they are", name);
    is_str(redemption.account->attributes, "{\"a\":\"new\"}", "%s: they change", name);
    is_str(redemption.account->password, OTHER_HASH, "%s: with the rest", name);
    is_int(redemption.account->mobile_verified, NOW, "%s: all of it", name);
    profile.account = redemption.account;
    profile.attributes = NULL;
    code = fresh_code(server, "dropped");
    redemption.reset = NULL;
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: none to change", name);
    is_str(redemption.account->attributes, "{\"a\":\"new\"}", "%s: they stay", name);
}

static void test_begin_by_code(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "begins", NULL, "13800000500");
    account_also_t also = {make_session(server, account), NULL, NULL};
    account_redemption_t redemption = {.begin = account, .also = &also};
    account_code_t code = fresh_code(server, "13800000500");
    account_code_state_e state;
    int changed;

    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: a login by code", name);
    ok(lives(server, also.session->token) && redemption.account->id == account->id, "%s: begins",
       name);
    also.session = make_session(server, account);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_EXPIRED, "%s: once", name);
    ok(!lives(server, also.session->token), "%s: not twice", name);
    code = fresh_code(server, "13800000500");
    account_change_status(&server->store, account, ACCOUNT_DISABLED, NULL, &changed);
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), ACCOUNT_EROLLBACK,
           "%s: who was disabled meanwhile", name);
    ok(redemption.account == NULL && !lives(server, also.session->token), "%s: does not begin",
       name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: and can look again", name);
    sql(server, "UPDATE account SET status = 'active', password = 'x' WHERE user_name = 'begins'");
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), ACCOUNT_EROLLBACK,
           "%s: so can who has another password", name);
    redemption.begin = again(server, account);
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: and then begins", name);
}

static void *race_reset(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_password_change_t change = {entrant->account, OTHER_HASH, NULL};
    account_also_t also = {NULL, NULL, NULL};
    account_redemption_t redemption = {.reset = &change, .also = &also};
    account_session_t *session;

    account_session_make(&store, 0, &terms, &session);
    also.session = session;
    entrant->status = account_code_redeem(&store, entrant->code, &redemption, &entrant->state);
    apr_pool_destroy(store.pool);
    return NULL;
}

static void *race_guess(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_code_t guess = *entrant->code;
    account_redemption_t redemption = {NULL};

    guess.secret = apr_psprintf(store.pool, "%06d", entrant->number);
    entrant->status = account_code_redeem(&store, &guess, &redemption, &entrant->state);
    apr_pool_destroy(store.pool);
    return NULL;
}

/* Each has a right code for an address of its own, and all want the same user name. */
static void *race_create(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_t fields = fields_of("raced", NULL, NULL);
    account_redemption_t redemption = {.create = &fields};
    account_code_t code = *entrant->code;

    code.target = apr_psprintf(store.pool, "race%d", entrant->number);
    entrant->status = account_code_issue(&store, &code, NULL);
    if (entrant->status == APR_SUCCESS) {
        entrant->status = account_code_redeem(&store, &code, &redemption, &entrant->state);
    }
    if (entrant->status == ACCOUNT_ECONFLICT && redemption.taken == ACCOUNT_USER_NAME) {
        entrant->status = APR_SUCCESS;
        entrant->state = ACCOUNT_CODE_EXPIRED;
    }
    apr_pool_destroy(store.pool);
    return NULL;
}

static void *race_issue(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);

    entrant->status = account_code_issue(&store, entrant->code, NULL);
    apr_pool_destroy(store.pool);
    return NULL;
}

/* Each has one of two right codes for one account, and each of these ends the other. */
static void *race_two(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_password_change_t change = {entrant->account, OTHER_HASH, NULL};
    account_redemption_t redemption = {.reset = &change};
    account_code_t code = *entrant->code;

    code.purpose = entrant->number % 2 ? "reset" : "any";
    entrant->status = account_code_redeem(&store, &code, &redemption, &entrant->state);
    apr_pool_destroy(store.pool);
    return NULL;
}

static void test_races(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "races", NULL, NULL);
    account_quota_t quota = {"code-target/races", &twenty_a_day, 1};
    account_code_t code = {"login", "races", "999999", NOW + DAY, 5, NULL, {NULL, 0}};
    entrant_t one = {server, account, &code, 0, APR_SUCCESS, ACCOUNT_CODE_NONE};
    int i, wrong = 0;

    run_race(&one, 16, race_issue, ACCOUNT_CODE_NONE);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: a code for one target, by all", name);
    is_int(run_race(&one, 100, race_reset, ACCOUNT_CODE_RIGHT), 1, "%s: a right code: one winner",
           name);
    code.tries = 0;
    issue(server, &code);
    is_int(run_race(&one, 100, race_reset, ACCOUNT_CODE_RIGHT), 1, "%s: an uncounted one too",
           name);
    code.tries = 5;
    issue(server, &code);
    is_int(run_race(&one, MANY, race_guess, ACCOUNT_CODE_WRONG), 5, "%s: five guesses", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: at a code that was right", name);
    is_int(use(server, &code), ACCOUNT_CODE_EXPIRED, "%s: and is dead", name);

    code.quotas = (account_quotas_t){&quota, 1};
    issue(server, &code);
    is_int(run_race(&one, 50, race_reset, ACCOUNT_CODE_RIGHT), 1, "%s: one winner with a quota",
           name);
    is_int(guesses_left(server, &quota), 20, "%s: which keeps it all", name);
    for (i = 0; i < 5; i++) {
        issue(server, &code);
        wrong += run_race(&one, 30, race_guess, ACCOUNT_CODE_WRONG);
    }
    is_int(wrong, 20, "%s: guesses at five codes are as many as the quota", name);
    code.quotas.count = 0;

    for (i = 0; i < 5; i++) {
        code.purpose = "reset";
        issue(server, &code);
        code.purpose = "any";
        issue(server, &code);
        is_int(run_race(&one, 20, race_two, ACCOUNT_CODE_RIGHT), 1, "%s: two codes, one winner",
               name);
    }
    is_int(run_race(&one, 16, race_create, ACCOUNT_CODE_RIGHT), 1, "%s: one name, many codes",
           name);
}

static void test_server(server_t *server)
{
    test_codes(server);
    test_failure(server);
    test_tries(server);
    test_quota(server);
    test_quotas(server);
    test_create_by_code(server);
    test_reset_by_code(server);
    test_secrets_end(server);
    test_disabled_meanwhile(server);
    test_attributes_by_code(server);
    test_begin_by_code(server);
    test_races(server);
}

int main(void)
{
    return run_on_databases(test_server);
}
