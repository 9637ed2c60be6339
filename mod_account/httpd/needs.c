#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>
#include <string.h>

#include "base/text.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/* What the mounted routes need besides a database: gateways, the pages that mails lead to, texts,
 * a font. Whatever is missing is said by configtest, not by the first user who wants it. */

#define DEFAULT_LANGUAGE "en"

/* The action behind each AccountLink. */
static const char *const link_actions[ACCOUNT_LINK_COUNT] = {
    [ACCOUNT_LINK_ACTIVATE] = "activate",
    [ACCOUNT_LINK_RESET] = "reset_by_link",
};

static const char *const link_names[ACCOUNT_LINK_COUNT] = {
    [ACCOUNT_LINK_ACTIVATE] = "activate",
    [ACCOUNT_LINK_RESET] = "reset",
};

/* The path of a route below its mount; NULL: it has a {name}, or does not take POST. */
static const char *path_of(const account_mount_t *mount, const account_route_t *route,
                           apr_pool_t *pool)
{
    const char *path = account_mount_path(mount, route, pool);
    int is_literal = !strchr(path + strlen(mount->path), '{');

    return is_literal && account_text_is_in(route->methods, "POST") ? path : NULL;
}

/* Where a server has the action by POST, and by GET the page that asks for it; NULL: nowhere. */
static const char *find_page(const account_server_t *config, const char *action, apr_pool_t *pool)
{
    int i, j;

    for (i = 0; i < config->mounts->nelts; i++) {
        const account_mount_t *mount = APR_ARRAY_IDX(config->mounts, i, account_mount_t *);

        for (j = 0; j < mount->contract->routes->nelts; j++) {
            const account_route_t *route =
                APR_ARRAY_IDX(mount->contract->routes, j, account_route_t *);
            account_match_t page;
            const char *path;

            if (strcmp(route->action->name, action) != 0 || (mount->only && mount->only != route)) {
                continue;
            }
            path = path_of(mount, route, pool);
            if (path && account_router_match(config->router, path, "GET", &page, pool)
                && page.method_known && !page.route->action->changes) {
                return path;
            }
        }
    }
    return NULL;
}

static int is_of_realm(const account_server_t *config, const account_server_t *other)
{
    return other->backend == config->backend && strcmp(other->realm, config->realm) == 0;
}

/* What a token is appended to. */
static const char *with_token(const char *url, apr_pool_t *pool)
{
    const char *fragment = strchr(url, '#');

    return apr_pstrcat(pool, url,
                       strchr(fragment ? fragment : url, '?') ? "&token=" : "?token=", NULL);
}

/* AccountLink, else what this server has, else what another one of its realm has. */
static const char *find_url(account_server_t *config, account_link_e link, server_rec *servers,
                            apr_pool_t *pool)
{
    const char *origin = config->public_origin;
    const char *page = find_page(config, link_actions[link], pool);
    server_rec *server;

    if (config->options.pages[link]) {
        return with_token(config->options.pages[link], pool);
    }
    for (server = servers; server && !page; server = server->next) {
        const account_server_t *other = account_server_of(server);

        if (is_of_realm(config, other)) {
            page = find_page(other, link_actions[link], pool);
            origin = page && other->public_origin ? other->public_origin : origin;
        }
    }
    config->has_page[link] = page != NULL;
    return page && origin ? with_token(apr_pstrcat(pool, origin, page, NULL), pool) : NULL;
}

/* Whether a route sends by a channel here. An account that needs no activation is sent no link. */
static int sends(const account_server_t *config, const account_route_t *route,
                 account_channel_e channel)
{
    const account_sending_t *sending = &route->action->sends;

    return account_route_sends(route, channel)
           && (config->settings.activation || !sending->if_constant
               || strcmp(sending->if_constant, "then=activate") != 0);
}

static int draws(const account_route_t *route)
{
    int i;

    for (i = 0; i < route->action->ending_count; i++) {
        if (route->action->endings[i].outcome == ACCOUNT_IMAGE) {
            return 1;
        }
    }
    return 0;
}

/* What is missing of the page that the route's messages lead to. */
static const char *missing_link(const account_server_t *config, const account_route_t *route,
                                apr_pool_t *pool)
{
    const char *action = route->action->sends.leads_to;
    const char *urls[ACCOUNT_LINK_COUNT] = {
        [ACCOUNT_LINK_ACTIVATE] = config->settings.activate_url,
        [ACCOUNT_LINK_RESET] = config->settings.reset_url,
    };
    int i;

    if (!action || (!sends(config, route, ACCOUNT_MAIL) && !sends(config, route, ACCOUNT_SMS))) {
        return NULL;
    }
    for (i = 0; i < ACCOUNT_LINK_COUNT && strcmp(link_actions[i], action) != 0; i++) {
    }
    if (i == ACCOUNT_LINK_COUNT || urls[i]) {
        return NULL;
    }
    if (config->has_page[i]) {
        return apr_psprintf(pool,
                            "sends addresses of this site and needs AccountPublicURL "
                            "https://shop.example, or AccountLink %s URL",
                            link_names[i]);
    }
    return apr_psprintf(pool,
                        "sends an address where the action %s is: mount a contract that has it, "
                        "such as the one that ships for this (README: mailed addresses), or write "
                        "AccountLink %s URL for a page of the site",
                        action, link_names[i]);
}

/* NULL: nothing is. */
static const char *missing_of(const account_server_t *config, const account_route_t *route,
                              apr_pool_t *pool)
{
    const char *error;

    if (sends(config, route, ACCOUNT_SMS) && !config->settings.sends[ACCOUNT_SMS]) {
        return "sends text messages and needs AccountSms https://GATEWAY/PATH TEMPLATE, "
               "\"|PROGRAM ARGUMENT\", or file:/PATH";
    }
    if (sends(config, route, ACCOUNT_MAIL) && !config->settings.sends[ACCOUNT_MAIL]) {
        return "sends mail and needs AccountMail smtp://localhost:25 \"Shop <shop@example.com>\", "
               "\"|PROGRAM ARGUMENT\" \"Shop <shop@example.com>\", or file:/PATH";
    }
    if (draws(route)) {
        error = account_picture_check(config->settings.captcha_font, pool);
        if (error) {
            return apr_pstrcat(pool, "draws pictures, which can't be: ", error, NULL);
        }
    }
    return missing_link(config, route, pool);
}

/* Whether one of its replies is a page. */
static int has_page(const account_route_t *route)
{
    int i, j;

    for (i = 0; i < ACCOUNT_OUTCOMES; i++) {
        if (route->replies[i] && route->replies[i]->page) {
            return 1;
        }
    }
    for (i = 0; i < route->parameters->nelts; i++) {
        const account_parameter_t *parameter =
            APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);

        for (j = 0; j < ACCOUNT_RULES; j++) {
            if (parameter->refusals[j] && parameter->refusals[j]->page) {
                return 1;
            }
        }
    }
    return 0;
}

static int check_mount(const account_server_t *config, const account_mount_t *mount,
                       server_rec *server, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < mount->contract->routes->nelts; i++) {
        const account_route_t *route = APR_ARRAY_IDX(mount->contract->routes, i, account_route_t *);
        const char *missing =
            mount->only && mount->only != route ? NULL : missing_of(config, route, pool);

        if (missing) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                         ACLOGNO(00210) "Syntax error on line %d of %s: the contract %s is mounted "
                                        "here, and its route %s %s",
                         mount->line, mount->file, mount->contract->name, route->name, missing);
            return 0;
        }
    }
    return 1;
}

/* Where the server wants texts: the first mount that shows pages, or a gateway. file NULL: nowhere.
 */
static account_place_t wants_texts(const account_server_t *config)
{
    int i, j;

    for (i = 0; i < ACCOUNT_CHANNELS; i++) {
        if (config->options.transports[i].transport) {
            return config->options.transports[i].place;
        }
    }
    for (i = 0; i < config->mounts->nelts; i++) {
        const account_mount_t *mount = APR_ARRAY_IDX(config->mounts, i, account_mount_t *);

        for (j = 0; j < mount->contract->routes->nelts; j++) {
            const account_route_t *route =
                APR_ARRAY_IDX(mount->contract->routes, j, account_route_t *);

            if ((!mount->only || mount->only == route) && has_page(route)) {
                return (account_place_t){mount->file, mount->line};
            }
        }
    }
    return (account_place_t){NULL, 0};
}

/* Servers with one folder and language share what was read. */
static int read_texts(account_server_t *config, server_rec *server, apr_pool_t *pool)
{
    apr_hash_t *known = config->shared->texts;
    const char *folder =
        apr_pstrcat(pool, config->options.texts ? config->options.texts : PKGDATADIR "/texts", "/",
                    config->options.language ? config->options.language : DEFAULT_LANGUAGE, NULL);
    account_texts_t *texts = apr_hash_get(known, folder, APR_HASH_KEY_STRING);
    account_place_t place = wants_texts(config);
    const char *error = NULL;

    if (!place.file) {
        return 1;
    }
    if (!texts) {
        error = account_texts_read(&texts, folder, pool);
        apr_hash_set(known, folder, APR_HASH_KEY_STRING, texts);
    }
    if (error) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                     ACLOGNO(00211) "Syntax error on line %d of %s: this needs texts (AccountTexts "
                                    "FOLDER, AccountLanguage): %s",
                     place.line, place.file, error);
        return 0;
    }
    config->settings.texts = texts;
    return 1;
}

/* What is in a realm's outbox goes out by any server of the realm, so all must agree how. */
static int check_transports(const account_server_t *config, server_rec *server, server_rec *servers)
{
    server_rec *first;
    int i;

    for (first = servers; first != server; first = first->next) {
        const account_server_t *other = account_server_of(first);

        for (i = 0; is_of_realm(config, other) && i < ACCOUNT_CHANNELS; i++) {
            const account_transport_option_t *a = &config->options.transports[i];
            const account_transport_option_t *b = &other->options.transports[i];

            if (a->transport && b->transport
                && !account_transport_is_same(a->transport, b->transport)) {
                ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                             ACLOGNO(00212) "Syntax error on line %d of %s: the realm %s has "
                                            "another %s on line %d of %s: one realm, one way "
                                            "(AccountRealm makes another realm)",
                             a->place.line, a->place.file, config->realm,
                             i == ACCOUNT_MAIL ? "AccountMail" : "AccountSms", b->place.line,
                             b->place.file);
                return 0;
            }
        }
    }
    return 1;
}

int account_needs_check(server_rec *servers, apr_pool_t *pool)
{
    server_rec *server;
    int i;

    for (server = servers; server; server = server->next) {
        account_server_t *config = account_server_of(server);

        if (!config->backend) {
            continue;
        }
        config->settings.activate_url = find_url(config, ACCOUNT_LINK_ACTIVATE, servers, pool);
        config->settings.reset_url = find_url(config, ACCOUNT_LINK_RESET, servers, pool);
        for (i = 0; i < config->mounts->nelts; i++) {
            if (!check_mount(config, APR_ARRAY_IDX(config->mounts, i, account_mount_t *), server,
                             pool)) {
                return 0;
            }
        }
        if (!check_transports(config, server, servers) || !read_texts(config, server, pool)) {
            return 0;
        }
    }
    return 1;
}

const char *account_needs_missing(const account_server_t *config, const account_route_t *route,
                                  apr_pool_t *pool)
{
    const char *missing = missing_of(config, route, pool);

    return !missing && has_page(route) && !config->settings.texts
               ? "shows pages, whose texts are read where there is an AccountMail or AccountSms"
               : missing;
}
