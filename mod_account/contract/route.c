#include <apr_strings.h>
#include <string.h>

#include "contract/compiler.h"

#define WORD(words, n) APR_ARRAY_IDX(words, n, const char *)

static const char *split_methods(account_compiler_t *c, account_route_t *route, const char *text)
{
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
    char *state, *copy = apr_pstrdup(c->pool, text);
    const char *method;
    int i;

    route->methods = apr_array_make(c->pool, 2, sizeof(const char *));
    for (method = apr_strtok(copy, "|", &state); method; method = apr_strtok(NULL, "|", &state)) {
        for (i = 0; known[i] && strcmp(known[i], method) != 0; i++) {
        }
        if (!known[i]) {
            return apr_psprintf(c->pool, "%s is no method: GET, POST, PUT, PATCH and DELETE are%s",
                                method, account_line_suggest(method, known, c->pool));
        }
        APR_ARRAY_PUSH(route->methods, const char *) = method;
    }
    return route->methods->nelts ? NULL : "a route needs a method, as in GET|POST";
}

static const char *split_path(account_compiler_t *c, account_route_t *route, const char *path)
{
    char *state, *copy = apr_pstrdup(c->pool, path);
    char *segment;

    route->segments = apr_array_make(c->pool, 4, sizeof(const char *));
    if (*path != '/') {
        return apr_psprintf(c->pool, "the path %s must begin with /", path);
    }
    for (segment = apr_strtok(copy, "/", &state); segment;
         segment = apr_strtok(NULL, "/", &state)) {
        apr_size_t length = strlen(segment);

        if (strpbrk(segment, "{}%?#")
            && !(*segment == '{' && segment[length - 1] == '}' && length > 2
                 && strcspn(segment + 1, "{}%?#") == length - 2)) {
            return apr_psprintf(c->pool, "\"%s\" in the path %s is neither plain text nor a {name}",
                                segment, path);
        }
        APR_ARRAY_PUSH(route->segments, const char *) = segment;
    }
    return NULL;
}

int account_routes_overlap(const account_route_t *a, const account_route_t *b)
{
    int i, j, share_method = 0;

    for (i = 0; i < a->methods->nelts; i++) {
        for (j = 0; j < b->methods->nelts; j++) {
            share_method |= strcmp(WORD(a->methods, i), WORD(b->methods, j)) == 0;
        }
    }
    if (!share_method || a->segments->nelts != b->segments->nelts) {
        return 0;
    }
    for (i = 0; i < a->segments->nelts; i++) {
        const char *x = WORD(a->segments, i), *y = WORD(b->segments, i);

        if (*x != '{' && *y != '{' && strcmp(x, y) != 0) {
            return 0;
        }
    }
    return 1;
}

static const char *check_unique(account_compiler_t *c, const account_route_t *route)
{
    int i;

    for (i = 0; i < c->contract->routes->nelts; i++) {
        const account_route_t *other = APR_ARRAY_IDX(c->contract->routes, i, account_route_t *);

        if (strcmp(other->name, route->name) == 0) {
            return apr_psprintf(c->pool, "there is a route %s already, at line %d", route->name,
                                other->line->number);
        }
        if (account_routes_overlap(other, route)) {
            return apr_psprintf(c->pool, "the routes %s (line %d) and %s answer the same request",
                                other->name, other->line->number, route->name);
        }
    }
    return NULL;
}

const char *account_compile_address(account_compiler_t *c, account_route_t *route,
                                    const char *methods, const char *path)
{
    const char *error = split_methods(c, route, methods);

    if (!error) {
        error = split_path(c, route, path);
    }
    return error ? error : check_unique(c, route);
}

int account_route_setting(const account_route_t *route, const char *setting)
{
    const account_constant_t *constants = route->action->constants;
    const char *equals = strchr(setting, '=');
    apr_size_t length = equals - setting;
    int i;

    for (i = 0; constants[i].name; i++) {
        if (strlen(constants[i].name) == length
            && strncmp(constants[i].name, setting, length) == 0) {
            return strcmp(constants[i].values[route->constants[i]], equals + 1) == 0 ? i : -1;
        }
    }
    return -1;
}

int account_route_sends(const account_route_t *route, account_channel_e channel)
{
    const account_sending_t *sends = &route->action->sends;

    return sends->to
           && (!sends->if_constant || account_route_setting(route, sends->if_constant) >= 0)
           && account_route_takes(route, sends->to,
                                  channel == ACCOUNT_MAIL ? ACCOUNT_EMAIL : ACCOUNT_MOBILE);
}

static void add_outcome(apr_array_header_t *names, const account_compiled_reply_t *reply)
{
    int i;

    for (i = 0; reply && i < names->nelts; i++) {
        if (strcmp(WORD(names, i), reply->outcome) == 0) {
            return;
        }
    }
    if (reply) {
        APR_ARRAY_PUSH(names, const char *) = reply->outcome;
    }
}

apr_array_header_t *account_route_outcomes(const account_route_t *route, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 32, sizeof(const char *));
    int i, rule;

    for (i = 0; i < ACCOUNT_OUTCOMES; i++) {
        add_outcome(names, route->replies[i]);
    }
    for (i = 0; i < route->parameters->nelts; i++) {
        for (rule = 0; rule < ACCOUNT_RULES; rule++) {
            add_outcome(names,
                        APR_ARRAY_IDX(route->parameters, i, account_parameter_t *)->refusals[rule]);
        }
    }
    return names;
}

const account_route_t *account_contract_route(const account_contract_t *contract, const char *name)
{
    int i;

    for (i = 0; i < contract->routes->nelts; i++) {
        const account_route_t *route = APR_ARRAY_IDX(contract->routes, i, account_route_t *);

        if (strcmp(route->name, name) == 0) {
            return route;
        }
    }
    return NULL;
}
