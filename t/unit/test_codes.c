/* store/: codes and what they allow, whose an address is, what is stored along; on SQLite, and on
 * MySQL where ACCOUNT_TEST_MYSQL has the parameters of a database for tests, whose tables of ours
 * are dropped first. */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store/codes.h"
#include "store/messages.h"
#include "stored.h"
#include "tap.h"

#define MANY 200
#define DAY (24 * 60 * MINUTE)

static const account_window_t twenty_a_day = {20, DAY};

static account_code_state_e check(const server_t *server, const account_code_t *code)
{
    account_code_state_e state = ACCOUNT_CODE_RIGHT;

    if (account_code_check(&server->store, code, &state) != APR_SUCCESS) {
        ok(0, "%s: cannot check", server->name);
    }
    return state;
}

static void issue(const server_t *server, const account_code_t *code)
{
    if (account_code_issue(&server->store, code, NULL) != APR_SUCCESS) {
        ok(0, "%s: cannot issue", server->name);
    }
}

static account_code_state_e redeem(const server_t *server, const account_code_t *code,
                                   account_redemption_t *redemption)
{
    account_code_state_e state = ACCOUNT_CODE_RIGHT;

    if (account_code_redeem(&server->store, code, redemption, &state) != APR_SUCCESS) {
        ok(0, "%s: cannot redeem", server->name);
    }
    return state;
}

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

static apr_array_header_t *messages_of(const server_t *server, int count)
{
    apr_pool_t *pool = server->store.pool;
    apr_array_header_t *messages = apr_array_make(pool, count, sizeof(account_message_t *));

    while (count-- > 0) {
        account_message_t *message = apr_pcalloc(pool, sizeof(*message));

        account_random_hex(&message->ref, server->store.random, pool);
        message->channel = ACCOUNT_MAIL;
        message->recipient = "a@example.com";
        message->name = "notice";
        message->content = "{\"text\": \"it happened\"}";
        message->expires = NOW + DAY;
        APR_ARRAY_PUSH(messages, account_message_t *) = message;
    }
    return messages;
}

/* How many are in the outbox; they are out of it then. */
static int sent(const server_t *server)
{
    account_claim_t claim = {ACCOUNT_MAIL, 100, MINUTE};
    apr_array_header_t *messages = NULL;
    int i;

    if (account_messages_claim(&server->store, &claim, &messages) != APR_SUCCESS) {
        ok(0, "%s: cannot look into the outbox", server->name);
        return -1;
    }
    for (i = 0; i < messages->nelts; i++) {
        account_message_end(&server->store, APR_ARRAY_IDX(messages, i, account_message_t *),
                            ACCOUNT_DELIVERED, 0);
    }
    return messages->nelts;
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

static void test_tries(server_t *server)
{
    const char *name = server->name;
    account_code_t code = {"login", "tries", "123456", NOW + 10 * MINUTE, 5, NULL, NULL};
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
    account_code_t code = {"login", "quota", "123456", NOW + 10 * MINUTE, 5, NULL, &quota};
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
    other.quota = NULL;
    is_int(use(server, &other), ACCOUNT_CODE_NONE, "%s: who has no quota is not counted", name);
    code.expires = guess.expires = NOW + 2 * DAY;
    issue(server, &code);
    server->store.now = NOW + redemption.wait;
    is_int(redeem(server, &guess, &redemption), ACCOUNT_CODE_WRONG, "%s: not for ever", name);
    is_int(redemption.wait, 0, "%s: without waiting", name);
    is_int(use(server, &code), ACCOUNT_CODE_RIGHT, "%s: and the tries were not touched", name);
    server->store.now = NOW;
}

/* Of an account, without its session. */
static const account_holder_t *holder_of(const server_t *server, const char *canonical)
{
    const account_holder_t *holder = NULL;

    if (account_find_holder(&server->store, canonical, &holder) != APR_SUCCESS) {
        ok(0, "%s: cannot look for a holder", server->name);
    }
    return holder;
}

static void test_holders(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "holder", "Holder@example.com", NULL);
    const account_holder_t *holder = holder_of(server, "holder@example.com");

    ok(holder && holder->account->id == account->id, "%s: a holder", name);
    is_int(holder->kind, ACCOUNT_EMAIL, "%s: of an address", name);
    is_int(holder->verified, 0, "%s: not verified", name);
    is_int(holder->is_only, 1, "%s: the only one", name);
    holder = holder_of(server, "holder");
    is_int(holder->kind, ACCOUNT_USER_NAME, "%s: of a name", name);
    is_int(holder->is_only, 0, "%s: which is no address", name);
    ok(holder_of(server, "holder2") == NULL, "%s: nobody", name);
    ok(holder_of(server, NULL) == NULL, "%s: nothing", name);
    server->store.realm = "unit2";
    ok(holder_of(server, "holder") == NULL, "%s: not in another realm", name);
    server->store.realm = "unit";
    sql(server, "UPDATE account_identifier SET verified = 7 WHERE value = 'holder@example.com'");
    holder = holder_of(server, "holder@example.com");
    is_int(holder->verified, 7, "%s: verified", name);
    is_int(holder->is_only, 0, "%s: so it need not be the only one", name);
    sql(server, "UPDATE account_identifier SET verified = 0 WHERE value = 'holder@example.com'");
    sql(server, "UPDATE account SET mobile_verified = 7 WHERE user_name = 'holder'");
    is_int(holder_of(server, "holder@example.com")->is_only, 0, "%s: who verified one before",
           name);

    create(server, NULL, "two@example.com", "13800000200");
    is_int(holder_of(server, "two@example.com")->is_only, 0, "%s: one of two", name);
    is_int(holder_of(server, "13800000200")->is_only, 0, "%s: and the other", name);
    create(server, "shape@example.com", NULL, NULL);
    holder = holder_of(server, "shape@example.com");
    is_int(holder->kind, ACCOUNT_USER_NAME, "%s: a name with the shape of an address", name);
    is_int(holder->is_only, 1, "%s: is one", name);
    create(server, "13800000201", "three@example.com", NULL);
    is_int(holder_of(server, "three@example.com")->is_only, 0, "%s: and counts as one", name);
}

/* What creates an account with a proven address. */
static void test_displacement(server_t *server)
{
    const char *name = server->name;
    const account_t *squatter = create(server, "squatter", "Victim@example.com", "13800000300");
    const account_t *shaped = create(server, "name@example.com", "Name@example.com", NULL);
    const account_t *owner = NULL, *other = NULL;
    account_t fields = fields_of("owner", "victim@Example.com", NULL);
    account_kind_e taken = ACCOUNT_KINDS;

    is_int(account_create(&server->store, &fields, NULL, &owner, &taken), ACCOUNT_ECONFLICT,
           "%s: an address that is another's", name);
    fields.mobile_verified = NOW;
    is_int(account_create(&server->store, &fields, NULL, &owner, &taken), ACCOUNT_ECONFLICT,
           "%s: whatever else is proven", name);
    fields.mobile_verified = 0;
    fields.email_verified = NOW - 3;
    server->store.now = NOW + 5;
    is_int(account_create(&server->store, &fields, NULL, &owner, &taken), APR_SUCCESS,
           "%s: is had by who proves it", name);
    is_int(find(server, "victim@example.com")->id, owner->id, "%s: finds the owner", name);
    is_int(holder_of(server, "victim@example.com")->verified, NOW - 3, "%s: verified", name);
    other = again(server, squatter);
    ok(other->identifiers[ACCOUNT_EMAIL] == NULL, "%s: the other shows it no longer", name);
    is_int(other->updated, NOW + 5, "%s: since now", name);
    is_str(other->identifiers[ACCOUNT_USER_NAME], "squatter", "%s: but the rest", name);
    is_str(other->identifiers[ACCOUNT_MOBILE], "13800000300", "%s: all of it", name);
    is_int(find(server, "squatter")->id, squatter->id, "%s: and is found by that", name);
    server->store.now = NOW;

    fields = fields_of("second", "VICTIM@example.com", NULL);
    fields.email_verified = NOW;
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), ACCOUNT_ECONFLICT,
           "%s: a verified holder stays", name);
    is_int(taken, ACCOUNT_EMAIL, "%s: which is told", name);
    ok(find(server, "second") == NULL, "%s: nothing is claimed", name);

    fields = fields_of("squatter", "name@example.com", NULL);
    fields.email_verified = NOW;
    is_int(account_create(&server->store, &fields, NULL, &other, &taken), ACCOUNT_ECONFLICT,
           "%s: a name that is another's", name);
    is_int(taken, ACCOUNT_USER_NAME, "%s: is no address", name);
    is_int(find(server, "name@example.com")->id, shaped->id, "%s: nobody is displaced then", name);
    fields.identifiers[ACCOUNT_USER_NAME] = NULL;
    is_int(account_create(&server->store, &fields, NULL, &owner, &taken), APR_SUCCESS,
           "%s: a name of an address' shape is displaced too", name);
    other = again(server, shaped);
    ok(other->identifiers[ACCOUNT_USER_NAME] == NULL && other->identifiers[ACCOUNT_EMAIL] == NULL,
       "%s: wherever it was shown", name);

    fields = fields_of("Same@example.com", "same@example.com", NULL);
    fields.email_verified = NOW;
    account_create(&server->store, &fields, NULL, &owner, &taken);
    is_int(holder_of(server, "same@example.com")->verified, NOW,
           "%s: name and address are one, and verified", name);
    fields = fields_of(NULL, NULL, "+8613800000300");
    fields.mobile_verified = NOW;
    is_int(account_create(&server->store, &fields, NULL, &owner, &taken), APR_SUCCESS,
           "%s: a number", name);
    ok(again(server, squatter)->identifiers[ACCOUNT_MOBILE] == NULL, "%s: goes like an address",
       name);
}

static void test_also(server_t *server)
{
    const char *name = server->name;
    account_t fields = fields_of("also", "also@example.com", NULL);
    account_code_t code = {"activate", "also", "token", NOW + DAY, 0, NULL, NULL};
    account_also_t also = {NULL, &code, messages_of(server, 2)};
    account_profile_t profile = {NULL, "also2@example.com", NULL, NULL};
    account_password_change_t change = {NULL, OTHER_HASH, NULL};
    account_session_t *session;
    const account_t *account = NULL, *updated;
    account_kind_e taken;
    int changed = -1;

    account_session_make(&server->store, 0, &terms, &session);
    also.session = session;
    sent(server);
    is_int(account_create(&server->store, &fields, &also, &account, &taken), APR_SUCCESS,
           "%s: an account with all that", name);
    ok(lives(server, session->token), "%s: its session", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: its code", name);
    is_int(sent(server), 2, "%s: its messages", name);

    account_session_make(&server->store, 0, &terms, &session);
    also.session = session;
    also.messages = messages_of(server, 1);
    code.target = "also-not";
    is_int(account_create(&server->store, &fields, &also, &account, &taken), ACCOUNT_ECONFLICT,
           "%s: it is taken", name);
    ok(!lives(server, session->token) && check(server, &code) == ACCOUNT_CODE_NONE
           && sent(server) == 0,
       "%s: nothing is stored of it", name);

    code.target = "also-profile";
    profile.account = account;
    profile.also = &also;
    also.session = NULL;
    account_update_profile(&server->store, &profile, &updated, &changed);
    ok(changed && check(server, &code) == ACCOUNT_CODE_RIGHT && sent(server) == 1,
       "%s: with a profile", name);
    also.messages = messages_of(server, 1);
    account_update_profile(&server->store, &profile, &updated, &changed);
    ok(!changed && sent(server) == 0, "%s: which was changed meanwhile", name);

    change.account = account;
    change.also = &also;
    account_change_password(&server->store, &change, &changed);
    ok(changed && sent(server) == 1, "%s: with a password", name);
    also.messages = messages_of(server, 1);
    account_change_password(&server->store, &change, &changed);
    ok(!changed && sent(server) == 0, "%s: which was another meanwhile", name);

    code.target = "also-issued";
    is_int(account_code_issue(&server->store, &code, messages_of(server, 3)), APR_SUCCESS,
           "%s: a code with messages", name);
    is_int(sent(server), 3, "%s: all of them", name);
}

static void test_standing(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "standing", NULL, NULL), *now;
    account_also_t also = {NULL, NULL, messages_of(server, 1)};
    account_session_t *session = make_session(server, account);
    int changed = -1;

    account_session_begin(&server->store, session, account);
    server->store.now = NOW + 7;
    is_int(account_change_role(&server->store, account, "admin", &changed), APR_SUCCESS,
           "%s: a role", name);
    now = again(server, account);
    ok(changed && !strcmp(now->role, "admin"), "%s: is given", name);
    is_int(now->updated, NOW + 7, "%s: now", name);
    account_change_role(&server->store, account, "creator", &changed);
    ok(!changed && !strcmp(again(server, account)->role, "admin"),
       "%s: not where it was another meanwhile", name);
    ok(lives(server, session->token), "%s: sessions stay", name);

    server->store.now = NOW + 8;
    is_int(account_change_status(&server->store, now, ACCOUNT_DISABLED, &also, &changed),
           APR_SUCCESS, "%s: disable", name);
    now = again(server, account);
    ok(changed && now->status == ACCOUNT_DISABLED && now->updated == NOW + 8, "%s: is done", name);
    is_int(sent(server), 1, "%s: and told", name);
    also.messages = messages_of(server, 1);
    account_change_status(&server->store, account, ACCOUNT_DISABLED, &also, &changed);
    ok(!changed && sent(server) == 0, "%s: once", name);
    account_change_status(&server->store, now, ACCOUNT_ACTIVE, NULL, &changed);
    ok(changed && again(server, account)->status == ACCOUNT_ACTIVE, "%s: and back", name);
    ok(!lives(server, session->token), "%s: the sessions ended", name);
    sql(server, "UPDATE account SET status = 'odd' WHERE user_name = 'standing'");
    account_change_status(&server->store, again(server, account), ACCOUNT_ACTIVE, NULL, &changed);
    ok(changed && again(server, account)->status == ACCOUNT_ACTIVE,
       "%s: what means nothing is disabled", name);
    server->store.now = NOW;
}

static account_code_t fresh_code(const server_t *server, const char *target)
{
    account_code_t code = {"any", target, "123456", NOW + 10 * MINUTE, 5, NULL, NULL};

    issue(server, &code);
    return code;
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

static void test_ownership(server_t *server)
{
    const char *name = server->name;
    const account_t *squatter = create(server, "own2", "mine@example.com", "13800000602");
    const account_t *account, *now;
    account_t fields = fields_of("own", "Own@example.com", "13800000600");
    account_ownership_t own = {NULL, ACCOUNT_EMAIL, "own@EXAMPLE.com"};
    account_redemption_t redemption = {.own = &own};
    account_code_t code = fresh_code(server, "own");
    account_code_state_e state;
    account_kind_e taken;

    fields.status = ACCOUNT_PENDING;
    account_create(&server->store, &fields, NULL, &account, &taken);
    own.account = account;
    server->store.now = NOW + 9;
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: an address", name);
    now = redemption.account;
    is_int(now->status, ACCOUNT_ACTIVE, "%s: activates", name);
    is_int(now->email_verified, NOW + 9, "%s: is verified", name);
    is_int(now->updated, NOW + 9, "%s: now", name);
    is_int(holder_of(server, "own@example.com")->verified, NOW + 9, "%s: as an identifier too",
           name);
    is_str(now->identifiers[ACCOUNT_EMAIL], "Own@example.com", "%s: shown as it was", name);
    is_int(now->mobile_verified, 0, "%s: the number is not", name);

    code = fresh_code(server, "own");
    own.address = "Mine@example.com";
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: what another only claimed",
           name);
    now = redemption.account;
    is_str(now->identifiers[ACCOUNT_EMAIL], "Mine@example.com", "%s: is the owner's", name);
    is_int(find(server, "mine@example.com")->id, account->id, "%s: finds him", name);
    ok(again(server, squatter)->identifiers[ACCOUNT_EMAIL] == NULL, "%s: and not the other", name);
    ok(find(server, "own@example.com") == NULL, "%s: the earlier one logs in no longer", name);
    is_int(find(server, "13800000600")->id, account->id, "%s: the number does", name);

    code = fresh_code(server, "own");
    own.account = squatter;
    own.address = "mine@example.com";
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), ACCOUNT_ECONFLICT,
           "%s: what another verified", name);
    is_int(redemption.taken, ACCOUNT_EMAIL, "%s: is his", name);
    is_int(again(server, squatter)->email_verified, 0, "%s: nothing is stored", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: nor used", name);
    own.address = " ";
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), APR_EINVAL,
           "%s: nothing to own", name);
    own.kind = ACCOUNT_USER_NAME;
    own.address = "own3";
    is_int(account_code_redeem(&server->store, &code, &redemption, &state), APR_EINVAL,
           "%s: a name proves nothing", name);
    own.kind = ACCOUNT_MOBILE;
    own.address = "13800000601";
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: a new number", name);
    now = redemption.account;
    is_str(now->identifiers[ACCOUNT_MOBILE], "13800000601", "%s: is shown", name);
    is_int(now->mobile_verified, NOW + 9, "%s: verified", name);
    ok(find(server, "13800000602") == NULL, "%s: the old one logs in no longer", name);

    fields = fields_of("13800000603", NULL, NULL);
    account_create(&server->store, &fields, NULL, &account, &taken);
    own.account = account;
    own.address = "13800000603";
    code = fresh_code(server, "own");
    redeem(server, &code, &redemption);
    is_int(holder_of(server, "13800000603")->verified, NOW + 9, "%s: the user name is verified",
           name);
    is_str(redemption.account->identifiers[ACCOUNT_MOBILE], "13800000603", "%s: as a number", name);
    own.address = "13800000604";
    code = fresh_code(server, "own");
    redeem(server, &code, &redemption);
    is_int(holder_of(server, "13800000603")->verified, 0,
           "%s: with another number it proves nothing", name);
    is_int(find(server, "13800000603")->id, account->id, "%s: but is the user name", name);
    fields.id = 1000000;
    own.account = &fields;
    code = fresh_code(server, "own");
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_EXPIRED, "%s: an account that is gone",
           name);
    server->store.now = NOW;
}

/* Many at once. */
typedef struct racer_t {
    server_t *server;
    const account_t *account;
    const account_code_t *code;
    int number;
    apr_status_t status;
    account_code_state_e state;
} racer_t;

static account_store_t store_of(const racer_t *racer)
{
    account_store_t store = racer->server->store;

    apr_pool_create(&store.pool, NULL);
    store.deadline = account_clock_monotonic() + apr_time_from_sec(120);
    return store;
}

static void *race_reset(void *data)
{
    racer_t *racer = data;
    account_store_t store = store_of(racer);
    account_password_change_t change = {racer->account, OTHER_HASH, NULL};
    account_also_t also = {NULL, NULL, NULL};
    account_redemption_t redemption = {.reset = &change, .also = &also};
    account_session_t *session;

    account_session_make(&store, 0, &terms, &session);
    also.session = session;
    racer->status = account_code_redeem(&store, racer->code, &redemption, &racer->state);
    apr_pool_destroy(store.pool);
    return NULL;
}

static void *race_guess(void *data)
{
    racer_t *racer = data;
    account_store_t store = store_of(racer);
    account_code_t guess = *racer->code;
    account_redemption_t redemption = {NULL};

    guess.secret = apr_psprintf(store.pool, "%06d", racer->number);
    racer->status = account_code_redeem(&store, &guess, &redemption, &racer->state);
    apr_pool_destroy(store.pool);
    return NULL;
}

/* Each has a right code for an address of its own, and all want the same user name. */
static void *race_create(void *data)
{
    racer_t *racer = data;
    account_store_t store = store_of(racer);
    account_t fields = fields_of("raced", NULL, NULL);
    account_redemption_t redemption = {.create = &fields};
    account_code_t code = *racer->code;

    code.target = apr_psprintf(store.pool, "race%d", racer->number);
    racer->status = account_code_issue(&store, &code, NULL);
    if (racer->status == APR_SUCCESS) {
        racer->status = account_code_redeem(&store, &code, &redemption, &racer->state);
    }
    if (racer->status == ACCOUNT_ECONFLICT && redemption.taken == ACCOUNT_USER_NAME) {
        racer->status = APR_SUCCESS;
        racer->state = ACCOUNT_CODE_EXPIRED;
    }
    apr_pool_destroy(store.pool);
    return NULL;
}

/* All have proven one address, each for an account of its own. */
static void *race_displace(void *data)
{
    racer_t *racer = data;
    account_store_t store = store_of(racer);
    account_t fields = fields_of(NULL, "displaced@example.com", NULL);
    const account_t *created;
    account_kind_e taken = ACCOUNT_KINDS;

    fields.email_verified = NOW;
    racer->status = account_create(&store, &fields, NULL, &created, &taken);
    racer->state = racer->status == APR_SUCCESS ? ACCOUNT_CODE_RIGHT : ACCOUNT_CODE_EXPIRED;
    if (racer->status == ACCOUNT_ECONFLICT && taken == ACCOUNT_EMAIL) {
        racer->status = APR_SUCCESS;
    }
    apr_pool_destroy(store.pool);
    return NULL;
}

static void *race_issue(void *data)
{
    racer_t *racer = data;
    account_store_t store = store_of(racer);

    racer->status = account_code_issue(&store, racer->code, NULL);
    apr_pool_destroy(store.pool);
    return NULL;
}

/* How many ended in the state. */
static int race(const racer_t *one, int count, void *(*fn)(void *), account_code_state_e state)
{
    pthread_t thread[MANY];
    racer_t racer[MANY];
    int i, failed = 0, found = 0;

    for (i = 0; i < count; i++) {
        racer[i] = *one;
        racer[i].number = i;
        pthread_create(&thread[i], NULL, fn, &racer[i]);
    }
    for (i = 0; i < count; i++) {
        pthread_join(thread[i], NULL);
        failed += racer[i].status != APR_SUCCESS;
        found += racer[i].status == APR_SUCCESS && racer[i].state == state;
    }
    is_int(failed, 0, "%s: %d at once, no failure", one->server->name, count);
    return found;
}

static void test_races(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "races", NULL, NULL);
    account_quota_t quota = {"code-target/races", &twenty_a_day, 1};
    account_code_t code = {"login", "races", "999999", NOW + DAY, 5, NULL, NULL};
    racer_t one = {server, account, &code, 0, APR_SUCCESS, ACCOUNT_CODE_NONE};
    int i, wrong = 0;

    race(&one, 16, race_issue, ACCOUNT_CODE_NONE);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: a code for one target, by all", name);
    is_int(race(&one, 100, race_reset, ACCOUNT_CODE_RIGHT), 1, "%s: a right code: one winner",
           name);
    code.tries = 0;
    issue(server, &code);
    is_int(race(&one, 100, race_reset, ACCOUNT_CODE_RIGHT), 1, "%s: an uncounted one too", name);
    code.tries = 5;
    issue(server, &code);
    is_int(race(&one, MANY, race_guess, ACCOUNT_CODE_WRONG), 5, "%s: five guesses", name);
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: at a code that was right", name);
    is_int(use(server, &code), ACCOUNT_CODE_EXPIRED, "%s: and is dead", name);

    code.quota = &quota;
    issue(server, &code);
    is_int(race(&one, 50, race_reset, ACCOUNT_CODE_RIGHT), 1, "%s: one winner with a quota", name);
    is_int(guesses_left(server, &quota), 20, "%s: which keeps it all", name);
    for (i = 0; i < 5; i++) {
        issue(server, &code);
        wrong += race(&one, 30, race_guess, ACCOUNT_CODE_WRONG);
    }
    is_int(wrong, 20, "%s: guesses at five codes are as many as the quota", name);
    code.quota = NULL;

    is_int(race(&one, 16, race_create, ACCOUNT_CODE_RIGHT), 1, "%s: one name, many codes", name);
    create(server, "displaced", "displaced@example.com", NULL);
    is_int(race(&one, 16, race_displace, ACCOUNT_CODE_RIGHT), 1, "%s: one address, many owners",
           name);
    ok(find(server, "displaced")->identifiers[ACCOUNT_EMAIL] == NULL, "%s: one displaced", name);
}

static void test_store(const char *driver, const char *params, apr_pool_t *pool)
{
    server_t *server = server_make(driver, params, KEY_A, pool);

    is_int(server_start(server), APR_SUCCESS, "%s: start", driver);
    test_codes(server);
    test_tries(server);
    test_quota(server);
    test_holders(server);
    test_displacement(server);
    test_also(server);
    test_standing(server);
    test_create_by_code(server);
    test_reset_by_code(server);
    test_begin_by_code(server);
    test_ownership(server);
    test_races(server);
    server_stop(server);
}

int main(void)
{
    static const char *const files[] = {"a.db", "a.db-wal", "a.db-shm"};
    char directory[] = "/tmp/test_codes.XXXXXX";
    const char *params = getenv("ACCOUNT_TEST_MYSQL");
    apr_pool_t *pool;
    size_t i;

    signal(SIGPIPE, SIG_IGN);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(mkdtemp(directory) != NULL, "a directory");
    test_store("sqlite3", apr_pstrcat(pool, directory, "/a.db", NULL), pool);
    if (params != NULL && *params != '\0') {
        drop_tables("mysql", params, pool);
        test_store("mysql", params, pool);
    }
    else {
        diag("ACCOUNT_TEST_MYSQL is not set: not tested on MySQL");
    }
    if (chdir(directory) == 0) {
        for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
            unlink(files[i]);
        }
        ok(rmdir(directory) == 0, "nothing else was left behind");
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
