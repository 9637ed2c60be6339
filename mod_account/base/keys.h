#ifndef ACCOUNT_BASE_KEYS_H
#define ACCOUNT_BASE_KEYS_H

#include <apr_pools.h>

/*
 * The secret keys of AccountSecretFile. One key a line, in base64, 32 bytes or more each; blank
 * lines and lines that begin with # are skipped. The first key signs and seals, all of them
 * verify and open, so a key is replaced by putting a new line first. Every use derives a key of
 * its own from the line (HKDF-SHA256), so a digest never helps against a seal.
 */
typedef struct account_keys_t account_keys_t;

/*
 * Reads the file. keys live in pool and are wiped with it.
 * On failure *error (from pool) says what is wrong and what to do, without the file's contents:
 * missing file (the text gives the command that makes one), readable or writable by group or
 * others, no key in it, a line that is no base64, a key that is too short (with line number).
 */
apr_status_t account_keys_read(account_keys_t **keys, const char **error, const char *path,
                               apr_pool_t *pool);

/* For tests: keys from the text that a file would hold. */
apr_status_t account_keys_parse(account_keys_t **keys, const char **error, const char *text,
                                apr_pool_t *pool);

/* How many keys there are: at least 1, at most 8. */
int account_keys_count(const account_keys_t *keys);

/* 64 hexadecimal digits: HMAC-SHA256 of text under the digest key derived from line n (0 = the
 * one that signs). The caller puts purpose and realm in front of the secret in text. NULL:
 * OpenSSL failed, or there is no line n. */
const char *account_keys_digest(const account_keys_t *keys, int n, const char *text,
                                apr_pool_t *pool);

/* 64 hexadecimal digits: HMAC-SHA256 of text under the first line as it stands (its bytes, base64
 * decoded), for somebody who has the same file and no more than that. NULL: OpenSSL failed. */
const char *account_keys_sign(const account_keys_t *keys, const char *text, apr_pool_t *pool);

/* 16 hexadecimal digits that tell line n apart from other keys and reveal nothing of it. */
const char *account_keys_fingerprint(const account_keys_t *keys, int n, apr_pool_t *pool);

/*
 * AES-256-GCM under the first key, random nonce. context (e.g. "realm/ref/answer") is
 * authenticated, not stored: opening needs the same. *sealed is printable ASCII without blanks
 * and names its key.
 * APR_EGENERAL when OpenSSL fails.
 */
apr_status_t account_keys_seal(const account_keys_t *keys, const char *context, const char *plain,
                               const char **sealed, apr_pool_t *pool);

/* The reverse. APR_EINVAL when sealed is damaged, of another context or of a key that is not in
 * the file. */
apr_status_t account_keys_open(const account_keys_t *keys, const char *context, const char *sealed,
                               const char **plain, apr_pool_t *pool);

#endif
