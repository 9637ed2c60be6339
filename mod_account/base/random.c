#include "base/random.h"

#include <limits.h>

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#define SESSION_DIGITS 26
#define BITS_PER_DIGIT 5
#define SESSION_BYTES ((SESSION_DIGITS * BITS_PER_DIGIT + 7) / 8)
#define HEX_BYTES 16

static const char session_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char hex_alphabet[] = "0123456789abcdef";

static apr_status_t secure(void *baton, unsigned char *bytes, apr_size_t length)
{
    (void)baton;
    if (length > INT_MAX) {
        return APR_EINVAL;
    }
    if (RAND_bytes(bytes, (int)length) != 1) {
        /* What stays in the thread's error queue would be taken for the next TLS call's. */
        ERR_clear_error();
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

const account_random_t account_random_secure = {secure, NULL};

apr_status_t account_random_session_token(const char **token, const account_random_t *random,
                                          apr_pool_t *pool)
{
    unsigned char bytes[SESSION_BYTES];
    char digits[SESSION_DIGITS + 1];
    unsigned int bits = 0;
    int count = 0;
    int from = 0;
    int i;
    apr_status_t rv = random->fn(random->baton, bytes, sizeof(bytes));

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    for (i = 0; i < SESSION_DIGITS; i++) {
        if (count < BITS_PER_DIGIT) {
            bits = (bits << 8) | bytes[from++];
            count += 8;
        }
        count -= BITS_PER_DIGIT;
        digits[i] = session_alphabet[(bits >> count) & 31];
    }
    digits[SESSION_DIGITS] = '\0';
    *token = apr_pstrmemdup(pool, digits, SESSION_DIGITS);

leave:
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(digits, sizeof(digits));
    return rv;
}

/* The bytes before which a UUID has its hyphens. */
#define UUID_HYPHENS (1u << 4 | 1u << 6 | 1u << 8 | 1u << 10)

/* 32 hexadecimal digits; as a UUID with its hyphens and the bits that say "version 4, random". */
static apr_status_t hex_token(const char **token, int is_uuid, const account_random_t *random,
                              apr_pool_t *pool)
{
    unsigned char bytes[HEX_BYTES];
    char *digits = apr_palloc(pool, 2 * HEX_BYTES + HEX_BYTES + 1);
    char *to = digits;
    int i;
    apr_status_t rv = random->fn(random->baton, bytes, sizeof(bytes));

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (is_uuid) {
        bytes[6] = (bytes[6] & 0x0F) | 0x40;
        bytes[8] = (bytes[8] & 0x3F) | 0x80;
    }
    for (i = 0; i < HEX_BYTES; i++) {
        if (is_uuid && UUID_HYPHENS & (1u << i)) {
            *to++ = '-';
        }
        *to++ = hex_alphabet[bytes[i] >> 4];
        *to++ = hex_alphabet[bytes[i] & 15];
    }
    *to = '\0';
    *token = digits;

leave:
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return rv;
}

apr_status_t account_random_uuid_token(const char **token, const account_random_t *random,
                                       apr_pool_t *pool)
{
    return hex_token(token, 1, random, pool);
}

apr_status_t account_random_hex(const char **token, const account_random_t *random,
                                apr_pool_t *pool)
{
    return hex_token(token, 0, random, pool);
}

apr_status_t account_random_digits(const char **code, const account_random_t *random,
                                   apr_pool_t *pool)
{
    /* the largest multiple of the number of codes: what lies above would make some likelier */
    static const apr_uint32_t codes = 1000000, bound = 4294000000u;
    unsigned char bytes[4];
    apr_uint32_t number;
    apr_status_t rv;

    do {
        rv = random->fn(random->baton, bytes, sizeof(bytes));
        if (rv != APR_SUCCESS) {
            break;
        }
        number = (apr_uint32_t)bytes[0] << 24 | (apr_uint32_t)bytes[1] << 16
                 | (apr_uint32_t)bytes[2] << 8 | bytes[3];
        *code = apr_psprintf(pool, "%06u", (unsigned int)(number % codes));
    } while (number >= bound);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return rv;
}
