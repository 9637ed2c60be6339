/* base/text and base/base64: tables of good and bad texts. */

#include <stdlib.h>

#include <apr_strings.h>
#include <utf8proc.h>

#include "base/base64.h"
#include "base/text.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define REPEAT4(text) text text text text
#define REPEAT16(text) REPEAT4(REPEAT4(text))
#define REPEAT64(text) REPEAT4(REPEAT16(text))

typedef struct pair_t {
    const char *from;
    const char *to;
} pair_t;

/* A name that can be printed: TAP lines shall not hold broken UTF-8. */
static const char *shown(const char *text)
{
    static char buffer[400];
    apr_size_t used = 0;

    for (; *text != '\0' && used < sizeof(buffer) - 8; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte >= 0x7F || byte == '#') {
            used += (apr_size_t)snprintf(buffer + used, sizeof(buffer) - used, "\\x%02X", byte);
        }
        else {
            buffer[used++] = (char)byte;
        }
    }
    buffer[used] = '\0';
    return buffer;
}

static char *repeat(apr_pool_t *pool, const char *text, int times)
{
    apr_size_t length = strlen(text);
    char *result = apr_palloc(pool, length * (apr_size_t)times + 1);
    int i;

    for (i = 0; i < times; i++) {
        memcpy(result + length * (apr_size_t)i, text, length);
    }
    result[length * (apr_size_t)times] = '\0';
    return result;
}

static void test_lists(apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(const char *));

    ok(!account_text_is_in(NULL, "a") && !account_text_is_in(list, "a"), "an empty list has none");
    APR_ARRAY_PUSH(list, const char *) = "admin";
    APR_ARRAY_PUSH(list, const char *) = "creator";
    ok(account_text_is_in(list, "admin") && account_text_is_in(list, "creator"), "those it has");
    ok(!account_text_is_in(list, "Admin") && !account_text_is_in(list, "admi")
           && !account_text_is_in(list, ""),
       "and nothing like them");
    ok(account_text_is_same(NULL, NULL) && account_text_is_same("a", apr_pstrdup(pool, "a")),
       "the same");
    ok(!account_text_is_same("a", NULL) && !account_text_is_same(NULL, "")
           && !account_text_is_same("a", "A"),
       "not the same");
}

static void test_valid(void)
{
    static const struct {
        const char *bytes;
        apr_size_t length;
        int valid;
    } table[] = {
        {"", 0, 1},
        {"abc", 3, 1},
        {"a\0b", 3, 0},
        {"\0", 1, 0},
        {"\x7F", 1, 1},
        {"\x80", 1, 0}, /* continuation alone */
        {"\xBF", 1, 0},
        {"\xC2\x80", 2, 1}, /* U+0080, the first of two bytes */
        {"\xDF\xBF", 2, 1},
        {"\xC2", 1, 0}, /* cut */
        {"\xC2"
         "a",
         2, 0},
        {"\xC0\x80", 2, 0}, /* overlong NUL */
        {"\xC0\xAF", 2, 0}, /* overlong slash */
        {"\xC1\xBF", 2, 0},
        {"\xE0\xA0\x80", 3, 1}, /* U+0800 */
        {"\xE0\x80\xAF", 3, 0}, /* overlong */
        {"\xE0\x9F\xBF", 3, 0}, /* overlong U+07FF */
        {"\xE4\xB8\xAD", 3, 1},
        {"\xE4\xB8", 2, 0},
        {"\xE4\xB8"
         "a",
         3, 0},
        {"\xED\x9F\xBF", 3, 1},             /* U+D7FF */
        {"\xED\xA0\x80", 3, 0},             /* U+D800 */
        {"\xED\xBF\xBF", 3, 0},             /* U+DFFF */
        {"\xED\xA0\xBD\xED\xB8\x80", 6, 0}, /* CESU-8 */
        {"\xEE\x80\x80", 3, 1},             /* U+E000 */
        {"\xEF\xBB\xBF", 3, 1},             /* BOM */
        {"\xEF\xBF\xBF", 3, 1},             /* U+FFFF is well-formed */
        {"\xF0\x90\x80\x80", 4, 1},         /* U+10000 */
        {"\xF0\x8F\xBF\xBF", 4, 0},         /* overlong U+FFFF */
        {"\xF0\x82\x82\xAC", 4, 0},         /* overlong euro */
        {"\xF0\x9F\x98\x80", 4, 1},
        {"\xF0\x9F\x98", 3, 0},
        {"\xF4\x8F\xBF\xBF", 4, 1}, /* U+10FFFF */
        {"\xF4\x90\x80\x80", 4, 0}, /* U+110000 */
        {"\xF5\x80\x80\x80", 4, 0},
        {"\xF8\x88\x80\x80\x80", 5, 0}, /* five bytes */
        {"\xFC\x84\x80\x80\x80\x80", 6, 0},
        {"\xFE", 1, 0},
        {"\xFF", 1, 0},
        {"ok \xE4\xB8\xAD\xE6\x96\x87 ok", 12, 1},
        {"ok \xE4\xB8\xAD\xE6\x96 ok", 11, 0},
        {"\xE4\xB8\xAD", 2, 0}, /* the length counts, not the byte behind it */
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(account_text_is_valid(table[i].bytes, table[i].length), table[i].valid,
               "UTF-8, row %d: %s", (int)i, shown(table[i].bytes));
    }
}

static void test_controls(void)
{
    static const struct {
        const char *text;
        int control;
    } table[] = {
        {"", 0},
        {"abc", 0},
        {" ~", 0},
        {"\x01", 1},
        {"a\tb", 1},
        {"a\n", 1},
        {"a\x1F", 1},
        {"a\x7F", 1},
        {"\xC2\x80", 1},
        {"\xC2\x9F", 1},
        {"\xC2\xA0", 0},
        {"\xC3\x80", 0},
        {"\xE4\xB8\x80", 0}, /* a continuation byte of the same value is none */
        {"\xF0\x9F\x98\x80", 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(account_text_has_control(table[i].text), table[i].control, "control: %s",
               shown(table[i].text));
    }
}

static void test_lengths(void)
{
    is_int((long long)account_text_length(""), 0, "length of nothing");
    is_int((long long)account_text_length("abc"), 3, "length in ASCII");
    is_int((long long)account_text_length("\xE4\xB8\xAD\xE6\x96\x87"), 2, "length in Chinese");
    is_int((long long)account_text_length("a\xF0\x9F\x98\x80\xC3\xA9"), 3, "length, mixed");
}

static void test_nfc(apr_pool_t *pool)
{
    static const pair_t table[] = {
        {"", ""},
        {"pass word", "pass word"},
        {"e\xCC\x81", "\xC3\xA9"},
        {"\xC3\xA9", "\xC3\xA9"},
        {"\xE2\x84\xAB", "\xC3\x85"},     /* the sign for angstrom */
        {"\xEF\xBC\xA1", "\xEF\xBC\xA1"}, /* full width stays */
        {"a\xE2\x80\x8B"
         "b",
         "a\xE2\x80\x8B"
         "b"},                                                    /* so does what is not seen */
        {"q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87"},               /* marks in order */
        {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C"}, /* jamo */
        {"\xC0\x80", NULL},
        {"\xE4\xB8", NULL},
    };
    const char *ascii = "plain";
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_nfc(pool, table[i].from), table[i].to, "NFC: %s", shown(table[i].from));
    }
    ok(account_text_nfc(pool, ascii) == ascii, "NFC of ASCII is not copied");
    ok(account_text_nfc(pool, repeat(pool, "a", 100000)) != NULL, "NFC of long ASCII");
    ok(account_text_nfc(pool, repeat(pool, "\xC3\xA9", ACCOUNT_NFC_BYTES / 2)) != NULL,
       "NFC of the longest text");
    ok(account_text_nfc(pool, repeat(pool, "\xC3\xA9", ACCOUNT_NFC_BYTES / 2 + 1)) == NULL,
       "NFC of a longer one");
}

static void test_identifiers(apr_pool_t *pool)
{
    static const pair_t table[] = {
        {"admin", "admin"},
        {"Admin", "admin"},
        {"ADMIN", "admin"},
        {"\xEF\xBC\xA1\xEF\xBC\xA4\xEF\xBC\xAD\xEF\xBC\xA9\xEF\xBC\xAE", "admin"}, /* full width */
        {" admin\xE3\x80\x80", "admin"},
        {"\tadmin\r\n", "admin"},
        {"\xC2\xA0"
         "admin\xE2\x80\x83",
         "admin"},                      /* NFKC makes blanks of no-break and em space */
        {"ad\xE2\x80\x8Bmin", "admin"}, /* zero width space */
        {"\xEF\xBB\xBF"
         "admin",
         "admin"},                  /* BOM */
        {"ad\xC2\xADmin", "admin"}, /* soft hyphen */
        {"\xE2\x80\xAE"
         "admin",
         "admin"}, /* right-to-left override */
        {"\xF0\x9D\x90\x80\xF0\x9D\x90\x9D"
         "min",
         "admin"}, /* mathematical bold */
        {"\xE2\x93\x90"
         "dmin",
         "admin"}, /* circled */
        {"\xC3\xA1"
         "dmin",
         "\xC3\xA1"
         "dmin"}, /* accents count */
        {"A\xCC\x81"
         "dmin",
         "\xC3\xA1"
         "dmin"},
        {"\xD0\xB0"
         "dmin",
         "\xD0\xB0"
         "dmin"}, /* a Cyrillic a is another letter */
        {"Stra\xC3\x9F"
         "e",
         "strasse"},
        {"\xE1\xBA\x9E", "ss"},
        {"\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x82",
         "\xCF\x83\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x83"}, /* final sigma */
        {"\xC4\xB0", "i\xCC\x87"},
        {"\xEF\xAC\x81sh", "fish"},                   /* ligature */
        {"\xE1\xBE\xB3\xCC\x81", "\xCE\xAC\xCE\xB9"}, /* iota below, mark after it */
        {"\xE4\xB8\xAD\xE6\x96\x87", "\xE4\xB8\xAD\xE6\x96\x87"},
        {"\xE5\xBC\xA0 \xE4\xB8\x89", "\xE5\xBC\xA0 \xE4\xB8\x89"},
        {"\xEF\xBD\xB6\xEF\xBE\x9E", "\xE3\x82\xAC"}, /* half width kana */
        {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"\xE2\x9D\xA4\xEF\xB8\x8F", "\xE2\x9D\xA4"}, /* the variation selector goes */
        {"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "\xF0\x9F\x91\xA9\xF0\x9F\x92\xBB"},
        {"User@Example.COM", "user@example.com"},
        {"a b", "a b"},
        /* nothing, or nothing that is seen */
        {"", NULL},
        {"   ", NULL},
        {"\xE3\x80\x80", NULL},
        {"\xE2\x80\x8B\xEF\xBB\xBF", NULL},
        {"\xE2\x80\x8B \xE2\x80\x8B", NULL},
        /* control characters, broken UTF-8 */
        {"ad\tmin", NULL},
        {"ad\x01min", NULL},
        {"ad\x7F", NULL},
        {"ad\xC2\x85min", NULL},
        {"\xC0\x80", NULL},
        {"ad\xFFmin", NULL},
        /* mobile numbers */
        {"13800138000", "13800138000"},
        {"+8613800138000", "13800138000"},
        {"8613800138000", "13800138000"},
        {"013800138000", "13800138000"},
        {" +8613800138000 ", "13800138000"},
        {"\xEF\xBC\x8B\xEF\xBC\x98\xEF\xBC\x96"
         "13800138000",
         "13800138000"},
        {"\xE2\x80\xAD"
         "13800138000\xE2\x80\xAC",
         "13800138000"}, /* as copied from contacts */
        {"+8612800138000", "+8612800138000"},
        {"+861380013800", "+861380013800"},
        {"0"
         "0"
         "13800138000",
         "0013800138000"},
        {"138-0013-8000", "138-0013-8000"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_identifier(pool, table[i].from), table[i].to, "identifier: %s",
               shown(table[i].from));
    }
    ok(account_text_identifier(pool, repeat(pool, "a", 1020)) != NULL, "identifier of 1020 bytes");
    ok(account_text_identifier(pool, repeat(pool, "a", 1021)) == NULL, "identifier of 1021 bytes");
    ok(account_text_identifier(pool, repeat(pool, "\xF0\x9D\x90\x80", 1020)) != NULL,
       "identifier that is 1020 bytes afterwards");
    ok(account_text_identifier(pool, repeat(pool, "\xF0\x9D\x90\x80", 1021)) == NULL,
       "identifier that is 1021 bytes afterwards");
    ok(account_text_identifier(pool, repeat(pool, "\xEF\xB7\xBA", 1000)) == NULL,
       "identifier that grows: 1000 times U+FDFA");
    ok(account_text_identifier(pool, repeat(pool, "\xCC\x81\xCC\xA3", 200000)) == NULL,
       "identifier of 400,000 marks, refused before they are sorted");
}

/* The canonical form of a canonical form is itself, or two rows could stand for one person. Each
 * character alone, after a capital, and with marks that are in the wrong order. */
static void test_identifier_stability(apr_pool_t *parent)
{
    static const char *const before[] = {"", "A", "A"};
    static const char *const after[] = {"", "", "\xCC\x81\xCD\x85\xCC\xA3"};
    apr_pool_t *pool;
    utf8proc_int32_t character;
    int unstable = 0;

    apr_pool_create(&pool, parent);
    for (character = 1; character < 0x110000; character++) {
        int i;

        if (character >= 0xD800 && character < 0xE000) {
            continue;
        }
        for (i = 0; i < 3; i++) {
            char text[32];
            char bytes[5];
            const char *once, *twice;

            bytes[utf8proc_encode_char(character, (utf8proc_uint8_t *)bytes)] = '\0';
            snprintf(text, sizeof(text), "%s%s%s", before[i], bytes, after[i]);
            once = account_text_identifier(pool, text);
            twice = once != NULL ? account_text_identifier(pool, once) : NULL;
            if (once != NULL && (twice == NULL || strcmp(once, twice) != 0)) {
                diag("U+%04X, form %d", (unsigned int)character, i);
                unstable++;
            }
        }
        if (character % 4096 == 0) {
            apr_pool_clear(pool);
        }
    }
    is_int(unstable, 0, "each identifier is its own canonical form");
    apr_pool_destroy(pool);
}

static void test_trim(apr_pool_t *pool)
{
    static const pair_t table[] = {
        {"", ""},
        {"a", "a"},
        {" a ", "a"},
        {"\t\n\v\f\r a b \r\n", "a b"},
        {"\xE3\x80\x80 a\xE3\x80\x80", "a"},
        {"\xE3\x80\x80", ""},
        {"   ", ""},
        {"\xC2\xA0"
         "a",
         "\xC2\xA0"
         "a"},
        {"\xE3\x80\x81"
         "a\xE3\x80\x81",
         "\xE3\x80\x81"
         "a\xE3\x80\x81"},
    };
    const char *clean = "a b";
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_trim(pool, table[i].from), table[i].to, "trim: %s",
               shown(table[i].from));
    }
    ok(account_text_trim(pool, clean) == clean, "what needs no trimming is not copied");
}

static void test_mobiles(apr_pool_t *pool)
{
    static const pair_t table[] = {
        {"13800138000", "13800138000"},
        {"19912345678", "19912345678"},
        {"+8613800138000", "13800138000"},
        {"8613800138000", "13800138000"},
        {"013800138000", "13800138000"},
        {" 13800138000\xE3\x80\x80", "13800138000"},
        {"\xEF\xBC\x91\xEF\xBC\x93\xEF\xBC\x98"
         "00138000",
         "13800138000"},
        {"12800138000", NULL},
        {"11800138000", NULL},
        {"23800138000", NULL},
        {"1380013800", NULL},
        {"138001380000", NULL},
        {"1380013800a", NULL},
        {"138 0013 8000", NULL},
        {"+86 13800138000", NULL},
        {"008613800138000", NULL},
        {"+86013800138000", NULL},
        {"+13800138000", NULL},
        {"-13800138000", NULL},
        {"\xD9\xA1"
         "3800138000",
         NULL}, /* Arabic digit */
        {"", NULL},
        {"+86", NULL},
        {"\xFF", NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_mobile(pool, table[i].from), table[i].to, "mobile: %s",
               shown(table[i].from));
    }
}

#define LABEL63 REPEAT16("abc") "abcdefghijklmno"

static void test_emails(apr_pool_t *pool)
{
    static const pair_t table[] = {
        {"a@b.c", "a@b.c"},
        {"user@example.com", "user@example.com"},
        {" User@Example.COM ", "User@Example.COM"},
        {"\xE3\x80\x80user@example.com\xE3\x80\x80", "user@example.com"},
        {"first.last+tag@sub.example.co.uk", "first.last+tag@sub.example.co.uk"},
        {"o'brien!#$%&*/=?^_`{|}~-@example.com", "o'brien!#$%&*/=?^_`{|}~-@example.com"},
        {"1@2.3", "1@2.3"},
        {"a@xn--fiqs8s.cn", "a@xn--fiqs8s.cn"},
        {"\xE5\xBC\xA0\xE4\xB8\x89@\xE4\xBE\x8B\xE5\xAD\x90.\xE4\xB8\xAD\xE5\x9B\xBD",
         "\xE5\xBC\xA0\xE4\xB8\x89@\xE4\xBE\x8B\xE5\xAD\x90.\xE4\xB8\xAD\xE5\x9B\xBD"},
        {"a@m\xC3\xBCnchen.de", "a@m\xC3\xBCnchen.de"},
        {REPEAT64("a") "@example.com", REPEAT64("a") "@example.com"},
        {"a@" LABEL63 ".com", "a@" LABEL63 ".com"},
        /* no address */
        {"", NULL},
        {"user", NULL},
        {"@", NULL},
        {"@example.com", NULL},
        {"user@", NULL},
        {"user@example", NULL},
        {"user@@example.com", NULL},
        {"a@b@example.com", NULL},
        /* local part */
        {".user@example.com", NULL},
        {"user.@example.com", NULL},
        {"us..er@example.com", NULL},
        {"us er@example.com", NULL},
        {"us\ter@example.com", NULL},
        {"us\xE3\x80\x80"
         "er@example.com",
         NULL},
        {"us\xC2\xA0"
         "er@example.com",
         NULL},
        {"us\xE2\x80\xA8"
         "er@example.com",
         NULL},
        {"us\x01"
         "er@example.com",
         NULL},
        {"us\x7F"
         "er@example.com",
         NULL},
        {"us\xC2\x85"
         "er@example.com",
         NULL},
        {"us\xE2\x80\x8B"
         "er@example.com",
         NULL}, /* zero width */
        {"us\xE2\x80\xAE"
         "er@example.com",
         NULL}, /* right-to-left override */
        {"\"user\"@example.com", NULL},
        {"us(er@example.com", NULL},
        {"us)er@example.com", NULL},
        {"<user@example.com>", NULL},
        {"us[er@example.com", NULL},
        {"us]er@example.com", NULL},
        {"us,er@example.com", NULL},
        {"us;er@example.com", NULL},
        {"us:er@example.com", NULL},
        {"us\\er@example.com", NULL},
        {"a\r\nBcc: b@example.com", NULL},
        {REPEAT64("a") "a@example.com", NULL},
        /* domain */
        {"user@.example.com", NULL},
        {"user@example.com.", NULL},
        {"user@example..com", NULL},
        {"user@-example.com", NULL},
        {"user@example-.com", NULL},
        {"user@example.-com", NULL},
        {"user@exa_mple.com", NULL},
        {"user@exa mple.com", NULL},
        {"user@exa\xE3\x80\x80mple.com", NULL},
        {"user@[127.0.0.1]", NULL},
        {"user@example.com,b@example.com", NULL},
        {"user@example.com\n.org", NULL},
        {"user@\xF0\x9F\x98\x80.com", NULL}, /* no letter */
        {"user@exa\xE2\x80\x8Bmple.com", NULL},
        {"user@example\xE3\x80\x82"
         "com",
         NULL}, /* ideographic full stop */
        {"a@" LABEL63 "p.com", NULL},
        {"us\xFF"
         "er@example.com",
         NULL},
        /* one mailbox is written, another one compared: it is the one that is compared */
        {"Mike@stra\xC3\x9F"
         "e.example",
         "mike@strasse.example"},
        {"mi\xC5\xBF"
         "s@example.com",
         "miss@example.com"},
        {"ZO\xC3\x8B@Example.com", "zo\xC3\xAB@example.com"},
        {"\xEF\xBD\x81nna@example.com", "anna@example.com"},
        {"zo\xC3\xAB@Example.com", "zo\xC3\xAB@Example.com"},
    };
    apr_size_t i;
    char *longest = repeat(pool, "a", 254);

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_email(pool, table[i].from), table[i].to, "e-mail: %s",
               shown(table[i].from));
    }
    for (i = 64; i < 254; i += 50) {
        longest[i] = i == 64 ? '@' : '.';
    }
    is_str(account_text_email(pool, longest), longest, "e-mail of 254 bytes");
    longest = apr_pstrcat(pool, longest, "b", NULL);
    is_str(account_text_email(pool, longest), NULL, "e-mail of 255 bytes");
}

static void test_dates(void)
{
    static const struct {
        const char *text;
        int real;
    } table[] = {
        {"2014-08-27", 1},
        {"1800-01-01", 1},
        {"1799-12-31", 0},
        {"9999-12-31", 1},
        {"2000-02-29", 1},
        {"1900-02-29", 0},
        {"2024-02-29", 1},
        {"2023-02-29", 0},
        {"2100-02-29", 0},
        {"2400-02-29", 1},
        {"2024-02-30", 0},
        {"2023-02-28", 1},
        {"2024-04-30", 1},
        {"2024-04-31", 0},
        {"2024-06-31", 0},
        {"2024-09-31", 0},
        {"2024-11-31", 0},
        {"2024-01-31", 1},
        {"2024-12-31", 1},
        {"2024-01-32", 0},
        {"2024-00-10", 0},
        {"2024-13-10", 0},
        {"2024-01-00", 0},
        {"0000-00-00", 0},
        {"", 0},
        {"2024-1-1", 0},
        {"2024-1-001", 0},
        {"2024/01/01", 0},
        {"20240101", 0},
        {"2024-01-01 ", 0},
        {" 2024-01-01", 0},
        {"2024-01-0a", 0},
        {"2024-01-+1", 0},
        {"2024--1-01", 0},
        {"+024-01-01", 0},
        {"2024-01-011", 0},
        {"2024-01-01T", 0},
        {"\xEF\xBC\x92"
         "024-01",
         0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(account_text_is_date(table[i].text), table[i].real, "date: %s",
               shown(table[i].text));
    }
}

static void test_resident_ids(void)
{
    static const struct {
        const char *text;
        int real;
    } table[] = {
        {"11010519491231002X", 1},
        {"11010519491231002x", 1},
        {"440524188001010014", 1},
        {"110105194912310020", 0}, /* check digit */
        {"110105194912310029", 0},
        {"11010519491231012X", 0}, /* one digit changed */
        {"11010591491231002X", 0}, /* two digits exchanged */
        {"440524188001010013", 0},
        {"1101051949123100", 0},
        {"11010519491231002", 0},
        {"11010519491231002XX", 0},
        {"", 0},
        {"11010519491231X02X", 0},
        {"1101051949123100XX", 0},
        {"11010519490231002X", 0}, /* 31 February */
        {"11010517491231002X", 0}, /* before 1800 */
        {"11010519491331002X", 0},
        {"1101051949123100 X", 0},
        {" 1010519491231002X", 0},
        {"110105491231002", 0}, /* 15 digits, as before 1999 */
        {"\xEF\xBC\x91"
         "010519491231002X",
         0},
    };
    apr_size_t i;
    int accepted = 0;
    char text[] = "11010519491231002X";

    for (i = 0; i < COUNT(table); i++) {
        is_int(account_text_is_resident_id(table[i].text), table[i].real, "resident id: %s",
               shown(table[i].text));
    }
    for (i = 0; i < 11; i++) {
        text[17] = "0123456789X"[i];
        accepted += account_text_is_resident_id(text);
    }
    is_int(accepted, 1, "one check digit of eleven is right");
}

static void test_base64_text(apr_pool_t *pool)
{
    static const pair_t table[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"5Lit5paH", "\xE4\xB8\xAD\xE6\x96\x87"},
        {"fn5+", "~~~"},
        {"8J+YgA==", "\xF0\x9F\x98\x80"},
        /* padding */
        {"Zg", NULL},
        {"Zg=", NULL},
        {"Zg===", NULL},
        {"Zm8", NULL},
        {"Zm9v=", NULL},
        {"Zm9v====", NULL},
        {"====", NULL},
        {"=", NULL},
        {"Z===", NULL},
        {"Z", NULL},
        {"Zg==Zg==", NULL},
        {"Zm=v", NULL},
        {"=Zm9", NULL},
        /* stray bits */
        {"Zh==", NULL},
        {"Zv==", NULL},
        {"Zm9=", NULL},
        {"Zm+=", NULL},
        /* alphabet */
        {" Zm9v", NULL},
        {"Zm9v ", NULL},
        {"Zm9v\n", NULL},
        {"\nZm9v\r\n\r", NULL},
        {"Zm9v\nYmFy", NULL},
        {"Zm9-", NULL},
        {"Zm9_", NULL},
        {"Zm9!", NULL},
        {"----", NULL},
        {"Zm9\xC3", NULL},
        /* what is encoded */
        {"AA==", NULL}, /* NUL */
        {"YQBi", NULL}, /* a NUL b */
        {"wIA=", NULL}, /* overlong */
        {"/w==", NULL}, /* FF */
        {"5Lg=", NULL}, /* cut */
        {"7aCA", NULL}, /* surrogate */
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_base64(pool, table[i].from), table[i].to, "base64: %s",
               shown(table[i].from));
    }
}

static void test_base64_bytes(apr_pool_t *pool)
{
    unsigned char bytes[100], back[100];
    int i, padded;
    int wrong = 0;

    for (i = 0; i < 100; i++) {
        bytes[i] = (unsigned char)(i * 83 + 7);
    }
    for (padded = 0; padded < 2; padded++) {
        for (i = 0; i <= 100; i++) {
            const char *text = account_base64_encode(pool, bytes, (apr_size_t)i, padded);
            apr_ssize_t size =
                account_base64_decode(back, (apr_size_t)i, text, strlen(text), padded);

            wrong += size != i || memcmp(bytes, back, (apr_size_t)i) != 0;
            wrong +=
                i > 0
                && account_base64_decode(back, (apr_size_t)i - 1, text, strlen(text), padded) != -1;
            wrong += (strchr(text, '=') != NULL) != (padded && i % 3 != 0);
        }
    }
    is_int(wrong, 0, "bytes of all lengths to base64 and back, never beyond the capacity");
    is_int(account_base64_decode(back, 100, "Zg==", 4, 0), -1, "padding where none may be");
    is_int(account_base64_decode(back, 100, "Zg", 2, 0), 1, "none where none may be");
    is_int(account_base64_decode(back, 100, "Zh", 2, 0), -1, "stray bits without padding");
    is_int(account_base64_decode(back, 100, "Zm9vY", 5, 0), -1, "five digits");
    is_int(account_base64_decode(back, 100, "Zm9vXXXX", 4, 1), 3, "the length counts");
}

static void test_iso8601(apr_pool_t *pool)
{
    static const struct {
        apr_int64_t milliseconds;
        int offset;
        const char *text;
    } table[] = {
        {APR_INT64_C(1409118754964), 480, "2014-08-27T13:52:34.964+08:00"},
        {APR_INT64_C(1409118754964), 0, "2014-08-27T05:52:34.964+00:00"},
        {0, 0, "1970-01-01T00:00:00.000+00:00"},
        {0, -1, "1969-12-31T23:59:00.000-00:01"},
        {0, -330, "1969-12-31T18:30:00.000-05:30"},
        {0, 345, "1970-01-01T05:45:00.000+05:45"},
        {0, 840, "1970-01-01T14:00:00.000+14:00"},
        {0, -840, "1969-12-31T10:00:00.000-14:00"},
        {-1, 0, "1969-12-31T23:59:59.999+00:00"},
        {-1000, 0, "1969-12-31T23:59:59.000+00:00"},
        {-1001, 0, "1969-12-31T23:59:58.999+00:00"},
        {APR_INT64_C(951782400000), 0, "2000-02-29T00:00:00.000+00:00"},
        {APR_INT64_C(253402300799999), 0, "9999-12-31T23:59:59.999+00:00"},
        {APR_INT64_C(253402300799999), 480, "9999-12-31T23:59:59.999+08:00"},
        {APR_INT64_C(9223372036854775807), 480, "9999-12-31T23:59:59.999+08:00"},
        {-APR_INT64_C(9223372036854775807) - 1, -480, "0001-01-01T00:00:00.000-08:00"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(account_text_iso8601(pool, table[i].milliseconds, table[i].offset), table[i].text,
               "time: %s", table[i].text);
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);

    test_valid();
    test_controls();
    test_lengths();
    test_lists(pool);
    test_nfc(pool);
    test_identifiers(pool);
    test_identifier_stability(pool);
    test_trim(pool);
    test_mobiles(pool);
    test_emails(pool);
    test_dates();
    test_resident_ids();
    test_base64_text(pool);
    test_base64_bytes(pool);
    test_iso8601(pool);

    return done_testing();
}
