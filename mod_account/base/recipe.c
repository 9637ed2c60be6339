/* Requests by a recipe, and what their answers mean. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <jansson.h>

#include "base/recipe_parts.h"
#include "base/text.h"

const account_slot_t account_slots[] = {
    {"to", offsetof(account_parcel_t, to)},
    {"code", offsetof(account_parcel_t, code)},
    {"text", offsetof(account_parcel_t, text)},
    {"subject", offsetof(account_parcel_t, subject)},
    {"link", offsetof(account_parcel_t, link)},
    {"key", offsetof(account_parcel_t, key)},
    {"template", offsetof(account_parcel_t, name)},
    {"channel", offsetof(account_parcel_t, channel)},
    {NULL, 0},
};

const account_slot_t *account_slot_at(const char *text, const char **end)
{
    const char *close = strchr(text, '}');
    const account_slot_t *slot;

    for (slot = account_slots; close && slot->name; slot++) {
        size_t length = strlen(slot->name);

        if ((size_t)(close - text) == length + 2 && memcmp(text + 2, slot->name, length) == 0) {
            *end = close + 1;
            return slot;
        }
    }
    return NULL;
}

/* The text with its slots filled. They were checked at start. */
static const char *fill(const char *text, const account_parcel_t *parcel, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 4, sizeof(const char *));
    const char *open, *value;

    while ((open = strstr(text, "%{"))) {
        const char *end = open;
        const account_slot_t *slot = account_slot_at(open, &end);

        if (!slot) {
            break;
        }
        APR_ARRAY_PUSH(parts, const char *) = apr_pstrmemdup(pool, text, (apr_size_t)(open - text));
        value = *(const char *const *)((const char *)parcel + slot->place);
        APR_ARRAY_PUSH(parts, const char *) = value ? value : "";
        text = end;
    }
    APR_ARRAY_PUSH(parts, const char *) = text;
    return apr_array_pstrcat(pool, parts, 0);
}

/* ----------------------------------------------------------- filling it */

static const char *urlencoded(const char *text, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *made = apr_palloc(pool, 3 * strlen(text) + 1);
    char *at = made;

    for (; *text; text++) {
        if (apr_isalnum(*text) || strchr("-._~", *text)) {
            *at++ = *text;
        }
        else {
            *at++ = '%';
            *at++ = digits[(unsigned char)*text >> 4];
            *at++ = digits[(unsigned char)*text & 15];
        }
    }
    *at = '\0';
    return made;
}

/* a=b&c=d of an object of strings. */
static const char *fill_pairs(json_t *pairs, const account_parcel_t *parcel, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 16, sizeof(const char *));
    const char *name;
    json_t *value;

    json_object_foreach(pairs, name, value)
    {
        if (parts->nelts > 0) {
            APR_ARRAY_PUSH(parts, const char *) = "&";
        }
        APR_ARRAY_PUSH(parts, const char *) = urlencoded(name, pool);
        APR_ARRAY_PUSH(parts, const char *) = "=";
        APR_ARRAY_PUSH(parts, const char *) =
            urlencoded(fill(json_string_value(value), parcel, pool), pool);
    }
    return apr_array_pstrcat(pool, parts, 0);
}

/* A copy of the tree with its strings filled; NULL: one is not UTF-8. */
static json_t *fill_tree(json_t *tree, const account_parcel_t *parcel, apr_pool_t *pool)
{
    const char *name;
    json_t *copy, *item;
    size_t i;
    int is_right = 1;

    if (json_is_string(tree)) {
        return json_string(fill(json_string_value(tree), parcel, pool));
    }
    if (json_is_array(tree)) {
        copy = json_array();
        json_array_foreach(tree, i, item)
        {
            is_right = is_right && json_array_append_new(copy, fill_tree(item, parcel, pool)) == 0;
        }
    }
    else if (json_is_object(tree)) {
        copy = json_object();
        json_object_foreach(tree, name, item)
        {
            is_right =
                is_right && json_object_set_new(copy, name, fill_tree(item, parcel, pool)) == 0;
        }
    }
    else {
        return json_deep_copy(tree);
    }
    if (!is_right) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static const char *fill_json(json_t *tree, const account_parcel_t *parcel, apr_pool_t *pool)
{
    json_t *filled = fill_tree(tree, parcel, pool);
    char *text = filled ? json_dumps(filled, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const char *body = text ? apr_pstrdup(pool, text) : NULL;

    json_decref(filled);
    free(text);
    return body;
}

/* "Name: value" without anything that would end the line, nor blanks around the value. */
static const char *header_line(const char *name, const char *value, apr_pool_t *pool)
{
    char *clean = apr_pstrdup(pool, value);
    char *at;

    for (at = clean; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            *at = ' ';
        }
    }
    return apr_pstrcat(pool, name, ": ", account_text_trim(pool, clean), NULL);
}

/* Adds a header unless the template names it. */
static void add_default(apr_array_header_t *headers, const account_recipe_t *recipe,
                        const char *name, const char *value)
{
    const char *key;
    json_t *item;

    json_object_foreach(recipe->headers, key, item)
    {
        if (strcasecmp(key, name) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(headers, const char *) = header_line(name, value, headers->pool);
}

int account_recipe_fill(const account_recipe_t *recipe, const account_parcel_t *parcel,
                        account_order_t *order, apr_pool_t *pool)
{
    apr_array_header_t *headers = apr_array_make(pool, 8, sizeof(const char *));
    const char *type = NULL;
    const char *name;
    json_t *item;

    order->method = recipe->method;
    order->query = recipe->query ? fill_pairs(recipe->query, parcel, pool) : NULL;
    order->body = NULL;
    if (recipe->form) {
        order->body = fill_pairs(recipe->form, parcel, pool);
        type = "application/x-www-form-urlencoded";
    }
    else if (recipe->json) {
        order->body = fill_json(recipe->json, parcel, pool);
        type = "application/json";
        if (!order->body) {
            return 0;
        }
    }
    else if (recipe->body) {
        order->body = fill(recipe->body, parcel, pool);
        type = "text/plain; charset=utf-8";
    }
    json_object_foreach(recipe->headers, name, item)
    {
        APR_ARRAY_PUSH(headers, const char *) =
            header_line(name, fill(json_string_value(item), parcel, pool), pool);
    }
    if (type) {
        add_default(headers, recipe, "Content-Type", type);
    }
    add_default(headers, recipe, "Idempotency-Key", parcel->key);
    order->headers = headers;
    return 1;
}

/* ------------------------------------------------------------ judging it */

/* What is at a path of names and numbers; NULL: nothing. */
static json_t *at_path(json_t *tree, const char *path, apr_pool_t *pool)
{
    char *rest = apr_pstrdup(pool, path);
    char *state = NULL;
    char *name = apr_strtok(rest, ".", &state);

    for (; name && tree; name = apr_strtok(NULL, ".", &state)) {
        if (json_is_array(tree)) {
            tree = strspn(name, "0123456789") == strlen(name) && strlen(name) <= 6
                       ? json_array_get(tree, (size_t)strtoul(name, NULL, 10))
                       : NULL;
        }
        else {
            tree = json_object_get(tree, name);
        }
    }
    return tree;
}

static const char *judge_members(const account_recipe_t *recipe, const char *reply,
                                 apr_pool_t *pool)
{
    json_t *tree = json_loads(reply, JSON_DECODE_ANY, NULL);
    const char *lacks = tree ? NULL : "it is not JSON";
    const char *path;
    json_t *value;

    json_object_foreach(recipe->members, path, value)
    {
        json_t *found = lacks ? NULL : at_path(tree, path, pool);

        if (!lacks && !found) {
            lacks = apr_psprintf(pool, "it has no %s", path);
        }
        else if (!lacks && !json_equal(found, value)) {
            lacks = apr_psprintf(pool, "its %s is not what the template says", path);
        }
    }
    json_decref(tree);
    return lacks;
}

const char *account_recipe_judge(const account_recipe_t *recipe, int status, const char *reply,
                                 apr_pool_t *pool)
{
    int is_listed = !recipe->statuses && status >= 200 && status <= 299;
    json_t *item;
    size_t i;

    json_array_foreach(recipe->statuses, i, item)
    {
        is_listed = is_listed || json_integer_value(item) == status;
    }
    if (!is_listed) {
        return "its status is none of success";
    }
    if (recipe->contains && !strstr(reply, recipe->contains)) {
        return "it does not contain what the template says";
    }
    return recipe->members ? judge_members(recipe, reply, pool) : NULL;
}
