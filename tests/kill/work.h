/*
 * work.h - the tasks of a trial, and the record of what became of each.
 */
#ifndef PP_TESTS_KILL_WORK_H
#define PP_TESTS_KILL_WORK_H

#include <procpool.h>
#include <stdbool.h>
#include <stddef.h>

enum work_kind {
    WORK_NUMBER, /* the result stands in its line               */
    WORK_BYTES, /* ... in the box's granules, or in a memfd while the pool knows of no such result */
    WORK_GATE   /* keeps its worker busy until it is let go    */
};

/* Once in a process, before any pool. */
void work_prepare(void);
/* Forget the records; no pool has tasks. */
void work_reset(void);
/* The tasks of this trial are those that are submitted from now on. */
void work_begin_trial(void);

/* Queue a task: the number of its record.  A refusal is a violation. */
size_t work_submit(pp_pool *pool, enum work_kind kind);
/* Wait, outside of callbacks, for that one to end. */
void work_await(size_t record);
void work_gate_await(void);
void work_gate_release(void);

size_t   work_count(void);
pp_task *work_task(size_t record);
/* True once every task's callback has run. */
bool work_all_called(void);
/* Each of the trial's has one outcome, one callback and, if DONE, the right value; `lost` (or NULL), and
 * what was that in an earlier call, has no result, every other one has.  Whatever is otherwise is a
 * violation. */
void work_check(const pp_task *lost);
/* The same of all trials since the last reset. */
void work_check_all(void);

#endif
