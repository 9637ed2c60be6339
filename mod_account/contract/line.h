#ifndef ACCOUNT_CONTRACT_LINE_H
#define ACCOUNT_CONTRACT_LINE_H

#include <apr_tables.h>

/* One directive of a configuration, with those inside it: what httpd/ hands to the compiler, and a
 * unit program can make by hand. */
typedef struct account_line_t {
    const char *name; /* "AccountReply", "<AccountRoute" */
    const char *args; /* as written, joined where lines were continued */
    const char *file;
    int number;
    const void *origin; /* httpd's node, for its error message */
    const struct account_line_t *children;
    const struct account_line_t *next;
} account_line_t;

/*
 * Splits args into words as httpd does (blanks separate; '…' and "…" keep them; inside quotes
 * \\ and the escaped quote lose their backslash), but complains about a quote that is not closed.
 * *words: of const char *. NULL, or a text for the administrator.
 */
const char *account_line_words(const account_line_t *line, apr_array_header_t **words,
                               apr_pool_t *pool);

/* "30m" to milliseconds: a whole number and s, m, h or d. NULL, or a text for the administrator. */
const char *account_line_duration(const char *word, apr_int64_t *milliseconds, apr_pool_t *pool);

/* " (did you mean X?)" with the nearest of candidates (NULL ends them), or "" when none is near. */
const char *account_line_suggest(const char *word, const char *const *candidates, apr_pool_t *pool);

#endif
