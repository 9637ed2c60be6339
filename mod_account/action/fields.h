#ifndef ACCOUNT_ACTION_FIELDS_H
#define ACCOUNT_ACTION_FIELDS_H

#include "action/call.h"

/* A value on its way into a reply. */
typedef struct account_value_t {
    enum { ACCOUNT_NULL, ACCOUNT_TEXT, ACCOUNT_NUMBER, ACCOUNT_TRUTH } type;
    const char *text;
    apr_int64_t number; /* and 0 or 1 of a truth */
} account_value_t;

typedef struct account_field_t {
    const char *name; /* "account.id"; "account.extra." stands for all that begin so */
    int group;        /* the ACCOUNT_CARRIES_* bit that an outcome must carry */
    /* Fills *value. rest: what follows a name that ends in a dot. NULL: only actions that are not
     * in this version carry it. */
    apr_status_t (*get)(const account_call_t *call, const account_answer_t *answer,
                        const char *rest, account_value_t *value);
    int is_list; /* takes a shape as a filter, for each of its items */
} account_field_t;

/* All fields, an entry with a NULL name at the end: LANGUAGE's list. */
extern const account_field_t account_fields[];

/* The field of that name (no filters), NULL if there is none. *rest: for names such as
 * account.extra.x. */
const account_field_t *account_field_find(const char *name, const char **rest);

#endif
