/*
 * workers.h - the pool of a run.
 */
#ifndef CMD_WORKERS_H
#define CMD_WORKERS_H

#include "options.h"
#include "procpool.h"

/* As many workers as asked for, but no more than `most`; in the folder of --workdir.  `*limit` is
 * how many tasks may be under way.  0, or -errno after a message. */
int cmd_workers_create(pp_pool **pool, uint64_t *limit, const struct cmd_options *options,
                       uint64_t most);

#endif
