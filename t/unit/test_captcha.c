/* What captchas show. "test_captcha text KEYFILE REALM ID" prints it, for tests with a server. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "action/captcha.h"
#include "tap.h"

#define ONE "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"
#define TWO "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\n"

static account_store_t store_with(const char *text, const char *realm, apr_pool_t *pool)
{
    account_store_t store = {.realm = realm, .pool = pool};
    account_keys_t *keys = NULL;
    const char *error = NULL;

    if (account_keys_parse(&keys, &error, text, pool) != APR_SUCCESS) {
        ok(0, "keys: %s", error);
    }
    store.keys = keys;
    return store;
}

static int print_text(const char *const *words, apr_pool_t *pool)
{
    account_store_t store = {.realm = words[1], .pool = pool};
    account_keys_t *keys = NULL;
    const char *error = NULL;

    if (account_keys_read(&keys, &error, words[0], pool) != APR_SUCCESS) {
        fprintf(stderr, "%s\n", error ? error : words[0]);
        return 1;
    }
    store.keys = keys;
    printf("%s\n", account_captcha_text(&store, words[2], 0));
    return 0;
}

/* Every character of the alphabet comes, about as often as the others, at each place. */
static void test_alphabet(account_store_t *store)
{
    static const char alphabet[] = "ACDEFHJKLMNPRTUVWXY3479";
    int seen[ACCOUNT_CAPTCHA_CHARACTERS][128] = {{0}};
    int i, j, foreign = 0, seldom = 0, often = 0;

    for (i = 0; i < 4600; i++) {
        const char *text = account_captcha_text(store, apr_psprintf(store->pool, "%032d", i), 0);

        foreign += strlen(text) != ACCOUNT_CAPTCHA_CHARACTERS
                   || strspn(text, alphabet) != ACCOUNT_CAPTCHA_CHARACTERS;
        for (j = 0; j < ACCOUNT_CAPTCHA_CHARACTERS && text[j]; j++) {
            seen[j][text[j] & 127]++;
        }
    }
    is_int(foreign, 0, "five characters of the alphabet, each time");
    for (j = 0; j < ACCOUNT_CAPTCHA_CHARACTERS; j++) {
        for (i = 0; alphabet[i]; i++) { /* 200 are expected, a deviation is 14 */
            seldom += seen[j][(int)alphabet[i]] < 120;
            often += seen[j][(int)alphabet[i]] > 280;
        }
    }
    is_int(seldom + often, 0, "each as often as the others");
}

static void test_keys(apr_pool_t *pool)
{
    static const char id[] = "0123456789abcdef0123456789abcdef";
    account_store_t one = store_with(ONE, "shop", pool);
    account_store_t two = store_with(TWO, "shop", pool);
    account_store_t both = store_with(TWO ONE, "shop", pool);
    account_store_t other = store_with(ONE, "other", pool);
    const char *text = account_captcha_text(&one, id, 0);

    is_str(account_captcha_text(&one, id, 0), text, "the same each time");
    ok(strcmp(account_captcha_text(&two, id, 0), text) != 0, "another key: another text");
    ok(strcmp(account_captcha_text(&other, id, 0), text) != 0, "another realm: another text");
    ok(strcmp(account_captcha_text(&one, "1123456789abcdef0123456789abcdef", 0), text) != 0,
       "another id: another text");
    is_str(account_captcha_text(&both, id, 1), text, "by the older of two keys");
    is_str(account_captcha_text(&both, id, 0), account_captcha_text(&two, id, 0),
           "by the newer of two keys");
    is_str(account_captcha_text(&one, id, 1), NULL, "by a key that is not there");
    test_alphabet(&one);
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    int result;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc == 5 && strcmp(argv[1], "text") == 0) {
        result = print_text(argv + 2, pool);
    }
    else {
        test_keys(pool);
        result = done_testing();
    }
    apr_pool_destroy(pool);
    return result;
}
