/*
 * stepper.h - ptrace on one process: stop it, walk it to an instruction, kill it there.
 *
 * Every function here must be called by one and the same thread, the tracer.
 */
#ifndef PP_TESTS_KILL_STEPPER_H
#define PP_TESTS_KILL_STEPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a region ends: at that address, if `call` is -1 or the number in the call register; as often as
 * that. */
struct end {
    uint64_t address;
    int64_t  call;
    unsigned times;
};

/* How to get to a boundary: run until `checkpoint` was reached `hits` times (0: do not run), then
 * single-step.  `wanted` is where that should lead. */
struct way {
    uint64_t checkpoint;
    unsigned hits;
    unsigned steps;
    uint64_t wanted;
};

struct place {
    uint64_t address; /* of the next instruction                                     */
    int64_t  call; /* the register that holds a system call's number, or its result; -1: it wakes */
};

/* Follow it from now on; with `births`, be told of its children.  0 or -errno. */
int stepper_seize(pid_t pid, bool births);
/* Wait until it sleeps in that system call: the address behind it, or 0: it does not. */
uint64_t stepper_await_asleep(pid_t pid, long call);
/* Follow a process that sleeps in that system call, or soon will: it sleeps on, and stops as it comes
 * back.  False: it does not sleep there, or cannot be followed. */
bool stepper_follow_asleep(pid_t pid, long call, bool births);
/* Wait for that; false: it is dead. */
bool stepper_await_wake_up(pid_t pid);
/* Go on after a stop; it is stopped again by nothing but what was asked for. */
void         stepper_continue(pid_t pid);
void         stepper_detach(pid_t pid);
struct place stepper_place(pid_t pid);
/* Stopped before that system call: let it sleep there.  What wakes it stops it, so that it begins nothing
 * that nobody has seen when it is killed.  False: it does not sleep. */
bool stepper_sleep_on(pid_t pid, long call);
/* Let it execute one instruction.  False: it is dead. */
bool stepper_step(pid_t pid);
/* Wait for the followed process to fork; its child is followed and stopped before its first
 * instruction.  -1: it died. */
pid_t stepper_await_birth(pid_t pid);

enum walk { WALK_THERE, WALK_MISSED, WALK_DIED };
enum walk stepper_walk(pid_t pid, const struct way *way, const struct end *end);

/* SIGKILL, and collect what the tracer has to collect: its parent can reap it then.  The status. */
int stepper_kill(pid_t pid);

#endif
