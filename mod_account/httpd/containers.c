#include <apr_fnmatch.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <string.h>

#include "httpd/glue.h"

APLOG_USE_MODULE(account);

int account_directive_refused(const cmd_parms *cmd, const char **error)
{
    *error = NULL;
    if (!cmd->path) {
        return 0;
    }
    *error = apr_psprintf(cmd->pool,
                          "%s belongs into the server's configuration or a <VirtualHost>. It can't "
                          "stand in .htaccess, nor in a section such as <Directory> or <Location>, "
                          "because it holds for all folders and users that share these accounts. "
                          "What a folder may have: AccountMount CONTRACT, AuthType Account and "
                          "Require account",
                          cmd->cmd->name);
    if (cmd->override & NONFATAL_OVERRIDE) {
        ap_log_perror(APLOG_MARK, APLOG_WARNING, 0, cmd->temp_pool,
                      ACLOGNO(00250) "line %d of %s is ignored: %s", cmd->directive->line_num,
                      cmd->directive->filename, *error);
        *error = NULL;
    }
    return 1;
}

const char *account_misplaced_directive(cmd_parms *cmd, void *directory, const char *args)
{
    (void)directory, (void)args;
    return apr_psprintf(cmd->pool, "%s belongs inside an <AccountContract>%s", cmd->cmd->name,
                        *cmd->cmd->name == '<' ? ""
                                               : " (a template on several lines needs a backslash "
                                                 "at each line's end)");
}

/* httpd's tree as the compiler wants it. */
static account_line_t *copy_lines(const ap_directive_t *directive, apr_pool_t *pool)
{
    account_line_t *first = NULL;
    account_line_t **next = &first;

    for (; directive; directive = directive->next) {
        account_line_t *line = apr_pcalloc(pool, sizeof(*line));
        const char *bracket = strrchr(directive->args, '>');

        line->name = directive->directive;
        line->args = *line->name == '<' && bracket
                         ? apr_pstrmemdup(pool, directive->args, bracket - directive->args)
                         : directive->args;
        line->file = directive->filename;
        line->number = directive->line_num;
        line->origin = directive;
        line->children = copy_lines(directive->first_child, pool);
        *next = line;
        next = (account_line_t **)&line->next;
    }
    return first;
}

const char *account_contract_directive(cmd_parms *cmd, void *directory, const char *args)
{
    account_shared_t *shared = account_server_of(cmd->server)->shared;
    ap_directive_t alone = *cmd->directive;
    const account_contract_t *contract, *earlier;
    const account_line_t *at;
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)directory, (void)args;
    if (error) {
        return error;
    }
    alone.next = NULL;
    error = account_contract_compile(&contract, copy_lines(&alone, cmd->pool), &at, cmd->pool);
    if (error) {
        /* httpd names the line of err_directive */
        cmd->err_directive = at->origin == &alone ? cmd->directive : (ap_directive_t *)at->origin;
        return error;
    }
    earlier = apr_hash_get(shared->contracts, contract->name, APR_HASH_KEY_STRING);
    if (earlier) {
        return apr_psprintf(cmd->pool, "there is a contract %s already, at line %d of %s",
                            contract->name, earlier->line->number, earlier->line->file);
    }
    apr_hash_set(shared->contracts, contract->name, APR_HASH_KEY_STRING, contract);
    return NULL;
}

static const char *const *names_of(apr_hash_t *hash, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 8, sizeof(const char *));
    apr_hash_index_t *i;

    for (i = apr_hash_first(pool, hash); i; i = apr_hash_next(i)) {
        APR_ARRAY_PUSH(names, const char *) = apr_hash_this_key(i);
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return (const char *const *)names->elts;
}

static const char *const *names_of_routes(const account_contract_t *contract, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 16, sizeof(const char *));
    int i;

    for (i = 0; i < contract->routes->nelts; i++) {
        APR_ARRAY_PUSH(names, const char *) =
            APR_ARRAY_IDX(contract->routes, i, account_route_t *)->name;
    }
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return (const char *const *)names->elts;
}

/* Where the directive stands decides what the path is. */
typedef enum place_e { IN_SERVER, IN_LOCATION, IN_DIRECTORY, ELSEWHERE } place_e;

static place_e place_of(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive->parent;

    if (!cmd->path) {
        return IN_SERVER;
    }
    if (!parent) {
        return IN_DIRECTORY; /* .htaccess */
    }
    if (*cmd->path != '/' || *parent->args == '~' || apr_fnmatch_test(cmd->path)) {
        return ELSEWHERE;
    }
    if (strcasecmp(parent->directive, "<Directory") == 0) {
        return IN_DIRECTORY;
    }
    return strcasecmp(parent->directive, "<Location") == 0 ? IN_LOCATION : ELSEWHERE;
}

static const char *without_slash(const char *path, apr_pool_t *pool)
{
    apr_size_t length = strlen(path);

    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    return apr_pstrmemdup(pool, path, length);
}

static const char *add_mount(cmd_parms *cmd, account_directory_t *directory, account_mount_t *mount,
                             place_e place)
{
    apr_array_header_t **mounts = &account_server_of(cmd->server)->mounts;

    if (place == IN_DIRECTORY) {
        apr_size_t length = strlen(cmd->path);

        mounts = &directory->mounts;
        directory->directory = length && cmd->path[length - 1] == '/'
                                   ? cmd->path
                                   : apr_pstrcat(cmd->pool, cmd->path, "/", NULL);
        mount->path = "";
        if (!*mounts) {
            *mounts = apr_array_make(cmd->pool, 1, sizeof(account_mount_t *));
        }
    }
    APR_ARRAY_PUSH(*mounts, account_mount_t *) = mount;
    return NULL;
}

const char *account_mount_directive(cmd_parms *cmd, void *directory, int argc, char *const argv[])
{
    account_shared_t *shared = account_server_of(cmd->server)->shared;
    account_mount_t *mount = apr_pcalloc(cmd->pool, sizeof(*mount));
    place_e place = place_of(cmd);
    int words = place == IN_SERVER ? 1 : 0; /* before the contract's name */
    const char *contract;

    if (place == ELSEWHERE) {
        return "AccountMount can stand in a server, a <VirtualHost>, a <Location> or <Directory> "
               "without a pattern, and .htaccess";
    }
    if (argc < words + 1 || argc > words + 2 || (place == IN_SERVER) != (*argv[0] == '/')) {
        return place == IN_SERVER
                   ? "AccountMount takes /url-path contract [route]"
                   : "AccountMount takes contract [route] here: the path is that of the section";
    }
    contract = argv[words];
    mount->path = without_slash(place == IN_SERVER ? argv[0] : cmd->path, cmd->pool);
    mount->contract = apr_hash_get(shared->contracts, contract, APR_HASH_KEY_STRING);
    mount->server = cmd->server;
    mount->file = cmd->directive->filename;
    mount->line = cmd->directive->line_num;
    if (!mount->contract) {
        const char *near =
            account_line_suggest(contract, names_of(shared->contracts, cmd->pool), cmd->pool);

        return apr_psprintf(cmd->pool, "there is no contract %s%s%s", contract, near,
                            *near ? "" : ": Include its file before it is mounted");
    }
    if (argc > words + 1) {
        mount->only = account_contract_route(mount->contract, argv[words + 1]);
        if (!mount->only) {
            return apr_psprintf(
                cmd->pool, "the contract %s has no route %s%s", contract, argv[words + 1],
                account_line_suggest(argv[words + 1], names_of_routes(mount->contract, cmd->pool),
                                     cmd->pool));
        }
    }
    return add_mount(cmd, directory, mount, place);
}
