/*
 * calls.h - what inject.h and the programs of tests/faults have in common: a site, and the calls that
 * can be made to fail.
 */
#ifndef PP_TESTS_FAULTS_CALLS_H
#define PP_TESTS_FAULTS_CALLS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

struct pp_fault_site {
    const char *file;
    const char *function;
    const char *call;
    int         order; /* among those of the file */
};

/* Shall the call at this entry of the section fail?  Then errno is set. */
bool pp_fault(const struct pp_fault_site **entry);

/* The functions themselves, under names that tell a wrapped call from one that was forgotten. */
#define PP_FAULT_CALLS(CALL) \
    CALL(__clone)            \
    CALL(calloc)             \
    CALL(dlinfo)             \
    CALL(dlopen)             \
    CALL(dlsym)              \
    CALL(epoll_create1)      \
    CALL(epoll_ctl)          \
    CALL(epoll_wait)         \
    CALL(eventfd)            \
    CALL(execv)              \
    CALL(fallocate)          \
    CALL(ftruncate)          \
    CALL(fcntl)              \
    CALL(fflush)             \
    CALL(fgets)              \
    CALL(fopen)              \
    CALL(fork)               \
    CALL(fstat)              \
    CALL(fwrite)             \
    CALL(getdelim)           \
    CALL(getsockopt)         \
    CALL(kill)               \
    CALL(madvise)            \
    CALL(malloc)             \
    CALL(memfd_create)       \
    CALL(mmap)               \
    CALL(mprotect)           \
    CALL(munmap)             \
    CALL(on_exit)            \
    CALL(open)               \
    CALL(poll)               \
    CALL(ppoll)              \
    CALL(prctl)              \
    CALL(pread)              \
    CALL(pthread_create)     \
    CALL(pwrite)             \
    CALL(read)               \
    CALL(realloc)            \
    CALL(readlink)           \
    CALL(reallocarray)       \
    CALL(recv)               \
    CALL(recvmsg)            \
    CALL(sched_getaffinity)  \
    CALL(sendfile)           \
    CALL(sendmsg)            \
    CALL(setenv)             \
    CALL(setsid)             \
    CALL(sigaction)          \
    CALL(sigaltstack)        \
    CALL(signalfd)           \
    CALL(sigprocmask)        \
    CALL(socketpair)         \
    CALL(strdup)             \
    CALL(strndup)            \
    CALL(syscall)            \
    CALL(sysinfo)            \
    CALL(tgkill)             \
    CALL(timer_create)       \
    CALL(timer_settime)      \
    CALL(unsetenv)           \
    CALL(waitid)             \
    CALL(waitpid)            \
    CALL(write)

/* Whatever they report, the descriptor and the stream are gone. */
int pp_fault_close(int fd, bool fails);
int pp_fault_fclose(FILE *stream, bool fails);

#define PP_FAULT_DECLARE(call) extern __typeof__(call) *const pp_real_##call;
PP_FAULT_CALLS(PP_FAULT_DECLARE)
#undef PP_FAULT_DECLARE

#endif
