/*
 * inputs.c - the words after `:::`, or the lines of standard input, read as they are wanted.
 *
 * A line is what stands before a newline, nothing trimmed, an empty one too; the last line may lack
 * its newline.  The memory is one buffer as large as the longest line, at most MAX_LINE.
 *
 * The descriptor is left as it is, blocking or not: it is shared with whoever started the command.
 * One read after poll said "readable" does not block.
 */
#include "inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BUFFER = 64 * 1024, MAX_LINE = 64 * 1024 * 1024 };

void cmd_inputs_from_list(struct cmd_inputs *inputs, char *const *list, size_t count)
{
    *inputs = (struct cmd_inputs){.list = list, .list_count = count, .fd = -1};
}

void cmd_inputs_from_fd(struct cmd_inputs *inputs, int fd)
{
    *inputs = (struct cmd_inputs){.fd = fd};
}

static int next_line(struct cmd_inputs *inputs, const char **text, size_t *length)
{
    size_t pending = inputs->end - inputs->scanned;
    char  *newline = pending > 0 ? memchr(inputs->buffer + inputs->scanned, '\n', pending) : NULL;
    inputs->scanned = inputs->end;
    if (newline == NULL && !inputs->ended)
        return -EAGAIN;
    if (newline == NULL && inputs->begin == inputs->end)
        return 0;
    size_t stop = newline != NULL ? (size_t)(newline - inputs->buffer) : inputs->end;
    *text = inputs->buffer + inputs->begin;
    *length = stop - inputs->begin;
    inputs->begin = newline != NULL ? stop + 1 : stop;
    inputs->scanned = inputs->begin;
    return 1;
}

int cmd_inputs_next(struct cmd_inputs *inputs, const char **text, size_t *length)
{
    int got = 1;
    if (inputs->list == NULL) {
        got = next_line(inputs, text, length);
    } else if (inputs->list_next == inputs->list_count) {
        got = 0;
    } else {
        *text = inputs->list[inputs->list_next++];
        *length = strlen(*text);
    }
    if (got == 1)
        inputs->count++;
    return got;
}

/* Make room behind `end`: move what is left to the front, grow when it fills the buffer. */
static int make_room(struct cmd_inputs *inputs)
{
    size_t left = inputs->end - inputs->begin;
    if (inputs->begin > 0) {
        memmove(inputs->buffer, inputs->buffer + inputs->begin, left);
        inputs->scanned -= inputs->begin;
        inputs->begin = 0;
        inputs->end = left;
    }
    if (left < inputs->capacity)
        return 0;
    if (left >= MAX_LINE)
        return -EMSGSIZE;
    size_t capacity = inputs->capacity == 0 ? FIRST_BUFFER : inputs->capacity * 2;
    char  *buffer = realloc(inputs->buffer, capacity);
    if (buffer == NULL)
        return -ENOMEM;
    inputs->buffer = buffer;
    inputs->capacity = capacity;
    return 0;
}

int cmd_inputs_read(struct cmd_inputs *inputs)
{
    int error = make_room(inputs);
    if (error < 0)
        return error;
    ssize_t n = read(inputs->fd, inputs->buffer + inputs->end, inputs->capacity - inputs->end);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        inputs->ended = true;
    inputs->end += (size_t)n;
    return 0;
}

void cmd_inputs_close(struct cmd_inputs *inputs)
{
    free(inputs->buffer);
    inputs->buffer = NULL;
}
