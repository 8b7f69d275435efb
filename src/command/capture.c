/*
 * capture.c - the outputs of a command, collected in the worker's memory.
 *
 * When does an output end?  When the last process that holds the pipe has closed it, as in a
 * shell's command substitution: a background process that the command left behind with these
 * pipes may still write, and nothing that it writes is lost.  So `sh -c 'daemon &'` keeps its
 * task running until the daemon closes its output; who does not want that redirects it.  The
 * time limit of the task covers the wait, and ends the background process too.
 */
#include "capture.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_CAPTURE = 64 * 1024, KEPT_CAPTURE = 1024 * 1024 };

/* One read: 1, 0 at the end, or -errno. */
static int read_some(int fd, struct cmd_capture *capture)
{
    if (capture->size == capture->capacity) {
        size_t capacity = capture->capacity == 0 ? FIRST_CAPTURE : capture->capacity * 2;
        char  *data = realloc(capture->data, capacity);
        if (data == NULL)
            return -ENOMEM;
        capture->data = data;
        capture->capacity = capacity;
    }
    ssize_t n = read(fd, capture->data + capture->size, capture->capacity - capture->size);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 1 : -errno;
    capture->size += (size_t)n;
    return n > 0;
}

int cmd_capture_both(int fds[2], struct cmd_capture captures[2])
{
    int error = 0;
    int open = 2;
    captures[0].size = captures[1].size = 0;
    while (open > 0 && error == 0) {
        struct pollfd ready[2] = {
            {.fd = fds[0], .events = POLLIN}, /* -1 once closed: poll passes over it */
            {.fd = fds[1], .events = POLLIN},
        };
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            error = -errno;
        for (int i = 0; i < 2 && error == 0; i++) {
            int got = ready[i].revents != 0 ? read_some(fds[i], &captures[i]) : 1;
            if (got < 0)
                error = got;
            if (got == 0) {
                close(fds[i]);
                fds[i] = -1;
                open--;
            }
        }
    }
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
    return error;
}

void cmd_capture_trim(struct cmd_capture *capture)
{
    if (capture->capacity <= KEPT_CAPTURE)
        return;
    free(capture->data);
    *capture = (struct cmd_capture){0};
}
