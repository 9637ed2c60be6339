#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 1000

/* Where to cut a line that is longer than the buffer: not within a UTF-8 character. */
static int cut(const char *line, int end)
{
    while (end > 0 && ((unsigned char)line[end] & 0xC0) == 0x80) {
        end--;
    }
    return end;
}

void account_log(const account_log_t *log, account_log_level_e level, apr_status_t status,
                 const char *format, ...)
{
    /* One byte more than a line has: it tells whether the cut is within a character. */
    char line[LINE_BYTES + 2];
    va_list args;
    int length;

    if (log == NULL || log->fn == NULL) {
        return;
    }
    va_start(args, format);
    length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length < 0) {
        return;
    }
    if (length > LINE_BYTES) {
        line[cut(line, LINE_BYTES)] = '\0';
    }
    log->fn(log->baton, level, status, line);
}
