/*
 * descendants.h - the fork server's children that are not its workers.
 */
#ifndef PP_SUPERVISE_DESCENDANTS_H
#define PP_SUPERVISE_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A process that a dead worker left behind. */
struct pp_adopted {
    pid_t    pid;
    bool     killed;  /* has had SIGKILL                    */
    unsigned tries;   /* ... that failed                    */
    int64_t  kill_at; /* ns: when it gets it; PP_NEVER: not */
};

struct pp_descendants {
    struct pp_adopted *items;
    size_t             count;
    size_t             capacity;
};

/*
 * Find children that are new: each gets SIGTERM and, `grace` ns later, SIGKILL; with a grace of 0
 * SIGKILL at once.  `is_worker` tells which children are not ours to end.  0 or -errno.
 */
int pp_descendants_scan(struct pp_descendants *all, int64_t                            grace,
                        bool (*is_worker)(const void *workers, pid_t pid), const void *workers);

/* Send the SIGKILLs that are due; the next moment when one will be, or PP_NEVER. */
int64_t pp_descendants_kill_due(struct pp_descendants *all, int64_t now);
/* From now on those that live get SIGKILL at that moment, if not before. */
void pp_descendants_limit(struct pp_descendants *all, int64_t kill_at);
/* A child was reaped: true if it was one of these. */
bool pp_descendants_forget(struct pp_descendants *all, pid_t pid);

#endif
