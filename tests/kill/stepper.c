/*
 * stepper.c - see stepper.h.
 *
 * A step costs two context switches, so a trial does not step from the beginning: it runs to a trap
 * instruction at a checkpoint and steps from there.  The trap goes into the process's own copy of the
 * page.  A child forked while one is planted inherits it, so each child is stopped at its birth and
 * cleaned.
 */
#include "stepper.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { TRAP = 0xcc, TRAPS = 2, EVENT_SHIFT = 16 };

struct trap {
    uint64_t address;
    long     original; /* the word there */
    bool     planted;
};

static struct trap traps[TRAPS];
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

bool stepper_interrupt(pid_t pid)
{
    if (trace(PTRACE_INTERRUPT, pid, 0, 0) < 0 && errno != ESRCH)
        fail("PTRACE_INTERRUPT");
    return await(pid);
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

struct place stepper_place(pid_t pid)
{
    enum { RESTART_FIRST = 512, RESTART_LAST = 516 }; /* ERESTARTSYS ... in the kernel */
    struct user_regs_struct registers = registers_of(pid);
    int64_t                 result = (int64_t)registers.rax;
    bool                    restarts = result <= -RESTART_FIRST && result >= -RESTART_LAST;
    return (struct place){.address = registers.rip,
                          .call = result,
                          .in_call = (int64_t)registers.orig_rax >= 0 && restarts};
}

/* ------------------------------------------------------------------------- traps */

static void put_word(pid_t pid, uint64_t address, long word)
{
    if (trace(PTRACE_POKETEXT, pid, address, (uint64_t)word) < 0)
        fail("PTRACE_POKETEXT");
}

static void plant(pid_t pid, struct trap *trap)
{
    errno = 0;
    trap->original = trace(PTRACE_PEEKTEXT, pid, trap->address, 0);
    if (errno != 0)
        fail("PTRACE_PEEKTEXT");
    put_word(pid, trap->address, (trap->original & ~0xffL) | TRAP);
    trap->planted = true;
}

static void lift(pid_t pid, struct trap *trap)
{
    if (trap->planted)
        put_word(pid, trap->address, trap->original);
    trap->planted = false;
}

/* The last one planted first: two may overlap. */
static void lift_all(pid_t pid)
{
    for (int i = TRAPS - 1; i >= 0; i--)
        lift(pid, &traps[i]);
}

static void plant_all(pid_t pid)
{
    for (int i = 0; i < TRAPS; i++)
        if (traps[i].address != 0)
            plant(pid, &traps[i]);
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
    for (int i = TRAPS - 1; i >= 0; i--)
        if (traps[i].planted)
            put_word(child, traps[i].address, traps[i].original);
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

void stepper_step_begin(pid_t pid)
{
    (void)trace(PTRACE_SINGLESTEP, pid, 0, 0);
}

bool stepper_step_end(pid_t pid)
{
    return resume(pid, PTRACE_SINGLESTEP);
}

static bool step(pid_t pid)
{
    stepper_step_begin(pid);
    return stepper_step_end(pid);
}

static bool is_end(const struct end *end, uint64_t address, int64_t call)
{
    return address == end->address && (end->call < 0 || end->call == call);
}

/* Run with both traps planted until the checkpoint was hit often enough. */
static enum walk run_to(pid_t pid, const struct way *way, const struct end *end, unsigned *ends)
{
    unsigned hits = 0;
    traps[0] = (struct trap){.address = way->checkpoint};
    traps[1] = (struct trap){.address = end->address == way->checkpoint ? 0 : end->address};
    for (;;) {
        plant_all(pid);
        stepper_continue(pid);
        if (!resume(pid, PTRACE_CONT))
            return WALK_DIED;
        lift_all(pid);
        struct user_regs_struct registers = registers_of(pid);
        registers.rip--; /* the trap was executed */
        if (trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&registers) < 0)
            fail("PTRACE_SETREGS");
        bool at_end = is_end(end, registers.rip, (int64_t)registers.rax);
        if (registers.rip == way->checkpoint && ++hits == way->hits)
            return WALK_THERE;
        if (at_end && ++*ends == end->times)
            return WALK_MISSED;
        if (!step(pid))
            return WALK_DIED;
    }
}

static enum walk step_on(pid_t pid, const struct way *way, const struct end *end, unsigned ends)
{
    struct place place = stepper_place(pid);
    for (unsigned i = 0; i < way->steps; i++) {
        if (is_end(end, place.address, place.call) && ++ends == end->times)
            return WALK_MISSED;
        if (!step(pid))
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
