#include "httpd/options.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "action/limits.h"
#include "contract/line.h"
#include "httpd/glue.h"
#include "store/lookups.h"

#define WORD(words, n) APR_ARRAY_IDX(words, n, const char *)

static account_options_t *options_of(const cmd_parms *cmd)
{
    return &account_server_of(cmd->server)->options;
}

static account_place_t place_of(const cmd_parms *cmd)
{
    return (account_place_t){cmd->directive->filename, cmd->directive->line_num};
}

void account_options_init(account_options_t *options)
{
    memset(options, 0, sizeof(*options));
    options->activation = -1;
    options->hides = -1;
}

static int has_field(const apr_array_header_t *lookups, const char *field)
{
    int i, j;

    for (i = 0; lookups && i < lookups->nelts; i++) {
        const account_lookup_t *lookup = APR_ARRAY_IDX(lookups, i, account_lookup_t *);

        for (j = 0; j < lookup->fields->nelts; j++) {
            if (strcmp(WORD(lookup->fields, j), field) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* Those of the virtual host, then what the main server's fill besides: a field that both have is
 * nameless in the latter, which keeps its columns where they are. */
static apr_array_header_t *merge_lookups(apr_array_header_t *base, apr_array_header_t *add,
                                         apr_pool_t *pool)
{
    apr_array_header_t *merged;
    int i, j;

    if (!base || !add) {
        return add ? add : base;
    }
    merged = apr_array_copy(pool, add);
    for (i = 0; i < base->nelts; i++) {
        account_lookup_t *lookup =
            apr_pmemdup(pool, APR_ARRAY_IDX(base, i, account_lookup_t *), sizeof(*lookup));

        lookup->fields = apr_array_copy(pool, lookup->fields);
        for (j = 0; j < lookup->fields->nelts; j++) {
            if (has_field(add, WORD(lookup->fields, j))) {
                WORD(lookup->fields, j) = "";
            }
        }
        APR_ARRAY_PUSH(merged, account_lookup_t *) = lookup;
    }
    return merged;
}

#define MERGE(member, unset) merged->member = add->member == (unset) ? base->member : add->member

void account_options_merge(account_options_t *merged, const account_options_t *base,
                           const account_options_t *add, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < ACCOUNT_CHANNELS; i++) {
        merged->transports[i] =
            add->transports[i].place.file ? add->transports[i] : base->transports[i];
    }
    for (i = 0; i < ACCOUNT_LIMITS; i++) {
        MERGE(limits[i], NULL);
    }
    for (i = 0; i < ACCOUNT_LINK_COUNT; i++) {
        MERGE(pages[i], NULL);
    }
    for (i = 0; i < ACCOUNT_ROLES_KINDS; i++) {
        merged->roles[i] = add->roles[i].names ? add->roles[i] : base->roles[i];
    }
    MERGE(texts, NULL);
    MERGE(language, NULL);
    MERGE(activation, -1);
    MERGE(hides, -1);
    MERGE(zone, NULL);
    MERGE(captcha_font, NULL);
    MERGE(device_cookie, NULL);
    merged->lookups = merge_lookups(base->lookups, add->lookups, pool);
}

static const char *refuse(const cmd_parms *cmd, const char *error)
{
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error, NULL);
}

/* The words of a directive whose quotes are to be closed; NULL, or what is wrong. */
static const char *split(const cmd_parms *cmd, const char *args, apr_array_header_t **words)
{
    account_line_t line = {.name = cmd->cmd->name, .args = args};

    return account_line_words(&line, words, cmd->pool);
}

static const char *resolve(apr_pool_t *pool, const char *path)
{
    return ap_server_root_relative(pool, path);
}

const char *account_option_transport(cmd_parms *cmd, void *directory, const char *args)
{
    account_channel_e channel = (account_channel_e)(apr_uintptr_t)cmd->info;
    account_transport_option_t *option = &options_of(cmd)->transports[channel];
    account_transport_words_t words = {.is_mail = channel == ACCOUNT_MAIL, .resolve = resolve};
    account_transport_t *transport = NULL;
    apr_array_header_t *list;
    const char *error;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    error = split(cmd, args, &list);
    if (error) {
        return error;
    }
    if (list->nelts == 0) {
        return words.is_mail
                   ? "AccountMail takes: smtp://HOST:PORT \"Shop <shop@example.com>\", \"|PROGRAM "
                     "ARGUMENT\" \"Shop <shop@example.com>\", file:/PATH, or off"
                   : "AccountSms takes: https://GATEWAY/PATH TEMPLATE, \"|PROGRAM ARGUMENT\", "
                     "file:/PATH, or off";
    }
    if (list->nelts > 1 || strcasecmp(WORD(list, 0), "off") != 0) {
        words.words = list;
        error = account_transport_parse(&transport, &words, cmd->pool);
    }
    option->transport = transport;
    option->place = place_of(cmd);
    return error ? refuse(cmd, error) : NULL;
}

static const char *const *limit_names(apr_pool_t *pool)
{
    const char **names = apr_pcalloc(pool, (ACCOUNT_LIMITS + 1) * sizeof(*names));
    int i;

    for (i = 0; i < ACCOUNT_LIMITS; i++) {
        names[i] = account_limits[i].name;
    }
    return names;
}

const char *account_option_limit(cmd_parms *cmd, void *directory, int argc, char *const argv[])
{
    account_limit_windows_t *windows = apr_pcalloc(cmd->pool, sizeof(*windows));
    const char *words = "", *error;
    int limit, i;

    (void)directory;
    if (argc < 2) {
        return "AccountLimit takes a name and so many in so long: send-target 5/1h 10/1d, or "
               "send-target off";
    }
    limit = account_limit_find(argv[0]);
    if (limit < 0) {
        return apr_psprintf(cmd->pool, "AccountLimit: there is no limit %s%s", argv[0],
                            account_line_suggest(argv[0], limit_names(cmd->pool), cmd->pool));
    }
    for (i = 1; i < argc; i++) {
        words = apr_pstrcat(cmd->pool, words, i > 1 ? " " : "", argv[i], NULL);
    }
    error = account_limit_parse(windows, words, cmd->pool);
    options_of(cmd)->limits[limit] = windows;
    return error ? apr_psprintf(cmd->pool, "AccountLimit %s: %s", argv[0], error) : NULL;
}

const char *account_option_texts(cmd_parms *cmd, void *directory, const char *folder)
{
    (void)directory;
    folder = ap_server_root_relative(cmd->pool, folder);
    options_of(cmd)->texts = folder;
    return folder ? NULL : "AccountTexts: this is no path";
}

const char *account_option_language(cmd_parms *cmd, void *directory, const char *language)
{
    const char *c;

    (void)directory;
    for (c = language; apr_isalnum(*c) || *c == '-'; c++) {
    }
    if (*c || c - language < 2 || c - language > 16) {
        return apr_psprintf(cmd->pool,
                            "AccountLanguage: \"%s\" is no language: zh and en ship, and any "
                            "folder in AccountTexts may be one (2 to 16 letters, digits and '-')",
                            language);
    }
    options_of(cmd)->language = language;
    return NULL;
}

const char *account_option_link(cmd_parms *cmd, void *directory, const char *name, const char *url)
{
    static const char *const names[] = {"activate", "reset", NULL};
    const char *c;
    int i;

    (void)directory;
    for (i = 0; names[i] && strcmp(names[i], name) != 0; i++) {
    }
    if (!names[i]) {
        return apr_psprintf(cmd->pool, "AccountLink: there is no %s, but activate and reset%s",
                            name, account_line_suggest(name, names, cmd->pool));
    }
    for (c = url; apr_isgraph(*c) && !strchr("\"<>\\^`{|}", *c); c++) {
    }
    if (*c || !account_origin_of(url, cmd->pool)) {
        return apr_psprintf(cmd->pool,
                            "AccountLink: \"%s\" is no address: write it as "
                            "https://shop.example/%s",
                            url, name);
    }
    options_of(cmd)->pages[i] = url;
    return NULL;
}

const char *account_option_activation(cmd_parms *cmd, void *directory, int on)
{
    (void)directory;
    options_of(cmd)->activation = on;
    return NULL;
}

static int is_role(const char *name)
{
    const char *c;

    for (c = name; apr_islower(*c) || apr_isdigit(*c) || *c == '_' || *c == '-'; c++) {
    }
    return !*c && c > name && c - name <= 64;
}

const char *account_option_roles(cmd_parms *cmd, void *directory, int argc, char *const argv[])
{
    account_roles_option_t *option = &options_of(cmd)->roles[(apr_uintptr_t)cmd->info];
    int i, j;

    (void)directory;
    if (argc == 0) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes the names of roles", NULL);
    }
    option->names = apr_array_make(cmd->pool, argc, sizeof(const char *));
    option->place = place_of(cmd);
    for (i = 0; i < argc; i++) {
        if (!is_role(argv[i])) {
            return apr_psprintf(cmd->pool,
                                "%s: \"%s\" is no role: 1 to 64 small letters, digits, '_' and "
                                "'-'",
                                cmd->cmd->name, argv[i]);
        }
        for (j = 0; j < i; j++) {
            if (strcmp(argv[i], argv[j]) == 0) {
                return apr_psprintf(cmd->pool, "%s: %s stands twice", cmd->cmd->name, argv[i]);
            }
        }
        APR_ARRAY_PUSH(option->names, const char *) = argv[i];
    }
    return NULL;
}

const char *account_option_enumeration(cmd_parms *cmd, void *directory, const char *word)
{
    int is_strict = strcasecmp(word, "strict") == 0;

    (void)directory;
    if (!is_strict && strcasecmp(word, "contract") != 0) {
        return "AccountEnumeration takes contract (what it says of who exists is said) or strict "
               "(it is hidden wherever the contract can bear it)";
    }
    options_of(cmd)->hides = is_strict;
    return NULL;
}

const char *account_option_zone(cmd_parms *cmd, void *directory, const char *word)
{
    int *zone = apr_palloc(cmd->pool, sizeof(*zone));

    (void)directory;
    if (strlen(word) != 6 || !strchr("+-", word[0]) || !apr_isdigit(word[1])
        || !apr_isdigit(word[2]) || word[3] != ':' || !apr_isdigit(word[4]) || !apr_isdigit(word[5])
        || word[4] > '5') {
        return apr_psprintf(cmd->pool,
                            "AccountTimeZone: \"%s\" is no time zone: write it as +08:00", word);
    }
    *zone = 60 * (10 * (word[1] - '0') + word[2] - '0') + 10 * (word[4] - '0') + word[5] - '0';
    if (*zone > 14 * 60) {
        return apr_psprintf(cmd->pool, "AccountTimeZone: \"%s\" is no time zone: at most 14:00",
                            word);
    }
    *zone = word[0] == '-' ? -*zone : *zone;
    options_of(cmd)->zone = zone;
    return NULL;
}

const char *account_option_font(cmd_parms *cmd, void *directory, const char *path)
{
    (void)directory;
    path = ap_server_root_relative(cmd->pool, path);
    options_of(cmd)->captcha_font = path;
    return path ? NULL : "AccountCaptchaFont: this is no path";
}

const char *account_option_device_cookie(cmd_parms *cmd, void *directory, const char *name)
{
    const char *c;

    (void)directory;
    /* the token of RFC 6265 */
    for (c = name; apr_isalnum(*c) || (*c && strchr("!#$%&'*+-.^_`|~", *c)); c++) {
    }
    if (*c || c == name || c - name > 64) {
        return apr_psprintf(cmd->pool, "AccountDeviceCookie: \"%s\" is no cookie name", name);
    }
    options_of(cmd)->device_cookie = strcasecmp(name, "off") == 0 ? "" : name;
    return NULL;
}

const char *account_option_lookup(cmd_parms *cmd, void *directory, const char *args)
{
    account_options_t *options = options_of(cmd);
    account_lookup_t *lookup;
    apr_array_header_t *words;
    const char *error;
    int i;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    error = split(cmd, args, &words);
    if (error) {
        return error;
    }
    if (words->nelts != 2) {
        return apr_psprintf(cmd->pool,
                            "AccountLookup takes: %s (there are %d words; quotes keep blanks in "
                            "one)",
                            account_lookup_usage, words->nelts);
    }
    error = account_lookup_parse(&lookup, WORD(words, 0), WORD(words, 1), cmd->pool);
    if (error) {
        return refuse(cmd, error);
    }
    options->lookups = options->lookups ? options->lookups
                                        : apr_array_make(cmd->pool, 2, sizeof(account_lookup_t *));
    for (i = 0; i < lookup->fields->nelts; i++) {
        if (has_field(options->lookups, WORD(lookup->fields, i))) {
            return apr_psprintf(cmd->pool, "AccountLookup: the field %s has one already",
                                WORD(lookup->fields, i));
        }
    }
    APR_ARRAY_PUSH(options->lookups, account_lookup_t *) = lookup;
    return NULL;
}
