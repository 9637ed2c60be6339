#include "contract/router.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "contract/request.h"

/* One route of one mount. */
typedef struct place_t {
    const account_mount_t *mount;
    const account_route_t *route;
    const char *rest; /* from the first {name} on: "{phone}/codes"; "" for a literal path */
    const char *allow;
    int order;
    struct place_t *next; /* of the same literal path, or the same beginning */
} place_t;

struct account_router_t {
    apr_hash_t *paths;      /* literal path, without a slash at its end, to place_t */
    apr_hash_t *beginnings; /* what stands before the first {name}, with its slash, to place_t */
    apr_size_t longest;     /* of the beginnings */
};

static int has_method(const account_route_t *route, const char *method)
{
    if (strcmp(method, "HEAD") == 0) {
        return !route->action->changes && account_text_is_in(route->methods, "GET");
    }
    return account_text_is_in(route->methods, method);
}

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

/* allow, and what it lacks of the route's methods. */
static const char *allow_also(const char *allow, const account_route_t *route, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (has_method(route, methods[i]) && !strstr(allow, methods[i])) {
            allow = apr_pstrcat(pool, allow, *allow ? ", " : "", methods[i], NULL);
        }
    }
    return allow;
}

const char *account_mount_path(const account_mount_t *mount, const account_route_t *route,
                               apr_pool_t *pool)
{
    const char *path = mount->path;
    int i;

    for (i = 0; !mount->only && i < route->segments->nelts; i++) {
        path = apr_pstrcat(pool, path, "/", APR_ARRAY_IDX(route->segments, i, const char *), NULL);
    }
    return path;
}

static void add(account_router_t *router, place_t *place, apr_pool_t *pool)
{
    const char *path = account_mount_path(place->mount, place->route, pool);
    apr_size_t length = place->mount->only ? strlen(path) : strcspn(path, "{");
    apr_hash_t *hash = path[length] ? router->beginnings : router->paths;
    place_t *first = apr_hash_get(hash, path, length);

    if (path[length] && length > router->longest) {
        router->longest = length;
    }
    place->rest = path + length;
    place->allow = allow_also("", place->route, pool);
    if (first) {
        while (first->next) {
            first = first->next;
        }
        first->next = place;
    }
    else {
        apr_hash_set(hash, path, length, place);
    }
}

account_router_t *account_router_make(const apr_array_header_t *mounts, apr_pool_t *pool)
{
    account_router_t *router = apr_pcalloc(pool, sizeof(*router));
    int order = 0;
    int i, j;

    router->paths = apr_hash_make(pool);
    router->beginnings = apr_hash_make(pool);
    for (i = 0; i < mounts->nelts; i++) {
        const account_mount_t *mount = APR_ARRAY_IDX(mounts, i, account_mount_t *);
        const apr_array_header_t *routes = mount->contract->routes;

        for (j = 0; j < routes->nelts; j++) {
            place_t *place = apr_pcalloc(pool, sizeof(*place));

            place->mount = mount;
            place->route = APR_ARRAY_IDX(routes, j, account_route_t *);
            place->order = order++;
            if (!mount->only || mount->only == place->route) {
                add(router, place, pool);
            }
        }
    }
    return router;
}

/* Whether path[0 .. length) has the segments of the pattern; *pairs: what its {names} stand for. */
static int fits(const char *pattern, const char *path, apr_size_t length,
                apr_array_header_t **pairs, apr_pool_t *pool)
{
    const char *end = path + length;

    *pairs = apr_array_make(pool, 1, sizeof(account_pair_t));
    while (*pattern && path < end) {
        apr_size_t want = strcspn(pattern, "/");
        const char *slash = memchr(path, '/', end - path);
        apr_size_t have = (slash ? slash : end) - path;

        if (have == 0) {
            return 0;
        }
        if (*pattern == '{') {
            account_pair_t *pair = apr_array_push(*pairs);

            pair->name = apr_pstrmemdup(pool, pattern + 1, want - 2);
            pair->value = apr_pstrmemdup(pool, path, have);
        }
        else if (want != have || memcmp(pattern, path, want) != 0) {
            return 0;
        }
        pattern += want;
        path += have;
        if ((*pattern == '/') != (path < end)) {
            return 0;
        }
        pattern += *pattern == '/';
        path += path < end;
    }
    return !*pattern && path == end;
}

typedef struct choice_t {
    account_match_t match;
    int order;
} choice_t;

static void consider(choice_t *choice, const place_t *place, const char *method,
                     apr_array_header_t *pairs, apr_pool_t *pool)
{
    account_match_t *match = &choice->match;
    int known = has_method(place->route, method);

    match->allow = match->route ? allow_also(match->allow, place->route, pool) : place->allow;
    if (!match->route || (known && !match->method_known)
        || (known == match->method_known && place->order < choice->order)) {
        match->mount = place->mount;
        match->route = place->route;
        match->method_known = known;
        match->pairs = pairs;
        choice->order = place->order;
    }
}

int account_router_match(const account_router_t *router, const char *path, const char *method,
                         account_match_t *match, apr_pool_t *pool)
{
    choice_t choice = {.match = {.allow = ""}};
    apr_array_header_t *pairs;
    const place_t *place;
    apr_size_t length = strlen(path);
    apr_size_t i;

    length -= length > 0 && path[length - 1] == '/';
    for (place = apr_hash_get(router->paths, path, length); place; place = place->next) {
        consider(&choice, place, method, NULL, pool);
    }
    /* a path of thousands of segments costs no more than a short one */
    for (i = length < router->longest ? length : router->longest; i > 0; i--) {
        if (path[i - 1] != '/') {
            continue;
        }
        for (place = apr_hash_get(router->beginnings, path, i); place; place = place->next) {
            if (fits(place->rest, path + i, length - i, &pairs, pool)) {
                consider(&choice, place, method, pairs, pool);
            }
        }
    }
    *match = choice.match;
    return match->route != NULL;
}
