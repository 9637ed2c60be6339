#ifndef ACCOUNT_STORE_CAPTCHAS_H
#define ACCOUNT_STORE_CAPTCHAS_H

#include "store/store.h"

/* Captchas that can still be used. What one shows is not stored: it is derived from its id under
 * the module's keys (action/captcha.c). */

/* Stores a new one. id: 32 hexadecimal digits; expires: milliseconds UTC. */
apr_status_t account_captcha_add(const account_store_t *store, const char *id, apr_int64_t expires);

/* *found: whether it can still be used. */
apr_status_t account_captcha_find(const account_store_t *store, const char *id, int *found);

/* Uses it up: *used is 1 for one caller only, 0 when it is unknown, expired or used. */
apr_status_t account_captcha_use(const account_store_t *store, const char *id, int *used);

#endif
