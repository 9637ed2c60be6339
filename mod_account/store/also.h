#ifndef ACCOUNT_STORE_ALSO_H
#define ACCOUNT_STORE_ALSO_H

#include <apr_tables.h>

struct account_session_t;
struct account_code_t;

/* What is stored along with a change of an account, in the same transaction; NULL: nothing. */
typedef struct account_also_t {
    const struct account_session_t *session; /* begins for that account, whatever its own id says */
    const struct account_code_t *code;       /* issued, as account_code_issue */
    const apr_array_header_t *messages;      /* of account_message_t *: into the outbox */
} account_also_t;

#endif
