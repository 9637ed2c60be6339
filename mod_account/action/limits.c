#include "action/limits.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

#define MOST (APR_INT64_C(1000000000))
#define PERIOD_MOST (366 * 24 * 3600 * APR_INT64_C(1000))

const account_limit_t account_limits[ACCOUNT_LIMITS] = {
    [ACCOUNT_LIMIT_SEND_INTERVAL] = {"send-interval", "1/60s",
                                     "codes or mailed addresses of one purpose to one number or "
                                     "e-mail address"},
    [ACCOUNT_LIMIT_SEND_TARGET] = {"send-target", "5/1h 10/1d",
                                   "messages to one number or e-mail address"},
    [ACCOUNT_LIMIT_SEND_ADDRESS] = {"send-address", "10/1h",
                                    "messages that one client address asks for (/64 of IPv6)"},
    [ACCOUNT_LIMIT_SEND_NETWORK] = {"send-network", "60/1h", "the same of its network (/24, /48)"},
    [ACCOUNT_LIMIT_SEND_TOTAL] = {"send-total", "1000/1h", "the same of everybody in the realm"},
    [ACCOUNT_LIMIT_CAPTCHA_TARGET] = {"captcha-target", "1/10m",
                                      "codes of one purpose to one number without a captcha"},
    [ACCOUNT_LIMIT_CAPTCHA_ADDRESS] = {"captcha-address", "3/1h",
                                       "codes that a client address asks for without a captcha"},
    [ACCOUNT_LIMIT_CAPTCHA_FAILURES] = {"captcha-failures", "3/1h",
                                        "failed resets, or mails for one, of a client address "
                                        "without a captcha"},
    [ACCOUNT_LIMIT_CAPTCHA_PICTURES] = {"captcha-pictures", "20/1m",
                                        "captchas made, and pictures drawn, for a client address"},
    [ACCOUNT_LIMIT_CODE_TARGET] = {"code-target", "20/1d",
                                   "wrong codes for one number or e-mail address (each code has "
                                   "five tries)"},
    [ACCOUNT_LIMIT_CODE_CLIENT] = {"code-client", "10/1d",
                                   "the same from one client address, which so can't use up what "
                                   "the number's owner has"},
    [ACCOUNT_LIMIT_PASSWORD_ACCOUNT] = {"password-account", "10/1m 100/1h",
                                        "wrong passwords for one account"},
    [ACCOUNT_LIMIT_PASSWORD_DEVICE] = {"password-device", "10/1m 100/1h",
                                       "the same from one device that has logged in to it before; "
                                       "those count nowhere else"},
    [ACCOUNT_LIMIT_PASSWORD_ADDRESS] = {"password-address", "20/10m",
                                        "wrong passwords, and wrong answers to security "
                                        "questions, from one client address"},
    [ACCOUNT_LIMIT_ANSWER_ACCOUNT] = {"answer-account", "3/1h 10/1d",
                                      "wrong answers to one account's security question"},
    [ACCOUNT_LIMIT_REVEAL_ADDRESS] = {"reveal-address", "10/10m 50/1d",
                                      "accounts that a client address is told to exist"},
    [ACCOUNT_LIMIT_REVEAL_NETWORK] = {"reveal-network", "50/10m 250/1d",
                                      "the same of its network (/24, /48)"},
};

int account_limit_find(const char *name)
{
    int i;

    for (i = 0; i < ACCOUNT_LIMITS; i++) {
        if (strcasecmp(account_limits[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int parse_window(const char *word, account_window_t *window)
{
    apr_size_t digits = strspn(word, "0123456789");

    if (digits == 0 || digits > 10 || word[digits] != '/') {
        return 0;
    }
    window->most = apr_atoi64(word);
    return window->most >= 1 && window->most <= MOST
           && account_text_duration(word + digits + 1, &window->period)
           && window->period <= PERIOD_MOST;
}

const char *account_limit_parse(account_limit_windows_t *windows, const char *words,
                                apr_pool_t *pool)
{
    char *state, *copy = apr_pstrdup(pool, words);
    const char *word;

    windows->count = 0;
    if (strcasecmp(words, "off") == 0) {
        return NULL;
    }
    for (word = apr_strtok(copy, " ", &state); word; word = apr_strtok(NULL, " ", &state)) {
        if (windows->count == ACCOUNT_LIMIT_WINDOWS) {
            return apr_psprintf(pool, "a limit has at most %d windows", ACCOUNT_LIMIT_WINDOWS);
        }
        if (!parse_window(word, &windows->windows[windows->count++])) {
            return apr_psprintf(pool,
                                "\"%s\" is no limit: write how many in how long, as in 5/1h "
                                "(s, m, h or d), several after each other, or off",
                                word);
        }
    }
    return windows->count ? NULL : "how many in how long is missing, as in 5/1h 10/1d, or off";
}

/* An address as it is written down without its last bits; an IPv4 address in an IPv6 one is that
 * IPv4 address. */
static const char *cut_address(const account_call_t *call, int bytes4, int bytes6)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    const char *address = call->terms.address ? call->terms.address : "";
    unsigned char bytes[16] = {0};
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET6, address, bytes) == 1 && memcmp(bytes, mapped, 12) != 0) {
        memset(bytes + bytes6, 0, 16 - bytes6);
        return apr_pstrdup(call->store->pool, inet_ntop(AF_INET6, bytes, text, sizeof(text)));
    }
    if (strchr(address, ':') && memcmp(bytes, mapped, 12) == 0) {
        memmove(bytes, bytes + 12, 4);
    }
    else if (inet_pton(AF_INET, address, bytes) != 1) {
        return address;
    }
    memset(bytes + bytes4, 0, 16 - bytes4);
    return apr_pstrdup(call->store->pool, inet_ntop(AF_INET, bytes, text, sizeof(text)));
}

const char *account_limit_address(const account_call_t *call)
{
    return cut_address(call, 4, 8);
}

const char *account_limit_network(const account_call_t *call)
{
    return cut_address(call, 3, 6);
}

void account_budget_add(const account_call_t *call, account_budget_t *budget, account_limit_e limit,
                        const char *subject)
{
    const account_limit_windows_t *windows = &call->settings->limits[limit];

    if (windows->count > 0 && budget->count < ACCOUNT_BUDGET_MOST) {
        budget->quotas[budget->count] = (account_quota_t){
            apr_pstrcat(call->store->pool, account_limits[limit].name, "/", subject, NULL),
            windows->windows, windows->count};
        budget->limits[budget->count++] = limit;
    }
}

void account_limit_refuse(account_answer_t *answer, account_limit_e limit, apr_int64_t wait)
{
    answer->outcome =
        limit == ACCOUNT_LIMIT_SEND_INTERVAL ? ACCOUNT_TOO_MANY_INTERVAL : ACCOUNT_TOO_MANY;
    answer->retry_after = (wait + 999) / 1000;
    if (answer->retry_after < 1) {
        answer->retry_after = 1;
    }
}

apr_status_t account_budget_take(const account_call_t *call, const account_budget_t *budget,
                                 account_answer_t *answer, int *taken)
{
    account_quotas_t quotas = {budget->quotas, budget->count};
    account_shortage_t shortage = {-1, 0};
    apr_status_t rv =
        budget->count ? account_limits_take(call->store, quotas, &shortage) : APR_SUCCESS;

    *taken = rv == APR_SUCCESS && shortage.quota < 0;
    if (rv == APR_SUCCESS && !*taken) {
        account_limit_refuse(answer, budget->limits[shortage.quota], shortage.wait);
    }
    return rv;
}

static void add_reveal(const account_call_t *call, account_budget_t *budget)
{
    account_budget_add(call, budget, ACCOUNT_LIMIT_REVEAL_ADDRESS, account_limit_address(call));
    account_budget_add(call, budget, ACCOUNT_LIMIT_REVEAL_NETWORK, account_limit_network(call));
}

apr_status_t account_limit_reveal(const account_call_t *call, int exists, account_answer_t *answer,
                                  int *told)
{
    account_budget_t budget = {.count = 0};
    account_shortage_t shortage = {-1, 0};
    account_quotas_t quotas = {budget.quotas, 0};
    apr_status_t rv;

    add_reveal(call, &budget);
    quotas.count = budget.count;
    if (exists || budget.count == 0) {
        return account_budget_take(call, &budget, answer, told);
    }
    rv = account_limits_look(call->store, quotas, &shortage);
    *told = rv == APR_SUCCESS && shortage.quota < 0;
    if (rv == APR_SUCCESS && !*told) {
        account_limit_refuse(answer, ACCOUNT_LIMIT_REVEAL_ADDRESS, shortage.wait);
    }
    return rv;
}

void account_limit_conceal(const account_call_t *call)
{
    account_budget_t budget = {.count = 0};

    add_reveal(call, &budget);
    account_budget_return(call, &budget);
}

void account_budget_return(const account_call_t *call, const account_budget_t *budget)
{
    account_quotas_t quotas = {budget->quotas, budget->count};

    if (budget->count) {
        account_limits_return(call->store, quotas);
    }
}
