#ifndef ACCOUNT_CONTRACT_ORIGIN_H
#define ACCOUNT_CONTRACT_ORIGIN_H

#include <apr_tables.h>

/*
 * Who made the browser send this request? Decides for whatever changes state (ASVS 3.5.1, 3.5.3).
 * Browsers say it in Sec-Fetch-*, but to https and localhost only; else there is Origin (not with a
 * GET) and Referer (which the other page may suppress), and a GET that looks like somebody going to
 * an address is taken for that. Clients that send nothing of all this are no browsers and pass.
 * Other origins that the site lists pass with what their scripts fetch (in CORS mode, so that the
 * browser asks and tells us who), never with a form, a link or a part of a page.
 */
typedef struct account_browser_t {
    const char *method;
    const char *sec_fetch_site; /* the headers, NULL if absent */
    const char *sec_fetch_mode;
    const char *sec_fetch_dest;
    const char *sec_purpose; /* Sec-Purpose, or else Purpose */
    const char *origin;
    const char *referer;
    const char *accept;
    const char
        *upgrade; /* Upgrade-Insecure-Requests: browsers send it when they go to an address */
} account_browser_t;

typedef struct account_site_t {
    const apr_array_header_t
        *origins;         /* of const char *: scheme://host[:port], lower case: this site's */
    int allow_navigation; /* AccountAllowNavigation: an address typed or a link of this site */
    int trust_same_site;  /* AccountTrustSameSite: pages of sibling domains */
    const apr_array_header_t *listed; /* AccountAllowOrigin: as origins, of others; NULL: none */
} account_site_t;

/* 1: may change state; 0: cross-site. */
int account_origin_allows(const account_browser_t *browser, const account_site_t *site,
                          apr_pool_t *pool);

/* scheme://host[:port] of a URL in lower case, without the scheme's default port; NULL: no http(s)
 * URL. */
const char *account_origin_of(const char *url, apr_pool_t *pool);

/* Whether an Origin header names one of listed (of const char *, or NULL: none), byte for byte as
 * browsers write it. NULL is none. */
int account_origin_is_listed(const char *origin, const apr_array_header_t *listed);

/* NULL, or why word can't be an entry of account_site_t.listed; *origin is what is to be put there.
 * The text and *origin live in pool. */
const char *account_origin_parse(const char *word, const char **origin, apr_pool_t *pool);

/* Whether two origins (of account_origin_of) belong to one site, as far as can be told without a
 * list of public suffixes: the same scheme, and the same host or the same last two labels of it. */
int account_origin_same_site(const char *a, const char *b);

#endif
