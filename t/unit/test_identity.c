/* store/: whose an address is, what is stored along with an account, its role and status. */

#include <apr_pools.h>

#include "stored.h"
#include "tap.h"

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
    is_int(holder->is_first, 1, "%s: what it began with", name);
    holder = holder_of(server, "holder");
    is_int(holder->kind, ACCOUNT_USER_NAME, "%s: of a name", name);
    is_int(holder->is_first, 0, "%s: which is no address", name);
    ok(holder_of(server, "holder2") == NULL, "%s: nobody", name);
    ok(holder_of(server, NULL) == NULL, "%s: nothing", name);
    server->store.realm = "unit2";
    ok(holder_of(server, "holder") == NULL, "%s: not in another realm", name);
    server->store.realm = "unit";
    sql(server, "UPDATE account_identifier SET verified = 7 WHERE value = 'holder@example.com'");
    holder = holder_of(server, "holder@example.com");
    is_int(holder->verified, 7, "%s: verified", name);
    is_int(holder->is_first, 0, "%s: so it need not be the first", name);
    sql(server, "UPDATE account_identifier SET verified = 0 WHERE value = 'holder@example.com'");
    sql(server, "UPDATE account SET mobile_verified = 7 WHERE user_name = 'holder'");
    is_int(holder_of(server, "holder@example.com")->is_first, 0, "%s: who verified one before",
           name);

    create(server, NULL, "two@example.com", "13800000200");
    is_int(holder_of(server, "two@example.com")->is_first, 1, "%s: one of two", name);
    is_int(holder_of(server, "13800000200")->is_first, 1, "%s: and the other", name);
    create(server, "shape@example.com", NULL, NULL);
    holder = holder_of(server, "shape@example.com");
    is_int(holder->kind, ACCOUNT_USER_NAME, "%s: a name with the shape of an address", name);
    is_int(holder->is_first, 1, "%s: is one", name);
    create(server, "13800000201", "three@example.com", NULL);
    is_int(holder_of(server, "three@example.com")->is_first, 1, "%s: which another goes before",
           name);
    is_int(holder_of(server, "13800000201")->is_first, 0, "%s: it is none then", name);
}

/* Changes the e-mail address; confirm: with a token that goes there. */
static const account_t *move(server_t *server, const account_t *account, const char *email,
                             int confirm)
{
    account_code_t code = {"activate", account->ref, "token", NOW + DAY, 0, email, {NULL, 0}};
    account_also_t also = {NULL, confirm ? &code : NULL, NULL};
    account_profile_t profile = {account, email, NULL, &also};
    const account_t *updated = NULL;
    int changed = 0;

    server->store.now++;
    account_update_profile(&server->store, &profile, &updated, &changed);
    ok(changed, "%s: to %s", server->name, email);
    return updated;
}

/* What was added by a session is not what recovery goes to. */
static void test_first(server_t *server)
{
    const char *name = server->name;
    const account_t *account = create(server, "first", "first1@example.com", NULL), *shaped;
    account_ownership_t own = {account, ACCOUNT_EMAIL, "first3@example.com"};
    account_redemption_t redemption = {.own = &own};
    account_code_t code;

    account = move(server, account, "first2@example.com", 1);
    is_str(account->identifiers[ACCOUNT_EMAIL], "first2@example.com", "%s: is shown", name);
    is_int(holder_of(server, "first1@example.com")->is_first, 1, "%s: the first stays", name);
    is_int(holder_of(server, "first2@example.com")->is_first, 0, "%s: the next is not it", name);
    account = move(server, account, "first3@example.com", 1);
    ok(find(server, "first2@example.com") == NULL, "%s: the middle one is free", name);
    is_int(holder_of(server, "first1@example.com")->is_first, 1, "%s: the first stays still", name);
    is_int(holder_of(server, "first3@example.com")->is_first, 0, "%s: the third is not it", name);
    code = fresh_code(server, "own");
    is_int(redeem(server, &code, &redemption), ACCOUNT_CODE_RIGHT, "%s: it is proven", name);
    ok(find(server, "first1@example.com") == NULL, "%s: and the first given up", name);
    ok(holder_of(server, "first3@example.com")->verified > 0, "%s: for it", name);

    account = create(server, "first4", "first4@example.com", NULL);
    move(server, account, "first5@example.com", 0);
    ok(find(server, "first4@example.com") == NULL, "%s: without a confirmation it goes", name);
    account = create(server, "first6", "first6@example.com", "13800000210");
    sql(server, "UPDATE account_identifier SET verified = 7 WHERE value = '13800000210'");
    move(server, account, "first7@example.com", 1);
    ok(find(server, "first6@example.com") == NULL, "%s: where another is proven, too", name);

    shaped = create(server, "first8@example.com", NULL, NULL);
    move(server, shaped, "first9@example.com", 1);
    is_int(holder_of(server, "first8@example.com")->is_first, 1, "%s: an older user name", name);
    is_int(holder_of(server, "first9@example.com")->is_first, 0, "%s: is before an address", name);
    server->store.now = NOW;
}

/* A proven address ends what was issued for those that it takes the place of. */
static void test_given_up(server_t *server)
{
    static const char *const purposes[] = {"reset", "any", "login"};
    const char *name = server->name;
    const account_t *account = create(server, "13800000220", NULL, "13800000221"), *now;
    account_ownership_t own = {account, ACCOUNT_MOBILE, "13800000222"};
    account_redemption_t redemption = {.own = &own};
    account_code_t code = {.secret = "123456", .expires = NOW + DAY}, redeemed;
    int i;

    sql(server, "UPDATE account_identifier SET verified = 7 WHERE value LIKE '1380000022%'");
    create(server, "other220", NULL, "13800000225");
    for (i = 0; i < 3; i++) {
        code.purpose = purposes[i];
        code.target = "13800000220";
        issue(server, &code);
        code.target = "13800000221";
        issue(server, &code);
        code.target = "13800000225";
        issue(server, &code);
    }
    code.target = account->ref;
    code.purpose = "link";
    issue(server, &code);
    code.purpose = "answer";
    issue(server, &code);
    code.purpose = "activate";
    issue(server, &code);
    redeemed = fresh_code(server, "13800000222");
    is_int(redeem(server, &redeemed, &redemption), ACCOUNT_CODE_RIGHT, "%s: another number", name);
    now = redemption.account;
    is_str(now->identifiers[ACCOUNT_MOBILE], "13800000222", "%s: is shown", name);
    is_int(holder_of(server, "13800000220")->verified, 0, "%s: the name proves nothing", name);
    is_int(holder_of(server, "13800000220")->is_first, 0, "%s: nor is it recovered by", name);
    is_int(find(server, "13800000220")->id, account->id, "%s: but logs in", name);
    ok(find(server, "13800000221") == NULL, "%s: the number does not", name);
    is_int(check(server, &code), ACCOUNT_CODE_EXPIRED, "%s: an activation ends", name);
    code.purpose = "link";
    is_int(check(server, &code), ACCOUNT_CODE_EXPIRED, "%s: a mailed token ends", name);
    code.purpose = "answer";
    is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: an answer goes on", name);
    for (i = 0; i < 3; i++) {
        code.purpose = purposes[i];
        code.target = "13800000220";
        is_int(check(server, &code), ACCOUNT_CODE_EXPIRED, "%s: %s of the name", name, purposes[i]);
        code.target = "13800000221";
        is_int(check(server, &code), ACCOUNT_CODE_EXPIRED, "%s: %s of the number", name,
               purposes[i]);
        code.target = "13800000225";
        is_int(check(server, &code), ACCOUNT_CODE_RIGHT, "%s: %s of another", name, purposes[i]);
    }
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
    account_code_t code = {"activate", "also", "token", NOW + DAY, 0, NULL, {NULL, 0}};
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

/* All have proven one address, each for an account of its own. */
static void *race_displace(void *data)
{
    entrant_t *entrant = data;
    account_store_t store = store_of(entrant);
    account_t fields = fields_of(NULL, "displaced@example.com", NULL);
    const account_t *created;
    account_kind_e taken = ACCOUNT_KINDS;

    fields.email_verified = NOW;
    entrant->status = account_create(&store, &fields, NULL, &created, &taken);
    entrant->state = entrant->status == APR_SUCCESS ? ACCOUNT_CODE_RIGHT : ACCOUNT_CODE_EXPIRED;
    if (entrant->status == ACCOUNT_ECONFLICT && taken == ACCOUNT_EMAIL) {
        entrant->status = APR_SUCCESS;
    }
    apr_pool_destroy(store.pool);
    return NULL;
}

static void test_races(server_t *server)
{
    const char *name = server->name;
    entrant_t one = {server, NULL, NULL, 0, APR_SUCCESS, ACCOUNT_CODE_NONE};

    create(server, "displaced", "displaced@example.com", NULL);
    is_int(run_race(&one, 16, race_displace, ACCOUNT_CODE_RIGHT), 1, "%s: one address, many owners",
           name);
    ok(find(server, "displaced")->identifiers[ACCOUNT_EMAIL] == NULL, "%s: one displaced", name);
}

static void test_server(server_t *server)
{
    test_holders(server);
    test_first(server);
    test_given_up(server);
    test_displacement(server);
    test_also(server);
    test_standing(server);
    test_ownership(server);
    test_races(server);
}

int main(void)
{
    return run_on_databases(test_server);
}
