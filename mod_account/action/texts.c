#include "action/texts.h"

#include <stddef.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <jansson.h>

#include "base/text.h"

#define MESSAGES_FILE "messages.json"
#define FILE_MOST (64 * 1024)

/* What is made of a text has to fit into ACCOUNT_CONTENT_MOST, sealed. */
#define TEXT_MOST 4000
#define SUBJECT_MOST 200

typedef enum slot_e {
    SLOT_SITE,
    SLOT_NAME,
    SLOT_CODE,
    SLOT_LINK,
    SLOT_ADDRESS,
    SLOT_MINUTES,
    SLOT_HOURS,
    SLOT_TOKEN,
    SLOTS
} slot_e;

#define NO_SLOT SLOTS
#define HAS(slot) (1u << (slot))

static const struct {
    const char *name;
    apr_size_t member;
} slot_table[SLOTS] = {
    [SLOT_SITE] = {"site", offsetof(account_text_values_t, site)},
    [SLOT_NAME] = {"name", offsetof(account_text_values_t, name)},
    [SLOT_CODE] = {"code", offsetof(account_text_values_t, code)},
    [SLOT_LINK] = {"link", offsetof(account_text_values_t, link)},
    [SLOT_ADDRESS] = {"address", offsetof(account_text_values_t, address)},
    [SLOT_MINUTES] = {"minutes", offsetof(account_text_values_t, minutes)},
    [SLOT_HOURS] = {"hours", offsetof(account_text_values_t, hours)},
    [SLOT_TOKEN] = {"token", offsetof(account_text_values_t, token)},
};

/* Which slots a text may have, and which it is worth nothing without. */
typedef struct rule_t {
    unsigned int may; /* HAS(slot)… */
    slot_e must;      /* NO_SLOT: none */
} rule_t;

#define CODE_RULE                                                                                  \
    {                                                                                              \
        HAS(SLOT_SITE) | HAS(SLOT_NAME) | HAS(SLOT_CODE) | HAS(SLOT_MINUTES), SLOT_CODE            \
    }
#define LINK_RULE                                                                                  \
    {                                                                                              \
        HAS(SLOT_SITE) | HAS(SLOT_NAME) | HAS(SLOT_LINK) | HAS(SLOT_HOURS), SLOT_LINK              \
    }

static const struct {
    const char *name;
    rule_t rule;
} message_table[] = {
    {"code-register", CODE_RULE},
    {"code-login", CODE_RULE},
    {"code-reset", CODE_RULE},
    {"code-any", CODE_RULE},
    {"code-change", CODE_RULE},
    {"link-reset", LINK_RULE},
    {"link-activate", LINK_RULE},
    {"link-confirm", LINK_RULE},
    {"notice-password", {HAS(SLOT_SITE) | HAS(SLOT_NAME), NO_SLOT}},
    {"notice-question", {HAS(SLOT_SITE) | HAS(SLOT_NAME), NO_SLOT}},
    {"notice-address", {HAS(SLOT_SITE) | HAS(SLOT_NAME) | HAS(SLOT_ADDRESS), NO_SLOT}},
};
#define MESSAGES (sizeof(message_table) / sizeof(message_table[0]))

/* Every page, and whether it has a form, which carries the token on. */
#define EVERY_PAGE(PAGE)                                                                           \
    PAGE("activate", 1)                                                                            \
    PAGE("activated", 0)                                                                           \
    PAGE("reset", 1)                                                                               \
    PAGE("reset-again", 1)                                                                         \
    PAGE("reset-done", 0)                                                                          \
    PAGE("expired", 0)                                                                             \
    PAGE("failed", 0)
#define PAGE_NAME(name, has_form) name,
#define PAGE_RULE(name, has_form)                                                                  \
    {HAS(SLOT_SITE) | (has_form ? HAS(SLOT_TOKEN) : 0), has_form ? SLOT_TOKEN : NO_SLOT},

const char *const account_page_names[] = {EVERY_PAGE(PAGE_NAME) NULL};
static const rule_t page_rules[] = {EVERY_PAGE(PAGE_RULE)};
#define PAGES (sizeof(page_rules) / sizeof(page_rules[0]))

/* A text, taken apart: of piece_t. */
typedef apr_array_header_t text_t;

typedef struct piece_t {
    const char *literal; /* NULL: a slot */
    slot_e slot;
} piece_t;

typedef struct message_t {
    const text_t *sms;
    const text_t *subject;
    const text_t *text;
} message_t;

struct account_texts_t {
    message_t messages[MESSAGES];
    const text_t *pages[PAGES];
};

/* Where a text stands, for what is said of it. */
typedef struct place_t {
    const char *file;
    const char *member; /* of the JSON object, or NULL */
    apr_pool_t *pool;
} place_t;

static const char *complain(const place_t *place, const char *what)
{
    return place->member != NULL
               ? apr_psprintf(place->pool, "%s: %s: %s", place->file, place->member, what)
               : apr_psprintf(place->pool, "%s: %s", place->file, what);
}

static place_t member_of(const place_t *place, const char *name)
{
    place_t member = *place;

    member.member =
        place->member != NULL ? apr_pstrcat(place->pool, place->member, ".", name, NULL) : name;
    return member;
}

static const char *slot_list(unsigned int slots, apr_pool_t *pool)
{
    const char *list = "";
    int slot;

    for (slot = 0; slot < SLOTS; slot++) {
        if (slots & HAS(slot)) {
            list = apr_pstrcat(pool, list, *list ? ", %{" : "%{", slot_table[slot].name, "}", NULL);
        }
    }
    return list;
}

static slot_e find_slot(const char *name, apr_size_t length)
{
    int slot;

    for (slot = 0; slot < SLOTS; slot++) {
        if (strlen(slot_table[slot].name) == length
            && memcmp(slot_table[slot].name, name, length) == 0) {
            return (slot_e)slot;
        }
    }
    return NO_SLOT;
}

static void add_literal(text_t *text, const char *from, const char *to)
{
    if (to > from) {
        *(piece_t *)apr_array_push(text) =
            (piece_t){apr_pstrmemdup(text->pool, from, (apr_size_t)(to - from)), NO_SLOT};
    }
}

/* Takes a text apart. NULL, or what is wrong with it. */
static const char *parse(const text_t **parsed, const char *from, rule_t rule, const place_t *place)
{
    text_t *text = apr_array_make(place->pool, 8, sizeof(piece_t));
    unsigned int seen = 0;
    const char *open, *end;

    for (; (open = strstr(from, "%{")) != NULL; from = end + 1) {
        slot_e slot;

        end = open + 2 + strcspn(open + 2, "}\n");
        if (*end != '}') {
            return complain(place, "a %{ without its }");
        }
        slot = find_slot(open + 2, (apr_size_t)(end - open - 2));
        if (slot == NO_SLOT || !(rule.may & HAS(slot))) {
            return complain(place, apr_psprintf(place->pool, "%.*s} can't be here, only %s",
                                                (int)(end - open), open,
                                                slot_list(rule.may, place->pool)));
        }
        add_literal(text, from, open);
        *(piece_t *)apr_array_push(text) = (piece_t){NULL, slot};
        seen |= HAS(slot);
    }
    add_literal(text, from, from + strlen(from));
    if (rule.must != NO_SLOT && !(seen & HAS(rule.must))) {
        return complain(place,
                        apr_psprintf(place->pool, "%%{%s} is missing", slot_table[rule.must].name));
    }
    *parsed = text;
    return NULL;
}

/* NULL, or why the file can't be used. *text ends with NUL and has no other. */
static const char *read_file(const char **text, const place_t *place)
{
    apr_file_t *file;
    char reason[120], *bytes = apr_palloc(place->pool, FILE_MOST + 2);
    apr_size_t length = 0;
    apr_status_t rv =
        apr_file_open(&file, place->file, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, place->pool);

    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, bytes, FILE_MOST + 1, &length);
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return apr_psprintf(place->pool, "%s can't be read: %s", place->file,
                            apr_strerror(rv, reason, sizeof(reason)));
    }
    if (length > FILE_MOST) {
        return complain(place, "it is larger than 64 KiB");
    }
    if (!account_text_is_valid(bytes, length)) {
        return complain(place, "it is not UTF-8");
    }
    bytes[length] = '\0';
    *text = bytes;
    return NULL;
}

/* A text of a message. must: whether it is worth nothing without the rule's slot. */
static const char *parse_member(const text_t **parsed, const json_t *json, rule_t rule,
                                const place_t *place)
{
    const char *text = json_string_value(json);

    if (json == NULL) {
        return complain(place, "it is missing");
    }
    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0') {
        return complain(place, "it has to be a text");
    }
    if (strlen(text) > TEXT_MOST) {
        return complain(place, apr_psprintf(place->pool, "it is longer than %d bytes", TEXT_MOST));
    }
    return parse(parsed, text, rule, place);
}

/* NULL, or a text about the first member of object that is none of names (NULL at the end). */
static const char *refuse_others(const json_t *object, const char *const *names,
                                 const place_t *place)
{
    void *at;

    for (at = json_object_iter((json_t *)object); at != NULL;
         at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at), *list = names[0];
        int i;

        for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++) {
            list = i > 0 ? apr_pstrcat(place->pool, list, ", ", names[i], NULL) : list;
        }
        if (names[i] == NULL) {
            place_t member = member_of(place, key);

            return complain(&member,
                            apr_psprintf(place->pool, "there is no such thing, only %s", list));
        }
    }
    return NULL;
}

static const char *parse_mail(message_t *message, const json_t *mail, rule_t rule,
                              const place_t *place)
{
    static const char *const members[] = {"subject", "text", NULL};
    const place_t subject = member_of(place, members[0]), text = member_of(place, members[1]);
    const char *error, *line = json_string_value(json_object_get(mail, members[0]));

    if (!json_is_object(mail)) {
        return complain(place, "it has to be an object with a subject and a text");
    }
    if ((error = refuse_others(mail, members, place)) != NULL
        || (error = parse_member(&message->text, json_object_get(mail, members[1]), rule, &text))
               != NULL) {
        return error;
    }
    if (line != NULL && (strlen(line) > SUBJECT_MOST || account_text_has_control(line))) {
        return complain(
            &subject,
            apr_psprintf(place->pool, "it has to be one line of at most %d bytes", SUBJECT_MOST));
    }
    rule.must = NO_SLOT;
    return parse_member(&message->subject, json_object_get(mail, members[0]), rule, &subject);
}

static const char *parse_message(message_t *message, const json_t *json, rule_t rule,
                                 const place_t *place)
{
    static const char *const members[] = {"sms", "mail", NULL};
    const place_t sms = member_of(place, members[0]), mail = member_of(place, members[1]);
    const char *error;

    if (json == NULL) {
        return complain(place, "this message is missing");
    }
    if (!json_is_object(json)) {
        return complain(place, "it has to be an object with sms and mail");
    }
    if ((error = refuse_others(json, members, place)) != NULL
        || (error = parse_member(&message->sms, json_object_get(json, members[0]), rule, &sms))
               != NULL) {
        return error;
    }
    if (json_object_get(json, members[1]) == NULL) {
        return complain(&mail, "it is missing");
    }
    return parse_mail(message, json_object_get(json, members[1]), rule, &mail);
}

static const char *parse_messages(account_texts_t *texts, const json_t *json, const place_t *place)
{
    const char *names[MESSAGES + 1] = {NULL}, *error;
    apr_size_t i;

    if (!json_is_object(json)) {
        return complain(place, "it has to be a JSON object of messages");
    }
    for (i = 0; i < MESSAGES; i++) {
        names[i] = message_table[i].name;
    }
    error = refuse_others(json, names, place);
    for (i = 0; i < MESSAGES && error == NULL; i++) {
        const place_t member = member_of(place, names[i]);

        error = parse_message(&texts->messages[i], json_object_get(json, names[i]),
                              message_table[i].rule, &member);
    }
    return error;
}

static const char *read_messages(account_texts_t *texts, const place_t *place)
{
    const char *text, *error = read_file(&text, place);
    json_error_t at;
    json_t *json;

    if (error != NULL) {
        return error;
    }
    json = json_loads(text, JSON_REJECT_DUPLICATES, &at);
    if (json == NULL) {
        return apr_psprintf(place->pool, "%s:%d: it is no JSON: %s", place->file, at.line, at.text);
    }
    error = parse_messages(texts, json, place);
    json_decref(json);
    return error;
}

static int find_page(const char *name)
{
    int i;

    for (i = 0; account_page_names[i] != NULL; i++) {
        if (strcmp(account_page_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

int account_page_is_known(const char *name)
{
    return find_page(name) >= 0;
}

const char *account_texts_read(account_texts_t **texts, const char *folder, apr_pool_t *pool)
{
    account_texts_t *read = apr_pcalloc(pool, sizeof(*read));
    place_t place = {apr_pstrcat(pool, folder, "/" MESSAGES_FILE, NULL), NULL, pool};
    const char *text, *error = read_messages(read, &place);
    apr_size_t i;

    for (i = 0; i < PAGES && error == NULL; i++) {
        place.file = apr_pstrcat(pool, folder, "/", account_page_names[i], ".html", NULL);
        if ((error = read_file(&text, &place)) == NULL) {
            error = parse(&read->pages[i], text, page_rules[i], &place);
        }
    }
    *texts = error == NULL ? read : NULL;
    return error;
}

/* --- filling ---------------------------------------------------------------------------------- */

typedef enum form_e {
    AS_IT_IS,
    ONE_LINE, /* of a mail's subject: a value can't begin another header */
    HTML
} form_e;

/* What stands for a byte; NULL: itself. */
static const char *replacement(char byte, form_e form)
{
    switch (byte) {
    case '&':
        return form == HTML ? "&amp;" : NULL;
    case '<':
        return form == HTML ? "&lt;" : NULL;
    case '>':
        return form == HTML ? "&gt;" : NULL;
    case '"':
        return form == HTML ? "&quot;" : NULL;
    case '\'':
        return form == HTML ? "&#39;" : NULL;
    case '\r':
    case '\n':
        return form == ONE_LINE ? " " : NULL;
    default:
        return NULL;
    }
}

static const char *shaped(const char *value, form_e form, apr_pool_t *pool)
{
    apr_size_t length = 0;
    const char *from;
    char *text, *to;

    for (from = value; *from; from++) {
        const char *other = replacement(*from, form);

        length += other != NULL ? strlen(other) : 1;
    }
    text = to = apr_palloc(pool, length + 1);
    for (from = value; *from; from++) {
        const char *other = replacement(*from, form);

        if (other != NULL) {
            memcpy(to, other, strlen(other));
            to += strlen(other);
        }
        else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return text;
}

static const char *fill(const text_t *text, const account_text_values_t *values, form_e form)
{
    apr_array_header_t *parts = apr_array_make(values->pool, text->nelts + 1, sizeof(const char *));
    int i;

    for (i = 0; i < text->nelts; i++) {
        const piece_t *piece = &APR_ARRAY_IDX(text, i, piece_t);
        const char *part = piece->literal;

        if (part == NULL) {
            part = *(const char *const *)((const char *)values + slot_table[piece->slot].member);
            part = part != NULL ? shaped(part, form, values->pool) : "";
        }
        APR_ARRAY_PUSH(parts, const char *) = part;
    }
    return apr_array_pstrcat(values->pool, parts, '\0');
}

apr_status_t account_texts_write(const account_texts_t *texts, const char *name,
                                 account_channel_e channel, const account_text_values_t *values,
                                 account_written_t *written)
{
    apr_size_t i;

    for (i = 0; i < MESSAGES; i++) {
        const message_t *message = &texts->messages[i];

        if (strcmp(message_table[i].name, name) != 0) {
            continue;
        }
        if (channel == ACCOUNT_MAIL) {
            written->subject = fill(message->subject, values, ONE_LINE);
            written->text = fill(message->text, values, AS_IT_IS);
        }
        else {
            written->subject = NULL;
            written->text = fill(message->sms, values, AS_IT_IS);
        }
        return APR_SUCCESS;
    }
    return APR_ENOENT;
}

const char *account_texts_page(const account_texts_t *texts, const char *name,
                               const account_text_values_t *values)
{
    int page = find_page(name);

    return page >= 0 ? fill(texts->pages[page], values, HTML) : NULL;
}
