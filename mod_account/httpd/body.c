#include <apr_buckets.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "contract/buffer.h"
#include "httpd/glue.h"

/* Adds what a brigade holds. OK, HTTP_REQUEST_ENTITY_TOO_LARGE, or HTTP_BAD_REQUEST; *end: the body
 * is over. */
static int add_brigade(account_buffer_t *buffer, apr_bucket_brigade *brigade, apr_int64_t limit,
                       int *end)
{
    apr_bucket *bucket;

    for (bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *bytes;
        apr_size_t length;

        if (APR_BUCKET_IS_EOS(bucket)) {
            *end = 1;
            break;
        }
        if (APR_BUCKET_IS_METADATA(bucket)) {
            continue;
        }
        if (apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ) != APR_SUCCESS) {
            return HTTP_BAD_REQUEST;
        }
        if ((apr_int64_t)(buffer->length + length) > limit) {
            return HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
        account_buffer_add(buffer, bytes, length);
    }
    return OK;
}

int account_body_read(request_rec *r, apr_int64_t limit, const char **bytes, apr_size_t *length)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    account_buffer_t buffer;
    int end = 0;
    int status = OK;

    account_buffer_init(&buffer, 256, r->pool);
    while (!end && status == OK) {
        apr_status_t rv = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                         APR_BLOCK_READ, HUGE_STRING_LEN);

        status = rv == APR_SUCCESS ? add_brigade(&buffer, brigade, limit, &end)
                                   : ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
    *bytes = buffer.bytes;
    *length = buffer.length;
    return status;
}
