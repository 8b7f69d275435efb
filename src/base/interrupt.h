/*
 * interrupt.h - repeating a call that a signal interrupted.
 *
 * Not without end: something between us and the kernel that answers EINTR to everything is a failure
 * like any other, and a thread that never comes back is not.  No honest stream of signals interrupts
 * one call as often as that.
 */
#ifndef PP_BASE_INTERRUPT_H
#define PP_BASE_INTERRUPT_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

enum { PP_INTERRUPTIONS = 10000 };

/* Shall it be repeated?  `times` begins with 0. */
static inline bool pp_interrupted(ssize_t result, unsigned *times)
{
    return result < 0 && errno == EINTR && ++*times < PP_INTERRUPTIONS;
}

#endif
