/*
 * spawn.c - worker side: a process with a command in it.
 *
 * As posix_spawn does it: the child shares our memory until exec, so nothing is copied, and we
 * sleep meanwhile; that is why it may have one static stack and leave its errno in our memory.  What
 * posix_spawn has not: limits of resources, a pidfd from the first moment.
 *
 * The child gets /dev/null as standard input, default signals, none blocked, and a process group of
 * its own, so that a `kill 0` in a script does not reach the worker.
 *
 * All signals are blocked until the child has no handler of ours: one that ran in it would run in
 * our memory.
 */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The C library's clone, by the name that sanitizers do not replace. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the C library's own name */
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

enum { CHILD_STACK = 64 * 1024 };

struct child {
    const struct cmd_spawn *what;
    sigset_t                none;
    int                     error; /* read once the child is gone or has become the command */
};

/* What is the same for each child of this process, found out for the first. */
static struct {
    bool   known;
    int    input; /* the number of /dev/null, above the standard descriptors */
    size_t count;
    int    handled[NSIG]; /* signals that are set to their default in the child */
} constant;

/* That may have a handler, or be ignored, at another time than now. */
static bool is_set_later(int number)
{
    return number == SIGTERM || number == SIGPIPE || number == SIGALRM || number == SIGCHLD;
}

/* The library sets all its handlers, but those, before the first task. */
static int find_constants(void)
{
    struct sigaction now;
    constant.count = 0;
    for (int number = 1; number < NSIG; number++) {
        if (is_set_later(number) || (sigaction(number, NULL, &now) == 0 &&
                                     now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN))
            constant.handled[constant.count++] = number;
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return errno;
    constant.input = fcntl(null, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = constant.input < 0 ? errno : 0;
    close(null);
    constant.known = error == 0;
    return error;
}

static void default_signals(void)
{
    static const struct sigaction to_default = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < constant.count; i++)
        sigaction(constant.handled[i], &to_default, NULL);
}

/* Not above what is allowed already. */
static int set_limit(__rlimit_resource_t resource, uint64_t soft, uint64_t more)
{
    struct rlimit limit;
    if (soft == 0)
        return 0;
    if (getrlimit(resource, &limit) < 0)
        return -1;
    if (limit.rlim_max > soft + more)
        limit.rlim_max = soft + more;
    limit.rlim_cur = limit.rlim_max < soft ? limit.rlim_max : soft;
    return setrlimit(resource, &limit);
}

static int set_limits(const struct cmd_limits *limits)
{
    /* SIGXCPU at the soft limit, SIGKILL a second later for who does not heed it */
    if (set_limit(RLIMIT_CPU, (uint64_t)ceil(limits->cpu), 1) < 0 ||
        set_limit(RLIMIT_NOFILE, limits->files, 0) < 0)
        return -1;
    return set_limit(RLIMIT_AS, limits->memory, 0);
}

/* A script without #! is one for the shell, as everywhere. */
static void execute_script(const struct cmd_spawn *what)
{
    static char shell[] = "/bin/sh";
    char      **vector = what->vector - 1;
    vector[0] = shell;
    vector[1] = (char *)(uintptr_t)what->path;
    execve(shell, vector, environ);
}

static int in_child(void *argument)
{
    struct child           *child = argument;
    const struct cmd_spawn *what = child->what;
    default_signals();
    if (setpgid(0, 0) == 0 && dup2(constant.input, STDIN_FILENO) >= 0 &&
        dup2(what->out, STDOUT_FILENO) >= 0 && dup2(what->err, STDERR_FILENO) >= 0 &&
        set_limits(what->limits) == 0 && sigprocmask(SIG_SETMASK, &child->none, NULL) == 0)
        execve(what->path, what->vector, environ);
    if (errno == ENOEXEC)
        execute_script(what);
    child->error = errno;
    _exit(1);
}

int cmd_spawn(pid_t *pid, int *pidfd, const struct cmd_spawn *what)
{
    static char  stack[CHILD_STACK] __attribute__((aligned(16)));
    struct child child = {.what = what};
    sigset_t     all, before;
    int          unknown = constant.known ? 0 : find_constants();
    if (unknown != 0)
        return unknown;
    sigfillset(&all);
    sigemptyset(&child.none);
    if (sigprocmask(SIG_BLOCK, &all, &before) < 0)
        return errno;
    *pidfd = -1;
    int made = __clone(in_child, stack + sizeof stack,
                       CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, pidfd);
    int error = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL); /* it was valid before */
    if (made < 0)
        return error;
    *pid = made;
    if (child.error == 0)
        return 0;
    while (waitpid(made, NULL, 0) < 0 && errno == EINTR) {
    }
    close(*pidfd);
    *pidfd = -1;
    return child.error;
}
