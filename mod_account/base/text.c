#include "base/text.h"

#include <string.h>
#include <time.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <utf8proc.h>

#include "base/base64.h"

/* Putting combining marks in order takes time that grows with the square of their number, so what
 * is normalised is bounded first. A character of four bytes may become one of one byte. */
#define IDENTIFIER_INPUT_BYTES (4 * ACCOUNT_IDENTIFIER_BYTES)

#define EMAIL_BYTES 254
#define EMAIL_LOCAL_BYTES 64
#define DOMAIN_LABEL_BYTES 63

#define FIRST_MILLISECOND (-APR_INT64_C(62135596800000)) /* 0001-01-01T00:00:00.000Z */
#define LAST_MILLISECOND APR_INT64_C(253402300799999)    /* 9999-12-31T23:59:59.999Z */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Eight bytes at once: each that is less than least or more than 0x7F leaves a bit. */
#define EACH(byte) (APR_UINT64_C(0x0101010101010101) * (byte))
#define OUTSIDE(word, least) (((word) | ((word)-EACH(least))) & EACH(0x80))

/* How many bytes of ASCII from least on there are at the beginning, at least; a multiple of 8. */
static apr_size_t count_ascii(const char *bytes, apr_size_t length, unsigned char least)
{
    apr_size_t count = 0;
    apr_uint64_t word;

    for (; length - count >= sizeof(word); count += sizeof(word)) {
        memcpy(&word, bytes + count, sizeof(word));
        if (OUTSIDE(word, least)) {
            break;
        }
    }
    return count;
}

int account_text_is_valid(const char *bytes, apr_size_t length)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)bytes;
    const utf8proc_uint8_t *end = at + length;

    at += count_ascii(bytes, length, 1);
    while (at < end) {
        utf8proc_int32_t character;
        utf8proc_ssize_t size;

        if (*at > 0 && *at < 0x80) {
            at++;
            continue;
        }
        size = utf8proc_iterate(at, end - at, &character);
        if (size <= 0 || character == 0) {
            return 0;
        }
        at += size;
    }
    return 1;
}

int account_text_is_line(const char *bytes, apr_size_t length)
{
    apr_size_t i;

    for (i = count_ascii(bytes, length, 0x20); i < length; i++) {
        if ((unsigned char)bytes[i] < 0x20) {
            return 0;
        }
    }
    return account_text_is_valid(bytes, length);
}

int account_text_has_control(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    for (; *at != 0; at++) {
        if (*at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0)) {
            return 1;
        }
    }
    return 0;
}

apr_size_t account_text_length(const char *text)
{
    apr_size_t length = 0;

    for (; *text != '\0'; text++) {
        length += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return length;
}

/* As utf8proc_map, in pool's memory. NULL: not valid UTF-8. */
static const char *normalise(apr_pool_t *pool, const char *text, utf8proc_option_t options)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t length = (utf8proc_ssize_t)strlen(text);
    utf8proc_int32_t *buffer;
    utf8proc_ssize_t count;

    if (!account_text_is_valid(text, (apr_size_t)length)) {
        return NULL;
    }
    count = utf8proc_decompose(bytes, length, NULL, 0, options);
    if (count < 0) {
        return NULL;
    }
    buffer = apr_palloc(pool, ((apr_size_t)count + 1) * sizeof(*buffer));
    count = utf8proc_decompose(bytes, length, buffer, count, options);
    if (count < 0 || utf8proc_reencode(buffer, count, options) < 0) {
        return NULL;
    }
    return (const char *)buffer;
}

static int is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

const char *account_text_nfc(apr_pool_t *pool, const char *text)
{
    if (is_ascii(text)) {
        return text;
    }
    if (strlen(text) > ACCOUNT_NFC_BYTES) {
        return NULL;
    }
    return normalise(pool, text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

const char *account_text_trim(apr_pool_t *pool, const char *text)
{
    static const char ideographic[] = "\xE3\x80\x80";
    const char *start = text;
    const char *end = text + strlen(text);

    for (;;) {
        if (is_blank(*start)) {
            start++;
        }
        else if (strncmp(start, ideographic, 3) == 0) {
            start += 3;
        }
        else {
            break;
        }
    }
    while (end > start) {
        if (is_blank(end[-1])) {
            end--;
        }
        else if (end - start >= 3 && memcmp(end - 3, ideographic, 3) == 0) {
            end -= 3;
        }
        else {
            break;
        }
    }
    if (start == text && *end == '\0') {
        return text;
    }
    return apr_pstrmemdup(pool, start, (apr_size_t)(end - start));
}

/* NFKC_Casefold of the canonical decomposition (Unicode D147), trimmed. NULL: not valid UTF-8, too
 * long, or with a control character. */
static const char *fold(apr_pool_t *pool, const char *text)
{
    if (strlen(text) > IDENTIFIER_INPUT_BYTES) {
        return NULL;
    }
    text = normalise(pool, text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    if (text != NULL) {
        text = normalise(pool, text,
                         UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD
                             | UTF8PROC_IGNORE);
    }
    if (text != NULL) {
        text = account_text_trim(pool, text);
    }
    return text != NULL && !account_text_has_control(text) ? text : NULL;
}

/* The place in text where the 11 digits of a mobile number begin, or NULL. */
static const char *mobile_digits(const char *text)
{
    static const char *const prefixes[] = {"+86", "86", "0"};
    apr_size_t i;

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        apr_size_t length = strlen(prefixes[i]);

        if (strncmp(text, prefixes[i], length) == 0) {
            text += length;
            break;
        }
    }
    if (strlen(text) != 11 || strspn(text, "0123456789") != 11 || text[0] != '1' || text[1] < '3') {
        return NULL;
    }
    return text;
}

const char *account_text_identifier(apr_pool_t *pool, const char *text)
{
    const char *folded = fold(pool, text);
    const char *mobile;

    if (folded == NULL || *folded == '\0' || strlen(folded) > ACCOUNT_IDENTIFIER_BYTES) {
        return NULL;
    }
    mobile = mobile_digits(folded);
    return mobile != NULL ? mobile : folded;
}

const char *account_text_mobile(apr_pool_t *pool, const char *text)
{
    const char *folded = fold(pool, text);

    return folded != NULL ? mobile_digits(folded) : NULL;
}

/* What may stand in a local part outside ASCII: anything that is seen. */
static int is_visible(utf8proc_int32_t character)
{
    switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 0;
    default:
        return 1;
    }
}

/* Letters and digits of all scripts, and the marks that belong to letters of some. */
static int is_letter(utf8proc_int32_t character)
{
    switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
        return 1;
    default:
        return 0;
    }
}

static int is_local_part(const char *text, apr_size_t length)
{
    char before = '.';
    apr_size_t i = 0;

    if (length > EMAIL_LOCAL_BYTES) {
        return 0;
    }
    while (i < length) {
        utf8proc_int32_t character;
        char c = text[i];

        if ((c == '.' && before == '.') || strchr("\"()<>[],;:\\", c) != NULL) {
            return 0;
        }
        i += (apr_size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i,
                                          (utf8proc_ssize_t)(length - i), &character);
        if (!is_visible(character)) {
            return 0;
        }
        before = c;
    }
    return before != '.'; /* also when there is nothing */
}

static int is_domain_label(const char *text, apr_size_t length)
{
    apr_size_t i = 0;

    if (length == 0 || length > DOMAIN_LABEL_BYTES || text[0] == '-' || text[length - 1] == '-') {
        return 0;
    }
    while (i < length) {
        utf8proc_int32_t character;

        i += (apr_size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i,
                                          (utf8proc_ssize_t)(length - i), &character);
        if (character != '-' && !is_letter(character)) {
            return 0;
        }
    }
    return 1;
}

static int is_domain(const char *text)
{
    int labels = 0;

    for (;;) {
        apr_size_t length = strcspn(text, ".");

        if (!is_domain_label(text, length)) {
            return 0;
        }
        labels++;
        if (text[length] == '\0') {
            return labels >= 2;
        }
        text += length + 1;
    }
}

static int is_email(const char *address)
{
    const char *at = strchr(address, '@');

    return strlen(address) <= EMAIL_BYTES && at != NULL
           && is_local_part(address, (apr_size_t)(at - address)) && is_domain(at + 1);
}

/* Whether the canonical form is the text but for capital letters of ASCII. */
static int is_written_so(const char *text, const char *canonical)
{
    for (; *text && *canonical; text++, canonical++) {
        if (*canonical != *text && *canonical != apr_tolower(*text)) {
            break;
        }
    }
    return *text == '\0' && *canonical == '\0';
}

const char *account_text_email(apr_pool_t *pool, const char *text)
{
    const char *address, *canonical;

    if (!account_text_is_valid(text, strlen(text))) {
        return NULL;
    }
    address = account_text_trim(pool, text);
    canonical = is_email(address) ? account_text_identifier(pool, address) : NULL;
    if (canonical == NULL || is_written_so(address, canonical)) {
        return canonical ? address : NULL;
    }
    return is_email(canonical) ? canonical : NULL;
}

int account_text_is_in(const apr_array_header_t *list, const char *text)
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(list, i, const char *), text) == 0) {
            return 1;
        }
    }
    return 0;
}

int account_text_is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int account_text_duration(const char *text, apr_int64_t *milliseconds)
{
    static const struct {
        char unit;
        apr_int64_t milliseconds;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end;
    apr_int64_t number = is_digit(*text) ? apr_strtoi64(text, &end, 10) : 0;
    apr_size_t i;

    if (number > 0 && end[0] && !end[1]) {
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (units[i].unit == *end
                && number <= APR_INT64_C(3153600000000) / units[i].milliseconds) {
                *milliseconds = number * units[i].milliseconds;
                return 1;
            }
        }
    }
    return 0;
}

/* The number that count digits stand for, or -1. */
static int number(const char *digits, int count)
{
    int value = 0;
    int i;

    for (i = 0; i < count; i++) {
        if (!is_digit(digits[i])) {
            return -1;
        }
        value = value * 10 + (digits[i] - '0');
    }
    return value;
}

static int is_real_day(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return year >= 1800 && month >= 1 && month <= 12 && day >= 1
           && day <= days[month - 1] + (is_leap && month == 2);
}

int account_text_is_date(const char *text)
{
    return strlen(text) == 10 && text[4] == '-' && text[7] == '-'
           && is_real_day(number(text, 4), number(text + 5, 2), number(text + 8, 2));
}

int account_text_is_resident_id(const char *text)
{
    /* ISO 7064 MOD 11-2, as GB 11643 has it: weights of the 17 digits, then the check digits. */
    static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    static const char checks[] = "10X98765432";
    int sum = 0;
    int i;

    if (strlen(text) != 18 || strspn(text, "0123456789") < 17
        || !is_real_day(number(text + 6, 4), number(text + 10, 2), number(text + 12, 2))) {
        return 0;
    }
    for (i = 0; i < 17; i++) {
        sum += (text[i] - '0') * weights[i];
    }
    return checks[sum % 11] == (text[17] == 'x' ? 'X' : text[17]);
}

const char *account_text_base64(apr_pool_t *pool, const char *text)
{
    apr_size_t length = strlen(text);
    apr_size_t capacity = length / 4 * 3;
    unsigned char *bytes = apr_palloc(pool, capacity + 1);
    apr_ssize_t size = account_base64_decode(bytes, capacity, text, length, 1);

    if (size < 0 || !account_text_is_valid((const char *)bytes, (apr_size_t)size)) {
        return NULL;
    }
    bytes[size] = '\0';
    return (const char *)bytes;
}

static apr_int64_t clamp(apr_int64_t milliseconds)
{
    if (milliseconds < FIRST_MILLISECOND) {
        return FIRST_MILLISECOND;
    }
    return milliseconds > LAST_MILLISECOND ? LAST_MILLISECOND : milliseconds;
}

const char *account_text_iso8601(apr_pool_t *pool, apr_int64_t milliseconds, int offset)
{
    apr_int64_t local = clamp(clamp(milliseconds) + offset * APR_INT64_C(60000));
    int fraction = (int)(local % 1000);
    int minutes = offset < 0 ? -offset : offset;
    struct tm day;
    time_t seconds;

    if (fraction < 0) {
        fraction += 1000;
    }
    seconds = (time_t)((local - fraction) / 1000);
    gmtime_r(&seconds, &day);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d", day.tm_year + 1900,
                        day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec, fraction,
                        offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
