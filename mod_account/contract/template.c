#include "contract/pieces.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#include "action/registry.h"
#include "base/text.h"
#include "contract/line.h"

#define SHAPE_DEPTH 8
/* Begins a JSON string that stands for a slot without quotes; no template may have it itself. */
#define BARE '\1'

typedef struct compiler_t {
    const account_scope_t *scope;
    apr_array_header_t *pieces;
    apr_array_header_t *bare; /* of const char *: the slots without quotes, by number */
    account_buffer_t literal; /* what came since the last slot */
    account_needs_t *needs;
    apr_pool_t *pool;
} compiler_t;

static const char *emit_json(compiler_t *c, const char *text);
static const char *emit_text(compiler_t *c, const char *text);

const char *account_template_check_text(const char *text, apr_pool_t *pool)
{
    const char *left = strstr(text, "${");

    if (!account_text_is_valid(text, strlen(text))) {
        return "the text is not valid UTF-8";
    }
    return left
               ? apr_psprintf(pool, "%.40s was not replaced: there is no Define of that name", left)
               : NULL;
}

/* The closing brace of the slot whose text begins at start, NULL if there is none. */
static const char *slot_end(const char *start)
{
    int depth = 1;
    int in_string = 0; /* in JSON of the filter or= */

    for (; *start; start++) {
        in_string ^= *start == '"' && start[-1] != '\\';
        depth += in_string ? 0 : *start == '{' ? 1 : *start == '}' ? -1 : 0;
        if (depth == 0) {
            return start;
        }
    }
    return NULL;
}

/* Replaces each slot outside of strings by a string that carries its number, so that what is left
 * is JSON. */
static const char *mark_bare_slots(compiler_t *c, const char *text, const char **marked)
{
    account_buffer_t buffer;
    int in_string = 0;
    const char *end;

    account_buffer_init(&buffer, strlen(text) + 64, c->pool);
    for (; *text; text++) {
        if (text[0] == '%' && text[1] == '{') {
            end = slot_end(text + 2);
            if (!end) {
                return apr_psprintf(c->pool, "the %%{ at %.30s is not closed", text);
            }
            if (in_string) {
                account_buffer_add(&buffer, text, end + 1 - text);
            }
            else {
                account_buffer_add_text(&buffer,
                                        apr_psprintf(c->pool, "\"\\u0001%d\"", c->bare->nelts));
                APR_ARRAY_PUSH(c->bare, const char *) =
                    apr_pstrmemdup(c->pool, text + 2, end - text - 2);
            }
            text = end;
            continue;
        }
        if (in_string && *text == '\\' && text[1]) {
            if (strncmp(text, "\\u0001", 6) == 0) {
                return "\\u0001 can't stand in a template";
            }
            account_buffer_add(&buffer, text++, 1);
        }
        else if (*text == '"') {
            in_string = !in_string;
        }
        account_buffer_add(&buffer, text, 1);
    }
    *marked = buffer.bytes;
    return NULL;
}

static void flush_literal(compiler_t *c)
{
    if (c->literal.length > 0) {
        account_piece_t *piece = apr_array_push(c->pieces);

        memset(piece, 0, sizeof(*piece));
        piece->bytes = apr_pstrmemdup(c->pool, c->literal.bytes, c->literal.length);
        piece->length = c->literal.length;
        c->literal.length = 0;
    }
}

static const char *parse_zone(const char *zone, apr_int64_t *minutes, apr_pool_t *pool)
{
    if ((*zone != '+' && *zone != '-') || strlen(zone) != 6 || zone[3] != ':'
        || !apr_isdigit(zone[1]) || !apr_isdigit(zone[2]) || !apr_isdigit(zone[4])
        || !apr_isdigit(zone[5])) {
        return apr_psprintf(pool, "\"%s\" is no time zone: write it as +08:00", zone);
    }
    *minutes = 60 * apr_strtoi64(apr_pstrmemdup(pool, zone + 1, 2), NULL, 10)
               + apr_strtoi64(zone + 4, NULL, 10);
    if (*minutes > 14 * 60) {
        return apr_psprintf(pool, "\"%s\" is no time zone: at most 14:00", zone);
    }
    *minutes = *zone == '-' ? -*minutes : *minutes;
    return NULL;
}

static const char *const *hash_names(apr_hash_t *hash, const char *const *more, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 16, sizeof(const char *));
    apr_hash_index_t *i;

    for (i = apr_hash_first(pool, hash); i; i = apr_hash_next(i)) {
        APR_ARRAY_PUSH(names, const char *) = apr_hash_this_key(i);
    }
    for (; *more; more++) {
        APR_ARRAY_PUSH(names, const char *) = *more;
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return (const char *const *)names->elts;
}

static const char *parse_filter(compiler_t *c, const char *text, account_filter_t *filter)
{
    static const char *const built_in[] = {"iso8601", "add", "or", NULL};
    apr_hash_t *known = apr_hash_overlay(c->pool, c->scope->shapes, c->scope->maps);
    const char *argument = strchr(text, '=');
    const char *name = argument ? apr_pstrmemdup(c->pool, text, argument - text) : text;
    char *end;

    memset(filter, 0, sizeof(*filter));
    argument = argument ? argument + 1 : NULL;
    if (strcmp(name, "iso8601") == 0) {
        filter->type = FILTER_ISO8601;
        return argument ? parse_zone(argument, &filter->number, c->pool) : NULL;
    }
    if (strcmp(name, "add") == 0) {
        filter->type = FILTER_ADD;
        filter->number = argument ? apr_strtoi64(argument, &end, 10) : 0;
        return argument && *argument && !*end && strlen(argument) <= 16
                   ? NULL
                   : "the filter add takes a whole number, as in add=100000";
    }
    if (strcmp(name, "or") == 0) {
        json_t *json = argument ? json_loads(argument, JSON_DECODE_ANY, NULL) : NULL;

        filter->type = FILTER_OR;
        filter->fallback.json = argument;
        filter->fallback.text =
            json_is_string(json) ? apr_pstrdup(c->pool, json_string_value(json)) : argument;
        json_decref(json);
        return json ? NULL : "the filter or takes JSON, as in or=0 or or=\"\"";
    }
    filter->type = FILTER_MAP;
    filter->map = apr_hash_get(c->scope->maps, name, APR_HASH_KEY_STRING);
    return filter->map ? NULL
                       : apr_psprintf(c->pool, "there is no filter, map or shape %s%s", name,
                                      account_line_suggest(
                                          name, hash_names(known, built_in, c->pool), c->pool));
}

/* %{outcome}, alone or through one map: known now, so it becomes a literal. */
static const char *emit_outcome(compiler_t *c, const apr_array_header_t *filters, int in_string)
{
    account_map_entry_t plain = {NULL, c->scope->outcome, NULL};
    const account_map_entry_t *entry = &plain;
    const account_filter_t *filter =
        filters->nelts ? &APR_ARRAY_IDX(filters, 0, account_filter_t) : NULL;

    if (filter && (filter->type != FILTER_MAP || filters->nelts > 1)) {
        return "%{outcome} takes one AccountMap and no other filter";
    }
    if (filter) {
        entry = account_map_find(filter->map, c->scope->outcome, c->pool);
        if (!entry) {
            return apr_psprintf(c->pool, "AccountMap %s has no entry for the outcome %s, and no *",
                                filter->map->name, c->scope->outcome);
        }
    }
    if (in_string) {
        account_buffer_add_json(&c->literal, entry->text);
    }
    else if (entry->json) {
        account_buffer_add_text(&c->literal, entry->json);
    }
    else {
        account_buffer_add_text(&c->literal, "\"");
        account_buffer_add_json(&c->literal, entry->text);
        account_buffer_add_text(&c->literal, "\"");
    }
    return NULL;
}

static const char *emit_message(compiler_t *c, int in_string)
{
    const char *error;

    if (!c->scope->message) {
        return apr_psprintf(c->pool,
                            "the outcome %s is shown with %%{message} and has no AccountMessage",
                            c->scope->outcome);
    }
    if (strstr(c->scope->message, "%{message}")) {
        return "an AccountMessage can't contain %{message}";
    }
    if (!in_string) {
        account_buffer_add_text(&c->literal, "\"");
    }
    error = emit_text(c, c->scope->message);
    if (!in_string) {
        account_buffer_add_text(&c->literal, "\"");
    }
    return error;
}

/* The other shape's text in the place of its name. */
static const char *emit_shape(compiler_t *c, const char *name, const char *json)
{
    account_scope_t inner = *c->scope;
    compiler_t nested = *c;
    const char *error;

    if (++inner.depth > SHAPE_DEPTH) {
        return apr_psprintf(c->pool, "the shape %s contains itself", name);
    }
    nested.scope = &inner;
    nested.bare = apr_array_make(c->pool, 8, sizeof(const char *));
    error = emit_json(&nested, json);
    c->literal = nested.literal;
    return error && c->scope->depth == 0
               ? apr_psprintf(c->pool, "%s (in AccountShape %s)", error, name)
               : error;
}

static const char *unknown_name(compiler_t *c, const char *name)
{
    apr_array_header_t *names = apr_array_make(c->pool, 64, sizeof(const char *));
    const account_input_t *profile;
    const account_field_t *field;

    for (field = account_fields; field->name; field++) {
        APR_ARRAY_PUSH(names, const char *) = field->name;
    }
    for (profile = account_profile_inputs; profile->name; profile++) {
        APR_ARRAY_PUSH(names, const char *) = apr_pstrcat(c->pool, "account.", profile->name, NULL);
    }
    APR_ARRAY_PUSH(names, const char *) = "message";
    APR_ARRAY_PUSH(names, const char *) = "outcome";
    APR_ARRAY_PUSH(names, const char *) = "mount";
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return apr_psprintf(c->pool, "there is no value %%{%s}%s", name,
                        account_line_suggest(
                            name,
                            hash_names(c->scope->shapes, (const char *const *)names->elts, c->pool),
                            c->pool));
}

static const char *check_carried(compiler_t *c, const account_field_t *field, const char *name)
{
    /* A shape by itself says nothing of its outcome. */
    if (!c->scope->outcome || (field->group & c->scope->carries)) {
        return NULL;
    }
    return apr_psprintf(c->pool, "the outcome %s does not carry %%{%s}", c->scope->outcome, name);
}

/* *item: the name of the shape among the filters, which a list takes; NULL: there is none. */
static const char *split_slot(compiler_t *c, const char *slot, const char **name,
                              apr_array_header_t **filters, const char **item)
{
    const char *bar = strchr(slot, '|');
    const char *error = NULL;

    *filters = apr_array_make(c->pool, 1, sizeof(account_filter_t));
    *name = bar ? apr_pstrmemdup(c->pool, slot, bar - slot) : slot;
    *item = NULL;
    while (bar && !error) {
        const char *text = bar + 1;

        /* what follows or= is JSON to the end of the slot, bars included */
        bar = strncmp(text, "or=", 3) == 0 ? NULL : strchr(text, '|');
        text = bar ? apr_pstrmemdup(c->pool, text, bar - text) : text;
        if (apr_hash_get(c->scope->shapes, text, APR_HASH_KEY_STRING)) {
            error = *item ? "a list takes one shape, not two" : NULL;
            *item = text;
        }
        else {
            error = parse_filter(c, text, apr_array_push(*filters));
        }
    }
    return error;
}

static account_piece_t *add_slot(compiler_t *c, const account_field_t *field)
{
    account_piece_t *piece;

    flush_literal(c);
    piece = apr_array_push(c->pieces);
    memset(piece, 0, sizeof(*piece));
    piece->field = field;
    return piece;
}

/* A list: what its items look like is compiled apart. */
static const char *emit_list(compiler_t *c, const account_field_t *field, const char *shape,
                             int filters)
{
    account_scope_t scope = *c->scope;
    account_template_t *template = apr_pcalloc(c->pool, sizeof(*template));
    compiler_t item = *c;
    const char *error;

    if (!shape || filters) {
        return apr_psprintf(c->pool,
                            "the list %%{%s} takes an AccountShape for its items and no other "
                            "filter: %%{%s|SHAPE}",
                            field->name, field->name);
    }
    if (c->scope->carries & ACCOUNT_CARRIES_ITEM) {
        return apr_psprintf(c->pool, "the list %%{%s} can't stand in an item of a list",
                            field->name);
    }
    scope.carries |= field->items;
    item.scope = &scope;
    item.pieces = apr_array_make(c->pool, 8, sizeof(account_piece_t));
    account_buffer_init(&item.literal, 64, c->pool);
    error = emit_shape(&item, shape, apr_hash_get(scope.shapes, shape, APR_HASH_KEY_STRING));
    flush_literal(&item);
    template->pieces = item.pieces;
    add_slot(c, field)->item = template;
    return error;
}

static void note_need(compiler_t *c, const account_field_t *field, const char *rest)
{
    const apr_array_header_t *extras = c->needs->extras;
    int i;

    c->needs->points |= field->group == ACCOUNT_CARRIES_POINTS
                            ? strncmp(field->name, "points.", 7) == 0
                            : strncmp(field->name, "account.points", 14) == 0;
    if (strcmp(field->name, "account.extra.") == 0) {
        for (i = 0; i < extras->nelts; i++) {
            if (strcmp(APR_ARRAY_IDX(extras, i, const char *), rest) == 0) {
                return;
            }
        }
        APR_ARRAY_PUSH((apr_array_header_t *)extras, const char *) = rest;
    }
}

/* Where a value may stand: its outcome carries it, a list where JSON is wanted. */
static const char *check_field(compiler_t *c, const account_field_t *field, const char *name,
                               const char *shape, int in_string)
{
    /* those that are no fields may only have got here with a shape as a filter */
    if (!field && strcmp(name, "outcome") != 0 && strcmp(name, "mount") != 0) {
        return unknown_name(c, name);
    }
    if (!field || (shape && !field->items)) {
        return apr_psprintf(c->pool, "%%{%s} is no list: a shape is no filter for it", name);
    }
    if (field->items && in_string) {
        return apr_psprintf(c->pool, "the list %%{%s} can't stand in quotes", name);
    }
    return check_carried(c, field, name);
}

static const char *emit_slot(compiler_t *c, const char *slot, int in_string)
{
    apr_array_header_t *filters;
    const account_field_t *field = NULL;
    const char *name, *shape, *item, *rest = NULL;
    const char *error = split_slot(c, slot, &name, &filters, &item);
    account_piece_t *piece;
    int is_mount;

    if (error) {
        return error;
    }
    shape = apr_hash_get(c->scope->shapes, name, APR_HASH_KEY_STRING);
    if (shape) {
        return in_string ? apr_psprintf(c->pool, "the shape %%{%s} can't stand in quotes", name)
               : filters->nelts || item
                   ? apr_psprintf(c->pool, "the shape %%{%s} takes no filter", name)
                   : emit_shape(c, name, shape);
    }
    if (strcmp(name, "message") == 0) {
        return !c->scope->outcome       ? NULL
               : filters->nelts || item ? "%{message} takes no filter"
                                        : emit_message(c, in_string);
    }
    if (strcmp(name, "outcome") == 0 && !item) {
        return c->scope->outcome ? emit_outcome(c, filters, in_string) : NULL;
    }
    is_mount = strcmp(name, "mount") == 0 && !item;
    if (!is_mount) {
        field = account_field_find(name, &rest);
        error = check_field(c, field, name, item, in_string);
        if (error || field->items) {
            return error ? error : emit_list(c, field, item, filters->nelts);
        }
        note_need(c, field, rest);
    }
    piece = add_slot(c, field);
    piece->rest = rest;
    piece->filters = filters;
    piece->is_mount = is_mount;
    piece->in_string = in_string;
    return NULL;
}

/* The inside of a JSON string: text with slots in it. */
static const char *emit_text(compiler_t *c, const char *text)
{
    const char *error = NULL;

    while (!error) {
        const char *start = strstr(text, "%{");
        const char *end = start ? slot_end(start + 2) : NULL;

        if (!start) {
            account_buffer_add_json(&c->literal, text);
            break;
        }
        if (!end) {
            return apr_psprintf(c->pool, "the %%{ at %.30s is not closed", start);
        }
        account_buffer_add_json(&c->literal, apr_pstrmemdup(c->pool, text, start - text));
        error = emit_slot(c, apr_pstrmemdup(c->pool, start + 2, end - start - 2), 1);
        text = end + 1;
    }
    return error;
}

static const char *emit_node(compiler_t *c, json_t *node)
{
    const char *error = NULL;
    const char *key, *text;
    const char *separator = "";
    json_t *value;
    size_t i;
    char *number;

    switch (json_typeof(node)) {
    case JSON_OBJECT:
        account_buffer_add_text(&c->literal, "{");
        json_object_foreach(node, key, value)
        {
            if (error) {
                break;
            }
            if (*key == BARE || strstr(key, "%{")) {
                return "a name can't be a %{slot}";
            }
            account_buffer_add_text(&c->literal, separator);
            account_buffer_add_text(&c->literal, "\"");
            account_buffer_add_json(&c->literal, key);
            account_buffer_add_text(&c->literal, "\":");
            error = emit_node(c, value);
            separator = ",";
        }
        account_buffer_add_text(&c->literal, "}");
        return error;
    case JSON_ARRAY:
        account_buffer_add_text(&c->literal, "[");
        json_array_foreach(node, i, value)
        {
            account_buffer_add_text(&c->literal, separator);
            error = error ? error : emit_node(c, value);
            separator = ",";
        }
        account_buffer_add_text(&c->literal, "]");
        return error;
    case JSON_STRING:
        text = json_string_value(node);
        if (*text == BARE) {
            return emit_slot(c, APR_ARRAY_IDX(c->bare, apr_atoi64(text + 1), const char *), 0);
        }
        account_buffer_add_text(&c->literal, "\"");
        error = emit_text(c, text);
        account_buffer_add_text(&c->literal, "\"");
        return error;
    default:
        number = json_dumps(node, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        account_buffer_add_text(&c->literal, number ? number : "null");
        free(number);
        return NULL;
    }
}

static const char *emit_json(compiler_t *c, const char *text)
{
    const char *marked = "", *error = mark_bare_slots(c, text, &marked);
    json_error_t place;
    json_t *tree;

    if (error) {
        return error;
    }
    tree = json_loads(marked, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &place);
    if (!tree) {
        int from = place.position > 25 ? place.position - 25 : 0;

        return apr_psprintf(c->pool, "this is not JSON: %s, near …%.30s", place.text,
                            from < (int)strlen(marked) ? marked + from : "");
    }
    error = emit_node(c, tree);
    json_decref(tree);
    return error;
}

const char *account_template_compile(const account_template_t **compiled, const char *json,
                                     const account_scope_t *scope, apr_pool_t *pool)
{
    account_template_t *template = apr_pcalloc(pool, sizeof(*template));
    compiler_t c = {scope,
                    apr_array_make(pool, 8, sizeof(account_piece_t)),
                    apr_array_make(pool, 8, sizeof(const char *)),
                    {0},
                    &template->needs,
                    pool};
    const char *error = account_template_check_text(json, pool);

    template->needs.extras = apr_array_make(pool, 1, sizeof(const char *));
    account_buffer_init(&c.literal, strlen(json), pool);
    if (!error) {
        error = emit_json(&c, json);
    }
    flush_literal(&c);
    template->pieces = c.pieces;
    *compiled = template;
    return error;
}

const account_needs_t *account_template_needs(const account_template_t *compiled)
{
    return compiled->needs.points || compiled->needs.extras->nelts ? &compiled->needs : NULL;
}
