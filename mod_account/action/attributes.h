#ifndef ACCOUNT_ACTION_ATTRIBUTES_H
#define ACCOUNT_ACTION_ATTRIBUTES_H

#include <apr_tables.h>

#include "action/call.h"

/*
 * The attributes of an account: a JSON object of texts in one column. Names are the contract
 * language's (given_name, question, extra.NAME, ...); "answer" is sealed under the module's keys
 * and bound to the account.
 */

/* Attributes by name, as they are stored. */
typedef struct account_attribute_texts_t {
    const char *const *names;
    const char **values; /* to be filled; NULL: absent */
    int count;
} account_attribute_texts_t;

/* Several at once, none of which is sealed. Damaged attributes are none. */
void account_attributes_read(const account_t *account, const account_attribute_texts_t *wanted,
                             apr_pool_t *pool);

/* The value of an attribute in clear, NULL when it is absent. A sealed one that can't be opened
 * (damaged, or its key is gone) is absent and logged: a lost key costs the answer, not the account.
 */
const char *account_attribute_get(const account_store_t *store, const account_t *account,
                                  const char *name);

/* What an account is called: its nickname, else given and family name, else its name, else its user
 * name, e-mail address or mobile number. */
const char *account_display_name(const account_store_t *store, const account_t *account);

/*
 * *attributes: those of account with the fields (of account_profile_field_t) set, or cleared where
 * the value is empty. account: its ref and attributes are read. APR_ENOSPC: they would be longer
 * than ACCOUNT_ATTRIBUTES_MOST characters, which is the request's fault and not the machine's.
 */
apr_status_t account_attributes_change(const account_store_t *store, const account_t *account,
                                       const apr_array_header_t *fields, const char **attributes);

#endif
