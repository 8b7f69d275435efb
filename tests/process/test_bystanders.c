/*
 * test_bystanders.c - a task that is cancelled takes no other with it, whatever its worker does between
 * the looks at it and the kill.
 *
 * What is between them takes some microseconds.  So the linker brings the calls of pp_pool_recall and
 * pp_pool_harvest here first (cmake/Tests.cmake), and the worker goes on just there: before the first
 * the task in front of the victim ends, behind the second the victim does, and the task behind it begins
 * if it is in the tray.
 */
#include "pool/pool.h"
#include "support.h"

#include <errno.h>

enum stage { NOT_YET, VICTIM_IN_TRAY, VICTIM_RUNS, VICTIM_MAY_END };

enum { SHORT_TASKS = 50, TRIES = 200 };

static pp_task   *victim;
static pp_task   *behind;
static enum stage stage;

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
bool __real_pp_pool_recall(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task);
bool __wrap_pp_pool_recall(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task);
void __real_pp_pool_harvest(struct pp_pool *pool, struct pp_worker *worker);
void __wrap_pp_pool_harvest(struct pp_pool *pool, struct pp_worker *worker);

bool __wrap_pp_pool_recall(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task)
{
    if (stage == VICTIM_IN_TRAY && task == victim) {
        gate_release(&the_gate);
        gate_await(&the_gate);
        stage = VICTIM_RUNS;
    }
    return __real_pp_pool_recall(pool, worker, task);
}

void __wrap_pp_pool_harvest(struct pp_pool *pool, struct pp_worker *worker)
{
    __real_pp_pool_harvest(pool, worker);
    if (stage != VICTIM_RUNS)
        return;
    stage = VICTIM_MAY_END;
    if (pp_task_place(behind) == PP_PLACE_SENT) {
        gate_release(&the_gate);
        gate_await(&the_gate);
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* What stands above is called with the lock. */
static void begin(struct pp_pool *pool, pp_task *to_cancel, pp_task *next)
{
    pp_pool_lock(pool);
    victim = to_cancel;
    behind = next;
    if (pp_task_place(victim) == PP_PLACE_SENT && pp_task_place(behind) == PP_PLACE_SENT)
        stage = VICTIM_IN_TRAY;
    pp_pool_unlock(pool);
}

static enum stage end(struct pp_pool *pool)
{
    pp_pool_lock(pool);
    enum stage reached = stage;
    stage = NOT_YET;
    pp_pool_unlock(pool);
    return reached;
}

/* Three tasks in one tray; in the moment of the cancel the first has ended and the victim runs.  False: the
 * machine was too slow, and what waited was taken back. */
static bool cancel_in_a_full_tray(pp_pool *pool)
{
    for (int i = 0; i < SHORT_TASKS; i++) /* what follows goes into the tray */
        assert_works(pool);
    pp_task *first = queue_function(pool, gate_task, NULL);
    pp_task *second = queue_function(pool, gate_task, NULL);
    pp_task *third = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    begin(pool, second, third);
    assert_int_equal(pp_task_cancel(second), 0);
    bool staged = end(pool) == VICTIM_MAY_END;
    if (!staged)
        gate_release(&the_gate); /* the first */
    assert_ends(first, PP_DONE);
    assert_ends(second, PP_CANCELLED);
    gate_await(&the_gate);
    gate_release(&the_gate);
    assert_ends(third, PP_DONE);
    pp_task_unref(first);
    pp_task_unref(second);
    pp_task_unref(third);
    return staged;
}

static void a_cancelled_task_takes_none_with_it_that_comes_behind_it(void **state)
{
    bool staged = false;
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < TRIES && !staged; i++)
        staged = cancel_in_a_full_tray(pool);
    assert_true(staged);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_task_takes_none_with_it_that_comes_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
