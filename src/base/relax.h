/*
 * relax.h - what a loop does that waits for a word in memory to change, between two looks.
 */
#ifndef PP_BASE_RELAX_H
#define PP_BASE_RELAX_H

/* Some tens of nanoseconds in which the other thread of this core has its turn. */
static inline void pp_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

#endif
