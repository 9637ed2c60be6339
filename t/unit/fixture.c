#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "tap.h"

#define FILE_BYTES 1000000

/* A line being read, and where its children and its successor go. */
typedef struct reader_t {
    const char *rest;
    const char *file;
    int number;
    apr_pool_t *pool;
} reader_t;

/* The next line, continued ones joined, without the blanks at its ends. NULL: there is none. */
static char *next_line(reader_t *reader)
{
    char *line = NULL;
    apr_size_t length;

    while (*reader->rest) {
        const char *start = reader->rest;
        int continued;

        length = strcspn(start, "\n");
        reader->rest += length + (start[length] == '\n');
        reader->number++;
        continued = length > 0 && start[length - 1] == '\\';
        line = apr_pstrcat(reader->pool, line ? line : "",
                           apr_pstrmemdup(reader->pool, start, length - continued), NULL);
        if (!continued) {
            break;
        }
    }
    if (line) {
        for (length = strlen(line); length && apr_isspace(line[length - 1]); length--) {
            line[length - 1] = '\0';
        }
        while (apr_isspace(*line)) {
            line++;
        }
    }
    return line;
}

static account_line_t *make_line(reader_t *reader, char *text)
{
    account_line_t *line = apr_pcalloc(reader->pool, sizeof(*line));
    char *args = text + strcspn(text, " \t");

    line->name = apr_pstrmemdup(reader->pool, text, args - text);
    while (apr_isspace(*args)) {
        args++;
    }
    if (*text == '<' && strrchr(args, '>')) {
        *strrchr(args, '>') = '\0';
    }
    line->args = args;
    line->file = reader->file;
    line->number = reader->number;
    return line;
}

/* Everything up to the end of the container; 0: there is none. */
static int read_children(reader_t *reader, account_line_t *parent)
{
    const account_line_t **tail = &parent->children;
    char *text;

    while ((text = next_line(reader)) != NULL) {
        account_line_t *line;

        if (!*text || *text == '#') {
            continue;
        }
        if (strncmp(text, "</", 2) == 0) {
            return *parent->name
                   && strncasecmp(text + 2, parent->name + 1, strlen(parent->name) - 1) == 0;
        }
        line = make_line(reader, text);
        *tail = line;
        tail = (const account_line_t **)&line->next;
        if (*text == '<' && !read_children(reader, line)) {
            return 0;
        }
    }
    return !*parent->name;
}

const account_line_t *fixture_lines(const char *text, const char *file, apr_pool_t *pool)
{
    reader_t reader = {text, file, 0, pool};
    account_line_t *root = apr_pcalloc(pool, sizeof(*root));

    root->name = "";
    root->args = "";
    root->file = file;
    return read_children(&reader, root) ? root : NULL;
}

const char *fixture_path(const char *path, apr_pool_t *pool)
{
    const char *source = getenv("srcdir");
    apr_finfo_t info;

    return !source || apr_stat(&info, path, APR_FINFO_TYPE, pool) == APR_SUCCESS
               ? path
               : apr_pstrcat(pool, source, "/", path, NULL);
}

const char *fixture_read(const char *path, apr_pool_t *pool)
{
    apr_size_t length = FILE_BYTES;
    char *text = apr_palloc(pool, FILE_BYTES + 1);
    apr_file_t *file;

    if (apr_file_open(&file, fixture_path(path, pool), APR_FOPEN_READ, APR_OS_DEFAULT, pool)
        != APR_SUCCESS) {
        return NULL;
    }
    apr_file_read_full(file, text, FILE_BYTES, &length);
    apr_file_close(file);
    text[length] = '\0';
    return text;
}

const account_line_t *fixture_file(const char *path, apr_pool_t *pool)
{
    const char *text = fixture_read(path, pool);

    return text ? fixture_lines(text, path, pool) : NULL;
}

const account_contract_t *fixture_compile(const account_line_t *lines, const char **error,
                                          apr_pool_t *pool)
{
    const account_line_t *line = lines ? lines->children : NULL;
    const account_line_t *at = NULL;
    const account_contract_t *contract = NULL;

    while (line && strcasecmp(line->name, "<AccountContract") != 0) {
        line = line->next;
    }
    *error = "there is no contract, or a container is not closed";
    if (line) {
        *error = account_contract_compile(&contract, line, &at, pool);
        if (*error) {
            *error = apr_psprintf(pool, "line %d: %s", at->number, *error);
        }
    }
    return *error ? NULL : contract;
}

const account_contract_t *fixture_contract(const char *text, apr_pool_t *pool)
{
    const char *error;
    const account_contract_t *contract =
        fixture_compile(fixture_lines(text, "text", pool), &error, pool);

    if (!contract) {
        ok(0, "a contract of this program: %s", error);
    }
    return contract;
}

const account_keys_t *fixture_keys(apr_pool_t *pool)
{
    const char *error = NULL;
    account_keys_t *keys = NULL;

    if (account_keys_parse(&keys, &error, "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n", pool)
        != APR_SUCCESS) {
        ok(0, "keys: %s", error);
    }
    return keys;
}

const char *fixture_shown(const char *text)
{
    static char buffers[4][300];
    static int turn;
    char *buffer = buffers[turn++ % 4];
    apr_size_t used = 0;

    for (; text && *text && used < sizeof(buffers[0]) - 8; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte >= 0x7F || byte == '#') {
            used += (apr_size_t)snprintf(buffer + used, sizeof(buffers[0]) - used, "\\x%02X", byte);
        }
        else {
            buffer[used++] = (char)byte;
        }
    }
    buffer[used] = '\0';
    return buffer;
}
