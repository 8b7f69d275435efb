/*
 * job_exec.c - worker side: start the command, capture it, tell how it ended.
 *
 * The command gets /dev/null as standard input, a pipe as standard output and one as standard
 * error, default signals, and a process group of its own, so that a `kill 0` in a script does not
 * reach the worker.  When the task runs out of time the pool ends the worker and everything that
 * descends from it: nothing needs to be done here.
 */
#define _GNU_SOURCE
#include "job_exec.h"

#include "capture.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* The words as the vector that exec wants; it points into `data`.  To be freed. */
static char **make_vector(const char *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += data[i] == '\0';
    if (count == 0 || data[size - 1] != '\0')
        return NULL;
    char **vector = calloc(count + 1, sizeof *vector);
    if (vector == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        vector[i] = (char *)(uintptr_t)data; /* exec only reads them */
        data += strlen(data) + 1;
    }
    return vector;
}

static int prepare_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGALRM);
    sigaddset(&defaults, SIGCHLD);
    int error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attributes, &defaults);
    if (error == 0)
        error = posix_spawnattr_setpgroup(attributes, 0);
    if (error == 0)
        error =
            posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                     POSIX_SPAWN_SETPGROUP);
    return error;
}

/* 0, or a positive errno: of exec too, which posix_spawn reports. */
static int spawn(pid_t *pid, char *const *vector, int out, int err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t          attributes;
    int                        error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = prepare_attributes(&attributes);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
        if (error == 0)
            error =
                posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (error == 0)
            error = posix_spawnp(pid, vector[0], &actions, &attributes, vector, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* A pipe whose ends are above the standard descriptors, so that placing one of them does not
 * overwrite the other. */
static int open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        if (ends[i] > STDERR_FILENO)
            continue;
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        int error = -errno;
        close(ends[i]);
        ends[i] = high;
        if (high < 0) {
            close(ends[1 - i]);
            return error;
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

/* Run it to its end.  0; a positive errno: it was not started; negative: it was, and then
 * something else failed. */
static int run_command(char *const *vector, int *status, struct cmd_capture captures[2])
{
    int   out[2], err[2];
    pid_t pid = -1;
    int   error = open_pipe(out);
    if (error < 0)
        return -error;
    error = open_pipe(err);
    if (error < 0) {
        close(out[0]);
        close(out[1]);
        return -error;
    }
    error = spawn(&pid, vector, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    if (error != 0) {
        close(out[0]);
        close(err[0]);
        return error;
    }
    int captured = cmd_capture_both((int[2]){out[0], err[0]}, captures);
    if (captured < 0)
        kill(-pid, SIGKILL);
    int reaped = reap(pid);
    *status = reaped;
    return captured < 0 ? captured : reaped < 0 ? reaped : 0;
}

/* exec refused: the same words and status as from a shell.  Not for every errno: a lack of
 * memory or processes may have passed by the next attempt. */
static int return_not_started(pp_call *call, const char *name, int error)
{
    if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE)
        return pp_call_raise(call, error, "SpawnError", "cannot start a process: %s",
                             strerrordesc_np(error));
    char quoted[256];
    char message[512];
    cmd_quote(quoted, sizeof quoted, name, strlen(name));
    int n = snprintf(message, sizeof message, "procpool: %s: %s\n", quoted,
                     error == ENOENT ? "command not found" : strerrordesc_np(error));
    int code = error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
    return pp_call_return(call, "iyy", W_EXITCODE(code, 0), "", (size_t)0, message, (size_t)n);
}

int cmd_job_exec(pp_call *call)
{
    static struct cmd_capture captures[2]; /* kept from task to task: one at a time */
    unsigned                  attempts = 0;
    const void               *data = NULL;
    size_t                    size = 0;
    int                       error = pp_call_args(call, "uy", &attempts, &data, &size);
    if (error < 0)
        return error;
    char **vector = make_vector(data, size);
    if (vector == NULL)
        return pp_call_raise(call, ENOMEM, "MemoryError", "no memory for the arguments");

    int status = 0;
    error = run_command(vector, &status, captures);
    if (error > 0) {
        error = return_not_started(call, vector[0], error);
    } else if (error < 0) {
        error = pp_call_raise(call, -error, "CaptureError", "cannot read the output: %s",
                              strerrordesc_np(-error));
    } else if (status != 0 && pp_call_attempt(call) < attempts) {
        char reason[80];
        cmd_describe_status(reason, sizeof reason, status);
        error = pp_call_raise(call, ECANCELED, "JobFailed", "%s", reason);
    } else {
        error = pp_call_return(call, "iyy", status, captures[0].data, captures[0].size,
                               captures[1].data, captures[1].size);
    }
    free(vector);
    cmd_capture_trim(&captures[0]);
    cmd_capture_trim(&captures[1]);
    return error;
}
