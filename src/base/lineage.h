/*
 * lineage.h - which process is this: the one that made an object, or a forked child of it?
 */
#ifndef PP_BASE_LINEAGE_H
#define PP_BASE_LINEAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zero in every process that begins, however it was forked. */
struct pp_lineage {
    _Atomic uint64_t mark;
    /* of own.c */
    _Atomic uint32_t holders;
    atomic_bool      noted;
};

/* That of this process, or -ENOMEM and the like when the page for it cannot be had: only at the first
 * call in the life of the program. */
int pp_lineage_here(struct pp_lineage **here);

/* The mark of this process: never zero, another one in every forked child; -ENOMEM when the page
 * for it cannot be had. */
int pp_lineage_mark(uint64_t *mark);

/* True where that mark was made. Costs one load. */
bool pp_lineage_is(uint64_t mark);

#endif
