/*
 * queue.h - the pending queue: tasks by priority, first come first served among equals.
 *
 * In the host's private memory, under the pool's lock.
 */
#ifndef PP_POOL_QUEUE_H
#define PP_POOL_QUEUE_H

#include "task/task.h"

/* All tasks of one priority that are accepted and have not ended. */
struct pp_level {
    int            priority;
    size_t         members; /* pending or not: while there are any, the level stays */
    struct pp_list tasks;   /* the pending ones, by order */
};

struct pp_queue {
    struct pp_level **levels; /* highest priority first */
    size_t            level_count;
    size_t            level_capacity;
    size_t            count; /* pending tasks */
};

/* Make sure that the task's priority has a level and count it there: 0 or -ENOMEM.  Between join and
 * leave no other operation on this task can fail. */
int  pp_queue_join(struct pp_queue *queue, const struct pp_task *task);
void pp_queue_leave(struct pp_queue *queue, const struct pp_task *task);

void            pp_queue_add(struct pp_queue *queue, struct pp_task *task); /* at its order */
struct pp_task *pp_queue_first(const struct pp_queue *queue);
void            pp_queue_remove(struct pp_queue *queue, struct pp_task *task);
/* Tasks of more than one priority are accepted and have not ended. */
bool pp_queue_mixed(const struct pp_queue *queue);
void pp_queue_free(struct pp_queue *queue);

#endif
