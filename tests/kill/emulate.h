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
/* The instruction there fills memory, an element at each step: how many elements are left and alike, but
 * for the last one; 0: it is another instruction. */
uint64_t emulate_fills(const struct user_regs_struct *registers, unsigned *element_size);
/* The registers after it, `rip` too; false: it is none of them, and nothing is changed. */
bool emulate(struct user_regs_struct *registers);

#endif
