/*
 * text.c - how inputs, statuses and errors are worded.
 *
 * Inputs are bytes that anybody may have chosen: file names, lines of a download.  On their way to
 * a terminal or a log they lose what could move the cursor or fake a line.
 */
#define _GNU_SOURCE
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* One character as it is printed, into `out`: its length. */
static size_t escape(char out[5], unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    if (byte >= 0x20 && byte != 0x7f) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    switch (byte) {
    case '\n':
        out[1] = 'n';
        return 2;
    case '\r':
        out[1] = 'r';
        return 2;
    case '\t':
        out[1] = 't';
        return 2;
    default:
        out[1] = 'x';
        out[2] = digits[byte >> 4];
        out[3] = digits[byte & 15];
        return 4;
    }
}

/* Do not end in the middle of a UTF-8 character. */
static size_t whole_characters(const char *text, size_t length)
{
    size_t end = length;
    while (end > 0 && length - end < 3 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
        end--;
    return end > 0 && (unsigned char)text[end - 1] >= 0xc0 ? end - 1 : length;
}

size_t cmd_printable(char *out, size_t size, const char *text, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char   piece[5];
        size_t n = escape(piece, (unsigned char)text[i]);
        if (used + n + (i + 1 < length ? 3 : 0) >= size) {
            used = whole_characters(out, used);
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out + used, piece, n);
        used += n;
    }
    out[used] = '\0';
    return used;
}

size_t cmd_quote(char *out, size_t size, const char *text, size_t length)
{
    out[0] = '\'';
    size_t used = 1 + cmd_printable(out + 1, size - 2, text, length);
    out[used++] = '\'';
    out[used] = '\0';
    return used;
}

void cmd_describe_status(char *out, size_t size, int wait_status)
{
    if (!WIFSIGNALED(wait_status)) {
        snprintf(out, size, "exit %d", WEXITSTATUS(wait_status));
        return;
    }
    int         number = WTERMSIG(wait_status);
    const char *name = sigdescr_np(number);
    if (name != NULL)
        snprintf(out, size, "signal %d (%s)", number, name);
    else
        snprintf(out, size, "signal %d", number);
}

void cmd_error(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fputs("procpool: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
}
