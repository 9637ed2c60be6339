#ifndef ACCOUNT_CONTRACT_COMPILER_H
#define ACCOUNT_CONTRACT_COMPILER_H

#include "contract/contract.h"

/* What the files that compile a contract share: compile.c, route.c, parameter.c, reply.c. Errors
 * are texts for the administrator; at is the line they are about. */

/* AccountReply, AccountPage and AccountMessage lines as written, of a contract or of one route. */
typedef struct account_sayings_t {
    apr_hash_t *replies;  /* and pages: outcome name to account_saying_t */
    apr_hash_t *messages; /* outcome name to account_saying_t */
} account_sayings_t;

typedef struct account_saying_t {
    int status;       /* of a reply or page */
    const char *text; /* of a page: its name */
    int is_page;
    const account_line_t *line;
    int can_happen; /* on some route: what never can is an error */
} account_saying_t;

typedef struct account_compiler_t {
    account_contract_t *contract;
    apr_hash_t *shapes; /* name to JSON text */
    apr_hash_t *maps;   /* name to account_map_t */
    account_sayings_t sayings;
    const account_line_t *at;
    apr_pool_t *pool;
} account_compiler_t;

/* A route while it is compiled. */
typedef struct account_route_draft_t {
    account_route_t *route;
    account_sayings_t sayings;
    int *constants_set; /* by the action's constants: whether an AccountSet named it */
} account_route_draft_t;

/* Nothing is said yet. */
void account_sayings_init(account_sayings_t *sayings, apr_pool_t *pool);

/* The methods (GET|POST) and path of a route, which no earlier route may have. */
const char *account_compile_address(account_compiler_t *c, account_route_t *route,
                                    const char *methods, const char *path);

/* AccountReply OUTCOME STATUS JSON; AccountPage OUTCOME STATUS NAME; AccountMessage OUTCOME TEXT.
 */
const char *account_compile_reply(account_compiler_t *c, account_sayings_t *sayings,
                                  const account_line_t *line, const apr_array_header_t *words);
const char *account_compile_page(account_compiler_t *c, account_sayings_t *sayings,
                                 const account_line_t *line, const apr_array_header_t *words);
const char *account_compile_message(account_compiler_t *c, account_sayings_t *sayings,
                                    const account_line_t *line, const apr_array_header_t *words);

/* AccountParam INPUT NAME[|converter] [constraints]; the route's action is known. */
const char *account_compile_parameter(account_compiler_t *c, account_route_t *route,
                                      const account_line_t *line, const apr_array_header_t *words);

/* After the last line of a route: inputs that are missing, names that it reads. */
const char *account_compile_inputs(account_compiler_t *c, account_route_draft_t *draft);

/* Every outcome of the route gets its reply; what can't happen is complained about. */
const char *account_compile_outcomes(account_compiler_t *c, account_route_draft_t *draft);

/* After the last route: replies and messages of the contract that no route can ever use. */
const char *account_compile_unused(account_compiler_t *c, const account_sayings_t *sayings,
                                   const char *where);

/* The name of a rule in invalid.FIELD.RULE. */
const char *account_rule_name(const account_parameter_t *parameter, account_rule_e rule);

/* Whether the route supplies one of the inputs a|b. */
int account_route_supplies(const account_route_t *route, const char *inputs);

/* Which of the action's constants has the value of a setting ("name=value") on this route; -1: it
 * has another one. */
int account_route_setting(const account_route_t *route, const char *setting);

/* Whether one of the inputs a|b, as the route's lines narrow it, can be an identifier of that kind.
 * What it does not supply can't. */
int account_route_takes(const account_route_t *route, const char *inputs, account_kind_e kind);

#endif
