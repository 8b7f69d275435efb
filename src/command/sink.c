/*
 * sink.c - buffered output with the first error latched.
 *
 * stdio is not used for results: it drops its buffer at EAGAIN, which a terminal or a pipe that
 * another program made non-blocking gives, and it cannot be left when the reader has stopped
 * reading and the user wants to go.  So a pipe is waited for with poll, together with the
 * signals, and gets pieces that fit once it is writable.  Meanwhile what jobs write is taken: they
 * do not wait for the reader of our output, and their time limits do not pass by that.
 */
#include "sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SINK_BUFFER = 64 * 1024 };

/* All terminals are taken to be the same one. */
static bool in_line;

/* Does it leave a line begun?  What sets colours moves nothing. */
static bool begins_line(const char *data, size_t size)
{
    while (size > 0 && data[size - 1] == 'm') {
        size_t at = size - 1;
        while (at > 0 && strchr("0123456789;", data[at - 1]) != NULL && data[at - 1] != '\0')
            at--;
        if (at < 2 || data[at - 1] != '[' || data[at - 2] != '\033')
            return true;
        size = at - 2;
    }
    return size > 0 && data[size - 1] != '\n';
}

int cmd_sink_open(struct cmd_sink *sink, int fd, const char *name, struct cmd_signals *signals)
{
    char *buffer = malloc(SINK_BUFFER);
    if (buffer == NULL)
        return -ENOMEM;
    struct stat status;
    *sink = (struct cmd_sink){.fd = fd, .name = name, .signals = signals, .buffer = buffer};
    sink->terminal = isatty(fd);
    sink->in_line = sink->terminal ? &in_line : NULL;
    bool known = fstat(fd, &status) == 0;
    sink->regular = known && S_ISREG(status.st_mode);
    sink->pipe = known && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
    return 0;
}

/* Ends when the descriptor takes bytes or fails: 0; after the second signal it does not wait any
 * more: -EINTR. */
static int wait_writable(struct cmd_sink *sink)
{
    for (;;) {
        bool          hurry = sink->signals->count >= 2;
        bool          idle = sink->meanwhile != NULL && !sink->meanwhile->busy;
        struct pollfd fds[3] = {
            {.fd = sink->fd, .events = POLLOUT},
            {.fd = sink->signals->fd, .events = POLLIN},
            {.fd = idle ? sink->meanwhile->fd : -1, .events = POLLIN},
        };
        int ready = poll(fds, 3, hurry ? 0 : -1);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready < 0)
            continue;
        if (fds[0].revents != 0)
            return 0;
        if (hurry)
            return -EINTR;
        if (fds[1].revents != 0)
            cmd_signals_read(sink->signals);
        if (sink->signals->count > 0 && sink->meanwhile != NULL)
            sink->meanwhile->heed(sink->meanwhile->argument);
        if (idle && fds[2].revents != 0)
            sink->meanwhile->take(sink->meanwhile->argument);
    }
}

static void write_all(struct cmd_sink *sink, const char *data, size_t size)
{
    size_t limit = sink->regular ? SSIZE_MAX : PIPE_BUF;
    while (size > 0 && sink->error == 0) {
        if (!sink->regular)
            sink->error = wait_writable(sink);
        if (sink->error < 0)
            return;
        ssize_t n = write(sink->fd, data, size < limit ? size : limit);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            sink->error = -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
}

void cmd_sink_put(struct cmd_sink *sink, const void *data, size_t size)
{
    if (size == 0)
        return;
    if (sink->in_line != NULL)
        *sink->in_line = begins_line(data, size);
    if (sink->used + size > SINK_BUFFER)
        cmd_sink_flush(sink);
    if (size >= SINK_BUFFER) {
        write_all(sink, data, size);
        return;
    }
    memcpy(sink->buffer + sink->used, data, size);
    sink->used += size;
}

int cmd_sink_flush(struct cmd_sink *sink)
{
    size_t used = sink->used;
    sink->used = 0;
    write_all(sink, sink->buffer, used);
    return sink->error;
}

int cmd_sink_reader(const struct cmd_sink *sink)
{
    return sink->pipe && sink->error == 0 ? sink->fd : -1;
}

void cmd_sink_unread(struct cmd_sink *sink)
{
    if (sink->error == 0)
        sink->error = -EPIPE;
}

bool cmd_sink_has_colour(const struct cmd_sink *sink)
{
    const char *terminal = getenv("TERM");
    const char *refused = getenv("NO_COLOR");
    return sink->terminal && terminal != NULL && strcmp(terminal, "dumb") != 0 &&
           (refused == NULL || refused[0] == '\0');
}

void cmd_sink_close(struct cmd_sink *sink)
{
    free(sink->buffer);
    sink->buffer = NULL;
}
