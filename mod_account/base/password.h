#ifndef ACCOUNT_BASE_PASSWORD_H
#define ACCOUNT_BASE_PASSWORD_H

#include "base/random.h"

/* How new passwords are hashed. argon2id: memory in KiB, passes, lanes (RFC 9106); scrypt:
 * memory is log2 N, passes is r, lanes is p (RFC 7914). */
typedef struct account_password_cost_t {
    enum { ACCOUNT_ARGON2ID, ACCOUNT_SCRYPT } algorithm;
    apr_uint32_t memory;
    apr_uint32_t passes;
    apr_uint32_t lanes;
} account_password_cost_t;

/* argon2id m=19456 t=2 p=1 where libargon2 was there at build time, else scrypt ln=14 r=8 p=5:
 * OWASP's first choices of each kind. */
extern const account_password_cost_t account_password_default_cost;

/*
 * From the words of AccountPasswordHash: "argon2id m=19456 t=2 p=1" or "scrypt ln=14 r=8 p=5";
 * missing numbers are the defaults. NULL when right, else a text for the administrator: unknown
 * algorithm, unknown or doubled key, not a number, outside what the algorithm takes, or above
 * the upper bounds (1 GiB, t 10, p 16; ln 20, r 32, p 16 and 1 GiB), or "built without
 * libargon2".
 */
const char *account_password_parse_cost(account_password_cost_t *cost, const char *words,
                                        apr_pool_t *pool);

/* Whether the cost is below OWASP's floor for its algorithm (argon2id 7 MiB x 5 passes or an
 * equal; scrypt 2^14 x 8 x 5): worth a warning at start, right for tests. */
int account_password_cost_is_weak(const account_password_cost_t *cost);

/* A PHC string ($argon2id$v=19$m=…,t=…,p=…$salt$tag, salt 16 bytes, tag 32). password is
 * normalised (NFC) first. Takes tens of milliseconds and the cost's memory, which argon2id maps
 * for the call and unmaps after it (scrypt's is OpenSSL's to allocate). APR_EINVAL: the password
 * is one for which account_text_nfc gives NULL. APR_ENOMEM, APR_EGENERAL; APR_ENOTIMPL as
 * below; what random gives. */
apr_status_t account_password_hash(const char **phc, const char *password,
                                   const account_password_cost_t *cost,
                                   const account_random_t *random, apr_pool_t *pool);

/* *matches: whether password is the one of phc. The comparison takes the same time either way.
 * A phc of no known form, or with a cost above the upper bounds, matches nothing (and costs
 * nothing), nor does a password for which account_text_nfc gives NULL.
 * APR_ENOMEM, APR_EGENERAL, APR_ENOTIMPL (argon2id without libargon2): could not tell. */
apr_status_t account_password_verify(int *matches, const char *phc, const char *password,
                                     apr_pool_t *pool);

/* Whether phc is of a known form and within the bounds, so that verifying against it takes its
 * time. */
int account_password_is_readable(const char *phc);

/* A PHC string of this cost that no password is known to match: verifying against it takes as long
 * as against any other. Costs nothing to make. */
const char *account_password_dummy(const account_password_cost_t *cost, apr_pool_t *pool);

/* Whether phc was made with exactly this cost; if not, rehash at the next login. */
int account_password_is_current(const char *phc, const account_password_cost_t *cost);

#endif
