#include "contract/engine.h"

#include <apr_strings.h>
#include <string.h>

#include "action/audit.h"
#include "base/text.h"
#include "contract/judge.h"

/* The texts' page; its form sends on the token that the action made or the request brought. */
static apr_status_t fill_page(const account_call_t *call, const char *page,
                              account_response_t *response)
{
    const account_settings_t *settings = call->settings;
    account_text_values_t values = {.site = settings->site, .pool = call->store->pool};

    values.token = response->answer.token;
    if (!values.token && call->values) {
        values.token = account_call_value(call, "token");
    }
    response->type = "text/html; charset=utf-8";
    response->is_page = 1;
    response->body = settings->texts ? account_texts_page(settings->texts, page, &values) : NULL;
    response->length = response->body ? strlen(response->body) : 0;
    return response->body ? APR_SUCCESS : APR_EGENERAL;
}

static apr_status_t fill_body(const account_exchange_t *x, const account_call_t *call,
                              const account_template_t *body, account_response_t *response)
{
    const account_needs_t *needs = account_template_needs(body);
    apr_status_t rv = APR_SUCCESS;
    account_buffer_t buffer;

    account_buffer_init(&buffer, 512, x->store->pool);
    if (needs) {
        rv = account_fields_prepare(call, &response->answer, needs);
        if (rv != APR_SUCCESS && call->action->changes) {
            /* what was asked for has been done: the reply says so, without what it can't show */
            rv = APR_SUCCESS;
        }
    }
    if (rv == APR_SUCCESS) {
        rv = account_template_render(body, call, &response->answer, x->match->mount->path, &buffer);
    }
    response->type = "application/json; charset=utf-8";
    response->is_page = 0;
    response->body = buffer.bytes;
    response->length = buffer.length;
    return rv;
}

static apr_status_t fill_picture(account_response_t *response)
{
    const account_picture_t *picture = response->answer.picture;

    response->type = "image/png";
    response->is_page = 0;
    response->body = picture ? picture->bytes : NULL;
    response->length = picture ? picture->length : 0;
    return picture ? APR_SUCCESS : APR_EGENERAL;
}

/* Renders what the answer says by the reply that the route has for it. */
static apr_status_t render(const account_exchange_t *x, const account_call_t *call,
                           const account_compiled_reply_t *reply, account_response_t *response)
{
    response->status = reply->status;
    return reply->is_picture ? fill_picture(response)
           : reply->page     ? fill_page(call, reply->page, response)
                             : fill_body(x, call, reply->body, response);
}

void account_engine_refuse(const account_exchange_t *x, account_outcome_e outcome,
                           account_response_t *response)
{
    const account_call_t call = {
        .action = x->match->route->action, .store = x->store, .settings = x->settings};
    apr_status_t failure = response->failure;
    apr_status_t rv;

    memset(&response->answer, 0, sizeof(response->answer));
    response->answer.outcome = outcome;
    if (outcome == ACCOUNT_UNAVAILABLE || outcome == ACCOUNT_TOO_MANY) {
        response->answer.retry_after = ACCOUNT_RETRY_AFTER;
    }
    /* these outcomes carry nothing that could fail to be had; a page that is none is sent empty */
    rv = render(x, &call, x->match->route->replies[outcome], response);
    if (!response->body) {
        response->body = "";
    }
    response->failure = failure != APR_SUCCESS ? failure : rv;
}

static int collect_pairs(const account_exchange_t *x, apr_array_header_t **pairs)
{
    int i;

    *pairs = x->match->pairs ? apr_array_copy(x->store->pool, x->match->pairs)
                             : apr_array_make(x->store->pool, 8, sizeof(account_pair_t));
    for (i = 0; i < (*pairs)->nelts; i++) {
        const char *value = APR_ARRAY_IDX(*pairs, i, account_pair_t).value;

        if (!account_text_is_valid(value, strlen(value))) {
            return 0;
        }
    }
    if (x->query && !account_request_form(*pairs, x->query, strlen(x->query))) {
        return 0;
    }
    if (x->body_length > 0) {
        return x->body_type == ACCOUNT_BODY_JSON
                   ? account_request_json(*pairs, x->body, x->body_length)
                   : account_request_form(*pairs, x->body, x->body_length);
    }
    return 1;
}

static apr_status_t find_session(const account_exchange_t *x, account_call_t *call)
{
    account_caller_t *caller = x->caller;
    apr_status_t rv;

    if (call->action->changes) {
        account_caller_ask_database(caller);
    }
    rv = account_caller_find(caller, x->store, x->cookie_names, x->match->mount->contract->cookie);

    call->presented = caller->presented;
    call->terms.replaces = caller->presented;
    call->session = caller->session;
    call->account = caller->account;
    return rv;
}

static void prepare_call(const account_exchange_t *x, account_call_t *call)
{
    const account_contract_t *contract = x->match->mount->contract;

    memset(call, 0, sizeof(*call));
    call->action = x->match->route->action;
    call->store = x->store;
    call->settings = x->settings;
    call->gate = x->gate;
    call->supplied = x->match->route->supplied;
    call->constants = x->match->route->constants;
    call->device_cookies = account_request_device_cookies(
        x->caller->cookies, x->settings->device_cookie, x->store->pool);
    call->terms.idle = contract->session_idle ? contract->session_idle : x->settings->session_idle;
    call->terms.life = contract->session_life ? contract->session_life : x->settings->session_life;
    call->terms.address = x->address;
    call->terms.agent = x->agent;
    call->terms.most = x->settings->sessions_most;
}

/* Session, parameters, action. *reply: what the route says to how it ended. */
static apr_status_t perform(const account_exchange_t *x, account_call_t *call,
                            const apr_array_header_t *pairs, account_response_t *response,
                            const account_compiled_reply_t **reply)
{
    const account_route_t *route = x->match->route;
    account_answer_t *answer = &response->answer;
    account_judged_t judged;
    apr_status_t rv = APR_SUCCESS;

    if (route->action->needs_session || route->action->changes) {
        rv = find_session(x, call);
        response->caller = call->account;
        response->session = call->session;
    }
    if (rv == APR_SUCCESS && route->action->needs_session && !call->session) {
        answer->outcome = ACCOUNT_NOT_LOGGED_IN;
    }
    else if (rv == APR_SUCCESS) {
        account_judge(route, pairs, &judged, x->store->pool);
        call->values = judged.values;
        call->profile = judged.profile;
        if (judged.refusal) {
            answer->outcome = ACCOUNT_INVALID;
            answer->value = judged.value;
            response->refused = judged.refused;
            *reply = judged.refusal;
            return APR_SUCCESS;
        }
        rv = route->action->run(call, answer);
        /* of everybody, so that the time does not tell who is one */
        response->stranger = account_audit_stranger(call);
    }
    *reply = route->replies[answer->outcome];
    return rv;
}

/* A contract may answer as if it had sent something, so that nobody learns who is there to send it
 * to: then a Retry-After would tell. */
static int reads_like_ok(const account_exchange_t *x, const account_call_t *call,
                         const account_response_t *response)
{
    const account_compiled_reply_t *ok = x->match->route->replies[ACCOUNT_OK];
    account_response_t other = {.answer = {.outcome = ACCOUNT_OK}};

    return ok && ok->status == response->status && render(x, call, ok, &other) == APR_SUCCESS
           && other.length == response->length
           && memcmp(other.body, response->body, other.length) == 0;
}

void account_engine_answer(const account_exchange_t *x, account_response_t *response)
{
    const account_compiled_reply_t *reply;
    apr_array_header_t *pairs;
    account_call_t call;
    apr_status_t rv;

    memset(response, 0, sizeof(*response));
    if (!collect_pairs(x, &pairs) || !account_judge_names(x->match->route, pairs)) {
        account_engine_refuse(x, ACCOUNT_BAD_REQUEST, response);
        return;
    }
    prepare_call(x, &call);
    rv = perform(x, &call, pairs, response, &reply);
    if (rv == APR_SUCCESS) {
        /* An outcome that the registry does not know of the action would be a defect of ours. */
        rv = reply ? render(x, &call, reply, response) : APR_EGENERAL;
    }
    if (rv == APR_SUCCESS && response->answer.outcome == ACCOUNT_TOO_MANY_INTERVAL
        && reads_like_ok(x, &call, response)) {
        response->answer.retry_after = 0;
    }
    if (rv != APR_SUCCESS) {
        response->failure = rv;
        account_engine_refuse(x, ACCOUNT_UNAVAILABLE, response);
    }
}
