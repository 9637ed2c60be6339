#ifndef ACCOUNT_ACTION_ROLES_H
#define ACCOUNT_ACTION_ROLES_H

#include "action/call.h"

/* The role that a new account gets, the first of AccountRoles. */
const char *account_role_default(const account_call_t *call);

/* Whether people may give themselves that role: the default one, and those of AccountChosenRoles.
 */
int account_role_may_choose(const account_call_t *call, const char *role);

#endif
