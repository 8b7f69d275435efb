/*
 * results.c - files instead of, or beside, standard output.
 *
 *     DIR/NUMBER/out      what the job wrote to standard output; a function's result
 *     DIR/NUMBER/err      what it wrote to standard error
 *     DIR/NUMBER/status   one line: done, or how it failed, and behind a tab the input
 *
 * NUMBER is that of the input, from 1: an input may be anything, and no file name.
 */
#define _GNU_SOURCE
#include "results.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With the folders above it. */
static int make_folders(const char *folder)
{
    char   path[PATH_MAX];
    size_t size = strlen(folder) + 1;
    if (size > sizeof path)
        return -ENAMETOOLONG;
    memcpy(path, folder, size);
    for (char *slash = path; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -errno;
    }
    return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

int cmd_results_open(const char *folder)
{
    int error = make_folders(folder);
    if (error < 0)
        return error;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

struct writing {
    int fd;
    int error;
};

static void write_piece(void *argument, const char *data, size_t size)
{
    struct writing *writing = argument;
    while (size > 0 && writing->error == 0) {
        ssize_t n = write(writing->fd, data, size);
        if (n < 0 && errno != EINTR)
            writing->error = -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
}

/* A file that is there already is overwritten; a link or a pipe is not followed or waited for. */
static int create(int folder, const char *name)
{
    struct stat status;
    int         flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int         fd = openat(folder, name, flags, 0666);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ftruncate(fd, 0) == 0)
        return fd;
    close(fd);
    return -EEXIST;
}

/* close() tells of a write that failed late. */
static int closed(struct writing *writing)
{
    if (close(writing->fd) < 0 && writing->error == 0)
        writing->error = -errno;
    return writing->error;
}

static int write_spool(int folder, const char *name, const struct cmd_spool *spool)
{
    struct writing writing = {.fd = create(folder, name)};
    if (writing.fd < 0)
        return writing.fd;
    int error = cmd_spool_each(spool, 0, write_piece, &writing);
    if (error < 0)
        writing.error = error;
    return closed(&writing);
}

static int write_status(int folder, const struct cmd_job *job, const char *reason)
{
    char           line[CMD_MAX_REASON + 256];
    struct writing writing = {.fd = create(folder, "status")};
    if (writing.fd < 0)
        return writing.fd;
    int    n = snprintf(line, sizeof line, "%s\t", job->end == CMD_DONE ? "done" : reason);
    size_t used = (size_t)n;
    used += cmd_printable(line + used, sizeof line - used - 1, job->input, job->length);
    line[used++] = '\n';
    write_piece(&writing, line, used);
    return closed(&writing);
}

int cmd_results_add(int folder, const struct cmd_job *job, const char *reason)
{
    char name[24];
    snprintf(name, sizeof name, "%llu", (unsigned long long)job->seq);
    if (mkdirat(folder, name, 0777) < 0 && errno != EEXIST)
        return -errno;
    int own = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return -errno;
    int error = write_spool(own, "out", &job->spools[CMD_OUT]);
    if (error == 0)
        error = write_spool(own, "err", &job->spools[CMD_ERR]);
    if (error == 0)
        error = write_status(own, job, reason);
    close(own);
    return error;
}
