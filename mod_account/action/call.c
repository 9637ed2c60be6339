#include "action/call.h"

#include <string.h>

#include "action/registry.h"
#include "base/text.h"

/* Its number among the action's inputs, -1: it has none of that name. */
static int position_of(const account_call_t *call, const char *input)
{
    int i;

    for (i = 0; call->action->inputs[i].name; i++) {
        if (strcmp(call->action->inputs[i].name, input) == 0) {
            return i;
        }
    }
    return -1;
}

const char *account_call_value(const account_call_t *call, const char *input)
{
    int position = position_of(call, input);

    return position >= 0 && call->values ? call->values[position] : NULL;
}

int account_call_supplies(const account_call_t *call, const char *input)
{
    int position = position_of(call, input);

    return position >= 0 && call->supplied && call->supplied[position];
}

const char *account_call_constant(const account_call_t *call, const char *constant)
{
    const account_constant_t *constants = call->action->constants;
    int i;

    for (i = 0; constants[i].name; i++) {
        if (strcmp(constants[i].name, constant) == 0) {
            return constants[i].values[call->constants[i]];
        }
    }
    return "";
}

int account_call_is(const account_call_t *call, const char *constant, const char *value)
{
    return strcmp(account_call_constant(call, constant), value) == 0;
}

apr_status_t account_call_find(const account_call_t *call, const char *input,
                               const account_t **account)
{
    const char *name = account_call_value(call, input);

    return account_find(call->store, account_text_identifier(call->store->pool, name), account);
}
