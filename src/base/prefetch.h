/*
 * prefetch.h - to have a cache line on its way before it is needed.
 */
#ifndef PP_BASE_PREFETCH_H
#define PP_BASE_PREFETCH_H

/* It will be written soon, and another processor has it: a store that finds it here does not hold up the
 * next locked instruction.  The compiler's own form asks x86 for a copy to read, unless it builds for
 * processors that are known to have this instruction; on those that have not it does nothing. */
static inline void pp_prefetch_to_write(const void *at)
{
#if defined(__x86_64__)
    __asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)at));
#else
    __builtin_prefetch(at, 1);
#endif
}

#endif
