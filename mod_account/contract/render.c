#include "contract/pieces.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"

const account_map_entry_t *account_map_find(const account_map_t *map, const char *key,
                                            apr_pool_t *pool)
{
    const account_map_entry_t *entries = (const account_map_entry_t *)map->entries->elts;
    char *name = apr_pstrdup(pool, key);
    int i;

    for (;;) {
        char *dot;

        for (i = 0; i < map->entries->nelts; i++) {
            if (strcmp(entries[i].key, name) == 0) {
                return &entries[i];
            }
        }
        if (strcmp(name, "*") == 0) {
            return NULL;
        }
        dot = strrchr(name, '.');
        if (dot) {
            *dot = '\0';
        }
        else {
            name = "*";
        }
    }
}

/* A value while it goes through its filters: a field's, or what a map or or= put in its place. */
typedef struct filtered_t {
    account_value_t value;
    const account_map_entry_t *entry;
} filtered_t;

static const char *value_text(const account_value_t *value, apr_pool_t *pool)
{
    switch (value->type) {
    case ACCOUNT_TEXT:
    case ACCOUNT_DECIMAL:
        return value->text;
    case ACCOUNT_NUMBER:
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, value->number);
    case ACCOUNT_TRUTH:
        return value->number ? "true" : "false";
    default:
        return NULL;
    }
}

static void apply_filter(filtered_t *f, const account_filter_t *filter, apr_pool_t *pool)
{
    account_value_t *value = &f->value;
    const char *text;

    switch (filter->type) {
    case FILTER_ISO8601:
        if (value->type == ACCOUNT_NUMBER) {
            value->text = account_text_iso8601(pool, value->number, (int)filter->number);
            value->type = ACCOUNT_TEXT;
        }
        break;
    case FILTER_ADD:
        if (value->type == ACCOUNT_NUMBER) {
            value->number += filter->number;
        }
        break;
    case FILTER_OR:
        if (value->type == ACCOUNT_NULL && !f->entry) {
            f->entry = &filter->fallback;
        }
        break;
    case FILTER_MAP:
        text = f->entry ? f->entry->text : value_text(value, pool);
        f->entry = account_map_find(filter->map, text ? text : "*", pool);
        value->type = ACCOUNT_NULL;
        break;
    }
}

static void render_value(const filtered_t *f, int in_string, account_buffer_t *buffer)
{
    const char *text = f->entry ? f->entry->text : value_text(&f->value, buffer->pool);

    if (in_string) {
        account_buffer_add_json(buffer, text ? text : "");
    }
    else if (f->entry) {
        account_buffer_add_text(buffer, f->entry->json);
    }
    else if (f->value.type == ACCOUNT_TEXT) {
        account_buffer_add_text(buffer, "\"");
        account_buffer_add_json(buffer, text);
        account_buffer_add_text(buffer, "\"");
    }
    else {
        account_buffer_add_text(buffer, text ? text : "null");
    }
}

/* An array of what each item looks like. */
static apr_status_t render_list(const account_piece_t *piece, const account_call_t *call,
                                const account_answer_t *answer, const char *mount,
                                account_buffer_t *buffer)
{
    account_value_t value = {.type = ACCOUNT_NULL};
    account_answer_t item = *answer;
    apr_status_t rv = piece->field->get(call, answer, piece->rest, &value);
    int i;

    account_buffer_add_text(buffer, "[");
    for (i = 0; rv == APR_SUCCESS && value.list && i < value.list->nelts; i++) {
        item.item = value.list->elts + (apr_size_t)i * (apr_size_t)value.list->elt_size;
        account_buffer_add_text(buffer, i ? "," : "");
        rv = account_template_render(piece->item, call, &item, mount, buffer);
    }
    account_buffer_add_text(buffer, "]");
    return rv;
}

static apr_status_t render_slot(const account_piece_t *piece, const account_call_t *call,
                                const account_answer_t *answer, const char *mount,
                                account_buffer_t *buffer)
{
    filtered_t f = {{ACCOUNT_TEXT, mount, 0, NULL}, NULL};
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!piece->is_mount) {
        rv = piece->field->get(call, answer, piece->rest, &f.value);
    }
    if (rv == APR_SUCCESS) {
        for (i = 0; i < piece->filters->nelts; i++) {
            apply_filter(&f, &APR_ARRAY_IDX(piece->filters, i, account_filter_t), buffer->pool);
        }
        render_value(&f, piece->in_string, buffer);
    }
    return rv;
}

apr_status_t account_template_render(const account_template_t *compiled, const account_call_t *call,
                                     const account_answer_t *answer, const char *mount,
                                     account_buffer_t *buffer)
{
    const account_piece_t *pieces = (const account_piece_t *)compiled->pieces->elts;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < compiled->pieces->nelts && rv == APR_SUCCESS; i++) {
        const account_piece_t *piece = &pieces[i];

        if (piece->bytes) {
            account_buffer_add(buffer, piece->bytes, piece->length);
        }
        else {
            rv = piece->item ? render_list(piece, call, answer, mount, buffer)
                             : render_slot(piece, call, answer, mount, buffer);
        }
    }
    return rv;
}
