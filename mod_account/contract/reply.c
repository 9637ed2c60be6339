#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "contract/compiler.h"

void account_sayings_init(account_sayings_t *sayings, apr_pool_t *pool)
{
    sayings->replies = apr_hash_make(pool);
    sayings->messages = apr_hash_make(pool);
}

static const char *remember(account_compiler_t *c, apr_hash_t *hash, const char *name,
                            account_saying_t saying)
{
    account_saying_t *copy = apr_palloc(c->pool, sizeof(*copy));
    const account_saying_t *earlier = apr_hash_get(hash, name, APR_HASH_KEY_STRING);
    const char *error = account_template_check_text(saying.text, c->pool);

    if (earlier) {
        return apr_psprintf(c->pool, "%s %s stands twice: here and at line %d", saying.line->name,
                            name, earlier->line->number);
    }
    *copy = saying;
    apr_hash_set(hash, name, APR_HASH_KEY_STRING, copy);
    return error;
}

const char *account_compile_reply(account_compiler_t *c, account_sayings_t *sayings,
                                  const account_line_t *line, const apr_array_header_t *words)
{
    const char *status = APR_ARRAY_IDX(words, 1, const char *);
    account_saying_t saying = {0, APR_ARRAY_IDX(words, 2, const char *), line, 0};

    if (strlen(status) == 3 && strspn(status, "0123456789") == 3) {
        saying.status = (int)apr_atoi64(status);
    }
    if (saying.status < 200 || saying.status > 599) {
        return apr_psprintf(c->pool, "\"%s\" is no HTTP status of a reply: 200 to 599", status);
    }
    return remember(c, sayings->replies, APR_ARRAY_IDX(words, 0, const char *), saying);
}

const char *account_compile_message(account_compiler_t *c, account_sayings_t *sayings,
                                    const account_line_t *line, const apr_array_header_t *words)
{
    account_saying_t saying = {0, APR_ARRAY_IDX(words, 1, const char *), line, 0};

    if (strcmp(APR_ARRAY_IDX(words, 0, const char *), "*") == 0) {
        return "there is no AccountMessage *: each outcome has a text of its own";
    }
    return remember(c, sayings->messages, APR_ARRAY_IDX(words, 0, const char *), saying);
}

/* name, or what is left of it before its last dot. NULL: nothing. */
static const char *less_specific(const char *name, apr_pool_t *pool)
{
    const char *dot = strrchr(name, '.');

    return dot ? apr_pstrmemdup(pool, name, dot - name) : NULL;
}

/* What is said for the outcome: the most specific name first, for each the route before the
 * contract. */
static const account_saying_t *find_saying(apr_hash_t *of_route, apr_hash_t *of_contract,
                                           const char *name, apr_pool_t *pool)
{
    const account_saying_t *saying = NULL;

    for (; name && !saying; name = less_specific(name, pool)) {
        saying = apr_hash_get(of_route, name, APR_HASH_KEY_STRING);
        if (!saying) {
            saying = apr_hash_get(of_contract, name, APR_HASH_KEY_STRING);
        }
    }
    return saying;
}

/* Marks all that may speak of this outcome, so that what is left is known to be of no use. */
static void mark_possible(apr_hash_t *hash, const char *name, apr_pool_t *pool)
{
    for (; name; name = less_specific(name, pool)) {
        account_saying_t *saying = apr_hash_get(hash, name, APR_HASH_KEY_STRING);

        if (saying) {
            saying->can_happen = 1;
        }
    }
}

/* One way in which the route can end. */
typedef struct possible_t {
    const char *name; /* dotted */
    account_outcome_e outcome;
    int is_answer;
    int carries;
    account_compiled_reply_t **reply; /* where the compiled reply belongs */
} possible_t;

static const char *compile_possible(account_compiler_t *c, account_route_draft_t *draft,
                                    const possible_t *possible)
{
    account_sayings_t *own = &draft->sayings, *shared = &c->sayings;
    const account_outcome_t *outcome = &account_outcomes[possible->outcome];
    const account_saying_t *reply =
        find_saying(own->replies, shared->replies, possible->name, c->pool);
    const account_saying_t *message =
        find_saying(own->messages, shared->messages, possible->name, c->pool);
    account_scope_t scope = {c->shapes,         c->maps,
                             possible->name,    message ? message->text : outcome->message,
                             possible->carries, 0};
    account_compiled_reply_t *compiled = apr_palloc(c->pool, sizeof(*compiled));
    int by_star = !reply;
    const char *error;

    mark_possible(own->replies, possible->name, c->pool);
    mark_possible(shared->replies, possible->name, c->pool);
    mark_possible(own->messages, possible->name, c->pool);
    mark_possible(shared->messages, possible->name, c->pool);
    if (!possible->is_answer) {
        mark_possible(own->replies, "*", c->pool);
        mark_possible(shared->replies, "*", c->pool);
        reply = reply ? reply : find_saying(own->replies, shared->replies, "*", c->pool);
    }
    if (!reply) {
        c->at = draft->route->line;
        return apr_psprintf(c->pool, "the route %s has no AccountReply for the %s %s of %s%s",
                            draft->route->name, possible->is_answer ? "answer" : "refusal",
                            possible->name, draft->route->action->name,
                            possible->is_answer ? "" : ", and there is no AccountReply *");
    }
    compiled->status = by_star && outcome->http_status ? outcome->http_status : reply->status;
    error = account_template_compile(&compiled->body, reply->text, &scope, c->pool);
    if (error) {
        /* A text that is missing is the route's fault, a wrong template the line's. */
        c->at = strstr(error, "no AccountMessage") ? draft->route->line : reply->line;
        return apr_psprintf(c->pool, "%s (route %s)", error, draft->route->name);
    }
    *possible->reply = compiled;
    return NULL;
}

static int happens(const account_route_draft_t *draft, const account_ending_t *ending)
{
    const account_constant_t *constants = draft->route->action->constants;
    const char *equals = ending->if_constant ? strchr(ending->if_constant, '=') : NULL;
    int i;

    if (!ending->if_input && !ending->if_constant) {
        return 1;
    }
    if (ending->if_input && account_route_supplies(draft->route, ending->if_input)) {
        return 1;
    }
    for (i = 0; equals && constants[i].name; i++) {
        if (strlen(constants[i].name) == (apr_size_t)(equals - ending->if_constant)
            && strncmp(constants[i].name, ending->if_constant, equals - ending->if_constant) == 0
            && draft->constants_set[i]) {
            return strcmp(constants[i].values[draft->route->constants[i]], equals + 1) == 0;
        }
    }
    return 0;
}

static const char *compile_endings(account_compiler_t *c, account_route_draft_t *draft)
{
    const account_action_t *action = draft->route->action;
    const char *error = NULL;
    int i;

    for (i = 0; i < action->ending_count && !error; i++) {
        const account_ending_t *ending = &action->endings[i];
        possible_t possible = {account_outcomes[ending->outcome].name, ending->outcome,
                               ending->is_answer, ending->carries,
                               &draft->route->replies[ending->outcome]};

        if (happens(draft, ending)) {
            error = compile_possible(c, draft, &possible);
        }
    }
    return error;
}

static const char *compile_engine_outcomes(account_compiler_t *c, account_route_draft_t *draft)
{
    const account_action_t *action = draft->route->action;
    const char *error = NULL;
    int outcome;

    for (outcome = ACCOUNT_INVALID + 1; outcome < ACCOUNT_OUTCOMES && !error; outcome++) {
        possible_t possible = {account_outcomes[outcome].name, outcome, 0,
                               account_outcomes[outcome].carries, &draft->route->replies[outcome]};

        if ((outcome != ACCOUNT_NOT_LOGGED_IN || action->needs_session)
            && (outcome != ACCOUNT_CROSS_SITE || action->changes)) {
            error = compile_possible(c, draft, &possible);
        }
    }
    return error;
}

static const char *compile_refusals(account_compiler_t *c, account_route_draft_t *draft,
                                    account_parameter_t *parameter)
{
    const char *error = NULL;
    int rule;

    for (rule = 0; rule < ACCOUNT_RULES && !error; rule++) {
        const char *name = account_rule_name(parameter, rule);
        possible_t possible = {NULL, ACCOUNT_INVALID, 0, ACCOUNT_CARRIES_VALUE,
                               &parameter->refusals[rule]};

        if (name) {
            possible.name =
                apr_pstrcat(c->pool, "invalid.", parameter->input.name, ".", name, NULL);
            error = compile_possible(c, draft, &possible);
        }
    }
    return error;
}

const char *account_compile_outcomes(account_compiler_t *c, account_route_draft_t *draft)
{
    const char *error = compile_endings(c, draft);
    int i;

    if (!error) {
        error = compile_engine_outcomes(c, draft);
    }
    for (i = 0; i < draft->route->parameters->nelts && !error; i++) {
        error = compile_refusals(c, draft,
                                 APR_ARRAY_IDX(draft->route->parameters, i, account_parameter_t *));
    }
    if (!error) {
        error = account_compile_unused(
            c, &draft->sayings,
            apr_psprintf(c->pool, "on the route %s: the action %s does not end so",
                         draft->route->name, draft->route->action->name));
    }
    return error;
}

static const char *first_unused(account_compiler_t *c, apr_hash_t *hash, const char *where)
{
    const account_saying_t *first = NULL;
    const char *name = NULL;
    apr_hash_index_t *i;

    for (i = apr_hash_first(c->pool, hash); i; i = apr_hash_next(i)) {
        const account_saying_t *saying = apr_hash_this_val(i);

        if (!saying->can_happen && (!first || saying->line->number < first->line->number)) {
            first = saying;
            name = apr_hash_this_key(i);
        }
    }
    if (first) {
        const char *names[ACCOUNT_OUTCOMES + 1] = {0};
        int outcome;

        for (outcome = 0; outcome < ACCOUNT_OUTCOMES; outcome++) {
            names[outcome] = account_outcomes[outcome].name;
        }
        c->at = first->line;
        for (outcome = 0; outcome < ACCOUNT_OUTCOMES && strcmp(names[outcome], name) != 0;
             outcome++) {
        }
        return apr_psprintf(c->pool, "the outcome %s can't happen %s%s", name, where,
                            outcome == ACCOUNT_OUTCOMES ? account_line_suggest(name, names, c->pool)
                                                        : "");
    }
    return NULL;
}

const char *account_compile_unused(account_compiler_t *c, const account_sayings_t *sayings,
                                   const char *where)
{
    const char *error = first_unused(c, sayings->replies, where);

    return error ? error : first_unused(c, sayings->messages, where);
}
