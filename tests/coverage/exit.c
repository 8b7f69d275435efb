/*
 * exit.c - _exit and tgkill of a coverage build, by the linker's --wrap: the counters are written first.  By
 * tgkill a worker dies of the signal whose handler has written its last words.
 *
 * Program and shared library have counters of their own, and either may call _exit: the program's are
 * found by name, the others are at hand.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <sys/types.h>

void           __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
int            __real_tgkill(pid_t process, pid_t thread, int signal);
int            __wrap_tgkill(pid_t process, pid_t thread, int signal);
void           procpool_dump_coverage(void);

void procpool_dump_coverage(void)
{
    __gcov_dump();
}

static void dump_all(void)
{
    void *of_program = dlsym(RTLD_DEFAULT, "procpool_dump_coverage");
    if (of_program != NULL && of_program != (void *)procpool_dump_coverage)
        ((void (*)(void))of_program)();
    __gcov_dump();
}

_Noreturn void __wrap__exit(int status)
{
    dump_all();
    __real__exit(status);
}

int __wrap_tgkill(pid_t process, pid_t thread, int signal)
{
    dump_all();
    return __real_tgkill(process, thread, signal);
}
