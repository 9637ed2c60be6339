#include "contract/line.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <string.h>

#include "base/text.h"

/* What a word looks like without the backslashes that httpd takes out. */
static const char *unescape(const char *start, apr_size_t length, char quote, apr_pool_t *pool)
{
    char *word = apr_palloc(pool, length + 1);
    char *end = word;
    apr_size_t i;

    for (i = 0; i < length; i++) {
        if (start[i] == '\\' && i + 1 < length
            && (start[i + 1] == '\\' || (quote && start[i + 1] == quote))) {
            i++;
        }
        *end++ = start[i];
    }
    *end = '\0';
    return word;
}

const char *account_line_words(const account_line_t *line, apr_array_header_t **words,
                               apr_pool_t *pool)
{
    const char *c = line->args;

    *words = apr_array_make(pool, 4, sizeof(const char *));
    for (;;) {
        const char *start;
        char quote = '\0';

        while (apr_isspace(*c)) {
            c++;
        }
        if (!*c) {
            return NULL;
        }
        start = c;
        if (*c == '\'' || *c == '"') {
            quote = *c++;
            start = c;
            while (*c && *c != quote) {
                c += c[0] == '\\' && (c[1] == quote || c[1] == '\\') ? 2 : 1;
            }
            if (!*c) {
                return apr_psprintf(pool, "%s: the %s that begins at %.30s is not closed",
                                    line->name, quote == '"' ? "double quote" : "single quote",
                                    start - 1);
            }
        }
        else {
            while (*c && !apr_isspace(*c)) {
                c++;
            }
        }
        APR_ARRAY_PUSH(*words, const char *) = unescape(start, c - start, quote, pool);
        if (quote) {
            c++;
        }
    }
}

const char *account_line_duration(const char *word, apr_int64_t *milliseconds, apr_pool_t *pool)
{
    return account_text_duration(word, milliseconds)
               ? NULL
               : apr_psprintf(pool,
                              "\"%s\" is no duration: a whole number above 0 and s, m, h or d, as "
                              "in 30m",
                              word);
}

/* Levenshtein's distance, given up beyond 40 characters. */
static int distance(const char *a, const char *b)
{
    int rows[2][42];
    int length_a = strlen(a), length_b = strlen(b);
    int i, j;

    if (length_a > 40 || length_b > 40) {
        return 40;
    }
    for (j = 0; j <= length_b; j++) {
        rows[0][j] = j;
    }
    for (i = 1; i <= length_a; i++) {
        int *row = rows[i % 2], *above = rows[(i - 1) % 2];

        row[0] = i;
        for (j = 1; j <= length_b; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);

            best = above[j] + 1 < best ? above[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return rows[length_a % 2][length_b];
}

const char *account_line_suggest(const char *word, const char *const *candidates, apr_pool_t *pool)
{
    const char *nearest = NULL;
    int least = 1 + (int)strlen(word) / 3;

    for (; *candidates; candidates++) {
        int d = distance(word, *candidates);

        if (d <= least) {
            least = d - 1;
            nearest = *candidates;
        }
    }
    return nearest ? apr_psprintf(pool, " (did you mean %s?)", nearest) : "";
}
