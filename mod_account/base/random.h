#ifndef ACCOUNT_BASE_RANDOM_H
#define ACCOUNT_BASE_RANDOM_H

#include <apr_pools.h>

/*
 * Where random bytes come from: an input of every call, so that a test can fix it.
 * fn fills bytes with length random bytes or fails; it is called from any thread.
 */
typedef struct account_random_t {
    apr_status_t (*fn)(void *baton, unsigned char *bytes, apr_size_t length);
    void *baton;
} account_random_t;

/* OpenSSL's CSPRNG (RAND_bytes). Failure: APR_EGENERAL. */
extern const account_random_t account_random_secure;

/* A session token: 26 characters of a 32-letter alphabet (a-z, 2-7), 130 random bits (ASVS 7.2.3
 * wants 128). Allocated from pool. Fails only when random does. */
apr_status_t account_random_session_token(const char **token, const account_random_t *random,
                                          apr_pool_t *pool);

/* A random UUID (RFC 9562, version 4), lower case: 122 random bits, more than the 112 from which a
 * one-time secret need not be hashed like a password (ASVS 6.5.2). */
apr_status_t account_random_uuid_token(const char **token, const account_random_t *random,
                                       apr_pool_t *pool);

/* 32 lower-case hexadecimal digits, 128 random bits: the key of a row. */
apr_status_t account_random_hex(const char **token, const account_random_t *random,
                                apr_pool_t *pool);

/* Six decimal digits, each number from 000000 to 999999 equally likely. */
apr_status_t account_random_digits(const char **code, const account_random_t *random,
                                   apr_pool_t *pool);

#endif
