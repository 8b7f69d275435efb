/*
 * test_sizing.c - how many workers there are: at least min_size and never more than max_size; the
 * pool grows while tasks wait and no worker is idle, and follows a resize.  How it shrinks is in
 * test_retirement.c.
 */
#include "processes.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

static uint64_t workers_started(const pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats.workers_started;
}

/* Queue tasks that wait in the gate; `begin` of them must begin. */
static void queue_gate_tasks(pp_pool *pool, pp_task **tasks, unsigned count, unsigned begin)
{
    for (unsigned i = 0; i < count; i++)
        tasks[i] = queue_function(pool, gate_task, NULL);
    for (unsigned i = 0; i < begin; i++)
        gate_await(&the_gate);
}

static void release_tasks(pp_task **tasks, unsigned count, bool first_let_go)
{
    for (unsigned i = 0; first_let_go && i < count; i++)
        gate_release(&the_gate);
    for (unsigned i = 0; i < count; i++) {
        assert_ends(tasks[i], PP_DONE);
        pp_task_unref(tasks[i]);
    }
}

/* ------------------------------------------------------------------------- growth */

static void the_pool_grows_while_tasks_wait_and_no_worker_is_idle(void **state)
{
    (void)state;
    pp_task *tasks[4];
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 4);
    pid_t    server = server_of(pool);
    assert_int_equal(living_children(server), 1);
    for (unsigned i = 0; i < 4; i++) {
        queue_gate_tasks(pool, &tasks[i], 1, 1);
        assert_int_equal(living_children(server), i + 1);
    }
    assert_int_equal(pp_pool_num_working_processes(pool), 4);
    assert_int_equal(workers_started(pool), 4);
    release_tasks(tasks, 4, true);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void many_waiting_tasks_bring_as_many_workers_at_once(void **state)
{
    (void)state;
    pp_task *tasks[5];
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 5);
    queue_gate_tasks(pool, tasks, 5, 5); /* all five are running together */
    assert_int_equal(pp_pool_num_working_processes(pool), 5);
    release_tasks(tasks, 5, true);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void the_pool_does_not_grow_while_a_worker_is_idle(void **state)
{
    (void)state;
    pp_task *task = NULL;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 6);
    queue_gate_tasks(pool, &task, 1, 1); /* the other worker does all this alone */
    for (int i = 0; i < 50; i++) {
        pp_task *other = queue_function(pool, return_null, NULL);
        assert_ends(other, PP_DONE);
        pp_task_unref(other);
    }
    assert_int_equal(workers_started(pool), 2);
    release_tasks(&task, 1, true);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Nobody has asked for its result: the pool looks before it makes another. */
static void the_pool_does_not_grow_when_its_only_worker_is_done(void **state)
{
    (void)state;
    pp_task *task = NULL;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 2);
    queue_gate_tasks(pool, &task, 1, 1);
    pid_t pid = pp_task_worker_pid(task);
    gate_release(&the_gate);
    assert_true(eventually(process_sleeps, &pid)); /* woken by the gate, and done since */
    pp_task *next = queue_function(pool, return_null, NULL);
    assert_ends(next, PP_DONE);
    assert_int_equal(pp_task_worker_pid(next), pid);
    assert_int_equal(workers_started(pool), 1);
    assert_int_equal(pp_pool_num_idle_processes(pool), 1);
    pp_task_unref(task);
    pp_task_unref(next);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void there_are_never_more_than_max_size_workers(void **state)
{
    (void)state;
    pp_task *tasks[8];
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 3);
    pid_t    server = server_of(pool);
    queue_gate_tasks(pool, tasks, 8, 3);
    assert_int_equal(living_children(server), 3);
    assert_int_equal(pp_pool_num_working_processes(pool), 3);
    assert_true(pp_pool_has_pending_tasks(pool));
    release_tasks(tasks, 8, true);
    assert_int_equal(workers_started(pool), 3);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Workers die by their own hand and by ours, and are replaced, while more is queued. */
static void there_are_never_more_than_max_size_workers_while_they_are_killed(void **state)
{
    (void)state;
    enum { MAX = 3, ROUNDS = 60 };
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_pool        *pool = pool_of(2, MAX);
    pid_t           server = server_of(pool);
    unsigned        most = 0;
    options.blocking = false;
    for (int i = 0; i < ROUNDS; i++) {
        pp_function *function = i % 3 == 0 ? crash_by_segv : return_null;
        int error = pp_pool_create_and_queue_task(pool, PP_FUNCTION(function), &options, NULL);
        assert_true(error == 0 || error == -EAGAIN);
        if (i % 10 == 9) {
            pp_task *victim = queue_function(pool, sleep_for_ever, NULL);
            while (pp_task_state(victim) != PP_RUNNING)
                assert_true(living_children(server) <= MAX);
            assert_int_equal(kill(pp_task_worker_pid(victim), SIGKILL), 0);
            pp_task_unref(victim);
        }
        unsigned count = living_children(server);
        most = count > most ? count : most;
    }
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_true(most <= MAX);
    await_children(server, 2);
    pp_pool_destroy(pool);
}

/* -------------------------------------------------------------------------- floor */

static void at_least_min_size_workers_are_alive_all_the_time(void **state)
{
    (void)state;
    pp_task *tasks[5];
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 5); /* strict limits: it shrinks as soon as it can */
    pid_t    server = server_of(pool);
    for (int round = 0; round < 6; round++) {
        struct head_count two = {server, 2};
        queue_gate_tasks(pool, tasks, 5, 5);
        assert_int_equal(living_children(server), 5);
        for (unsigned i = 0; i < 5; i++) {
            gate_release(&the_gate);
            assert_true(living_children(server) >= 2);
        }
        while (!has_children(&two))
            assert_true(living_children(server) >= 2);
        release_tasks(tasks, 5, false);
        assert_int_equal(living_children(server), 2);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

struct started {
    const pp_pool *pool;
    uint64_t       count;
};

static bool has_started(void *data)
{
    const struct started *wanted = data;
    return workers_started(wanted->pool) == wanted->count;
}

static void a_worker_that_is_killed_while_idle_is_replaced(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    pid_t    server = server_of(pool);
    for (unsigned i = 0; i < 3; i++) {
        struct started more = {pool, 3 + i};
        pp_task       *task = queue_function(pool, return_null, NULL);
        assert_ends(task, PP_DONE);
        pid_t pid = pp_task_worker_pid(task);
        pp_task_unref(task);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_true(pid_gone(pid));
        assert_true(eventually(has_started, &more));
        assert_int_equal(living_children(server), 2);
        assert_int_equal(living_child(pid, server), 0);
    }
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.workers_died, 3);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------------- resize */

static bool has_three_idle(void *pool)
{
    return pp_pool_num_idle_processes(pool) == 3;
}

static void a_larger_min_size_brings_workers(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 4);
    assert_int_equal(pp_pool_resize(pool, 3, 5), 0);
    assert_int_equal(pp_pool_min_size(pool), 3);
    assert_int_equal(pp_pool_max_size(pool), 5);
    assert_true(eventually(has_three_idle, pool));
    assert_int_equal(living_children(server_of(pool)), 3);
    pp_pool_destroy(pool);
}

static void a_larger_max_size_lets_waiting_tasks_begin(void **state)
{
    (void)state;
    pp_task *tasks[3];
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    queue_gate_tasks(pool, tasks, 3, 1);
    assert_true(pp_pool_has_pending_tasks(pool));
    assert_int_equal(pp_pool_resize(pool, 1, 3), 0);
    gate_await(&the_gate);
    gate_await(&the_gate);
    assert_false(pp_pool_has_pending_tasks(pool));
    release_tasks(tasks, 3, true);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_resize_takes_a_max_size_below_min_size_for_min_size(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    assert_int_equal(pp_pool_resize(pool, 2, 0), 0);
    assert_int_equal(pp_pool_min_size(pool), 2);
    assert_int_equal(pp_pool_max_size(pool), 2);
    assert_int_equal(pp_pool_resize(pool, 0, 4), -EINVAL);
    assert_int_equal(pp_pool_resize(pool, 1, UINT_MAX), -EINVAL);
    assert_int_equal(pp_pool_resize(NULL, 1, 1), -EINVAL);
    assert_int_equal(pp_pool_min_size(pool), 2);
    assert_int_equal(pp_pool_max_size(pool), 2);
    pp_pool_destroy(pool);
}

/* --------------------------------------------------------------- pp_call_worker */

static int gate_and_return_slot(pp_call *call)
{
    gate_pass(&the_gate);
    return pp_call_return(call, "u", pp_call_worker(call));
}

/* `count` tasks are running at once: their slots are below `limit`, and no two are the same. */
static void assert_slots_differ(pp_pool *pool, unsigned count, unsigned limit)
{
    pp_task *tasks[8];
    unsigned seen = 0;
    for (unsigned i = 0; i < count; i++)
        tasks[i] = queue_function(pool, gate_and_return_slot, NULL);
    for (unsigned i = 0; i < count; i++)
        gate_await(&the_gate);
    for (unsigned i = 0; i < count; i++)
        gate_release(&the_gate);
    for (unsigned i = 0; i < count; i++) {
        unsigned slot = UINT_MAX;
        assert_ends(tasks[i], PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(tasks[i]), "u", &slot), 0);
        assert_true(slot < limit);
        assert_int_equal(seen & 1U << slot, 0);
        seen |= 1U << slot;
        pp_task_unref(tasks[i]);
    }
}

static void running_tasks_have_different_slots_below_max_size(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 5);
    for (int round = 0; round < 4; round++) {
        assert_slots_differ(pool, 5, 5);
        pp_task *crash = queue_function(pool, crash_by_segv, NULL);
        assert_ends(crash, PP_WORKER_LOST);
        pp_task_unref(crash);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* One pipe for each slot: let go the task that runs there. */
static int slot_pipes[4][2];

static int wait_at_slot(pp_call *call)
{
    char byte = 0;
    if (write(the_gate.begun[1], &byte, 1) != 1)
        return -EIO;
    return read(slot_pipes[pp_call_worker(call)][0], &byte, 1) == 1 ? 0 : -EIO;
}

static void let_slot_go(unsigned slot)
{
    char byte = 0;
    assert_int_equal(write(slot_pipes[slot][1], &byte, 1), 1);
}

struct idle_workers {
    const pp_pool *pool;
    unsigned       count;
};

static bool has_idle(void *data)
{
    const struct idle_workers *wanted = data;
    return pp_pool_num_idle_processes(wanted->pool) == wanted->count;
}

/* Have each slot take a task, and let those of `idle` go; then that size. */
static void resize_while_busy(unsigned idle, unsigned size)
{
    pp_task            *tasks[4];
    pp_pool            *pool = pool_of(4, 4);
    struct idle_workers wanted = {pool, 0};
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 4; i++)
            tasks[i] = queue_function(pool, wait_at_slot, NULL);
        for (unsigned i = 0; i < 4; i++)
            gate_await(&the_gate);
        wanted.count = 0;
        for (unsigned i = 4; i-- > 0;) { /* so that the lowest begins first in the next round */
            if (round == 1 && (idle & 1U << i) == 0)
                continue;
            let_slot_go(i);
            wanted.count++;
            assert_true(eventually(has_idle, &wanted));
        }
        if (round == 0)
            release_tasks(tasks, 4, false);
    }
    assert_int_equal(pp_pool_resize(pool, size, size), 0);
    for (unsigned i = 0; i < 4; i++)
        if ((idle & 1U << i) == 0)
            let_slot_go(i);
    release_tasks(tasks, 4, false);
    for (int round = 0; round < 2; round++)
        assert_slots_differ(pool, size, size);
    pp_pool_destroy(pool);
}

/* Whichever slots were idle at that time. */
static void slots_are_below_the_new_max_size_after_a_resize(void **state)
{
    (void)state;
    gate_open(&the_gate);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pipe(slot_pipes[i]), 0);
    for (unsigned idle = 0; idle < 1U << 4; idle++)
        resize_while_busy(idle, 1 + idle % 3);
    for (unsigned i = 0; i < 8; i++)
        close(slot_pipes[i / 2][i % 2]);
    gate_close(&the_gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pool_grows_while_tasks_wait_and_no_worker_is_idle),
        cmocka_unit_test(many_waiting_tasks_bring_as_many_workers_at_once),
        cmocka_unit_test(the_pool_does_not_grow_while_a_worker_is_idle),
        cmocka_unit_test(the_pool_does_not_grow_when_its_only_worker_is_done),
        cmocka_unit_test(there_are_never_more_than_max_size_workers),
        cmocka_unit_test(there_are_never_more_than_max_size_workers_while_they_are_killed),
        cmocka_unit_test(at_least_min_size_workers_are_alive_all_the_time),
        cmocka_unit_test(a_worker_that_is_killed_while_idle_is_replaced),
        cmocka_unit_test(a_larger_min_size_brings_workers),
        cmocka_unit_test(a_larger_max_size_lets_waiting_tasks_begin),
        cmocka_unit_test(a_resize_takes_a_max_size_below_min_size_for_min_size),
        cmocka_unit_test(running_tasks_have_different_slots_below_max_size),
        cmocka_unit_test(slots_are_below_the_new_max_size_after_a_resize),
    };
    return cmocka_run_group_tests_name("sizing", tests, NULL, NULL);
}
