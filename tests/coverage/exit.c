/*
 * exit.c - _exit of a coverage build, by the linker's --wrap: the counters are written first.
 *
 * Program and shared library have counters of their own, and either may call _exit: the program's are
 * found by name, the others are at hand.
 */
#include <dlfcn.h>
#include <stddef.h>

void           __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
void           procpool_dump_coverage(void);

void procpool_dump_coverage(void)
{
    __gcov_dump();
}

_Noreturn void __wrap__exit(int status)
{
    void *of_program = dlsym(RTLD_DEFAULT, "procpool_dump_coverage");
    if (of_program != NULL && of_program != (void *)procpool_dump_coverage)
        ((void (*)(void))of_program)();
    __gcov_dump();
    __real__exit(status);
}
