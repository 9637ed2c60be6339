#ifdef HAVE_CURL

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/flight.h"
#include "base/recipe.h"

/* Messages to a gateway that speaks HTTP, by a request template. */

typedef struct gateway_t {
    const char *url;
    const char *protocol;
    const char *host; /* and port */
    const account_recipe_t *recipe;
    const char *certificates;
} gateway_t;

static void set_headers(account_lane_t *lane, const account_order_t *order)
{
    int i;

    for (i = 0; i < order->headers->nelts; i++) {
        const char *line = APR_ARRAY_IDX(order->headers, i, const char *);

        /* libcurl leaves out a header without a value unless it is written with a semicolon. One
         * that has a value does not end in a blank. */
        if (line[strlen(line) - 1] == ' ') {
            line = apr_pstrcat(lane->pool, apr_pstrmemdup(lane->pool, line, strcspn(line, ":")),
                               ";", NULL);
        }
        lane->list = curl_slist_append(lane->list, line);
    }
    lane->list = curl_slist_append(lane->list, "Expect:");
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, lane->list);
}

static int prepare(const void *self, account_lane_t *lane)
{
    const gateway_t *gateway = self;
    account_order_t order;
    const char *url = gateway->url;

    if (!account_recipe_fill(gateway->recipe, lane->parcel, &order, lane->pool)) {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_REFUSED, lane->dispatch->pool,
                           "it has a text that is not UTF-8");
        return 0;
    }
    if (order.query && *order.query) {
        url = apr_pstrcat(lane->pool, url, "?", order.query, NULL);
    }
    account_flight_set_protocol(lane->easy, gateway->protocol);
    account_flight_set_trust(lane->easy, gateway->certificates);
    curl_easy_setopt(lane->easy, CURLOPT_URL, url);
    curl_easy_setopt(lane->easy, CURLOPT_USERAGENT, "mod_account");
    if (strcmp(order.method, "GET") != 0) {
        curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, order.body ? order.body : "");
        curl_easy_setopt(lane->easy, CURLOPT_CUSTOMREQUEST, order.method);
    }
    set_headers(lane, &order);
    return 1;
}

static void judge(const void *self, account_lane_t *lane, CURLcode result)
{
    const gateway_t *gateway = self;
    apr_pool_t *pool = lane->dispatch->pool;
    const char *lacks;
    long status = 0;

    if (result != CURLE_OK) {
        account_parcel_end(
            lane->parcel, ACCOUNT_PARCEL_DOWN, pool, "%s%s", account_flight_failure(lane, result),
            result == CURLE_PEER_FAILED_VERIFICATION ? "; name its certificate with ca=FILE" : "");
        return;
    }
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    lacks = account_recipe_judge(gateway->recipe, (int)status, lane->reply, pool);
    if (!lacks) {
        lane->parcel->end = ACCOUNT_PARCEL_SENT;
    }
    else if (status == 401 || status == 403) {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_DOWN, pool,
                           "the gateway answered HTTP %ld: it does not accept the credentials of "
                           "the template",
                           status);
    }
    else if (status >= 500 || status == 429) {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_DOWN, pool, "the gateway answered HTTP %ld",
                           status);
    }
    else if (status >= 300 && status <= 399) {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_DOWN, pool,
                           "the gateway answered HTTP %ld: redirects are not followed, write its "
                           "real address",
                           status);
    }
    else {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_FAILED, pool,
                           "the gateway answered HTTP %ld, which is no success: %s", status, lacks);
    }
}

static void send_by_gateway(const void *self, account_dispatch_t *dispatch)
{
    account_flyer_t flyer = {self, ACCOUNT_COURIER_LANES, prepare, judge};

    account_flight_send(&flyer, dispatch);
}

static const char *protocol_of(const char *address)
{
    return strncasecmp(address, "https", 5) == 0 ? "https" : "http";
}

/* The address: host and path, no more. */
static const char *read_address(gateway_t *gateway, const char *address, apr_pool_t *pool)
{
    const char *host = strstr(address, "://") + 3;
    const char *at;

    for (at = address; *at; at++) {
        if ((unsigned char)*at <= 0x20 || (unsigned char)*at > 0x7E || strchr("\"<>\\^`{|}", *at)) {
            return "its address has a character that must be written as %XX";
        }
    }
    if (strpbrk(address, "?#")) {
        return "what follows ? belongs into the template: \"query\": {\"name\": \"value\"}";
    }
    host = apr_pstrmemdup(pool, host, strcspn(host, "/"));
    gateway->protocol = protocol_of(address);
    gateway->host = host;
    gateway->url = apr_pstrcat(pool, gateway->protocol, strstr(address, "://"), NULL);
    return account_words_host(host);
}

/* Whether an option of smtp:// stands where the template should. */
static int is_password(const char *word)
{
    return strncasecmp(word, "password", 8) == 0 && strchr(word, '=');
}

static const char *read_template(gateway_t *gateway, const account_transport_words_t *words,
                                 apr_pool_t *pool)
{
    account_words_file_t file = {account_words_at(words, 1), 0, NULL};
    account_recipe_t *recipe = NULL;
    const char *error;

    if (!file.path || strncasecmp(file.path, "ca=", 3) == 0 || is_password(file.path)) {
        return "a request template is needed, the second word: the name of a JSON file";
    }
    error = account_words_file(words, &file, pool);
    if (!error) {
        error = account_recipe_parse(&recipe, file.text, file.path, pool);
    }
    gateway->recipe = recipe;
    return error;
}

const char *account_gateway_parse(account_transport_t *transport,
                                  const account_transport_words_t *words, apr_pool_t *pool)
{
    gateway_t *gateway = apr_pcalloc(pool, sizeof(*gateway));
    account_words_file_t ca = {NULL, 0, NULL};
    const account_words_option_t options[] = {{"ca", &ca.path}, {NULL, NULL}};
    const char *error = read_address(gateway, account_words_at(words, 0), pool);
    const char *way;

    if (!error) {
        error = read_template(gateway, words, pool);
    }
    if (!error) {
        error = account_words_options(words, 2, options, pool);
    }
    if (!error && ca.path) {
        error = account_flight_trust(&gateway->certificates, &ca, words, pool);
    }
    if (!error) {
        error = account_flight_begin(pool);
    }
    if (error) {
        return apr_pstrcat(pool, protocol_of(account_words_at(words, 0)), "://…: ", error, NULL);
    }
    way = apr_pstrcat(pool, gateway->url, " ", words->resolve(pool, account_words_at(words, 1)),
                      " ", ca.path ? ca.path : "", NULL);
    transport->name =
        apr_pstrcat(pool, gateway->protocol, "://", gateway->host, " (path and template ",
                    account_words_digest(way, 4, pool), ")", NULL);
    transport->identity = account_words_digest(way, 32, pool);
    transport->self = gateway;
    transport->send = send_by_gateway;
    return NULL;
}

#endif
