#define PCRE2_CODE_UNIT_WIDTH 8
#include "contract/judge.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <pcre2.h>
#include <string.h>

#include "base/text.h"

static const char *find_value(const apr_array_header_t *pairs, const char *name)
{
    int i;

    for (i = 0; i < pairs->nelts; i++) {
        const account_pair_t *pair = &APR_ARRAY_IDX(pairs, i, account_pair_t);

        if (strcmp(pair->name, name) == 0) {
            return pair->value;
        }
    }
    return NULL;
}

int account_judge_names(const account_route_t *route, const apr_array_header_t *pairs)
{
    int i, j;

    for (i = 0; i < route->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(route->names, i, const char *);
        const char *first = find_value(pairs, name);

        for (j = 0; first && j < pairs->nelts; j++) {
            const account_pair_t *pair = &APR_ARRAY_IDX(pairs, j, account_pair_t);

            if (strcmp(pair->name, name) == 0
                && (pair->value == account_pair_nested || strcmp(pair->value, first) != 0)) {
                return 0;
            }
        }
    }
    return 1;
}

static int matches(const account_parameter_t *p, const char *value)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(p->regex, NULL);
    int rc = data
                 ? pcre2_match(p->regex, (PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED, 0, 0, data, NULL)
                 : PCRE2_ERROR_NOMEMORY;

    pcre2_match_data_free(data);
    return rc >= 0;
}

static const char *judge_number(const char *value)
{
    apr_size_t length = strspn(value, "0123456789");

    return !value[length] && length > 0 && length <= 16
                   && apr_atoi64(value) <= (APR_INT64_C(1) << 53)
               ? value
               : NULL;
}

static const char *judge_boolean(const char *value)
{
    static const char *const words[] = {"true", "1", "y", "yes", "false", "0", "n", "no"};
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(words[i], value) == 0) {
            return i < 4 ? "true" : "false";
        }
    }
    return NULL;
}

static const char *judge_kind(const char *value)
{
    int kind;

    for (kind = 0; kind < ACCOUNT_KINDS; kind++) {
        if (strcmp(account_kind_names[kind], value) == 0) {
            return value;
        }
    }
    return NULL;
}

/* The value as its type wants it, NULL: it is none. */
static const char *judge_type(account_type_e type, const char *value, apr_pool_t *pool)
{
    const char *mobile;
    apr_size_t length;

    switch (type) {
    case ACCOUNT_TYPE_IDENTIFIER:
        return account_text_identifier(pool, value) ? account_text_trim(pool, value) : NULL;
    case ACCOUNT_TYPE_ADDRESS:
        mobile = account_text_mobile(pool, value);
        return mobile ? mobile : judge_type(ACCOUNT_TYPE_EMAIL, value, pool);
    case ACCOUNT_TYPE_EMAIL:
        /* some characters grow beyond all bounds in their canonical form */
        return account_text_identifier(pool, value) ? account_text_email(pool, value) : NULL;
    case ACCOUNT_TYPE_MOBILE:
        return account_text_mobile(pool, value);
    case ACCOUNT_TYPE_TEXT:
        return account_text_has_control(value) ? NULL : value;
    case ACCOUNT_TYPE_NUMBER:
        return judge_number(value);
    case ACCOUNT_TYPE_BOOLEAN:
        return judge_boolean(value);
    case ACCOUNT_TYPE_KIND:
        return judge_kind(value);
    case ACCOUNT_TYPE_ROLE:
        length = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_-");
        return !value[length] && length <= 64 ? value : NULL;
    case ACCOUNT_TYPE_DATE:
        return account_text_is_date(value) ? value : NULL;
    default: /* secrets: any text will do */
        return value;
    }
}

static const char *judge_form(const char *is, const char *value, apr_pool_t *pool)
{
    return strcmp(is, "mobile") == 0  ? account_text_mobile(pool, value)
           : strcmp(is, "email") == 0 ? account_text_email(pool, value)
           : strcmp(is, "date") == 0  ? (account_text_is_date(value) ? value : NULL)
                                      : (account_text_is_resident_id(value) ? value : NULL);
}

/* Text on the wire to what the action shall see; NULL: it can't be converted. A map's "*" is every
 * other value, so backwards it is none. */
static const char *convert(const account_parameter_t *p, const char *value, apr_pool_t *pool)
{
    int i;

    if (p->base64) {
        value = account_text_base64(pool, value);
    }
    for (i = 0; value && p->map && i < p->map->entries->nelts; i++) {
        const account_map_entry_t *entry = &APR_ARRAY_IDX(p->map->entries, i, account_map_entry_t);

        if (strcmp(entry->text, value) == 0) {
            return strcmp(entry->key, "*") == 0 ? "" : entry->key;
        }
    }
    return p->map ? NULL : value;
}

/* A number that was meant: digits, blanks, + and - only. */
static int looks_like_number(const char *value)
{
    return !value[strspn(value, "0123456789+- ")];
}

/* ACCOUNT_RULES: no rule is broken, and *value is normalised; if empty, it is absent. */
static account_rule_e judge_value(const account_parameter_t *p, const apr_array_header_t *pairs,
                                  const char **value, apr_pool_t *pool)
{
    const char *sent = *value, *converted;
    const char *again = p->again ? find_value(pairs, p->again) : NULL;
    apr_size_t length;

    converted = *value = convert(p, sent, pool);
    if (!*value) {
        return ACCOUNT_RULE_CONVERTER;
    }
    if (!**value) {
        return ACCOUNT_RULES;
    }
    length = account_text_length(*value);
    if (length < p->least || length > p->most) {
        return ACCOUNT_RULE_LENGTH;
    }
    *value = judge_type(p->input.type, *value, pool);
    if (!*value) {
        return p->input.type == ACCOUNT_TYPE_ADDRESS && looks_like_number(converted)
                   ? ACCOUNT_RULE_TYPE_MOBILE
                   : ACCOUNT_RULE_TYPE;
    }
    if (p->is && !(*value = judge_form(p->is, *value, pool))) {
        return ACCOUNT_RULE_IS;
    }
    if (p->regex && !matches(p, *value)) {
        return ACCOUNT_RULE_MATCH;
    }
    if (p->one_of && !account_text_is_in(p->one_of, *value)) {
        return ACCOUNT_RULE_ONE_OF;
    }
    return p->again && (!again || strcmp(again, sent) != 0) ? ACCOUNT_RULE_AGAIN : ACCOUNT_RULES;
}

static void refuse(const account_parameter_t *p, account_rule_e rule, const char *sent,
                   account_judged_t *judged)
{
    int is_secret =
        p->input.type == ACCOUNT_TYPE_SECRET || p->input.type == ACCOUNT_TYPE_NEW_SECRET;

    judged->refusal = p->refusals[rule];
    judged->refused = judged->refusal->outcome + strlen("invalid.");
    judged->value = is_secret || !sent ? "" : sent;
}

static void keep(const account_parameter_t *p, const char *value, account_judged_t *judged)
{
    if (p->is_profile) {
        account_profile_field_t *field = apr_array_push(judged->profile);

        field->name = p->input.name;
        field->value = value;
    }
    else {
        judged->values[p->position] = value;
    }
}

/* All lines of one input, whose first is the parameter: the first that is present counts. */
static int judge_input(const account_route_t *route, const account_parameter_t *first,
                       const apr_array_header_t *pairs, account_judged_t *judged)
{
    apr_pool_t *pool = judged->profile->pool;
    int i;

    for (i = 0; i < route->parameters->nelts; i++) {
        const account_parameter_t *p = APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);
        const char *sent = p->first == first ? find_value(pairs, p->name) : NULL;
        const char *value = sent;
        account_rule_e rule = ACCOUNT_RULES;

        if (!sent || (!*sent && !p->clears)) {
            continue;
        }
        if (*sent) {
            rule = judge_value(p, pairs, &value, pool);
        }
        else if (p->least > 0) {
            rule = ACCOUNT_RULE_LENGTH; /* a field that may be changed, but not cleared */
        }
        if (rule != ACCOUNT_RULES) {
            refuse(p, rule, sent, judged);
            return 0;
        }
        if (*value || p->clears) {
            keep(p, value, judged);
            return 1;
        }
    }
    if (first->required) {
        refuse(first, ACCOUNT_RULE_REQUIRED, NULL, judged);
    }
    return 0;
}

void account_judge(const account_route_t *route, const apr_array_header_t *pairs,
                   account_judged_t *judged, apr_pool_t *pool)
{
    const account_parameter_t *alternative = NULL;
    int inputs = 0, chosen = 0;
    int i;

    while (route->action->inputs[inputs].name) {
        inputs++;
    }
    memset(judged, 0, sizeof(*judged));
    judged->values = apr_pcalloc(pool, (inputs + 1) * sizeof(const char *));
    judged->profile = apr_array_make(pool, 4, sizeof(account_profile_field_t));
    for (i = 0; i < route->parameters->nelts && !judged->refusal; i++) {
        const account_parameter_t *p = APR_ARRAY_IDX(route->parameters, i, account_parameter_t *);
        int present = p->first == p && judge_input(route, p, pairs, judged);

        if (p->input.need == ACCOUNT_ONE_OF) {
            alternative = alternative ? alternative : p;
            chosen |= present;
        }
    }
    if (alternative && !chosen && !judged->refusal) {
        refuse(alternative, ACCOUNT_RULE_REQUIRED, NULL, judged);
    }
}
