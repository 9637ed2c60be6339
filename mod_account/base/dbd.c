#include "base/dbd.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/clock.h"

#define GREET_TRIES 5

typedef struct error_class_t {
    int code;
    account_dbd_problem_e problem;
    int discard;
} error_class_t;

typedef int socket_fn_t(void *native);

/* The errors of MySQL's protocol that say more than "no". 1xxx and above 3000 are the server's,
 * 2xxx the client library's. */
static const error_class_t mysql_errors[] = {
    {1062, ACCOUNT_DBD_CONFLICT, 0}, /* duplicate entry */
    {1586, ACCOUNT_DBD_CONFLICT, 0}, /* duplicate entry, with the key's name */
    {1213, ACCOUNT_DBD_AGAIN, 0},    /* deadlock; at COMMIT: Galera refused to certify */
    {1205, ACCOUNT_DBD_AGAIN, 0},    /* lock wait timeout */
    {1047, ACCOUNT_DBD_AGAIN, 1},    /* this node of a Galera cluster is not ready: try another */
    {3101, ACCOUNT_DBD_AGAIN, 0},    /* Group Replication refused to certify */
    {9007, ACCOUNT_DBD_AGAIN, 0},    /* TiDB: write conflict */
    {1053, ACCOUNT_DBD_LOST, 1},     /* server shutdown in progress */
    {1927, ACCOUNT_DBD_LOST, 1},     /* connection was killed */
    {3169, ACCOUNT_DBD_LOST, 1},     /* session was killed */
    {4031, ACCOUNT_DBD_LOST, 1},     /* disconnected for inactivity */
    {2006, ACCOUNT_DBD_LOST, 1},     /* gone away: the statement could not be sent */
    {2013, ACCOUNT_DBD_LOST, 1},     /* lost during the statement */
    {2014, ACCOUNT_DBD_LOST, 1},     /* commands out of sync */
    {2055, ACCOUNT_DBD_LOST, 1},     /* lost, with a system error */
    {1243, ACCOUNT_DBD_STALE, 1},    /* unknown prepared statement: a proxy changed servers */
    {1615, ACCOUNT_DBD_STALE, 1},    /* prepared statement needs to be re-prepared */
    {2030, ACCOUNT_DBD_STALE, 1},    /* statement not prepared */
};

/* Server errors whose texts name tables, columns and users, but never what a client sent. */
static const int harmless_texts[] = {1044, 1048, 1053, 1054, 1142, 1143, 1146, 1205, 1213,
                                     1227, 1290, 1364, 1406, 1836, 1927, 3101, 3169, 4031};

int account_database_dialect(const char *driver)
{
    if (!strcmp(driver, "mysql")) {
        return ACCOUNT_MYSQL;
    }
    return strcmp(driver, "sqlite3") ? -1 : ACCOUNT_SQLITE3;
}

/*
 * Oracle's client library has no function for it. But a MYSQL begins with a NET, and that with a
 * pointer to the transport, four pointers of a buffer, and the descriptor: since MySQL 4 and
 * because other languages' drivers read it there. Believed only if it is a connected socket.
 */
static int socket_in_handle(void *native)
{
    const struct {
        void *transport;
        void *buffer[4];
        int fd;
    } *net = native;
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);

    return getpeername(net->fd, (struct sockaddr *)&peer, &length) == 0 ? net->fd : -1;
}

/* mysql_get_socket of the library that the driver itself is linked with: another one may be in the
 * process too, and would not know this one's handles. */
static socket_fn_t *socket_function(void *file)
{
    socket_fn_t *function = NULL;

    if (file != NULL) {
        *(void **)&function = dlsym(file, "mysql_get_socket");
    }
    return function != NULL ? function : socket_in_handle;
}

/* The driver and its library stay in memory for good: APR unloads them when the process ends, and a
 * thread may be in them then. NULL: the driver is no file of its own. */
static void *keep_loaded(const apr_dbd_driver_t *driver)
{
    Dl_info file;

    return dladdr(driver, &file) ? dlopen(file.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)
                                 : NULL;
}

apr_status_t account_dbd_init(account_dbd_t *dbd, const account_database_config_t *config,
                              apr_pool_t *pool)
{
    int dialect = account_database_dialect(config->driver);
    void *file;
    apr_status_t rv = dialect < 0 ? APR_EINVAL : apr_dbd_init(pool);

    if (rv == APR_SUCCESS) {
        rv = apr_dbd_get_driver(pool, config->driver, &dbd->driver);
    }
    if (rv != APR_SUCCESS) {
        account_log(config->log, ACCOUNT_LOG_ERROR, rv,
                    ACLOGNO(00100) "cannot load apr_dbd's driver %s: is its package installed?",
                    config->driver);
        goto leave;
    }
    file = keep_loaded(dbd->driver);
    dbd->dialect = (account_dialect_e)dialect;
    dbd->params = config->params;
    dbd->statements = config->statements;
    dbd->statement_count = config->statement_count;
    dbd->log = config->log;
    dbd->in_memory = dialect == ACCOUNT_SQLITE3 && !strcmp(config->params, ":memory:");
    if (dialect == ACCOUNT_MYSQL) {
        /* The driver takes what comes last. A comma, because after "pass=" it would skip a blank
         * and take the next word for the password. Without the first, statements of a connection
         * that was lost fail for ever; without the second, an UPDATE that changes nothing
         * counts no rows. */
        dbd->params =
            apr_pstrcat(pool, config->params, ",reconnect=0,flags=CLIENT_FOUND_ROWS", NULL);
        dbd->socket = socket_function(file);
    }

leave:
    return rv;
}

/* The state of a failure; message is in the driver's buffer. */
static void classify(account_db_t *db, int code, const char *message)
{
    size_t i;

    db->problem = ACCOUNT_DBD_BROKEN;
    db->discard = 1;
    if (db->dbd->dialect == ACCOUNT_MYSQL) {
        for (i = 0; i < sizeof(mysql_errors) / sizeof(*mysql_errors); i++) {
            if (mysql_errors[i].code == code) {
                db->problem = mysql_errors[i].problem;
                db->discard = mysql_errors[i].discard;
            }
        }
    }
    /* The driver gets a generic 1 from sqlite3 for nearly everything: the text is the code. */
    else if (!strncmp(message, "UNIQUE constraint failed:", 25)) {
        db->problem = ACCOUNT_DBD_CONFLICT;
        db->discard = 0;
    }
    else if (strstr(message, " is locked")) {
        db->problem = ACCOUNT_DBD_AGAIN;
        db->discard = 0;
    }
    else if (strstr(message, "schema has changed") || !strcmp(message, "not an error")) {
        db->problem = ACCOUNT_DBD_STALE;
    }
    if (db->dbd->in_memory) {
        if (db->discard) {
            account_dbd_forget(db);
        }
        db->discard = 0;
    }
}

/* The driver's words without what a client sent: MySQL quotes values in some of its texts. */
static const char *printable(account_db_t *db, int code, const char *message)
{
    size_t i;
    const char *quote = strchr(message, '\'');

    if (quote == NULL || db->dbd->dialect != ACCOUNT_MYSQL || (code >= 2000 && code < 3000)) {
        return message;
    }
    for (i = 0; i < sizeof(harmless_texts) / sizeof(*harmless_texts); i++) {
        if (harmless_texts[i] == code) {
            return message;
        }
    }
    return apr_psprintf(db->scratch, "%.*s...", (int)(quote - message), message);
}

apr_status_t account_dbd_failed(account_db_t *db, int code, const char *name, int has_values)
{
    const char *message = apr_dbd_error(db->dbd->driver, db->handle, 0);

    message = apr_pstrdup(db->scratch, message ? message : "");
    classify(db, code, message);
    if (db->problem != ACCOUNT_DBD_CONFLICT) {
        account_log(db->log,
                    db->problem == ACCOUNT_DBD_AGAIN || db->problem == ACCOUNT_DBD_STALE
                        ? ACCOUNT_LOG_NOTICE
                        : ACCOUNT_LOG_ERROR,
                    0, ACLOGNO(00102) "database: %s: error %d: %s", name, code,
                    has_values ? printable(db, code, message) : message);
    }
    return account_dbd_status(db);
}

apr_status_t account_dbd_status(const account_db_t *db)
{
    switch (db->problem) {
    case ACCOUNT_DBD_FINE:
        return APR_SUCCESS;
    case ACCOUNT_DBD_CONFLICT:
        return ACCOUNT_ECONFLICT;
    case ACCOUNT_DBD_MISUSE:
        return APR_EINVAL;
    default:
        return ACCOUNT_EDATABASE;
    }
}

/* A statement without values and without rows. */
int account_dbd_plain(account_db_t *db, const char *sql)
{
    int rows = 0;

    return apr_dbd_query(db->dbd->driver, db->handle, &rows, sql);
}

/* Whether the last failure was that another process has the file for itself. */
int account_dbd_is_locked(account_db_t *db)
{
    const char *message = apr_dbd_error(db->dbd->driver, db->handle, 0);

    return db->dbd->dialect == ACCOUNT_SQLITE3 && message && strstr(message, " is locked");
}

/* A duplicate of the connection's descriptor: the library closes its own as soon as it notices a
 * loss, and the number is another file's at once; shutdown() of the duplicate always meets the
 * right socket. */
static int duplicate_socket(account_db_t *db)
{
    int fd = -1;

    if (db->dbd->socket != NULL) {
        fd = db->dbd->socket(apr_dbd_native_handle(db->dbd->driver, db->handle));
    }
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* The file of a new database shall be its owner's only; sqlite3 gives its side files the same mode.
 */
static void create_private_file(const char *path)
{
    int fd;

    if (*path != ':' && *path != '\0' && strncmp(path, "file:", 5)) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close(fd);
        }
    }
}

/* The settings of a session, before anything is prepared: sqlite3 expires prepared statements when
 * some of its settings change. */
static const char *const settings[ACCOUNT_DIALECTS][4] = {
    {"SET NAMES utf8mb4", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
     "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'", NULL},
    {"PRAGMA foreign_keys=ON", "PRAGMA synchronous=FULL", NULL},
};

apr_status_t account_dbd_open(account_db_t **db, const account_dbd_t *dbd, const char **error,
                              apr_pool_t *pool)
{
    account_db_t *opened = apr_pcalloc(pool, sizeof(*opened));
    const char *const *setting;
    apr_status_t rv;
    int code = 0, tries = 0;

    *error = NULL;
    opened->dbd = dbd;
    opened->log = dbd->log;
    opened->pool = pool;
    opened->socket = -1;
    opened->prepared = apr_pcalloc(pool, sizeof(*opened->prepared) * (dbd->statement_count + 1));
    rv = apr_pool_create(&opened->scratch, pool);
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    if (dbd->dialect == ACCOUNT_SQLITE3) {
        create_private_file(dbd->params);
    }
    rv = apr_dbd_open_ex(dbd->driver, pool, dbd->params, &opened->handle, error);
    if (rv != APR_SUCCESS) {
        rv = ACCOUNT_EDATABASE;
        goto leave;
    }
    opened->socket = duplicate_socket(opened);
    opened->is_deaf = dbd->dialect == ACCOUNT_MYSQL && opened->socket < 0;
    for (setting = settings[dbd->dialect]; *setting != NULL && code == 0; setting++) {
        while ((code = account_dbd_plain(opened, *setting)) != 0 && account_dbd_is_locked(opened)
               && ++tries < LOCKED_TRIES) {
            apr_sleep(LOCKED_PAUSE);
        }
    }
    if (code != 0) {
        *error = apr_pstrdup(pool, apr_dbd_error(dbd->driver, opened->handle, 0));
        apr_dbd_close(dbd->driver, opened->handle);
        if (opened->socket >= 0) {
            close(opened->socket);
        }
        rv = ACCOUNT_EDATABASE;
    }
    *db = opened;

leave:
    return rv;
}

void account_dbd_close(account_db_t *db)
{
    /* A healthy connection still says good-bye, but no answer is waited for (TLS would). */
    if (db->socket >= 0) {
        shutdown(db->socket, db->discard ? SHUT_RDWR : SHUT_RD);
    }
    /* In this order: a closed connection's statements are freed without telling the server. */
    apr_dbd_close(db->dbd->driver, db->handle);
    if (db->socket >= 0) {
        close(db->socket);
    }
    apr_pool_destroy(db->pool);
}

int account_dbd_is_alive(const account_db_t *db)
{
    struct pollfd fd = {db->socket, POLLIN | POLLRDHUP, 0};

    /* Nothing is due on an idle connection: what can be read is the server's farewell. */
    return db->socket < 0 || poll(&fd, 1, 0) <= 0;
}

void account_dbd_interrupt(account_db_t *db)
{
    if (db->socket >= 0) {
        shutdown(db->socket, SHUT_RDWR);
    }
}

apr_status_t account_dbd_greet(account_db_t *db, const account_database_config_t *config)
{
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, db->pool);
    int tries;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (tries = 0; tries < GREET_TRIES; tries++) {
        account_dbd_lend(db, pool, 0);
        rv = config->on_connect(db, config->on_connect_baton);
        if (rv == APR_SUCCESS
            || (db->problem != ACCOUNT_DBD_AGAIN && db->problem != ACCOUNT_DBD_STALE)) {
            break;
        }
        account_dbd_forget(db);
        account_dbd_plain(db, "ROLLBACK"); /* there may be nothing to roll back: no matter */
        apr_sleep(LOCKED_PAUSE);
    }
    apr_pool_destroy(pool);
    return rv;
}

void account_dbd_lend(account_db_t *db, apr_pool_t *results, apr_time_t deadline)
{
    db->results = results;
    db->deadline = deadline;
    db->problem = ACCOUNT_DBD_FINE;
    db->discard = 0;
    db->single = 0;
    db->may_have_run = 0;
}

void account_dbd_forget(account_db_t *db)
{
    memset(db->prepared, 0, sizeof(*db->prepared) * db->dbd->statement_count);
}

/* Not apr_dbd's transactions: its mysql driver needs a round trip more for them, and hides the
 * error of a COMMIT (of which Galera's "again" is one) behind the SET autocommit that follows. */
apr_status_t account_dbd_begin(account_db_t *db)
{
    int code = account_dbd_plain(db, db->dbd->dialect == ACCOUNT_MYSQL ? "START TRANSACTION"
                                                                       : "BEGIN IMMEDIATE");

    return code ? account_dbd_failed(db, code, "begin", 0) : APR_SUCCESS;
}

apr_status_t account_dbd_commit(account_db_t *db)
{
    int code = account_dbd_plain(db, "COMMIT");
    apr_status_t rv = APR_SUCCESS;

    if (code != 0) {
        rv = account_dbd_failed(db, code, "commit", 0);
        db->may_have_run = db->problem == ACCOUNT_DBD_LOST && code != GONE_BEFORE_SENDING;
        if (db->problem != ACCOUNT_DBD_LOST) {
            account_dbd_rollback(db);
        }
    }
    return rv;
}

void account_dbd_rollback(account_db_t *db)
{
    if (db->problem != ACCOUNT_DBD_LOST && account_dbd_plain(db, "ROLLBACK") != 0) {
        /* sqlite3 has already rolled back after some errors, and says so with one. */
        db->discard = !db->dbd->in_memory;
    }
}

account_dialect_e account_db_dialect(const account_db_t *db)
{
    return db->dbd->dialect;
}

apr_pool_t *account_db_pool(const account_db_t *db)
{
    return db->results;
}

const account_log_t *account_db_log(const account_db_t *db)
{
    return db->log;
}
