/*
 * hidden_fork.c - fork without being noticed by the rest of the program.
 *
 * A plain fork would raise SIGCHLD in the host at the child's end and let its waitpid(-1) find a
 * child that it never made.  Two ways avoid that:
 *
 *   one thread    clone with exit signal 0.  The child is the host's, but of the kind that only
 *                 __WALL and __WCLONE collect.  With one thread no lock of the C library can be
 *                 held, so the child may allocate.
 *
 *   many threads  such a clone would copy a malloc lock that another thread holds.  Only fork()
 *                 takes those locks first.  So an intermediate that shares our memory and
 *                 descriptors (as vfork does) calls fork() for us and exits; exit signal 0 hides
 *                 it.  Its child is adopted by init or the nearest subreaper.
 *
 * The calling thread sleeps in the kernel while the intermediate runs on the unused part of its
 * stack, so thread-local state has one user at a time.  All signals are blocked meanwhile: a handler
 * that ran in the intermediate would write the host's memory under another pid.
 *
 * The kernel does not hand the restartable-sequence registration through a clone that shares
 * memory, and the C library would go on believing in it; the child registers again.
 */
#include "base/hidden_fork.h"

#include "base/interrupt.h"
#include "base/own.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STACK_GAP = 16384, /* room for the frames between the caller's and the intermediate's stack */
    RSEQ_LENGTH = 32,  /* of the area's first version, which every kernel accepts             */
};

/* The C library's clone, by the name that sanitizers do not replace: theirs takes every child for one
 * with memory of its own, and tidies up in ours. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the C library's own name */
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

struct request {
    void (*child)(void *);
    void *argument;
    pid_t pid; /* or -errno; written by the intermediate */
    int   pidfd;
};

static void register_rseq(void)
{
    if (__rseq_size == 0)
        return; /* the C library does not use it */
    char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
    /* Already registered (EBUSY, EINVAL) is as good; there is no harm to report otherwise. */
    (void)syscall(SYS_rseq, area, RSEQ_LENGTH, 0, RSEQ_SIG);
}

static int intermediate(void *argument)
{
    struct request *request = argument;
    pid_t           pid = fork();
    if (pid == 0) {
        register_rseq();
        request->child(request->argument);
        _exit(127);
    }
    request->pid = pid < 0 ? -errno : pid;
    if (pid > 0) /* our unreaped child: the pid cannot be another process's */
        request->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid > 0 && request->pidfd < 0) {
        request->pid = -errno;
        bool     killed = kill(pid, SIGKILL) == 0; /* else it leaves when it finds itself alone */
        unsigned times = 0; /* or it becomes the host's zombie, should that be a subreaper */
        while (killed && pp_interrupted(waitpid(pid, NULL, 0), &times))
            ;
    }
    /* not exit_group of the C library: sanitizers would run their end-of-process work here */
    syscall(SYS_exit_group, 0);
    return 0;
}

static void fork_with_threads(struct request *request)
{
    char     *here = __builtin_frame_address(0);
    uintptr_t top = ((uintptr_t)here - STACK_GAP) & ~(uintptr_t)63;
    int       flags = CLONE_VM | CLONE_FILES | CLONE_VFORK; /* exit signal 0 */
    pid_t     pid = __clone(intermediate, (void *)top, flags, request);
    if (pid < 0) {
        request->pid = -errno;
        return;
    }
    unsigned times = 0;
    while (pp_interrupted(waitpid(pid, NULL, (int)__WCLONE), &times))
        ;
}

static void fork_alone(struct request *request)
{
    /* arguments of the x86-64 and arm64 call: flags, stack, parent_tid (here: pidfd), ... */
    long pid = syscall(SYS_clone, (unsigned long)CLONE_PIDFD, NULL, &request->pidfd, NULL, NULL);
    if (pid == 0) {
        request->child(request->argument);
        _exit(127);
    }
    request->pid = pid < 0 ? -errno : (pid_t)pid;
}

pid_t pp_hidden_fork(void (*child)(void *argument), void *argument, int *pidfd)
{
    struct request request = {.child = child, .argument = argument, .pid = -ECHILD, .pidfd = -1};
    sigset_t       all;
    sigset_t       old;
    sigfillset(&all);
    int error = pp_own_freeze();
    if (error < 0)
        return error;
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (__libc_single_threaded)
        fork_alone(&request);
    else
        fork_with_threads(&request);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (request.pid > 0) {
        pp_own_note(request.pidfd);
        *pidfd = request.pidfd;
    }
    pp_own_thaw();
    return request.pid;
}

bool pp_hidden_reap(int pidfd)
{
    siginfo_t info = {0};
    /* ECHILD when init has it: then there is nothing for us to do */
    return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | __WALL) < 0 || info.si_pid != 0;
}
