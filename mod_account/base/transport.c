#include "base/transport.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include "base/courier.h"

#define MOST_FILE_BYTES (256 * 1024)

#ifndef HAVE_CURL
static const char *parse_without_curl(account_transport_t *transport,
                                      const account_transport_words_t *words, apr_pool_t *pool)
{
    (void)transport;
    (void)words;
    (void)pool;
    return "smtp:// and https:// can't be used: mod_account was built without libcurl: apt-get "
           "install libcurl4-openssl-dev and build again";
}
#define account_smtp_parse parse_without_curl
#define account_gateway_parse parse_without_curl
#endif

typedef struct kind_t {
    const char *mark;
    const char *(*parse)(account_transport_t *transport, const account_transport_words_t *words,
                         apr_pool_t *pool);
} kind_t;

static const kind_t kinds[] = {
    {"smtp://", account_smtp_parse},    {"smtps://", account_smtp_parse},
    {"http://", account_gateway_parse}, {"https://", account_gateway_parse},
    {"|", account_program_parse},       {"file:", account_lines_parse},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *account_words_at(const account_transport_words_t *words, int place)
{
    return place < words->words->nelts ? APR_ARRAY_IDX(words->words, place, const char *) : NULL;
}

/* The names of options in one text, for an error. */
static const char *names_of(const account_words_option_t *options, apr_pool_t *pool)
{
    const char *names = "";

    for (; options->name; options++) {
        names = apr_pstrcat(pool, names, *names ? ", " : "", options->name, "=", NULL);
    }
    return names;
}

/* Whether it looks like one; else it may be a password with = in it. */
static int is_option_name(const char *name)
{
    return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz-")] == '\0' && strlen(name) <= 20;
}

const char *account_words_options(const account_transport_words_t *words, int first,
                                  const account_words_option_t *options, apr_pool_t *pool)
{
    const account_words_option_t *option;
    const char *word;
    unsigned seen = 0;

    for (; (word = account_words_at(words, first)); first++) {
        /* Only the name goes into an error: the value may be a password. */
        const char *end = strchr(word, '=');
        const char *name = end ? apr_pstrmemdup(pool, word, (apr_size_t)(end - word)) : word;

        if (!end) {
            return apr_psprintf(pool, "word %d is no option NAME=VALUE; there are %s", first + 1,
                                names_of(options, pool));
        }
        for (option = options; option->name && strcmp(option->name, name) != 0; option++) {
        }
        if (!option->name && is_option_name(name)) {
            return apr_psprintf(pool, "there is no option %s=; there are %s", name,
                                names_of(options, pool));
        }
        if (!option->name) {
            return apr_psprintf(pool, "word %d is no option that there is; there are %s", first + 1,
                                names_of(options, pool));
        }
        if (seen & 1u << (option - options)) {
            return apr_psprintf(pool, "%s= is given twice", name);
        }
        if (!end[1]) {
            return apr_psprintf(pool, "%s= has no value", name);
        }
        seen |= 1u << (option - options);
        *option->value = end + 1;
    }
    return NULL;
}

/* Reads the open file. NULL, or what is wrong with it. */
static const char *read_open(account_words_file_t *file, apr_file_t *handle, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_size_t length = 0;
    apr_status_t rv;
    char *text;

    rv = apr_file_info_get(&info, APR_FINFO_TYPE | APR_FINFO_PROT | APR_FINFO_SIZE, handle);
    if (rv != APR_SUCCESS || info.filetype != APR_REG) {
        return "is not a regular file";
    }
    if (file->is_secret
        && (info.protection
            & (APR_FPROT_GREAD | APR_FPROT_GWRITE | APR_FPROT_WREAD | APR_FPROT_WWRITE))) {
        return "can be read or written by others than its owner; run chmod 600 on it and, if "
               "somebody may have read it, change the password";
    }
    if (info.size > MOST_FILE_BYTES) {
        return apr_psprintf(pool, "is larger than %d bytes", MOST_FILE_BYTES);
    }
    text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
    rv = apr_file_read_full(handle, text, (apr_size_t)info.size, &length);
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return "can't be read";
    }
    if (strlen(text) != length) {
        return "is not a text file";
    }
    file->text = text;
    return NULL;
}

const char *account_words_file(const account_transport_words_t *words, account_words_file_t *file,
                               apr_pool_t *pool)
{
    const char *path = words->resolve(pool, file->path);
    apr_file_t *handle = NULL;
    const char *wrong;
    apr_status_t rv;
    char reason[120];

    if (!path) {
        return apr_psprintf(pool, "%s is no path of a file", file->path);
    }
    file->path = path;
    /* Not blocking: the path may be that of a pipe. */
    rv = apr_file_open(&handle, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, APR_FPROT_OS_DEFAULT,
                       pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "%s can't be opened: %s", path,
                            apr_strerror(rv, reason, sizeof(reason)));
    }
    wrong = read_open(file, handle, pool);
    apr_file_close(handle);
    return wrong ? apr_psprintf(pool, "%s %s", path, wrong) : NULL;
}

const char *account_words_digest(const char *text, int bytes, apr_pool_t *pool)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    char *hex = apr_pcalloc(pool, 2 * (apr_size_t)bytes + 1);
    int i;

    EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
    for (i = 0; i < bytes; i++) {
        apr_snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return hex;
}

/* Whether a text is a port number. */
static int is_port(const char *text)
{
    apr_size_t length = strspn(text, "0123456789");
    long port = length > 0 && length <= 5 ? strtol(text, NULL, 10) : 0;

    return text[length] == '\0' && port >= 1 && port <= 65535;
}

const char *account_words_host(const char *authority)
{
    const char *digits = "0123456789abcdefABCDEF:.%";
    const char *letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_";
    const char *end;

    if (strchr(authority, '@')) {
        return "its address holds a user name or a password; they don't belong there";
    }
    if (*authority == '[') {
        end = authority + 1 + strspn(authority + 1, digits);
        if (end == authority + 1 || *end != ']') {
            return "what follows :// is no host";
        }
        end++;
    }
    else {
        end = authority + strspn(authority, letters);
        if (end == authority) {
            return "what follows :// is no host";
        }
    }
    if (*end == '\0') {
        return NULL;
    }
    if (*end != ':' || !is_port(end + 1)) {
        return "what follows :// is not HOST or HOST:PORT";
    }
    return NULL;
}

/* What of an address can be told: what follows may hold a password. */
static const char *scheme_of(const char *address, apr_pool_t *pool)
{
    apr_size_t length = strspn(address, "abcdefghijklmnopqrstuvwxyz");

    return length > 0 && strncmp(address + length, "://", 3) == 0
               ? apr_pstrcat(pool, apr_pstrmemdup(pool, address, length), "://…", NULL)
               : "the first word";
}

const char *account_transport_parse(account_transport_t **transport,
                                    const account_transport_words_t *words, apr_pool_t *pool)
{
    account_transport_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *address = account_words_at(words, 0);
    const char *wrong = NULL;
    apr_size_t i;

    if (!address) {
        return "an address is missing: smtp://HOST, https://HOST/PATH, |PROGRAM or file:/PATH";
    }
    for (i = 0; i < KINDS; i++) {
        if (strncasecmp(address, kinds[i].mark, strlen(kinds[i].mark)) == 0) {
            wrong = kinds[i].parse(made, words, pool);
            if (!wrong) {
                *transport = made;
            }
            return wrong;
        }
    }
    return apr_pstrcat(pool, scheme_of(address, pool),
                       " is no address of a known kind: smtp://HOST, smtps://HOST, "
                       "http://HOST/PATH, https://HOST/PATH, |PROGRAM or file:/PATH",
                       NULL);
}

int account_transport_is_same(const account_transport_t *a, const account_transport_t *b)
{
    return strcmp(a->name, b->name) == 0
           && strcmp(a->identity ? a->identity : "", b->identity ? b->identity : "") == 0;
}

const char *account_transport_name(const account_transport_t *transport)
{
    return transport->name;
}

/* A peer that is gone must be an error, not the end of the process: httpd ignores SIGPIPE, who else
 * uses this may not. One that came meanwhile is taken away again. */
void account_transport_send(const account_transport_t *transport, account_dispatch_t *dispatch)
{
    static const struct timespec now = {0, 0};
    sigset_t pipes, before, pending;
    int was_pending, i;

    for (i = 0; i < dispatch->count; i++) {
        dispatch->parcels[i].end = ACCOUNT_PARCEL_WAITS;
        dispatch->parcels[i].reason = NULL;
    }
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipes, &before);
    transport->send(transport->self, dispatch);
    if (!was_pending) {
        while (sigtimedwait(&pipes, NULL, &now) == -1 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
