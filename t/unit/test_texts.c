/* action/texts: the folders that ship, what is refused of others, what becomes of the slots. */

#include <stdio.h>
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <jansson.h>

#include "action/texts.h"
#include "base/text.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const languages[] = {"conf/texts/en", "conf/texts/zh"};
static const char *const messages[] = {
    "code-register",   "code-login",     "code-reset",      "code-any",
    "code-change",     "link-reset",     "link-activate",   "link-confirm",
    "notice-password", "notice-address", "notice-question",
};

/* Every value, each to be recognised. */
static account_text_values_t all_values(apr_pool_t *pool)
{
    account_text_values_t values = {
        "shop.example",
        "Anna",
        "271828",
        "https://shop.example/x?token=abc",
        "new@example.com",
        "10",
        "24",
        "TOKEN",
        pool,
    };

    return values;
}

static account_texts_t *read_texts(const char *folder, apr_pool_t *pool)
{
    account_texts_t *texts = NULL;
    const char *error = account_texts_read(&texts, fixture_path(folder, pool), pool);

    is_str(error, NULL, "%s is read", folder);
    return error == NULL ? texts : NULL;
}

static int has(const char *text, const char *part)
{
    return text != NULL && strstr(text, part) != NULL;
}

static void test_messages(const account_texts_t *texts, const char *folder, apr_pool_t *pool)
{
    account_text_values_t values = all_values(pool);
    account_written_t written;
    apr_size_t i;
    int channel;

    for (i = 0; i < COUNT(messages); i++) {
        const char *name = messages[i];
        int code = strncmp(name, "code-", 5) == 0, link = strncmp(name, "link-", 5) == 0;

        for (channel = 0; channel < ACCOUNT_CHANNELS; channel++) {
            const char *title = apr_psprintf(pool, "%s: %s by %s", folder, name,
                                             channel == ACCOUNT_SMS ? "sms" : "mail");

            memset(&written, 0, sizeof(written));
            is_int(account_texts_write(texts, name, (account_channel_e)channel, &values, &written),
                   APR_SUCCESS, "%s", title);
            is_int(has(written.text, values.code), code, "%s: a code, or none", title);
            is_int(has(written.text, values.link), link, "%s: a link, or none", title);
            is_int(has(written.text, values.minutes), code, "%s: how long a code holds", title);
            is_int(has(written.text, values.hours) && !code, link, "%s: how long a link holds",
                   title);
            is_int(has(written.text, values.address), !strcmp(name, "notice-address"),
                   "%s: the new address, or none", title);
            ok(has(written.text, values.site), "%s: whose it is", title);
            ok(!has(written.text, "%{") && !has(written.text, values.token), "%s: no more", title);
            ok(channel == ACCOUNT_SMS ? written.subject == NULL
                                      : has(written.subject, values.site)
                                            && !account_text_has_control(written.subject),
               "%s: a subject for mail", title);
            if (channel == ACCOUNT_SMS) {
                ok(written.text[0] == '[' || !strncmp(written.text, "\xE3\x80\x90", 3),
                   "%s: begins with the site", title);
            }
        }
    }
    is_int(account_texts_write(texts, "code-nothing", ACCOUNT_SMS, &values, &written), APR_ENOENT,
           "%s: no such message", folder);
}

static void test_pages(const account_texts_t *texts, const char *folder, apr_pool_t *pool)
{
    account_text_values_t values = all_values(pool);
    int i;

    for (i = 0; account_page_names[i] != NULL; i++) {
        const char *name = account_page_names[i];
        const char *page = account_texts_page(texts, name, &values);
        int form = !strcmp(name, "activate") || !strncmp(name, "reset", 5);

        form = form && strcmp(name, "reset-done") != 0;
        ok(account_page_is_known(name), "%s: %s is known", folder, name);
        ok(page != NULL && !strncmp(page, "<!DOCTYPE html>\n<html lang=\"", 28), "%s: %s", folder,
           name);
        is_int(has(page, "name=\"token\" value=\"TOKEN\""), form,
               "%s: %s: a token in a form, or none", folder, name);
        is_int(has(page, "<form method=\"post\" action=\"?\">"), form,
               "%s: %s: a form that leaves the address's query behind", folder, name);
        is_int(has(page, "name=\"password\"") && has(page, "name=\"password_again\""),
               form && name[0] == 'r', "%s: %s: two passwords, or none", folder, name);
        ok(has(page, values.site), "%s: %s: whose it is", folder, name);
        ok(!has(page, "%{") && !has(page, "<script") && !has(page, "http"),
           "%s: %s: complete in itself", folder, name);
    }
    is_int(i, 7, "%s: seven pages", folder);
    ok(!account_page_is_known("reset.html") && !account_page_is_known(""), "others are not known");
    ok(account_texts_page(texts, "login", &values) == NULL, "%s: no such page", folder);
}

static void test_values(const account_texts_t *texts, apr_pool_t *pool)
{
    account_text_values_t values = all_values(pool);
    account_written_t written = {NULL, NULL};
    const char *page;

    values.site = "a<b>&\"c'";
    values.token = "\"><script>alert('x')</script>&amp;";
    page = account_texts_page(texts, "reset", &values);
    ok(has(page, "<p class=\"site\">a&lt;b&gt;&amp;&quot;c&#39;</p>"),
       "a page's values are escaped");
    ok(has(page, "value=\"&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;\""),
       "in attributes too");

    account_texts_write(texts, "notice-address", ACCOUNT_MAIL, &values, &written);
    ok(has(written.text, "a<b>&\"c'"), "a mail's are not");

    values.site = "a\r\nBcc: b";
    account_texts_write(texts, "code-login", ACCOUNT_MAIL, &values, &written);
    ok(has(written.subject, "a  Bcc: b"), "a subject stays one line");

    memset(&values, 0, sizeof(values));
    values.pool = pool;
    is_int(account_texts_write(texts, "code-login", ACCOUNT_SMS, &values, &written), APR_SUCCESS,
           "values may be absent");
    ok(has(written.text, "[]  is your code"), "and are then empty");
    ok(has(account_texts_page(texts, "activate", &values), "value=\"\""), "in pages too");

    values.code = "%{site}";
    values.site = "S";
    account_texts_write(texts, "code-login", ACCOUNT_SMS, &values, &written);
    ok(has(written.text, "[S] %{site} is"), "a value is no text with slots");
}

/* --- what is refused -------------------------------------------------------------------------- */

typedef struct scratch_t {
    const char *folder;
    json_t *messages; /* what was right */
    apr_pool_t *pool;
} scratch_t;

static const char *path_of(const scratch_t *scratch, const char *name)
{
    return apr_pstrcat(scratch->pool, scratch->folder, "/", name, NULL);
}

static void write_file(const scratch_t *scratch, const char *name, const char *text,
                       apr_size_t length)
{
    FILE *file = fopen(path_of(scratch, name), "w");

    if (file == NULL || fwrite(text, 1, length, file) != length || fclose(file) != 0) {
        ok(0, "%s can be written", name);
    }
}

static void write_messages(const scratch_t *scratch, const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2));

    write_file(scratch, "messages.json", text, strlen(text));
    free(text);
}

/* The folder as it was: all of it right. */
static void restore(const scratch_t *scratch)
{
    int i;

    write_messages(scratch, scratch->messages);
    for (i = 0; account_page_names[i] != NULL; i++) {
        const char *name = apr_pstrcat(scratch->pool, account_page_names[i], ".html", NULL);
        const char *text =
            fixture_read(apr_pstrcat(scratch->pool, "conf/texts/en/", name, NULL), scratch->pool);

        write_file(scratch, name, text, strlen(text));
    }
}

/* What is said of the folder has to begin with the file and to hold what. */
static void refused(const scratch_t *scratch, const char *file, const char *what, const char *title)
{
    account_texts_t *texts = NULL;
    const char *error = account_texts_read(&texts, scratch->folder, scratch->pool);
    const char *path = path_of(scratch, file);

    ok(error != NULL && !strncmp(error, path, strlen(path)) && has(error, what), "%s: refused",
       title);
    ok(texts == NULL, "%s: nothing is given", title);
    if (!has(error, what)) {
        diag("said: %s", error != NULL ? error : "nothing");
        diag("wanted: %s … %s", path, what);
    }
    restore(scratch);
}

/* A text of a message put in the place of what was there; NULL: taken out. */
static void with_text(const scratch_t *scratch, const char *const *way, json_t *value)
{
    json_t *copy = json_deep_copy(scratch->messages), *at = copy;
    int i;

    for (i = 0; way[i + 1] != NULL; i++) {
        at = json_object_get(at, way[i]);
    }
    if (value != NULL) {
        json_object_set_new(at, way[i], value);
    }
    else {
        json_object_del(at, way[i]);
    }
    write_messages(scratch, copy);
    json_decref(copy);
}

static json_t *long_text(int length)
{
    char text[5000] = "%{code}";

    memset(text + 7, 'x', (size_t)length - 7);
    text[length] = '\0';
    return json_string(text);
}

static void test_refused_members(const scratch_t *scratch)
{
    const struct {
        const char *way[4];
        json_t *value;
        const char *what;
    } table[] = {
        {{"code-login"}, NULL, ": code-login: this message is missing"},
        {{"notice-address"}, NULL, ": notice-address: this message is missing"},
        {{"code-logn"}, json_object(), ": code-logn: there is no such thing, only code-register, "},
        {{"code-login"}, json_string("x"), ": code-login: it has to be an object"},
        {{"code-login", "sms"}, NULL, ": code-login.sms: it is missing"},
        {{"code-login", "mail"}, NULL, ": code-login.mail: it is missing"},
        {{"code-login", "mail"}, json_string("x"), ": code-login.mail: it has to be an object"},
        {{"code-login", "fax"},
         json_string("x"),
         ": code-login.fax: there is no such thing, only sms"},
        {{"code-login", "mail", "subject"}, NULL, ": code-login.mail.subject: it is missing"},
        {{"code-login", "mail", "text"}, NULL, ": code-login.mail.text: it is missing"},
        {{"code-login", "mail", "html"}, json_string("x"), ": code-login.mail.html: there is no"},
        {{"code-login", "sms"}, json_integer(1), ": code-login.sms: it has to be a text"},
        {{"code-login", "sms"}, json_string(" \n"), ": code-login.sms: it has to be a text"},
        {{"code-login", "sms"}, json_string("no code"), ": code-login.sms: %{code} is missing"},
        {{"code-any", "mail", "text"},
         json_string("x"),
         ": code-any.mail.text: %{code} is missing"},
        {{"link-reset", "sms"}, json_string("x"), ": link-reset.sms: %{link} is missing"},
        {{"link-confirm", "mail", "text"},
         json_string("%{hours}"),
         "mail.text: %{link} is missing"},
        {{"code-login", "sms"},
         json_string("%{code} %{link}"),
         ": code-login.sms: %{link} can't be here, only %{site}, %{name}, %{code}, %{minutes}"},
        {{"code-login", "sms"}, json_string("%{code} %{cod}"), ": %{cod} can't be here"},
        {{"code-login", "sms"}, json_string("%{code} %{}"), ": %{} can't be here"},
        {{"code-login", "sms"}, json_string("%{code} %{Code}"), ": %{Code} can't be here"},
        {{"code-login", "sms"}, json_string("%{code} %{site"), ": a %{ without its }"},
        {{"code-login", "sms"}, json_string("%{code"), ": a %{ without its }"},
        {{"code-login", "sms"}, json_string("%{code} %{si\nte}"), ": a %{ without its }"},
        {{"notice-password", "sms"},
         json_string("%{code}"),
         "%{code} can't be here, only %{site}, %{name}"},
        {{"notice-password", "sms"}, json_string("%{token}"), "%{token} can't be here"},
        {{"code-login", "mail", "subject"},
         json_string("%{token}"),
         "mail.subject: %{token} can't be"},
        {{"code-login", "mail", "subject"},
         json_string("a\nBcc: b"),
         "mail.subject: it has to be one line"},
        {{"code-login", "mail", "subject"},
         long_text(201),
         "subject: it has to be one line of at most 200"},
        {{"code-login", "mail", "text"},
         long_text(4001),
         "mail.text: it is longer than 4000 bytes"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        with_text(scratch, table[i].way, table[i].value);
        refused(scratch, "messages.json", table[i].what, table[i].what + 2);
    }
}

static void test_refused_files(const scratch_t *scratch)
{
    static const struct {
        const char *file;
        const char *text;
        apr_size_t length;
        const char *what;
    } table[] = {
        {"messages.json", "{\n\n  \"a\": 1,\n  b\n}", 18, ":4: it is no JSON: "},
        {"messages.json", "", 0, ":1: it is no JSON: "},
        {"messages.json", "{\"a\": {},\n \"a\": {}}", 19, ":2: it is no JSON: "},
        {"messages.json", "[]", 2, ": it has to be a JSON object"},
        {"messages.json", "{\"a\": \"\xFF\"}", 10, ": it is not UTF-8"},
        {"messages.json", "{\0}", 3, ": it is not UTF-8"},
        {"reset.html", "<p>%{site}</p>", 14, ": %{token} is missing"},
        {"reset-again.html", "<p>%{site}</p>", 14, ": %{token} is missing"},
        {"activate.html", "<p>%{site}</p>", 14, ": %{token} is missing"},
        {"reset.html", "%{token} %{code}", 16, ": %{code} can't be here, only %{site}, %{token}"},
        {"activated.html", "%{token}", 8, ": %{token} can't be here, only %{site}"},
        {"expired.html", "%{sight}", 8, ": %{sight} can't be here, only %{site}"},
        {"failed.html", "%{site", 6, ": a %{ without its }"},
        {"failed.html", "a\0b", 3, ": it is not UTF-8"},
    };
    static const char *const missing[] = {"messages.json", "activate.html", "failed.html"};
    char *large = calloc(1, 65537);
    account_texts_t *texts;
    const char *error;
    apr_size_t i;

    for (i = 0; i < COUNT(table); i++) {
        write_file(scratch, table[i].file, table[i].text, table[i].length);
        refused(scratch, table[i].file, table[i].what,
                apr_pstrcat(scratch->pool, table[i].file, table[i].what, NULL));
    }
    for (i = 0; i < COUNT(missing); i++) {
        remove(path_of(scratch, missing[i]));
        refused(scratch, missing[i], " can't be read: No such file", missing[i]);
    }
    memset(large, 'x', 65537);
    write_file(scratch, "failed.html", large, 65536);
    is_str(account_texts_read(&texts, scratch->folder, scratch->pool), NULL, "64 KiB are read");
    write_file(scratch, "failed.html", large, 65537);
    refused(scratch, "failed.html", ": it is larger than 64 KiB", "64 KiB and a byte");
    free(large);
    write_file(scratch, "failed.html", "100%, { %} 5%", 13);
    is_str(account_texts_read(&texts, scratch->folder, scratch->pool), NULL,
           "%% and { by themselves");
    write_file(scratch, "failed.html", "", 0);
    is_str(account_texts_read(&texts, scratch->folder, scratch->pool), NULL, "an empty page");
    error = account_texts_read(&texts, "/nowhere/texts", scratch->pool);
    ok(has(error, "/nowhere/texts/messages.json can't be read"), "a folder that is not there");
    restore(scratch);
    is_str(account_texts_read(&texts, scratch->folder, scratch->pool), NULL, "right again");
}

static void test_refused(apr_pool_t *pool)
{
    char folder[] = "/tmp/test_texts.XXXXXX";
    const char *text = fixture_read("conf/texts/en/messages.json", pool);
    scratch_t scratch = {folder, NULL, pool};
    int i;

    if (!ok(mkdtemp(folder) != NULL && text != NULL, "a folder")) {
        return;
    }
    scratch.messages = json_loads(text, 0, NULL);
    restore(&scratch);
    test_refused_members(&scratch);
    test_refused_files(&scratch);
    json_decref(scratch.messages);
    remove(path_of(&scratch, "messages.json"));
    for (i = 0; account_page_names[i] != NULL; i++) {
        remove(path_of(&scratch, apr_pstrcat(pool, account_page_names[i], ".html", NULL)));
    }
    remove(folder);
}

int main(void)
{
    apr_pool_t *pool;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < COUNT(languages); i++) {
        account_texts_t *texts = read_texts(languages[i], pool);

        if (texts != NULL) {
            test_messages(texts, languages[i], pool);
            test_pages(texts, languages[i], pool);
            if (i == 0) {
                test_values(texts, pool);
            }
        }
    }
    test_refused(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
