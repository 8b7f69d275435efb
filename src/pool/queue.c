/*
 * queue.c - (2) where a task waits until a worker can take it.
 *
 * Invariants
 *   - levels are sorted by priority, tasks within one by order of acceptance.
 *   - A level exists as long as it has members, so a task that comes back from a worker always finds
 *     its own, whatever the state of memory.
 */
#include "pool/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Index of the level of that priority, or where it belongs. */
static size_t level_index(const struct pp_queue *queue, int priority)
{
    size_t low = 0;
    size_t high = queue->level_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (queue->levels[middle]->priority > priority)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct pp_level *level_of(const struct pp_queue *queue, const struct pp_task *task)
{
    return queue->levels[level_index(queue, task->priority)];
}

static int insert_level(struct pp_queue *queue, size_t index, int priority)
{
    if (queue->level_count == queue->level_capacity) {
        size_t capacity = queue->level_capacity > 0 ? queue->level_capacity * 2 : 4;
        void  *levels = reallocarray(queue->levels, capacity, sizeof(struct pp_level *));
        if (levels == NULL)
            return -ENOMEM;
        queue->levels = levels;
        queue->level_capacity = capacity;
    }
    struct pp_level *level = malloc(sizeof *level);
    if (level == NULL)
        return -ENOMEM;
    *level = (struct pp_level){.priority = priority};
    pp_list_init(&level->tasks);
    memmove(queue->levels + index + 1, queue->levels + index,
            (queue->level_count - index) * sizeof(struct pp_level *));
    queue->levels[index] = level;
    queue->level_count++;
    return 0;
}

int pp_queue_join(struct pp_queue *queue, const struct pp_task *task)
{
    size_t index = level_index(queue, task->priority);
    if (index == queue->level_count || queue->levels[index]->priority != task->priority) {
        int error = insert_level(queue, index, task->priority);
        if (error < 0)
            return error;
    }
    queue->levels[index]->members++;
    return 0;
}

void pp_queue_leave(struct pp_queue *queue, const struct pp_task *task)
{
    size_t           index = level_index(queue, task->priority);
    struct pp_level *level = queue->levels[index];
    if (--level->members > 0 || level->priority == 0) /* the default priority keeps its own */
        return;
    queue->level_count--;
    memmove(queue->levels + index, queue->levels + index + 1,
            (queue->level_count - index) * sizeof(struct pp_level *));
    free(level);
}

/* New tasks go to the end; the few that come back belong near the front. */
void pp_queue_add(struct pp_queue *queue, struct pp_task *task)
{
    struct pp_list *tasks = &level_of(queue, task)->tasks;
    struct pp_list *place = tasks;
    struct pp_task *last = PP_CONTAINER(tasks->previous, struct pp_task, link);
    if (!pp_list_empty(tasks) && last->order > task->order) {
        place = tasks->next;
        while (PP_CONTAINER(place, struct pp_task, link)->order < task->order)
            place = place->next;
    }
    pp_list_insert_before(place, &task->link);
    queue->count++;
}

struct pp_task *pp_queue_first(const struct pp_queue *queue)
{
    for (size_t i = 0; i < queue->level_count; i++) {
        struct pp_list *tasks = &queue->levels[i]->tasks;
        if (!pp_list_empty(tasks))
            return PP_CONTAINER(tasks->next, struct pp_task, link);
    }
    return NULL;
}

void pp_queue_remove(struct pp_queue *queue, struct pp_task *task)
{
    pp_list_remove(&task->link);
    queue->count--;
}

bool pp_queue_mixed(const struct pp_queue *queue)
{
    size_t used = 0;
    for (size_t i = 0; i < queue->level_count && used < 2; i++)
        used += queue->levels[i]->members > 0 ? 1 : 0;
    return used > 1;
}

void pp_queue_free(struct pp_queue *queue)
{
    for (size_t i = 0; i < queue->level_count; i++)
        free(queue->levels[i]);
    free(queue->levels);
    *queue = (struct pp_queue){0};
}
