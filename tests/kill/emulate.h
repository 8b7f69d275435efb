/*
 * emulate.h - do for a stopped process what its next instruction would do.
 *
 * A process that stands at a trap goes on without lifting it when the instruction there is simple: a
 * pause, a jump, a move between registers.  That halves the cost of a checkpoint in a loop.
 */
#ifndef PP_TESTS_KILL_EMULATE_H
#define PP_TESTS_KILL_EMULATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

/* Is the instruction there one of them? */
bool emulate_knows(uint64_t address);
/* What an instruction does that fills or copies memory, an element at each step. */
struct string {
    uint64_t count; /* elements that are left, but for the last one; 0: it is another instruction */
    unsigned size;  /* of an element: 1 or 8 */
    bool     copies;
};

struct string emulate_string(const struct user_regs_struct *registers);
/* The registers after it, `rip` too; false: it is none of them, and nothing is changed. */
bool emulate(struct user_regs_struct *registers);

#endif
