#ifdef HAVE_CURL

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "base/flight.h"
#include "base/letter.h"

/* Mail to an SMTP server. */

typedef struct smtp_t {
    const char *url;
    const char *protocol;
    long tls; /* CURLUSESSL_* */
    account_sender_t sender;
    const char *user;
    const char *password;
    const char *certificates;
} smtp_t;

static int prepare(const void *self, account_lane_t *lane)
{
    const smtp_t *smtp = self;
    account_parcel_t *parcel = lane->parcel;
    account_letter_t letter = {
        .sender = &smtp->sender,
        .to = parcel->to,
        .subject = parcel->subject,
        .text = parcel->text,
        .key = parcel->key,
        .date = apr_time_now(),
        .newline = "\r\n",
    };

    if (!account_letter_is_address(parcel->to)) {
        account_parcel_end(parcel, ACCOUNT_PARCEL_REFUSED, lane->dispatch->pool,
                           "its address is none");
        return 0;
    }
    lane->upload = account_letter_write(&letter, lane->pool);
    lane->list = curl_slist_append(NULL, apr_pstrcat(lane->pool, "<", parcel->to, ">", NULL));
    account_flight_set_protocol(lane->easy, smtp->protocol);
    account_flight_set_trust(lane->easy, smtp->certificates);
    curl_easy_setopt(lane->easy, CURLOPT_URL, smtp->url);
    curl_easy_setopt(lane->easy, CURLOPT_USE_SSL, smtp->tls);
    if (smtp->user) {
        curl_easy_setopt(lane->easy, CURLOPT_USERNAME, smtp->user);
        curl_easy_setopt(lane->easy, CURLOPT_PASSWORD, smtp->password);
    }
    curl_easy_setopt(lane->easy, CURLOPT_MAIL_FROM,
                     apr_pstrcat(lane->pool, "<", smtp->sender.address, ">", NULL));
    curl_easy_setopt(lane->easy, CURLOPT_MAIL_RCPT, lane->list);
    curl_easy_setopt(lane->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(lane->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)strlen(lane->upload));
    return 1;
}

/* Whether the server took the sender, so that what goes wrong now goes wrong for this letter: else
 * one recipient whose domain is slow to look up would close the way to all. */
static int is_accepted(const account_lane_t *lane)
{
    return lane->phase > ACCOUNT_PHASE_MAIL
           || (lane->phase == ACCOUNT_PHASE_MAIL && lane->code >= 200 && lane->code < 300);
}

/* What the server's no means: it, or this recipient, or this moment. */
static int meaning_of(const account_lane_t *lane)
{
    if (lane->phase == ACCOUNT_PHASE_HELLO || (lane->code == 421 && !is_accepted(lane))) {
        return ACCOUNT_PARCEL_DOWN;
    }
    if (lane->code < 500) {
        return ACCOUNT_PARCEL_FAILED;
    }
    /* It does not want our sender, whoever the recipient. */
    return lane->phase == ACCOUNT_PHASE_MAIL ? ACCOUNT_PARCEL_DOWN : ACCOUNT_PARCEL_REFUSED;
}

static void judge(const void *self, account_lane_t *lane, CURLcode result)
{
    const smtp_t *smtp = self;
    apr_pool_t *pool = lane->dispatch->pool;

    if (result == CURLE_OK) {
        lane->parcel->end = ACCOUNT_PARCEL_SENT;
    }
    else if (lane->code >= 400) {
        /* Only numbers: the server's words hold the recipient. */
        account_parcel_end(lane->parcel, meaning_of(lane), pool, "the server answered %d%s%s%s%s",
                           lane->code, *lane->detail ? " " : "", lane->detail,
                           *lane->command ? " to " : " at the start", lane->command);
    }
    else if (result == CURLE_PEER_FAILED_VERIFICATION) {
        account_parcel_end(
            lane->parcel, ACCOUNT_PARCEL_DOWN, pool, "%s; name its certificate with ca=FILE%s",
            account_flight_failure(lane, result),
            strcmp(smtp->protocol, "smtp") == 0 ? ", or do without TLS by tls=off" : "");
    }
    else if (is_accepted(lane)) {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_FAILED, pool, "no answer to %s: %s",
                           lane->command, account_flight_failure(lane, result));
    }
    else {
        account_parcel_end(lane->parcel, ACCOUNT_PARCEL_DOWN, pool, "%s",
                           account_flight_failure(lane, result));
    }
}

static void send_by_smtp(const void *self, account_dispatch_t *dispatch)
{
    account_flyer_t flyer = {self, ACCOUNT_COURIER_LANES, prepare, judge};

    /* libcurl waits for what a server says to a letter in one piece (smtp_done). */
    account_flight_send_apart(&flyer, dispatch);
}

/* tls=, whose default depends: a password is not to go out in clear because somebody in between
 * took the offer of STARTTLS away. */
static const char *read_tls(smtp_t *smtp, const char *tls)
{
    int is_smtps = strcmp(smtp->protocol, "smtps") == 0;

    if (is_smtps && tls) {
        return "smtps:// is TLS from the first byte on; leave tls= out";
    }
    if (!tls) {
        smtp->tls = is_smtps || smtp->user ? CURLUSESSL_ALL : CURLUSESSL_TRY;
    }
    else if (strcmp(tls, "try") == 0) {
        smtp->tls = CURLUSESSL_TRY;
    }
    else if (strcmp(tls, "required") == 0) {
        smtp->tls = CURLUSESSL_ALL;
    }
    else if (strcmp(tls, "off") == 0) {
        smtp->tls = CURLUSESSL_NONE;
    }
    else {
        return "tls= is try, required or off";
    }
    return NULL;
}

/* password=, or the first line of password-file=. */
static const char *read_password(smtp_t *smtp, const char *path,
                                 const account_transport_words_t *words, apr_pool_t *pool)
{
    account_words_file_t file = {path, 1, NULL};
    const char *error;

    if (smtp->password && path) {
        return "password= and password-file= can't both be given";
    }
    if (path) {
        error = account_words_file(words, &file, pool);
        if (error) {
            return error;
        }
        smtp->password = apr_pstrmemdup(pool, file.text, strcspn(file.text, "\r\n"));
        if (!*smtp->password) {
            return apr_psprintf(pool, "%s has no password in its first line", file.path);
        }
    }
    if (!smtp->user != !smtp->password) {
        return smtp->user ? "user= needs password= or password-file=" : "a password needs user=";
    }
    return NULL;
}

static const char *read_options(smtp_t *smtp, const account_transport_words_t *words,
                                apr_pool_t *pool)
{
    account_words_file_t ca = {NULL, 0, NULL};
    const char *tls = NULL;
    const char *password_file = NULL;
    const account_words_option_t options[] = {
        {"tls", &tls},
        {"user", &smtp->user},
        {"password", &smtp->password},
        {"password-file", &password_file},
        {"ca", &ca.path},
        {NULL, NULL},
    };
    const char *error = account_words_options(words, 2, options, pool);

    if (!error) {
        error = read_password(smtp, password_file, words, pool);
    }
    if (!error) {
        error = read_tls(smtp, tls);
    }
    if (!error && ca.path) {
        error = account_flight_trust(&smtp->certificates, &ca, words, pool);
    }
    return error;
}

/* All that matters but the password. */
static const char *name_of(const smtp_t *smtp, const account_transport_words_t *words,
                           apr_pool_t *pool)
{
    const char *name = smtp->url;
    const char *word;
    int i;

    for (i = 1; (word = account_words_at(words, i)); i++) {
        if (strncmp(word, "password=", sizeof("password=") - 1) != 0) {
            name = apr_pstrcat(pool, name, i == 1 ? " from " : " ", word, NULL);
        }
    }
    return name;
}

/* Whether the sender was left out; an option may stand in its place. */
static int is_missing(const char *sender)
{
    static const char *const options[] = {"tls=", "user=", "password=", "password-file=", "ca="};
    size_t i;

    for (i = 0; sender && i < sizeof(options) / sizeof(options[0]); i++) {
        if (strncasecmp(sender, options[i], strlen(options[i])) == 0) {
            return 1;
        }
    }
    return !sender;
}

const char *account_smtp_parse(account_transport_t *transport,
                               const account_transport_words_t *words, apr_pool_t *pool)
{
    smtp_t *smtp = apr_pcalloc(pool, sizeof(*smtp));
    const char *address = account_words_at(words, 0);
    const char *sender = account_words_at(words, 1);
    const char *host = strstr(address, "://") + 3;
    apr_size_t length = strlen(host);
    const char *error;

    if (!words->is_mail) {
        return "smtp:// is for mail; SMS go to a gateway (https://…), |PROGRAM or file:/PATH";
    }
    if (length > 0 && host[length - 1] == '/') {
        length--;
    }
    smtp->protocol = strncasecmp(address, "smtps", 5) == 0 ? "smtps" : "smtp";
    host = apr_pstrmemdup(pool, host, length);
    smtp->url = apr_pstrcat(pool, smtp->protocol, "://", host, NULL);
    error = account_words_host(host);
    if (!error && is_missing(sender)) {
        error = "a sender is needed, the second word: \"Shop <shop@example.com>\"";
    }
    if (!error) {
        error = account_sender_parse(&smtp->sender, sender, pool);
    }
    if (!error) {
        error = read_options(smtp, words, pool);
    }
    if (!error) {
        error = account_flight_begin(pool);
    }
    transport->name = error ? NULL : name_of(smtp, words, pool);
    transport->identity = smtp->password ? account_words_digest(smtp->password, 32, pool) : NULL;
    transport->self = smtp;
    transport->send = send_by_smtp;
    return error ? apr_pstrcat(pool, smtp->protocol, "://…: ", error, NULL) : NULL;
}

#endif
