#ifndef ACCOUNT_STORE_LOOKUPS_H
#define ACCOUNT_STORE_LOOKUPS_H

#include "store/accounts.h"

/* AccountLookup: fields of an account that a SELECT of the administrator's fills from the site's
 * own tables. */
typedef struct account_lookup_t {
    apr_array_header_t *fields; /* of const char *: by column */
    const char *const *inputs;  /* by placeholder: "id", "ref", "user_name", "email" or "mobile" */
    int input_count;
    account_statement_t statement;
    int number; /* of the statement, in the database's table: ACCOUNT_SQL_COUNT and up */
} account_lookup_t;

/*
 * From the words of the directive: fields "orders_count,total_spent" (each 1-64 of [a-z0-9_]), sql
 * one SELECT with %{account.id} and the like where a value belongs; it is bound, never spliced.
 * NULL, or what is wrong: not a SELECT, an unknown %{…} or one within quotes, a question mark or a
 * semicolon, a quote without its second, a name that is none or stands twice.
 */
const char *account_lookup_parse(account_lookup_t **lookup, const char *fields, const char *sql,
                                 apr_pool_t *pool);

/* What the directive takes, for who writes it. */
extern const char account_lookup_usage[];

/* *values: by column, as text; NULL where the database has NULL or no row. A row that has another
 * number of columns than there are fields is APR_EINVAL, logged. */
apr_status_t account_lookup_run(const account_store_t *store, const account_lookup_t *lookup,
                                const account_t *account, const char *const **values);

#endif
