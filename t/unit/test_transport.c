/* base/transport, base/letter and base/recipe. */

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/letter.h"
#include "base/recipe.h"
#include "base/transport.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The directory of this run; in a variable of its own for resolve(), which gets no baton. */
static char *directory(void)
{
    static char path[] = "/tmp/test_transport.XXXXXX";
    static int made;

    if (!made) {
        made = 1;
        if (!mkdtemp(path)) {
            abort();
        }
    }
    return path;
}

static const char *in_directory(apr_pool_t *pool, const char *name)
{
    return *name == '/' ? name : apr_pstrcat(pool, directory(), "/", name, NULL);
}

static const char *spew(apr_pool_t *pool, const char *name, const char *text, int mode)
{
    const char *path = in_directory(pool, name);
    FILE *file = fopen(path, "w");

    if (!file || fputs(text, file) == EOF || fclose(file) != 0 || chmod(path, (mode_t)mode) != 0) {
        abort();
    }
    return path;
}

static const char *slurp(apr_pool_t *pool, const char *name)
{
    FILE *file = fopen(in_directory(pool, name), "r");
    char *text = apr_pcalloc(pool, 20001);

    if (file) {
        text[fread(text, 1, 20000, file)] = '\0';
        fclose(file);
    }
    return text;
}

/* The words of a directive: those of text, with | between. */
static const char *parse(account_transport_t **transport, const char *text, int is_mail,
                         apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 8, sizeof(const char *));
    account_transport_words_t words = {list, is_mail, in_directory};
    char *rest = apr_pstrdup(pool, text);
    char *end;

    for (; rest; rest = end) {
        end = strstr(rest, " ~ ");
        if (end) {
            *end = '\0';
            end += 3;
        }
        APR_ARRAY_PUSH(list, const char *) = rest;
    }
    *transport = NULL;
    return account_transport_parse(transport, &words, pool);
}

#ifdef HAVE_CURL

/* ------------------------------------------------------------- the words */

/* Some certificate, as PEM. */
static const char *certificate(apr_pool_t *pool)
{
    EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
    EVP_PKEY *key = NULL;
    X509 *made = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text;
    char *bytes;
    long length;

    if (EVP_PKEY_keygen_init(generator) != 1 || EVP_PKEY_keygen(generator, &key) != 1) {
        abort();
    }
    EVP_PKEY_CTX_free(generator);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, key);
    if (!X509_sign(made, key, NULL) || !PEM_write_bio_X509(bio, made)) {
        abort();
    }
    length = BIO_get_mem_data(bio, &bytes);
    text = apr_pstrmemdup(pool, bytes, (apr_size_t)length);
    BIO_free(bio);
    X509_free(made);
    EVP_PKEY_free(key);
    return text;
}

static void test_words(apr_pool_t *pool)
{
    static const struct {
        int is_mail;
        const char *words; /* ~ between them */
        const char *error; /* a part of it; NULL: right */
    } table[] = {
        {1, "ftp://host", "no address of a known kind"},
        {1, "mail.example.com", "no address of a known kind"},
        {1, "", "no address of a known kind"},
        {1, "smtp://localhost:25", "a sender is needed"},
        {1, "smtp://localhost:25 ~ Shop", "no e-mail address"},
        {1, "smtp://localhost:25 ~ Shop <shop>", "no e-mail address"},
        {1, "smtp://localhost:25 ~ Shop <a@b> x", "is not \"Shop <shop@example.com>\""},
        {1, "smtp://localhost:25 ~ Shop <a@b\r\nBcc: c@d>", "control character"},
        {1, "smtp://localhost:25 ~ a@b@c", "no e-mail address"},
        {1, "smtp:// ~ Shop <a@b.c>", "is no host"},
        {1, "smtp://u:p@localhost ~ a@b.c", "user name or a password"},
        {1, "smtp://localhost/box ~ a@b.c", "is not HOST or HOST:PORT"},
        {1, "smtp://localhost:70000 ~ a@b.c", "is not HOST or HOST:PORT"},
        {1, "smtp://localhost:0 ~ a@b.c", "is not HOST or HOST:PORT"},
        {1, "smtp://localhost:2x ~ a@b.c", "is not HOST or HOST:PORT"},
        {1, "smtp://[::1 ~ a@b.c", "is no host"},
        {1, "smtp://localhost ~ a@b.c ~ tls=maybe", "tls= is try, required or off"},
        {1, "smtp://localhost ~ a@b.c ~ colour=red", "there is no option colour="},
        {1, "smtp://localhost ~ a@b.c ~ secret-word", "word 3 is no option NAME=VALUE"},
        {1, "smtp://localhost ~ a@b.c ~ tls=off ~ tls=off", "tls= is given twice"},
        {1, "smtp://localhost ~ a@b.c ~ user=", "user= has no value"},
        {1, "smtp://localhost ~ a@b.c ~ user=u", "user= needs password="},
        {1, "smtp://localhost ~ a@b.c ~ password=p", "a password needs user="},
        {1, "smtp://localhost ~ a@b.c ~ user=u ~ password=p ~ password-file=x",
         "can't both be given"},
        {1, "smtp://localhost ~ a@b.c ~ user=u ~ password-file=none", "none can't be opened"},
        {1, "smtp://localhost ~ a@b.c ~ user=u ~ password-file=open", "run chmod 600"},
        {1, "smtp://localhost ~ a@b.c ~ user=u ~ password-file=blank", "no password in its first"},
        {1, "smtp://localhost ~ a@b.c ~ ca=closed", "holds no certificate"},
        {1, "smtp://localhost ~ a@b.c ~ ca=broken.pem", "certificate 1 in it can't be read"},
        {1, "smtp://localhost ~ a@b.c ~ ca=cut.pem", "certificate 2 in it can't be read"},
        {1, "smtp://localhost ~ a@b.c ~ ca=whole.pem", NULL},
        {1, "SMTP://bob:s3cret@localhost ~ a@b.c", "user name or a password"},
        {1, "Https://bob:s3/cret@localhost/x ~ right.json", "is not HOST or HOST:PORT"},
        {1, "smtp://bob:s3cret", "is not HOST or HOST:PORT"},
        {1, "smtp://s3cret!", "is not HOST or HOST:PORT"},
        {1, "smtp://!s3cret", "is no host"},
        {0, "smtp://bob:s3cret@localhost", "is for mail"},
        {1, "smpt://bob:s3cret@localhost", "no address of a known kind"},
        {1, "smtp://localhost ~ password=s3cret", "a sender is needed"},
        {1, "smtp://localhost ~ password=s3cret@x ~ user=u", "a sender is needed"},
        {1, "smtp://localhost ~ s3cret", "no e-mail address"},
        {1, "smtp://localhost ~ <s3cret", "is not \"Shop <shop@example.com>\""},
        {1, "smtp://localhost ~ a@b.c ~ S3cret==", "word 3 is no option that there is"},
        {0, "https://localhost ~ password=s3cret", "a request template is needed"},
        {0, "https://localhost ~ ca=closed", "a request template is needed"},
        {0, "https://localhost ~ right.json ~ password=s3cret", "there is no option password="},
        {1, "|/bin/sh 's3cret ~ a@b.c", "a quote is not closed"},
        {1, "|KEY=s3cret /bin/sh ~ a@b.c", "must be absolute"},
        {1, "|/bin/sh ~ s3cret", "no e-mail address"},
        {1, "SMTPS://LocalHost ~ a@b.c", NULL},
        {1, "File:lines", NULL},
        {1, "smtps://localhost ~ a@b.c ~ tls=off", "leave tls= out"},
        {0, "smtp://localhost ~ a@b.c", "is for mail"},
        {1, "smtp://localhost ~ a@b.c", NULL},
        {1, "smtp://localhost:25/ ~ Shop <a@b.c> ~ tls=required", NULL},
        {1, "smtp://[::1]:2525 ~ \"Shop, Inc\" <a@b.c>", NULL},
        {1, "smtps://localhost ~ a@b.c ~ user=u ~ password=p", NULL},
        {1, "smtp://localhost ~ a@b.c ~ user=u ~ password-file=closed", NULL},
        {0, "https://host/send", "a request template is needed"},
        {0, "https://host/send ~ none.json", "none.json can't be opened"},
        {0, "https://host/send?key=1 ~ right.json", "belongs into the template"},
        {0, "https://host/se nd ~ right.json", "must be written as %XX"},
        {0, "https://u:p@host/send ~ right.json", "user name or a password"},
        {0, "https:///send ~ right.json", "is no host"},
        {0, "https://host:port/send ~ right.json", "is not HOST or HOST:PORT"},
        {0, "https://host/send ~ right.json ~ tls=off", "there is no option tls="},
        {0, "https://host/send ~ right.json ~ ca=none", "none can't be opened"},
        {0, "https://host/send ~ wrong.json", "wrong.json: nothing in it says whom"},
        {0, "https://host/send ~ right.json", NULL},
        {1, "http://host:8080 ~ right.json", NULL},
        {0, "|program", "must be absolute"},
        {0, "|", "no program"},
        {0, "|   ", "no program"},
        {0, "|/bin/sh 'a", "a quote is not closed"},
        {0, "|/nowhere/program", "No such file"},
        {0, "|/etc/passwd", "chmod +x"},
        {0, "|/bin", "no program that can be run"},
        {0, "|/bin/sh ~ -c", "too many words"},
        {1, "|/bin/sh", "needs a sender"},
        {1, "|/bin/sh ~ Shop", "no e-mail address"},
        {1, "|/bin/sh ~ a@b.c ~ more", "too many words"},
        {0, "|/bin/sh -c 'exit 0'", NULL},
        {1, "|/bin/sh -c 'exit 0' ~ Shop <a@b.c>", NULL},
        {0, "file:", "names no file"},
        {0, "file:/tmp", "is a folder"},
        {0, "file:/nowhere/x", "there is no folder /nowhere"},
        {0, "file:lines ~ more", "no further words"},
        {1, "file:lines ~ Shop <shop@example.com> ~ more", "no further words"},
        {0, "file:lines", NULL},
        {1, "file:///tmp/lines", NULL},
    };
    size_t i;

    spew(pool, "open", "secret\n", 0644);
    spew(pool, "broken.pem", "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n",
         0600);
    spew(pool, "whole.pem", certificate(pool), 0600);
    spew(pool, "cut.pem",
         apr_pstrcat(pool, certificate(pool), apr_pstrndup(pool, certificate(pool), 200), NULL),
         0600);
    spew(pool, "blank", "\nsecret\n", 0600);
    spew(pool, "closed", "secret\nmore\n", 0600);
    spew(pool, "right.json", "{\"query\": {\"to\": \"%{to}\", \"text\": \"%{text}\"}}", 0600);
    spew(pool, "wrong.json", "{\"query\": {\"text\": \"%{text}\"}}", 0600);
    for (i = 0; i < COUNT(table); i++) {
        account_transport_t *transport;
        const char *error = parse(&transport, table[i].words, table[i].is_mail, pool);

        if (table[i].error) {
            ok(error && strstr(error, table[i].error) && !transport, "refused: %s: %s",
               strstr(table[i].words, "\r") ? "a line break" : table[i].words, table[i].error);
            ok(!error || !strcasestr(error, "s3cret"), "and tells no secret");
            if (!error || !strstr(error, table[i].error)) {
                diag("%s", error ? error : "taken");
            }
        }
        else {
            is_str(error, NULL, "taken: %s", table[i].words);
        }
    }
}

static void test_names(apr_pool_t *pool)
{
    static const struct {
        int is_mail;
        const char *words;
        const char *name; /* of D, the directory, as %s */
    } table[] = {
        {1, "smtp://localhost ~ Shop <a@b.c> ~ user=u ~ password=secret",
         "smtp://localhost from Shop <a@b.c> user=u"},
        {1, "smtp://localhost ~ a@b.c ~ user=u ~ password-file=closed",
         "smtp://localhost from a@b.c user=u password-file=closed"},
        {0, "|/bin/sh", "|/bin/sh"},
    };
    account_transport_t *one, *two;
    size_t i;

    for (i = 0; i < COUNT(table); i++) {
        parse(&one, table[i].words, table[i].is_mail, pool);
        is_str(account_transport_name(one), table[i].name, "the name of %s", table[i].words);
    }
    parse(&one, "|/bin/sh -c secret", 0, pool);
    parse(&two, "|/bin/sh -c secret2", 0, pool);
    ok(strcmp(account_transport_name(one), account_transport_name(two)) != 0,
       "arguments tell two programs apart");
    ok(!strstr(account_transport_name(one), "secret"), "and are not told");
    parse(&two, "|/bin/sh -c secret", 0, pool);
    is_str(account_transport_name(one), account_transport_name(two), "the same gets the same name");
    parse(&one, "https://host:81/key/s3cret ~ right.json", 0, pool);
    parse(&two, "https://host:81/key/s3cret ~ right.json", 0, pool);
    ok(account_transport_is_same(one, two), "a gateway is the same as itself");
    ok(strncmp(account_transport_name(one), "https://host:81 (", 17) == 0
           && !strstr(account_transport_name(one), "s3cret"),
       "a gateway's path, which may hold a key, is not told");
    parse(&two, "https://host:81/key/other ~ right.json", 0, pool);
    ok(!account_transport_is_same(one, two), "but tells two apart");
    ok(strcmp(account_transport_name(one), account_transport_name(two)) != 0, "in the log too");
    spew(pool, "also.json", slurp(pool, "right.json"), 0600);
    parse(&two, "https://host:81/key/s3cret ~ also.json", 0, pool);
    ok(!account_transport_is_same(one, two), "as does its template");
    parse(&one, "smtp://localhost ~ a@b.c ~ user=u ~ password=one", 1, pool);
    parse(&two, "smtp://localhost ~ a@b.c ~ user=u ~ password=two", 1, pool);
    is_str(account_transport_name(one), account_transport_name(two), "passwords are in no name");
    ok(!account_transport_is_same(one, two), "but tell two servers apart");
    parse(&two, "SMTP://localhost/ ~ a@b.c ~ user=u ~ password=one", 1, pool);
    ok(account_transport_is_same(one, two), "letters of a scheme do not");
    parse(&two, "smtp://localhost ~ a@b.c", 1, pool);
    ok(!account_transport_is_same(one, two), "nor is one without a password the same");
}

#else

static void test_words(apr_pool_t *pool)
{
    account_transport_t *transport;
    const char *error = parse(&transport, "https://host/send ~ right.json", 0, pool);

    ok(error && strstr(error, "built without libcurl: apt-get install libcurl4-openssl-dev"),
       "what is missing is told");
}

#endif

/* --------------------------------------------------------------- letters */

#define DATE APR_TIME_C(1790000000000000)

static void test_letter(apr_pool_t *pool)
{
    account_sender_t sender;
    account_letter_t letter = {
        .sender = &sender,
        .to = "to@example.org",
        .subject = "Your code",
        .text = "Code: 123456\n",
        .key = "00ff",
        .date = DATE,
        .newline = "\r\n",
    };
    const char *text;

    is_str(account_sender_parse(&sender, "Shop <shop@example.com>", pool), NULL, "a sender");
    is_str(account_letter_write(&letter, pool),
           "From: Shop <shop@example.com>\r\n"
           "To: to@example.org\r\n"
           "Subject: Your code\r\n"
           "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
           "Message-ID: <00ff@example.com>\r\n"
           "Auto-Submitted: auto-generated\r\n"
           "MIME-Version: 1.0\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: base64\r\n"
           "\r\n"
           "Q29kZTogMTIzNDU2DQo=\r\n",
           "a letter, byte for byte");

    account_sender_parse(&sender, "\"Shop, \\Inc\" <shop@example.com>", pool);
    letter.newline = "\n";
    letter.subject = "登录验证码：您正在登录某个名字很长的商店的网站";
    letter.text = "0123456789012345678901234567890123456789012345678901234567";
    is_str(account_letter_write(&letter, pool),
           "From: \"Shop, \\\\Inc\" <shop@example.com>\n"
           "To: to@example.org\n"
           "Subject: =?UTF-8?B?55m75b2V6aqM6K+B56CB77ya5oKo5q2j5Zyo55m75b2V5p+Q5Liq?=\n"
           " =?UTF-8?B?5ZCN5a2X5b6I6ZW/55qE5ZWG5bqX55qE572R56uZ?=\n"
           "Date: Mon, 21 Sep 2026 14:13:20 +0000\n"
           "Message-ID: <00ff@example.com>\n"
           "Auto-Submitted: auto-generated\n"
           "MIME-Version: 1.0\n"
           "Content-Type: text/plain; charset=utf-8\n"
           "Content-Transfer-Encoding: base64\n"
           "\n"
           "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\n"
           "Nw==\n",
           "what is not ASCII, a name with a comma, a long line");

    account_sender_parse(&sender, "商店 <shop@example.com>", pool);
    letter.subject = "Hello\r\nBcc: victim@example.com\r\n\r\nbody";
    letter.text = "a\r\n.\r\n";
    letter.key = "x>\r\nBcc: y";
    text = account_letter_write(&letter, pool);
    is_str(text,
           "From: =?UTF-8?B?5ZWG5bqX?= <shop@example.com>\n"
           "To: to@example.org\n"
           "Subject: Hello  Bcc: victim@example.com    body\n"
           "Date: Mon, 21 Sep 2026 14:13:20 +0000\n"
           "Message-ID: <x---Bcc--y@example.com>\n"
           "Auto-Submitted: auto-generated\n"
           "MIME-Version: 1.0\n"
           "Content-Type: text/plain; charset=utf-8\n"
           "Content-Transfer-Encoding: base64\n"
           "\n"
           "YQ0KLg0K\n",
           "no text makes a header");
    letter.subject = "=?UTF-8?B?eA==?=";
    ok(strstr(account_letter_write(&letter, pool),
              "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\n")
           != NULL,
       "what looks encoded is encoded");
    letter.subject = NULL;
    ok(strstr(account_letter_write(&letter, pool), "Subject: \n") != NULL, "no subject");
}

static void test_addresses(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        int is_address;
    } table[] = {
        {"a@b", 1},     {"a@例子.com", 1}, {"a", 0},     {"@b", 0},
        {"a@", 0},      {"a@b@c", 0},      {"a b@c", 0}, {"a@b\r\nBcc: c", 0},
        {"<a@b>", 0},   {"a@b>", 0},       {"a,b@c", 0}, {"a\"@b", 0},
        {"a@b\xff", 0}, {"a@b\t", 0},      {"", 0},      {"a:b@c", 0},
    };
    char *large = apr_pcalloc(pool, 300);
    size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_int(account_letter_is_address(table[i].text), table[i].is_address, "address %d", (int)i);
    }
    memset(large, 'a', 255);
    large[1] = '@';
    is_int(account_letter_is_address(large), 0, "255 bytes are no address");
    large[254] = '\0';
    is_int(account_letter_is_address(large), 1, "254 bytes are");
}

/* --------------------------------------------------------------- recipes */

#define TO_TEXT "\"query\": {\"to\": \"%{to}\", \"text\": \"%{text}\"}"

static void test_recipe_errors(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        const char *error; /* NULL: right */
    } table[] = {
        {"", "f is not valid JSON: line 1"},
        {"{\n\"query\": {,}}", "f is not valid JSON: line 2, column"},
        {"[]", "f: all of it: must be an object"},
        {"{\"form\": {}, \"form\": {}}", "duplicate object key"},
        {"{" TO_TEXT ", \"body \": \"x\"}", "f: body : there is no such member; there are method"},
        {"{" TO_TEXT ", \"method\": \"get\"}", "f: method: must be \"GET\""},
        {"{" TO_TEXT ", \"method\": 1}", "f: method: must be"},
        {"{\"query\": []}", "f: query: must be an object"},
        {"{\"query\": {\"a\": 1}}", "f: query.a: must be a string"},
        {"{\"form\": {\"a\": {}}}", "f: form.a: must be a string"},
        {"{\"query\": {\"a\": \"%{tox}\"}}", "f: query.a: there is no %{tox}; there are %{to}"},
        {"{\"query\": {\"a\": \"%{to\"}}", "f: query.a: there is no %{ without }"},
        {"{\"query\": {\"%{to}\": \"a\"}}", "f: query: the name \"%{to}\" can't have a slot"},
        {"{\"json\": {\"a\": [1, {\"b\": \"%{c}\"}]}}", "f: json.a[1].b: there is no %{c}"},
        {"{\"body\": {}}", "f: body: must be a string"},
        {"{\"body\": \"%{x}\"}", "f: body: there is no %{x}"},
        {"{" TO_TEXT ", \"headers\": {\"a b\": \"c\"}}", "f: headers.a b: is no name of a header"},
        {"{" TO_TEXT ", \"headers\": {\"\": \"c\"}}", "is no name of a header"},
        {"{" TO_TEXT ", \"headers\": {\"A\": \"b\\r\\nC: d\"}}", "f: headers.A: a header can't"},
        {"{" TO_TEXT ", \"headers\": {\"content-length\": \"1\"}}", "the server makes by itself"},
        {"{" TO_TEXT ", \"form\": {}, \"json\": 1}", "f: only one of form, json and body"},
        {"{" TO_TEXT ", \"method\": \"GET\", \"json\": 1}", "f: method: GET has no body"},
        {"{" TO_TEXT ", \"success\": []}", "f: success: must be an object"},
        {"{" TO_TEXT ", \"success\": {\"code\": 0}}", "f: success.code: there is no such member"},
        {"{" TO_TEXT ", \"success\": {\"status\": 200}}", "f: success.status: must be a list"},
        {"{" TO_TEXT ", \"success\": {\"status\": []}}", "f: success.status: must be a list"},
        {"{" TO_TEXT ", \"success\": {\"status\": [200, 99]}}", "f: success.status[1]: must be"},
        {"{" TO_TEXT ", \"success\": {\"status\": [\"200\"]}}", "f: success.status[0]: must be"},
        {"{" TO_TEXT ", \"success\": {\"json\": 0}}", "f: success.json: must be an object"},
        {"{" TO_TEXT ", \"success\": {\"json\": {}}}", "f: success.json: must be an object"},
        {"{" TO_TEXT ", \"success\": {\"json\": {\"a\": {}}}}", "f: success.json.a: must be a str"},
        {"{" TO_TEXT ", \"success\": {\"json\": {\"a..b\": 0}}}", "is no path"},
        {"{" TO_TEXT ", \"success\": {\"contains\": \"\"}}", "f: success.contains: must be a str"},
        {"{\"query\": {\"text\": \"%{text}\"}}", "f: nothing in it says whom"},
        {"{\"query\": {\"to\": \"%{to}\"}}", "f: nothing in it sends the message"},
        {"{" TO_TEXT "}", NULL},
        {"{\"body\": \"%{to}%{code}\"}", "f: some messages would arrive empty: add %{text}, or "
                                         "%{link}"},
        {"{\"body\": \"%{to}%{link}\"}", "f: some messages would arrive empty: add %{text}, or "
                                         "%{code}"},
        {"{\"body\": \"%{to}%{code}%{link}\"}", NULL},
        {"{\"json\": \"%{to} %{text}\", \"method\": \"PUT\"}", NULL},
        {"{" TO_TEXT ", \"success\": {\"status\": [200], \"json\": {\"a.0.b\": null}, "
         "\"contains\": \"OK\"}}",
         NULL},
    };
    size_t i;

    for (i = 0; i < COUNT(table); i++) {
        account_recipe_t *recipe = NULL;
        const char *error = account_recipe_parse(&recipe, table[i].text, "f", pool);

        if (!table[i].error) {
            is_str(error, NULL, "template %d is right", (int)i);
            ok(recipe != NULL, "template %d is compiled", (int)i);
        }
        else if (!ok(error && strstr(error, table[i].error) && !recipe, "refused: %s",
                     table[i].error)) {
            diag("%s", error ? error : "taken");
        }
    }
}

static account_parcel_t parcel(void)
{
    return (account_parcel_t){
        .key = "00ff",
        .channel = "sms",
        .to = "13800138000",
        .name = "code-login",
        .text = "\"a\"&b=c 验\\\n%{to}",
        .code = "123456",
    };
}

static const char *filled(const char *template, apr_pool_t *pool)
{
    account_recipe_t *recipe = NULL;
    account_parcel_t message = parcel();
    account_order_t order;
    const char *error = account_recipe_parse(&recipe, template, "f", pool);
    const char *text;
    int i;

    if (error) {
        return error;
    }
    if (!account_recipe_fill(recipe, &message, &order, pool)) {
        return "not filled";
    }
    text = apr_pstrcat(pool, order.method, " ", order.query ? order.query : "-", "\n", NULL);
    for (i = 0; i < order.headers->nelts; i++) {
        text = apr_pstrcat(pool, text, APR_ARRAY_IDX(order.headers, i, const char *), "\n", NULL);
    }
    return apr_pstrcat(pool, text, order.body ? order.body : "-", NULL);
}

static void test_recipe_fill(apr_pool_t *pool)
{
    static const struct {
        const char *template;
        const char *filled;
    } table[] = {
        {"{\"query\": {\"t o\": \"+86%{to}\", \"c\": \"%{code}%{link}%{code}\"}}",
         "GET t%20o=%2B8613800138000&c=123456123456\nIdempotency-Key: 00ff\n-"},
        {"{\"form\": {\"text\": \"%{text}\", \"to\": \"%{to}\"}}",
         "POST -\nContent-Type: application/x-www-form-urlencoded\nIdempotency-Key: 00ff\n"
         "text=%22a%22%26b%3Dc%20%E9%AA%8C%5C%0A%25%7Bto%7D&to=13800138000"},
        {"{\"json\": {\"text\": \"%{text}\", \"n\": [1, true, null, \"%{to}\", 0.5]}}",
         "POST -\nContent-Type: application/json\nIdempotency-Key: 00ff\n"
         "{\"text\":\"\\\"a\\\"&b=c 验\\\\\\n%{to}\",\"n\":[1,true,null,\"13800138000\",0.5]}"},
        {"{\"method\": \"PUT\", \"body\": \"<to>%{to}</to>%{text}\", \"headers\": "
         "{\"content-type\": \"text/xml\", \"X-Text\": \" %{text}  %{link} \", \"X-None\": \" "
         "%{link} \", "
         "\"idempotency-key\": "
         "\"%{channel}/%{template}/%{key}%{subject}\"}}",
         "PUT -\ncontent-type: text/xml\nX-Text: \"a\"&b=c 验\\ %{to}\nX-None: \n"
         "idempotency-key: sms/code-login/00ff\n<to>13800138000</to>\"a\"&b=c 验\\\n%{to}"},
    };
    account_recipe_t *recipe = NULL;
    account_parcel_t message = parcel();
    account_order_t order;
    size_t i;

    for (i = 0; i < COUNT(table); i++) {
        is_str(filled(table[i].template, pool), table[i].filled, "request %d", (int)i);
    }
    message.text = "\xff";
    account_recipe_parse(&recipe, "{\"json\": {\"a\": [\"%{text}\", \"%{to}\"]}}", "f", pool);
    is_int(account_recipe_fill(recipe, &message, &order, pool), 0, "a text that is not UTF-8");
}

static void test_recipe_judge(apr_pool_t *pool)
{
    static const struct {
        const char *success;
        int status;
        const char *reply;
        int is_success;
    } table[] = {
        {"{}", 200, "", 1},
        {"{}", 299, "x", 1},
        {"{}", 300, "", 0},
        {"{}", 199, "", 0},
        {"{}", 404, "", 0},
        {"{\"status\": [201, 409]}", 201, "", 1},
        {"{\"status\": [201, 409]}", 409, "", 1},
        {"{\"status\": [201, 409]}", 200, "", 0},
        {"{\"contains\": \"OK\"}", 200, "is OK.", 1},
        {"{\"contains\": \"OK\"}", 200, "is not", 0},
        {"{\"contains\": \"OK\"}", 500, "is OK.", 0},
        {"{\"json\": {\"code\": 0}}", 200, "{\"code\": 0}", 1},
        {"{\"json\": {\"code\": 0}}", 200, "{\"code\": 1}", 0},
        {"{\"json\": {\"code\": 0}}", 200, "{\"code\": \"0\"}", 0},
        {"{\"json\": {\"code\": 0}}", 200, "{}", 0},
        {"{\"json\": {\"code\": 0}}", 200, "[]", 0},
        {"{\"json\": {\"code\": 0}}", 200, "0", 0},
        {"{\"json\": {\"code\": 0}}", 200, "OK", 0},
        {"{\"json\": {\"code\": 0}}", 200, "", 0},
        {"{\"json\": {\"a.b\": true, \"c\": null}}", 200, "{\"a\": {\"b\": true}, \"c\": null}", 1},
        {"{\"json\": {\"a.b\": true, \"c\": null}}", 200, "{\"a\": {\"b\": true}}", 0},
        {"{\"json\": {\"a.0.b\": \"Ok\"}}", 200, "{\"a\": [{\"b\": \"Ok\"}]}", 1},
        {"{\"json\": {\"a.1.b\": \"Ok\"}}", 200, "{\"a\": [{\"b\": \"Ok\"}]}", 0},
        {"{\"json\": {\"a.x.b\": \"Ok\"}}", 200, "{\"a\": [{\"b\": \"Ok\"}]}", 0},
    };
    size_t i;

    for (i = 0; i < COUNT(table); i++) {
        account_recipe_t *recipe = NULL;
        const char *lacks = "not compiled";

        if (!account_recipe_parse(
                &recipe,
                apr_pstrcat(pool, "{" TO_TEXT ", \"success\": ", table[i].success, "}", NULL), "f",
                pool)) {
            lacks = account_recipe_judge(recipe, table[i].status, table[i].reply, pool);
        }
        ok(table[i].is_success ? !lacks : lacks != NULL, "%s: %d %s is %s", table[i].success,
           table[i].status, table[i].reply, table[i].is_success ? "success" : "none");
    }
}

/* --------------------------------------------------------------- sending */

typedef struct stop_t {
    apr_time_t at; /* monotonic; 0: never */
    int asked;
} stop_t;

static int stopping(void *baton)
{
    stop_t *stop = baton;

    stop->asked++;
    return stop->at && account_clock_monotonic() >= stop->at;
}

/* Sends count parcels like the first; seconds it took. */
static double deliver(const char *words, account_parcel_t *parcels, int count, stop_t *stop,
                      apr_pool_t *pool)
{
    account_dispatch_t dispatch = {parcels, count, stopping, stop, pool};
    account_transport_t *transport;
    const char *error = parse(&transport, words, strcmp(parcels[0].channel, "mail") == 0, pool);
    apr_time_t began = account_clock_monotonic();
    int i;

    if (error) {
        diag("%s", error);
        return -1;
    }
    for (i = 1; i < count; i++) {
        parcels[i] = parcels[0];
    }
    account_transport_send(transport, &dispatch);
    return (double)(account_clock_monotonic() - began) / APR_USEC_PER_SEC;
}

static void test_lines(apr_pool_t *pool)
{
    account_parcel_t parcels[2] = {parcel()};
    stop_t stop = {0, 0};
    struct stat info = {0};

    parcels[0].text = "验 \"a\"\n/";
    deliver("file:lines.jsonl", parcels, 2, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "a line is written");
    is_int(parcels[1].end, ACCOUNT_PARCEL_SENT, "and another");
    parcels[0] = (account_parcel_t){.key = "1",
                                    .channel = "mail",
                                    .to = "a@b.c",
                                    .name = "link-reset",
                                    .subject = "S",
                                    .text = "T",
                                    .link = "https://x/?t=1"};
    deliver("file:lines.jsonl", parcels, 1, &stop, pool);
    is_str(slurp(pool, "lines.jsonl"),
           "{\"channel\":\"sms\",\"to\":\"13800138000\",\"template\":\"code-login\","
           "\"code\":\"123456\",\"text\":\"验 \\\"a\\\"\\n/\"}\n"
           "{\"channel\":\"sms\",\"to\":\"13800138000\",\"template\":\"code-login\","
           "\"code\":\"123456\",\"text\":\"验 \\\"a\\\"\\n/\"}\n"
           "{\"channel\":\"mail\",\"to\":\"a@b.c\",\"template\":\"link-reset\","
           "\"link\":\"https://x/?t=1\",\"subject\":\"S\",\"text\":\"T\"}\n",
           "lines of JSON, appended");
    stat(in_directory(pool, "lines.jsonl"), &info);
    is_int(info.st_mode & 0777, 0600, "which only their owner reads");
    parcels[0].text = "\xff";
    deliver("file:lines.jsonl", parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_REFUSED, "a text that is not UTF-8 is refused");
    parcels[0].text = "T";
    deliver("file:/dev/full", parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_DOWN, "a full disk");
    is_str(parcels[0].reason, "the file can't be written: No space left on device", "and why");
    stop.at = 1;
    deliver("file:lines.jsonl", parcels, 2, &stop, pool);
    is_int(parcels[1].end, ACCOUNT_PARCEL_WAITS, "nothing is written by a server that stops");
}

/* A script in the directory, as the word of a program. */
static const char *script(const char *name, const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "|",
                       spew(pool, name, apr_pstrcat(pool, "#!/bin/sh\n", text, "\n", NULL), 0700),
                       NULL);
}

static void test_program_ends(apr_pool_t *pool)
{
    static const struct {
        const char *text;
        int end;
        const char *reason;
    } table[] = {
        {"exit 0", ACCOUNT_PARCEL_SENT, NULL},
        {"cat > /dev/null; exit 75", ACCOUNT_PARCEL_FAILED,
         "the program ended with exit status 75 (try again later)"},
        {"exit 1", ACCOUNT_PARCEL_FAILED, "the program ended with exit status 1"},
        {"/nowhere/x", ACCOUNT_PARCEL_DOWN,
         "the program ended with exit status 127: something that it calls can't be run"},
        {"kill -9 $$", ACCOUNT_PARCEL_FAILED, "the program was ended by signal 9"},
    };
    stop_t stop = {0, 0};
    account_parcel_t one;
    const char *words;
    size_t i;

    for (i = 0; i < COUNT(table); i++) {
        one = parcel();
        deliver(script("end", table[i].text, pool), &one, 1, &stop, pool);
        is_int(one.end, table[i].end, "a program: %s", table[i].text);
        is_str(one.reason, table[i].reason, "and why: %s", table[i].text);
    }
    one = parcel();
    words = script("gone", "exit 0", pool);
    spew(pool, "gone", "#!/nowhere/interpreter\n", 0700);
    deliver(words, &one, 1, &stop, pool);
    is_int(one.end, ACCOUNT_PARCEL_DOWN, "a program without its interpreter");
    is_str(one.reason, "the program can't be run: No such file or directory", "and why");
}

/* What runs under the id in a file; "": nothing any more. */
static const char *command_of(const char *name, apr_pool_t *pool)
{
    int pid = (int)strtol(slurp(pool, name), NULL, 10);
    const char *command = "?";
    int i;

    for (i = 0; pid > 0 && *command && i < 50; i++) { /* the kernel ends it soon */
        command = slurp(pool, apr_psprintf(pool, "/proc/%d/cmdline", pid));
        apr_sleep(apr_time_from_msec(*command ? 20 : 0));
    }
    return command;
}

static void test_programs(apr_pool_t *pool)
{
    account_parcel_t parcels[20] = {parcel()};
    stop_t stop = {0, 0};
    char *large = apr_palloc(pool, 300001);
    const char *letter;
    double seconds;

#ifdef HAVE_ADDCLOSEFROM
    deliver(script("files", "ls /proc/self/fd > $0.out", pool), parcels, 1, &stop, pool);
    open(directory(), O_RDONLY); /* nothing says that it is to be closed */
    deliver(script("more", "ls /proc/self/fd > $0.out", pool), parcels, 1, &stop, pool);
    is_str(slurp(pool, "more.out"), slurp(pool, "files.out"), "a program gets no open files");
#endif
    setenv("ACCOUNT_TEST_SECRET", "not for programs", 1);
    deliver(apr_pstrcat(pool,
                        script("show",
                               "{ cat; env | grep -v '^_=\\|^PWD\\|^SHLVL' | sort; echo "
                               "\"$1:$2\"; } > $0.out",
                               pool),
                        " 'a b' \"c\"", NULL),
            parcels, 1, &stop, pool);
    is_str(slurp(pool, "show.out"),
           "{\"channel\":\"sms\",\"to\":\"13800138000\",\"template\":\"code-login\","
           "\"code\":\"123456\",\"text\":\"\\\"a\\\"&b=c 验\\\\\\n%{to}\"}\n"
           "ACCOUNT_CHANNEL=sms\nACCOUNT_KEY=00ff\nACCOUNT_TO=13800138000\n"
           "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\na b:c\n",
           "what a program of SMS gets");

    parcels[0].channel = "mail";
    parcels[0].to = "to@example.org";
    parcels[0].subject = "S";
    deliver(apr_pstrcat(pool, script("mail", "cat > $0.out", pool), " ~ Shop <a@b.c>", NULL),
            parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "a program of mail");
    letter = slurp(pool, "mail.out");
    ok(strstr(letter, "From: Shop <a@b.c>\nTo: to@example.org\nSubject: S\nDate: ") == letter,
       "it gets a letter");
    ok(!strchr(letter, '\r'), "with the lines that programs expect");
    parcels[0].to = "to@example.org\nBcc: x@y";
    deliver(apr_pstrcat(pool, script("mail", "cat > $0.out", pool), " ~ Shop <a@b.c>", NULL),
            parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_REFUSED, "no letter to more than an address");

    parcels[0] = parcel();
    memset(large, 'x', 300000);
    large[300000] = '\0';
    parcels[0].text = large;
    seconds = deliver(script("count", "sleep 0.2; wc -c > $0.out", pool), parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "more than a pipe takes at once");
    is_str(slurp(pool, "count.out"), "300087\n", "arrives");
    deliver(script("deaf", "exit 0", pool), parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "a program need not read");

    parcels[0] = parcel();
    seconds = deliver(script("slow", "cat >/dev/null; sleep 0.5; echo x >> $0.out", pool), parcels,
                      16, &stop, pool);
    is_str(slurp(pool, "slow.out"), "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n",
           "sixteen programs, once each");
    ok(seconds >= 1 && seconds < 4, "eight at once: %.1f s", seconds);

    stop = (stop_t){account_clock_monotonic() + apr_time_from_msec(500), 0};
    seconds =
        deliver(script("stuck", "trap '' TERM; exec sleep 60", pool), parcels, 10, &stop, pool);
    ok(seconds >= 2.4 && seconds < 4, "a server that stops ends its programs: %.1f s", seconds);
    is_int(parcels[0].end, ACCOUNT_PARCEL_WAITS, "what was on its way waits");
    is_int(parcels[9].end, ACCOUNT_PARCEL_WAITS, "and what was not");
    ok(stop.asked >= 5, "it was asked ten times a second (%d)", stop.asked);

    stop = (stop_t){account_clock_monotonic() + apr_time_from_msec(200), 0};
    seconds = deliver(script("late", "sleep 1; echo x >> $0.out", pool), parcels, 10, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "one that ends soon is let end");
    is_int(parcels[7].end, ACCOUNT_PARCEL_SENT, "and all others on their way");
    is_int(parcels[8].end, ACCOUNT_PARCEL_WAITS, "none is started");
    is_str(slurp(pool, "late.out"), "x\nx\nx\nx\nx\nx\nx\nx\n", "eight in all");
    ok(seconds < 2.2, "and then it stops: %.1f s", seconds);
    stop = (stop_t){account_clock_monotonic() + apr_time_from_msec(200), 0};
    deliver(script("bad", "sleep 0.5; exit 1", pool), parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_FAILED, "a failure meanwhile is one");
    stop = (stop_t){account_clock_monotonic() + apr_time_from_msec(300), 0};
    deliver(script("wrapper",
                   "sleep 60 & echo $! > $0.one\nsh -c 'trap \"\" TERM; sleep 60; :' & "
                   "echo $! > $0.two\nwait",
                   pool),
            parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_WAITS, "a wrapper is ended");
    is_str(command_of("wrapper.one", pool), "", "and what it started");
    is_str(command_of("wrapper.two", pool), "", "even if that does not listen");

    stop = (stop_t){0, 0};
    seconds = deliver(script("stuck", "exec sleep 60", pool), parcels, 2, &stop, pool);
    ok(seconds >= 9.9 && seconds < 12, "a program has ten seconds: %.1f", seconds);
    is_int(parcels[0].end, ACCOUNT_PARCEL_DOWN, "and is ended then");
    is_str(parcels[1].reason, "the program did not end within 10 seconds", "and why");
    ok(waitpid(-1, NULL, WNOHANG) == -1, "no process is left");
}

#ifdef HAVE_CURL

/* A gateway: answers each connection's one request with text, and keeps the last. */
typedef struct gateway_t {
    int listener;
    int port;
    const char *answer;
    int delay; /* milliseconds before it */
    int count; /* requests */
    char request[4096];
    pthread_t thread;
} gateway_t;

static void *answer_all(void *data)
{
    gateway_t *gateway = data;

    for (;;) {
        int connection = accept(gateway->listener, NULL, NULL);
        ssize_t length = 0, got;

        if (connection == -1) {
            return NULL;
        }
        do { /* to the end of the body, which ends in a brace */
            got = read(connection, gateway->request + length,
                       sizeof(gateway->request) - 1 - (size_t)length);
            length += got > 0 ? got : 0;
            gateway->request[length] = '\0';
        } while (got > 0 && gateway->request[length - 1] != '}');
        gateway->count++;
        apr_sleep(apr_time_from_msec(gateway->delay));
        if (*gateway->answer
            && send(connection, gateway->answer, strlen(gateway->answer), MSG_NOSIGNAL) < 0) {
            diag("the gateway could not answer");
        }
        close(connection);
    }
}

static void open_listener(gateway_t *gateway)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    gateway->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(gateway->listener, (struct sockaddr *)&address, length) != 0
        || listen(gateway->listener, 64) != 0
        || getsockname(gateway->listener, (struct sockaddr *)&address, &length) != 0) {
        abort();
    }
    gateway->port = ntohs(address.sin_port);
}

static void start_gateway(gateway_t *gateway)
{
    open_listener(gateway);
    if (pthread_create(&gateway->thread, NULL, answer_all, gateway) != 0) {
        abort();
    }
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{\"code\":0}"

static void test_gateway(apr_pool_t *pool)
{
    static const struct {
        const char *answer;
        int end;
        const char *reason;
    } table[] = {
        {OK, ACCOUNT_PARCEL_SENT, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"code\":9}", ACCOUNT_PARCEL_FAILED,
         "the gateway answered HTTP 200, which is no success: its code is not what the template "
         "says"},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", ACCOUNT_PARCEL_FAILED,
         "the gateway answered HTTP 404, which is no success: its status is none of success"},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", ACCOUNT_PARCEL_DOWN,
         "the gateway answered HTTP 500"},
        {"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", ACCOUNT_PARCEL_DOWN,
         "the gateway answered HTTP 429"},
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", ACCOUNT_PARCEL_DOWN,
         "the gateway answered HTTP 401: it does not accept the credentials of the template"},
        {"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         ACCOUNT_PARCEL_DOWN,
         "the gateway answered HTTP 302: redirects are not followed, write its real address"},
        {"", ACCOUNT_PARCEL_DOWN, "Server returned nothing (no headers, no data)"},
        {"nonsense\r\n", ACCOUNT_PARCEL_DOWN, NULL},
    };
    gateway_t gateway = {.answer = OK};
    account_parcel_t parcels[20];
    pthread_attr_t before, huge;
    stop_t stop = {0, 0};
    const char *words;
    double seconds;
    size_t i;

    start_gateway(&gateway);
    spew(pool, "gateway.json",
         "{\"query\": {\"q\": \"%{to}\"}, \"json\": {\"code\": \"%{code}%{link}\"}, "
         "\"success\": {\"json\": {\"code\": 0}}}",
         0600);
    words = apr_psprintf(pool, "http://127.0.0.1:%d/send ~ gateway.json", gateway.port);
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    for (i = 0; i < COUNT(table); i++) {
        gateway.answer = table[i].answer;
        parcels[0] = parcel();
        deliver(words, parcels, 1, &stop, pool);
        is_int(parcels[0].end, table[i].end, "answer %d of a gateway", (int)i);
        if (table[i].reason || table[i].end == ACCOUNT_PARCEL_SENT) {
            is_str(parcels[0].reason, table[i].reason, "and why of answer %d", (int)i);
        }
    }
    is_str(gateway.request,
           apr_psprintf(pool,
                        "POST /send?q=13800138000 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "User-Agent: mod_account\r\nAccept: */*\r\n"
                        "Content-Type: application/json\r\nIdempotency-Key: 00ff\r\n"
                        "Content-Length: 17\r\n\r\n{\"code\":\"123456\"}",
                        gateway.port),
           "the request, byte for byte");
    gateway.answer = OK;
    parcels[0] = parcel();
    deliver(words, parcels, 20, &stop, pool);
    for (i = 0; i < 20 && parcels[i].end == ACCOUNT_PARCEL_SENT; i++) {
    }
    is_int((int)i, 20, "twenty are sent");
    gateway.answer = apr_psprintf(
        pool, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{\"code\":0}%*s", 100000, "");
    parcels[0] = parcel();
    deliver(words, parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "an endless answer is judged by its start");
    gateway.answer = apr_psprintf(
        pool, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{\"code\":1}%*s", 100000, "");
    deliver(words, parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_FAILED, "whatever it says");
    gateway.answer = OK;

    gateway.count = 0;
    gateway.delay = 1500;
    parcels[0] = parcel();
    stop.at = account_clock_monotonic() + apr_time_from_msec(300);
    seconds = deliver(words, parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_SENT, "a slow gateway's answer is waited for");
    is_int(gateway.count, 1, "which was asked once");
    ok(seconds < 2.2, "and then it stops: %.1f s", seconds);
    stop.at = 1;
    deliver(words, parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_WAITS, "a server that stops starts nothing");
    is_int(gateway.count, 1, "nobody is asked");
    stop.at = 0;
    gateway.delay = 0;

    shutdown(gateway.listener, SHUT_RDWR);
    pthread_join(gateway.thread, NULL);
    close(gateway.listener);
    deliver(words, parcels, 1, &stop, pool);
    is_int(parcels[0].end, ACCOUNT_PARCEL_DOWN, "nobody there");
    ok(parcels[0].reason && strstr(parcels[0].reason, "Failed to connect to 127.0.0.1") != NULL,
       "and why: %s", parcels[0].reason);

    open_listener(&gateway); /* accepts, and never answers */
    words = apr_psprintf(pool, "http://127.0.0.1:%d/send ~ gateway.json", gateway.port);
    stop.at = account_clock_monotonic() + apr_time_from_msec(500);
    seconds = deliver(words, parcels, 20, &stop, pool);
    ok(seconds >= 2.4 && seconds < 4, "a server that stops does not wait for a gateway: %.1f s",
       seconds);
    is_int(parcels[0].end, ACCOUNT_PARCEL_WAITS, "what was on its way waits");
    is_int(parcels[19].end, ACCOUNT_PARCEL_WAITS, "and what was not");
    stop = (stop_t){account_clock_monotonic() + apr_time_from_msec(500), 0};
    parcels[0].channel = "mail";
    parcels[0].to = "a@b.c";
    words = apr_psprintf(pool, "smtp://127.0.0.1:%d ~ a@b.c", gateway.port);
    seconds = deliver(words, parcels, 20, &stop, pool);
    ok(seconds < 4.5, "nor for a mail server: %.1f s", seconds);
    is_int(parcels[0].end, ACCOUNT_PARCEL_WAITS, "whose letters wait");

    stop = (stop_t){0, 0};
    pthread_getattr_default_np(&before);
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, (size_t)1 << 50);
    pthread_setattr_default_np(&huge);
    deliver(words, parcels, 20, &stop, pool);
    pthread_setattr_default_np(&before);
    is_int(parcels[0].end, ACCOUNT_PARCEL_DOWN, "without a thread nothing is sent");
    is_str(parcels[19].reason, "the system gives no thread to send it with", "and why");
    close(gateway.listener);
    unsetenv("http_proxy");
}

/* A mail server that says yes until it hears one command, to which it says something else. */
typedef struct mailbox_t {
    int listener;
    const char *command; /* "MAIL"; "." is the end of the letter */
    const char *answer;  /* NULL: it goes away */
} mailbox_t;

/* To one line of the client; 0: no more. */
static int answer_line(const mailbox_t *mailbox, FILE *out, const char *line, int *is_letter)
{
    const char *answer = "250 yes\r\n";

    if (*is_letter && strcmp(line, ".\r\n") != 0) {
        return 1;
    }
    *is_letter = strncmp(line, "DATA", 4) == 0;
    if (*is_letter) {
        answer = "354 go on\r\n";
    }
    if (strncmp(line, mailbox->command, strlen(mailbox->command)) == 0) {
        answer = mailbox->answer;
        *is_letter = 0;
    }
    return answer && fputs(answer, out) != EOF && fflush(out) == 0;
}

static void *serve_mail(void *data)
{
    mailbox_t *mailbox = data;
    int connection;

    while ((connection = accept(mailbox->listener, NULL, NULL)) != -1) {
        FILE *in = fdopen(dup(connection), "r");
        FILE *out = fdopen(connection, "w");
        char line[1024];
        int is_letter = 0;
        int goes_on = answer_line(mailbox, out, "CONNECT", &is_letter);

        while (goes_on && fgets(line, sizeof(line), in)) {
            goes_on = answer_line(mailbox, out, line, &is_letter);
        }
        fclose(in);
        fclose(out);
    }
    return NULL;
}

/* Before the sender is taken, trouble is the server's; afterwards it is this letter's. */
static void test_smtp(apr_pool_t *pool)
{
    static const struct {
        const char *command;
        const char *answer;
        int end;
        const char *reason; /* how it begins */
    } table[] = {
        {"none", NULL, ACCOUNT_PARCEL_SENT, NULL},
        {"CONNECT", "421 busy\r\n", ACCOUNT_PARCEL_DOWN, "the server answered 421"},
        {"CONNECT", "554 no\r\n", ACCOUNT_PARCEL_DOWN, "the server answered 554"},
        {"CONNECT", NULL, ACCOUNT_PARCEL_DOWN, ""},
        {"EHLO", NULL, ACCOUNT_PARCEL_DOWN, ""},
        {"MAIL", NULL, ACCOUNT_PARCEL_DOWN, ""},
        {"MAIL", "421 busy\r\n", ACCOUNT_PARCEL_DOWN, "the server answered 421 to MAIL"},
        {"MAIL", "553 5.7.1 no\r\n", ACCOUNT_PARCEL_DOWN, "the server answered 553 5.7.1 to MAIL"},
        {"MAIL", "451 later\r\n", ACCOUNT_PARCEL_FAILED, "the server answered 451 to MAIL"},
        {"RCPT", NULL, ACCOUNT_PARCEL_FAILED, "no answer to RCPT: "},
        {"RCPT", "421 busy\r\n", ACCOUNT_PARCEL_FAILED, "the server answered 421 to RCPT"},
        {"RCPT", "451 later\r\n", ACCOUNT_PARCEL_FAILED, "the server answered 451 to RCPT"},
        {"RCPT", "550 no\r\n", ACCOUNT_PARCEL_REFUSED, "the server answered 550 to RCPT"},
        {"DATA", NULL, ACCOUNT_PARCEL_FAILED, "no answer to DATA: "},
        {"DATA", "421 busy\r\n", ACCOUNT_PARCEL_FAILED, "the server answered 421 to DATA"},
        {".", NULL, ACCOUNT_PARCEL_FAILED, "no answer to DATA: "},
        {".", "421 busy\r\n", ACCOUNT_PARCEL_FAILED, "the server answered 421 to DATA"},
        {".", "554 no\r\n", ACCOUNT_PARCEL_REFUSED, "the server answered 554 to DATA"},
    };
    gateway_t gateway; /* for its socket */
    mailbox_t mailbox = {.command = "none"};
    stop_t stop = {0, 0};
    pthread_t thread;
    const char *words;
    size_t i;

    open_listener(&gateway);
    mailbox.listener = gateway.listener;
    if (pthread_create(&thread, NULL, serve_mail, &mailbox) != 0) {
        abort();
    }
    words = apr_psprintf(pool, "smtp://127.0.0.1:%d ~ shop@b.c ~ tls=off", gateway.port);
    for (i = 0; i < COUNT(table); i++) {
        account_parcel_t one = parcel();

        one.channel = "mail";
        one.to = "a@b.c";
        one.subject = "S";
        mailbox.command = table[i].command;
        mailbox.answer = table[i].answer;
        deliver(words, &one, 1, &stop, pool);
        is_int(one.end, table[i].end, "a mail server, %s to %s",
               table[i].answer ? apr_pstrmemdup(pool, table[i].answer, 3) : "silent",
               table[i].command);
        ok(!table[i].reason
               || (one.reason
                   && strncmp(one.reason, table[i].reason, strlen(table[i].reason)) == 0),
           "and why: %s", one.reason ? one.reason : "");
    }
    shutdown(mailbox.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(mailbox.listener);
}

#endif

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_letter(pool);
    test_addresses(pool);
    test_recipe_errors(pool);
    test_recipe_fill(pool);
    test_recipe_judge(pool);
    test_lines(pool);
    test_program_ends(pool);
    test_programs(pool);
    test_words(pool);
#ifdef HAVE_CURL
    test_names(pool);
    test_gateway(pool);
    test_smtp(pool);
#endif
    if (fork() == 0) {
        execlp("rm", "rm", "-r", directory(), (char *)NULL);
        _exit(127);
    }
    while (wait(NULL) > 0) {
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
