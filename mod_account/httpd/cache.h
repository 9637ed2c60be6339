#ifndef ACCOUNT_HTTPD_CACHE_H
#define ACCOUNT_HTTPD_CACHE_H

#include "base/cache.h"
#include "httpd/config.h"

/* The cache of base/cache.h in httpd's small objects (mod_socache_…): one for all servers of a
 * configuration, made before the fork. */

/* AccountCache, AccountCacheTTL, AccountCacheGrace: for the main server only. */
const char *account_cache_directive(cmd_parms *cmd, void *directory, const char *word);
const char *account_cache_ttl_directive(cmd_parms *cmd, void *directory, const char *word);
const char *account_cache_grace_directive(cmd_parms *cmd, void *directory, const char *word);

/* In pre_config: the mutex gets its name. */
apr_status_t account_cache_register(apr_pool_t *pconf);

/* In check_config: whether what AccountCache says can be had. 0: no, and that is logged. */
int account_cache_check(server_rec *servers, apr_pool_t *pconf);

/* In post_config, after account_cache_check, with shared->fence; without the module for it there is
 * no cache, which is said once. APR_SUCCESS unless what was asked for can't be had; that is logged.
 */
apr_status_t account_cache_create(server_rec *servers, apr_pool_t *pconf);

/* In a child. */
void account_cache_begin(server_rec *servers, apr_pool_t *pchild);

/* NULL: there is none; the second: none for copies of sessions. */
const account_cache_t *account_cache_of(const account_shared_t *shared);
const account_cache_t *account_cache_of_sessions(const account_shared_t *shared);

#endif
