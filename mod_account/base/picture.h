#ifndef ACCOUNT_BASE_PICTURE_H
#define ACCOUNT_BASE_PICTURE_H

#include "base/random.h"

/* Whether this build can draw, and has that font file (a whole path): NULL, or a text for the
 * administrator. To be called at start, before there are threads that draw: libgd prepares itself
 * at the first use of a font. */
const char *account_picture_check(const char *font, apr_pool_t *pool);

typedef struct account_picture_t {
    const char *bytes; /* PNG */
    apr_size_t length;
} account_picture_t;

/* Draws a few letters and digits so that people read them and programs have trouble: turned, bent,
 * crossed out. APR_ENOTIMPL: built without libgd. APR_EGENERAL: the font can't be used.
 * APR_EINVAL: no text, or more than 12 letters. Or random's failure. */
apr_status_t account_picture_draw(account_picture_t *picture, const char *text, const char *font,
                                  const account_random_t *random, apr_pool_t *pool);

#endif
