#ifndef ACCOUNT_BASE_BASE64_H
#define ACCOUNT_BASE_BASE64_H

#include <apr_pools.h>

/*
 * RFC 4648 base64, standard alphabet, one text for each value: no blanks, no stray bits.
 * padded: with = at the end (RFC 4648 3.2), or without (as in PHC strings).
 */

/* How many bytes were written, or -1: not canonical base64, or more than capacity. */
apr_ssize_t account_base64_decode(unsigned char *bytes, apr_size_t capacity, const char *text,
                                  apr_size_t length, int padded);

/* The text of length bytes, from pool. */
const char *account_base64_encode(apr_pool_t *pool, const unsigned char *bytes, apr_size_t length,
                                  int padded);

#endif
