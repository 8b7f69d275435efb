/*
 * workers.h - the pool of a run.
 */
#ifndef CMD_WORKERS_H
#define CMD_WORKERS_H

#include "procpool.h"

/* `count` workers, or one.  `*limit` is how many tasks may be under way.  0, or -errno after a
 * message. */
int cmd_workers_create(pp_pool **pool, uint64_t *limit, unsigned count);

#endif
