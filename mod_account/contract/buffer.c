#include "contract/buffer.h"

#include <string.h>

void account_buffer_init(account_buffer_t *buffer, apr_size_t capacity, apr_pool_t *pool)
{
    buffer->bytes = apr_palloc(pool, capacity + 1);
    buffer->bytes[0] = '\0';
    buffer->length = 0;
    buffer->capacity = capacity;
    buffer->pool = pool;
}

void account_buffer_add(account_buffer_t *buffer, const char *bytes, apr_size_t length)
{
    if (length > buffer->capacity - buffer->length) {
        char *grown;

        buffer->capacity = 2 * buffer->capacity + length;
        grown = apr_palloc(buffer->pool, buffer->capacity + 1);
        memcpy(grown, buffer->bytes, buffer->length);
        buffer->bytes = grown;
    }
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
}

void account_buffer_add_text(account_buffer_t *buffer, const char *text)
{
    account_buffer_add(buffer, text, strlen(text));
}

void account_buffer_add_json(account_buffer_t *buffer, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the character, its letter */
    const char *plain = text;
    const char *c;

    for (c = text; *c; c++) {
        char escape[6] = {'\\', 'u', '0', '0', hex[(*c >> 4) & 15], hex[*c & 15]};
        apr_size_t length = 6;
        apr_size_t i;

        if ((unsigned char)*c >= 0x20 && *c != '"' && *c != '\\') {
            continue;
        }
        for (i = 0; i + 1 < sizeof(named); i += 2) {
            if (named[i] == *c) {
                escape[1] = named[i + 1];
                length = 2;
            }
        }
        account_buffer_add(buffer, plain, c - plain);
        account_buffer_add(buffer, escape, length);
        plain = c + 1;
    }
    account_buffer_add(buffer, plain, c - plain);
}
