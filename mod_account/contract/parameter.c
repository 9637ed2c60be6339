#define PCRE2_CODE_UNIT_WIDTH 8
#include <apr_strings.h>
#include <pcre2.h>
#include <string.h>

#include "contract/compiler.h"

/* Characters: what a password may have to be normalised (ACCOUNT_NFC_BYTES). */
#define LENGTH_MOST 1000
#define IDENTIFIER_MOST 255
#define WORD(words, n) APR_ARRAY_IDX(words, n, const char *)

/* What is=NAME may say, besides the types: narrower forms of a text. */
static const char *const forms[] = {"mobile", "email", "date", "resident-id", NULL};

static apr_status_t free_regex(void *regex)
{
    pcre2_code_free(regex);
    return APR_SUCCESS;
}

static const char *parse_match(account_compiler_t *c, account_parameter_t *p, const char *value)
{
    PCRE2_UCHAR text[128];
    PCRE2_SIZE offset;
    int code;

    p->regex = pcre2_compile((PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED,
                             PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &code, &offset, NULL);
    if (!p->regex) {
        pcre2_get_error_message(code, text, sizeof(text));
        return apr_psprintf(c->pool, "match=%s is no regular expression: %s, at character %d",
                            value, (const char *)text, (int)offset);
    }
    apr_pool_cleanup_register(c->pool, p->regex, free_regex, apr_pool_cleanup_null);
    return NULL;
}

static const char *parse_length(account_compiler_t *c, account_parameter_t *p, const char *value)
{
    const char *dash = strchr(value, '-');
    apr_size_t digits = strspn(value, "0123456789");

    if (!dash || dash != value + digits || strspn(dash + 1, "0123456789") != strlen(dash + 1)
        || strlen(value) < 2 || strlen(value) > 11) {
        return apr_psprintf(c->pool,
                            "length=%s is no range: write length=MIN-MAX, length=MIN- or "
                            "length=-MAX",
                            value);
    }
    p->least = digits ? apr_atoi64(value) : 0;
    if (dash[1]) {
        p->most = apr_atoi64(dash + 1);
    }
    return p->least <= p->most && p->most <= LENGTH_MOST
               ? NULL
               : apr_psprintf(c->pool, "length=%s: at most %d, and not less than the minimum",
                              value, LENGTH_MOST);
}

static const char *parse_one_of(account_compiler_t *c, account_parameter_t *p, const char *value)
{
    char *state, *copy = apr_pstrdup(c->pool, value);
    const char *word;

    p->one_of = apr_array_make(c->pool, 4, sizeof(const char *));
    for (word = apr_strtok(copy, ",", &state); word; word = apr_strtok(NULL, ",", &state)) {
        APR_ARRAY_PUSH(p->one_of, const char *) = word;
    }
    return p->one_of->nelts ? NULL : "one-of= needs values: one-of=a,b";
}

static const char *parse_is(account_compiler_t *c, account_parameter_t *p, const char *value)
{
    int i;

    for (i = 0; forms[i]; i++) {
        if (strcmp(forms[i], value) == 0) {
            p->is = forms[i];
            return NULL;
        }
    }
    return apr_psprintf(c->pool, "is=%s: there are mobile, email, date and resident-id%s", value,
                        account_line_suggest(value, forms, c->pool));
}

static const char *parse_constraint(account_compiler_t *c, account_parameter_t *p, const char *word)
{
    static const char *const names[] = {"required", "again", "length", "match",
                                        "one-of",   "is",    NULL};
    const char *value = strchr(word, '=');
    const char *name = value ? apr_pstrmemdup(c->pool, word, value - word) : word;

    value = value ? value + 1 : NULL;
    if (strcmp(word, "required") == 0) {
        p->required = 1;
        return NULL;
    }
    if (value && *value) {
        if (strcmp(name, "again") == 0) {
            p->again = value;
            return NULL;
        }
        if (strcmp(name, "length") == 0) {
            return parse_length(c, p, value);
        }
        if (strcmp(name, "match") == 0) {
            return parse_match(c, p, value);
        }
        if (strcmp(name, "one-of") == 0) {
            return parse_one_of(c, p, value);
        }
        if (strcmp(name, "is") == 0) {
            return parse_is(c, p, value);
        }
    }
    return apr_psprintf(c->pool,
                        "\"%s\" is no constraint%s: required, again=NAME, length=MIN-MAX, "
                        "match=REGEX, one-of=a,b and is=FORM are",
                        word, account_line_suggest(name, names, c->pool));
}

static const char *parse_converters(account_compiler_t *c, account_parameter_t *p, const char *word)
{
    char *state, *copy = apr_pstrdup(c->pool, word);
    const char *converter;

    p->name = apr_strtok(copy, "|", &state);
    if (!p->name) {
        return "an AccountParam needs the parameter's name on the wire";
    }
    while ((converter = apr_strtok(NULL, "|", &state)) != NULL) {
        if (strcmp(converter, "base64") == 0) {
            p->base64 = 1;
            continue;
        }
        p->map = apr_hash_get(c->maps, converter, APR_HASH_KEY_STRING);
        if (!p->map) {
            return apr_psprintf(c->pool,
                                "there is no converter %s: base64 or the name of an "
                                "AccountMap",
                                converter);
        }
    }
    return NULL;
}

/* What the type allows before a line narrows or widens it. */
static void set_default_length(account_parameter_t *p)
{
    p->least = p->input.type == ACCOUNT_TYPE_NEW_SECRET ? 8 : 0;
    p->most = 255;
}

/* What becomes a column of the database. */
static int is_identifier(account_type_e type)
{
    return type == ACCOUNT_TYPE_IDENTIFIER || type == ACCOUNT_TYPE_ADDRESS
           || type == ACCOUNT_TYPE_EMAIL || type == ACCOUNT_TYPE_MOBILE;
}

static const char *unknown_input(account_compiler_t *c, const account_action_t *action,
                                 const char *name)
{
    apr_array_header_t *names = apr_array_make(c->pool, 24, sizeof(const char *));
    const account_input_t *input;

    for (input = action->inputs; input->name; input++) {
        APR_ARRAY_PUSH(names, const char *) = input->name;
    }
    for (input = account_profile_inputs; action->takes_profile && input->name; input++) {
        APR_ARRAY_PUSH(names, const char *) = input->name;
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return apr_psprintf(c->pool, "the action %s has no input %s%s", action->name, name,
                        account_line_suggest(name, (const char *const *)names->elts, c->pool));
}

const char *account_compile_parameter(account_compiler_t *c, account_route_t *route,
                                      const account_line_t *line, const apr_array_header_t *words)
{
    account_parameter_t *p = apr_pcalloc(c->pool, sizeof(*p));
    const account_input_t *inputs = route->action->inputs;
    const char *error;
    int i;

    if (!account_action_input(route->action, WORD(words, 0), &p->input)) {
        return unknown_input(c, route->action, WORD(words, 0));
    }
    p->line = line;
    p->position = -1;
    for (i = 0; inputs[i].name; i++) {
        if (strcmp(inputs[i].name, p->input.name) == 0) {
            p->position = i;
        }
    }
    p->is_profile = p->position < 0;
    p->clears = p->is_profile && route->action->clears_profile;
    set_default_length(p);
    error = parse_converters(c, p, WORD(words, 1));
    for (i = 2; i < words->nelts && !error; i++) {
        error = parse_constraint(c, p, WORD(words, i));
    }
    if (!error && p->most > IDENTIFIER_MOST && is_identifier(p->input.type)) {
        error = apr_psprintf(c->pool, "length=: %s has %d characters at most", p->input.name,
                             IDENTIFIER_MOST);
    }
    p->first = p;
    for (i = route->parameters->nelts - 1; i >= 0; i--) {
        account_parameter_t *earlier = APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);

        if (strcmp(earlier->input.name, p->input.name) == 0) {
            p->first = earlier;
            if (!error && strcmp(earlier->name, p->name) == 0) {
                error =
                    apr_psprintf(c->pool, "AccountParam %s %s stands twice, here and at line %d",
                                 p->input.name, p->name, earlier->line->number);
            }
        }
    }
    if (p->first != p) {
        ((account_parameter_t *)p->first)->required |= p->required;
    }
    APR_ARRAY_PUSH(route->parameters, account_parameter_t *) = p;
    return error;
}

/* Whether the line's input is one of a|b. */
static int is_input(const account_parameter_t *p, const char *inputs)
{
    const char *found = strstr(inputs, p->input.name);
    apr_size_t length = strlen(p->input.name);

    return found && (found == inputs || found[-1] == '|')
           && (found[length] == '\0' || found[length] == '|');
}

int account_route_supplies(const account_route_t *route, const char *inputs)
{
    int i;

    for (i = 0; i < route->parameters->nelts; i++) {
        if (is_input(APR_ARRAY_IDX(route->parameters, i, account_parameter_t *), inputs)) {
            return 1;
        }
    }
    return 0;
}

/* By the line's input and is=. */
static int takes(const account_parameter_t *p, account_kind_e kind)
{
    int is_mobile = p->input.type == ACCOUNT_TYPE_MOBILE || (p->is && strcmp(p->is, "mobile") == 0);
    int is_email = p->input.type == ACCOUNT_TYPE_EMAIL || (p->is && strcmp(p->is, "email") == 0);

    if (strcmp(p->input.name, account_kind_names[ACCOUNT_USER_NAME]) == 0) {
        return kind == ACCOUNT_USER_NAME; /* whatever it looks like */
    }
    switch (kind) {
    case ACCOUNT_EMAIL:
        return !is_mobile;
    case ACCOUNT_MOBILE:
        return !is_email;
    default:
        return !is_mobile && !is_email && p->input.type != ACCOUNT_TYPE_ADDRESS;
    }
}

int account_route_takes(const account_route_t *route, const char *inputs, account_kind_e kind)
{
    int i;

    for (i = 0; i < route->parameters->nelts; i++) {
        const account_parameter_t *p = APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);

        if (is_input(p, inputs) && takes(p, kind)) {
            return 1;
        }
    }
    return 0;
}

static void read_name(account_route_t *route, const char *name)
{
    int i;

    for (i = 0; i < route->names->nelts; i++) {
        if (strcmp(WORD(route->names, i), name) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(route->names, const char *) = name;
}

static int reads(const account_route_t *route, const char *segment)
{
    int i;

    for (i = 0; i < route->names->nelts; i++) {
        const char *name = WORD(route->names, i);
        apr_size_t length = strlen(name);

        if (strncmp(segment + 1, name, length) == 0 && segment[length + 1] == '}') {
            return 1;
        }
    }
    return 0;
}

static int is_set(const account_route_draft_t *draft, const char *name)
{
    const account_constant_t *constants = draft->route->action->constants;
    int i;

    for (i = 0; constants[i].name; i++) {
        if (strcmp(constants[i].name, name) == 0) {
            return draft->constants_set[i];
        }
    }
    return 0;
}

/* The inputs that the action can't do without: supplied, and required of the client. */
static const char *check_needs(account_compiler_t *c, account_route_draft_t *draft)
{
    account_route_t *route = draft->route;
    const account_input_t *input;
    const char *one_of = NULL;
    int supplied = 0;
    int i;

    for (input = route->action->inputs; input->name; input++) {
        if (input->need == ACCOUNT_REQUIRED && !account_route_supplies(route, input->name)
            && !is_set(draft, input->name)) {
            return apr_psprintf(c->pool, "the action %s needs the input %s: AccountParam %s NAME",
                                route->action->name, input->name, input->name);
        }
        if (input->need == ACCOUNT_ONE_OF) {
            one_of = one_of ? apr_pstrcat(c->pool, one_of, ", ", input->name, NULL) : input->name;
            supplied += account_route_supplies(route, input->name);
        }
    }
    if (one_of && supplied == 0) {
        return apr_psprintf(c->pool, "the action %s needs one of the inputs %s",
                            route->action->name, one_of);
    }
    for (i = 0; i < route->parameters->nelts; i++) {
        account_parameter_t *p = APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);

        if (p->first == p
            && (p->input.need == ACCOUNT_REQUIRED
                || (p->input.need == ACCOUNT_ONE_OF && supplied == 1))) {
            p->required = 1;
        }
    }
    return NULL;
}

static const int *supplied_by(account_compiler_t *c, const account_route_t *route)
{
    const account_input_t *inputs = route->action->inputs;
    int *supplied;
    int i, count = 0;

    while (inputs[count].name) {
        count++;
    }
    supplied = apr_pcalloc(c->pool, (count + 1) * sizeof(*supplied));
    for (i = 0; i < count; i++) {
        supplied[i] = account_route_supplies(route, inputs[i].name);
    }
    return supplied;
}

const char *account_compile_inputs(account_compiler_t *c, account_route_draft_t *draft)
{
    account_route_t *route = draft->route;
    const char *error = check_needs(c, draft);
    int i;

    route->supplied = supplied_by(c, route);
    route->names = apr_array_make(c->pool, 8, sizeof(const char *));
    for (i = 0; i < route->parameters->nelts; i++) {
        const account_parameter_t *p = APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);

        read_name(route, p->name);
        if (p->again) {
            read_name(route, p->again);
        }
        route->takes_secrets |=
            p->input.type == ACCOUNT_TYPE_SECRET || p->input.type == ACCOUNT_TYPE_NEW_SECRET;
    }
    for (i = 0; i < route->segments->nelts && !error; i++) {
        const char *segment = WORD(route->segments, i);

        if (*segment == '{' && !reads(route, segment)) {
            error = apr_psprintf(c->pool, "no AccountParam of the route %s reads %s of its path",
                                 route->name, segment);
        }
    }
    return error;
}

const char *account_rule_name(const account_parameter_t *p, account_rule_e rule)
{
    switch (rule) {
    case ACCOUNT_RULE_REQUIRED:
        return p->first == p && (p->required || p->input.need == ACCOUNT_ONE_OF) ? "required"
                                                                                 : NULL;
    case ACCOUNT_RULE_CONVERTER:
        return p->map ? p->map->name : p->base64 ? "base64" : NULL;
    case ACCOUNT_RULE_LENGTH:
        return "length";
    case ACCOUNT_RULE_TYPE:
        switch (p->input.type) {
        case ACCOUNT_TYPE_SECRET:
        case ACCOUNT_TYPE_NEW_SECRET:
            return NULL; /* any text will do */
        case ACCOUNT_TYPE_ADDRESS:
            return "email";
        default:
            return account_type_names[p->input.type];
        }
    case ACCOUNT_RULE_TYPE_MOBILE:
        return p->input.type == ACCOUNT_TYPE_ADDRESS ? "mobile" : NULL;
    case ACCOUNT_RULE_IS:
        return p->is;
    case ACCOUNT_RULE_MATCH:
        return p->regex ? "match" : NULL;
    case ACCOUNT_RULE_ONE_OF:
        return p->one_of ? "one-of" : NULL;
    case ACCOUNT_RULE_AGAIN:
        return p->again ? "again" : NULL;
    default:
        return NULL;
    }
}
