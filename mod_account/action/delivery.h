#ifndef ACCOUNT_ACTION_DELIVERY_H
#define ACCOUNT_ACTION_DELIVERY_H

#include "base/transport.h"
#include "store/messages.h"

/* Whose messages go through which transport. */
typedef struct account_post_t {
    const char *realm;
    account_channel_e channel;
    const account_transport_t *transport;
    int was_down; /* so that going down and coming back are one log line each */
} account_post_t;

typedef struct account_round_t {
    account_post_t *const *posts; /* all of one transport */
    int count;
    int (*stopping)(void *baton); /* asked ten times a second */
    void *baton;
} account_round_t;

/*
 * One round of a transport's delivery: claims what is due of its posts (store's realm is not looked
 * at), sends, and stores how each ended. Retries after 2 s, then twice as long each time, up to 5
 * minutes (30 s while nobody is in reach), until the message expires; one that fails by itself,
 * while the transport is in reach, is given up after ten attempts. *busy: something came to an end,
 * so another round may be due at once. Log lines: ACCOUNT_OUT_OF_REACH and back once, what is given
 * up each; recipients masked.
 */
apr_status_t account_delivery_round(const account_store_t *store, account_round_t *round,
                                    int *busy);

#endif
