#ifndef ACCOUNT_BASE_PHC_H
#define ACCOUNT_BASE_PHC_H

#include "base/password.h"

/* PHC strings, for password.c. phc.c also has the parts of password.h that are about texts only:
 * costs as an administrator writes them, and what a PHC string says of its cost. */

/* What new hashes have, and what hashes from elsewhere may have. */
#define ACCOUNT_SALT_BYTES 16
#define ACCOUNT_SALT_BYTES_MAX 64
#define ACCOUNT_TAG_BYTES 32
#define ACCOUNT_TAG_BYTES_MAX 64

typedef struct account_phc_t {
    account_password_cost_t cost;
    unsigned char salt[ACCOUNT_SALT_BYTES_MAX];
    apr_size_t salt_length;
    unsigned char tag[ACCOUNT_TAG_BYTES_MAX];
    apr_size_t tag_length;
} account_phc_t;

/* Whether text is a PHC string of a known form with everything in its bounds. Strict: one text for
 * each value. Allocates nothing. The caller wipes *phc. */
int account_phc_read(account_phc_t *phc, const char *text);

/* The reverse, from pool: what account_phc_read reads back as it was. */
const char *account_phc_write(const account_phc_t *phc, apr_pool_t *pool);

#endif
