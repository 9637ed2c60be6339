#ifndef ACCOUNT_BASE_DATABASE_H
#define ACCOUNT_BASE_DATABASE_H

#include <apr_global_mutex.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "base/log.h"
#include "base/status.h"

/*
 * The database, for one child process: work is given to it, and it lends a connection for just that
 * work. (database.c: work, transactions, trying again. pool.c: the connections. dbd.c: one of
 * them; the only file that calls apr_dbd.)
 *
 * Nobody waits without a bound: connections are opened by background threads, callers wait for one
 * until their deadline, and a statement that is still running at the deadline is ended by shutting
 * its socket down. A connection is lent for one piece of work and belongs to nobody between.
 */

typedef enum account_dialect_e {
    ACCOUNT_MYSQL, /* MySQL, MariaDB and what speaks their protocol */
    ACCOUNT_SQLITE3,
    ACCOUNT_DIALECTS
} account_dialect_e;

/* One row of the table of statements. sql[dialect], or sql[ACCOUNT_MYSQL] where the dialect's is
 * NULL. Placeholders are %s and %lld only; a literal percent sign is %%; never a question mark. */
typedef struct account_statement_t {
    const char *name; /* for log lines */
    const char *sql[ACCOUNT_DIALECTS];
} account_statement_t;

typedef struct account_database_t account_database_t; /* the pool */
typedef struct account_db_t account_db_t;             /* one connection, lent */

/* What the connections of one process do just now, for the status page: written under the pool's
 * lock, read by any process that shares the memory. */
typedef struct account_gauges_t {
    volatile apr_uint32_t open;
    volatile apr_uint32_t lent;
    volatile apr_uint32_t waiting;
    volatile apr_uint32_t is_down; /* the last attempt to connect failed */
    volatile apr_uint32_t late;    /* waits that ended at their deadline: it only counts up */
} account_gauges_t;

typedef struct account_database_config_t {
    const char *driver;                    /* "mysql" or "sqlite3" */
    const char *params;                    /* as of DBDParams; sqlite3: the file's path */
    const account_statement_t *statements; /* indexed by what account_db_* take */
    int statement_count;
    int connections;            /* at most, in this process; 1 for ":memory:" */
    apr_global_mutex_t *writer; /* sqlite3: held over writes, by all processes; or NULL */
    /* Called in a background thread with each new connection before anybody gets it: checks the
     * schema. What it returns other than APR_SUCCESS closes the connection, and counts as a failed
     * attempt to connect. May be called more than once for a connection. It logs through
     * account_db_log, which says each line once as long as the database is down. */
    apr_status_t (*on_connect)(account_db_t *db, void *baton);
    void *on_connect_baton;
    const account_log_t *log;
    account_gauges_t *gauges; /* lives as long as the caller's pool; NULL: nobody looks */
} account_database_config_t;

/* "mysql" or "sqlite3" to its number, -1 for anything else. */
int account_database_dialect(const char *driver);

/* Starts the pool and its keeper thread; opens nothing yet, so it succeeds while the database is
 * down. config is copied, what it points to must live as long as pool, which must be a descendant
 * of the process's outermost pool. Destroying pool closes what can be closed, joins its threads,
 * and waits half a second for a frozen server; if a thread is still connecting then, the process
 * ends without the handlers of exit(). */
apr_status_t account_database_create(account_database_t **database,
                                     const account_database_config_t *config, apr_pool_t *pool);

/* Opens one connection in the caller's thread, outside any pool, runs on_connect and closes it: for
 * the start of the server. Not bounded in time: sqlite3 only. */
apr_status_t account_database_try(const account_database_config_t *config, apr_pool_t *pool);

/* What it is made of stays until the process ends, also when its pool is destroyed: for threads
 * that may not have ended by then. Their work fails from then on. */
void account_database_keep(account_database_t *database);

typedef struct account_work_t {
    enum {
        ACCOUNT_READ,        /* SELECTs; run again on a fresh connection if this one was lost */
        ACCOUNT_WRITE,       /* one writing statement, committed by itself */
        ACCOUNT_TRANSACTION, /* all or nothing; run again after a deadlock, three times at most */
    } mode;
    /* The work. May be run more than once: it must begin by resetting what it leaves in baton.
     * Anything but APR_SUCCESS rolls a transaction back and is returned. After a statement that
     * failed no other one is executed. It must not call account_database_run. */
    apr_status_t (*fn)(account_db_t *db, void *baton);
    void *baton;
    apr_time_t deadline; /* account_clock_monotonic; for waiting and running together */
    apr_pool_t *pool;    /* rows are copied here */
} account_work_t;

/*
 * Lends a connection to the work and takes it back.
 * APR_SUCCESS: done, and committed where it wrote. ACCOUNT_ECONFLICT, ACCOUNT_EROLLBACK: from the
 * work, nothing is stored. ACCOUNT_EBUSY: no connection until the deadline, or not the writer's
 * turn. ACCOUNT_EDATABASE: anything else that went wrong, logged once with the statement's name;
 * nothing is stored unless the answer to COMMIT (or to the one statement of ACCOUNT_WRITE) was
 * lost. While the database is known to be down it is returned at once, and not logged.
 */
apr_status_t account_database_run(account_database_t *database, const account_work_t *work);

/* What a statement takes: ACCOUNT_ARGS(TEXT(realm), NUMBER(now)); TEXT(NULL) is SQL's NULL. */
typedef struct account_arg_t {
    enum { ACCOUNT_ARG_TEXT, ACCOUNT_ARG_NUMBER } type;
    const char *text;
    apr_int64_t number;
} account_arg_t;

typedef struct account_args_t {
    int count;
    const account_arg_t *values;
} account_args_t;

#define TEXT(value) ((account_arg_t){ACCOUNT_ARG_TEXT, (value), 0})
#define NUMBER(value) ((account_arg_t){ACCOUNT_ARG_NUMBER, NULL, (value)})
#define ACCOUNT_ARGS(...)                                                                          \
    ((account_args_t){sizeof((account_arg_t[]){__VA_ARGS__}) / sizeof(account_arg_t),              \
                      (const account_arg_t[]){__VA_ARGS__}})

/* Inside work. args must fit the statement's placeholders in number and type (APR_EINVAL, logged).
 * *rows (may be NULL): how many rows an UPDATE matched or a DELETE or INSERT touched.
 * Failures as account_database_run; the work returns them as they are. */
apr_status_t account_db_execute(account_db_t *db, int statement, account_args_t args,
                                apr_int64_t *rows);

/* *columns: the first row's values as text, SQL's NULL as NULL, in the work's pool; NULL: no row.
 */
apr_status_t account_db_row(account_db_t *db, int statement, account_args_t args,
                            const char *const **columns);

/* *rows: of const char *const *, at most limit of them. */
apr_status_t account_db_rows(account_db_t *db, int statement, account_args_t args, int limit,
                             apr_array_header_t **rows);

/* How many columns the row that was read last has: for a statement that is not ours. */
int account_db_width(const account_db_t *db);

/* One statement of the schema, as written, no placeholders; its rows are dropped. Not within
 * ACCOUNT_READ. */
apr_status_t account_db_schema(account_db_t *db, const char *sql);

/* Of the connection that is lent: its dialect, the pool of the work that it is lent for (where rows
 * are copied), and where its log lines go. */
account_dialect_e account_db_dialect(const account_db_t *db);
apr_pool_t *account_db_pool(const account_db_t *db);
const account_log_t *account_db_log(const account_db_t *db);

/* For unit programs; the status page reads the gauges, of all processes. */
typedef struct account_database_load_t {
    int open;
    int lent;
    int waiting;
    int up; /* no attempt to connect has failed since the last one that succeeded */
} account_database_load_t;
void account_database_load(account_database_t *database, account_database_load_t *load);

#endif
