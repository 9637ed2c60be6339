#ifndef ACCOUNT_BASE_RECIPE_PARTS_H
#define ACCOUNT_BASE_RECIPE_PARTS_H

#include <jansson.h>

#include "base/recipe.h"

/* What the two halves of recipe.h share: recipe_read.c compiles a template, recipe.c uses it. */

struct account_recipe_t {
    const char *method;
    /* Parts of one tree that is only read; NULL: not in the template. */
    json_t *headers;
    json_t *query;
    json_t *form;
    json_t *json;
    const char *body;
    json_t *statuses;
    json_t *members;
    const char *contains;
};

typedef struct account_slot_t {
    const char *name;
    size_t place; /* of the text, in a parcel */
} account_slot_t;

/* All there are; the last has the name NULL. */
extern const account_slot_t account_slots[];

/* The slot whose "%{" text begins with, its end behind the "}"; NULL: there is no such slot. */
const account_slot_t *account_slot_at(const char *text, const char **end);

#endif
