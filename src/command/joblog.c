/*
 * joblog.c - writing the job log.
 *
 *     Seq Host Starttime JobRuntime Send Receive Exitval Signal Command
 *
 * One write to an O_APPEND descriptor for each line, made when the job has ended and what it wrote
 * has been handed on.  So a line is never mixed with another's, and being killed loses no line of a
 * job that was reported; the page in which the kernel may be stopped between two parts of one write
 * is cut off by the next run.  A newline in a command is a NUL byte here, as GNU parallel has it.
 *
 * The descriptor is opened when the workers are there, so that they have none of it, and locked: two
 * runs with one log would both think the other's inputs their own.
 */
#define _GNU_SOURCE
#include "joblog.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char HEADER[] =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

enum { PIECE = 4096 };

static int write_whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* The size of the file up to its last newline, searched from the end. */
static off_t whole_lines(int fd, off_t size)
{
    char piece[PIECE];
    while (size > 0) {
        size_t  length = size < PIECE ? (size_t)size : PIECE;
        ssize_t n = pread(fd, piece, length, size - (off_t)length);
        if (n != (ssize_t)length)
            return n < 0 ? -errno : -EIO;
        const char *newline = memrchr(piece, '\n', length);
        if (newline != NULL)
            return size - (off_t)length + (newline - piece) + 1;
        size -= (off_t)length;
    }
    return 0;
}

/* 0, -EBADMSG when something else stands at its beginning than a header or a part of one, or -errno. */
static int check_header(int fd, off_t size)
{
    char    begin[sizeof HEADER - 1];
    size_t  length = size < (off_t)sizeof begin ? (size_t)size : sizeof begin;
    ssize_t n = length > 0 ? pread(fd, begin, length, 0) : 0;
    if (n < 0)
        return errno == EBADF ? -EACCES : -errno; /* it is open for writing alone */
    if (n != (ssize_t)length)
        return -EIO;
    return memcmp(begin, HEADER, length) == 0 ? 0 : -EBADMSG;
}

/* A regular file that ends within a line is cut; an empty one gets a header.  Another one than a job log is
 * left alone. */
static int make_whole(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return write_whole(fd, HEADER, sizeof HEADER - 1);
    int error = check_header(fd, status.st_size);
    if (error < 0)
        return error;
    off_t whole = whole_lines(fd, status.st_size);
    if (whole < 0)
        return (int)whole;
    if (whole < status.st_size && ftruncate(fd, whole) < 0)
        return -errno;
    return whole == 0 ? write_whole(fd, HEADER, sizeof HEADER - 1) : 0;
}

int cmd_joblog_open(struct cmd_joblog *log, const char *name)
{
    *log = (struct cmd_joblog){.name = name};
    log->fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log->fd < 0 && (errno == EINVAL || errno == ESPIPE || errno == EACCES))
        log->fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC); /* a pipe, or not ours to read */
    if (log->fd < 0)
        return -errno;
    if (gethostname(log->host, sizeof log->host - 1) < 0 || log->host[0] == '\0')
        strcpy(log->host, ":");
    if (flock(log->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return -EWOULDBLOCK;
    int error = make_whole(log->fd);
    if (error < 0)
        return error;
    log->stream = open_memstream(&log->line, &log->room);
    return log->stream != NULL ? 0 : -ENOMEM;
}

/* Newlines of the command become NUL bytes. */
static void put_command(FILE *stream, const char *command)
{
    for (; *command != '\0'; command++)
        fputc(*command == '\n' ? '\0' : *command, stream);
    fputc('\n', stream);
}

/* There was no command for this input.  Run again, the line fails again; the input itself must not
 * stand where --retry-failed would execute it. */
static void put_no_command(FILE *stream, const struct cmd_job *job)
{
    char input[256];
    cmd_quote(input, sizeof input, job->input, job->length);
    fprintf(stream, "exit 255 # no command for %s\n", input);
}

void cmd_joblog_add(struct cmd_joblog *log, const struct cmd_job *job)
{
    int exit_code, signal;
    if (log->stream == NULL || log->error < 0)
        return;
    cmd_job_codes(job, &exit_code, &signal);
    rewind(log->stream);
    fprintf(log->stream, "%llu\t%s\t%.3f\t%10.3f\t0\t%llu\t%d\t%d\t", (unsigned long long)job->seq,
            log->host, job->started, job->ran,
            (unsigned long long)cmd_spool_size(&job->spools[CMD_OUT]), exit_code, signal);
    if (job->command != NULL)
        put_command(log->stream, job->command);
    else
        put_no_command(log->stream, job);
    if (fflush(log->stream) != 0)
        log->error = -ENOMEM;
    else
        log->error = write_whole(log->fd, log->line, (size_t)ftell(log->stream));
}

void cmd_joblog_close(struct cmd_joblog *log)
{
    if (log->stream != NULL)
        fclose(log->stream);
    free(log->line);
    if (log->name != NULL && log->fd >= 0)
        close(log->fd);
    *log = (struct cmd_joblog){.fd = -1};
}
