#include "base/base64.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

static int is_in_alphabet(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+'
           || c == '/';
}

/* The length without padding, or -1 where the form is wrong. EVP_DecodeBlock skips blanks and takes
 * padding for zero bits, so that whatever it would be generous with is refused here. */
static apr_ssize_t digits(const char *text, apr_size_t length, int padded)
{
    apr_size_t count = length;
    apr_size_t i;

    if (length > INT_MAX) {
        return -1;
    }
    if (padded) {
        if (length % 4 != 0) {
            return -1;
        }
        while (count > 0 && length - count < 2 && text[count - 1] == '=') {
            count--;
        }
    }
    if (count % 4 == 1) {
        return -1;
    }
    for (i = 0; i < count; i++) {
        if (!is_in_alphabet(text[i])) {
            return -1;
        }
    }
    return (apr_ssize_t)count;
}

apr_ssize_t account_base64_decode(unsigned char *bytes, apr_size_t capacity, const char *text,
                                  apr_size_t length, int padded)
{
    apr_ssize_t count = digits(text, length, padded);
    apr_size_t whole, rest, size;
    apr_ssize_t rv = -1;
    unsigned char last[4];

    if (count < 0) {
        return -1;
    }
    whole = (apr_size_t)count / 4;
    rest = (apr_size_t)count % 4;
    size = whole * 3 + (rest > 0 ? rest - 1 : 0);
    if (size > capacity) {
        return -1;
    }
    if (whole > 0
        && EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)(whole * 4))
               != (int)(whole * 3)) {
        return -1;
    }
    if (rest > 0) {
        /* Filled up with A, which is zero bits: what comes out beyond the bytes that count must be
         * zero too, or there were stray bits. */
        unsigned char quad[4] = {'A', 'A', 'A', 'A'};

        memcpy(quad, text + whole * 4, rest);
        if (EVP_DecodeBlock(last, quad, 4) != 3 || last[2] != 0 || (rest == 2 && last[1] != 0)) {
            goto leave;
        }
        memcpy(bytes + whole * 3, last, rest - 1);
        OPENSSL_cleanse(quad, sizeof(quad));
    }
    rv = (apr_ssize_t)size;

leave:
    OPENSSL_cleanse(last, sizeof(last));
    return rv;
}

const char *account_base64_encode(apr_pool_t *pool, const unsigned char *bytes, apr_size_t length,
                                  int padded)
{
    char *text = apr_palloc(pool, (length + 2) / 3 * 4 + 1);
    apr_size_t end = (apr_size_t)EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);

    while (!padded && end > 0 && text[end - 1] == '=') {
        text[--end] = '\0';
    }
    return text;
}
