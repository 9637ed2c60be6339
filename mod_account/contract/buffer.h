#ifndef ACCOUNT_CONTRACT_BUFFER_H
#define ACCOUNT_CONTRACT_BUFFER_H

#include <apr_pools.h>

/* Bytes that grow in a pool. Always NUL-terminated. */
typedef struct account_buffer_t {
    char *bytes;
    apr_size_t length;
    apr_size_t capacity;
    apr_pool_t *pool;
} account_buffer_t;

/* An empty buffer with room for capacity bytes; it grows in pool. */
void account_buffer_init(account_buffer_t *buffer, apr_size_t capacity, apr_pool_t *pool);

/* Appends bytes, or a text without its NUL, as they are. */
void account_buffer_add(account_buffer_t *buffer, const char *bytes, apr_size_t length);
void account_buffer_add_text(account_buffer_t *buffer, const char *text);

/* text as the inside of a JSON string (RFC 8259): ", \ and control characters escaped, UTF-8 and /
 * as they are. */
void account_buffer_add_json(account_buffer_t *buffer, const char *text);

#endif
