#ifndef ACCOUNT_CONTRACT_CALLER_H
#define ACCOUNT_CONTRACT_CALLER_H

#include <apr_tables.h>

#include "store/accounts.h"

/*
 * Who sends a request: the session behind its cookies. It is looked up when somebody asks first and
 * is known from then on, to the engine, to access control, to expressions and logs: one look-up a
 * request.
 */
typedef struct account_caller_t {
    const char *cookies; /* the Cookie header as it was sent, or NULL */
    int wants_stored;    /* account_caller_ask_database */
    /* as it was asked for last; account_caller_find fills in the rest */
    const apr_array_header_t *names;
    const char *own;
    int is_known;
    int is_stored;                       /* as the database says, which has been asked */
    apr_status_t rv;                     /* of the look-up */
    const apr_array_header_t *presented; /* of const char *: every session token in the request */
    const account_session_t *session;    /* NULL: nobody is logged in */
    const account_t *account;
} account_caller_t;

/* What goes before a change: account_caller_find then asks the database itself, also if it has
 * found a copy of the session before. */
void account_caller_ask_database(account_caller_t *caller);

/*
 * Looks the session up, unless that has been done. names: of const char *, the cookie names of the
 * realm; own: the one that counts before the others, that of the route's contract, or NULL. The
 * first name with a live session counts; two live sessions under one name are none at all. Results
 * live as long as store->pool.
 *
 * Whatever failure of the machine is remembered and returned again: who asked first has waited for
 * the database, nobody waits a second time; and then nobody is logged in, which decides nothing.
 */
apr_status_t account_caller_find(account_caller_t *caller, const account_store_t *store,
                                 const apr_array_header_t *names, const char *own);

#endif
