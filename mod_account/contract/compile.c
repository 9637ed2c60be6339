#include <apr_lib.h>
#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#include "contract/compiler.h"

#define WORD(words, n) APR_ARRAY_IDX(words, n, const char *)

/* The directives inside a contract, by where they may stand. */
typedef struct directive_t {
    const char *name;
    int in_contract;
    int in_route;
    int least; /* words */
    int most;
    const char *usage;
    const char *(*compile)(account_compiler_t *c, account_route_draft_t *draft,
                           const account_line_t *line, const apr_array_header_t *words);
} directive_t;

static int is_name(const char *name, const char *more)
{
    const char *c;

    for (c = name; *c; c++) {
        if (!apr_isalnum(*c) && !strchr(more, *c)) {
            return 0;
        }
    }
    return c > name && c - name <= 64;
}

static const char *compile_cookie(account_compiler_t *c, account_route_draft_t *draft,
                                  const account_line_t *line, const apr_array_header_t *words)
{
    (void)draft, (void)line;
    /* the token of RFC 6265 */
    if (!is_name(WORD(words, 0), "!#$%&'*+-.^_`|~")) {
        return apr_psprintf(c->pool, "\"%s\" is no cookie name", WORD(words, 0));
    }
    c->contract->cookie = WORD(words, 0);
    return NULL;
}

static const char *compile_idle(account_compiler_t *c, account_route_draft_t *draft,
                                const account_line_t *line, const apr_array_header_t *words)
{
    (void)draft, (void)line;
    return account_line_duration(WORD(words, 0), &c->contract->session_idle, c->pool);
}

static const char *compile_life(account_compiler_t *c, account_route_draft_t *draft,
                                const account_line_t *line, const apr_array_header_t *words)
{
    (void)draft, (void)line;
    return account_line_duration(WORD(words, 0), &c->contract->session_life, c->pool);
}

/* The value of an entry: JSON where it reads as JSON, else a text. */
static void fill_entry(account_map_entry_t *entry, const char *value, apr_pool_t *pool)
{
    json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
    account_buffer_t quoted;

    entry->text = json_is_string(json) ? apr_pstrdup(pool, json_string_value(json)) : value;
    if (json) {
        entry->json = value;
    }
    else {
        account_buffer_init(&quoted, strlen(value) + 2, pool);
        account_buffer_add_text(&quoted, "\"");
        account_buffer_add_json(&quoted, value);
        account_buffer_add_text(&quoted, "\"");
        entry->json = quoted.bytes;
    }
    json_decref(json);
}

static const char *compile_map(account_compiler_t *c, account_route_draft_t *draft,
                               const account_line_t *line, const apr_array_header_t *words)
{
    account_map_t *map = apr_palloc(c->pool, sizeof(*map));
    int i, j;

    (void)draft, (void)line;
    map->name = WORD(words, 0);
    map->entries = apr_array_make(c->pool, words->nelts, sizeof(account_map_entry_t));
    if (apr_hash_get(c->maps, map->name, APR_HASH_KEY_STRING)) {
        return apr_psprintf(c->pool, "there is an AccountMap %s already", map->name);
    }
    for (i = 1; i < words->nelts; i++) {
        const char *word = WORD(words, i);
        const char *equals = strchr(word, '=');
        account_map_entry_t *entry = apr_array_push(map->entries);
        const char *error = account_template_check_text(word, c->pool);

        if (error || !equals || equals == word) {
            return error ? error
                         : apr_psprintf(c->pool, "\"%s\" is no entry: write key=value", word);
        }
        entry->key = apr_pstrmemdup(c->pool, word, equals - word);
        fill_entry(entry, equals + 1, c->pool);
        for (j = 0; j < i - 1; j++) {
            if (strcmp(APR_ARRAY_IDX(map->entries, j, account_map_entry_t).key, entry->key) == 0) {
                return apr_psprintf(c->pool, "AccountMap %s has the key %s twice", map->name,
                                    entry->key);
            }
        }
    }
    apr_hash_set(c->maps, map->name, APR_HASH_KEY_STRING, map);
    return NULL;
}

static const char *compile_shape(account_compiler_t *c, account_route_draft_t *draft,
                                 const account_line_t *line, const apr_array_header_t *words)
{
    const char *name = WORD(words, 0);
    const char *rest;

    (void)draft, (void)line;
    if (!is_name(name, "_-") || strcmp(name, "message") == 0 || strcmp(name, "outcome") == 0
        || strcmp(name, "mount") == 0 || account_field_find(name, &rest)) {
        return apr_psprintf(c->pool, "a shape can't be named %s: it is a value's name, or no name",
                            name);
    }
    if (apr_hash_get(c->shapes, name, APR_HASH_KEY_STRING)) {
        return apr_psprintf(c->pool, "there is an AccountShape %s already", name);
    }
    apr_hash_set(c->shapes, name, APR_HASH_KEY_STRING, WORD(words, 1));
    return NULL;
}

static account_sayings_t *sayings_of(account_compiler_t *c, account_route_draft_t *draft)
{
    return draft ? &draft->sayings : &c->sayings;
}

static const char *compile_reply(account_compiler_t *c, account_route_draft_t *draft,
                                 const account_line_t *line, const apr_array_header_t *words)
{
    return account_compile_reply(c, sayings_of(c, draft), line, words);
}

static const char *compile_page(account_compiler_t *c, account_route_draft_t *draft,
                                const account_line_t *line, const apr_array_header_t *words)
{
    return account_compile_page(c, sayings_of(c, draft), line, words);
}

static const char *compile_message(account_compiler_t *c, account_route_draft_t *draft,
                                   const account_line_t *line, const apr_array_header_t *words)
{
    return account_compile_message(c, sayings_of(c, draft), line, words);
}

static const char *compile_param(account_compiler_t *c, account_route_draft_t *draft,
                                 const account_line_t *line, const apr_array_header_t *words)
{
    return account_compile_parameter(c, draft->route, line, words);
}

static const char *compile_set(account_compiler_t *c, account_route_draft_t *draft,
                               const account_line_t *line, const apr_array_header_t *words)
{
    const account_constant_t *constants = draft->route->action->constants;
    apr_array_header_t *names = apr_array_make(c->pool, 4, sizeof(const char *));
    int i, j;

    (void)line;
    for (i = 0; constants[i].name; i++) {
        APR_ARRAY_PUSH(names, const char *) = constants[i].name;
        if (strcmp(constants[i].name, WORD(words, 0)) != 0) {
            continue;
        }
        if (draft->constants_set[i]) {
            return apr_psprintf(c->pool, "%s is set twice", constants[i].name);
        }
        for (j = 0; constants[i].values[j]; j++) {
            if (strcmp(constants[i].values[j], WORD(words, 1)) == 0) {
                ((int *)draft->route->constants)[i] = j;
                draft->constants_set[i] = 1;
                return NULL;
            }
        }
        return apr_psprintf(c->pool, "%s can't be %s%s", constants[i].name, WORD(words, 1),
                            account_line_suggest(WORD(words, 1), constants[i].values, c->pool));
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return apr_psprintf(
        c->pool, "the action %s has no constant %s%s", draft->route->action->name, WORD(words, 0),
        account_line_suggest(WORD(words, 0), (const char *const *)names->elts, c->pool));
}

static const char *compile_route(account_compiler_t *c, account_route_draft_t *draft,
                                 const account_line_t *line, const apr_array_header_t *words);

/* AccountAction is read before the other lines of its route (read_action). */
static const char *compile_nothing(account_compiler_t *c, account_route_draft_t *draft,
                                   const account_line_t *line, const apr_array_header_t *words)
{
    (void)c, (void)draft, (void)line, (void)words;
    return NULL;
}

static const directive_t directives[] = {
    {"AccountCookie", 1, 0, 1, 1, "NAME", compile_cookie},
    {"AccountSessionIdle", 1, 0, 1, 1, "DURATION", compile_idle},
    {"AccountSessionLife", 1, 0, 1, 1, "DURATION", compile_life},
    {"AccountMap", 1, 0, 2, 1000, "NAME key=value …", compile_map},
    {"AccountShape", 1, 0, 2, 2, "NAME 'JSON'", compile_shape},
    {"AccountReply", 1, 1, 3, 3, "OUTCOME STATUS 'JSON'", compile_reply},
    {"AccountPage", 1, 1, 3, 3, "OUTCOME STATUS NAME", compile_page},
    {"AccountMessage", 1, 1, 2, 2, "OUTCOME \"text\"", compile_message},
    {"<AccountRoute", 1, 0, 3, 3, "NAME METHOD|METHOD /path>", compile_route},
    {"AccountAction", 0, 1, 1, 1, "ACTION", compile_nothing},
    {"AccountParam", 0, 1, 2, 20, "INPUT NAME[|converter] [constraint …]", compile_param},
    {"AccountSet", 0, 1, 2, 2, "CONSTANT VALUE", compile_set},
    {NULL, 0, 0, 0, 0, NULL, NULL},
};

/* The directive of a line, checked for its place and number of words. */
static const char *read_line(account_compiler_t *c, int in_route, const account_line_t *line,
                             const directive_t **directive, apr_array_header_t **words)
{
    apr_array_header_t *names = apr_array_make(c->pool, 12, sizeof(const char *));
    const directive_t *d;
    const char *error;

    c->at = line;
    for (d = directives; d->name; d++) {
        if (in_route ? d->in_route : d->in_contract) {
            APR_ARRAY_PUSH(names, const char *) = d->name;
        }
        if (strcasecmp(d->name, line->name) == 0) {
            break;
        }
    }
    if (!d->name || !(in_route ? d->in_route : d->in_contract)) {
        APR_ARRAY_PUSH(names, const char *) = NULL;
        return d->name
                   ? apr_psprintf(c->pool, "%s belongs %s an <AccountRoute>", line->name,
                                  in_route ? "outside of" : "inside")
                   : apr_psprintf(
                       c->pool,
                       "%s can't stand in an %s%s. If it is the middle of a template: a template "
                       "on "
                       "several lines needs a backslash, and nothing after it, at each line's end",
                       line->name, in_route ? "<AccountRoute>" : "<AccountContract>",
                       account_line_suggest(line->name, (const char *const *)names->elts, c->pool));
    }
    error = account_line_words(line, words, c->pool);
    if (!error && ((*words)->nelts < d->least || (*words)->nelts > d->most)) {
        error =
            apr_psprintf(c->pool, "%s takes: %s (there %s %d word%s; quotes keep blanks together)",
                         line->name, d->usage, (*words)->nelts == 1 ? "is" : "are", (*words)->nelts,
                         (*words)->nelts == 1 ? "" : "s");
    }
    *directive = d;
    return error;
}

/* The action decides what the other lines mean, so it is read first, wherever it stands. */
static const char *read_action(account_compiler_t *c, account_route_t *route,
                               const account_line_t *line)
{
    apr_array_header_t *names = apr_array_make(c->pool, 24, sizeof(const char *));
    const account_line_t *child;
    const account_action_t *action;
    const directive_t *directive;
    apr_array_header_t *words;
    const char *error;

    for (child = line->children; child; child = child->next) {
        if (strcasecmp(child->name, "AccountAction") != 0) {
            continue;
        }
        error = read_line(c, 1, child, &directive, &words);
        if (error || route->action) {
            return error ? error : "a route has one AccountAction, not two";
        }
        route->action = account_action_find(WORD(words, 0));
        if (!route->action) {
            for (action = account_actions; action->name; action++) {
                APR_ARRAY_PUSH(names, const char *) = action->name;
            }
            APR_ARRAY_PUSH(names, const char *) = NULL;
            return apr_psprintf(
                c->pool, "there is no action %s%s", WORD(words, 0),
                account_line_suggest(WORD(words, 0), (const char *const *)names->elts, c->pool));
        }
    }
    c->at = line;
    return route->action ? NULL
                         : apr_psprintf(c->pool, "the route %s has no AccountAction", route->name);
}

static const char *check_constants(account_compiler_t *c, const account_route_draft_t *draft)
{
    const account_constant_t *constants = draft->route->action->constants;
    int i;

    for (i = 0; constants[i].name; i++) {
        if (constants[i].required && !draft->constants_set[i]) {
            return apr_psprintf(c->pool,
                                "the action %s needs an AccountSet %s, as in AccountSet %s %s",
                                draft->route->action->name, constants[i].name, constants[i].name,
                                constants[i].values[0]);
        }
    }
    return NULL;
}

static const char *compile_route(account_compiler_t *c, account_route_draft_t *outer,
                                 const account_line_t *line, const apr_array_header_t *words)
{
    account_route_t *route = apr_pcalloc(c->pool, sizeof(*route));
    account_route_draft_t draft = {.route = route};
    const account_line_t *child;
    const directive_t *directive;
    apr_array_header_t *child_words;
    const char *error;
    int count = 0;

    (void)outer;
    route->name = WORD(words, 0);
    route->line = line;
    route->parameters = apr_array_make(c->pool, 8, sizeof(account_parameter_t *));
    account_sayings_init(&draft.sayings, c->pool);
    error = is_name(route->name, "_-.")
                ? account_compile_address(c, route, WORD(words, 1), WORD(words, 2))
                : apr_psprintf(c->pool, "\"%s\" is no name for a route", route->name);
    if (!error) {
        error = read_action(c, route, line);
    }
    if (error) {
        return error;
    }
    while (route->action->constants[count].name) {
        count++;
    }
    route->constants = apr_pcalloc(c->pool, (count + 1) * sizeof(int));
    draft.constants_set = apr_pcalloc(c->pool, (count + 1) * sizeof(int));
    for (child = line->children; child; child = child->next) {
        error = read_line(c, 1, child, &directive, &child_words);
        if (!error) {
            error = directive->compile(c, &draft, child, child_words);
        }
        if (error) {
            return error;
        }
    }
    c->at = line;
    error = check_constants(c, &draft);
    if (!error) {
        error = account_compile_inputs(c, &draft);
    }
    if (!error) {
        error = account_compile_outcomes(c, &draft);
    }
    APR_ARRAY_PUSH(c->contract->routes, account_route_t *) = route;
    return error;
}

static int issues(const account_route_t *route, const char *purpose)
{
    int i;

    if (strcmp(route->action->name, "check_answer") == 0) {
        return strcmp(purpose, "answer") == 0;
    }
    for (i = 0; route->action->constants[i].name; i++) {
        const account_constant_t *constant = &route->action->constants[i];

        if (strcmp(route->action->name, "send_code") == 0
            && strcmp(constant->name, "purpose") == 0) {
            return strcmp(constant->values[route->constants[i]], purpose) == 0;
        }
    }
    return 0;
}

/* A route that takes a code is of no use where no route of its contract hands one out. */
static const char *check_purposes(account_compiler_t *c)
{
    const apr_array_header_t *routes = c->contract->routes;
    int i, j, k;

    for (i = 0; i < routes->nelts; i++) {
        const account_route_t *route = APR_ARRAY_IDX(routes, i, account_route_t *);

        for (j = 0; route->action->constants[j].name; j++) {
            const account_constant_t *constant = &route->action->constants[j];
            int found =
                strcmp(constant->name, "purpose") != 0 || !account_route_supplies(route, "code");

            for (k = 0; k < routes->nelts && !found; k++) {
                found = issues(APR_ARRAY_IDX(routes, k, account_route_t *),
                               constant->values[route->constants[j]]);
            }
            if (!found) {
                c->at = route->line;
                return apr_psprintf(c->pool,
                                    "the route %s takes a code of the purpose %s, which no route "
                                    "of this contract issues",
                                    route->name, constant->values[route->constants[j]]);
            }
        }
    }
    return NULL;
}

static const char *check_shapes(account_compiler_t *c, const account_line_t *line)
{
    account_scope_t scope = {c->shapes, c->maps, NULL, NULL, 0, 0};
    const account_template_t *compiled;
    const directive_t *directive;
    apr_array_header_t *words;
    const char *error = NULL;

    for (; line && !error; line = line->next) {
        if (strcasecmp(line->name, "AccountShape") == 0) {
            error = read_line(c, 0, line, &directive, &words);
            if (!error) {
                error = account_template_compile(&compiled, WORD(words, 1), &scope, c->pool);
            }
        }
    }
    return error;
}

const char *account_contract_compile(const account_contract_t **contract,
                                     const account_line_t *line, const account_line_t **at,
                                     apr_pool_t *pool)
{
    account_compiler_t c = {.pool = pool, .at = line};
    const account_line_t *child;
    const directive_t *directive;
    apr_array_header_t *words;
    const char *error;
    int routes;

    c.contract = apr_pcalloc(pool, sizeof(*c.contract));
    c.contract->routes = apr_array_make(pool, 16, sizeof(account_route_t *));
    c.contract->cookie = ACCOUNT_DEFAULT_COOKIE;
    c.contract->line = line;
    c.shapes = apr_hash_make(pool);
    c.maps = apr_hash_make(pool);
    account_sayings_init(&c.sayings, pool);
    error = account_line_words(line, &words, pool);
    if (!error && (words->nelts != 1 || !is_name(WORD(words, 0), "_-"))) {
        error = "a contract has one name of letters, digits, - and _: <AccountContract NAME>";
    }
    if (!error) {
        c.contract->name = WORD(words, 0);
    }
    /* Routes come after everything that they may refer to, wherever it stands. */
    for (routes = 0; routes < 2 && !error; routes++) {
        for (child = line->children; child && !error; child = child->next) {
            if ((strcasecmp(child->name, "<AccountRoute") == 0) != routes) {
                continue;
            }
            error = read_line(&c, 0, child, &directive, &words);
            if (!error) {
                error = directive->compile(&c, NULL, child, words);
            }
        }
        if (!routes && !error) {
            error = check_shapes(&c, line->children);
        }
    }
    if (!error) {
        error = check_purposes(&c);
    }
    if (!error && c.contract->routes->nelts == 0) {
        c.at = line;
        error = "a contract needs at least one <AccountRoute>";
    }
    if (!error) {
        error = account_compile_unused(&c, &c.sayings, "on any route of this contract");
    }
    *contract = c.contract;
    *at = c.at;
    return error;
}
