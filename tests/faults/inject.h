/*
 * inject.h - compiled before every source of the library in the build that tests/faults runs: each
 * call that can fail asks first whether it shall.
 *
 * A site is one place in the source: file, function, call, and which of its kind in that function.
 * Each use of a macro below leaves a pointer in the section pp_fault_sites, so the list of sites is
 * exact.  A function of the C library that has no macro here is either in pure.txt, or the check of
 * the list fails.
 *
 * syscall, fcntl and prctl are named by what they are asked for.
 */
#ifndef PP_TESTS_FAULTS_INJECT_H
#define PP_TESTS_FAULTS_INJECT_H

#include "calls.h"

/* sigaction is a structure, too: where the name stands before a parenthesis it is the call. */
#define PP_FAULT_AT(name)                                                                     \
    ({                                                                                        \
        static const struct pp_fault_site  pp_here = {__FILE__, __func__, name, __COUNTER__}; \
        static const struct pp_fault_site *pp_entry                                           \
            __attribute__((used, section("pp_fault_sites"))) = &pp_here;                      \
        pp_fault(&pp_entry);                                                                  \
    })
#define PP_FAULT_CALL(call, failure, ...) \
    (PP_FAULT_AT(#call) ? (failure) : pp_real_##call(__VA_ARGS__))

/* hidden_fork.c declares it: with its name for what may follow, that is not a call. */
#define __clone(function, stack, flags, argument, ...) \
    PP_FAULT_CLONE##__VA_OPT__(_DECLARED)(function, stack, flags, argument)
#define PP_FAULT_CLONE_DECLARED(...) __clone(__VA_ARGS__, ...)
#define PP_FAULT_CLONE(...)          PP_FAULT_CALL(__clone, -1, __VA_ARGS__)

#define calloc(...)            PP_FAULT_CALL(calloc, NULL, __VA_ARGS__)
#define dlinfo(...)            PP_FAULT_CALL(dlinfo, -1, __VA_ARGS__)
#define dlopen(...)            PP_FAULT_CALL(dlopen, NULL, __VA_ARGS__)
#define dlsym(...)             PP_FAULT_CALL(dlsym, NULL, __VA_ARGS__)
#define epoll_create1(...)     PP_FAULT_CALL(epoll_create1, -1, __VA_ARGS__)
#define epoll_wait(...)        PP_FAULT_CALL(epoll_wait, -1, __VA_ARGS__)
#define eventfd(...)           PP_FAULT_CALL(eventfd, -1, __VA_ARGS__)
#define execv(...)             PP_FAULT_CALL(execv, -1, __VA_ARGS__)
#define fallocate(...)         PP_FAULT_CALL(fallocate, -1, __VA_ARGS__)
#define ftruncate(...)         PP_FAULT_CALL(ftruncate, -1, __VA_ARGS__)
#define fflush(...)            PP_FAULT_CALL(fflush, EOF, __VA_ARGS__)
#define fgets(...)             PP_FAULT_CALL(fgets, NULL, __VA_ARGS__)
#define fopen(...)             PP_FAULT_CALL(fopen, NULL, __VA_ARGS__)
#define fork(...)              PP_FAULT_CALL(fork, -1, __VA_ARGS__)
#define fstat(...)             PP_FAULT_CALL(fstat, -1, __VA_ARGS__)
#define fwrite(...)            PP_FAULT_CALL(fwrite, 0, __VA_ARGS__)
#define getdelim(...)          PP_FAULT_CALL(getdelim, -1, __VA_ARGS__)
#define getsockopt(...)        PP_FAULT_CALL(getsockopt, -1, __VA_ARGS__)
#define kill(...)              PP_FAULT_CALL(kill, -1, __VA_ARGS__)
#define madvise(...)           PP_FAULT_CALL(madvise, -1, __VA_ARGS__)
#define malloc(...)            PP_FAULT_CALL(malloc, NULL, __VA_ARGS__)
#define memfd_create(...)      PP_FAULT_CALL(memfd_create, -1, __VA_ARGS__)
#define mmap(...)              PP_FAULT_CALL(mmap, MAP_FAILED, __VA_ARGS__)
#define mprotect(...)          PP_FAULT_CALL(mprotect, -1, __VA_ARGS__)
#define munmap(...)            PP_FAULT_CALL(munmap, -1, __VA_ARGS__)
#define on_exit(...)           PP_FAULT_CALL(on_exit, -1, __VA_ARGS__)
#define open(...)              PP_FAULT_CALL(open, -1, __VA_ARGS__)
#define poll(...)              PP_FAULT_CALL(poll, -1, __VA_ARGS__)
#define ppoll(...)             PP_FAULT_CALL(ppoll, -1, __VA_ARGS__)
#define pread(...)             PP_FAULT_CALL(pread, -1, __VA_ARGS__)
#define pthread_create(...)    PP_FAULT_CALL(pthread_create, errno, __VA_ARGS__)
#define pwrite(...)            PP_FAULT_CALL(pwrite, -1, __VA_ARGS__)
#define read(...)              PP_FAULT_CALL(read, -1, __VA_ARGS__)
#define readlink(...)          PP_FAULT_CALL(readlink, -1, __VA_ARGS__)
#define realloc(...)           PP_FAULT_CALL(realloc, NULL, __VA_ARGS__)
#define reallocarray(...)      PP_FAULT_CALL(reallocarray, NULL, __VA_ARGS__)
#define recv(...)              PP_FAULT_CALL(recv, -1, __VA_ARGS__)
#define recvmsg(...)           PP_FAULT_CALL(recvmsg, -1, __VA_ARGS__)
#define sched_getaffinity(...) PP_FAULT_CALL(sched_getaffinity, -1, __VA_ARGS__)
#define sendfile(...)          PP_FAULT_CALL(sendfile, -1, __VA_ARGS__)
#define sendmsg(...)           PP_FAULT_CALL(sendmsg, -1, __VA_ARGS__)
#define setenv(...)            PP_FAULT_CALL(setenv, -1, __VA_ARGS__)
#define setsid(...)            PP_FAULT_CALL(setsid, -1, __VA_ARGS__)
#define sigaction(...)         PP_FAULT_CALL(sigaction, -1, __VA_ARGS__)
#define sigaltstack(...)       PP_FAULT_CALL(sigaltstack, -1, __VA_ARGS__)
#define signalfd(...)          PP_FAULT_CALL(signalfd, -1, __VA_ARGS__)
#define sigprocmask(...)       PP_FAULT_CALL(sigprocmask, -1, __VA_ARGS__)
#define socketpair(...)        PP_FAULT_CALL(socketpair, -1, __VA_ARGS__)
#define strdup(...)            PP_FAULT_CALL(strdup, NULL, __VA_ARGS__)
#define strndup(...)           PP_FAULT_CALL(strndup, NULL, __VA_ARGS__)
#define sysinfo(...)           PP_FAULT_CALL(sysinfo, -1, __VA_ARGS__)
#define tgkill(...)            PP_FAULT_CALL(tgkill, -1, __VA_ARGS__)
#define timer_create(...)      PP_FAULT_CALL(timer_create, -1, __VA_ARGS__)
#define timer_settime(...)     PP_FAULT_CALL(timer_settime, -1, __VA_ARGS__)
#define unsetenv(...)          PP_FAULT_CALL(unsetenv, -1, __VA_ARGS__)
#define waitid(...)            PP_FAULT_CALL(waitid, -1, __VA_ARGS__)
#define waitpid(...)           PP_FAULT_CALL(waitpid, -1, __VA_ARGS__)
#define write(...)             PP_FAULT_CALL(write, -1, __VA_ARGS__)

#define close(fd)      pp_fault_close(fd, PP_FAULT_AT("close"))
#define fclose(stream) pp_fault_fclose(stream, PP_FAULT_AT("fclose"))

#define PP_FAULT_NAMED(call, what, ...) \
    (PP_FAULT_AT(#call ":" what) ? -1 : pp_real_##call(__VA_ARGS__))
#define epoll_ctl(epoll, command, ...) \
    PP_FAULT_NAMED(epoll_ctl, #command, epoll, command, __VA_ARGS__)
#define fcntl(fd, command, ...) \
    PP_FAULT_NAMED(fcntl, #command, fd, command __VA_OPT__(, ) __VA_ARGS__)
#define prctl(option, ...)   PP_FAULT_NAMED(prctl, #option, option, __VA_ARGS__)
#define syscall(number, ...) PP_FAULT_NAMED(syscall, #number, number, __VA_ARGS__)

#endif
