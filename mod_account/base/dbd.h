#ifndef ACCOUNT_BASE_DBD_H
#define ACCOUNT_BASE_DBD_H

#include <pthread.h>

#include <apr_dbd.h>

#include "base/database.h"

/*
 * One connection of apr_dbd: what database.c's pool is made of, and nobody else's business.
 * A connection belongs to one thread at a time; none of this locks.
 */

/* While another process opens or recovers the file, sqlite3 refuses to prepare anything. */
#define LOCKED_PAUSE (10 * 1000)
#define LOCKED_TRIES 160

/* The client library could not send the statement: it has not run. */
#define GONE_BEFORE_SENDING 2006

/* What all connections of one pool have in common. */
typedef struct account_dbd_t {
    account_dialect_e dialect;
    const apr_dbd_driver_t *driver;
    const char *params;
    const account_statement_t *statements;
    int statement_count;
    int (*socket)(void *native); /* mysql: the descriptor of a connection, or -1 */
    int in_memory;               /* closing the connection would lose everything */
    const account_log_t *log;
} account_dbd_t;

/* What became of the statements of one piece of work: the first failure, which ends the work. */
typedef enum account_dbd_problem_e {
    ACCOUNT_DBD_FINE,
    ACCOUNT_DBD_CONFLICT, /* a unique key exists already */
    ACCOUNT_DBD_AGAIN,    /* a deadlock and the like: nothing was stored, try the same again */
    ACCOUNT_DBD_LOST,     /* the connection is gone */
    ACCOUNT_DBD_STALE,    /* its prepared statements are no longer valid */
    ACCOUNT_DBD_MISUSE,   /* an error of the caller's: the connection is none the worse for it */
    ACCOUNT_DBD_BROKEN    /* anything else */
} account_dbd_problem_e;

typedef struct account_dbd_prepared_t {
    apr_dbd_prepared_t *statement; /* NULL: not yet */
    const char *types;             /* of its placeholders: t for text, n for number */
} account_dbd_prepared_t;

struct account_db_t {
    const account_dbd_t *dbd;
    const account_log_t *log;
    apr_dbd_t *handle;
    apr_pool_t *pool;                 /* its own root; destroyed with the connection */
    apr_pool_t *scratch;              /* for one call, cleared after it */
    account_dbd_prepared_t *prepared; /* by number of the statement */
    int socket;                       /* a duplicate of the driver's, or -1 */
    int is_deaf;                      /* mysql, and the library does not tell the socket */

    /* The work that it is lent for. */
    apr_pool_t *results;
    apr_time_t deadline; /* 0: none */
    account_dbd_problem_e problem;
    int width;        /* columns of the row that was read last */
    int discard;      /* not to be used again */
    int single;       /* a statement is committed by itself */
    int may_have_run; /* a statement or COMMIT was sent and may have taken effect unseen */

    /* The pool's. */
    account_db_t *next;
    pthread_t borrower;
    apr_time_t idle_since;
    int interrupted;
};

/* Finds the driver. What config points to is not copied. apr_dbd keeps its table of drivers in the
 * outermost pool around pool: it must be the process's. Logs what fails. */
apr_status_t account_dbd_init(account_dbd_t *dbd, const account_database_config_t *config,
                              apr_pool_t *pool);

/* Connects; takes as long as it takes. pool becomes the connection's own when it succeeds. *error
 * (from pool): the driver's words when it does not. */
apr_status_t account_dbd_open(account_db_t **db, const account_dbd_t *dbd, const char **error,
                              apr_pool_t *pool);

/* Closes and frees, without waiting for the server. */
void account_dbd_close(account_db_t *db);

/* Whether the server has closed the connection, as far as this side knows. Asks nobody. */
int account_dbd_is_alive(const account_db_t *db);

/* Makes a running statement fail soon. The one function that another thread may call. */
void account_dbd_interrupt(account_db_t *db);

/* Lets config's on_connect look at a new connection; again, while another
 * process has it locked or is changing it. */
apr_status_t account_dbd_greet(account_db_t *db, const account_database_config_t *config);

/* Before the first statement of some work. */
void account_dbd_lend(account_db_t *db, apr_pool_t *results, apr_time_t deadline);

/* Around work that is all or nothing. A COMMIT that fails leaves nothing behind, unless its answer
 * was lost: db->may_have_run. */
apr_status_t account_dbd_begin(account_db_t *db);
apr_status_t account_dbd_commit(account_db_t *db);
void account_dbd_rollback(account_db_t *db);

/* A statement without values and without rows; the driver's code, 0 for success. */
int account_dbd_plain(account_db_t *db, const char *sql);

/* After the driver's code for what was asked by that name: notes the problem, logs it (without what
 * a client sent, if it had values) and returns its status. */
apr_status_t account_dbd_failed(account_db_t *db, int code, const char *name, int has_values);

/* Whether the last failure was that another process has the file for itself (sqlite3). */
int account_dbd_is_locked(account_db_t *db);

/* The status of db->problem. */
apr_status_t account_dbd_status(const account_db_t *db);

/* Prepares all statements anew on their next use. */
void account_dbd_forget(account_db_t *db);

#endif
