/* SHA256_Init and its kin, which newer versions call old: see mac_t. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "base/keys.h"

#include <limits.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/base64.h"

#define MAX_KEYS 8
#define MIN_KEY_BYTES 32
#define MAX_KEY_BYTES 512
#define MAX_FILE_BYTES 65536

#define FINGERPRINT_BYTES 8
#define FINGERPRINT_DIGITS (2 * FINGERPRINT_BYTES)

/* A sealed text: form, fingerprint, dot, base64 of nonce, ciphertext and tag. */
#define SEAL_FORM "v1."
#define SEAL_PREFIX_BYTES (sizeof(SEAL_FORM) - 1 + FINGERPRINT_DIGITS + 1)
#define NONCE_BYTES 12
#define TAG_BYTES 16

/*
 * HMAC-SHA256 with the key already in: each request asks, and looking up the algorithm (EVP) and
 * hashing the key would cost ten times what the text does. Plain memory, because keys go with their
 * pool, and at the end of a process that is after OpenSSL has cleared its own objects away.
 */
typedef struct mac_t {
    SHA256_CTX inner;
    SHA256_CTX outer;
} mac_t;

/* A line, and what is derived from it. */
typedef struct derived_t {
    mac_t shared; /* by the line itself, for whoever has the same file */
    mac_t digest;
    unsigned char seal[32];
    char fingerprint[FINGERPRINT_DIGITS + 1];
} derived_t;

struct account_keys_t {
    int count;
    derived_t lines[MAX_KEYS];
};

typedef struct bytes_t {
    unsigned char *at;
    apr_size_t length;
} bytes_t;

static void hex(char *digits, const unsigned char *bytes, apr_size_t length)
{
    static const char alphabet[] = "0123456789abcdef";

    for (; length > 0; length--, bytes++) {
        *digits++ = alphabet[*bytes >> 4];
        *digits++ = alphabet[*bytes & 15];
    }
    *digits = '\0';
}

/* HKDF-SHA256 without salt: the lines are random already. */
static apr_status_t derive(bytes_t out, bytes_t line, const char *purpose)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, line.at, line.length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (char *)purpose, strlen(purpose)),
        OSSL_PARAM_construct_end(),
    };
    apr_status_t rv = APR_EGENERAL;

    if (context != NULL && EVP_KDF_derive(context, out.at, out.length, params) == 1) {
        rv = APR_SUCCESS;
    }
    else {
        ERR_clear_error();
    }
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return rv;
}

/* 1, or 0: OpenSSL failed. */
static int begin_with(SHA256_CTX *hash, const unsigned char *block, unsigned char pad)
{
    unsigned char padded[SHA256_CBLOCK];
    int ok, i;

    for (i = 0; i < SHA256_CBLOCK; i++) {
        padded[i] = block[i] ^ pad;
    }
    ok = SHA256_Init(hash) == 1 && SHA256_Update(hash, padded, sizeof(padded)) == 1;
    OPENSSL_cleanse(padded, sizeof(padded));
    return ok;
}

/* RFC 2104. */
static apr_status_t mac_begin(mac_t *mac, bytes_t key)
{
    unsigned char block[SHA256_CBLOCK] = {0};
    int ok;

    if (key.length > sizeof(block)) {
        SHA256(key.at, key.length, block);
    }
    else {
        memcpy(block, key.at, key.length);
    }
    ok = begin_with(&mac->inner, block, 0x36) && begin_with(&mac->outer, block, 0x5c);
    OPENSSL_cleanse(block, sizeof(block));
    return ok ? APR_SUCCESS : APR_EGENERAL;
}

/* The purposes are part of what is stored: changing one makes stored digests and seals void. */
static apr_status_t derive_all(derived_t *derived, bytes_t line)
{
    unsigned char mark[FINGERPRINT_BYTES];
    unsigned char digest[32];
    apr_status_t rv = derive((bytes_t){digest, sizeof(digest)}, line, "mod_account digest 1");

    if (rv == APR_SUCCESS) {
        rv = mac_begin(&derived->digest, (bytes_t){digest, sizeof(digest)});
    }
    OPENSSL_cleanse(digest, sizeof(digest));
    if (rv == APR_SUCCESS) {
        rv = mac_begin(&derived->shared, line);
    }
    if (rv == APR_SUCCESS) {
        rv = derive((bytes_t){derived->seal, sizeof(derived->seal)}, line, "mod_account seal 1");
    }
    if (rv == APR_SUCCESS) {
        rv = derive((bytes_t){mark, sizeof(mark)}, line, "mod_account fingerprint 1");
    }
    if (rv == APR_SUCCESS) {
        hex(derived->fingerprint, mark, sizeof(mark));
    }
    return rv;
}

static apr_status_t wipe(void *keys)
{
    OPENSSL_cleanse(keys, sizeof(account_keys_t));
    return APR_SUCCESS;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* NULL, or what is wrong with the line. */
static const char *add_line(account_keys_t *keys, const char *text, apr_size_t length,
                            apr_pool_t *pool)
{
    unsigned char bytes[MAX_KEY_BYTES];
    const char *error = NULL;
    apr_ssize_t size;

    while (length > 0 && is_blank(*text)) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    if (length == 0 || *text == '#') {
        return NULL;
    }
    if (keys->count == MAX_KEYS) {
        return apr_psprintf(pool, "is one key too many; %d are allowed", MAX_KEYS);
    }
    if (length > (MAX_KEY_BYTES + 2) / 3 * 4) {
        return apr_psprintf(pool, "is too long; a key has %d bytes at most", MAX_KEY_BYTES);
    }
    size = account_base64_decode(bytes, sizeof(bytes), text, length, 1);
    if (size < 0) {
        error = "is not valid base64; a key is one line as \"openssl rand -base64 32\" prints it";
    }
    else if (size < MIN_KEY_BYTES) {
        error = apr_psprintf(pool, "is too short: %d bytes; a key has %d or more", (int)size,
                             MIN_KEY_BYTES);
    }
    else if (derive_all(&keys->lines[keys->count], (bytes_t){bytes, (apr_size_t)size})
             != APR_SUCCESS) {
        error = "could not be used: OpenSSL failed to derive keys from it (HKDF-SHA256)";
    }
    else {
        keys->count++;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return error;
}

apr_status_t account_keys_parse(account_keys_t **keys, const char **error, const char *text,
                                apr_pool_t *pool)
{
    account_keys_t *parsed = apr_pcalloc(pool, sizeof(*parsed));
    int line = 1;

    apr_pool_cleanup_register(pool, parsed, wipe, apr_pool_cleanup_null);
    for (;;) {
        apr_size_t length = strcspn(text, "\n");
        const char *wrong = add_line(parsed, text, length, pool);

        if (wrong != NULL) {
            *error = apr_psprintf(pool, "line %d %s", line, wrong);
            return APR_EINVAL;
        }
        if (text[length] == '\0') {
            break;
        }
        text += length + 1;
        line++;
    }
    if (parsed->count == 0) {
        *error = "holds no key; \"openssl rand -base64 32\" prints one";
        return APR_EINVAL;
    }
    *keys = parsed;
    return APR_SUCCESS;
}

/* Whether the open file may hold secrets. NULL, or what is wrong with it. */
static const char *check_file(apr_status_t *rv, apr_finfo_t *info, apr_file_t *file)
{
    *rv = apr_file_info_get(info, APR_FINFO_TYPE | APR_FINFO_PROT | APR_FINFO_SIZE, file);
    if (*rv != APR_SUCCESS) {
        return "cannot be examined";
    }
    if (info->filetype != APR_REG) {
        *rv = APR_EINVAL;
        return "is not a regular file";
    }
    if (info->protection
        & (APR_FPROT_GREAD | APR_FPROT_GWRITE | APR_FPROT_WREAD | APR_FPROT_WWRITE)) {
        *rv = APR_EACCES;
        return "can be read or written by others than its owner; run chmod 600 on it and, if "
               "somebody may have read it, replace the keys";
    }
    if (info->size > MAX_FILE_BYTES) {
        *rv = APR_EINVAL;
        return "is too large for a file of keys";
    }
    return NULL;
}

static const char *cannot_open(apr_status_t rv, const char *path, apr_pool_t *pool)
{
    char reason[120];

    if (APR_STATUS_IS_ENOENT(rv)) {
        return apr_psprintf(pool,
                            "%s does not exist; make it with: (umask 077; openssl rand -base64 32 "
                            "> '%s')",
                            path, path);
    }
    return apr_psprintf(pool, "%s cannot be opened: %s", path,
                        apr_strerror(rv, reason, sizeof(reason)));
}

apr_status_t account_keys_read(account_keys_t **keys, const char **error, const char *path,
                               apr_pool_t *pool)
{
    apr_file_t *file = NULL;
    const char *wrong = NULL;
    char *text = NULL;
    apr_size_t length = 0;
    apr_finfo_t info;
    /* Not blocking: the path may be that of a pipe. */
    apr_status_t rv =
        apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, APR_FPROT_OS_DEFAULT, pool);

    if (rv != APR_SUCCESS) {
        *error = cannot_open(rv, path, pool);
        return rv;
    }
    wrong = check_file(&rv, &info, file);
    if (wrong != NULL) {
        goto leave;
    }
    text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
    rv = apr_file_read_full(file, text, (apr_size_t)info.size, &length);
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        wrong = "cannot be read";
        goto leave;
    }
    if (strlen(text) != length) {
        rv = APR_EINVAL;
        wrong = "is not a text file";
        goto leave;
    }
    rv = account_keys_parse(keys, &wrong, text, pool);

leave:
    if (wrong != NULL) {
        *error = apr_psprintf(pool, "%s %s", path, wrong);
    }
    if (text != NULL) {
        OPENSSL_cleanse(text, (apr_size_t)info.size);
    }
    apr_file_close(file);
    return rv;
}

int account_keys_count(const account_keys_t *keys)
{
    return keys->count;
}

/* 64 hexadecimal digits; NULL: OpenSSL failed. */
static const char *authenticate(const mac_t *mac, const char *text, apr_pool_t *pool)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX inner = mac->inner, outer = mac->outer;
    char *digits;

    if (SHA256_Update(&inner, text, strlen(text)) != 1 || SHA256_Final(digest, &inner) != 1
        || SHA256_Update(&outer, digest, sizeof(digest)) != 1
        || SHA256_Final(digest, &outer) != 1) {
        return NULL;
    }
    digits = apr_palloc(pool, 2 * sizeof(digest) + 1);
    hex(digits, digest, sizeof(digest));
    return digits;
}

const char *account_keys_digest(const account_keys_t *keys, int n, const char *text,
                                apr_pool_t *pool)
{
    return n >= 0 && n < keys->count ? authenticate(&keys->lines[n].digest, text, pool) : NULL;
}

const char *account_keys_sign(const account_keys_t *keys, const char *text, apr_pool_t *pool)
{
    return authenticate(&keys->lines[0].shared, text, pool);
}

const char *account_keys_fingerprint(const account_keys_t *keys, int n, apr_pool_t *pool)
{
    return n >= 0 && n < keys->count ? apr_pstrdup(pool, keys->lines[n].fingerprint) : NULL;
}

apr_status_t account_keys_seal(const account_keys_t *keys, const char *context, const char *plain,
                               const char **sealed, apr_pool_t *pool)
{
    const derived_t *key = &keys->lines[0];
    apr_size_t length = strlen(plain);
    apr_size_t size = NONCE_BYTES + length + TAG_BYTES;
    unsigned char *box = apr_palloc(pool, size);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    apr_status_t rv = APR_EGENERAL;
    int written;

    if (cipher == NULL || length > INT_MAX / 2 || strlen(context) > INT_MAX / 2
        || RAND_bytes(box, NONCE_BYTES) != 1
        || EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->seal, box) != 1
        || EVP_EncryptUpdate(cipher, NULL, &written, (const unsigned char *)context,
                             (int)strlen(context))
               != 1
        || EVP_EncryptUpdate(cipher, box + NONCE_BYTES, &written, (const unsigned char *)plain,
                             (int)length)
               != 1
        || EVP_EncryptFinal_ex(cipher, box + NONCE_BYTES + length, &written) != 1
        || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, box + NONCE_BYTES + length)
               != 1) {
        ERR_clear_error();
        goto leave;
    }
    *sealed = apr_pstrcat(pool, SEAL_FORM, key->fingerprint, ".",
                          account_base64_encode(pool, box, size, 1), NULL);
    rv = APR_SUCCESS;

leave:
    EVP_CIPHER_CTX_free(cipher);
    return rv;
}

/* The key that the prefix of sealed names, NULL: none, or the prefix is not of this form. */
static const derived_t *sealing_key(const account_keys_t *keys, const char *sealed)
{
    const char *name = sealed + sizeof(SEAL_FORM) - 1;
    int i;

    if (strlen(sealed) <= SEAL_PREFIX_BYTES
        || strncmp(sealed, SEAL_FORM, sizeof(SEAL_FORM) - 1) != 0
        || name[FINGERPRINT_DIGITS] != '.') {
        return NULL;
    }
    for (i = 0; i < keys->count; i++) {
        if (memcmp(name, keys->lines[i].fingerprint, FINGERPRINT_DIGITS) == 0) {
            return &keys->lines[i];
        }
    }
    return NULL;
}

apr_status_t account_keys_open(const account_keys_t *keys, const char *context, const char *sealed,
                               const char **plain, apr_pool_t *pool)
{
    const derived_t *key = sealing_key(keys, sealed);
    EVP_CIPHER_CTX *cipher = NULL;
    unsigned char *box, *opened;
    apr_size_t capacity;
    apr_ssize_t size;
    apr_status_t rv = APR_EINVAL;
    int length, rest;

    if (key == NULL || strlen(sealed) > INT_MAX / 2 || strlen(context) > INT_MAX / 2) {
        return APR_EINVAL;
    }
    sealed += SEAL_PREFIX_BYTES;
    capacity = strlen(sealed) / 4 * 3;
    box = apr_palloc(pool, capacity);
    size = account_base64_decode(box, capacity, sealed, strlen(sealed), 1);
    if (size < NONCE_BYTES + TAG_BYTES) {
        return APR_EINVAL;
    }
    length = (int)size - NONCE_BYTES - TAG_BYTES;
    opened = apr_palloc(pool, (apr_size_t)length + 1);
    cipher = EVP_CIPHER_CTX_new();
    if (cipher == NULL || EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->seal, box) != 1
        || EVP_DecryptUpdate(cipher, NULL, &rest, (const unsigned char *)context,
                             (int)strlen(context))
               != 1
        || EVP_DecryptUpdate(cipher, opened, &rest, box + NONCE_BYTES, length) != 1
        || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, box + NONCE_BYTES + length)
               != 1
        || EVP_DecryptFinal_ex(cipher, opened + length, &rest) != 1) {
        /* What was decrypted before the tag was found wrong is nobody's. */
        OPENSSL_cleanse(opened, (apr_size_t)length + 1);
        ERR_clear_error();
        goto leave;
    }
    opened[length] = '\0';
    *plain = (const char *)opened;
    rv = APR_SUCCESS;

leave:
    EVP_CIPHER_CTX_free(cipher);
    return rv;
}
