#ifndef ACCOUNT_STORE_SWEEP_H
#define ACCOUNT_STORE_SWEEP_H

#include "store/store.h"

/* Removes what is of no more use, of all realms: sessions that ended, codes a day after they
 * expired (until then "expired" is told from "wrong"), messages a day after they were delivered or
 * expired (unsent ones with a log line), captchas, limits whose window is over. At most 500 rows of
 * each table, so that nobody waits; *more: there are others. */
apr_status_t account_sweep(const account_store_t *store, int *more);

#endif
