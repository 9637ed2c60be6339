#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>
#include <string.h>

#include "action/audit.h"
#include "action/remember.h"
#include "base/base64.h"
#include "base/text.h"
#include "contract/request.h"
#include "httpd/cache.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/*
 * AuthBasicProvider account, AuthFormProvider account: requests that carry a name and a password,
 * asked for by mod_auth_basic or mod_auth_form. No session begins and no cookie is set. A provider
 * can say no more than yes, no, and "something is wrong", of which those modules make 500; the
 * hooks here make of it what it is: 503, 429, 403.
 */

#define NAME_MOST 255
#define PASSWORD_MOST 255

/* What came of a name and password. */
typedef struct result_t {
    account_login_t login; /* in the pool of the request as it was sent */
    authn_status status;
    int refusal;             /* the HTTP status to answer, whatever they make of it; 0: none */
    const char *retry_after; /* of 429 */
    int is_guess;            /* the name is nobody's, and was counted as a guess */
} result_t;

/* Of a request, while it is authenticated. */
typedef struct account_basic_t {
    int is_inside;    /* our hook is asking the others */
    int refusal;      /* as in the result */
    result_t *result; /* of a request as it was sent: what it was asked about last */
    const char *authorization[2];
} account_basic_t;

static const char *const credentials[2] = {"Authorization", "Proxy-Authorization"};

static account_basic_t *basic_of(request_rec *r)
{
    account_request_t *request = account_request_of(r);

    if (!request->basic) {
        request->basic = apr_pcalloc(r->pool, sizeof(*request->basic));
    }
    return request->basic;
}

static const char *header_of(request_rec *r)
{
    return credentials[r->proxyreq == PROXYREQ_PROXY];
}

/* mod_auth_basic reads up to the first byte that is no base64, and of that up to the first NUL: who
 * sends more than that does not know the password. */
static int is_as_sent(request_rec *r, const char *user, const char *password)
{
    const char *header = apr_table_get(r->headers_in, header_of(r));
    apr_size_t length = strlen(user) + 1 + strlen(password);
    unsigned char *bytes = apr_palloc(r->pool, length);
    const char *type = ap_auth_type(r);

    if (!type || strcasecmp(type, "Basic") != 0) {
        return 1; /* a form */
    }
    if (!header || strncasecmp(header, "Basic ", 6) != 0) {
        return 0;
    }
    header += 6;
    header += strspn(header, " \t");
    return account_base64_decode(bytes, length, header, strlen(header), 1) == (apr_ssize_t)length
           && memcmp(bytes, user, strlen(user)) == 0 && bytes[strlen(user)] == ':'
           && memcmp(bytes + strlen(user) + 1, password, strlen(password)) == 0;
}

static int is_text(const char *text, apr_size_t most)
{
    apr_size_t length = strlen(text);

    return length > 0 && length <= 4 * most && account_text_is_valid(text, length)
           && account_text_length(text) <= most;
}

static void prepare_call(request_rec *r, account_call_t *call)
{
    const account_server_t *server = account_server_of(r->server);

    *call = (account_call_t){
        .store = account_request_store(r),
        .settings = &server->settings,
        .gate = server->shared->gate,
        .terms.address = r->useragent_ip,
        .device_cookies = account_request_device_cookies(account_request_sent(r)->caller.cookies,
                                                         server->settings.device_cookie, r->pool),
    };
}

/* The machine failed: nobody is let in, and nobody is told that the password is wrong. */
static void fail(request_rec *r, apr_status_t rv, result_t *result)
{
    int known = ACCOUNT_STATUS_IS_OURS(rv);

    ap_log_rerror(APLOG_MARK, APLOG_INFO, known ? 0 : rv, r,
                  ACLOGNO(00272) "whether the password is right can't be found out now: 503");
    result->status = AUTH_GENERAL_ERROR;
    result->refusal = HTTP_SERVICE_UNAVAILABLE;
}

static void judge(request_rec *r, const account_answer_t *answer, result_t *result)
{
    const account_t *account = result->login.account;

    if (answer->outcome == ACCOUNT_OK) {
        result->status = AUTH_GRANTED;
    }
    else if (answer->outcome == ACCOUNT_TOO_MANY) {
        result->status = AUTH_GENERAL_ERROR;
        result->refusal = HTTP_TOO_MANY_REQUESTS;
        result->retry_after = apr_psprintf(account_request_original(r)->pool, "%" APR_INT64_T_FMT,
                                           answer->retry_after);
    }
    else if (account) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      ACLOGNO(00277) "account %" APR_INT64_T_FMT " is not let in: %s", account->id,
                      account_outcomes[answer->outcome].name);
        result->status = AUTH_DENIED;
    }
    else {
        result->status = AUTH_USER_NOT_FOUND;
        result->is_guess = 1;
    }
}

/* What is remembered is no event: it was one. */
static void audit(request_rec *r, const account_answer_t *answer, const account_t *account,
                  int verified)
{
    const account_audit_row_t *row = account_audit_find("login", answer->outcome);

    if (row && row->event && (verified || answer->outcome != ACCOUNT_OK)) {
        account_audit_event(r, row->event, account, row->description);
    }
}

static void verify(request_rec *r, result_t *result)
{
    const account_cache_t *cache = account_cache_of(account_server_of(r->server)->shared);
    account_answer_t answer = {.outcome = ACCOUNT_OK};
    account_call_t call;
    apr_status_t rv;
    int verified;

    prepare_call(r, &call);
    rv = call.store->database ? account_login_find(&call, &result->login) : ACCOUNT_EDATABASE;
    if (rv == APR_SUCCESS) {
        rv = account_login_recall(&call, &result->login, cache, &answer, &verified);
    }
    if (rv == APR_SUCCESS) {
        audit(r, &answer, result->login.account, verified);
        judge(r, &answer, result);
    }
    else {
        fail(r, rv, result);
    }
}

/* Once for a request as it was sent, though its parts and sequels (a page for its error) ask again:
 * one guess is one guess. */
static const result_t *result_of(request_rec *r, const char *user, const char *password)
{
    request_rec *original = account_request_original(r);
    account_basic_t *first = basic_of(original);
    result_t *result;

    if (first->result && strcmp(first->result->login.name, user) == 0
        && strcmp(first->result->login.password, password) == 0) {
        return first->result;
    }
    result = apr_pcalloc(original->pool, sizeof(*result));
    result->login.name = apr_pstrdup(original->pool, user);
    result->login.password = apr_pstrdup(original->pool, password);
    verify(r, result);
    first->result = result;
    return result;
}

static authn_status let_in(request_rec *r, const account_t *account)
{
    const account_identity_t identity = {.account = account};

    if (account_identity_set(r, &identity)) {
        return AUTH_GRANTED;
    }
    basic_of(r)->refusal = HTTP_FORBIDDEN;
    return AUTH_GENERAL_ERROR;
}

static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    const result_t *result;

    if (!account_server_of(r->server)->backend) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00270) "AuthBasicProvider account and AuthFormProvider account need "
                                     "AccountDatabase and AccountSecretFile in the server's "
                                     "configuration");
        return AUTH_GENERAL_ERROR;
    }
    if (!is_as_sent(r, user, password)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      ACLOGNO(00271) "the header %s is no name and password in base64",
                      header_of(r));
        return AUTH_DENIED;
    }
    if (!is_text(user, NAME_MOST) || !account_text_identifier(r->pool, user)) {
        return AUTH_USER_NOT_FOUND; /* so nobody can have */
    }
    if (!is_text(password, PASSWORD_MOST)) {
        return AUTH_DENIED;
    }
    result = result_of(r, user, password);
    if (result->status == AUTH_GRANTED) {
        return let_in(r, result->login.account);
    }
    basic_of(r)->refusal = result->refusal;
    if (result->refusal == HTTP_SERVICE_UNAVAILABLE) {
        account_request_fail(r);
    }
    else if (result->retry_after) {
        apr_table_setn(r->err_headers_out, "Retry-After", result->retry_after);
    }
    return result->status;
}

/* What came of it: what the others say, or what we have to say. */
static int settle(request_rec *r, int status)
{
    const account_basic_t *basic = basic_of(r);

    return basic->refusal ? basic->refusal : status;
}

/*
 * Before mod_auth_basic and mod_auth_form: runs them, and answers what they can't. That a provider
 * failed is nobody's leave to go on, so AuthBasicAuthoritative off makes no difference to it.
 */
static int check_authn(request_rec *r)
{
    const char *type = ap_auth_type(r);
    account_basic_t *basic;
    int status;

    if (!account_server_of(r->server)->backend || !type
        || (strcasecmp(type, "Basic") != 0 && strcasecmp(type, "Form") != 0)) {
        return DECLINED;
    }
    basic = basic_of(r);
    if (basic->is_inside) {
        return DECLINED;
    }
    basic->is_inside = 1;
    status = settle(r, ap_run_check_user_id(r));
    basic->is_inside = 0;
    if (status == DECLINED) {
        /* they were all asked, and are not to be asked again; httpd says the same */
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00278) "configuration error: no provider knows the user, and nobody "
                                     "else does (Auth%sAuthoritative off): %s",
                      type, ap_escape_logitem(r->pool, r->uri));
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

/* mod_auth_form verifies what was posted to its handler by itself. */
static int handle_form(request_rec *r)
{
    account_basic_t *basic;
    int status;

    if (!r->handler || strcmp(r->handler, "form-login-handler") != 0
        || !account_server_of(r->server)->backend) {
        return DECLINED;
    }
    basic = basic_of(r);
    if (basic->is_inside) {
        return DECLINED;
    }
    basic->is_inside = 1;
    status = ap_run_handler(r);
    basic->is_inside = 0;
    return settle(r, status);
}

/* Somebody else's provider knows the name that nobody has here. */
static int forgive(request_rec *r)
{
    account_basic_t *first = account_request_sent(r)->basic;
    account_call_t call;

    if (first && first->result && first->result->is_guess && r->user
        && strcmp(r->user, first->result->login.name) == 0 && !account_request_identity(r)) {
        prepare_call(r, &call);
        account_login_forgive(&call, &first->result->login);
        first->result->is_guess = 0;
    }
    return DECLINED;
}

/* The forensic log has all headers as they come: not these. */
static int hide(request_rec *r)
{
    int i;

    for (i = 0; i < 2 && !r->main && account_server_of(r->server)->backend; i++) {
        const char *value = apr_table_get(r->headers_in, credentials[i]);

        if (value) {
            basic_of(r)->authorization[i] = value;
            apr_table_setn(r->headers_in, credentials[i], "-");
        }
    }
    return DECLINED;
}

static int show(request_rec *r)
{
    const account_basic_t *basic = account_request_of(r)->basic;
    int i;

    for (i = 0; basic && i < 2; i++) {
        if (basic->authorization[i]) {
            apr_table_setn(r->headers_in, credentials[i], basic->authorization[i]);
        }
    }
    return DECLINED;
}

void account_basic_register_hooks(apr_pool_t *pool)
{
    /* no get_realm_hash: Digest would take the passwords themselves */
    static const authn_provider provider = {check_password, NULL};
    static const char *const forensic[] = {"mod_log_forensic.c", NULL};

    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "account", AUTHN_PROVIDER_VERSION,
                              &provider, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_post_read_request(hide, NULL, forensic, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(show, forensic, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(forgive, NULL, NULL, APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_handler(handle_form, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
