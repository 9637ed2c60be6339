#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "action/texts.h"
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

    if (earlier && earlier->is_page != saying.is_page) {
        return apr_psprintf(c->pool, "the outcome %s has an %s here and an %s at line %d", name,
                            saying.line->name, earlier->line->name, earlier->line->number);
    }
    if (earlier) {
        return apr_psprintf(c->pool, "%s %s stands twice: here and at line %d", saying.line->name,
                            name, earlier->line->number);
    }
    *copy = saying;
    apr_hash_set(hash, name, APR_HASH_KEY_STRING, copy);
    return error;
}

static const char *compile_answer(account_compiler_t *c, account_sayings_t *sayings,
                                  const apr_array_header_t *words, account_saying_t saying)
{
    const char *status = APR_ARRAY_IDX(words, 1, const char *);

    saying.text = APR_ARRAY_IDX(words, 2, const char *);
    if (strlen(status) == 3 && strspn(status, "0123456789") == 3) {
        saying.status = (int)apr_atoi64(status);
    }
    if (saying.status < 200 || saying.status > 599) {
        return apr_psprintf(c->pool, "\"%s\" is no HTTP status of a reply: 200 to 599", status);
    }
    return remember(c, sayings->replies, APR_ARRAY_IDX(words, 0, const char *), saying);
}

const char *account_compile_reply(account_compiler_t *c, account_sayings_t *sayings,
                                  const account_line_t *line, const apr_array_header_t *words)
{
    return compile_answer(c, sayings, words, (account_saying_t){.line = line});
}

const char *account_compile_page(account_compiler_t *c, account_sayings_t *sayings,
                                 const account_line_t *line, const apr_array_header_t *words)
{
    const char *name = APR_ARRAY_IDX(words, 2, const char *);

    if (!account_page_is_known(name)) {
        return apr_psprintf(c->pool, "there is no page %s%s", name,
                            account_line_suggest(name, account_page_names, c->pool));
    }
    return compile_answer(c, sayings, words, (account_saying_t){.line = line, .is_page = 1});
}

const char *account_compile_message(account_compiler_t *c, account_sayings_t *sayings,
                                    const account_line_t *line, const apr_array_header_t *words)
{
    account_saying_t saying = {.text = APR_ARRAY_IDX(words, 1, const char *), .line = line};

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

/* The one outcome that is bytes: there is nothing to say to it. */
static const char *compile_picture(account_compiler_t *c, const account_route_draft_t *draft,
                                   const possible_t *possible)
{
    apr_hash_t *const all[] = {draft->sayings.replies, draft->sayings.messages, c->sayings.replies,
                               c->sayings.messages};
    account_compiled_reply_t *compiled = apr_pcalloc(c->pool, sizeof(*compiled));
    apr_size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const account_saying_t *saying = apr_hash_get(all[i], possible->name, APR_HASH_KEY_STRING);

        if (saying) {
            c->at = saying->line;
            return apr_psprintf(c->pool, "the outcome %s is a picture, not a reply",
                                possible->name);
        }
    }
    compiled->outcome = possible->name;
    compiled->status = 200;
    compiled->is_picture = 1;
    *possible->reply = compiled;
    return NULL;
}

/* The body of a reply, with the text that belongs to the outcome. */
static const char *compile_body(account_compiler_t *c, const account_route_draft_t *draft,
                                const possible_t *possible, const account_saying_t *reply,
                                const account_template_t **body)
{
    const account_saying_t *message =
        find_saying(draft->sayings.messages, c->sayings.messages, possible->name, c->pool);
    const account_scope_t scope = {
        .shapes = c->shapes,
        .maps = c->maps,
        .outcome = possible->name,
        .message = message ? message->text : account_outcomes[possible->outcome].message,
        .carries = possible->carries,
    };
    const char *error = account_template_compile(body, reply->text, &scope, c->pool);

    if (error) {
        /* A text that is missing is the route's fault, a wrong template the line's. */
        c->at = strstr(error, "no AccountMessage") ? draft->route->line : reply->line;
        return apr_psprintf(c->pool, "%s (route %s)", error, draft->route->name);
    }
    return NULL;
}

static const char *compile_possible(account_compiler_t *c, account_route_draft_t *draft,
                                    const possible_t *possible)
{
    account_sayings_t *own = &draft->sayings, *shared = &c->sayings;
    const account_outcome_t *outcome = &account_outcomes[possible->outcome];
    const account_saying_t *reply =
        find_saying(own->replies, shared->replies, possible->name, c->pool);
    account_compiled_reply_t *compiled = apr_pcalloc(c->pool, sizeof(*compiled));
    int by_star = !reply;

    if (possible->outcome == ACCOUNT_IMAGE) {
        return compile_picture(c, draft, possible);
    }
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
    compiled->outcome = possible->name;
    compiled->status = by_star && outcome->http_status ? outcome->http_status : reply->status;
    compiled->page = reply->is_page ? reply->text : NULL;
    *possible->reply = compiled;
    return reply->is_page ? NULL : compile_body(c, draft, possible, reply, &compiled->body);
}

/* Whether one of the inputs a|b can be an identifier of the kind that is taken. */
static int is_takable(const account_route_t *route, const char *inputs, account_outcome_e outcome)
{
    return outcome < ACCOUNT_TAKEN_USER_NAME || outcome > ACCOUNT_TAKEN_MOBILE
           || !account_route_supplies(route, inputs)
           || account_route_takes(route, inputs, outcome - ACCOUNT_TAKEN_USER_NAME);
}

static int happens(const account_route_draft_t *draft, const account_ending_t *ending)
{
    const account_route_t *route = draft->route;
    int constant;

    if (!ending->if_input && !ending->if_constant) {
        return 1;
    }
    if (ending->if_input && account_route_supplies(route, ending->if_input)) {
        return is_takable(route, ending->if_input, ending->outcome);
    }
    constant = ending->if_constant ? account_route_setting(route, ending->if_constant) : -1;
    return constant >= 0 && draft->constants_set[constant]
           && is_takable(route, "target", ending->outcome);
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
