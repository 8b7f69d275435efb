/*
 * relay.c - one pipe from all workers.
 *
 * Why not in the result of the task?  A job that is killed has none, and what it wrote before is
 * wanted all the more.  So a worker passes on what it reads at once.
 *
 * A message is one write of at most PIPE_BUF bytes: the kernel does not mix it with others, and a
 * worker that is killed has sent it whole or not at all.  A worker publishes a result after it
 * has sent the job's output, so whoever has seen the result and then takes what is in the pipe has
 * all of it.  A full pipe makes the workers wait, and in turn their jobs: nothing grows without
 * bound because nobody reads.
 *
 * What arrives is checked: jobs have no end of this pipe, but a bug may write anything anywhere.
 */
#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PIPE_SIZE = 1024 * 1024, READ_BUFFER = 256 * 1024 };

static int    ends[2] = {-1, -1};
static char   buffer[READ_BUFFER]; /* the beginning of a message may be left in it */
static size_t used;

static void close_end(int end)
{
    if (ends[end] >= 0)
        close(ends[end]);
    ends[end] = -1;
}

int cmd_relay_open(void)
{
    used = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one does as well */
    return 0;
}

void cmd_relay_in_worker(void)
{
    close_end(0);
}

int cmd_relay_send(struct cmd_relay_record *record)
{
    size_t size = sizeof record->head + record->head.length;
    while (write(ends[1], record, size) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int cmd_relay_fd(void)
{
    return ends[0];
}

void cmd_relay_only_read(void)
{
    close_end(1);
}

/* The whole messages of the buffer.  0 or -EBADMSG. */
static int take_messages(cmd_relay_take_fn *take, void *argument)
{
    size_t at = 0;
    while (used - at >= sizeof(struct cmd_relay_head)) {
        struct cmd_relay_record record;
        memcpy(&record.head, buffer + at, sizeof record.head);
        size_t size = sizeof record.head + record.head.length;
        if (record.head.length > CMD_RELAY_ROOM || record.head.kind < CMD_RELAY_BEGIN ||
            record.head.kind > CMD_RELAY_FAILED)
            return -EBADMSG;
        if (used - at < size)
            break;
        memcpy(record.data, buffer + at + sizeof record.head, record.head.length);
        take(&record, argument);
        at += size;
    }
    memmove(buffer, buffer + at, used - at);
    used -= at;
    return 0;
}

int cmd_relay_read(cmd_relay_take_fn *take, void *argument)
{
    int waiting = 0;
    if (ends[0] < 0)
        return 0;
    if (ioctl(ends[0], FIONREAD, &waiting) < 0)
        return -errno;
    while (waiting > 0) {
        size_t  room = sizeof buffer - used;
        ssize_t n = read(ends[0], buffer + used, (size_t)waiting < room ? (size_t)waiting : room);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            continue;
        waiting -= (int)n;
        used += (size_t)n;
        int error = take_messages(take, argument);
        if (error < 0)
            return error;
    }
    return 0;
}

void cmd_relay_close(void)
{
    close_end(0);
    close_end(1);
}
