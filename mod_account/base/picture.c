#include "base/picture.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#ifdef HAVE_GD

#include <dlfcn.h>
#include <math.h>
#include <string.h>

#include <gd.h>

#define WIDTH 180
#define MARGIN 12
#define HEIGHT 60
#define LETTERS_MOST 12
#define SPECKLES 220
#define CURVES 3

#define PI 3.14159265358979323846

/* Random bytes, taken once; each is used once. */
#define BYTES_LETTER 4
#define BYTES_CURVE 5
#define BYTES_SPECKLE 3
#define BYTES (6 + LETTERS_MOST * BYTES_LETTER + CURVES * BYTES_CURVE + SPECKLES * BYTES_SPECKLE)

typedef struct chance_t {
    unsigned char bytes[BYTES];
    int used;
} chance_t;

/* A number from least to most, as the next byte wants it. */
static double between(chance_t *chance, double least, double most)
{
    return least + (most - least) * chance->bytes[chance->used++] / 255.0;
}

/* What all of a picture has in common: programs can't tell letters and lines by their colours. */
typedef struct look_t {
    const char *font;
    double size; /* of letters in the middle, points */
    int ink;
    int paper;
} look_t;

/* The box around a letter that is drawn at 0, 0. 0: the font can't be used. */
static int measure(gdRect *box, char letter, double size, double angle, const char *font)
{
    char text[2] = {letter, '\0'};
    int corners[8], i;

    if (gdImageStringFT(NULL, corners, 0, (char *)font, size, angle, 0, 0, text) != NULL) {
        return 0;
    }
    *box = (gdRect){corners[0], corners[1], corners[0], corners[1]};
    for (i = 2; i < 8; i += 2) {
        box->x = corners[i] < box->x ? corners[i] : box->x;
        box->width = corners[i] > box->width ? corners[i] : box->width;
        box->y = corners[i + 1] < box->y ? corners[i + 1] : box->y;
        box->height = corners[i + 1] > box->height ? corners[i + 1] : box->height;
    }
    box->width -= box->x;
    box->height -= box->y;
    return 1;
}

/* One letter, more or less around the middle of its part. 0: the font can't be used. */
static int draw_letter(gdImagePtr image, char letter, gdRect part, const look_t *look,
                       chance_t *chance)
{
    double size = look->size * between(chance, 0.9, 1.1), angle = between(chance, -0.42, 0.42);
    int corners[8], x = part.x + (int)between(chance, -2, 2);
    int y = part.y + (int)between(chance, -5, 5);
    char text[2] = {letter, '\0'};
    gdRect box;

    return measure(&box, letter, size, angle, look->font)
           && gdImageStringFT(image, corners, look->ink, (char *)look->font, size, angle,
                              x + (part.width - box.width) / 2 - box.x,
                              y + (part.height - box.height) / 2 - box.y, text)
                  == NULL;
}

/* The letters, side by side. 0: the font can't be used. */
static int draw_letters(gdImagePtr image, const char *text, look_t *look, chance_t *chance)
{
    int room = WIDTH - 2 * MARGIN, widths[LETTERS_MOST], all = 0, before = 0, i;
    gdRect box;

    for (i = 0; text[i]; i++) {
        if (!measure(&box, text[i], look->size, 0, look->font)) {
            return 0;
        }
        widths[i] = box.width + 2;
        all += widths[i];
    }
    if (all > room) {
        look->size *= (double)room / all;
    }
    for (i = 0; text[i]; before += widths[i++]) {
        gdRect part = {MARGIN + room * before / all, 0, room * widths[i] / all, HEIGHT};

        if (!draw_letter(image, text[i], part, look, chance)) {
            return 0;
        }
    }
    return 1;
}

/* A line from side to side that swings. */
static void draw_curve(gdImagePtr image, int ink, int width, chance_t *chance)
{
    double level = between(chance, 14, HEIGHT - 14), swing = between(chance, 4, 12);
    double length = between(chance, 60, 150), shift = between(chance, 0, 2 * PI);
    double slope = between(chance, -0.1, 0.1);
    int x, i;

    for (x = 0; x < WIDTH; x++) {
        int y = (int)(level + slope * (x - WIDTH / 2) + swing * sin(2 * PI * x / length + shift));

        for (i = 0; i < width; i++) {
            gdImageSetPixel(image, x, y + i, ink);
        }
    }
}

/* Bends what is drawn along both axes. */
static void bend(gdImagePtr to, gdImagePtr from, chance_t *chance)
{
    double length_x = between(chance, 45, 80), shift_x = between(chance, 0, 2 * PI);
    double length_y = between(chance, 30, 55), shift_y = between(chance, 0, 2 * PI);
    int x, y;

    for (y = 0; y < HEIGHT; y++) {
        for (x = 0; x < WIDTH; x++) {
            int u = x + (int)lround(2.6 * sin(2 * PI * y / length_y + shift_y));
            int v = y + (int)lround(3.6 * sin(2 * PI * x / length_x + shift_x));

            if (gdImageBoundsSafe(from, u, v)) {
                gdImageSetPixel(to, x, y, gdImageGetTrueColorPixel(from, u, v));
            }
        }
    }
}

/* The letters on canvas, then all of it, bent and crossed out, on image. 0: the font can't be used.
 */
static int draw(gdImagePtr canvas, gdImagePtr image, const char *text, const char *font,
                chance_t *chance)
{
    int hue = (int)between(chance, 0, 90), light = (int)between(chance, 238, 252), i;
    look_t look = {font, 29, gdTrueColor(hue, 20, 90 - hue), gdTrueColor(light, 240, 490 - light)};

    gdImageFilledRectangle(canvas, 0, 0, WIDTH - 1, HEIGHT - 1, look.paper);
    gdImageFilledRectangle(image, 0, 0, WIDTH - 1, HEIGHT - 1, look.paper);
    if (!draw_letters(canvas, text, &look, chance)) {
        return 0;
    }
    bend(image, canvas, chance);
    /* two add to the letters, the last one cuts them, thinner so that people still read them */
    draw_curve(image, look.ink, 2, chance);
    draw_curve(image, look.ink, 2, chance);
    draw_curve(image, look.paper, 1, chance);
    for (i = 0; i < SPECKLES; i++) {
        int x = (int)between(chance, 0, WIDTH - 1), y = (int)between(chance, 0, HEIGHT - 1);

        gdImageSetPixel(image, x, y, between(chance, 0, 1) < 0.5 ? look.ink : look.paper);
    }
    return 1;
}

static apr_status_t encode(account_picture_t *picture, gdImagePtr image, apr_pool_t *pool)
{
    int length;
    void *bytes = gdImagePngPtr(image, &length);

    if (bytes == NULL) {
        return APR_ENOMEM;
    }
    picture->bytes = apr_pmemdup(pool, bytes, (apr_size_t)length);
    picture->length = (apr_size_t)length;
    gdFree(bytes);
    return APR_SUCCESS;
}

/* gd's cache of fonts is its own and never freed: when httpd unloads modules to start anew, it has
 * to stay, or each restart would leave one behind. */
static void keep_gd_loaded(void)
{
    Dl_info gd;

    if (dladdr((void *)gdImageStringFT, &gd)) {
        dlopen(gd.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

/* The first use of FreeType makes gd's cache and its lock, which no two threads may do at once:
 * that is here, at start. Later gd locks by itself. */
const char *account_picture_check(const char *font, apr_pool_t *pool)
{
    apr_finfo_t info;
    char reason[120];
    int box[8];
    const char *error;
    apr_status_t rv = apr_stat(&info, font, APR_FINFO_TYPE, pool);

    if (rv != APR_SUCCESS) {
        return apr_psprintf(pool, "the font %s can't be read: %s", font,
                            apr_strerror(rv, reason, sizeof(reason)));
    }
    /* FreeType would look for any other name along its own path of fonts. */
    if (font[0] != '/') {
        return apr_psprintf(pool, "the font %s is not named by a whole path", font);
    }
    keep_gd_loaded();
    error = gdImageStringFT(NULL, box, 0, (char *)font, 30, 0, 0, 0, (char *)"A");
    return error != NULL ? apr_psprintf(pool, "the font %s can't be used: %s", font, error) : NULL;
}

apr_status_t account_picture_draw(account_picture_t *picture, const char *text, const char *font,
                                  const account_random_t *random, apr_pool_t *pool)
{
    gdImagePtr canvas, image;
    chance_t chance = {.used = 0};
    apr_status_t rv = random->fn(random->baton, chance.bytes, sizeof(chance.bytes));

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (strlen(text) == 0 || strlen(text) > LETTERS_MOST) {
        return APR_EINVAL;
    }
    canvas = gdImageCreateTrueColor(WIDTH, HEIGHT);
    image = gdImageCreateTrueColor(WIDTH, HEIGHT);
    if (canvas == NULL || image == NULL) {
        rv = APR_ENOMEM;
    }
    else if (!draw(canvas, image, text, font, &chance)) {
        rv = APR_EGENERAL;
    }
    else {
        rv = encode(picture, image, pool);
    }
    if (canvas != NULL) {
        gdImageDestroy(canvas);
    }
    if (image != NULL) {
        gdImageDestroy(image);
    }
    return rv;
}

#else

const char *account_picture_check(const char *font, apr_pool_t *pool)
{
    (void)font, (void)pool;
    return "built without libgd: apt-get install libgd-dev and build again";
}

apr_status_t account_picture_draw(account_picture_t *picture, const char *text, const char *font,
                                  const account_random_t *random, apr_pool_t *pool)
{
    (void)picture, (void)text, (void)font, (void)random, (void)pool;
    return APR_ENOTIMPL;
}

#endif
