/*
 * spool.c - a little of it in memory, much of it in a temporary file without a name.
 *
 * Memory is filled first; when it is full it goes to the file and is filled anew.  Where no file can
 * be had, or the disk is full, memory grows instead, up to a limit.
 */
#define _GNU_SOURCE
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST = 512,
    IN_MEMORY = 1024 * 1024,
    MOST_IN_MEMORY = 256 * 1024 * 1024,
    PIECE = 64 * 1024
};

static const char *folder = "/tmp";

/* What --env sets is for the jobs; a changed variable leaves the old value where it is. */
void cmd_spool_init(void)
{
    const char *set = getenv("TMPDIR");
    if (set != NULL && set[0] != '\0')
        folder = set;
}

static int temporary_file(void)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char name[4096];
    int  n = snprintf(name, sizeof name, "%s/procpool.XXXXXX", folder);
    if (n < 0 || (size_t)n >= sizeof name)
        return -1;
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

/* Move what is in memory to the file. */
static void file_away(struct cmd_spool *spool)
{
    size_t done = 0;
    if (spool->fd == 0)
        spool->fd = temporary_file() + 1;
    while (spool->fd > 0 && done < spool->size) {
        ssize_t n = pwrite(spool->fd - 1, spool->data + done, spool->size - done,
                           (off_t)(spool->filed + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    spool->stuck = done < spool->size;
    memmove(spool->data, spool->data + done, spool->size - done);
    spool->filed += done;
    spool->size -= done;
}

int cmd_spool_add(struct cmd_spool *spool, const char *data, size_t size)
{
    if (spool->size + size > IN_MEMORY && !spool->stuck)
        file_away(spool);
    if (spool->stuck && spool->size + size > MOST_IN_MEMORY)
        return -ENOSPC;
    if (spool->capacity - spool->size < size) {
        size_t capacity = spool->capacity == 0 ? FIRST : spool->capacity * 2;
        while (capacity - spool->size < size)
            capacity *= 2;
        char *grown = realloc(spool->data, capacity);
        if (grown == NULL)
            return -ENOMEM;
        spool->data = grown;
        spool->capacity = capacity;
    }
    if (size > 0)
        memcpy(spool->data + spool->size, data, size);
    spool->size += size;
    return 0;
}

uint64_t cmd_spool_size(const struct cmd_spool *spool)
{
    return spool->filed + spool->size;
}

static int each_of_file(const struct cmd_spool *spool, uint64_t offset, cmd_spool_fn *use,
                        void *argument)
{
    char piece[PIECE];
    while (offset < spool->filed) {
        size_t  left = spool->filed - offset < PIECE ? (size_t)(spool->filed - offset) : PIECE;
        ssize_t n = pread(spool->fd - 1, piece, left, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        use(argument, piece, (size_t)n);
        offset += (uint64_t)n;
    }
    return 0;
}

int cmd_spool_each(const struct cmd_spool *spool, uint64_t offset, cmd_spool_fn *use,
                   void *argument)
{
    int error = each_of_file(spool, offset, use, argument);
    if (error < 0)
        return error;
    size_t skip = offset > spool->filed ? (size_t)(offset - spool->filed) : 0;
    if (skip < spool->size)
        use(argument, spool->data + skip, spool->size - skip);
    return 0;
}

struct tail {
    char  *out;
    size_t used;
};

static void copy_tail(void *argument, const char *data, size_t size)
{
    struct tail *tail = argument;
    memcpy(tail->out + tail->used, data, size);
    tail->used += size;
}

size_t cmd_spool_tail(const struct cmd_spool *spool, char *out, size_t room)
{
    struct tail tail = {0};
    uint64_t    size = cmd_spool_size(spool);
    tail.out = out;
    if (cmd_spool_each(spool, size > room ? size - room : 0, copy_tail, &tail) < 0)
        return 0; /* it is said where all of it is read */
    return tail.used;
}

void cmd_spool_drop(struct cmd_spool *spool, size_t size)
{
    if (size == 0 || size > spool->size)
        return;
    memmove(spool->data, spool->data + size, spool->size - size);
    spool->size -= size;
}

void cmd_spool_free(struct cmd_spool *spool)
{
    if (spool->fd > 0)
        close(spool->fd - 1);
    free(spool->data);
    *spool = (struct cmd_spool){0};
}
