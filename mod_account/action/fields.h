#ifndef ACCOUNT_ACTION_FIELDS_H
#define ACCOUNT_ACTION_FIELDS_H

#include "action/call.h"

/* A value on its way into a reply. */
typedef struct account_value_t {
    /* A decimal is a number as JSON writes it, in text: a double would change its digits. */
    enum {
        ACCOUNT_NULL,
        ACCOUNT_TEXT,
        ACCOUNT_NUMBER,
        ACCOUNT_TRUTH,
        ACCOUNT_DECIMAL,
        ACCOUNT_LIST
    } type;
    const char *text;
    apr_int64_t number;             /* and 0 or 1 of a truth */
    const apr_array_header_t *list; /* of items; NULL: there are none */
} account_value_t;

typedef struct account_field_t {
    const char *name; /* "account.id"; "account.extra." stands for all that begin so */
    int group;        /* the ACCOUNT_CARRIES_* bit that an outcome must carry */
    /* Fills *value. rest: what follows a name that ends in a dot. */
    apr_status_t (*get)(const account_call_t *call, const account_answer_t *answer,
                        const char *rest, account_value_t *value);
    /* Of a list, which takes a shape as a filter, for each of its items: the ACCOUNT_CARRIES_* bit
     * of their fields. 0: no list. */
    int items;
} account_field_t;

/* All fields, an entry with a NULL name at the end. */
extern const account_field_t account_fields[];

/* The field of that name (no filters), NULL if there is none. *rest: for names such as
 * account.extra.x. */
const account_field_t *account_field_find(const char *name, const char **rest);

/* What a reply shows that costs a query: known when it is compiled. */
typedef struct account_needs_t {
    int points;                       /* account.points, account.points_last_year, points.* */
    const apr_array_header_t *extras; /* of const char *: NAMEs of account.extra.NAME */
} account_needs_t;

/* Before a reply is rendered that needs something: fills answer->points and answer->lookups, as far
 * as the reply needs them, the action has not done so and the answer has an account. Values live as
 * long as the call's pool. Errors: those of the database. */
apr_status_t account_fields_prepare(const account_call_t *call, account_answer_t *answer,
                                    const account_needs_t *needs);

#endif
