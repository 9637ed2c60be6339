#include "base/exit.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#ifdef HAVE_ON_EXIT
static void at_exit(int status, void *data)
{
    account_exit_t *leaving = data;

    if (!leaving->is_over(leaving->baton)) {
        fflush(NULL);
        _exit(status);
    }
}
#endif

apr_status_t account_exit_guard(account_exit_t *leaving)
{
#ifdef HAVE_ON_EXIT
    if (leaving->is_set) {
        return APR_SUCCESS;
    }
    if (on_exit(at_exit, leaving) != 0) {
        return APR_ENOMEM;
    }
    leaving->is_set = 1;
    return APR_SUCCESS;
#else
    (void)leaving;
    return APR_ENOTIMPL;
#endif
}

void account_exit_keep_code(void)
{
    Dl_info own;

    if (dladdr((void *)account_exit_keep_code, &own)) {
        dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

void account_exit_thread(void)
{
    OPENSSL_thread_stop();
}
