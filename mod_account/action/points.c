#include <apr_strings.h>

#include "action/actions.h"
#include "base/clock.h"

/* Rows of a page: what a client gets that asks for none, for more, and for all. */
#define PAGE_STANDARD 10
#define PAGE_MOST 100
#define ALL_MOST 1000

/* What "recent" and "older" divide. */
#define RECENT_MONTHS 3

static int is_true(const account_call_t *call, const char *input)
{
    const char *value = account_call_value(call, input);

    return value && *value == 't'; /* normalised: true or false */
}

static apr_int64_t number(const account_call_t *call, const char *input, apr_int64_t standard)
{
    const char *value = account_call_value(call, input);
    apr_int64_t given = value ? apr_atoi64(value) : 0;

    return given > 0 ? given : standard;
}

apr_status_t account_do_points(const account_call_t *call, account_answer_t *answer)
{
    apr_int64_t border =
        account_clock_months_ago(call->store->now, call->settings->zone, RECENT_MONTHS);
    int recent = is_true(call, "recent"), older = is_true(call, "older"),
        all = is_true(call, "all");
    account_entries_wanted_t wanted = {
        .account_id = call->account->id,
        .since = recent && !older ? border : 0,
        .until = older && !recent ? border : 0,
    };
    apr_array_header_t *entries;
    account_page_t *page = &answer->page;
    apr_status_t rv;

    page->number = all ? 1 : number(call, "page", 1);
    page->size = all ? ALL_MOST : number(call, "size", PAGE_STANDARD);
    page->size = !all && page->size > PAGE_MOST ? PAGE_MOST : page->size;
    wanted.most = (int)page->size;
    wanted.offset = (page->number - 1) * page->size; /* of at most 2^53 pages: no overflow */
    rv = account_points_list(call->store, &wanted, &entries, &page->items);
    if (rv == APR_SUCCESS) {
        answer->account = call->account;
        answer->entries = entries;
        page->count = (page->items + page->size - 1) / page->size;
    }
    return rv;
}
