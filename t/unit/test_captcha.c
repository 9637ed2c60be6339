/* action/captcha: what a captcha shows. `test_captcha text KEYFILE REALM ID` prints it, for tests
 * that can't read a picture. */

#include <stdio.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "action/captcha.h"
#include "fixture.h"
#include "tap.h"

#define IDS 500

static account_store_t store_of(const account_keys_t *keys, const char *realm, apr_pool_t *pool)
{
    return (account_store_t){.keys = keys, .realm = realm, .pool = pool};
}

static int print_text(const char *const *words, apr_pool_t *pool)
{
    account_keys_t *keys;
    const char *error;
    account_store_t store;

    if (account_keys_read(&keys, &error, words[0], pool) != APR_SUCCESS) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    store = store_of(keys, words[1], pool);
    printf("%s\n", account_captcha_text(&store, words[2], 0));
    return 0;
}

/* A different id for each number. */
static const char *id_of(int number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%032x", number);
}

static void test_alphabet(const account_store_t *store)
{
    const char *alphabet = "ACDEFHJKLMNPRTUVWXY3479";
    int counts[23] = {0};
    int least = IDS, strange = 0;
    int i;

    for (i = 0; i < IDS; i++) {
        const char *text = account_captcha_text(store, id_of(i, store->pool), 0);

        strange += !text || strlen(text) != ACCOUNT_CAPTCHA_CHARACTERS
                   || strspn(text, alphabet) != ACCOUNT_CAPTCHA_CHARACTERS;
        for (; text && *text && strchr(alphabet, *text); text++) {
            counts[strchr(alphabet, *text) - alphabet]++;
        }
    }
    is_int(strange, 0, "%d texts have %d characters that look like no others", IDS,
           ACCOUNT_CAPTCHA_CHARACTERS);
    for (i = 0; i < 23; i++) {
        least = counts[i] < least ? counts[i] : least;
    }
    ok(least > IDS * ACCOUNT_CAPTCHA_CHARACTERS / 23 / 2, "each of them comes: %d times at least",
       least);
}

static void test_text(const account_keys_t *keys, apr_pool_t *pool)
{
    const account_store_t shop = store_of(keys, "shop", pool), other = store_of(keys, "blog", pool);
    const char *id = id_of(1, pool);
    const char *text = account_captcha_text(&shop, id, 0);

    is_str(account_captcha_text(&shop, id, 0), text, "one id, one text");
    ok(strcmp(account_captcha_text(&shop, id_of(2, pool), 0), text) != 0, "another id, another");
    ok(strcmp(account_captcha_text(&other, id, 0), text) != 0, "another realm, another");
    ok(account_captcha_text(&shop, id, account_keys_count(keys)) == NULL, "no such key, no text");
    test_alphabet(&shop);
}

static void test_keys(const char *id, apr_pool_t *pool)
{
    const char *first = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    const char *second = "YWJjZGVmZ2hpamtsbW5vcGFiY2RlZmdoaWprbG1ub3A=";
    account_keys_t *old, *both;
    account_store_t before, after;
    const char *error;

    ok(account_keys_parse(&old, &error, first, pool) == APR_SUCCESS, "one key");
    ok(account_keys_parse(&both, &error, apr_pstrcat(pool, second, "\n", first, "\n", NULL), pool)
           == APR_SUCCESS,
       "a new one before it");
    before = store_of(old, "shop", pool);
    after = store_of(both, "shop", pool);
    is_str(account_captcha_text(&after, id, 1), account_captcha_text(&before, id, 0),
           "what the old key showed is still known");
    ok(strcmp(account_captcha_text(&after, id, 0), account_captcha_text(&before, id, 0)) != 0,
       "what is drawn now is the new one's");
}

int main(int argc, const char *argv[])
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc == 5 && strcmp(argv[1], "text") == 0) {
        return print_text(argv + 2, pool);
    }
    test_text(fixture_keys(pool), pool);
    test_keys(id_of(3, pool), pool);
    apr_pool_destroy(pool);
    return done_testing();
}
