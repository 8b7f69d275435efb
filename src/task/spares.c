/*
 * spares.c - memory of tasks, of what is uncommon in them, and of outcomes is used again.
 *
 * Invariants
 *   - A spare task holds nothing: no payload, no buffer, no outcome, no reference of its pool.  Nor
 *     does a spare outcome.
 *   - There are at most SPARES of each, so a burst does not stay in memory for ever.
 */
#include "task/spares.h"

#include <stdlib.h>

enum { SPARES = 4096 };

static struct pp_task *take_task(struct pp_spares *spares)
{
    struct pp_list *link = spares->tasks;
    if (link == NULL)
        return malloc(sizeof(struct pp_task));
    spares->tasks = link->next;
    spares->task_count--;
    return PP_CONTAINER(link, struct pp_task, link);
}

static void keep_task(struct pp_spares *spares, struct pp_task *task)
{
    if (spares->task_count == SPARES) {
        free(task);
        return;
    }
    task->link.next = spares->tasks;
    spares->tasks = &task->link;
    spares->task_count++;
}

static struct pp_uncommon *take_uncommon(struct pp_spares *spares)
{
    struct pp_uncommon *uncommon = spares->uncommon;
    if (uncommon == NULL)
        return malloc(sizeof *uncommon);
    spares->uncommon = uncommon->next;
    spares->uncommon_count--;
    return uncommon;
}

static void keep_uncommon(struct pp_spares *spares, struct pp_uncommon *uncommon)
{
    if (uncommon == NULL)
        return;
    if (spares->uncommon_count == SPARES) {
        free(uncommon);
        return;
    }
    uncommon->next = spares->uncommon;
    spares->uncommon = uncommon;
    spares->uncommon_count++;
}

struct pp_task *pp_spares_settle(struct pp_spares *spares, struct pp_draft *draft)
{
    bool                is_common = draft->task.uncommon == NULL;
    struct pp_task     *task = take_task(spares);
    struct pp_uncommon *uncommon = task != NULL && !is_common ? take_uncommon(spares) : NULL;
    if (task == NULL)
        return NULL;
    if (uncommon == NULL && !is_common) {
        keep_task(spares, task);
        return NULL;
    }
    *task = draft->task;
    task->uncommon = uncommon;
    if (uncommon != NULL) {
        *uncommon = draft->uncommon;
        uncommon->task = task;
    }
    draft->task.outcome = NULL; /* all that a draft may hold */
    draft->task.payload_size = 0;
    draft->task.uncommon = NULL;
    return task;
}

struct pp_outcome *pp_spares_outcome(struct pp_spares *spares)
{
    struct pp_outcome *outcome = spares->outcomes;
    if (outcome != NULL) {
        spares->outcomes = outcome->next;
        spares->outcome_count--;
    }
    return outcome;
}

bool pp_spares_release(struct pp_task *task)
{
    /* acquire: the last owner sees what the others wrote before they let go.  One is the caller's, and
     * nobody can take another without having one. */
    if (atomic_load_explicit(&task->references, memory_order_acquire) != 1) {
        pp_task_hold_home(task); /* others may keep it for longer than the pool lives */
        pp_task_unref(task);
        return false;
    }
    struct pp_outcome *outcome = task->outcome;
    task->outcome = NULL;
    pp_task_empty(task);
    if (pp_outcome_make_spare(outcome))
        task->outcome = outcome;
    return true;
}

void pp_spares_keep(struct pp_spares *spares, struct pp_task *task)
{
    struct pp_home    *home = task->holds_home ? task->home : NULL;
    struct pp_outcome *outcome = task->outcome;
    keep_uncommon(spares, task->uncommon);
    if (outcome != NULL && spares->outcome_count < SPARES) {
        outcome->next = spares->outcomes;
        spares->outcomes = outcome;
        spares->outcome_count++;
    } else
        pp_outcome_free(outcome);
    keep_task(spares, task);
    if (home != NULL)
        pp_home_unref(home);
}

void pp_spares_free(struct pp_spares *spares)
{
    struct pp_outcome *outcome = NULL;
    while (spares->tasks != NULL)
        free(take_task(spares));
    while (spares->uncommon != NULL)
        free(take_uncommon(spares));
    while ((outcome = pp_spares_outcome(spares)) != NULL)
        pp_outcome_free(outcome);
}
