#ifndef ACCOUNT_CONTRACT_TEMPLATE_H
#define ACCOUNT_CONTRACT_TEMPLATE_H

#include <apr_hash.h>

#include "action/fields.h"
#include "contract/buffer.h"

/*
 * A reply's body, compiled at start: literal bytes and slots. %{…} without quotes is a value with
 * its own JSON type, %{…} inside a string is text. Substitution works on the parsed tree, so no
 * value can break out of its place.
 */
typedef struct account_template_t account_template_t;

/* AccountMap: keys to values, both ways. */
typedef struct account_map_t {
    const char *name;
    apr_array_header_t *entries; /* of account_map_entry_t, as written */
} account_map_t;

typedef struct account_map_entry_t {
    const char *key;  /* "*" stands for every other key */
    const char *text; /* the value as text, */
    const char *json; /* and as JSON */
} account_map_entry_t;

/* The entry for a dotted key, most specific first ("invalid.email", "invalid", "*"); NULL: none. */
const account_map_entry_t *account_map_find(const account_map_t *map, const char *key,
                                            apr_pool_t *pool);

/* What the names in a template mean where it is used. */
typedef struct account_scope_t {
    apr_hash_t *shapes;  /* name to its JSON text */
    apr_hash_t *maps;    /* name to account_map_t */
    const char *outcome; /* dotted; NULL: only the syntax is checked (a shape by itself) */
    const char *message; /* the outcome's AccountMessage; NULL: it has none */
    int carries;         /* ACCOUNT_CARRIES_* of the outcome */
    int depth;           /* of shapes within shapes */
} account_scope_t;

/* NULL, or a text for the administrator. *compiled lives in pool. A list needs a shape, which is
 * then rendered for each of its items: only there can slots of its items stand. */
const char *account_template_compile(const account_template_t **compiled, const char *json,
                                     const account_scope_t *scope, apr_pool_t *pool);

/* What has to be fetched before the template can be rendered; NULL where that is nothing. */
const account_needs_t *account_template_needs(const account_template_t *compiled);

/* NULL, or what is wrong with a text as such: a ${…} that was not replaced, bytes that are no
 * UTF-8. */
const char *account_template_check_text(const char *text, apr_pool_t *pool);

/* Fills the slots. mount: the path under which the contract is mounted. A status other than
 * APR_SUCCESS means that a value could not be had; the buffer is then worth nothing. */
apr_status_t account_template_render(const account_template_t *compiled, const account_call_t *call,
                                     const account_answer_t *answer, const char *mount,
                                     account_buffer_t *buffer);

#endif
