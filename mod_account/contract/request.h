#ifndef ACCOUNT_CONTRACT_REQUEST_H
#define ACCOUNT_CONTRACT_REQUEST_H

#include <apr_tables.h>

/* What a client sent, wherever it stood: path, query, form or JSON. */
typedef struct account_pair_t {
    const char *name;
    const char *value; /* decoded, valid UTF-8 without NUL; JSON null is absent */
} account_pair_t;

/* A JSON object or array as a parameter's value: no parameter can be that, and a route that reads
 * it refuses. */
extern const char account_pair_nested[];

/* Nesting of a JSON body, at most. */
#define ACCOUNT_JSON_DEPTH 8
/* Pairs of one request, at most. */
#define ACCOUNT_PAIRS 256

/* Adds the pairs of a query string or form body (application/x-www-form-urlencoded). 0: malformed
 * (a bad escape, NUL, not UTF-8, too many), else 1. */
int account_request_form(apr_array_header_t *pairs, const char *text, apr_size_t length);

/* The same of a JSON object. A number or boolean becomes its text; duplicate keys, nesting deeper
 * than ACCOUNT_JSON_DEPTH and anything but an object are malformed. */
int account_request_json(apr_array_header_t *pairs, const char *text, apr_size_t length);

typedef enum account_body_e {
    ACCOUNT_BODY_NONE, /* no Content-Type: fine where there is no body */
    ACCOUNT_BODY_FORM,
    ACCOUNT_BODY_JSON,
    ACCOUNT_BODY_OTHER
} account_body_e;

/* What a Content-Type header says; NULL is none. A charset other than UTF-8 is OTHER. */
account_body_e account_request_type(const char *content_type, apr_pool_t *pool);

/* The different values that the Cookie header has under one name, at most limit + 1 of them, each
 * shaped like a session token: of const char *. header may be NULL. */
apr_array_header_t *account_request_cookies(const char *header, const char *name, int limit,
                                            apr_pool_t *pool);

/* The same of device cookies (action/device.h), of which few count: each costs a digest for every
 * key. name NULL: there are to be none. */
apr_array_header_t *account_request_device_cookies(const char *header, const char *name,
                                                   apr_pool_t *pool);

#endif
