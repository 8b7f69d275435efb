/*
 * spares.h - ended tasks and their outcomes, kept by a pool for the next ones: a stream of small
 * tasks allocates nothing.
 *
 * The lock of the pool protects it.  Zero is empty and valid.
 */
#ifndef PP_TASK_SPARES_H
#define PP_TASK_SPARES_H

#include "task/task.h"

struct pp_spares {
    struct pp_list     *tasks; /* by `next` of their links */
    struct pp_uncommon *uncommon;
    struct pp_outcome  *outcomes;
    unsigned            task_count;
    unsigned            uncommon_count;
    unsigned            outcome_count;
};

/* The task that was made in `draft`, in memory of its own: a spare one's, or new.  The draft is empty
 * afterwards.  NULL: no memory, nothing is changed. */
struct pp_task *pp_spares_settle(struct pp_spares *spares, struct pp_draft *draft);

/* A spare outcome, or NULL. */
struct pp_outcome *pp_spares_outcome(struct pp_spares *spares);

/*
 * Let go of a task in two steps, because giving back what it holds may take long.  Without the lock:
 * true when the caller's was the last reference and the task is to be kept, with an emptied outcome or
 * none; then, under the lock, pp_spares_keep.
 */
bool pp_spares_release(struct pp_task *task);
void pp_spares_keep(struct pp_spares *spares, struct pp_task *task);

void pp_spares_free(struct pp_spares *spares);

#endif
