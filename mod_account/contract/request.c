#include "contract/request.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"

/* Device cookies of one request that count. */
#define DEVICE_COOKIES_MOST 4

const char account_pair_nested[] = "";

static int hex_digit(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_isxdigit(c) ? apr_tolower(c) - 'a' + 10 : -1;
}

/* One name or value, decoded once. NULL: malformed. */
static const char *decode(const char *text, apr_size_t length, apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, length + 1);
    char *end = decoded;
    apr_size_t i;

    for (i = 0; i < length; i++) {
        if (text[i] == '%') {
            int high = length - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

            if (low < 0) {
                return NULL;
            }
            *end++ = (char)(high * 16 + low);
            i += 2;
        }
        else {
            *end++ = text[i] == '+' ? ' ' : text[i];
        }
    }
    *end = '\0';
    return account_text_is_valid(decoded, end - decoded) ? decoded : NULL;
}

static int add(apr_array_header_t *pairs, const char *name, const char *value)
{
    account_pair_t *pair;

    if (!name || !value || pairs->nelts >= ACCOUNT_PAIRS) {
        return 0;
    }
    pair = apr_array_push(pairs);
    pair->name = name;
    pair->value = value;
    return 1;
}

int account_request_form(apr_array_header_t *pairs, const char *text, apr_size_t length)
{
    const char *end = text + length;

    while (text < end) {
        const char *next = memchr(text, '&', end - text);
        const char *stop = next ? next : end;
        const char *equals = memchr(text, '=', stop - text);
        const char *name_end = equals ? equals : stop;
        const char *value = equals ? equals + 1 : stop;

        if (stop > text
            && !add(pairs, decode(text, name_end - text, pairs->pool),
                    decode(value, stop - value, pairs->pool))) {
            return 0;
        }
        text = stop + 1;
    }
    return 1;
}

/* jansson's own limit is 2,048 levels: deep nesting is refused before it is parsed. */
static int is_too_deep(const char *text, apr_size_t length)
{
    int depth = 0, in_string = 0;
    apr_size_t i;

    for (i = 0; i < length; i++) {
        if (in_string && text[i] == '\\') {
            i++; /* and what is escaped */
            continue;
        }
        if (text[i] == '"') {
            in_string = !in_string;
        }
        if (in_string) {
            continue;
        }
        depth += text[i] == '{' || text[i] == '[' ? 1 : text[i] == '}' || text[i] == ']' ? -1 : 0;
        if (depth > ACCOUNT_JSON_DEPTH) {
            return 1;
        }
    }
    return 0;
}

static const char *value_of(json_t *value, apr_pool_t *pool)
{
    char *dumped;
    const char *copy;

    switch (json_typeof(value)) {
    case JSON_STRING:
        return apr_pstrdup(pool, json_string_value(value));
    case JSON_OBJECT:
    case JSON_ARRAY:
        return account_pair_nested;
    default:
        dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        copy = apr_pstrdup(pool, dumped);
        free(dumped);
        return copy;
    }
}

int account_request_json(apr_array_header_t *pairs, const char *text, apr_size_t length)
{
    json_t *object, *value;
    const char *key;
    int well = 1;

    if (is_too_deep(text, length)) {
        return 0;
    }
    object = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return 0;
    }
    json_object_foreach(object, key, value)
    {
        if (well && !json_is_null(value)) {
            well = add(pairs, apr_pstrdup(pairs->pool, key), value_of(value, pairs->pool));
        }
    }
    json_decref(object);
    return well;
}

account_body_e account_request_type(const char *content_type, apr_pool_t *pool)
{
    char *state, *copy, *part;
    account_body_e type;

    if (!content_type || !*content_type) {
        return ACCOUNT_BODY_NONE;
    }
    copy = apr_pstrdup(pool, content_type);
    part = apr_strtok(copy, "; \t", &state);
    if (!part) {
        return ACCOUNT_BODY_OTHER; /* separators only; state is not set */
    }
    type = strcasecmp(part, "application/x-www-form-urlencoded") == 0 ? ACCOUNT_BODY_FORM
           : strcasecmp(part, "application/json") == 0                ? ACCOUNT_BODY_JSON
                                                                      : ACCOUNT_BODY_OTHER;
    while ((part = apr_strtok(NULL, "; \t", &state)) != NULL) {
        if (strncasecmp(part, "charset=", 8) == 0 && strcasecmp(part + 8, "utf-8") != 0
            && strcasecmp(part + 8, "\"utf-8\"") != 0 && strcasecmp(part + 8, "utf8") != 0) {
            return ACCOUNT_BODY_OTHER;
        }
    }
    return type;
}

static int is_token(const char *value)
{
    apr_size_t length = strspn(value, "abcdefghijklmnopqrstuvwxyz234567");

    return length == 26 && !value[length];
}

apr_array_header_t *account_request_cookies(const char *header, const char *name, int limit,
                                            apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, 1, sizeof(const char *));
    apr_size_t length = strlen(name);
    const char *c = header;

    while (c && *c && values->nelts <= limit) {
        const char *stop;

        while (*c == ' ' || *c == ';' || *c == ',' || *c == '\t') {
            c++;
        }
        stop = c + strcspn(c, ";,");
        if (strncmp(c, name, length) == 0 && c[length] == '=') {
            const char *value = apr_pstrmemdup(pool, c + length + 1, stop - c - length - 1);

            if (is_token(value) && !account_text_is_in(values, value)) {
                APR_ARRAY_PUSH(values, const char *) = value;
            }
        }
        c = stop;
    }
    return values;
}

apr_array_header_t *account_request_device_cookies(const char *header, const char *name,
                                                   apr_pool_t *pool)
{
    return account_request_cookies(name ? header : NULL, name ? name : "", DEVICE_COOKIES_MOST - 1,
                                   pool);
}
