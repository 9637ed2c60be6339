#ifndef ACCOUNT_UNIT_STORED_H
#define ACCOUNT_UNIT_STORED_H

#include "store/accounts.h"
#include "store/codes.h"
#include "store/schema.h"

/* What the programs of store/ share: a database, accounts and sessions in it. A name of this
 * program in a check is the driver's. */

#define KEY_A "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
#define HASH "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA"
#define OTHER_HASH "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$b3RoZXI"
#define NOW APR_INT64_C(1790000000000)
#define MINUTE 60000
#define DAY (24 * 60 * MINUTE)
#define MANY 200

typedef struct lines_t {
    char all[8000];
} lines_t;

/* One process' view of a database. */
typedef struct server_t {
    const char *name;
    account_database_config_t config;
    account_schema_t schema;
    account_log_t log;
    lines_t lines;
    account_store_t store;
} server_t;

/* Not started yet: its config may be changed. */
server_t *server_make(const char *driver, const char *params, const char *keys, apr_pool_t *parent);
apr_status_t server_start(server_t *server);
void server_stop(server_t *server);

/* Done by hand in the database. */
apr_status_t sql(server_t *server, const char *text);

/* Removes all tables of ours. */
void drop_tables(const char *driver, const char *params, apr_pool_t *pool);

/* Who has an identifier (in any writing); NULL: nobody. */
const account_t *find(const server_t *server, const char *identifier);

/* With a password and attributes; NULL: no such identifier. */
account_t fields_of(const char *user_name, const char *email, const char *mobile);
const account_t *create(const server_t *server, const char *user_name, const char *email,
                        const char *mobile);

/* The account as it is now. */
const account_t *again(const server_t *server, const account_t *account);

/* Idle for 30 minutes, for 10 hours in all. */
extern const account_session_terms_t terms;

/* In memory only. */
account_session_t *make_session(const server_t *server, const account_t *account);

/* Whether the session of a token is one. */
int lives(const server_t *server, const char *token);

/* Codes: looked at, issued, redeemed; a failure is a failed check. */
account_code_state_e check(const server_t *server, const account_code_t *code);
void issue(const server_t *server, const account_code_t *code);
account_code_state_e redeem(const server_t *server, const account_code_t *code,
                            account_redemption_t *redemption);

/* One of purpose "any" with five tries, issued. */
account_code_t fresh_code(const server_t *server, const char *target);

/* So many to be stored. */
apr_array_header_t *messages_of(const server_t *server, int count);

/* How many are in the outbox; they are out of it then. */
int sent(const server_t *server);

/* One of many at once; which fields mean something is up to what they do. */
typedef struct entrant_t {
    server_t *server;
    const account_t *account;
    const account_code_t *code;
    int number;
    apr_status_t status;
    account_code_state_e state;
} entrant_t;

/* With a pool of the entrant's own, which it destroys. */
account_store_t store_of(const entrant_t *entrant);

/* Runs up to MANY of them, all like one but for their number. How many ended in the state; none may
 * fail. */
int run_race(const entrant_t *one, int count, void *(*fn)(void *), account_code_state_e state);

/* A whole program: the test on SQLite, and on MySQL where ACCOUNT_TEST_MYSQL has the parameters of
 * a database for tests, whose tables of ours are dropped first. */
int run_on_databases(void (*test)(server_t *server));

#endif
