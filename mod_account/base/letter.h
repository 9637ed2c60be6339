#ifndef ACCOUNT_BASE_LETTER_H
#define ACCOUNT_BASE_LETTER_H

#include <apr_pools.h>
#include <apr_time.h>

/* A mail as RFC 5322 has it. Whatever its texts hold, they make no header of their own. */

/* Whether text can stand in an envelope and a header as it is: one @ with something at either side,
 * no blanks, control characters, quotes or ()<>[],;:\ and at most 254 bytes of UTF-8. */
int account_letter_is_address(const char *text);

typedef struct account_sender_t {
    const char *name; /* NULL: none */
    const char *address;
    const char *host; /* the address's, behind the @ */
} account_sender_t;

/* From "Shop <shop@example.com>" or "shop@example.com". NULL, or what is wrong. */
const char *account_sender_parse(account_sender_t *sender, const char *text, apr_pool_t *pool);

typedef struct account_letter_t {
    const account_sender_t *sender;
    const char *to; /* account_letter_is_address */
    const char *subject;
    const char *text;
    const char *key; /* Message-ID: <KEY@host of the sender> */
    apr_time_t date;
    const char *newline; /* "\r\n" for SMTP, "\n" for programs */
} account_letter_t;

/* The whole letter: headers, and the text as UTF-8 in base64. */
const char *account_letter_write(const account_letter_t *letter, apr_pool_t *pool);

#endif
