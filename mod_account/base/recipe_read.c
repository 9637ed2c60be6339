#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/recipe_parts.h"
#include "base/text.h"

/* Reads a request template, and complains of everything in it that is not right. */

#define SLOT_NAMES "%{to} %{code} %{text} %{subject} %{link} %{key} %{template} %{channel}"

/* What is being read. */
typedef struct reading_t {
    account_recipe_t *recipe;
    const char *file;
    unsigned seen; /* slots, a bit each */
    apr_pool_t *pool;
} reading_t;

/* An error text with the file and the member's path in front. */
#define wrong(reading, path, ...)                                                                  \
    apr_pstrcat((reading)->pool, (reading)->file, ": ", (path), ": ",                              \
                apr_psprintf((reading)->pool, __VA_ARGS__), NULL)

static const char *path_of(reading_t *reading, const char *path, const char *name)
{
    return *path ? apr_pstrcat(reading->pool, path, ".", name, NULL) : name;
}

/* Looks at the slots of a string. */
static const char *check_text(reading_t *reading, const char *path, const char *text)
{
    const char *open = text;

    while ((open = strstr(open, "%{"))) {
        const char *end = open;
        const account_slot_t *slot = account_slot_at(open, &end);

        if (!slot) {
            const char *close = strchr(open, '}');

            return wrong(reading, path, "there is no %s; there are %s",
                         close ? apr_pstrmemdup(reading->pool, open, (apr_size_t)(close + 1 - open))
                               : "%{ without }",
                         SLOT_NAMES);
        }
        reading->seen |= 1u << (slot - account_slots);
        open = end;
    }
    return NULL;
}

/* The same of all strings below a value. */
static const char *check_tree(reading_t *reading, const char *path, json_t *value)
{
    const char *error = NULL;
    const char *name;
    json_t *item;
    size_t i;

    if (json_is_string(value)) {
        return check_text(reading, path, json_string_value(value));
    }
    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            error = check_tree(reading, apr_psprintf(reading->pool, "%s[%d]", path, (int)i), item);
            if (error) {
                return error;
            }
        }
    }
    json_object_foreach(value, name, item)
    {
        if (strstr(name, "%{")) {
            return wrong(reading, path, "the name \"%s\" can't have a slot; values can", name);
        }
        error = check_tree(reading, path_of(reading, path, name), item);
        if (error) {
            return error;
        }
    }
    return NULL;
}

/* An object whose values are strings. */
static const char *check_strings(reading_t *reading, const char *path, json_t *value)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value)) {
        return wrong(reading, path, "must be an object: {\"name\": \"value\"}");
    }
    json_object_foreach(value, name, item)
    {
        if (!json_is_string(item)) {
            return wrong(reading, path_of(reading, path, name), "must be a string");
        }
    }
    return check_tree(reading, path, value);
}

static const char *read_method(reading_t *reading, const char *path, json_t *value)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH"};
    const char *method = json_string_value(value);
    size_t i;

    for (i = 0; method && i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(method, methods[i]) == 0) {
            reading->recipe->method = methods[i];
            return NULL;
        }
    }
    return wrong(reading, path, "must be \"GET\", \"POST\", \"PUT\" or \"PATCH\"");
}

static int is_token(const char *text)
{
    const char *at;

    for (at = text; *at; at++) {
        if (!apr_isalnum(*at) && !strchr("!#$%&'*+-.^_`|~", *at)) {
            return 0;
        }
    }
    return at > text;
}

static const char *read_headers(reading_t *reading, const char *path, json_t *value)
{
    const char *error = check_strings(reading, path, value);
    const char *name;
    json_t *item;

    if (error) {
        return error;
    }
    json_object_foreach(value, name, item)
    {
        const char *here = path_of(reading, path, name);

        if (!is_token(name)) {
            return wrong(reading, here, "is no name of a header");
        }
        if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0
            || strcasecmp(name, "Connection") == 0) {
            return wrong(reading, here, "is a header that the server makes by itself");
        }
        if (account_text_has_control(json_string_value(item))) {
            return wrong(reading, here, "a header can't have control characters");
        }
    }
    reading->recipe->headers = value;
    return NULL;
}

static const char *read_query(reading_t *reading, const char *path, json_t *value)
{
    reading->recipe->query = value;
    return check_strings(reading, path, value);
}

static const char *read_form(reading_t *reading, const char *path, json_t *value)
{
    reading->recipe->form = value;
    return check_strings(reading, path, value);
}

static const char *read_json(reading_t *reading, const char *path, json_t *value)
{
    reading->recipe->json = value;
    return check_tree(reading, path, value);
}

static const char *read_body(reading_t *reading, const char *path, json_t *value)
{
    if (!json_is_string(value)) {
        return wrong(reading, path, "must be a string");
    }
    reading->recipe->body = json_string_value(value);
    return check_text(reading, path, reading->recipe->body);
}

static const char *read_statuses(reading_t *reading, const char *path, json_t *value)
{
    json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) == 0) {
        return wrong(reading, path, "must be a list of HTTP statuses: [200, 201]");
    }
    json_array_foreach(value, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 200
            || json_integer_value(item) > 599) {
            return wrong(reading, apr_psprintf(reading->pool, "%s[%d]", path, (int)i),
                         "must be an HTTP status, 200 to 599");
        }
    }
    reading->recipe->statuses = value;
    return NULL;
}

static const char *read_members(reading_t *reading, const char *path, json_t *value)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value) || json_object_size(value) == 0) {
        return wrong(reading, path,
                     "must be an object of what the answer has to hold: {\"data.code\": 0}");
    }
    json_object_foreach(value, name, item)
    {
        const char *here = path_of(reading, path, name);

        if (json_is_object(item) || json_is_array(item)) {
            return wrong(reading, here,
                         "must be a string, a number, true, false or null; a path like "
                         "\"data.code\" leads into the answer");
        }
        if (!*name || *name == '.' || name[strlen(name) - 1] == '.' || strstr(name, "..")) {
            return wrong(reading, here, "is no path: names and numbers with dots between");
        }
    }
    reading->recipe->members = value;
    return NULL;
}

static const char *read_contains(reading_t *reading, const char *path, json_t *value)
{
    reading->recipe->contains = json_string_value(value);
    if (!reading->recipe->contains || !*reading->recipe->contains) {
        return wrong(reading, path, "must be a string that the answer has to hold");
    }
    return NULL;
}

typedef struct member_t {
    const char *name;
    const char *(*read)(reading_t *reading, const char *path, json_t *value);
} member_t;

/* Reads the members of an object by their table. */
static const char *read_object(reading_t *reading, const char *path, json_t *value,
                               const member_t *members)
{
    const member_t *member;
    const char *name, *error;
    json_t *item;

    if (!json_is_object(value)) {
        return wrong(reading, *path ? path : "all of it", "must be an object: {…}");
    }
    json_object_foreach(value, name, item)
    {
        const char *here = path_of(reading, path, name);

        for (member = members; member->name && strcmp(member->name, name) != 0; member++) {
        }
        if (!member->name) {
            const char *names = "";

            for (member = members; member->name; member++) {
                names = apr_pstrcat(reading->pool, names, *names ? ", " : "", member->name, NULL);
            }
            return wrong(reading, here, "there is no such member; there are %s", names);
        }
        error = member->read(reading, here, item);
        if (error) {
            return error;
        }
    }
    return NULL;
}

static const char *read_success(reading_t *reading, const char *path, json_t *value)
{
    static const member_t members[] = {
        {"status", read_statuses},
        {"json", read_members},
        {"contains", read_contains},
        {NULL, NULL},
    };

    return read_object(reading, path, value, members);
}

/* Whether some string of the template holds the slot. */
static int has_slot(const reading_t *reading, const char *name)
{
    const account_slot_t *slot = account_slots;

    while (strcmp(slot->name, name) != 0) {
        slot++;
    }
    return (reading->seen & 1u << (slot - account_slots)) != 0;
}

/* What only the whole tells. */
static const char *check_whole(reading_t *reading)
{
    account_recipe_t *recipe = reading->recipe;
    int bodies = (recipe->form != NULL) + (recipe->json != NULL) + (recipe->body != NULL);
    if (bodies > 1) {
        return apr_pstrcat(reading->pool, reading->file,
                           ": only one of form, json and body can be the request's body", NULL);
    }
    recipe->method = recipe->method ? recipe->method : bodies ? "POST" : "GET";
    if (bodies && strcmp(recipe->method, "GET") == 0) {
        return wrong(reading, "method", "GET has no body: use query, or POST");
    }
    if (!has_slot(reading, "to")) {
        return apr_pstrcat(reading->pool, reading->file,
                           ": nothing in it says whom the message is for: %{to} is missing", NULL);
    }
    if (has_slot(reading, "text") || (has_slot(reading, "code") && has_slot(reading, "link"))) {
        return NULL;
    }
    if (has_slot(reading, "code") || has_slot(reading, "link")) {
        const char *other = has_slot(reading, "code") ? "%{link}" : "%{code}";

        return apr_pstrcat(reading->pool, reading->file,
                           ": some messages would arrive empty: add %{text}, or ", other, NULL);
    }
    return apr_pstrcat(reading->pool, reading->file,
                       ": nothing in it sends the message: add %{text}, or %{code} and %{link}",
                       NULL);
}

static apr_status_t forget(void *tree)
{
    json_decref(tree);
    return APR_SUCCESS;
}

const char *account_recipe_parse(account_recipe_t **recipe, const char *text, const char *file,
                                 apr_pool_t *pool)
{
    static const member_t members[] = {
        {"method", read_method},   {"headers", read_headers},
        {"query", read_query},     {"form", read_form},
        {"json", read_json},       {"body", read_body},
        {"success", read_success}, {NULL, NULL},
    };
    reading_t reading = {apr_pcalloc(pool, sizeof(account_recipe_t)), file, 0, pool};
    json_error_t place;
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, &place);
    const char *error;

    if (!tree) {
        return apr_psprintf(pool, "%s is not valid JSON: line %d, column %d: %s", file, place.line,
                            place.column, place.text);
    }
    apr_pool_cleanup_register(pool, tree, forget, apr_pool_cleanup_null);
    error = read_object(&reading, "", tree, members);
    if (!error) {
        error = check_whole(&reading);
    }
    if (!error) {
        *recipe = reading.recipe;
    }
    return error;
}
