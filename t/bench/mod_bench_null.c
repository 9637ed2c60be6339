/*
 * The limit of what a handler can reach: "SetHandler bench-null" answers every request with the
 * bytes of BenchNullFile, which is read once, at start. Nothing is looked up, nothing is checked.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <apr_file_io.h>
#include <string.h>

module AP_MODULE_DECLARE_DATA bench_null_module;

typedef struct reply_t {
    char *bytes;
    apr_size_t length;
} reply_t;

static void *create(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    return apr_pcalloc(pool, sizeof(reply_t));
}

static void *merge(apr_pool_t *pool, void *base, void *add)
{
    (void)pool;
    return ((reply_t *)add)->bytes ? add : base;
}

static const char *read_file(cmd_parms *cmd, void *directory, const char *path)
{
    reply_t *reply = ap_get_module_config(cmd->server->module_config, &bench_null_module);
    apr_file_t *file;
    apr_finfo_t info;

    (void)directory;
    if (apr_file_open(&file, path, APR_READ | APR_BINARY, 0, cmd->pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return "BenchNullFile: no such file";
    }
    reply->bytes = apr_palloc(cmd->pool, (apr_size_t)info.size);
    reply->length = (apr_size_t)info.size;
    return apr_file_read_full(file, reply->bytes, reply->length, NULL) == APR_SUCCESS
               ? NULL
               : "BenchNullFile: can't be read";
}

static int handler(request_rec *r)
{
    const reply_t *reply = ap_get_module_config(r->server->module_config, &bench_null_module);

    if (!r->handler || strcmp(r->handler, "bench-null") != 0) {
        return DECLINED;
    }
    ap_set_content_type(r, "application/json; charset=utf-8");
    ap_set_content_length(r, (apr_off_t)reply->length);
    ap_rwrite(reply->bytes, (int)reply->length, r);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("BenchNullFile", read_file, NULL, RSRC_CONF, "the reply"), {NULL}};

AP_DECLARE_MODULE(bench_null) = {STANDARD20_MODULE_STUFF, NULL, NULL, create, merge, directives,
                                 register_hooks,
#ifdef AP_MODULE_HAS_FLAGS
                                 AP_MODULE_FLAG_NONE
#endif
};
