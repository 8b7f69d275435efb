/*
 * lineage.h - which process is this: the one that made an object, or a forked child of it?
 */
#ifndef PP_BASE_LINEAGE_H
#define PP_BASE_LINEAGE_H

#include <stdbool.h>
#include <stdint.h>

/* The mark of this process: never zero, another one in every forked child; -ENOMEM when the page
 * for it cannot be had. */
int pp_lineage_mark(uint64_t *mark);

/* True where that mark was made. Costs one load. */
bool pp_lineage_is(uint64_t mark);

#endif
