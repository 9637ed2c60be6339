#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <jansson.h>

#include "base/courier.h"

/* Parcels as lines of JSON, and the transport that appends them to a file. */

/* Whether the member could be added; one that is NULL is left out. */
static int add(json_t *object, const char *name, const char *value)
{
    return !value || json_object_set_new(object, name, json_string(value)) == 0;
}

const char *account_parcel_line(const account_parcel_t *parcel, apr_pool_t *pool)
{
    json_t *object = json_object();
    char *text = NULL;
    const char *line;

    if (object && add(object, "channel", parcel->channel) && add(object, "to", parcel->to)
        && add(object, "template", parcel->name) && add(object, "code", parcel->code)
        && add(object, "link", parcel->link) && add(object, "subject", parcel->subject)
        && add(object, "text", parcel->text)) {
        text = json_dumps(object, JSON_COMPACT);
    }
    json_decref(object);
    if (!text) {
        return NULL;
    }
    line = apr_pstrcat(pool, text, "\n", NULL);
    free(text);
    return line;
}

/* One write() a line: lines of several processes stay whole. */
static apr_status_t append(const char *path, const char *line)
{
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    apr_status_t rv = APR_SUCCESS;
    ssize_t written;

    if (file == -1) {
        return errno;
    }
    do {
        written = write(file, line, strlen(line));
    } while (written == -1 && errno == EINTR);
    if (written == -1) {
        rv = errno;
    }
    else if ((size_t)written != strlen(line)) {
        rv = ENOSPC;
    }
    if (close(file) == -1 && rv == APR_SUCCESS && errno != EINTR) {
        rv = errno;
    }
    return rv;
}

static void send_lines(const void *self, account_dispatch_t *dispatch)
{
    const char *path = self;
    char reason[120];
    int i;

    for (i = 0; i < dispatch->count && !dispatch->stopping(dispatch->baton); i++) {
        account_parcel_t *parcel = &dispatch->parcels[i];
        const char *line = account_parcel_line(parcel, dispatch->pool);
        apr_status_t rv = line ? append(path, line) : APR_SUCCESS;

        if (!line) {
            account_parcel_end(parcel, ACCOUNT_PARCEL_REFUSED, dispatch->pool,
                               "it has a text that is not UTF-8");
        }
        else if (rv != APR_SUCCESS) {
            account_parcel_end(parcel, ACCOUNT_PARCEL_DOWN, dispatch->pool,
                               "the file can't be written: %s",
                               apr_strerror(rv, reason, sizeof(reason)));
        }
        else {
            parcel->end = ACCOUNT_PARCEL_SENT;
        }
    }
}

const char *account_lines_parse(account_transport_t *transport,
                                const account_transport_words_t *words, apr_pool_t *pool)
{
    const char *address = account_words_at(words, 0) + sizeof("file:") - 1;
    const char *path, *folder;
    struct stat info;

    /* A sender changes nothing here, but lets one line be tried with a file and then with a server.
     */
    if (account_words_at(words, words->is_mail ? 2 : 1)) {
        return apr_psprintf(pool, "file:%s takes no further words", address);
    }
    if (strncmp(address, "///", 3) == 0) {
        address += 2; /* file:///PATH, as a URL has it */
    }
    path = *address ? words->resolve(pool, address) : NULL;
    if (!path) {
        return apr_psprintf(pool, "file:%s names no file", address);
    }
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return apr_psprintf(pool, "file:%s is a folder; name a file in it", address);
    }
    folder = strrchr(path, '/') > path
                 ? apr_pstrmemdup(pool, path, (apr_size_t)(strrchr(path, '/') - path))
                 : "/";
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return apr_psprintf(pool,
                            "file:%s can't be written: there is no folder %s; make it, for the "
                            "user that httpd runs as",
                            address, folder);
    }
    transport->name = apr_pstrcat(pool, "file:", path, NULL);
    transport->self = path;
    transport->send = send_lines;
    return NULL;
}
