#ifndef ACCOUNT_CONTRACT_PIECES_H
#define ACCOUNT_CONTRACT_PIECES_H

#include "contract/template.h"

/* What a compiled template is made of: template.c makes it, render.c reads it, nobody else. */

typedef struct account_filter_t {
    enum { FILTER_ISO8601, FILTER_ADD, FILTER_OR, FILTER_MAP } type;
    apr_int64_t number; /* minutes of the zone; what to add */
    account_map_entry_t fallback;
    const account_map_t *map;
} account_filter_t;

typedef struct account_piece_t {
    const char *bytes; /* a literal, */
    apr_size_t length;
    const account_field_t *field; /* or a slot */
    const char *rest;
    apr_array_header_t *filters;    /* of account_filter_t */
    const account_template_t *item; /* of a list: what each of its items looks like */
    int is_mount;
    int in_string;
} account_piece_t;

struct account_template_t {
    apr_array_header_t *pieces; /* of account_piece_t */
    account_needs_t needs;      /* of all its slots, those in items included */
};

#endif
