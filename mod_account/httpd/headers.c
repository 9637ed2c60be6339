#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <string.h>

#include "contract/buffer.h"
#include "httpd/claims.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/*
 * Who sends a request, told to applications behind: X-Account-Id, X-Account-Role and the like. What
 * a client sends under such a name is taken out first, in every spelling that something behind
 * could take for it. Signed (AccountHeaderKey), they can be trusted by somebody whom others than
 * this server can reach too.
 */

static char folded(char c)
{
    return apr_isalnum(c) ? (char)apr_tolower(c) : '-';
}

/* CGI and its kin know one separator, '_', for whatever is no letter and no digit; who trims names
 * may trim more than blanks. */
static int begins_so(const char *name, const char *prefix)
{
    while (*name && !apr_isalnum(*name)) {
        name++;
    }
    for (; *prefix; name++, prefix++) {
        if (!*name || folded(*name) != folded(*prefix)) {
            return 0;
        }
    }
    return 1;
}

typedef struct found_t {
    const char *prefix;
    apr_array_header_t *names; /* of const char * */
} found_t;

static int collect(void *baton, const char *name, const char *value)
{
    found_t *found = baton;

    (void)value;
    if (begins_so(name, found->prefix)) {
        APR_ARRAY_PUSH(found->names, const char *) = name;
    }
    return 1;
}

/* "Connection: X-Account-Role" would have mod_proxy drop the header that is set here. What may
 * stand between names, and what a reader skips there, is not the same for all readers. */
static void take_out_of_connection(apr_table_t *headers, const char *prefix, apr_pool_t *pool)
{
    static const char separators[] = ", \t\v\f\r\n;=\"'()\\";
    const char *header = apr_table_get(headers, "Connection");
    const char *left = "";
    int any = 0;

    while (header && *header) {
        apr_size_t length;

        header += strspn(header, separators);
        length = strcspn(header, separators);
        if (begins_so(header, prefix)) {
            any = 1;
        }
        else if (length > 0) {
            left = apr_pstrcat(pool, left, *left ? ", " : "", apr_pstrmemdup(pool, header, length),
                               NULL);
        }
        header += length;
    }
    if (any) {
        apr_table_setn(headers, "Connection", left);
    }
}

static void take_out_of(apr_table_t *headers, const char *prefix, apr_pool_t *pool)
{
    found_t found = {.prefix = prefix, .names = apr_array_make(pool, 1, sizeof(const char *))};
    int i;

    apr_table_do(collect, &found, headers, NULL);
    for (i = 0; i < found.names->nelts; i++) {
        apr_table_unset(headers, APR_ARRAY_IDX(found.names, i, const char *));
    }
    take_out_of_connection(headers, prefix, pool);
}

/* NULL: nobody is told. Without accounts of its own a server still takes out what another one would
 * set: they may have the same back end. */
static const char *prefix_of(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);

    return server->shared->backends->nelts > 0 ? server->header_prefix : NULL;
}

/* With MergeTrailers what comes behind a body in chunks becomes headers, which who reads the body
 * first (mod_proxy_fcgi does) passes on. */
static apr_status_t clean_trailers(ap_filter_t *f, apr_bucket_brigade *brigade,
                                   ap_input_mode_t mode, apr_read_type_e block,
                                   apr_off_t read_bytes)
{
    request_rec *r = f->r;
    apr_table_t *before = r->headers_in;
    apr_status_t rv = ap_get_brigade(f->next, brigade, mode, block, read_bytes);
    const char *prefix = prefix_of(r);

    if (r->headers_in != before && prefix) {
        take_out_of(r->trailers_in, prefix, r->pool);
        r->headers_in = apr_table_overlay(r->pool, before, r->trailers_in);
    }
    return rv;
}

#define TRAILERS_FILTER "ACCOUNT_TRAILERS"

static void watch_trailers(request_rec *r)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);

    if (core->merge_trailers == AP_MERGE_TRAILERS_ENABLE) {
        ap_add_input_filter(TRAILERS_FILTER, NULL, r, r->connection);
    }
}

/* Before anybody reads them. Of internal redirects too, which lose the filter and may lead to a
 * place without a guard. */
static int take_out(request_rec *r)
{
    const char *prefix = prefix_of(r);

    if (prefix) {
        take_out_of(r->headers_in, prefix, r->pool);
        watch_trailers(r);
    }
    return DECLINED;
}

/* UTF-8, escaped as in addresses, so that no header says two things to two readers; blanks at the
 * ends too, which HTTP takes off. */
static const char *escape(const char *value, apr_pool_t *pool)
{
    account_buffer_t buffer;
    const char *c;

    for (c = value; *c > ' ' && *c < 0x7f && *c != '%'; c++) {
    }
    if (!*c) {
        return value;
    }
    account_buffer_init(&buffer, strlen(value) + 16, pool);
    for (c = value; *c; c++) {
        if (apr_isprint(*c) && *c != '%' && (unsigned char)*c < 0x80
            && (*c != ' ' || (c > value && c[1]))) {
            account_buffer_add(&buffer, c, 1);
        }
        else {
            account_buffer_add_text(&buffer, apr_psprintf(pool, "%%%02X", (unsigned char)*c));
        }
    }
    return buffer.bytes;
}

/* What is signed: the time, then "Name: value" of each header that there is (without the prefix,
 * the value as it is sent), in the order of account_claims, each with a newline at its end. */
static int sign(request_rec *r, apr_table_t *headers, const char *lines)
{
    const account_server_t *server = account_server_of(r->server);
    const char *now = apr_psprintf(r->pool, "%" APR_INT64_T_FMT, apr_time_sec(apr_time_now()));
    const char *signature = account_keys_sign(
        server->header_keys, apr_pstrcat(r->pool, now, "\n", lines, NULL), r->pool);

    if (!signature) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00262) "OpenSSL does not sign the headers for the back end");
        return 0;
    }
    apr_table_setn(headers, apr_pstrcat(r->pool, server->header_prefix, "Timestamp", NULL), now);
    apr_table_setn(headers, apr_pstrcat(r->pool, server->header_prefix, "Signature", NULL),
                   signature);
    return 1;
}

const char *const *account_headers_names(const char *prefix, apr_pool_t *pool)
{
    const char **names = apr_pcalloc(pool, ACCOUNT_CLAIMS * sizeof(*names));
    int i;

    for (i = 0; account_claims[i].name; i++) {
        names[i] = account_claims[i].header
                       ? apr_pstrcat(pool, prefix, account_claims[i].header, NULL)
                       : NULL;
    }
    return names;
}

int account_headers_set(request_rec *r, const account_identity_t *identity, apr_table_t *headers)
{
    const account_server_t *server = account_server_of(r->server);
    const char *const *values;
    account_buffer_t lines;
    int i;

    if (!server->header_prefix) {
        return 1;
    }
    values = account_claims_told(r, identity);
    account_buffer_init(&lines, server->header_keys ? 256 : 0, r->pool);
    for (i = 0; account_claims[i].name; i++) {
        if (values[i] && *values[i]) {
            const char *value = escape(values[i], r->pool);

            apr_table_setn(headers, server->header_names[i], value);
            if (server->header_keys) {
                account_buffer_add_text(&lines, apr_pstrcat(r->pool, account_claims[i].header, ": ",
                                                            value, "\n", NULL));
            }
        }
    }
    return !server->header_keys || sign(r, headers, lines.bytes);
}

static int tell(request_rec *r)
{
    const account_identity_t *identity = account_request_identity(r);
    request_rec *original = account_request_original(r);

    if (identity || account_request_of(original)->caller.session) {
        account_request_make_private(r);
    }
    if (!identity || r->proxyreq == PROXYREQ_PROXY /* somebody else's application */) {
        return DECLINED;
    }
    return account_headers_set(r, identity, r->headers_in) ? DECLINED : HTTP_SERVICE_UNAVAILABLE;
}

const char *account_headers_set_prefix(cmd_parms *cmd, void *directory, const char *word)
{
    const char *c;

    (void)directory;
    for (c = word; apr_isalnum(*c) || *c == '-'; c++) {
    }
    if (strcasecmp(word, "off") == 0) {
        account_server_of(cmd->server)->header_prefix = "";
        return NULL;
    }
    if (*c || c - word < 3 || c - word > 64 || !apr_isalpha(*word) || c[-1] != '-') {
        return apr_psprintf(
            cmd->pool,
            "AccountHeaderPrefix: \"%s\" is no beginning of a header: 3 to 64 "
            "letters, digits and '-', with '-' at its end, as X-Account- is; or off",
            word);
    }
    account_server_of(cmd->server)->header_prefix = word;
    return NULL;
}

const char *account_headers_set_key(cmd_parms *cmd, void *directory, const char *path)
{
    (void)directory;
    return account_config_read_keys(cmd, path, &account_server_of(cmd->server)->header_keys);
}

void account_headers_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_register_input_filter(TRAILERS_FILTER, clean_trailers, NULL, AP_FTYPE_PROTOCOL - 1);
    ap_hook_post_read_request(take_out, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(tell, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
