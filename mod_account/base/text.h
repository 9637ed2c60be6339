#ifndef ACCOUNT_BASE_TEXT_H
#define ACCOUNT_BASE_TEXT_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

/* All texts are UTF-8. Results come from pool unless the argument already was the result. */

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates) without
 * NUL. */
int account_text_is_valid(const char *bytes, apr_size_t length);

/* Whether they are that, and none is less than a blank: what may stand in JSON as it is. */
int account_text_is_line(const char *bytes, apr_size_t length);

/* Whether text has a control character (C0, DEL, C1). Valid UTF-8 expected. */
int account_text_has_control(const char *text);

/* Characters (code points), not bytes. Valid UTF-8 expected. */
apr_size_t account_text_length(const char *text);

/* NFC, for passwords (NIST SP 800-63B: normalise before hashing). NULL: not valid UTF-8, or
 * longer than ACCOUNT_NFC_BYTES and not ASCII (normalising takes time with the square of the
 * length). */
const char *account_text_nfc(apr_pool_t *pool, const char *text);
#define ACCOUNT_NFC_BYTES 4096

/*
 * The canonical form under which an identifier is unique: NFKC_Casefold (Unicode 3.13, which
 * also drops invisible characters), blanks trimmed at both ends; what is then a mainland mobile
 * number loses its prefix. NULL when nothing is left, when it has a control character or is not
 * valid UTF-8, and when it is longer than ACCOUNT_IDENTIFIER_BYTES (or was four times that
 * before).
 */
const char *account_text_identifier(apr_pool_t *pool, const char *text);
#define ACCOUNT_IDENTIFIER_BYTES 1020

/* text without the blanks at its ends (ASCII and U+3000). */
const char *account_text_trim(apr_pool_t *pool, const char *text);

/* The 11 digits of a mainland mobile number (^1[3-9][0-9]{9}$), a prefix +86, 86 or 0 removed,
 * after NFKC and trimming. NULL: not one. */
const char *account_text_mobile(apr_pool_t *pool, const char *text);

/*
 * An e-mail address as it is to be shown, trimmed: one @; a local part of 1-64 bytes without
 * blanks, control characters, quotes or ()<>[],;:\ and no leading, trailing or double dot; a
 * domain of two labels or more, letters, digits, hyphens inside (non-ASCII letters pass), 254
 * bytes in all (RFC 5321 4.5.3). NULL: not one.
 *
 * Accounts are compared by the canonical form, but mail goes where the address says: one that is
 * written so that the two are not the same mailbox (an eszett for ss, wide letters) becomes the
 * canonical one. Capital letters of ASCII stay.
 */
const char *account_text_email(apr_pool_t *pool, const char *text);

/* Whether text is, byte for byte, one of list (of const char *; NULL: an empty one). */
int account_text_is_in(const apr_array_header_t *list, const char *text);

/* Whether both are the same text, or both are NULL. */
int account_text_is_same(const char *a, const char *b);

/* Whether text is a duration as an administrator writes it: a whole number above 0 and s, m, h or
 * d, of at most a hundred years. */
int account_text_duration(const char *text, apr_int64_t *milliseconds);

/* Whether text is a real date YYYY-MM-DD, from 1800-01-01 on (proleptic Gregorian). */
int account_text_is_date(const char *text);

/* Whether text is an 18-digit resident identity number (GB 11643-1999): a real date of birth,
 * right check digit, a last x or X allowed. */
int account_text_is_resident_id(const char *text);

/* RFC 4648 base64, standard alphabet, padded, canonical: no blanks, no stray bits. NULL: not
 * that, or what it encodes is not valid UTF-8 without NUL. The empty text gives the empty text. */
const char *account_text_base64(apr_pool_t *pool, const char *text);

/* 2014-08-27T13:52:34.964+08:00. milliseconds since 1970 UTC; offset in minutes, -14*60 to
 * 14*60; offset 0 is written +00:00. What is outside the years 0001-9999 becomes the first or
 * last of them. */
const char *account_text_iso8601(apr_pool_t *pool, apr_int64_t milliseconds, int offset);

#endif
