#include "action/captcha.h"

#include <apr_strings.h>
#include <openssl/crypto.h>
#include <string.h>

#include "action/actions.h"
#include "base/text.h"
#include "store/captchas.h"

/* Nothing that looks like something else. */
static const char alphabet[] = "ACDEFHJKLMNPRTUVWXY3479";

static unsigned int hex_value(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

const char *account_captcha_text(const account_store_t *store, const char *id, int key)
{
    const char *digest = account_keys_digest(
        store->keys, key, apr_pstrcat(store->pool, "captcha/", store->realm, "/", id, NULL),
        store->pool);
    char *text = apr_pcalloc(store->pool, ACCOUNT_CAPTCHA_CHARACTERS + 1);
    int i;

    if (!digest) {
        return NULL;
    }
    for (i = 0; i < ACCOUNT_CAPTCHA_CHARACTERS; i++, digest += 4) {
        unsigned int number = hex_value(digest[0]) << 12 | hex_value(digest[1]) << 8
                              | hex_value(digest[2]) << 4 | hex_value(digest[3]);

        text[i] = alphabet[number % (sizeof(alphabet) - 1)];
    }
    return text;
}

/* People may write small letters, and their input methods wide ones. */
static int shows(const account_store_t *store, const char *id, const char *value)
{
    const char *given = account_text_identifier(store->pool, value);
    int key, found = 0;

    for (key = 0; given && key < account_keys_count(store->keys); key++) {
        const char *text =
            account_text_identifier(store->pool, account_captcha_text(store, id, key));

        found |=
            text && strlen(text) == strlen(given) && CRYPTO_memcmp(text, given, strlen(text)) == 0;
    }
    return found;
}

apr_status_t account_captcha_check(const account_call_t *call, account_captcha_pass_t *pass,
                                   account_answer_t *answer)
{
    const char *id = account_call_value(call, "captcha_id");
    const char *value = account_call_value(call, "captcha_value");
    int used = 0;
    apr_status_t rv = APR_SUCCESS;

    pass->taken = 0;
    pass->passed = 1;
    if (!account_call_supplies(call, "captcha_id")) {
        return APR_SUCCESS;
    }
    if (id && value) {
        rv = account_captcha_use(call->store, id, &used);
        if (rv == APR_SUCCESS && (!used || !shows(call->store, id, value))) {
            answer->outcome = ACCOUNT_WRONG_CAPTCHA;
            pass->passed = 0;
        }
        return rv;
    }
    rv = account_budget_take(call, &pass->free, answer, &pass->taken);
    if (rv == APR_SUCCESS && !pass->taken) {
        answer->outcome = ACCOUNT_CAPTCHA_NEEDED;
        answer->retry_after = 0;
        pass->passed = 0;
    }
    return rv;
}

/* Making one costs a row, drawing it some processor time: both are counted. *taken as of
 * account_budget_take. */
static apr_status_t count_picture(const account_call_t *call, account_answer_t *answer, int *taken)
{
    account_budget_t budget = {.count = 0};

    account_budget_add(call, &budget, ACCOUNT_LIMIT_CAPTCHA_PICTURES, account_limit_address(call));
    return account_budget_take(call, &budget, answer, taken);
}

apr_status_t account_do_captcha(const account_call_t *call, account_answer_t *answer)
{
    int taken;
    apr_status_t rv = count_picture(call, answer, &taken);

    if (rv == APR_SUCCESS && taken) {
        rv = account_random_hex(&answer->captcha_id, call->store->random, call->store->pool);
        if (rv == APR_SUCCESS) {
            rv = account_captcha_add(call->store, answer->captcha_id,
                                     call->store->now + ACCOUNT_CAPTCHA_LIFE);
        }
    }
    return rv;
}

apr_status_t account_do_captcha_image(const account_call_t *call, account_answer_t *answer)
{
    const char *id = account_call_value(call, "captcha_id");
    account_picture_t *picture = apr_pcalloc(call->store->pool, sizeof(*picture));
    int found = 0, taken;
    apr_status_t rv = count_picture(call, answer, &taken);

    if (rv == APR_SUCCESS && taken) {
        rv = account_captcha_find(call->store, id, &found);
    }
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    answer->outcome = found ? ACCOUNT_IMAGE : ACCOUNT_UNKNOWN_CAPTCHA;
    answer->picture = picture;
    return found ? account_picture_draw(picture, account_captcha_text(call->store, id, 0),
                                        call->settings->captcha_font, call->store->random,
                                        call->store->pool)
                 : APR_SUCCESS;
}
