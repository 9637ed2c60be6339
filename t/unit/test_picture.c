/* base/picture: what comes out is a picture of its own each time, and failures are told. */

#include <stdlib.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <apr_time.h>

#include "base/picture.h"
#include "tap.h"

#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"

#ifdef HAVE_GD
#include <gd.h>

/* Random bytes that can be had again: a counter, scrambled. */
static apr_status_t repeatable(void *baton, unsigned char *bytes, apr_size_t length)
{
    unsigned int *state = baton;
    apr_size_t i;

    for (i = 0; i < length; i++) {
        *state = *state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(*state >> 24);
    }
    return APR_SUCCESS;
}

static apr_status_t all_alike(void *baton, unsigned char *bytes, apr_size_t length)
{
    memset(bytes, *(int *)baton, length);
    return APR_SUCCESS;
}

static apr_status_t broken(void *baton, unsigned char *bytes, apr_size_t length)
{
    (void)baton, (void)bytes, (void)length;
    return APR_EGENERAL;
}

static int same(const account_picture_t *a, const account_picture_t *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static unsigned int number(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;

    return (unsigned int)b[0] << 24 | (unsigned int)b[1] << 16 | (unsigned int)b[2] << 8 | b[3];
}

/* Pixels in a part of the picture that are dark; -1: it can't be read. */
static int ink(const account_picture_t *picture, int part, int parts)
{
    gdImagePtr image = gdImageCreateFromPngPtr((int)picture->length, (void *)picture->bytes);
    int x, y, count = 0;

    if (image == NULL) {
        return -1;
    }
    for (x = gdImageSX(image) * part / parts; x < gdImageSX(image) * (part + 1) / parts; x++) {
        for (y = 0; y < gdImageSY(image); y++) {
            count += gdImageGreen(image, gdImageGetPixel(image, x, y)) < 100;
        }
    }
    gdImageDestroy(image);
    return count;
}

static void test_form(apr_pool_t *pool)
{
    unsigned int seed = 1;
    const account_random_t random = {repeatable, &seed};
    account_picture_t picture = {NULL, 0}, again, other;
    int i;

    is_int(account_picture_draw(&picture, "A7kPx", FONT, &random, pool), APR_SUCCESS, "drawn");
    ok(picture.length > 500 && picture.length < 30000, "of a size that can be sent");
    ok(!memcmp(picture.bytes, "\x89PNG\r\n\x1a\n", 8), "a PNG");
    ok(!memcmp(picture.bytes + 12, "IHDR", 4), "with its header");
    is_int(number(picture.bytes + 16), 180, "as wide as it should be");
    is_int(number(picture.bytes + 20), 60, "and as high");
    ok(!memcmp(picture.bytes + picture.length - 8, "IEND", 4), "to its end");
    for (i = 0; i < 5; i++) {
        ok(ink(&picture, i, 5) > 150, "a letter in part %d", i);
    }
    account_picture_draw(&other, "A7kPx", FONT, &random, pool);
    ok(!same(&picture, &other), "another picture of the same text is another one");
    seed = 1;
    account_picture_draw(&again, "A7kPx", FONT, &random, pool);
    ok(same(&picture, &again), "with the same random bytes it is the same");
    seed = 1;
    account_picture_draw(&again, "A7kPy", FONT, &random, pool);
    ok(!same(&picture, &again), "another text is another picture");
    account_picture_draw(&again, "A7kPx", FONT, &account_random_secure, pool);
    account_picture_draw(&other, "A7kPx", FONT, &account_random_secure, pool);
    ok(!same(&other, &again), "as it is with those that nobody knows");
}

/* The ends of what chance can ask for: nothing falls out of the picture. */
static void test_extremes(apr_pool_t *pool)
{
    static const char *const texts[] = {"W", "WWWWW", "iiiii", "abcdefghijkl"};
    apr_size_t i;
    int byte;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (byte = 0; byte < 256; byte += 51) {
            const account_random_t random = {all_alike, &byte};
            account_picture_t picture = {NULL, 0};

            is_int(account_picture_draw(&picture, texts[i], FONT, &random, pool), APR_SUCCESS,
                   "%s, all random bytes %d", texts[i], byte);
            ok(ink(&picture, 0, 1) > 100, "%s, all random bytes %d: ink", texts[i], byte);
        }
    }
}

static void test_failures(apr_pool_t *pool)
{
    const account_random_t none = {broken, NULL};
    account_picture_t picture = {NULL, 0};
    char broken_font[] = "/tmp/test_picture.XXXXXX";
    int file = mkstemp(broken_font);
    const char *error;

    is_str(account_picture_check(FONT, pool), NULL, "a font that is right");
    error = account_picture_check("/nowhere/font.ttf", pool);
    ok(error != NULL && strstr(error, "/nowhere/font.ttf can't be read: No such file") != NULL,
       "a font that is missing: %s", error);
    ok(file >= 0 && write(file, "no font\n", 8) == 8 && close(file) == 0, "a file");
    error = account_picture_check(broken_font, pool);
    ok(error != NULL && strstr(error, broken_font) && strstr(error, "can't be used: "),
       "a file that is no font: %s", error);
    ok(account_picture_check("/", pool) != NULL, "a folder is no font");
    error = account_picture_check("configure.ac", pool);
    ok(error != NULL, "a name without a path: %s", error);

    is_int(
        account_picture_draw(&picture, "A7kPx", "/nowhere/font.ttf", &account_random_secure, pool),
        APR_EGENERAL, "drawn with a font that is missing");
    is_int(account_picture_draw(&picture, "A7kPx", broken_font, &account_random_secure, pool),
           APR_EGENERAL, "with one that is none");
    is_int(account_picture_draw(&picture, "A7kPx", FONT, &none, pool), APR_EGENERAL,
           "without random bytes");
    is_int(account_picture_draw(&picture, "", FONT, &account_random_secure, pool), APR_EINVAL,
           "no text");
    is_int(account_picture_draw(&picture, "abcdefghijklm", FONT, &account_random_secure, pool),
           APR_EINVAL, "a text that is too long");
    ok(picture.bytes == NULL && picture.length == 0, "and nothing is given");
    remove(broken_font);
}

#define THREADS 6
#define EACH 40

typedef struct worker_t {
    apr_pool_t *pool;
    const account_picture_t *wanted;
    int right;
} worker_t;

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    worker_t *worker = data;
    int i;

    (void)thread;
    for (i = 0; i < EACH; i++) {
        unsigned int seed = 7;
        const account_random_t random = {repeatable, &seed};
        account_picture_t picture = {NULL, 0};

        apr_pool_clear(worker->pool);
        worker->right +=
            account_picture_draw(&picture, "r4ndm", FONT, &random, worker->pool) == APR_SUCCESS
            && same(&picture, worker->wanted);
    }
    return NULL;
}

static void test_threads(apr_pool_t *pool)
{
    unsigned int seed = 7;
    const account_random_t random = {repeatable, &seed};
    account_picture_t wanted = {NULL, 0};
    apr_thread_t *threads[THREADS];
    worker_t workers[THREADS];
    apr_time_t begin;
    apr_status_t rv;
    int i;

    account_picture_draw(&wanted, "r4ndm", FONT, &random, pool);
    begin = apr_time_now();
    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){NULL, &wanted, 0};
        apr_pool_create(&workers[i].pool, NULL);
        if (apr_thread_create(&threads[i], NULL, work, &workers[i], pool) != APR_SUCCESS) {
            ok(0, "a thread");
            return;
        }
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
        is_int(workers[i].right, EACH, "thread %d draws what one alone draws", i);
        apr_pool_destroy(workers[i].pool);
    }
    diag("%.2f ms a picture", (double)(apr_time_now() - begin) / 1000.0 / (THREADS * EACH));
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc > 1) { /* to look at: writes one */
        account_picture_t picture = {NULL, 0};

        if (account_picture_draw(&picture, argv[1], FONT, &account_random_secure, pool)
            == APR_SUCCESS) {
            fwrite(picture.bytes, 1, picture.length, stdout);
        }
        return 0;
    }
    test_failures(pool);
    test_form(pool);
    test_extremes(pool);
    test_threads(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}

#else

int main(void)
{
    apr_pool_t *pool;
    account_picture_t picture;
    const char *error;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    error = account_picture_check(FONT, pool);
    ok(error != NULL && strstr(error, "apt-get install libgd-dev"), "it says what is missing");
    is_int(account_picture_draw(&picture, "a", FONT, &account_random_secure, pool), APR_ENOTIMPL,
           "and draws nothing");
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}

#endif
