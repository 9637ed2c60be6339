#ifndef ACCOUNT_HTTPD_CLAIMS_H
#define ACCOUNT_HTTPD_CLAIMS_H

#include "httpd/request.h"

/*
 * What is told about whoever sends a request, outside of contracts: to expressions, log formats,
 * scripts and applications behind. A row for each; the rows with a header are told to scripts
 * (ACCOUNT_…) and back ends (X-Account-…), once a request was authenticated.
 */
typedef struct account_claim_row_t {
    const char *name;     /* %{ACCOUNT:name}, %{name}^ac */
    const char *field;    /* of a contract's replies: action/fields.h */
    const char *variable; /* "ACCOUNT_ROLE"; NULL: not told */
    const char *header;   /* "Role", behind the prefix */
} account_claim_row_t;

/* All of them, one with a NULL name at the end. */
#define ACCOUNT_CLAIMS 19
extern const account_claim_row_t account_claims[ACCOUNT_CLAIMS];

/* Their fields, by their numbers: looked up once and not for each request. */
const struct account_field_t *const *account_claims_resolve(apr_pool_t *pool);

/* The value of a name, or of extra.NAME, as text; "" where the account has none. In r->pool.
 * Numbers are decimal, times are milliseconds UTC, truths are "true" and "false". */
const char *account_claim_value(request_rec *r, const account_identity_t *identity,
                                const char *name);

/* The values of all rows that have a variable and a header, by their numbers, NULL for the others:
 * found once for a request. */
const char *const *account_claims_told(request_rec *r, const account_identity_t *identity);

/* What r->user is, or will be, by AccountUserField; NULL: the account has no such name, or has not
 * proven that the address is its own. */
const char *account_claim_user(request_rec *r, const account_identity_t *identity);

/* AccountUserField. */
const char *account_claim_set_user(cmd_parms *cmd, void *directory, const char *word);

/* %{ACCOUNT:name} in expressions, %{name}^ac in log formats, the environment. */
void account_claims_register_hooks(apr_pool_t *pool);

#endif
