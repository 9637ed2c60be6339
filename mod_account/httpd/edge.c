#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <string.h>

#include "httpd/glue.h"

int account_edge_is_secure(request_rec *r, const account_server_t *server)
{
    return strcmp(ap_http_scheme(r), "https") == 0
           || (server->public_origin && strncmp(server->public_origin, "https:", 6) == 0);
}

static void add_host(apr_array_header_t *origins, request_rec *r, const char *host)
{
    const char *url = apr_psprintf(r->pool, strchr(host, ':') ? "%s://[%s]:%d" : "%s://%s:%d",
                                   ap_http_scheme(r), host, r->connection->local_addr->port);
    const char *origin = account_origin_of(url, r->pool);

    if (origin) {
        APR_ARRAY_PUSH(origins, const char *) = origin;
    }
}

/* Without AccountPublicURL: the names that the server is configured to have and the address that
 * the connection came to. Not the Host header, which the client writes. */
static void add_configured_hosts(apr_array_header_t *origins, request_rec *r)
{
    const apr_array_header_t *names = r->server->names;
    int i;

    add_host(origins, r, r->connection->local_ip);
    if (apr_sockaddr_is_wildcard(r->connection->local_addr) == 0
        && (strncmp(r->connection->local_ip, "127.", 4) == 0
            || strcmp(r->connection->local_ip, "::1") == 0)) {
        add_host(origins, r, "localhost");
    }
    if (r->server->server_hostname) {
        add_host(origins, r, r->server->server_hostname);
    }
    for (i = 0; names && i < names->nelts; i++) {
        add_host(origins, r, APR_ARRAY_IDX(names, i, const char *));
    }
}

static const char *header(request_rec *r, const char *name)
{
    return apr_table_get(r->headers_in, name);
}

int account_edge_allows(request_rec *r, const account_server_t *server)
{
    const char *purpose = header(r, "Sec-Purpose");
    account_browser_t browser = {
        .method = r->method,
        .sec_fetch_site = header(r, "Sec-Fetch-Site"),
        .sec_fetch_mode = header(r, "Sec-Fetch-Mode"),
        .sec_fetch_dest = header(r, "Sec-Fetch-Dest"),
        .sec_purpose = purpose ? purpose : header(r, "Purpose"),
        .origin = header(r, "Origin"),
        .referer = header(r, "Referer"),
        .accept = header(r, "Accept"),
        .upgrade = header(r, "Upgrade-Insecure-Requests"),
    };
    account_site_t site = {
        .allow_navigation = server->allow_navigation,
        .trust_same_site = server->trust_same_site,
        .listed = server->sites.allowed,
    };
    apr_array_header_t *origins = apr_array_make(r->pool, 4, sizeof(const char *));

    if (server->public_origin) {
        APR_ARRAY_PUSH(origins, const char *) = server->public_origin;
    }
    else if (browser.origin || browser.referer) {
        add_configured_hosts(origins, r);
    }
    site.origins = origins;
    return account_origin_allows(&browser, &site, r->pool);
}
