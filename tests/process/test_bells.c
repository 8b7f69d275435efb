/*
 * test_bells.c - a worker that ends its task while its bell is armed is heard, although nobody looks at
 * the pool: what pends goes to it.
 *
 * Tasks of two priorities are given one by one, so that the second pends until the first has ended; and no
 * timer watches a tray with one task in it.
 */
#include "support.h"

#include <poll.h>
#include <unistd.h>

static int told[2];

static void wait_a_moment(int us)
{
    for (double end = now() + us * 1e-6; now() < end;)
        ;
}

static int spin(pp_call *call)
{
    int us = 0;
    int error = pp_call_args(call, "i", &us);
    if (error == 0)
        wait_a_moment(us);
    return error;
}

static int tell(pp_call *call)
{
    (void)call;
    return write(told[1], "", 1) == 1 ? 0 : -1;
}

static pp_task *queue(pp_pool *pool, pp_function *function, int priority, int us)
{
    pp_task        *task = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.priority = priority;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(function), &options, "i", us), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

/* By the task itself: a question to the pool would be a look at it. */
static void await_the_telling_of_a_task(void)
{
    char          byte = 0;
    struct pollfd entry = {.fd = told[0], .events = POLLIN};
    assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    assert_int_equal(read(told[0], &byte, 1), 1);
}

/* The first ends before, while and after its bell is armed for the next, which pends, by turns.  That others
 * are looked at, too, before that bell is armed, makes the while longer. */
static void a_task_that_ends_while_its_bell_is_armed_makes_room_for_the_next(void **state)
{
    enum { TIMES = 4000, RUN_US = 10, SPREAD_US = 100, OTHERS = 63 };
    pp_task *others[OTHERS];
    (void)state;
    assert_int_equal(pipe(told), 0);
    gate_open(&the_gate);
    pp_pool *pool = pool_of(OTHERS + 1, OTHERS + 1);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
    }
    for (int i = 0; i < TIMES; i++) {
        pp_task *first = queue(pool, spin, 0, RUN_US + i / SPREAD_US % SPREAD_US);
        wait_a_moment(i % SPREAD_US);
        pp_task *next = queue(pool, tell, 1, 0);
        await_the_telling_of_a_task();
        pp_task_unref(first);
        pp_task_unref(next);
    }
    for (int i = 0; i < OTHERS; i++)
        gate_release(&the_gate);
    for (int i = 0; i < OTHERS; i++) {
        assert_ends(others[i], PP_DONE);
        pp_task_unref(others[i]);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
    close(told[0]);
    close(told[1]);
}

static void run_short_ones(pp_pool *pool)
{
    enum { SHORT = 2000 };
    for (int i = 0; i < SHORT; i++)
        assert_int_equal(
            pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(return_null), NULL, "", 0), 0);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
}

static pp_task *queue_large(pp_pool *pool)
{
    enum { LARGE = 40 * 1024 };
    static const unsigned char large[LARGE];
    pp_task                   *task = NULL;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(gate_task), NULL, NULL), 0);
    assert_int_equal(pp_task_set_bytes(task, large, LARGE), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

/* Short tasks before make the pool prefer the worker that is awake.  Its arena has no room for the second
 * argument while the first task holds it, and no timer watches a tray with one task in it. */
static void what_a_full_arena_keeps_out_goes_to_an_idle_worker(void **state)
{
    enum { TIMES = 30 };
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 2);
    for (int i = 0; i < TIMES; i++) {
        run_short_ones(pool);
        pp_task *tasks[] = {queue_large(pool), queue_large(pool)};
        gate_await(&the_gate);
        gate_await(&the_gate); /* and neither was let go: there are two workers at it */
        for (int j = 0; j < 2; j++)
            gate_release(&the_gate);
        for (int j = 0; j < 2; j++) {
            assert_ends(tasks[j], PP_DONE);
            pp_task_unref(tasks[j]);
        }
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_ends_while_its_bell_is_armed_makes_room_for_the_next),
        cmocka_unit_test(what_a_full_arena_keeps_out_goes_to_an_idle_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
