#ifndef ACCOUNT_CONTRACT_ROUTER_H
#define ACCOUNT_CONTRACT_ROUTER_H

#include "contract/contract.h"

/* AccountMount. */
typedef struct account_mount_t {
    const char *path; /* "/user"; "" is the root; no slash at its end */
    const account_contract_t *contract;
    const account_route_t *only; /* this one route, at path itself; NULL: all of them, below path */
    const void *server;          /* the one whose directive it is; others inherit it */
    const char *file;            /* where the directive stands */
    int line;
} account_mount_t;

/* The path of a route there, its variable parts as {name}. In pool. */
const char *account_mount_path(const account_mount_t *mount, const account_route_t *route,
                               apr_pool_t *pool);

/* What was found for a path and method. */
typedef struct account_match_t {
    const account_mount_t *mount;
    const account_route_t *route; /* the one, or (method_known 0) the first that has the path */
    int method_known;
    const char *allow;         /* every method that the path has */
    apr_array_header_t *pairs; /* of account_pair_t: what the path carried; NULL: nothing */
} account_match_t;

/* All routes of a list of mounts, by their paths: a request finds its own without a walk through
 * them, however many there are. */
typedef struct account_router_t account_router_t;

/* mounts: of account_mount_t *; of two that have one route for the same request the first answers.
 * The mounts, and what they point to, must live as long as pool. */
account_router_t *account_router_make(const apr_array_header_t *mounts, apr_pool_t *pool);

/* path: decoded and normalised, a slash at its end is tolerated. HEAD is GET where nothing changes.
 * What is found lives as long as the router, pairs in pool. 0: no route has this path. */
int account_router_match(const account_router_t *router, const char *path, const char *method,
                         account_match_t *match, apr_pool_t *pool);

#endif
