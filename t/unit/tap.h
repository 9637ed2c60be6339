#ifndef ACCOUNT_UNIT_TAP_H
#define ACCOUNT_UNIT_TAP_H

/*
 * What a unit program needs to print TAP. Each check prints one line with the name it was given;
 * the plan comes at the end. Only the main thread of the first process may check.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TAP_UNUSED __attribute__((unused))
#define TAP_PRINTF(text, args) __attribute__((format(printf, text, args)))

typedef struct tap_t {
    int count;
    int failed;
} tap_t;

/* Weak: one count for all files of a program. */
__attribute__((weak)) tap_t *tap(void)
{
    static tap_t state;

    return &state;
}

static TAP_UNUSED int tap_result(int passed, const char *name, va_list args)
{
    tap()->count++;
    tap()->failed += !passed;
    printf("%sok %d - ", passed ? "" : "not ", tap()->count);
    vprintf(name, args);
    printf("\n");
    fflush(stdout);
    return passed;
}

/* A comment line. */
static TAP_UNUSED TAP_PRINTF(1, 2) void diag(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("# ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
}

static TAP_UNUSED TAP_PRINTF(2, 3) int ok(int passed, const char *name, ...)
{
    va_list args;

    va_start(args, name);
    passed = tap_result(passed != 0, name, args);
    va_end(args);
    return passed;
}

/* Either may be NULL. */
static TAP_UNUSED TAP_PRINTF(3, 4) int is_str(const char *got, const char *wanted, const char *name,
                                              ...)
{
    va_list args;
    int passed = got == NULL || wanted == NULL ? got == wanted : strcmp(got, wanted) == 0;

    va_start(args, name);
    tap_result(passed, name, args);
    va_end(args);
    if (!passed) {
        diag("     got: %s", got != NULL ? got : "(NULL)");
        diag("  wanted: %s", wanted != NULL ? wanted : "(NULL)");
    }
    return passed;
}

static TAP_UNUSED TAP_PRINTF(3, 4) int is_int(long long got, long long wanted, const char *name,
                                              ...)
{
    va_list args;
    int passed = got == wanted;

    va_start(args, name);
    tap_result(passed, name, args);
    va_end(args);
    if (!passed) {
        diag("     got: %lld", got);
        diag("  wanted: %lld", wanted);
    }
    return passed;
}

/* The plan. What main returns. */
static TAP_UNUSED int done_testing(void)
{
    printf("1..%d\n", tap()->count);
    if (tap()->failed > 0) {
        diag("%d of %d failed", tap()->failed, tap()->count);
    }
    fflush(stdout);
    return tap()->failed > 0 || tap()->count == 0;
}

#endif
