#ifndef ACCOUNT_ACTION_OUTGOING_H
#define ACCOUNT_ACTION_OUTGOING_H

#include "action/limits.h"
#include "store/messages.h"

/* Messages as actions write them: from the realm's texts, for the outbox. */

/* What codes, mailed addresses and notices are good for, in milliseconds (ASVS 6.4.3: ten minutes
 * by SMS, a day by mail). */
#define ACCOUNT_CODE_LIFE (10 * 60 * APR_INT64_C(1000))
#define ACCOUNT_LINK_LIFE (24 * 3600 * APR_INT64_C(1000))

typedef struct account_outgoing_t {
    const char *name; /* of the text: "code-login" */
    account_channel_e channel;
    const char *to;
    apr_int64_t life;
    account_text_values_t values; /* site, minutes, hours and pool are filled in here */
} account_outgoing_t;

/* Writes it and adds it to messages (of account_message_t *). A channel that the realm does not
 * have adds nothing. */
apr_status_t account_outgoing_add(const account_call_t *call, account_outgoing_t *letter,
                                  apr_array_header_t *messages);

/* The channel of an address: mobile numbers have SMS, others mail. */
account_channel_e account_outgoing_channel(const account_call_t *call, const char *address);

/* An account's address as it is shown; one that is not shown any more as it is compared. */
const char *account_outgoing_shown(const account_call_t *call, const account_t *account,
                                   account_kind_e kind, const char *canonical);

/* Tells the addresses of an account what has been done to it: name is a notice's; address: the new
 * one where it has been changed, or NULL. Those that are verified, or all when none is. */
apr_status_t account_outgoing_notify(const account_call_t *call, const account_t *account,
                                     const char *name, const char *address,
                                     apr_array_header_t *messages);

/* Adds what bounds messages to an address (canonical), whatever they are for: by whom they go to,
 * who asks, and in all. */
void account_outgoing_limits(const account_call_t *call, account_budget_t *budget,
                             const char *address);

/* ACCOUNT_EDELIVERY: what is sent through channel is known to go nowhere now. */
apr_status_t account_outgoing_check(const account_call_t *call, account_channel_e channel);

#endif
