#include <apr_hash.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "action/audit.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

#define ERROR_LOG "error-log"
#define OFF "off"
/* How long a program that does not read its lines may hold up a request, in milliseconds. */
#define PATIENCE 50

static int is_word(const char *log)
{
    return strcmp(log, ERROR_LOG) == 0 || strcmp(log, OFF) == 0;
}

const char *account_audit_directive(cmd_parms *cmd, void *directory, const char *word)
{
    const char *path, *folder, *error;
    apr_finfo_t info;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    if (strcasecmp(word, ERROR_LOG) == 0 || strcasecmp(word, OFF) == 0) {
        char *lower = apr_pstrdup(cmd->pool, word);

        ap_str_tolower(lower);
        account_server_of(cmd->server)->audit_log = lower;
        return NULL;
    }
    if (*word == '|') {
        account_server_of(cmd->server)->audit_log = word;
        return word[1 + strspn(word + 1, "|$ ")]
                   ? NULL
                   : "AccountAuditLog: after | the program is missing, as in "
                     "\"|/usr/bin/logger -t account\"";
    }
    path = *word ? ap_server_root_relative(cmd->pool, word) : NULL;
    if (!path) {
        return "AccountAuditLog takes a file, \"|program\", error-log or off";
    }
    folder = ap_make_dirstr_parent(cmd->pool, path);
    if (apr_stat(&info, folder, APR_FINFO_TYPE, cmd->pool) != APR_SUCCESS
        || info.filetype != APR_DIR) {
        return apr_psprintf(cmd->pool, "AccountAuditLog: there is no folder %s: make it first",
                            folder);
    }
    account_server_of(cmd->server)->audit_log = path;
    return NULL;
}

/* As of httpd's own logs: "|" and "||" start a program, "|$" a shell. */
static apr_file_t *open_program(const char *log, apr_pool_t *pool)
{
    int by_shell = log[1] == '$';
    piped_log *program = ap_open_piped_log_ex(pool, log + (by_shell || log[1] == '|' ? 2 : 1),
                                              by_shell ? APR_SHELLCMD_ENV : APR_PROGRAM_ENV);

    apr_file_t *file = program ? ap_piped_log_write_fd(program) : NULL;
    apr_os_file_t fd;

    /* of this end alone: the program's is another */
    return file && apr_os_file_get(&fd, file) == APR_SUCCESS
                   && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != -1
               ? file
               : NULL;
}

/* One write() puts a whole line at the end, whoever else writes there. A named pipe without a
 * reader would have the start wait for one. */
static apr_file_t *open_file(const char *path, server_rec *server, apr_pool_t *pool)
{
    apr_file_t *file = NULL;
    apr_status_t rv = apr_file_open(
        &file, path, APR_WRITE | APR_APPEND | APR_CREATE | APR_LARGEFILE | APR_FOPEN_NONBLOCK,
        APR_UREAD | APR_UWRITE | APR_GREAD, pool);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, server,
                     ACLOGNO(00231) "AccountAuditLog %s can't be opened%s", path,
                     rv == ENXIO ? ": nobody reads this named pipe; start its reader first" : "");
    }
    return rv == APR_SUCCESS ? file : NULL;
}

/* While the process is still what it was started as, and again at each restart. Servers that name
 * the same share it. */
static int open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *servers)
{
    apr_hash_t *opened = apr_hash_make(ptemp);
    server_rec *server;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    for (server = servers; server; server = server->next) {
        account_server_t *config = account_server_of(server);
        const char *log = config->audit_log;

        if (!log || is_word(log)) {
            continue;
        }
        config->audit_file = apr_hash_get(opened, log, APR_HASH_KEY_STRING);
        if (!config->audit_file) {
            config->audit_file =
                *log == '|' ? open_program(log, pconf) : open_file(log, server, pconf);
            apr_hash_set(opened, log, APR_HASH_KEY_STRING, config->audit_file);
        }
        if (!config->audit_file) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

/* A line is shorter than what a pipe takes as one (PIPE_BUF), so it goes in whole or not at all.
 * apr_file_write would wait as long as the program likes. */
static apr_status_t write_whole(apr_file_t *file, const char *line, apr_size_t length)
{
    struct pollfd room = {.events = POLLOUT};
    int waited = 0;
    ssize_t written;
    apr_status_t rv = apr_os_file_get(&room.fd, file);

    while (rv == APR_SUCCESS) {
        written = write(room.fd, line, length);
        if (written != -1) {
            return written == (ssize_t)length ? APR_SUCCESS : APR_ENOSPC;
        }
        rv = errno;
        if (rv == EINTR || (APR_STATUS_IS_EAGAIN(rv) && !waited)) {
            waited = waited || (rv != EINTR && poll(&room, 1, PATIENCE) != -1);
            rv = APR_SUCCESS;
        }
    }
    return rv;
}

/* What can't be written where it belongs stands in the error log: no event is lost in silence. */
static void write_line(const request_rec *r, const account_server_t *server, const char *line,
                       int is_warning)
{
    apr_status_t rv;

    if (!server->audit_file) {
        ap_log_error(APLOG_MARK, is_warning ? APLOG_WARNING : APLOG_NOTICE, 0, r->server,
                     ACLOGNO(00230) "%s", line);
        return;
    }
    rv = write_whole(server->audit_file, apr_pstrcat(r->pool, line, "\n", NULL), strlen(line) + 1);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, r->server,
                     ACLOGNO(00233) "this line can't be written to AccountAuditLog %s: %s",
                     server->audit_log, line);
    }
}

/* *audit has what the event is; the rest is the request's. */
static void say(request_rec *r, account_audit_t *audit)
{
    const account_server_t *server = account_server_of(r->server);
    const char *line;

    audit->now = apr_time_now();
    audit->realm = server->realm;
    audit->agent = apr_table_get(r->headers_in, "User-Agent");
    audit->address = r->useragent_ip;
    audit->host = r->server->server_hostname;
    audit->method = r->method;
    audit->uri = audit->uri ? audit->uri : r->uri;
    line = account_audit_line(audit, r->pool);
    if (line) {
        write_line(r, server, line, account_audit_is_warning(audit->event));
    }
}

static int is_off(const request_rec *r)
{
    const char *log = account_server_of(r->server)->audit_log;

    return log && strcmp(log, OFF) == 0;
}

void account_audit_event(request_rec *r, const char *event, const account_t *account,
                         const char *description)
{
    const account_caller_t *caller = &account_request_sent(r)->caller;
    account_audit_t audit = {
        .event = event,
        .description = description,
        .subject = account,
        .caller = caller->account,
        .session = caller->session ? caller->session->id : NULL,
    };

    if (!is_off(r)) {
        say(r, &audit);
    }
}

/* Where the path has parts of the client's choice, which may be secrets, they stand as {name}. */
static const char *path_of(const account_match_t *match, apr_pool_t *pool)
{
    return match->pairs ? account_mount_path(match->mount, match->route, pool) : NULL;
}

void account_audit_response(request_rec *r, const account_exchange_t *x,
                            const account_response_t *response)
{
    const account_answer_t *answer = &response->answer;
    const account_action_t *action = x->match->route->action;
    const account_audit_row_t *row = account_audit_find(action->name, answer->outcome);
    const char *caller_session = response->session ? response->session->id : NULL;
    const char *begun = answer->session_begun ? answer->session->id : NULL;
    account_audit_t audit = {
        .contract = x->match->mount->contract->name,
        .route = x->match->route->name,
        .subject = answer->subject         ? answer->subject
                   : answer->account       ? answer->account
                   : action->needs_session ? response->caller
                                           : NULL,
        .changed = answer->account,
        .caller = response->caller,
        .stranger = response->stranger,
        .uri = path_of(x->match, r->pool),
    };

    if (is_off(r) || response->failure != APR_SUCCESS || !row || !row->event) {
        return;
    }
    audit.event = row->event;
    audit.description = row->description;
    audit.outcome = apr_pstrcat(r->pool, account_outcomes[answer->outcome].name,
                                response->refused ? "." : "", response->refused, NULL);
    audit.session = begun && !action->needs_session ? begun : caller_session;
    say(r, &audit);
    if (begun) {
        audit.event = ACCOUNT_EVENT_SESSION_CREATED;
        audit.description = "a session began";
        audit.session = begun;
        say(r, &audit);
    }
    if (caller_session && (answer->session_ended || begun)
        && strcmp(row->event, ACCOUNT_EVENT_SESSION_EXPIRED) != 0) {
        audit.event = ACCOUNT_EVENT_SESSION_EXPIRED;
        audit.description = "the session that the request came with ended";
        audit.subject = response->caller;
        audit.session = caller_session;
        say(r, &audit);
    }
}

void account_audit_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_open_logs(open_logs, NULL, NULL, APR_HOOK_MIDDLE);
}
