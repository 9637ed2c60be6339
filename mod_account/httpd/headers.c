#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
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

/* CGI and its kin know one separator, '_', for whatever is no letter and no digit. */
static int begins_so(const char *name, const char *prefix)
{
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

/* "Connection: X-Account-Role" would have mod_proxy drop the header that is set here. */
static void take_out_of_connection(request_rec *r, const char *prefix)
{
    const char *header = apr_table_get(r->headers_in, "Connection");
    const char *left = "";
    int any = 0;

    while (header && *header) {
        const char *token, *end;

        header += strspn(header, ", \t");
        end = header + strcspn(header, ",");
        token = apr_pstrmemdup(r->pool, header, end - header);
        header = end;
        if (begins_so(token, prefix)) {
            any = 1;
        }
        else if (*token) {
            left = apr_pstrcat(r->pool, left, *left ? ", " : "", token, NULL);
        }
    }
    if (any) {
        apr_table_setn(r->headers_in, "Connection", left);
    }
}

/* Before anybody reads them. */
static int take_out(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    found_t found = {.prefix = server->header_prefix};
    int i;

    if (!server->backend || !found.prefix) {
        return DECLINED;
    }
    found.names = apr_array_make(r->pool, 1, sizeof(const char *));
    apr_table_do(collect, &found, r->headers_in, NULL);
    for (i = 0; i < found.names->nelts; i++) {
        apr_table_unset(r->headers_in, APR_ARRAY_IDX(found.names, i, const char *));
    }
    take_out_of_connection(r, found.prefix);
    return DECLINED;
}

/* UTF-8, escaped as in addresses, so that no header says two things to two readers. */
static const char *escape(const char *value, apr_pool_t *pool)
{
    account_buffer_t buffer;

    account_buffer_init(&buffer, strlen(value) + 16, pool);
    for (; *value; value++) {
        if (apr_isprint(*value) && *value != '%' && (unsigned char)*value < 0x80) {
            account_buffer_add(&buffer, value, 1);
        }
        else {
            account_buffer_add_text(&buffer, apr_psprintf(pool, "%%%02X", (unsigned char)*value));
        }
    }
    return buffer.bytes;
}

/* What is signed: the time and each header, a line each, in the order of account_claims. */
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

int account_headers_set(request_rec *r, const account_identity_t *identity, apr_table_t *headers)
{
    const account_server_t *server = account_server_of(r->server);
    const account_claim_row_t *claim;
    account_buffer_t lines;

    if (!server->header_prefix) {
        return 1;
    }
    account_buffer_init(&lines, 256, r->pool);
    for (claim = account_claims; claim->name; claim++) {
        const char *value = claim->header ? account_claim_value(r, identity, claim->name) : "";

        if (*value) {
            value = escape(value, r->pool);
            apr_table_setn(headers,
                           apr_pstrcat(r->pool, server->header_prefix, claim->header, NULL), value);
            account_buffer_add_text(&lines,
                                    apr_pstrcat(r->pool, claim->header, ": ", value, "\n", NULL));
        }
    }
    return !server->header_keys || sign(r, headers, lines.bytes);
}

static int tell(request_rec *r)
{
    const account_identity_t *identity = account_request_identity(r);
    request_rec *original = account_request_original(r);

    if (!r->main && (identity || account_request_of(original)->caller.session)) {
        /* made for somebody, if only by an expression: a cache may not give it to others */
        apr_table_setn(r->err_headers_out, "Cache-Control", "private");
    }
    if (!identity) {
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
    if (*c || c - word < 3 || c - word > 64 || !apr_isalpha(*word) || c[-1] == ' ') {
        return apr_psprintf(cmd->pool,
                            "AccountHeaderPrefix: \"%s\" is no beginning of a header: 3 to 64 "
                            "letters, digits and '-', as X-Account- is; or off",
                            word);
    }
    account_server_of(cmd->server)->header_prefix = strcasecmp(word, "off") == 0 ? "" : word;
    return NULL;
}

const char *account_headers_set_key(cmd_parms *cmd, void *directory, const char *path)
{
    const char *error;

    (void)directory;
    path = ap_server_root_relative(cmd->pool, path);
    if (!path) {
        return "AccountHeaderKey: this is no path";
    }
    return account_keys_read(&account_server_of(cmd->server)->header_keys, &error, path, cmd->pool)
                   == APR_SUCCESS
               ? NULL
               : apr_pstrcat(cmd->pool, "AccountHeaderKey: ", error, NULL);
}

void account_headers_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_post_read_request(take_out, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(tell, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
