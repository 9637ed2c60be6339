#ifdef HAVE_CURL

#include "base/flight.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/clock.h"

#define STEP_MS 100
#define MOST_SOCKETS 64
#define MOST_BUNDLE_BYTES (4 * 1024 * 1024)

/* Everything of one dispatch. */
typedef struct flight_t {
    const account_flyer_t *flyer;
    account_dispatch_t *dispatch;
    CURLM *multi;
    account_lane_t lanes[ACCOUNT_COURIER_LANES];
    int active;
    apr_time_t abort_at;                 /* monotonic; 0: the server does not stop */
    int next;                            /* the next parcel to start */
    curl_socket_t sockets[MOST_SOCKETS]; /* those open now */
    int socket_count;
} flight_t;

/* ------------------------------------------------------------- the process */

static apr_status_t end_curl(void *nothing)
{
    (void)nothing;
    curl_global_cleanup();
    return APR_SUCCESS;
}

const char *account_flight_begin(apr_pool_t *pool)
{
    /* Counted by libcurl: each is undone by one end_curl. */
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
        return "libcurl can't be initialised";
    }
    apr_pool_cleanup_register(pool, NULL, end_curl, apr_pool_cleanup_null);
    return NULL;
}

/* The system's certificates as one text, NULL: it has no such file (but a folder, perhaps, which
 * libcurl looks into anyway). */
static const char *system_trust(apr_pool_t *pool)
{
    const char *path = curl_version_info(CURLVERSION_NOW)->cainfo;
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length = 0;
    char *text = NULL;

    if (!path
        || apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_file_info_get(&info, APR_FINFO_SIZE, file) == APR_SUCCESS
        && info.size <= MOST_BUNDLE_BYTES) {
        text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
        apr_file_read_full(file, text, (apr_size_t)info.size, &length);
        text[length] = '\0';
    }
    apr_file_close(file);
    return text;
}

/* How many certificates a text of PEM holds; minus n: the n-th can't be read. */
static int count_certificates(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate;
    unsigned long error;
    int count = 0;

    ERR_clear_error();
    while (bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, (char *)""))) {
        X509_free(certificate);
        count++;
    }
    error = ERR_peek_last_error();
    ERR_clear_error();
    BIO_free(bio);
    /* It ends by finding no further one. */
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
               ? count
               : -count - 1;
}

const char *account_flight_trust(const char **certificates, account_words_file_t *file,
                                 const account_transport_words_t *words, apr_pool_t *pool)
{
    const char *error = account_words_file(words, file, pool);
    const char *system;
    int count;

    if (error) {
        return error;
    }
    count = count_certificates(file->text);
    if (count == 0) {
        return apr_psprintf(pool, "%s holds no certificate (-----BEGIN CERTIFICATE-----)",
                            file->path);
    }
    if (count < 0) {
        return apr_psprintf(pool,
                            "%s: certificate %d in it can't be read: it is no PEM, or damaged",
                            file->path, -count);
    }
    system = system_trust(pool);
    *certificates = apr_pstrcat(pool, system ? system : "", "\n", file->text, NULL);
    return NULL;
}

void account_flight_set_trust(CURL *easy, const char *certificates)
{
    struct curl_blob blob = {(void *)certificates, 0, CURL_BLOB_NOCOPY};

    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least */
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (certificates) {
        blob.len = strlen(certificates);
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
}

void account_flight_set_protocol(CURL *easy, const char *protocol)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocol);
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, protocol);
#else
    long which = strcmp(protocol, "smtp") == 0    ? CURLPROTO_SMTP
                 : strcmp(protocol, "smtps") == 0 ? CURLPROTO_SMTPS
                 : strcmp(protocol, "http") == 0  ? CURLPROTO_HTTP
                                                  : CURLPROTO_HTTPS;

    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, which);
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, which);
#endif
}

/* ----------------------------------------------------------- callbacks */

/* Sockets are ours: no program that another thread starts meanwhile is to have them, and goodbye
 * needs them. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    flight_t *flight = data;
    curl_socket_t opened;

    (void)purpose;
    if (flight->socket_count == MOST_SOCKETS) {
        return CURL_SOCKET_BAD;
    }
    opened = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (opened != CURL_SOCKET_BAD) {
        flight->sockets[flight->socket_count++] = opened;
    }
    return opened;
}

static int close_socket(void *data, curl_socket_t closed)
{
    flight_t *flight = data;
    int i;

    for (i = 0; i < flight->socket_count; i++) {
        if (flight->sockets[i] == closed) {
            flight->sockets[i] = flight->sockets[--flight->socket_count];
            break;
        }
    }
    return close(closed);
}

static size_t give(char *buffer, size_t size, size_t count, void *data)
{
    account_lane_t *lane = data;
    size_t left = lane->upload ? strlen(lane->upload + lane->at) : 0;
    size_t length = size * count < left ? size * count : left;

    if (length > 0) {
        memcpy(buffer, lane->upload + lane->at, length);
        lane->at += length;
    }
    return length;
}

/* Back to the start, for a connection that turned out to be dead. */
static int rewind_upload(void *data, curl_off_t offset, int origin)
{
    account_lane_t *lane = data;

    if (origin != SEEK_SET || offset < 0 || !lane->upload
        || (apr_size_t)offset > strlen(lane->upload)) {
        return CURL_SEEKFUNC_FAIL;
    }
    lane->at = (apr_size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* A return that is too small ends the transfer. */
static size_t take(char *bytes, size_t size, size_t count, void *data)
{
    account_lane_t *lane = data;
    size_t room = ACCOUNT_FLIGHT_REPLY_BYTES - lane->reply_length;
    size_t length = size * count < room ? size * count : room;

    memcpy(lane->reply + lane->reply_length, bytes, length);
    lane->reply_length += length;
    lane->reply[lane->reply_length] = '\0';
    lane->is_cut |= length < size * count;
    return length;
}

static const struct {
    const char *name;
    account_phase_e phase;
} commands[] = {
    {"EHLO", ACCOUNT_PHASE_HELLO}, {"HELO", ACCOUNT_PHASE_HELLO}, {"STARTTLS", ACCOUNT_PHASE_HELLO},
    {"AUTH", ACCOUNT_PHASE_HELLO}, {"MAIL", ACCOUNT_PHASE_MAIL},  {"RCPT", ACCOUNT_PHASE_RCPT},
    {"DATA", ACCOUNT_PHASE_DATA},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* A command that is sent. */
static void note_command(account_lane_t *lane, const char *bytes, size_t length)
{
    size_t i;

    if (length >= 4 && strncasecmp(bytes, "QUIT", 4) == 0) {
        /* libcurl waits for the answer with everything else standing still. */
        curl_easy_setopt(lane->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, 1L);
        return;
    }
    /* Answers in a dialogue of AUTH look like no command, and are secrets. */
    for (i = 0; i < COMMANDS; i++) {
        size_t known = strlen(commands[i].name);

        if (length > known && strncasecmp(bytes, commands[i].name, known) == 0
            && isspace((unsigned char)bytes[known])) {
            lane->command = commands[i].name;
            lane->phase = commands[i].phase;
        }
    }
    lane->code = 0;
    lane->detail[0] = '\0';
}

/* A line of an answer: three digits, perhaps "5.1.1" behind them. */
static void note_answer(account_lane_t *lane, const char *bytes, size_t length)
{
    size_t i;

    if (length < 3 || !isdigit((unsigned char)bytes[0]) || !isdigit((unsigned char)bytes[1])
        || !isdigit((unsigned char)bytes[2])) {
        return;
    }
    if (lane->phase != ACCOUNT_PHASE_HELLO && lane->code >= 400) {
        return; /* what comes after a no is the answer to QUIT */
    }
    lane->code = (bytes[0] - '0') * 100 + (bytes[1] - '0') * 10 + bytes[2] - '0';
    for (i = 4; i < length && i - 4 < sizeof(lane->detail) - 1
                && (isdigit((unsigned char)bytes[i]) || bytes[i] == '.');
         i++) {
        lane->detail[i - 4] = bytes[i];
    }
    lane->detail[i < 4 ? 0 : i - 4] = '\0';
    if (lane->detail[0] != bytes[0] || lane->detail[1] != '.') {
        lane->detail[0] = '\0';
    }
}

/* libcurl tells only the last answer's number, not to which command it was. */
static int listen_in(CURL *easy, curl_infotype type, char *bytes, size_t length, void *data)
{
    (void)easy;
    if (type == CURLINFO_HEADER_OUT) {
        note_command(data, bytes, length);
    }
    else if (type == CURLINFO_HEADER_IN) {
        note_answer(data, bytes, length);
    }
    return 0;
}

/* Whether the server stops and what is on its way has had the time to end. */
static int is_late(flight_t *flight)
{
    if (!flight->abort_at && flight->dispatch->stopping(flight->dispatch->baton)) {
        flight->abort_at = account_clock_monotonic() + ACCOUNT_COURIER_FAREWELL;
    }
    return flight->abort_at && account_clock_monotonic() >= flight->abort_at;
}

/* libcurl asks this even while it waits for one server with everything else standing still. */
static int give_up(void *data, curl_off_t down, curl_off_t downloaded, curl_off_t up,
                   curl_off_t uploaded)
{
    (void)down;
    (void)downloaded;
    (void)up;
    (void)uploaded;
    return is_late(data);
}

/* ------------------------------------------------------------- the flight */

const char *account_flight_failure(account_lane_t *lane, CURLcode result)
{
    char *text, *at;

    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_USE_SSL_FAILED:
        text = apr_pstrdup(lane->dispatch->pool,
                           lane->error[0] ? lane->error : curl_easy_strerror(result));
        break;
    default: /* libcurl's own words could be the server's */
        text = apr_pstrdup(lane->dispatch->pool, curl_easy_strerror(result));
    }
    for (at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7E) {
            *at = '?';
        }
    }
    return text;
}

/* What holds for every transfer. */
static void set_common(flight_t *flight, account_lane_t *lane)
{
    CURL *easy = lane->easy;

    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ACCOUNT_COURIER_SECONDS * 1000L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ACCOUNT_COURIER_CONNECT_SECONDS * 1000L);
    curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)ACCOUNT_COURIER_SECONDS);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* none from the environment */
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, flight);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, flight);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(easy, CURLOPT_READDATA, lane);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_upload);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, lane);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, give_up);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, flight);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, listen_in);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, lane);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A resolver that is stuck is left behind, not waited for. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static void release(flight_t *flight, account_lane_t *lane)
{
    curl_multi_remove_handle(flight->multi, lane->easy);
    curl_slist_free_all(lane->list);
    lane->list = NULL;
    lane->parcel = NULL;
    flight->active--;
}

/* Puts a parcel on its way; one that can't be ends here. */
static void start(flight_t *flight, account_lane_t *lane, account_parcel_t *parcel)
{
    int added = 0;

    lane->easy = lane->easy ? lane->easy : curl_easy_init();
    if (!lane->easy) {
        account_parcel_end(parcel, ACCOUNT_PARCEL_DOWN, flight->dispatch->pool, "out of memory");
        return;
    }
    if (!lane->pool) {
        apr_pool_create(&lane->pool, flight->dispatch->pool);
    }
    apr_pool_clear(lane->pool);
    lane->dispatch = flight->dispatch;
    lane->parcel = parcel;
    lane->upload = NULL;
    lane->at = 0;
    lane->reply = apr_palloc(lane->pool, ACCOUNT_FLIGHT_REPLY_BYTES + 1);
    lane->reply[0] = '\0';
    lane->reply_length = 0;
    lane->is_cut = 0;
    lane->error[0] = lane->detail[0] = '\0';
    lane->command = "";
    lane->phase = ACCOUNT_PHASE_HELLO;
    lane->code = 0;
    set_common(flight, lane);
    if (flight->flyer->prepare(flight->flyer->self, lane)) {
        added = curl_multi_add_handle(flight->multi, lane->easy) == CURLM_OK;
        if (!added) {
            account_parcel_end(parcel, ACCOUNT_PARCEL_DOWN, flight->dispatch->pool,
                               "out of memory");
        }
    }
    flight->active++;
    if (!added) {
        release(flight, lane);
    }
}

/* Takes in what has ended. */
static void collect(flight_t *flight)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(flight->multi, &left))) {
        CURLcode result = message->data.result;
        account_lane_t *lane = NULL;

        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&lane);
            if (result == CURLE_WRITE_ERROR && lane->is_cut) {
                result = CURLE_OK;
            }
            if (result != CURLE_ABORTED_BY_CALLBACK) {
                flight->flyer->judge(flight->flyer->self, lane, result);
            }
            release(flight, lane);
        }
    }
}

/* Ends what is left open. libcurl says goodbye to SMTP servers and waits for their answer, two
 * minutes if need be: it reads the end instead. */
static void clean_up(flight_t *flight, int is_stopping)
{
    int i;

    for (i = 0; i < ACCOUNT_COURIER_LANES; i++) {
        if (flight->lanes[i].parcel) {
            release(flight, &flight->lanes[i]);
        }
    }
    for (i = 0; i < flight->socket_count; i++) {
        shutdown(flight->sockets[i], is_stopping ? SHUT_RDWR : SHUT_RD);
    }
    for (i = 0; i < ACCOUNT_COURIER_LANES; i++) {
        if (flight->lanes[i].easy) {
            curl_easy_cleanup(flight->lanes[i].easy);
        }
        if (flight->lanes[i].pool) {
            apr_pool_destroy(flight->lanes[i].pool);
        }
    }
    curl_multi_cleanup(flight->multi);
}

void account_flight_send(const account_flyer_t *flyer, account_dispatch_t *dispatch)
{
    flight_t *flight = apr_pcalloc(dispatch->pool, sizeof(*flight));
    int running, i;

    flight->flyer = flyer;
    flight->dispatch = dispatch;
    flight->multi = curl_multi_init();
    if (!flight->multi) {
        for (i = 0; i < dispatch->count; i++) {
            account_parcel_end(&dispatch->parcels[i], ACCOUNT_PARCEL_DOWN, dispatch->pool,
                               "out of memory");
        }
        return;
    }
    while (!is_late(flight)) {
        for (i = 0; i < flyer->lanes && !flight->abort_at; i++) {
            while (!flight->lanes[i].parcel && flight->next < dispatch->count) {
                start(flight, &flight->lanes[i], &dispatch->parcels[flight->next++]);
            }
        }
        if (flight->active == 0) {
            break;
        }
        curl_multi_perform(flight->multi, &running);
        i = flight->active;
        collect(flight);
        if (flight->active == i) {
            curl_multi_poll(flight->multi, NULL, 0, STEP_MS, NULL);
        }
    }
    clean_up(flight, flight->abort_at != 0);
}

#endif
