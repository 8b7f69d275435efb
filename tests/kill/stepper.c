/*
 * stepper.c - see stepper.h.
 *
 * A step costs two context switches, so a trial does not step from the beginning: it runs to a trap
 * instruction at a checkpoint and steps from there.  The trap goes into the process's own copy of the
 * page.  A child forked while one is planted inherits it, so each child is stopped at its birth and
 * cleaned.
 */
#include "stepper.h"

#include "base/clock.h"
#include "emulate.h"
#include "report.h"
#include "shm/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRAP = 0xcc, TRAPS = 2, SYSCALL_SIZE = 2, EVENT_SHIFT = 16, NAP_NS = 20 * 1000 };

struct trap {
    uint64_t address;
    bool     planted;
};

static struct trap traps[TRAPS];
static struct trap wake_up;
static int         last_status;

static void fail(const char *what)
{
    perror(what);
    abort();
}

/* Not errno's: of ptrace's many uses only PEEK needs it. */
static long trace(enum __ptrace_request request, pid_t pid, uint64_t address, uint64_t data)
{
    return ptrace(request, pid, (void *)(uintptr_t)address, (void *)(uintptr_t)data);
}

/* False: it is dead.  The host, which is this process too, collects a dead fork server as soon as it
 * sees its end: then there is nothing left to wait for. */
static bool await(pid_t pid)
{
    while (waitpid(pid, &last_status, __WALL) < 0) {
        if (errno == ECHILD)
            last_status = SIGKILL;
        else if (errno != EINTR)
            fail("waitpid");
        if (errno == ECHILD)
            return false;
    }
    return WIFSTOPPED(last_status);
}

int stepper_seize(pid_t pid, bool births)
{
    uint64_t options = births ? PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK : 0;
    return trace(PTRACE_SEIZE, pid, 0, options) < 0 ? -errno : 0;
}

void stepper_continue(pid_t pid)
{
    (void)trace(PTRACE_CONT, pid, 0, 0); /* ESRCH: it was killed; the next wait says so */
}

void stepper_detach(pid_t pid)
{
    (void)trace(PTRACE_DETACH, pid, 0, 0);
}

static struct user_regs_struct registers_of(pid_t pid)
{
    struct user_regs_struct registers;
    if (trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&registers) < 0)
        fail("PTRACE_GETREGS");
    return registers;
}

/* A futex call that wakes others up is none that anybody sleeps in. */
static int64_t call_of(const struct user_regs_struct *registers)
{
    bool wakes =
        registers->rax == SYS_futex && ((int)registers->rsi & FUTEX_CMD_MASK) == FUTEX_WAKE;
    return wakes ? -1 : (int64_t)registers->rax;
}

struct place stepper_place(pid_t pid)
{
    struct user_regs_struct registers = registers_of(pid);
    return (struct place){.address = registers.rip, .call = call_of(&registers)};
}

/* The address behind the system call in which it sleeps; 0: it does not sleep in that one. */
static uint64_t sleeps_at(pid_t pid, long call)
{
    char  path[64];
    char  text[256] = "";
    char *rest = NULL;
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    int     file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        (void)close(file);
    text[size > 0 ? size : 0] = '\0';
    const char *last = strrchr(text, ' ');
    bool        in_call = strtol(text, &rest, 10) == call && rest != text;
    return in_call && last != NULL ? strtoull(last, NULL, 16) : 0;
}

/* No event tells that it has fallen asleep, and looking for it without a pause would keep the processor
 * from it. */
uint64_t stepper_await_asleep(pid_t pid, long call)
{
    static _Atomic uint32_t nobody;
    int64_t                 deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(PATIENCE));
    uint64_t                address = 0;
    while ((address = sleeps_at(pid, call)) == 0 && pp_clock_now() < deadline)
        (void)pp_futex_wait(&nobody, 0, false, pp_deadline_after(pp_clock_now(), NAP_NS));
    return address;
}

/* ------------------------------------------------------------------------- traps */

/* Through its memory file, which takes single bytes: two traps may lie in one word. */
static int open_memory(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        fail(path);
    return file;
}

static void put_byte(int file, uint64_t address, unsigned char byte)
{
    if (pwrite(file, &byte, 1, (off_t)address) != 1)
        fail("write to the memory of the traced process");
}

static void plant(int file, struct trap *trap)
{
    if (trap->address != 0 && !trap->planted)
        put_byte(file, trap->address, TRAP);
    trap->planted = trap->address != 0;
}

/* It is a fork of this process: what stands there stands here, too. */
static void lift(int file, struct trap *trap)
{
    if (trap->planted)
        put_byte(file, trap->address, *(const unsigned char *)(uintptr_t)trap->address);
    trap->planted = false;
}

/* ------------------------------------------------------------------------- births */

static bool is_birth(int status)
{
    int event = status >> EVENT_SHIFT;
    return WIFSTOPPED(status) && (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE ||
                                  event == PTRACE_EVENT_VFORK);
}

/* The child, stopped; -1 when it was killed before. */
static pid_t newborn_of(pid_t pid)
{
    unsigned long message = 0;
    if (trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&message) < 0)
        fail("PTRACE_GETEVENTMSG");
    int   status = 0;
    pid_t child = (pid_t)message;
    if (waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status))
        return -1;
    return child;
}

static void clean_newborn(pid_t pid)
{
    pid_t child = newborn_of(pid);
    if (child < 0)
        return;
    int file = open_memory(child);
    for (int i = 0; i < TRAPS; i++) {
        struct trap inherited = traps[i];
        lift(file, &inherited);
    }
    (void)close(file);
    stepper_detach(child);
}

pid_t stepper_await_birth(pid_t pid)
{
    while (await(pid)) {
        if (is_birth(last_status))
            return newborn_of(pid);
        stepper_continue(pid);
    }
    return -1;
}

/* ------------------------------------------------------------------------ stepping */

/* Go on until the next trap; a birth or a signal in between is passed on. False: dead. */
static bool resume(pid_t pid, enum __ptrace_request request)
{
    for (;;) {
        if (!await(pid))
            return false;
        int signal = WSTOPSIG(last_status);
        if (is_birth(last_status)) {
            clean_newborn(pid);
            signal = 0;
        } else if (last_status >> EVENT_SHIFT != 0)
            signal = 0;
        else if (signal == SIGTRAP)
            return true;
        (void)trace(request, pid, 0, (uint64_t)signal);
    }
}

bool stepper_step(pid_t pid)
{
    (void)trace(PTRACE_SINGLESTEP, pid, 0, 0);
    return resume(pid, PTRACE_SINGLESTEP);
}

static bool is_end(const struct end *end, uint64_t address, int64_t call)
{
    return address == end->address && (end->call < 0 || end->call == call);
}

/* Stopped by the trap that lies there, as the register says: the instruction comes first, then the trap
 * again.  False: dead. */
static bool step_over(pid_t pid, int file, struct trap *trap)
{
    lift(file, trap);
    if (!stepper_step(pid))
        return false;
    plant(file, trap);
    return true;
}

static void set_registers(pid_t pid, struct user_regs_struct *registers)
{
    if (trace(PTRACE_SETREGS, pid, 0, (uintptr_t)registers) < 0)
        fail("PTRACE_SETREGS");
}

/* It has executed a trap: back to the instruction that stands there. */
static struct user_regs_struct take_back_trap(pid_t pid)
{
    struct user_regs_struct registers = registers_of(pid);
    registers.rip--;
    set_registers(pid, &registers);
    return registers;
}

bool stepper_follow_asleep(pid_t pid, long call, bool births)
{
    uint64_t address = stepper_await_asleep(pid, call);
    if (address == 0 || stepper_seize(pid, births) < 0)
        return false;
    int file = open_memory(pid);
    wake_up = (struct trap){.address = address};
    plant(file, &wake_up);
    (void)close(file);
    return true;
}

bool stepper_await_wake_up(pid_t pid)
{
    if (!resume(pid, PTRACE_CONT))
        return false;
    int file = open_memory(pid);
    (void)take_back_trap(pid);
    lift(file, &wake_up);
    (void)close(file);
    return true;
}

bool stepper_sleep_on(pid_t pid, long call)
{
    int file = open_memory(pid);
    wake_up = (struct trap){.address = stepper_place(pid).address + SYSCALL_SIZE};
    plant(file, &wake_up);
    (void)close(file);
    stepper_continue(pid);
    return stepper_await_asleep(pid, call) != 0;
}

/* Run with both traps planted until the checkpoint was hit often enough. */
static enum walk run_between(pid_t pid, int file, const struct way *way, const struct end *end,
                             unsigned *ends)
{
    unsigned hits = 0;
    for (;;) {
        stepper_continue(pid);
        if (!resume(pid, PTRACE_CONT))
            return WALK_DIED;
        struct user_regs_struct registers = registers_of(pid);
        bool                    there = --registers.rip == way->checkpoint;
        bool                    last = there && ++hits == way->hits;
        bool                    ended =
            !last && is_end(end, registers.rip, call_of(&registers)) && ++*ends == end->times;
        bool emulated = !last && !ended && emulate(&registers);
        set_registers(pid, &registers);
        if (last)
            return WALK_THERE;
        if (ended)
            return WALK_MISSED;
        if (!emulated && !step_over(pid, file, &traps[there ? 0 : 1]))
            return WALK_DIED;
    }
}

static enum walk run_to(pid_t pid, const struct way *way, const struct end *end, unsigned *ends)
{
    traps[0] = (struct trap){.address = way->checkpoint};
    traps[1] = (struct trap){.address = end->address == way->checkpoint ? 0 : end->address};
    int file = open_memory(pid);
    for (int i = 0; i < TRAPS; i++)
        plant(file, &traps[i]);
    enum walk walk = run_between(pid, file, way, end, ends);
    for (int i = 0; walk != WALK_DIED && i < TRAPS; i++)
        lift(file, &traps[i]);
    (void)close(file);
    return walk;
}

/* What it copies must not be what it has written in between. */
static bool is_apart(const struct user_regs_struct *registers, size_t size)
{
    return registers->rsi + size <= registers->rdi || registers->rdi + size <= registers->rsi;
}

/* Copy or fill that much: false, and nothing is changed, when it cannot be done in this way. */
static bool move_bytes(pid_t pid, const struct user_regs_struct *registers, struct string string,
                       unsigned char *bytes, size_t size)
{
    int  file = open_memory(pid);
    bool known = true;
    if (string.copies)
        known = is_apart(registers, size) &&
                pread(file, bytes, size, (off_t)registers->rsi) == (ssize_t)size;
    else
        for (size_t i = 0; i < size; i += string.size)
            memcpy(bytes + i, &registers->rax, string.size);
    bool moved = known && pwrite(file, bytes, size, (off_t)registers->rdi) == (ssize_t)size;
    (void)close(file);
    return moved;
}

/* As many steps as that at most, all at once, where it copies or fills memory: their number. */
static unsigned do_string(pid_t pid, unsigned most)
{
    enum { MOST_BYTES = 4096 };
    unsigned char           bytes[MOST_BYTES];
    struct user_regs_struct registers = registers_of(pid);
    struct string           string = emulate_string(&registers);
    uint64_t                count = string.count < most ? string.count : most;
    count = count < MOST_BYTES / string.size ? count : MOST_BYTES / string.size;
    size_t size = count * string.size;
    if (count < 2 || !move_bytes(pid, &registers, string, bytes, size))
        return 0;
    registers.rdi += size;
    registers.rsi += string.copies ? size : 0;
    registers.rcx -= count;
    set_registers(pid, &registers);
    return (unsigned)count;
}

static enum walk step_on(pid_t pid, const struct way *way, const struct end *end, unsigned ends)
{
    struct place place = stepper_place(pid);
    for (unsigned i = 0; i < way->steps; i++) {
        if (is_end(end, place.address, place.call) && ++ends == end->times)
            return WALK_MISSED;
        i += do_string(pid, way->steps - i - 1);
        if (!stepper_step(pid))
            return WALK_DIED;
        place = stepper_place(pid);
    }
    return place.address == way->wanted ? WALK_THERE : WALK_MISSED;
}

enum walk stepper_walk(pid_t pid, const struct way *way, const struct end *end)
{
    unsigned  ends = 0;
    enum walk walk = WALK_THERE;
    if (way->hits > 0)
        walk = run_to(pid, way, end, &ends);
    return walk == WALK_THERE ? step_on(pid, way, end, ends) : walk;
}

int stepper_kill(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    while (await(pid))
        ; /* it may have stopped for us a moment before */
    for (int i = 0; i < TRAPS; i++)
        traps[i] = (struct trap){0};
    return last_status;
}
