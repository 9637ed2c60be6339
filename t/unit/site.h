#ifndef ACCOUNT_UNIT_SITE_H
#define ACCOUNT_UNIT_SITE_H

#include "contract/engine.h"
#include "fixture.h"
#include "store/schema.h"

/* A site without a server: requests in, replies out, with a clock that stands still until it is
 * moved and randomness that counts. */

#define SECOND APR_INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Randomness that counts, and can fail from some call on. */
typedef struct counter_t {
    unsigned long long calls;
    unsigned long long fails_at; /* 0: never */
} counter_t;

typedef struct server_t {
    apr_pool_t *process; /* for everything: it lives as long as the server */
    counter_t counter;
    account_random_t random;
    account_schema_t schema;
    account_database_t *database;
    account_settings_t settings;
    apr_array_header_t *mounts;
    apr_array_header_t *cookie_names;
    const char *realm;
    apr_int64_t now;
    const char *address;         /* of the client */
    account_response_t response; /* of the last request */
    apr_array_header_t *sent;    /* equip: of account_message_t *, as far as they were claimed */
} server_t;

/* On a database file or ":memory:", with mmall at /user and the contract of this program at /six.
 */
server_t *server_make(const char *database, apr_pool_t *parent);

/* As of a request now. */
account_store_t store_of(server_t *server);

/* One request. request: "METHOD /path", form: of the body or the query, cookies: the header or
 * NULL. */
const char *ask(server_t *server, const char *request, const char *form, const char *cookies);

/* A member of the last reply's body as text; objects in objects by a dot. */
const char *member(server_t *server, const char *name);

/* Asks, and checks the outcome as the contract at /six tells it; "ok" when it tells more. */
void expect(server_t *server, const char *request, const char *form, const char *cookies,
            const char *outcome);

/* Asks, and checks the "status" that mmall tells. */
void expect_status(server_t *server, const char *request, const char *form, const char *cookies,
                   const char *status);

/* The cookie of the session that the last request began. */
const char *cookie(server_t *server, const char *name);

/* The cookie of a new session, at /six. */
const char *log_in(server_t *server, const char *form);
const char *register_as(server_t *server, const char *form);

/* Done by hand in the database. */
void sql(server_t *server, const char *text);

/* Compiles a contract of the program's own, and mounts it. */
void site_mount(server_t *server, const char *path, const char *text);

/* Gives the server both channels, texts, pages' addresses, the standard limits, roles and device
 * cookies. */
void site_equip(server_t *server);

/* Turns a limit off, or into what AccountLimit would say. */
void site_limit(server_t *server, const char *name, const char *words);

/* The last message to a recipient: its "code", "link", "text" or "name"; NULL: there was none since
 * the last question about anybody. */
const char *sent_to(server_t *server, const char *recipient, const char *what);

/* How many messages of that name went to recipient since the beginning; NULL: to anybody. */
int sent_count(server_t *server, const char *recipient, const char *name);

/* What a link carries behind its '='. */
const char *token_in(const char *link);

/* Who has an identifier; NULL: nobody. */
const account_t *stored(server_t *server, const char *identifier);

/* The cookie of a new session, at /user. */
const char *mmall_login(server_t *server, const char *form);

/* What check_answer hands out. */
const char *token_of(server_t *server, const char *form);
/* form and that token. */
const char *with_token(server_t *server, const char *form, const char *token);

#endif
