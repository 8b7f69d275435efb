/*
 * text.h - words for people: quoted inputs, wait statuses, messages on standard error.
 */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include <stddef.h>

/* `text` as one printable line of less than `size` bytes: control characters are escaped, what does
 * not fit ends in "...".  Returns the length. */
size_t cmd_printable(char *out, size_t size, const char *text, size_t length);

/* The same between single quotes; `size` is 6 at least. */
size_t cmd_quote(char *out, size_t size, const char *text, size_t length);

/* "exit 3" or "signal 11 (Segmentation fault)" from a status of waitpid. */
void cmd_describe_status(char *out, size_t size, int wait_status);

/* "procpool: ...\n" on standard error, before a run has begun.  Within a run it is
 * cmd_report_error, which knows about the progress line. */
void cmd_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
