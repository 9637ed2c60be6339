#include "base/phc.h"

#include <string.h>

#include <apr_strings.h>
#include <openssl/crypto.h>

#include "base/base64.h"

#define MIN_SALT_BYTES 8
#define MIN_TAG_BYTES 16

#define MAX_MEMORY_KIB (1024 * 1024)

#define NUMBERS 3

typedef struct number_t {
    const char *key;
    apr_uint32_t min;
    apr_uint32_t max;
    apr_uint32_t preset;
} number_t;

/* The order is that of the PHC string and of the cost's members: memory, passes, lanes. */
typedef struct algorithm_t {
    const char *name;
    const char *version; /* of the PHC string, between name and numbers */
    number_t numbers[NUMBERS];
} algorithm_t;

static const algorithm_t algorithms[] = {
    [ACCOUNT_ARGON2ID] = {"argon2id",
                          "v=19$",
                          {{"m", 8, MAX_MEMORY_KIB, 19456}, {"t", 1, 10, 2}, {"p", 1, 16, 1}}},
    [ACCOUNT_SCRYPT] = {"scrypt", "", {{"ln", 1, 20, 14}, {"r", 1, 32, 8}, {"p", 1, 16, 5}}},
};
#define ALGORITHMS ((int)(sizeof(algorithms) / sizeof(algorithms[0])))

#ifdef HAVE_ARGON2
const account_password_cost_t account_password_default_cost = {ACCOUNT_ARGON2ID, 19456, 2, 1};
#else
const account_password_cost_t account_password_default_cost = {ACCOUNT_SCRYPT, 14, 8, 5};
#endif

static apr_uint32_t *member(account_password_cost_t *cost, int i)
{
    return i == 0 ? &cost->memory : i == 1 ? &cost->passes : &cost->lanes;
}

/* Whether the numbers fit each other; each for itself is in its bounds already. */
static int is_possible(const account_password_cost_t *cost)
{
    if (cost->algorithm == ACCOUNT_ARGON2ID) {
        return cost->memory >= 8 * cost->lanes; /* RFC 9106 3.1 */
    }
    /* RFC 7914 2: N < 2^(128 * r / 8). The memory is 128 * r * N bytes. */
    return cost->memory < 16 * cost->passes
           && ((apr_uint64_t)cost->passes << cost->memory) / 8 <= MAX_MEMORY_KIB;
}

/* Decimal digits without sign and leading zeros; -1 when it is no such number below 10^9. */
static apr_int64_t parse_number(const char *text, apr_size_t length)
{
    apr_int64_t value = 0;
    apr_size_t i;

    if (length == 0 || length > 9 || (text[0] == '0' && length > 1)) {
        return -1;
    }
    for (i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static int is_in_bounds(const number_t *number, apr_int64_t value)
{
    return value >= (apr_int64_t)number->min && value <= (apr_int64_t)number->max;
}

/* One word key=value into cost. seen: a bit for each number that was there before. */
static const char *parse_word(account_password_cost_t *cost, unsigned int *seen, const char *word,
                              apr_pool_t *pool)
{
    const algorithm_t *algorithm = &algorithms[cost->algorithm];
    apr_size_t length = strcspn(word, "=");
    apr_int64_t value;
    int i;

    for (i = 0; i < NUMBERS; i++) {
        const number_t *number = &algorithm->numbers[i];

        if (strlen(number->key) != length || strncmp(number->key, word, length) != 0) {
            continue;
        }
        if (*seen & (1u << i)) {
            return apr_psprintf(pool, "%s is there twice", number->key);
        }
        *seen |= 1u << i;
        value =
            word[length] == '=' ? parse_number(word + length + 1, strlen(word + length + 1)) : -1;
        if (value < 0) {
            return apr_psprintf(pool, "\"%s\": %s= wants a number", word, number->key);
        }
        if (!is_in_bounds(number, value)) {
            return apr_psprintf(pool, "\"%s\": %s must be %u to %u", word, number->key, number->min,
                                number->max);
        }
        *member(cost, i) = (apr_uint32_t)value;
        return NULL;
    }
    return apr_psprintf(pool, "\"%s\" is unknown; %s takes %s=, %s= and %s=", word, algorithm->name,
                        algorithm->numbers[0].key, algorithm->numbers[1].key,
                        algorithm->numbers[2].key);
}

static int find_algorithm(const char *name, apr_size_t length)
{
    int i;

    for (i = 0; i < ALGORITHMS; i++) {
        const char *known = algorithms[i].name;

        if (strlen(known) == length && strncmp(known, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* The next word of *words, from pool, or NULL. */
static const char *next_word(const char **words, apr_pool_t *pool)
{
    const char *word = *words + strspn(*words, " \t");
    apr_size_t length = strcspn(word, " \t");

    *words = word + length;
    return length > 0 ? apr_pstrmemdup(pool, word, length) : NULL;
}

const char *account_password_parse_cost(account_password_cost_t *cost, const char *words,
                                        apr_pool_t *pool)
{
    account_password_cost_t parsed;
    const char *word = next_word(&words, pool);
    unsigned int seen = 0;
    int i;
    int found = word != NULL ? find_algorithm(word, strlen(word)) : -1;

    if (found < 0) {
        return apr_psprintf(pool, "\"%s\" is no known algorithm; there are argon2id and scrypt",
                            word != NULL ? word : "");
    }
#ifndef HAVE_ARGON2
    if (found == ACCOUNT_ARGON2ID) {
        return "argon2id is not available: built without libargon2";
    }
#endif
    parsed.algorithm = found;
    for (i = 0; i < NUMBERS; i++) {
        *member(&parsed, i) = algorithms[found].numbers[i].preset;
    }
    while ((word = next_word(&words, pool)) != NULL) {
        const char *error = parse_word(&parsed, &seen, word, pool);

        if (error != NULL) {
            return error;
        }
    }
    if (!is_possible(&parsed)) {
        return parsed.algorithm == ACCOUNT_ARGON2ID
                   ? "m must be 8 times p or more"
                   : "ln must be less than 16 times r, and 128 * r * 2^ln bytes 1 GiB at most";
    }
    *cost = parsed;
    return NULL;
}

int account_password_cost_is_weak(const account_password_cost_t *cost)
{
    apr_uint64_t memory = cost->memory;

    if (cost->algorithm == ACCOUNT_ARGON2ID) {
        return memory < 7168 || memory * cost->passes < 7168 * 5;
    }
    /* OWASP goes down to 8 MiB where p makes up for it. */
    memory = (apr_uint64_t)cost->passes << cost->memory;
    return memory < 8 << 13 || memory * cost->lanes < (8 << 14) * 5;
}

/* Removes prefix from *text. */
static int skip(const char **text, const char *prefix)
{
    apr_size_t length = strlen(prefix);

    if (strncmp(*text, prefix, length) != 0) {
        return 0;
    }
    *text += length;
    return 1;
}

/* The numbers of a PHC string: all of them, in their order, in their bounds. */
static int read_cost(account_password_cost_t *cost, const char **text)
{
    const algorithm_t *algorithm = &algorithms[cost->algorithm];
    int i;

    for (i = 0; i < NUMBERS; i++) {
        const number_t *number = &algorithm->numbers[i];
        apr_size_t length;
        apr_int64_t value;

        if ((i > 0 && !skip(text, ",")) || !skip(text, number->key) || !skip(text, "=")) {
            return 0;
        }
        length = strspn(*text, "0123456789");
        value = parse_number(*text, length);
        if (!is_in_bounds(number, value)) {
            return 0;
        }
        *member(cost, i) = (apr_uint32_t)value;
        *text += length;
    }
    return is_possible(cost);
}

int account_phc_read(account_phc_t *phc, const char *text)
{
    apr_size_t length;
    apr_ssize_t size;
    int found;

    if (!skip(&text, "$")) {
        return 0;
    }
    length = strcspn(text, "$");
    found = find_algorithm(text, length);
    if (found < 0) {
        return 0;
    }
    phc->cost.algorithm = found;
    text += length;
    if (!skip(&text, "$") || !skip(&text, algorithms[found].version)
        || !read_cost(&phc->cost, &text) || !skip(&text, "$")) {
        return 0;
    }
    length = strcspn(text, "$");
    size = account_base64_decode(phc->salt, sizeof(phc->salt), text, length, 0);
    if (size < MIN_SALT_BYTES) {
        return 0;
    }
    phc->salt_length = (apr_size_t)size;
    text += length;
    if (!skip(&text, "$")) {
        return 0;
    }
    size = account_base64_decode(phc->tag, sizeof(phc->tag), text, strlen(text), 0);
    if (size < MIN_TAG_BYTES) {
        return 0;
    }
    phc->tag_length = (apr_size_t)size;
    return 1;
}

const char *account_phc_write(const account_phc_t *phc, apr_pool_t *pool)
{
    const algorithm_t *algorithm = &algorithms[phc->cost.algorithm];

    return apr_psprintf(pool, "$%s$%s%s=%u,%s=%u,%s=%u$%s$%s", algorithm->name, algorithm->version,
                        algorithm->numbers[0].key, phc->cost.memory, algorithm->numbers[1].key,
                        phc->cost.passes, algorithm->numbers[2].key, phc->cost.lanes,
                        account_base64_encode(pool, phc->salt, phc->salt_length, 0),
                        account_base64_encode(pool, phc->tag, phc->tag_length, 0));
}

int account_password_is_current(const char *phc, const account_password_cost_t *cost)
{
    account_phc_t parts;
    int current = account_phc_read(&parts, phc) && parts.cost.algorithm == cost->algorithm
                  && parts.cost.memory == cost->memory && parts.cost.passes == cost->passes
                  && parts.cost.lanes == cost->lanes;

    OPENSSL_cleanse(&parts, sizeof(parts));
    return current;
}

int account_password_is_readable(const char *phc)
{
    account_phc_t parts;
    int is_readable = account_phc_read(&parts, phc);

    OPENSSL_cleanse(&parts, sizeof(parts));
    return is_readable;
}

const char *account_password_dummy(const account_password_cost_t *cost, apr_pool_t *pool)
{
    account_phc_t parts = {
        .cost = *cost, .salt_length = ACCOUNT_SALT_BYTES, .tag_length = ACCOUNT_TAG_BYTES};

    return account_phc_write(&parts, pool);
}
