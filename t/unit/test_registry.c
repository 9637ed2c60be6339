/*
 * The README's tables of actions and fields say what the registry says: each row is made here from
 * the table in C and must stand in README.md as it is. "test_registry print" prints the rows.
 */
#include <apr_general.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>

#include "action/fields.h"
#include "action/limits.h"
#include "action/registry.h"
#include "tap.h"

static const char *join(apr_pool_t *pool, const char *list, const char *separator, const char *item)
{
    return *list ? apr_pstrcat(pool, list, separator, item, NULL) : item;
}

static const char *inputs_of(const account_action_t *action, apr_pool_t *pool)
{
    static const char *const needs[] = {"", "!", "/"};
    const account_input_t *input;
    const char *list = "";

    for (input = action->inputs; input->name; input++) {
        list = join(pool, list, ", ",
                    apr_pstrcat(pool, "`", input->name, "`", needs[input->need], " ",
                                account_type_names[input->type], NULL));
    }
    return action->takes_profile ? join(pool, list, ", ", "profile fields") : list;
}

static const char *constants_of(const account_action_t *action, apr_pool_t *pool)
{
    const account_constant_t *constant;
    const char *list = "";
    int i;

    for (constant = action->constants; constant->name; constant++) {
        const char *values = "";

        for (i = 0; constant->values[i]; i++) {
            values = join(pool, values, ", ", constant->values[i]);
        }
        list = join(pool, list, "; ",
                    apr_pstrcat(pool, "`", constant->name, "`", constant->required ? "!" : "", " ",
                                values, NULL));
    }
    return list;
}

static const char *carried(int carries, apr_pool_t *pool)
{
    static const struct {
        int bit;
        const char *name;
    } groups[] = {{ACCOUNT_CARRIES_ACCOUNT, "account"},   {ACCOUNT_CARRIES_SESSION, "session"},
                  {ACCOUNT_CARRIES_QUESTION, "question"}, {ACCOUNT_CARRIES_TOKEN, "token"},
                  {ACCOUNT_CARRIES_RETRY, "retry_after"}, {ACCOUNT_CARRIES_POINTS, "points"},
                  {ACCOUNT_CARRIES_CAPTCHA, "captcha"},   {ACCOUNT_CARRIES_SESSIONS, "sessions"}};
    const char *list = "";
    size_t i;

    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (carries & groups[i].bit) {
            list = join(pool, list, ", ", groups[i].name);
        }
    }
    return *list ? apr_pstrcat(pool, " (", list, ")", NULL) : "";
}

static const char *endings_of(const account_action_t *action, int answers, apr_pool_t *pool)
{
    const char *list = "";
    int i;

    for (i = 0; i < action->ending_count; i++) {
        const account_ending_t *ending = &action->endings[i];
        const char *item = apr_pstrcat(pool, "`", account_outcomes[ending->outcome].name, "`",
                                       carried(ending->carries, pool), NULL);

        /* one that several constants lead to stands once */
        if (ending->is_answer == answers && !strstr(list, item)) {
            list = join(pool, list, ", ", item);
        }
    }
    return list;
}

static const char *action_row(const account_action_t *action, apr_pool_t *pool)
{
    return apr_psprintf(pool, "| `%s` | %s | %s | %s | %s | %s | %s |", action->name,
                        action->needs_session ? "session" : "anyone",
                        action->changes ? "yes" : "no", inputs_of(action, pool),
                        constants_of(action, pool), endings_of(action, 1, pool),
                        endings_of(action, 0, pool));
}

static const char *read_readme(apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    char *text = apr_pcalloc(pool, 1);

    if (apr_file_open(&file, "README.md", APR_READ, APR_OS_DEFAULT, pool) == APR_SUCCESS
        && apr_file_info_get(&info, APR_FINFO_SIZE, file) == APR_SUCCESS) {
        text = apr_pcalloc(pool, info.size + 1);
        apr_file_read_full(file, text, info.size, NULL);
    }
    return text;
}

static const char *limit_row(const account_limit_t *limit, apr_pool_t *pool)
{
    return apr_psprintf(pool, "| `%s` | %s | %s |", limit->name, limit->standard, limit->what);
}

int main(int argc, char *argv[])
{
    const account_action_t *action;
    const account_field_t *field;
    const char *readme;
    apr_pool_t *pool;
    int i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc > 1 && strcmp(argv[1], "print") == 0) {
        for (action = account_actions; action->name; action++) {
            printf("%s\n", action_row(action, pool));
        }
        for (i = 0; i < ACCOUNT_LIMITS; i++) {
            printf("%s\n", limit_row(&account_limits[i], pool));
        }
        return 0;
    }
    readme = read_readme(pool);
    for (action = account_actions; action->name; action++) {
        ok(strstr(readme, action_row(action, pool)) != NULL, "README has the row of %s",
           action->name);
    }
    for (i = 0; i < ACCOUNT_LIMITS; i++) {
        account_limit_windows_t windows;

        ok(strstr(readme, limit_row(&account_limits[i], pool)) != NULL,
           "README has the row of the limit %s", account_limits[i].name);
        ok(account_limit_parse(&windows, account_limits[i].standard, pool) == NULL
               && windows.count > 0 && account_limit_find(account_limits[i].name) == i,
           "%s: its standard is one", account_limits[i].name);
    }
    for (field = account_fields; field->name; field++) {
        size_t length = strlen(field->name);

        if (field->name[length - 1] != '.') {
            ok(strstr(readme, apr_psprintf(pool, "`%s`", field->name)) != NULL,
               "README names the field %s", field->name);
        }
    }
    return done_testing();
}
