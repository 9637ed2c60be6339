/* contract/origin: which browser requests may change state. The whole matrix against a list of
 * rules written down here once more, and the cases that matter by hand. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "contract/origin.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define OWN "https://shop.example"
#define OTHER_OWN "http://127.0.0.1:8080"
#define APP "https://app.other.example"

/* Bits of a site's settings. */
enum { NAVIGATION = 1, SIBLINGS = 2 };

static apr_array_header_t *origins(apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(list, const char *) = OWN;
    APR_ARRAY_PUSH(list, const char *) = OTHER_OWN;
    return list;
}

static apr_array_header_t *listed(apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(list, const char *) = "http://127.0.0.1:3000";
    APR_ARRAY_PUSH(list, const char *) = APP;
    return list;
}

static int equals(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* In the rules below: any value of a header, any value that is one, one that is none of those named
 * elsewhere. */
#define ANY ((const char *)1)
#define SENT ((const char *)2)
#define ABSENT NULL

static int fits(const char *header, const char *rule)
{
    return rule == ANY
           || (rule == SENT ? header && *header
               : rule       ? equals(header, rule)
                            : !header);
}

/* The rules, in order: the first that fits decides. From the threat list: cross-site is refused;
 * navigations and whatever a page embeds are refused, none included, but for forms of this site and
 * the switch for the address bar; prefetches are refused; without Sec-Fetch-* the Origin decides,
 * then the Referer; without any of them it is no browser. */
typedef struct rule_t {
    const char *site;
    const char *mode;
    const char *dest;
    const char *purpose;
    const char *origin;
    const char *referer;
    const char *method;
    int needs; /* settings that must be on for the rule to fit */
    int wanted;
} rule_t;

static const rule_t rules[] = {
    /* prefetched */
    {ANY, ANY, ANY, SENT, ANY, ANY, ANY, 0, 0},
    /* a form of this site, or of a trusted one */
    {"same-origin", "navigate", "document", ANY, ANY, ANY, "POST", 0, 1},
    {"same-origin", "navigate", ABSENT, ANY, ANY, ANY, "POST", 0, 1},
    {"same-site", "navigate", "document", ANY, ANY, ANY, "POST", SIBLINGS, 1},
    {"same-site", "navigate", ABSENT, ANY, ANY, ANY, "POST", SIBLINGS, 1},
    /* a form of a browser that says how but not from where */
    {ABSENT, "navigate", "document", ANY, OWN, ANY, "POST", 0, 1},
    {ABSENT, "navigate", ABSENT, ANY, OWN, ANY, "POST", 0, 1},
    {ABSENT, "navigate", "document", ANY, ABSENT, OWN "/login.html", "POST", 0, 1},
    {ABSENT, "navigate", ABSENT, ANY, ABSENT, OWN "/login.html", "POST", 0, 1},
    {ABSENT, "navigate", "document", ANY, ABSENT, ABSENT, "POST", 0, 1},
    {ABSENT, "navigate", ABSENT, ANY, ABSENT, ABSENT, "POST", 0, 1},
    /* an address that was typed, or a link of this site */
    {"none", "navigate", "document", ANY, ANY, ANY, "GET", NAVIGATION, 1},
    {"none", "navigate", ABSENT, ANY, ANY, ANY, "GET", NAVIGATION, 1},
    {"same-origin", "navigate", "document", ANY, ANY, ANY, "GET", NAVIGATION, 1},
    {"same-origin", "navigate", ABSENT, ANY, ANY, ANY, "GET", NAVIGATION, 1},
    {"same-site", "navigate", "document", ANY, ANY, ANY, "GET", NAVIGATION | SIBLINGS, 1},
    {"same-site", "navigate", ABSENT, ANY, ANY, ANY, "GET", NAVIGATION | SIBLINGS, 1},
    {ABSENT, "navigate", "document", ANY, OWN, ANY, "GET", NAVIGATION, 1},
    {ABSENT, "navigate", ABSENT, ANY, OWN, ANY, "GET", NAVIGATION, 1},
    {ABSENT, "navigate", "document", ANY, ABSENT, OWN "/login.html", "GET", NAVIGATION, 1},
    {ABSENT, "navigate", ABSENT, ANY, ABSENT, OWN "/login.html", "GET", NAVIGATION, 1},
    {ABSENT, "navigate", "document", ANY, ABSENT, ABSENT, "GET", NAVIGATION, 1},
    {ABSENT, "navigate", ABSENT, ANY, ABSENT, ABSENT, "GET", NAVIGATION, 1},
    /* opened or embedded in any other way */
    {ANY, "navigate", ANY, ANY, ANY, ANY, ANY, 0, 0},
    {ANY, "nested-navigate", ANY, ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "document", ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "iframe", ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "image", ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "script", ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "style", ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "object", ANY, ANY, ANY, ANY, 0, 0},
    {ANY, ANY, "embed", ANY, ANY, ANY, ANY, 0, 0},
    /* a script of a listed origin that fetches */
    {"cross-site", "cors", ANY, ANY, APP, ANY, ANY, 0, 1},
    {"same-site", "cors", ANY, ANY, APP, ANY, ANY, 0, 1},
    {ABSENT, "cors", ANY, ANY, APP, ANY, ANY, 0, 1},
    {ABSENT, ABSENT, ABSENT, ANY, APP, ANY, ANY, 0, 1},
    /* a script */
    {"same-origin", ANY, ANY, ANY, ANY, ANY, ANY, 0, 1},
    {"none", ANY, ANY, ANY, ANY, ANY, ANY, 0, 1},
    {"same-site", ANY, ANY, ANY, ANY, ANY, ANY, SIBLINGS, 1},
    {SENT, ANY, ANY, ANY, ANY, ANY, ANY, 0, 0},
    /* an older browser */
    {ABSENT, ANY, ANY, ANY, OWN, ANY, ANY, 0, 1},
    {ABSENT, ANY, ANY, ANY, SENT, ANY, ANY, 0, 0},
    {ABSENT, ANY, ANY, ANY, ABSENT, OWN "/login.html", ANY, 0, 1},
    {ABSENT, ANY, ANY, ANY, ABSENT, SENT, ANY, 0, 0},
    /* no browser */
    {ABSENT, ANY, ANY, ANY, ABSENT, ABSENT, ANY, 0, 1},
};

static int wanted_of(const account_browser_t *b, int settings)
{
    apr_size_t i;

    for (i = 0; i < COUNT(rules); i++) {
        const rule_t *r = &rules[i];

        if (fits(b->sec_fetch_site, r->site) && fits(b->sec_fetch_mode, r->mode)
            && fits(b->sec_fetch_dest, r->dest) && fits(b->sec_purpose, r->purpose)
            && fits(b->origin, r->origin) && fits(b->referer, r->referer)
            && fits(b->method, r->method) && (r->needs & settings) == r->needs) {
            return r->wanted;
        }
    }
    return -1;
}

static const char *shown(const char *header)
{
    return header ? header : "-";
}

static const char *const sites[] = {"none",       "same-origin", "same-site",
                                    "cross-site", "rubbish",     NULL};
static const char *const modes[] = {"cors",    "same-origin", "navigate", "nested-navigate",
                                    "no-cors", NULL};
static const char *const dests[] = {"empty", "document", "iframe", "image", "script",
                                    "style", "object",   "embed",  NULL};
static const char *const froms[] = {OWN, "https://evil.example", "null", APP, NULL};
static const char *const referers[] = {OWN "/login.html", "https://evil.example/x", NULL};
static const char *const purposes[] = {"prefetch", "prefetch;prerender", NULL};
static const char *const methods[] = {"GET", "POST"};

/* The axes of the matrix, and how long each is. */
enum { SITE, MODE, DEST, ORIGIN, REFERER, PURPOSE, METHOD, SETTINGS, AXES };
static const unsigned lengths[AXES] = {
    COUNT(sites),    COUNT(modes),    COUNT(dests),   COUNT(froms),
    COUNT(referers), COUNT(purposes), COUNT(methods), 4,
};

static int check_cell(const unsigned at[AXES], apr_pool_t *pool)
{
    account_browser_t browser = {
        .method = methods[at[METHOD]],
        .sec_fetch_site = sites[at[SITE]],
        .sec_fetch_mode = modes[at[MODE]],
        .sec_fetch_dest = dests[at[DEST]],
        .sec_purpose = purposes[at[PURPOSE]],
        .origin = froms[at[ORIGIN]],
        .referer = referers[at[REFERER]],
    };
    int settings = (int)at[SETTINGS];
    account_site_t site = {origins(pool), settings & NAVIGATION, (settings & SIBLINGS) != 0,
                           listed(pool)};
    int wanted = wanted_of(&browser, settings);
    int got = account_origin_allows(&browser, &site, pool);

    if (got != wanted) {
        diag(
            "%s site %s, mode %s, dest %s, origin %s, referer %s, purpose %s, settings %d: got %d, "
            "wanted %d",
            browser.method, shown(browser.sec_fetch_site), shown(browser.sec_fetch_mode),
            shown(browser.sec_fetch_dest), shown(browser.origin), shown(browser.referer),
            shown(browser.sec_purpose), settings, got, wanted);
    }
    return got == wanted;
}

static void test_matrix(apr_pool_t *parent)
{
    unsigned total = 1, cell, axis;
    int wrong[COUNT(sites)] = {0};
    int count[COUNT(sites)] = {0};
    apr_pool_t *pool;

    apr_pool_create(&pool, parent);
    for (axis = 0; axis < AXES; axis++) {
        total *= lengths[axis];
    }
    for (cell = 0; cell < total; cell++) {
        unsigned at[AXES], rest = cell;

        for (axis = 0; axis < AXES; axis++) {
            at[axis] = rest % lengths[axis];
            rest /= lengths[axis];
        }
        count[at[SITE]]++;
        wrong[at[SITE]] += wrong[at[SITE]] < 10 && !check_cell(at, pool);
        apr_pool_clear(pool);
    }
    for (axis = 0; axis < COUNT(sites); axis++) {
        is_int(wrong[axis], 0, "Sec-Fetch-Site %s: %d cells", shown(sites[axis]), count[axis]);
    }
}

/* What clients really send. */
static void test_clients(apr_pool_t *pool)
{
    static const struct {
        const char *name;
        account_browser_t
            browser; /* method, site, mode, dest, purpose, origin, referer, accept, upgrade */
        int settings;
        int wanted;
    } rows[] = {
        {"curl", {"POST", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}, 0, 1},
        {"curl, GET", {"GET", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}, 0, 1},
        {"fetch() of this site",
         {"POST", "same-origin", "cors", "empty", NULL, OWN, OWN "/", NULL, NULL},
         0,
         1},
        {"fetch() of this site, GET",
         {"GET", "same-origin", "cors", "empty", NULL, NULL, OWN "/", NULL, NULL},
         0,
         1},
        {"jQuery in an old browser",
         {"POST", NULL, NULL, NULL, NULL, OWN, OWN "/a", NULL, NULL},
         0,
         1},
        {"the same on a port", {"POST", NULL, NULL, NULL, NULL, OTHER_OWN, NULL, NULL, NULL}, 0, 1},
        {"an older one yet",
         {"POST", NULL, NULL, NULL, NULL, NULL, OWN "/a?b#c", NULL, NULL},
         0,
         1},
        {"old, of another port",
         {"POST", NULL, NULL, NULL, NULL, OWN ":8443", NULL, NULL, NULL},
         0,
         0},
        {"old, of http",
         {"POST", NULL, NULL, NULL, NULL, "http://shop.example", NULL, NULL, NULL},
         0,
         0},
        {"old, in capitals",
         {"POST", NULL, NULL, NULL, NULL, "HTTPS://Shop.Example:443", NULL, NULL, NULL},
         0,
         1},
        {"old, of a longer name",
         {"POST", NULL, NULL, NULL, NULL, OWN ".evil.example", NULL, NULL, NULL},
         0,
         0},
        {"old, of a user",
         {"POST", NULL, NULL, NULL, NULL, NULL, OWN "@evil.example/", NULL, NULL},
         0,
         0},
        {"old, of evil with own in it",
         {"POST", NULL, NULL, NULL, NULL, NULL, "https://evil.example/" OWN, NULL, NULL},
         0,
         0},
        {"old, empty Origin", {"POST", NULL, NULL, NULL, NULL, "", NULL, NULL, NULL}, 0, 0},
        {"a form of this site",
         {"POST", "same-origin", "navigate", "document", NULL, OWN, OWN "/", NULL, NULL},
         0,
         1},
        {"a form of a page without referrer",
         {"POST", "same-origin", "navigate", "document", NULL, "null", NULL, NULL, NULL},
         0,
         1},
        {"fetch() of a listed origin",
         {"POST", "cross-site", "cors", "empty", NULL, APP, APP "/", "*/*", NULL},
         0,
         1},
        {"the same by GET",
         {"GET", "cross-site", "cors", "empty", NULL, APP, NULL, "*/*", NULL},
         0,
         1},
        {"XMLHttpRequest of a listed origin, old",
         {"POST", NULL, NULL, NULL, NULL, APP, APP "/", "*/*", NULL},
         0,
         1},
        {"a form of a listed origin",
         {"POST", "cross-site", "navigate", "document", NULL, APP, APP "/", NULL, "1"},
         3,
         0},
        {"a form of a listed origin, old",
         {"POST", NULL, NULL, NULL, NULL, APP, APP "/", "text/html,application/xhtml+xml", NULL},
         3,
         0},
        {"a form of a listed origin, older",
         {"POST", NULL, NULL, NULL, NULL, APP, APP "/", "text/html, */*; q=0.01", NULL},
         3,
         0},
        {"a form of a listed origin that upgrades",
         {"POST", NULL, NULL, NULL, NULL, APP, APP "/", NULL, "1"},
         3,
         0},
        {"fetch() of a listed origin, no-cors",
         {"POST", "cross-site", "no-cors", "empty", NULL, APP, APP "/", "*/*", NULL},
         3,
         0},
        {"img of a listed origin, CORS",
         {"GET", "cross-site", "cors", "image", NULL, APP, APP "/", NULL, NULL},
         3,
         0},
        {"a prefetch of a listed origin",
         {"GET", "cross-site", "cors", "empty", "prefetch", APP, APP "/", NULL, NULL},
         3,
         0},
        {"a listed origin, only by Referer",
         {"GET", NULL, NULL, NULL, NULL, NULL, APP "/", NULL, NULL},
         3,
         0},
        {"a listed origin in capitals",
         {"POST", "cross-site", "cors", "empty", NULL, "HTTPS://APP.other.example", NULL, NULL,
          NULL},
         3,
         0},
        {"a listed origin with its port",
         {"POST", "cross-site", "cors", "empty", NULL, APP ":443", NULL, NULL, NULL},
         3,
         0},
        {"a listed origin of a longer name",
         {"POST", "cross-site", "cors", "empty", NULL, APP ".evil.example", NULL, NULL, NULL},
         3,
         0},
        {"a form of evil",
         {"POST", "cross-site", "navigate", "document", NULL, "https://evil.example", NULL, NULL,
          NULL},
         0,
         0},
        {"evil, old",
         {"POST", NULL, NULL, NULL, NULL, "https://evil.example", NULL, NULL, NULL},
         0,
         0},
        {"a sandboxed frame, old",
         {"POST", NULL, NULL, NULL, NULL, "null", NULL, NULL, NULL},
         0,
         0},
        {"fetch() of evil",
         {"POST", "cross-site", "cors", "empty", NULL, "https://evil.example", NULL, NULL, NULL},
         0,
         0},
        {"fetch() of evil, no-cors",
         {"GET", "cross-site", "no-cors", "empty", NULL, NULL, "https://evil.example/", NULL, NULL},
         3,
         0},
        {"img of evil",
         {"GET", "cross-site", "no-cors", "image", NULL, NULL, NULL, NULL, NULL},
         3,
         0},
        {"img of this site",
         {"GET", "same-origin", "no-cors", "image", NULL, NULL, OWN "/", NULL, NULL},
         3,
         0},
        {"script of this site",
         {"GET", "same-origin", "no-cors", "script", NULL, NULL, OWN "/", NULL, NULL},
         3,
         0},
        {"iframe of this site",
         {"GET", "same-origin", "navigate", "iframe", NULL, NULL, OWN "/", NULL, NULL},
         3,
         0},
        {"a form into a frame",
         {"POST", "same-origin", "navigate", "iframe", NULL, OWN, OWN "/", NULL, NULL},
         3,
         0},
        {"the address bar",
         {"GET", "none", "navigate", "document", NULL, NULL, NULL, NULL, NULL},
         0,
         0},
        {"the address bar, on",
         {"GET", "none", "navigate", "document", NULL, NULL, NULL, NULL, NULL},
         1,
         1},
        {"a POST again from nowhere, on",
         {"POST", "none", "navigate", "document", NULL, NULL, NULL, NULL, NULL},
         1,
         0},
        {"a link of this site",
         {"GET", "same-origin", "navigate", "document", NULL, NULL, OWN "/", NULL, NULL},
         0,
         0},
        {"a link of this site, on",
         {"GET", "same-origin", "navigate", "document", NULL, NULL, OWN "/", NULL, NULL},
         1,
         1},
        {"a link of evil, on",
         {"GET", "cross-site", "navigate", "document", NULL, NULL, "https://evil.example/", NULL,
          NULL},
         3,
         0},
        {"a sibling's script",
         {"POST", "same-site", "cors", "empty", NULL, "https://x.example", NULL, NULL, NULL},
         0,
         0},
        {"a trusted sibling's script",
         {"POST", "same-site", "cors", "empty", NULL, "https://x.example", NULL, NULL, NULL},
         2,
         1},
        {"a prefetch of this site",
         {"GET", "same-origin", "no-cors", "empty", "prefetch", NULL, OWN "/", NULL, NULL},
         3,
         0},
        {"a prerendered page",
         {"GET", "none", "navigate", "document", "prefetch;prerender", NULL, NULL, NULL, NULL},
         3,
         0},
        {"an extension",
         {"POST", "none", "cors", "empty", NULL, "chrome-extension://x", NULL, NULL, NULL},
         0,
         1},
        {"headers in capitals",
         {"POST", "Same-Origin", "CORS", "Empty", NULL, OWN, NULL, NULL, NULL},
         0,
         1},
        {"evil in capitals",
         {"GET", "CROSS-SITE", "cors", "empty", NULL, NULL, NULL, NULL, NULL},
         0,
         0},
        {"an empty Sec-Fetch-Site",
         {"POST", "", "cors", "empty", NULL, OWN, NULL, NULL, NULL},
         0,
         0},
        {"an empty Purpose",
         {"POST", "same-origin", "cors", "empty", "", OWN, NULL, NULL, NULL},
         0,
         1},
        {"a worklet",
         {"GET", "same-origin", "no-cors", "audioworklet", NULL, NULL, OWN "/", NULL, NULL},
         3,
         0},
        {"a link, plain http", {"GET", NULL, NULL, NULL, NULL, NULL, NULL, NULL, "1"}, 0, 0},
        {"a link, plain http, by its Accept",
         {"GET", NULL, NULL, NULL, NULL, NULL, NULL, "text/html,application/xhtml+xml,*/*", NULL},
         0,
         0},
        {"a link of evil, plain http, on",
         {"GET", NULL, NULL, NULL, NULL, NULL, "http://evil.example/", NULL, "1"},
         1,
         0},
        {"typed, plain http, on", {"GET", NULL, NULL, NULL, NULL, NULL, NULL, NULL, "1"}, 1, 1},
        {"a form of this site, plain http",
         {"POST", NULL, NULL, NULL, NULL, OWN, OWN "/", NULL, "1"},
         0,
         1},
        {"a form of evil, plain http",
         {"POST", NULL, NULL, NULL, NULL, "http://evil.example", NULL, NULL, "1"},
         0,
         0},
        {"Java's default Accept",
         {"GET", NULL, NULL, NULL, NULL, NULL, NULL, "text/html, image/gif, image/jpeg, *; q=.2",
          NULL},
         0,
         1},
        {"PUT of this site",
         {"PUT", "same-origin", "cors", "empty", NULL, OWN, NULL, NULL, NULL},
         0,
         1},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        account_site_t site = {origins(pool), rows[i].settings & NAVIGATION,
                               (rows[i].settings & SIBLINGS) != 0, listed(pool)};

        is_int(account_origin_allows(&rows[i].browser, &site, pool), rows[i].wanted, "%s",
               rows[i].name);
    }
}

static void test_origin_of(apr_pool_t *pool)
{
    static const struct {
        const char *url;
        const char *wanted;
    } rows[] = {
        {"https://shop.example", "https://shop.example"},
        {"https://shop.example/", "https://shop.example"},
        {"https://shop.example/a/b?c=https://d#e", "https://shop.example"},
        {"https://shop.example?a", "https://shop.example"},
        {"https://shop.example#a", "https://shop.example"},
        {"HTTPS://Shop.EXAMPLE/A", "https://shop.example"},
        {"https://shop.example:443", "https://shop.example"},
        {"https://shop.example:", "https://shop.example"},
        {"http://shop.example:80/", "http://shop.example"},
        {"http://shop.example:443", "http://shop.example:443"},
        {"https://shop.example:80", "https://shop.example:80"},
        {"http://shop.example:8080/a:1", "http://shop.example:8080"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"http://[::1]/", "http://[::1]"},
        {"http://[::1]:80/", "http://[::1]"},
        {"http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"},
        {"http://[2001:db8::1:8080]/", "http://[2001:db8::1:8080]"},
        {"https://user:secret@shop.example/", "https://shop.example"},
        {"https://shop.example@evil.example/", "https://evil.example"},
        {"https://shop.example.", "https://shop.example."},
        {"null", NULL},
        {"", NULL},
        {"/", NULL},
        {"/a/b", NULL},
        {"//shop.example/", NULL},
        {"shop.example", NULL},
        {"shop.example:443", NULL},
        {"https:", NULL},
        {"https://", NULL},
        {"https:///a", NULL},
        {"https:shop.example", NULL},
        {"ftp://shop.example/", NULL},
        {"file:///etc/passwd", NULL},
        {"javascript:alert(1)", NULL},
        {"data:text/html,https://shop.example", NULL},
        {"chrome-extension://abc", NULL},
        {"https://shop.example:x", NULL},
        {"https://shop.example:443x", NULL},
        {"http://[::1", NULL},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        is_str(account_origin_of(rows[i].url, pool), rows[i].wanted, "origin of %s",
               fixture_shown(rows[i].url));
    }
}

/* Without a list nobody else passes. */
static void test_no_list(apr_pool_t *pool)
{
    account_browser_t browser = {
        .method = "POST", .sec_fetch_site = "cross-site", .sec_fetch_mode = "cors", .origin = APP};
    account_site_t site = {.origins = origins(pool)};

    is_int(account_origin_allows(&browser, &site, pool), 0, "no list");
    site.listed = apr_array_make(pool, 1, sizeof(const char *));
    is_int(account_origin_allows(&browser, &site, pool), 0, "an empty list");
    site.listed = listed(pool);
    is_int(account_origin_allows(&browser, &site, pool), 1, "a list");
    is_int(account_origin_is_listed(NULL, site.listed), 0, "no Origin is not listed");
    is_int(account_origin_is_listed("", site.listed), 0, "an empty one is not listed");
    is_int(account_origin_is_listed("null", site.listed), 0, "null is not listed");
}

static void test_parse(apr_pool_t *pool)
{
    static const struct {
        const char *word;
        const char *wanted; /* the origin, or (in the text) what is wrong */
        int good;
    } rows[] = {
        {"https://app.example", "https://app.example", 1},
        {"https://app.example/", "https://app.example", 1},
        {"HTTPS://App.Example:443", "https://app.example", 1},
        {"http://127.0.0.1:3000", "http://127.0.0.1:3000", 1},
        {"http://[::1]:3000", "http://[::1]:3000", 1},
        {"*", "* would let every site", 0},
        {"null", "null is what any page", 0},
        {"NULL", "null is what any page", 0},
        {"https://*.example", "no origin", 0},
        {"https://app.example/path", "no origin", 0},
        {"https://app.example//", "no origin", 0},
        {"https://app.example?", "no origin", 0},
        {"https://app.example#x", "no origin", 0},
        {"https://user@app.example", "no origin", 0},
        {"https://app.ex\303\244mple", "no origin", 0},
        {"https://app.example,https://b.example", "no origin", 0},
        {"https://", "no origin", 0},
        {"app.example", "no origin", 0},
        {"//app.example", "no origin", 0},
        {"ftp://app.example", "no origin", 0},
        {"chrome-extension://abc", "no origin", 0},
        {"https://app.example:x", "no origin", 0},
        {"", "no origin", 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const char *origin;
        const char *error = account_origin_parse(rows[i].word, &origin, pool);

        if (rows[i].good) {
            is_str(origin, rows[i].wanted, "\"%s\" is an origin", fixture_shown(rows[i].word));
            is_str(error, NULL, "and nothing is wrong with it");
        }
        else {
            ok(error && strstr(error, rows[i].wanted), "\"%s\": %s", fixture_shown(rows[i].word),
               rows[i].wanted);
            is_str(origin, NULL, "and there is no origin");
        }
    }
}

static void test_same_site(void)
{
    static const struct {
        const char *a;
        const char *b;
        int wanted;
    } rows[] = {
        {"https://shop.example", "https://shop.example", 1},
        {"https://shop.example", "https://shop.example:8443", 1},
        {"https://app.shop.example", "https://shop.example", 1},
        {"https://a.app.shop.example", "https://b.shop.example", 1},
        {"http://shop.example", "https://shop.example", 0},
        {"https://shop.example", "http://shop.example:443", 0},
        {"https://app.example", "https://shop.example", 0},
        {"https://eshop.example", "https://shop.example", 0},
        {"https://x.eshop.example", "https://shop.example", 0},
        {"http://localhost:1", "http://localhost:2", 1},
        {"http://localhost", "http://127.0.0.1", 0},
        {"http://127.0.0.1", "http://127.0.0.1:8080", 1},
        {"http://10.0.0.1", "http://127.0.0.1", 0},
        {"http://1.1.0.1", "http://2.2.0.1", 0},
        {"http://[::1]", "http://[::1]:8080", 1},
        {"http://[::1]", "http://[::2]", 0},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        is_int(account_origin_same_site(rows[i].a, rows[i].b), rows[i].wanted, "%s and %s",
               rows[i].a, rows[i].b);
        is_int(account_origin_same_site(rows[i].b, rows[i].a), rows[i].wanted, "and the reverse");
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_matrix(pool);
    test_clients(pool);
    test_origin_of(pool);
    test_no_list(pool);
    test_parse(pool);
    test_same_site();
    apr_pool_destroy(pool);
    return done_testing();
}
