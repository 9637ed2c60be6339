#include "httpd/claims.h"

#include <ap_expr.h>
#include <apr_lib.h>
#include <apr_optional.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_request.h>
#include <mod_log_config.h>
#include <string.h>

#include "action/fields.h"
#include "base/text.h"
#include "contract/line.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/* clang-format off */
const account_claim_row_t account_claims[ACCOUNT_CLAIMS] = {
    {"id", "account.id", "ACCOUNT_ID", "Id"},
    {"user", "account.login_name", "ACCOUNT_USER", "User"}, /* by AccountUserField */
    {"name", "account.display_name", "ACCOUNT_NAME", "Name"},
    {"role", "account.role", "ACCOUNT_ROLE", "Role"},
    {"email", "account.email", "ACCOUNT_EMAIL", "Email"},
    {"email_verified", "account.email_verified", "ACCOUNT_EMAIL_VERIFIED", "Email-Verified"},
    {"mobile", "account.mobile", "ACCOUNT_MOBILE", "Mobile"},
    {"mobile_verified", "account.mobile_verified", "ACCOUNT_MOBILE_VERIFIED", "Mobile-Verified"},
    {"session", "session.id", "ACCOUNT_SESSION", "Session"},
    {"session_created", "session.created", NULL, NULL},
    {"user_name", "account.user_name", NULL, NULL},
    {"nickname", "account.nickname", NULL, NULL},
    {"given_name", "account.given_name", NULL, NULL},
    {"family_name", "account.family_name", NULL, NULL},
    {"picture", "account.picture", NULL, NULL},
    {"gender", "account.gender", NULL, NULL},
    {"birthdate", "account.birthdate", NULL, NULL},
    {"created", "account.created", NULL, NULL},
    {NULL, NULL, NULL, NULL},
};
/* clang-format on */

static const account_claim_row_t *find(const char *name)
{
    const account_claim_row_t *claim;

    for (claim = account_claims; claim->name; claim++) {
        if (strcmp(claim->name, name) == 0) {
            return claim;
        }
    }
    return NULL;
}

/* The name among the fields of replies; NULL: there is none. */
static const char *field_of(const char *name, apr_pool_t *pool)
{
    const account_claim_row_t *claim = find(name);
    const char *field, *rest;

    if (claim) {
        return claim->field;
    }
    field = apr_pstrcat(pool, "account.", name, NULL);
    return strncmp(name, "extra.", 6) == 0 && account_field_find(field, &rest) ? field : NULL;
}

static const char *text_of(const account_value_t *value, apr_pool_t *pool)
{
    switch (value->type) {
    case ACCOUNT_NUMBER:
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, value->number);
    case ACCOUNT_TRUTH:
        return value->number ? "true" : "false";
    default:
        return value->text;
    }
}

/* What values are made of. */
typedef struct source_t {
    account_call_t call;
    account_answer_t answer;
    apr_pool_t *pool;
} source_t;

static source_t source_of(request_rec *r, const account_identity_t *identity)
{
    return (source_t){
        .call = {.store = account_request_store(r),
                 .settings = &account_server_of(r->server)->settings},
        .answer = {.account = identity->account, .session = identity->session},
        .pool = r->pool,
    };
}

/* NULL: the account has none. rest: as account_field_find says. */
static const char *value_in(const source_t *source, const account_field_t *field, const char *rest)
{
    account_value_t value = {.type = ACCOUNT_NULL};

    return field->get(&source->call, &source->answer, rest, &value) == APR_SUCCESS
               ? text_of(&value, source->pool)
               : NULL;
}

/* NULL: the account has none, or there is no such field. */
static const char *value_of(request_rec *r, const account_identity_t *identity, const char *name)
{
    const char *rest;
    const account_field_t *field = name ? account_field_find(name, &rest) : NULL;
    source_t source;

    if (!field) {
        return NULL;
    }
    source = source_of(r, identity);
    return value_in(&source, field, rest);
}

const char *account_claim_value(request_rec *r, const account_identity_t *identity,
                                const char *name)
{
    const char *value = strcmp(name, "user") == 0 ? account_claim_user(r, identity)
                                                  : value_of(r, identity, field_of(name, r->pool));

    return value ? value : "";
}

const account_field_t *const *account_claims_resolve(apr_pool_t *pool)
{
    const account_field_t **fields = apr_pcalloc(pool, ACCOUNT_CLAIMS * sizeof(*fields));
    const char *rest;
    int i;

    for (i = 0; account_claims[i].name; i++) {
        fields[i] = account_field_find(account_claims[i].field, &rest);
    }
    return fields;
}

const char *const *account_claims_told(request_rec *r, const account_identity_t *identity)
{
    account_request_t *request = account_request_of(r);
    const account_field_t *const *fields = account_server_of(r->server)->shared->claims;
    const char **values;
    source_t source;
    int i;

    if (request->told && request->told_of == identity) {
        return request->told;
    }
    values = apr_pcalloc(r->pool, ACCOUNT_CLAIMS * sizeof(*values));
    source = source_of(r, identity);
    for (i = 0; account_claims[i].name; i++) {
        /* those of a field that ends in a dot are told to nobody */
        if (account_claims[i].variable) {
            values[i] = strcmp(account_claims[i].name, "user") == 0
                            ? account_claim_user(r, identity)
                            : value_in(&source, fields[i], NULL);
        }
    }
    request->told = values;
    request->told_of = identity;
    return values;
}

/* What names an account: nobody else in the realm can have it. */
static const char *const user_fields[] = {"login_name", "user_name", "email", "mobile", "id", NULL};

const char *account_claim_set_user(cmd_parms *cmd, void *directory, const char *word)
{
    int i;

    for (i = 0; user_fields[i] && strcmp(user_fields[i], word) != 0; i++) {
    }
    ((account_directory_t *)directory)->user_field = user_fields[i];
    return user_fields[i]
               ? NULL
               : apr_psprintf(cmd->pool,
                              "AccountUserField takes login_name, user_name, email, mobile or id; "
                              "there is no %s%s",
                              word, account_line_suggest(word, user_fields, cmd->pool));
}

const char *account_claim_user(request_rec *r, const account_identity_t *identity)
{
    const char *field = account_directory_of(r)->user_field;
    const account_t *account = identity->account;

    if (identity->user) {
        return identity->user;
    }
    if (field
        && ((strcmp(field, "email") == 0 && !account->email_verified)
            || (strcmp(field, "mobile") == 0 && !account->mobile_verified))) {
        return NULL;
    }
    return value_of(r, identity,
                    apr_pstrcat(r->pool, "account.", field ? field : *user_fields, NULL));
}

/* As whom it was authenticated, else whose session it carries. */
static const account_identity_t *identity_of(request_rec *r)
{
    const account_identity_t *identity = account_request_identity(r);

    return identity ? identity : account_request_caller(r);
}

/* An expression becomes a header, with mod_headers for one: what is not from our contracts (which
 * take no control characters) may have the end of a line in it. */
static const char *one_line(const char *value, apr_pool_t *pool)
{
    char *line, *c;

    if (!account_text_has_control(value)) {
        return value;
    }
    line = apr_pstrdup(pool, value);
    for (c = line; *c; c++) {
        *c = apr_iscntrl(*c) ? ' ' : *c;
    }
    return line;
}

static const char *evaluate(ap_expr_eval_ctx_t *context, const void *data, const char *name)
{
    request_rec *r = context->r;
    const account_identity_t *identity = NULL;

    (void)data;
    if (r && !account_server_of(r->server)->backend) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            ACLOGNO(00268) "%%{ACCOUNT:%s} needs AccountDatabase and AccountSecretFile in "
                           "the server's configuration",
            name);
        account_request_fail(r);
    }
    else if (r) {
        identity = identity_of(r);
    }
    return identity ? one_line(account_claim_value(r, identity, name), r->pool) : "";
}

/* %{ACCOUNT:name}: unknown names are errors of the configuration where they can be seen in it. */
static int look_up_function(ap_expr_lookup_parms *parms)
{
    if (parms->type != AP_EXPR_FUNC_STRING || strcasecmp(parms->name, "ACCOUNT") != 0) {
        return DECLINED;
    }
    if (parms->arg && !field_of(parms->arg, parms->ptemp)) {
        const char *names[sizeof(account_claims) / sizeof(account_claims[0])];
        int i;

        for (i = 0; account_claims[i].name; i++) {
            names[i] = account_claims[i].name;
        }
        names[i] = NULL;
        *parms->err =
            apr_psprintf(parms->ptemp, "%%{ACCOUNT:%s}: there is no such name%s", parms->arg,
                         account_line_suggest(parms->arg, names, parms->ptemp));
        return !OK;
    }
    *parms->func = (const void *)evaluate;
    *parms->data = NULL;
    return OK;
}

/* A log asks nobody: it tells what was found out to answer the request. */
static const char *log_item(request_rec *r, char *name)
{
    const account_identity_t *identity = account_request_identity(r);
    const account_caller_t *caller = &account_request_sent(r)->caller;
    const account_identity_t found = {.account = caller->account, .session = caller->session};
    const char *value = "";

    if (!identity && caller->is_known && caller->session) {
        identity = &found;
    }
    if (identity) {
        value = account_claim_value(r, identity, name);
    }
    return *value ? ap_escape_logitem(r->pool, value) : NULL;
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)plog, (void)ptemp;
    if (add) {
        add(pconf, "^ac", log_item, 0);
    }
    return OK;
}

/* For scripts. In fixups, because an internal redirect that needs no authentication of its own gets
 * no other hook of ours. */
static int export_environment(request_rec *r)
{
    const account_identity_t *identity = account_request_identity(r);
    const char *const *values = identity ? account_claims_told(r, identity) : NULL;
    int i;

    for (i = 0; values && account_claims[i].name; i++) {
        if (values[i] && *values[i]) {
            apr_table_setn(r->subprocess_env, account_claims[i].variable, values[i]);
        }
    }
    return DECLINED;
}

void account_claims_register_hooks(apr_pool_t *pool)
{
    static const char *const logs[] = {"mod_log_config.c", NULL};

    (void)pool;
    ap_hook_pre_config(pre_config, logs, NULL, APR_HOOK_MIDDLE);
    ap_hook_expr_lookup(look_up_function, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_fixups(export_environment, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
