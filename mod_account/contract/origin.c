#include "contract/origin.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>

#include "base/text.h"

const char *account_origin_of(const char *url, apr_pool_t *pool)
{
    apr_uri_t uri;
    const char *host;
    char *origin, *c;

    if (apr_uri_parse(pool, url, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname
        || !*uri.hostname
        || (strcasecmp(uri.scheme, "http") != 0 && strcasecmp(uri.scheme, "https") != 0)) {
        return NULL;
    }
    /* apr_uri_parse takes the brackets off an IPv6 address */
    host =
        strchr(uri.hostname, ':') ? apr_pstrcat(pool, "[", uri.hostname, "]", NULL) : uri.hostname;
    origin = !uri.port_str || !*uri.port_str || uri.port == apr_uri_port_of_scheme(uri.scheme)
                 ? apr_pstrcat(pool, uri.scheme, "://", host, NULL)
                 : apr_psprintf(pool, "%s://%s:%d", uri.scheme, host, uri.port);
    for (c = origin; *c; c++) {
        *c = apr_tolower(*c);
    }
    return origin;
}

int account_origin_is_listed(const char *origin, const apr_array_header_t *listed)
{
    return origin && account_text_is_in(listed, origin);
}

const char *account_origin_parse(const char *word, const char **origin, apr_pool_t *pool)
{
    const char *host = strstr(word, "://");
    apr_size_t length;

    *origin = NULL;
    if (strcmp(word, "*") == 0) {
        return "* would let every site act for whoever is signed in here: name each origin, "
               "https://app.example";
    }
    if (strcasecmp(word, "null") == 0) {
        return "null is what any page can make itself (in a sandboxed frame): name each origin, "
               "https://app.example";
    }
    host = host ? host + 3 : "";
    length = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-[]");
    if (length > 0 && (host[length] == '\0' || strcmp(host + length, "/") == 0)) {
        *origin = account_origin_of(word, pool);
    }
    return *origin ? NULL
                   : apr_psprintf(pool,
                                  "\"%s\" is no origin: write scheme, host and, if it is not the "
                                  "usual one, port, as in https://app.example",
                                  word);
}

/* The last two labels; the whole host where it has no more of them, or is an address. */
static const char *site_of(const char *host, apr_size_t length)
{
    const char *c;
    int dots = 0;

    if (*host == '[' || apr_isdigit(host[length - 1])) {
        return host;
    }
    for (c = host + length; c > host; c--) {
        if (c[-1] == '.' && ++dots == 2) {
            return c;
        }
    }
    return host;
}

int account_origin_same_site(const char *a, const char *b)
{
    const char *hosts[] = {strstr(a, "://") + 3, strstr(b, "://") + 3};
    const char *sites[2];
    apr_size_t lengths[2];
    int i;

    if (hosts[0] - a != hosts[1] - b || strncmp(a, b, hosts[0] - a) != 0) {
        return 0;
    }
    for (i = 0; i < 2; i++) {
        apr_size_t length = *hosts[i] == '[' ? strcspn(hosts[i], "]") + 1 : strcspn(hosts[i], ":");

        sites[i] = site_of(hosts[i], length);
        lengths[i] = length - (sites[i] - hosts[i]);
    }
    return lengths[0] == lengths[1] && strncmp(sites[0], sites[1], lengths[0]) == 0;
}

static int is_own(const char *url, const account_site_t *site, apr_pool_t *pool)
{
    const char *origin = account_origin_of(url, pool);

    return origin && account_text_is_in(site->origins, origin);
}

static int is(const char *header, const char *value)
{
    return header && strcasecmp(header, value) == 0;
}

/* A GET without any of the headers that tell, but as browsers send it when they go to an address.
 */
static int looks_like_going(const account_browser_t *browser)
{
    return !browser->sec_fetch_mode && !browser->sec_fetch_site && !browser->sec_fetch_dest
           && !browser->origin && strcmp(browser->method, "POST") != 0
           && (browser->upgrade
               || (browser->accept
                   && strncmp(browser->accept, "text/html,application/xhtml+xml", 31) == 0));
}

/* Not a script's fetch: the browser goes to the address, or loads it as a part of a page. */
static int is_navigation(const account_browser_t *browser)
{
    return looks_like_going(browser) || is(browser->sec_fetch_mode, "navigate")
           || is(browser->sec_fetch_mode, "nested-navigate")
           || (browser->sec_fetch_dest && *browser->sec_fetch_dest
               && !is(browser->sec_fetch_dest, "empty"));
}

/* A script of a listed origin that fetches. Who says nothing in Sec-Fetch-* may be an older
 * browser: then it must not look like a form's or a link's request. */
static int is_listed_fetch(const account_browser_t *browser, const account_site_t *site)
{
    const char *from = browser->sec_fetch_site;

    if (!account_origin_is_listed(browser->origin, site->listed)) {
        return 0;
    }
    if (!from && !browser->sec_fetch_mode && !browser->sec_fetch_dest) {
        return !browser->upgrade
               && !(browser->accept && strncmp(browser->accept, "text/html", 9) == 0);
    }
    return is(browser->sec_fetch_mode, "cors")
           && (!from || is(from, "cross-site") || is(from, "same-site"));
}

int account_origin_allows(const account_browser_t *browser, const account_site_t *site,
                          apr_pool_t *pool)
{
    const char *from = browser->sec_fetch_site;

    /* prefetch and prerender: nobody has decided anything yet */
    if (browser->sec_purpose && *browser->sec_purpose) {
        return 0;
    }
    if (is_navigation(browser)) {
        int typed =
            looks_like_going(browser)
            || (is(browser->sec_fetch_mode, "navigate")
                && is(browser->sec_fetch_dest ? browser->sec_fetch_dest : "document", "document"));

        /* a form of this site posts; what else a browser merely opens or embeds changes nothing */
        if (!typed || (strcmp(browser->method, "POST") != 0 && !site->allow_navigation)) {
            return 0;
        }
        if (is(from, "none")) {
            return site->allow_navigation && strcmp(browser->method, "POST") != 0;
        }
    }
    else if (is_listed_fetch(browser, site)) {
        return 1;
    }
    if (from) {
        return is(from, "same-origin") || is(from, "none")
               || (is(from, "same-site") && site->trust_same_site);
    }
    if (browser->origin) {
        return is_own(browser->origin, site, pool);
    }
    return !browser->referer || is_own(browser->referer, site, pool);
}
