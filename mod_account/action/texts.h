#ifndef ACCOUNT_ACTION_TEXTS_H
#define ACCOUNT_ACTION_TEXTS_H

#include <apr_tables.h>

#include "store/messages.h"

/*
 * What people read that is no contract's: the texts of messages and the pages that mailed
 * addresses lead to. One folder for each language (conf/texts/zh, conf/texts/en): messages.json and
 * NAME.html. Read and checked at start.
 */
typedef struct account_texts_t account_texts_t;

/* NULL, or a text for the administrator: which file is missing or wrong, what in it (a name that is
 * no message, a message or page that is missing, a %{slot} that it can't have). */
const char *account_texts_read(account_texts_t **texts, const char *folder, apr_pool_t *pool);

/* Whether there is a page of that name in the table of pages; for the contracts' compiler. */
int account_page_is_known(const char *name);

/* The names of pages, NULL at the end, for "did you mean". */
extern const char *const account_page_names[];

/* What fills the slots. A slot that is NULL is empty. */
typedef struct account_text_values_t {
    const char *site; /* AccountPublicURL's host, else the realm */
    const char *name; /* %{name}: whom it is for */
    const char *code;
    const char *link;
    const char *address; /* %{address}: the new one, when an old one is told */
    const char *minutes; /* %{minutes}, or %{hours}, that it is good for */
    const char *hours;
    const char *token; /* pages */
    apr_pool_t *pool;  /* for what is made of them */
} account_text_values_t;

/* Fills a message of a channel: "code-register", "code-login", "code-reset", "code-any",
 * "code-change", "link-activate", "link-confirm", "link-reset", "notice-password",
 * "notice-question", "notice-address". *subject is NULL for SMS. APR_ENOENT: no such message. */
typedef struct account_written_t {
    const char *subject;
    const char *text;
} account_written_t;
apr_status_t account_texts_write(const account_texts_t *texts, const char *name,
                                 account_channel_e channel, const account_text_values_t *values,
                                 account_written_t *written);

/* Fills a page; values are escaped for HTML. NULL: no such page. */
const char *account_texts_page(const account_texts_t *texts, const char *name,
                               const account_text_values_t *values);

#endif
