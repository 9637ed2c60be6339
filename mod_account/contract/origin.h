#ifndef ACCOUNT_CONTRACT_ORIGIN_H
#define ACCOUNT_CONTRACT_ORIGIN_H

#include <apr_tables.h>

/*
 * Who made the browser send this request? Decides for whatever changes state (ASVS 3.5.1, 3.5.3).
 * Clients that send none of these headers are no browsers, or too old for the answer, and pass: a
 * page can't make a browser leave them out.
 */
typedef struct account_browser_t {
    const char *method;
    const char *sec_fetch_site; /* the headers, NULL if absent */
    const char *sec_fetch_mode;
    const char *sec_fetch_dest;
    const char *sec_purpose; /* Sec-Purpose, or else Purpose */
    const char *origin;
    const char *referer;
} account_browser_t;

typedef struct account_site_t {
    const apr_array_header_t
        *origins;         /* of const char *: scheme://host[:port], lower case: this site's */
    int allow_navigation; /* AccountAllowNavigation: an address typed or a link of this site */
    int trust_same_site;  /* AccountTrustSameSite: pages of sibling domains */
} account_site_t;

/* 1: may change state; 0: cross-site. */
int account_origin_allows(const account_browser_t *browser, const account_site_t *site,
                          apr_pool_t *pool);

/* scheme://host[:port] of a URL in lower case, without the scheme's default port; NULL: no http(s)
 * URL. */
const char *account_origin_of(const char *url, apr_pool_t *pool);

#endif
