#include "base/letter.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "base/base64.h"
#include "base/text.h"

#define MOST_ADDRESS_BYTES 254

/* A line of a header that holds an encoded word has at most 76 characters, so that many bytes fit
 * behind "Subject: =?UTF-8?B?" (RFC 2047 section 2). A body's line has 76, from 57 bytes. */
#define WORD_BYTES 39
#define LINE_BYTES 57

/* Longer ones are folded, which only encoded words make safe. */
#define PLAIN_SUBJECT_BYTES 66

int account_letter_is_address(const char *text)
{
    const char *at = strchr(text, '@');

    return at && at > text && at[1] && !strchr(at + 1, '@') && strlen(text) <= MOST_ADDRESS_BYTES
           && !strpbrk(text, " \"()<>[],;:\\") && account_text_is_valid(text, strlen(text))
           && !account_text_has_control(text);
}

const char *account_sender_parse(account_sender_t *sender, const char *text, apr_pool_t *pool)
{
    const char *open = strrchr(text, '<');
    const char *name = NULL;
    const char *address = text;
    apr_size_t length = strlen(text);

    if (!account_text_is_valid(text, length) || account_text_has_control(text)) {
        return "the sender is not valid UTF-8, or has a control character";
    }
    if (open) {
        if (text[length - 1] != '>') {
            return "the sender, the second word, is not \"Shop <shop@example.com>\"";
        }
        address = apr_pstrmemdup(pool, open + 1, length - (apr_size_t)(open - text) - 2);
        name = account_text_trim(pool, apr_pstrmemdup(pool, text, (apr_size_t)(open - text)));
        length = strlen(name);
        if (length >= 2 && name[0] == '"' && name[length - 1] == '"') {
            name = apr_pstrmemdup(pool, name + 1, length - 2);
        }
    }
    if (!account_letter_is_address(address)) {
        return "the sender, the second word, has no e-mail address; write \"Shop "
               "<shop@example.com>\"";
    }
    sender->name = name && *name ? name : NULL;
    sender->address = apr_pstrdup(pool, address);
    sender->host = strchr(sender->address, '@') + 1;
    return NULL;
}

/* Whether a text can stand in a header as it is. */
static int is_plain(const char *text)
{
    const char *at;

    for (at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7E) {
            return 0;
        }
    }
    return !strstr(text, "=?") && strlen(text) <= PLAIN_SUBJECT_BYTES && *text != ' '
           && (at == text || at[-1] != ' ');
}

/* How many of the text's bytes go into the next encoded word: whole characters. */
static apr_size_t word_bytes(const char *text)
{
    apr_size_t length = strlen(text);

    if (length <= WORD_BYTES) {
        return length;
    }
    length = WORD_BYTES;
    while (length > 1 && ((unsigned char)text[length] & 0xC0) == 0x80) {
        length--;
    }
    return length;
}

/* A text of any characters as RFC 2047's encoded words. */
static const char *encoded(const char *text, const char *newline, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 8, sizeof(const char *));

    while (*text) {
        apr_size_t length = word_bytes(text);

        if (parts->nelts > 0) {
            APR_ARRAY_PUSH(parts, const char *) = newline;
            APR_ARRAY_PUSH(parts, const char *) = " ";
        }
        APR_ARRAY_PUSH(parts, const char *) = "=?UTF-8?B?";
        APR_ARRAY_PUSH(parts, const char *) =
            account_base64_encode(pool, (const unsigned char *)text, length, 1);
        APR_ARRAY_PUSH(parts, const char *) = "?=";
        text += length;
    }
    return apr_array_pstrcat(pool, parts, 0);
}

/* The text with blanks for its control characters: they would have no meaning in a header, or too
 * much of it. */
static const char *one_line(const char *text, apr_pool_t *pool)
{
    char *line = apr_pstrdup(pool, text);
    char *at;

    for (at = line; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            *at = ' ';
        }
    }
    return line;
}

static const char *subject_of(const account_letter_t *letter, apr_pool_t *pool)
{
    const char *subject = one_line(letter->subject ? letter->subject : "", pool);

    return is_plain(subject) ? subject : encoded(subject, letter->newline, pool);
}

static const char *quoted(const char *text, apr_pool_t *pool)
{
    char *made = apr_palloc(pool, 2 * strlen(text) + 3);
    char *at = made;

    *at++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *at++ = '\\';
        }
        *at++ = *text;
    }
    *at++ = '"';
    *at = '\0';
    return made;
}

static const char *from_of(const account_letter_t *letter, apr_pool_t *pool)
{
    const account_sender_t *sender = letter->sender;
    const char *name = sender->name;
    const char *at;

    if (!name) {
        return sender->address;
    }
    if (!is_plain(name)) {
        name = encoded(name, letter->newline, pool);
    }
    else {
        for (at = name; *at; at++) {
            if (!apr_isalnum(*at) && !strchr(" !#$%&'*+-/=?^_`{|}~", *at)) {
                name = quoted(name, pool);
                break;
            }
        }
    }
    return apr_pstrcat(pool, name, " <", sender->address, ">", NULL);
}

/* Only what may stand in a Message-ID. */
static const char *id_of(const char *key, apr_pool_t *pool)
{
    char *id = apr_pstrdup(pool, key);
    char *at;

    for (at = id; *at; at++) {
        if (!apr_isalnum(*at)) {
            *at = '-';
        }
    }
    return id;
}

/* Lines of a text end in CR LF before it is encoded (RFC 2045 section 6.8). */
static const char *canonical(const char *text, apr_pool_t *pool)
{
    char *made = apr_palloc(pool, 2 * strlen(text) + 1);
    char *at = made;

    for (; *text; text++) {
        if (*text == '\n' && (at == made || at[-1] != '\r')) {
            *at++ = '\r';
        }
        *at++ = *text;
    }
    *at = '\0';
    return made;
}

static const char *body_of(const account_letter_t *letter, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 16, sizeof(const char *));
    const char *text = canonical(letter->text ? letter->text : "", pool);
    apr_size_t left = strlen(text);

    while (left > 0) {
        apr_size_t length = left < LINE_BYTES ? left : LINE_BYTES;

        APR_ARRAY_PUSH(lines, const char *) =
            account_base64_encode(pool, (const unsigned char *)text, length, 1);
        APR_ARRAY_PUSH(lines, const char *) = letter->newline;
        text += length;
        left -= length;
    }
    return apr_array_pstrcat(pool, lines, 0);
}

/* apr_rfc822_date ends in GMT, which RFC 5322 (section 4.3) calls obsolete. */
static const char *date_of(apr_time_t date, apr_pool_t *pool)
{
    char text[APR_RFC822_DATE_LEN];

    apr_rfc822_date(text, date);
    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, strlen(text) - (sizeof("GMT") - 1)),
                       "+0000", NULL);
}

const char *account_letter_write(const account_letter_t *letter, apr_pool_t *pool)
{
    const char *end = letter->newline;
    const char *head = apr_pstrcat(
        pool, "From: ", from_of(letter, pool), end, "To: ", letter->to, end,
        "Subject: ", subject_of(letter, pool), end, "Date: ", date_of(letter->date, pool), end,
        "Message-ID: <", id_of(letter->key, pool), "@", letter->sender->host, ">", end, NULL);

    /* No answering machine is to answer (RFC 3834 section 5). */
    return apr_pstrcat(pool, head, "Auto-Submitted: auto-generated", end, "MIME-Version: 1.0", end,
                       "Content-Type: text/plain; charset=utf-8", end,
                       "Content-Transfer-Encoding: base64", end, end, body_of(letter, pool), NULL);
}
