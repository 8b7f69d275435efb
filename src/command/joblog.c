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
 * It is locked before it is read: two runs with one log would both think the other's inputs their own.
 * The workers inherit the lock, jobs do not: as long as a job of a run that was killed is still being
 * ended, nobody runs it again.
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
static int make_whole(int fd, bool *older)
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
    *older = whole > (off_t)sizeof HEADER - 1;
    if (whole < status.st_size && ftruncate(fd, whole) < 0)
        return -errno;
    return whole == 0 ? write_whole(fd, HEADER, sizeof HEADER - 1) : 0;
}

static bool is_output(const struct stat *status)
{
    struct stat other;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fstat(fd, &other) == 0 && other.st_dev == status->st_dev &&
            other.st_ino == status->st_ino)
            return true;
    }
    return false;
}

/* A pipe is opened for writing alone: a reader of ours would keep it from ever being broken. */
static int open_log(const char *name, bool create)
{
    struct stat status;
    bool        there = stat(name, &status) == 0;
    if (there && S_ISREG(status.st_mode) && is_output(&status))
        return -EEXIST;
    int flags = O_APPEND | O_CLOEXEC | (create ? O_CREAT : 0);
    int fd = there && !S_ISREG(status.st_mode) ? -1 : open(name, O_RDWR | flags, 0666);
    if (fd < 0 && there)
        fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC); /* or it is not ours to read */
    return fd < 0 ? -errno : fd;
}

int cmd_joblog_open(struct cmd_joblog *log, const char *name, bool create)
{
    *log = (struct cmd_joblog){.name = name, .fd = open_log(name, create)};
    if (log->fd < 0)
        return log->fd;
    if (gethostname(log->host, sizeof log->host - 1) < 0 || log->host[0] == '\0')
        strcpy(log->host, ":");
    if (flock(log->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return -EWOULDBLOCK;
    int         error = make_whole(log->fd, &log->older);
    struct stat status;
    log->regular = fstat(log->fd, &status) == 0 && S_ISREG(status.st_mode);
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
    int      exit_code, signal;
    uint64_t written = cmd_spool_size(&job->spools[CMD_OUT]) + job->dropped[CMD_OUT];
    if (log->stream == NULL || log->error < 0)
        return;
    cmd_job_codes(job, &exit_code, &signal);
    rewind(log->stream);
    fprintf(log->stream, "%llu\t%s\t%.3f\t%10.3f\t0\t%llu\t%d\t%d\t", (unsigned long long)job->seq,
            log->host, job->started, job->ran, (unsigned long long)written, exit_code, signal);
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
