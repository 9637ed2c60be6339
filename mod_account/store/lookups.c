#include "store/lookups.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "store/rows.h"

#define NAME_BYTES 64
#define INPUTS_MOST 16
#define FIELDS_MOST 64

static const char *const input_names[] = {"id", "ref", "user_name", "email", "mobile"};

/* NULL, or what is wrong. */
static const char *read_fields(account_lookup_t *lookup, const char *fields, apr_pool_t *pool)
{
    const char *at = fields;
    int i;

    lookup->fields = apr_array_make(pool, 2, sizeof(const char *));
    for (;;) {
        apr_size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
        const char *name = apr_pstrmemdup(pool, at, length);

        if (length == 0 || length > NAME_BYTES || (at[length] != '\0' && at[length] != ',')) {
            return apr_psprintf(pool,
                                "'%s' are no names of fields: 1-64 of a-z, 0-9 and _ each, a comma "
                                "and no blank between two of them",
                                fields);
        }
        for (i = 0; i < lookup->fields->nelts; i++) {
            if (!strcmp(name, APR_ARRAY_IDX(lookup->fields, i, const char *))) {
                return apr_psprintf(pool, "the field %s stands twice", name);
            }
        }
        if (lookup->fields->nelts == FIELDS_MOST) {
            return apr_psprintf(pool, "more than %d fields", FIELDS_MOST);
        }
        APR_ARRAY_PUSH(lookup->fields, const char *) = name;
        if (at[length] == '\0') {
            return NULL;
        }
        at += length + 1;
    }
}

/* The input that %{…} at sql names; NULL: none. *length: of the %{…}. */
static const char *input_at(const char *sql, apr_size_t *length)
{
    static const char prefix[] = "%{account.";
    const char *name = sql + sizeof(prefix) - 1;
    size_t i;

    for (i = 0; !strncmp(sql, prefix, sizeof(prefix) - 1)
                && i < sizeof(input_names) / sizeof(*input_names);
         i++) {
        size_t bytes = strlen(input_names[i]);

        if (!strncmp(name, input_names[i], bytes) && name[bytes] == '}') {
            *length = sizeof(prefix) - 1 + bytes + 1;
            return input_names[i];
        }
    }
    return NULL;
}

/* The %{…} that nobody knows, for the error's text. */
static const char *slot_at(const char *sql, apr_pool_t *pool)
{
    apr_size_t length = strcspn(sql, "}");

    return apr_pstrmemdup(pool, sql, length + (sql[length] == '}'));
}

/* A SELECT while it is read. */
typedef struct reader_t {
    const char *at;
    char *out;                  /* with placeholders, where the next byte goes */
    char quote;                 /* within which we are; 0: none */
    apr_array_header_t *inputs; /* of const char * */
    apr_pool_t *pool;
} reader_t;

/* The %{…} at which the reader is. NULL, or what is wrong. */
static const char *read_slot(reader_t *reader)
{
    apr_size_t length, placeholder_length;
    const char *input = input_at(reader->at, &length), *placeholder;

    if (input == NULL) {
        return apr_psprintf(reader->pool,
                            "there is no %s: %%{account.id}, %%{account.ref}, "
                            "%%{account.user_name}, %%{account.email} and %%{account.mobile} "
                            "can be asked for",
                            slot_at(reader->at, reader->pool));
    }
    if (reader->quote) {
        return apr_psprintf(reader->pool,
                            "%%{account.%s} stands within %c quotes: leave them out, the database "
                            "gets it as a value and not as text",
                            input, reader->quote);
    }
    if (reader->inputs->nelts == INPUTS_MOST) {
        return apr_psprintf(reader->pool, "more than %d %%{...}", INPUTS_MOST);
    }
    APR_ARRAY_PUSH(reader->inputs, const char *) = input;
    placeholder = input == input_names[0] ? "%lld" : "%s";
    placeholder_length = strlen(placeholder);
    memcpy(reader->out, placeholder, placeholder_length);
    reader->out += placeholder_length;
    reader->at += length;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_sql(account_lookup_t *lookup, const char *sql, apr_pool_t *pool)
{
    char *converted = apr_palloc(pool, 2 * strlen(sql) + 1); /* a % becomes two */
    reader_t reader = {.at = sql, .out = converted, .pool = pool};
    const char *error;

    reader.inputs = apr_array_make(pool, 2, sizeof(const char *));
    while (apr_isspace(*reader.at)) {
        reader.at++;
    }
    if (strncasecmp(reader.at, "SELECT", 6) != 0 || !apr_isspace(reader.at[6])) {
        return "is no SELECT";
    }
    while (*reader.at != '\0') {
        char byte = *reader.at;

        if (byte == '%' && reader.at[1] == '{') {
            error = read_slot(&reader);
            if (error != NULL) {
                return error;
            }
            continue;
        }
        if (byte == '?' || byte == ';') {
            return apr_psprintf(pool, "'%c' may not stand in the SELECT, not even in quotes", byte);
        }
        if (byte == '\'' || byte == '"' || byte == '`') {
            reader.quote = reader.quote == byte ? 0 : reader.quote ? reader.quote : byte;
        }
        if (byte == '%') {
            *reader.out++ = '%';
        }
        *reader.out++ = byte;
        reader.at++;
    }
    if (reader.quote) {
        return apr_psprintf(pool, "the SELECT has a %c without its second", reader.quote);
    }
    *reader.out = '\0';
    lookup->inputs = (const char *const *)reader.inputs->elts;
    lookup->input_count = reader.inputs->nelts;
    lookup->statement.sql[ACCOUNT_MYSQL] = converted;
    return NULL;
}

const char account_lookup_usage[] = "FIELD,FIELD \"SELECT … %{account.id}\"";

const char *account_lookup_parse(account_lookup_t **lookup, const char *fields, const char *sql,
                                 apr_pool_t *pool)
{
    account_lookup_t *parsed = apr_pcalloc(pool, sizeof(*parsed));
    const char *error = read_fields(parsed, fields, pool);

    if (error == NULL) {
        error = read_sql(parsed, sql, pool);
    }
    if (error == NULL) {
        parsed->statement.name = apr_pstrcat(pool, "AccountLookup ", fields, NULL);
        *lookup = parsed;
    }
    return error;
}

typedef struct lookup_work_t {
    const account_store_t *store;
    const account_lookup_t *lookup;
    account_args_t args;
    const char *const *columns;
} lookup_work_t;

static apr_status_t look_up(account_db_t *db, void *baton)
{
    lookup_work_t *work = baton;
    const account_lookup_t *lookup = work->lookup;
    apr_status_t rv = account_db_row(db, lookup->number, work->args, &work->columns);

    if (rv == APR_SUCCESS && work->columns != NULL
        && account_db_width(db) != lookup->fields->nelts) {
        account_log(work->store->log, ACCOUNT_LOG_ERROR, 0,
                    ACLOGNO(00163) "%s: it names %d fields, its SELECT gives %d columns: make "
                                   "them as many",
                    lookup->statement.name, lookup->fields->nelts, account_db_width(db));
        work->columns = NULL;
        rv = APR_EINVAL;
    }
    return rv;
}

static account_arg_t arg_of(const account_t *account, const char *input)
{
    int kind;

    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        if (!strcmp(input, account_kind_names[kind])) {
            return TEXT(account->identifiers[kind]);
        }
    }
    return strcmp(input, "id") ? TEXT(account->ref) : NUMBER(account->id);
}

apr_status_t account_lookup_run(const account_store_t *store, const account_lookup_t *lookup,
                                const account_t *account, const char *const **values)
{
    account_arg_t args[INPUTS_MOST];
    lookup_work_t work = {store, lookup, {lookup->input_count, args}, NULL};
    apr_status_t rv;
    int i;

    for (i = 0; i < lookup->input_count; i++) {
        args[i] = arg_of(account, lookup->inputs[i]);
    }
    rv = account_store_run(store, ACCOUNT_READ, look_up, &work);
    *values = work.columns ? work.columns
                           : apr_pcalloc(store->pool,
                                         sizeof(const char *) * (apr_size_t)lookup->fields->nelts);
    return rv;
}
