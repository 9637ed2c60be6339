#include "contract/caller.h"

#include <string.h>

#include "action/session.h"
#include "base/text.h"
#include "contract/request.h"

/* The different values of each name's cookies, the own name's first: of apr_array_header_t *. */
static apr_array_header_t *collect(const account_caller_t *caller, apr_pool_t *pool)
{
    apr_array_header_t *cookies = apr_array_make(pool, 2, sizeof(apr_array_header_t *));
    int pass, i;

    for (pass = 0; pass < 2; pass++) {
        for (i = 0; i < caller->names->nelts; i++) {
            const char *name = APR_ARRAY_IDX(caller->names, i, const char *);
            apr_array_header_t *tokens;

            if ((caller->own && strcmp(caller->own, name) == 0) != (pass == 0)) {
                continue;
            }
            tokens =
                account_request_cookies(caller->cookies, name, ACCOUNT_SESSION_TOKENS_ENDED, pool);
            if (tokens->nelts > 0) {
                APR_ARRAY_PUSH(cookies, apr_array_header_t *) = tokens;
            }
        }
    }
    return cookies;
}

/* Folders may each add a name: as many are not the same ones. */
static int are_same(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int i;

    for (i = 0; a->nelts == b->nelts && i < a->nelts; i++) {
        if (!account_text_is_same(APR_ARRAY_IDX(a, i, const char *),
                                  APR_ARRAY_IDX(b, i, const char *))) {
            return 0;
        }
    }
    return a->nelts == b->nelts;
}

void account_caller_ask_database(account_caller_t *caller)
{
    caller->wants_stored = 1;
}

apr_status_t account_caller_find(account_caller_t *caller, const account_store_t *store,
                                 const apr_array_header_t *names, const char *own)
{
    account_store_t asked = *store;
    apr_array_header_t *cookies, *presented;
    int is_enough = caller->is_known && (caller->is_stored || !caller->wants_stored);
    int i;

    if (caller->rv != APR_SUCCESS
        || (is_enough && are_same(caller->names, names)
            && account_text_is_same(caller->own, own))) {
        return caller->rv;
    }
    caller->names = names;
    caller->own = own;
    cookies = collect(caller, store->pool);
    presented = apr_array_make(store->pool, 2, sizeof(const char *));
    for (i = 0; i < cookies->nelts; i++) {
        apr_array_cat(presented, APR_ARRAY_IDX(cookies, i, apr_array_header_t *));
    }
    /* which name counts first matters only where there are several */
    if (!is_enough || !are_same(presented, caller->presented) || cookies->nelts > 1) {
        asked.cache = caller->wants_stored ? NULL : store->cache;
        caller->is_stored = !asked.cache;
        caller->rv = account_session_resolve(&asked, cookies, &caller->session, &caller->account);
    }
    caller->presented = presented;
    caller->is_known = 1;
    return caller->rv;
}
