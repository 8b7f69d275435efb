/*
 * job_exec.c - worker side: start the command, pass on what it writes, tell how it ended.
 *
 * When does an output end?  When the last process that holds the pipe has closed it, as in a
 * shell's command substitution: a background process that the command left behind with these
 * pipes may still write, and nothing that it writes is lost.  So `sh -c 'daemon &'` keeps its
 * task running until the daemon closes its output; who does not want that redirects it.  The
 * time limit of the task covers the wait, and ends the background process too.
 *
 * Until the command has ended we hold the writing ends, too.  Otherwise its exit would wake us three
 * times, for each pipe and for the process, and each of these wake-ups takes a processor from a job.
 *
 * The soft limit is SIGALRM of the library.  It is blocked outside of ppoll, so none gets lost
 * between the look at it and the sleep.  When the task runs out of time the pool ends the worker and
 * everything that descends from it: nothing needs to be done here.
 */
#define _GNU_SOURCE
#include "job_exec.h"

#include "outlets.h"
#include "program.h"
#include "relay.h"
#include "spawn.h"
#include "text.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct cmd_job_settings cmd_job_settings;

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* A command on its way. */
struct running {
    pp_call                 *call;
    uint64_t                 ordinal;
    pid_t                    pid;
    int                      fds[3];  /* standard output, standard error, pidfd; -1: at its end */
    int                      ends[2]; /* the ends of both outputs that are written to; -1: closed */
    bool                     softened;
    bool                     last;   /* what fails is not tried again */
    struct cmd_outlet       *outlet; /* whose pipes they are; NULL: they are the job's own */
    struct cmd_relay_record *record;
};

enum { OUT, ERR, PROCESS, WATCHED };

/* Readable when a child has ended: SIGCHLD is blocked while a job runs. */
static int children = -1;

/* A place, as cmd_spawn wants it, and behind that the words as the vector that exec wants; they point into
 * `data`.  To be freed. */
static char **make_vector(char *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += data[i] == '\0';
    if (count == 0 || data[size - 1] != '\0')
        return NULL;
    char **vector = calloc(1 + count + 1, sizeof *vector);
    if (vector == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        vector[1 + i] = data;
        data += strlen(data) + 1;
    }
    return vector;
}

/* A pipe whose ends are above the standard descriptors, so that placing one of them does not
 * overwrite the other. */
static int open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    for (int i = 0; i < 2; i++) {
        if (ends[i] > STDERR_FILENO)
            continue;
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        int error = errno;
        close(ends[i]);
        ends[i] = high;
        if (high < 0) {
            close(ends[1 - i]);
            return error;
        }
    }
    return 0;
}

/* ------------------------------------------------------------- while it runs */

static struct cmd_relay_record own_record; /* without an outlet; too large for the stack's taste */

static int send_record(const struct running *job, enum cmd_relay_kind kind, size_t length)
{
    job->record->head.kind = (uint16_t)kind;
    job->record->head.length = (uint16_t)length;
    return cmd_relay_send(job->record);
}

static int announce(const struct running *job)
{
    struct cmd_relay_begin begin = {.pid = job->pid, .slot = pp_call_worker(job->call) + 1};
    if (!cmd_job_settings.announce)
        return 0;
    memcpy(job->record->data, &begin, sizeof begin);
    return send_record(job, CMD_RELAY_BEGIN, sizeof begin);
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_watched(struct running *job, int which)
{
    if (job->outlet != NULL && which != PROCESS)
        job->fds[which] = -1;
    else
        close_one(&job->fds[which]);
}

static void close_ends(struct running *job)
{
    close_one(&job->ends[OUT]);
    close_one(&job->ends[ERR]);
}

/* One read of an output, of what is there: 0 or -errno. */
static int pass_on(struct running *job, int which, short events)
{
    int there = 0;
    if (ioctl(job->fds[which], FIONREAD, &there) < 0)
        return -errno;
    if (there == 0) {
        if ((events & POLLHUP) != 0) /* it had been so before we asked: this is the end */
            close_watched(job, which);
        return 0;
    }
    enum cmd_relay_kind kind = which == OUT ? CMD_RELAY_OUT : CMD_RELAY_ERR;
    size_t              size = (size_t)there < CMD_RELAY_ROOM ? (size_t)there : CMD_RELAY_ROOM;
    job->record->head.kind = (uint16_t)kind;
    if (job->outlet != NULL)
        cmd_outlet_expect(job->outlet, (uint32_t)size);
    ssize_t n = read(job->fds[which], job->record->data, size);
    int     error = n < 0 ? -errno : send_record(job, kind, (size_t)n);
    if (error == -EINTR || error == -EAGAIN)
        error = 0; /* there was nothing */
    if (job->outlet != NULL && error == 0)
        cmd_outlet_sent(job->outlet);
    return error;
}

static void soften(struct running *job)
{
    if (job->softened || !pp_call_cancelled(job->call))
        return;
    job->softened = true;
    kill(-job->pid, cmd_job_settings.soft_signal); /* gone already: nothing to do */
}

/* What the job's processes left behind is ours (the worker is a subreaper), and would fill the table of
 * processes while a long job runs.  Its own process stays until all is read: its number is its group's. */
static void reap_orphans(const struct running *job)
{
    struct signalfd_siginfo told;
    siginfo_t               child = {0};
    while (read(children, &told, sizeof told) > 0) {
    }
    while (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 && child.si_pid != 0 &&
           child.si_pid != job->pid) {
        (void)waitpid(child.si_pid, NULL, WNOHANG);
        child.si_pid = 0;
    }
}

/* Until both outputs are at their ends and the process has ended.  0 or -errno. */
static int watch(struct running *job, const sigset_t *mask)
{
    while (job->fds[OUT] >= 0 || job->fds[ERR] >= 0 || job->fds[PROCESS] >= 0) {
        struct pollfd ready[WATCHED + 1] = {[WATCHED] = {.fd = children, .events = POLLIN}};
        for (int i = 0; i < WATCHED; i++) /* -1 once closed: poll passes over it */
            ready[i] = (struct pollfd){.fd = job->fds[i], .events = POLLIN};
        int error = ppoll(ready, WATCHED + 1, NULL, mask) < 0 ? -errno : 0;
        if (error < 0 && error != -EINTR)
            return error;
        soften(job);
        for (int i = OUT; i <= ERR && error == 0; i++) {
            if (ready[i].revents != 0)
                error = pass_on(job, i, ready[i].revents);
        }
        if (error < 0 && error != -EINTR)
            return error;
        if (error == 0 && ready[PROCESS].revents != 0) {
            close_watched(job, PROCESS);
            close_ends(job); /* whoever still has them may write on */
        } else if (error == 0 && ready[WATCHED].revents != 0) {
            reap_orphans(job);
        }
    }
    return 0;
}

static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return status;
}

/* ------------------------------------------------------------ begin to end */

/* 0 or a positive errno; what is open then, run_command closes. */
static int open_outputs(struct running *job)
{
    int error = 0;
    job->outlet = cmd_outlet_claim(pp_call_worker(job->call), &job->record->head, job->last,
                                   job->fds, job->ends);
    if (job->outlet != NULL) {
        job->record = cmd_outlet_record(job->outlet);
        return 0;
    }
    for (int i = OUT; i <= ERR && error == 0; i++) {
        int pair[2];
        error = open_pipe(pair);
        if (error == 0) {
            job->fds[i] = pair[0];
            job->ends[i] = pair[1];
        }
    }
    return error;
}

/* 0 or a positive errno; what is open then, run_command closes. */
static int start(struct running *job, char **vector)
{
    char path[PATH_MAX];
    int  error = -cmd_program_find(path, sizeof path, vector[0]);
    if (error == 0)
        error = open_outputs(job);
    if (error != 0)
        return error;
    struct cmd_spawn what = {path, vector, job->ends[OUT], job->ends[ERR],
                             &cmd_job_settings.limits};
    return cmd_spawn(&job->pid, &job->fds[PROCESS], &what);
}

/* SIGALRM for the soft limit, SIGCHLD for `children`.  0 or a positive errno. */
static int block_signals(sigset_t *blocked, sigset_t *before)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (children < 0)
        children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    *blocked = child;
    sigaddset(blocked, SIGALRM);
    return sigprocmask(SIG_BLOCK, blocked, before) < 0 ? errno : 0;
}

/* Run it to its end.  0; a positive errno: it was not started; negative: it was, and then
 * something else failed. */
static int run_command(struct running *job, char **vector, int *status)
{
    sigset_t blocked, before, while_asleep;
    int      error = block_signals(&blocked, &before);
    if (error == 0)
        error = start(job, vector);
    else
        return error;
    if (error == 0) {
        while_asleep = before;
        sigaddset(&while_asleep, SIGCHLD);
        error = announce(job);
        if (error == 0)
            error = watch(job, &while_asleep);
        if (error < 0)
            kill(-job->pid, SIGKILL);
        *status = reap(job->pid);
        error = error == 0 && *status < 0 ? *status : error;
    }
    for (int i = 0; i < WATCHED; i++)
        close_watched(job, i);
    close_ends(job);
    if (job->outlet != NULL && error >= 0) /* else something may be left in it */
        cmd_outlet_release(job->outlet);
    (void)sigprocmask(SIG_SETMASK, &before, NULL); /* it was valid before */
    return error;
}

static const char *why_not_started(const char *name, int error)
{
    char path[PATH_MAX];
    if (error != ENOENT)
        return strerrordesc_np(error);
    if (cmd_program_find(path, sizeof path, name) == 0)
        return "its interpreter is not there";
    return cmd_program_is_for_shell(name) ? "command not found; a line for a shell needs --shell"
                                          : "command not found";
}

/* exec refused: the same words and status as from a shell.  Not for every errno: a lack of
 * memory or processes may have passed by the next attempt. */
static int return_not_started(const struct running *job, const char *name, int error)
{
    if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE)
        return pp_call_raise(job->call, error, "SpawnError", "cannot start a process: %s",
                             strerrordesc_np(error));
    char quoted[256];
    int  code = error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
    cmd_quote(quoted, sizeof quoted, name, strlen(name));
    int n = snprintf(job->record->data, sizeof job->record->data, "procpool: %s: %s\n", quoted,
                     why_not_started(name, error));
    int sent = send_record(job, CMD_RELAY_ERR, (size_t)n);
    if (sent < 0)
        return sent;
    return pp_call_return(job->call, "ib", W_EXITCODE(code, 0), false);
}

static bool run_ends(void)
{
    return cmd_job_settings.ends != NULL &&
           atomic_load_explicit(cmd_job_settings.ends, memory_order_relaxed);
}

static int execute(struct running *job, char **vector, unsigned attempts)
{
    int status = 0;
    int error = run_command(job, vector, &status);
    if (error > 0)
        return return_not_started(job, vector[0], error);
    if (error < 0)
        return pp_call_raise(job->call, -error, "OutputError", "cannot read the output: %s",
                             strerrordesc_np(-error));
    if (status != 0 && pp_call_attempt(job->call) < attempts && !run_ends()) {
        char reason[80];
        memcpy(job->record->data, &status, sizeof status);
        error = send_record(job, CMD_RELAY_FAILED, sizeof status);
        if (error < 0)
            return error;
        cmd_describe_status(reason, sizeof reason, status);
        return pp_call_raise(job->call, ECANCELED, "JobFailed", "%s", reason);
    }
    return pp_call_return(job->call, "ib", status, job->softened);
}

int cmd_job_exec(pp_call *call)
{
    struct running job = {
        .call = call, .fds = {-1, -1, -1}, .ends = {-1, -1}, .record = &own_record};
    unsigned    attempts = 0;
    const void *data = NULL, *slots = NULL;
    size_t      size = 0, slot_bytes = 0;
    int         error =
        pp_call_args(call, "Uuyy", &job.ordinal, &attempts, &data, &size, &slots, &slot_bytes);
    if (error < 0)
        return error;
    job.record->head =
        (struct cmd_relay_head){.ordinal = job.ordinal, .attempt = pp_call_attempt(call)};
    job.last = pp_call_attempt(call) >= attempts;
    char  *words = cmd_words_fill(data, size, slots, slot_bytes, pp_call_worker(call) + 1, &size);
    char **vector = words != NULL ? make_vector(words, size) : NULL;
    if (vector == NULL)
        error = pp_call_raise(call, ENOMEM, "MemoryError", "no memory for the arguments");
    else
        error = execute(&job, vector + 1, attempts);
    free(vector);
    free(words);
    return error;
}
