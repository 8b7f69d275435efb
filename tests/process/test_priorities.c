/*
 * test_priorities.c - higher priorities first, first in first out among equals; an urgent task passes
 * those that a worker has in its tray already; a task that is tried again goes to the back.
 */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

enum { MOST = 4096 };

/* In which order tasks began, written by the workers. */
struct journal {
    atomic_uint count;
    int         names[MOST];
};
static struct journal *journal;

static int map_journal(void **state)
{
    (void)state;
    journal =
        mmap(NULL, sizeof *journal, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return journal == MAP_FAILED ? -1 : 0;
}

static int unmap_journal(void **state)
{
    (void)state;
    return munmap(journal, sizeof *journal);
}

static int note_name(pp_call *call)
{
    int name = 0;
    int error = pp_call_args(call, "i", &name);
    if (error == 0)
        journal->names[atomic_fetch_add(&journal->count, 1) % MOST] = name;
    return error;
}

static int note_and_fail_at_first(pp_call *call)
{
    int error = note_name(call);
    return error < 0 || pp_call_attempt(call) > 1 ? error : -EIO;
}

/* A short task, but not so short that the worker waits for the host. */
static int note_and_spin(pp_call *call)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec < 20000);
    return note_name(call);
}

static void queue_named(pp_pool *pool, pp_function *function, int name,
                        const pp_task_options *options)
{
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(function), options, "i", name),
                     0);
}

static void queue_urgent(pp_pool *pool, int name, int priority)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.priority = priority;
    queue_named(pool, note_name, name, &options);
}

/* One worker, which waits in a gate task, and plenty of places. */
static pp_pool *blocked_pool(void)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_queued_requests = MOST;
    atomic_store(&journal->count, 0);
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    pp_task_unref(queue_function(pool, gate_task, NULL));
    gate_await(&the_gate);
    return pool;
}

/* Let go: the tasks behind begin in this order. */
static void assert_order(pp_pool *pool, const int *names, unsigned count)
{
    gate_release(&the_gate);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(atomic_load(&journal->count), count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(journal->names[i], names[i]);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void tasks_of_the_same_priority_begin_in_the_order_they_were_queued_in(void **state)
{
    (void)state;
    int      names[200];
    pp_pool *pool = blocked_pool();
    for (int i = 0; i < 200; i++) {
        names[i] = i;
        queue_named(pool, note_name, i, NULL);
    }
    assert_order(pool, names, 200);
}

static void a_higher_priority_begins_first(void **state)
{
    (void)state;
    const int expected[] = {9, 3, 7, 5, 0, 4, 2, 8, 1, 6};
    pp_pool  *pool = blocked_pool();
    queue_urgent(pool, 0, 0);
    queue_urgent(pool, 1, -5);
    queue_urgent(pool, 2, -1);
    queue_urgent(pool, 3, 7);
    queue_urgent(pool, 4, 0);
    queue_urgent(pool, 5, 2);
    queue_urgent(pool, 6, INT_MIN);
    queue_urgent(pool, 7, 7);
    queue_urgent(pool, 8, -1);
    queue_urgent(pool, 9, INT_MAX);
    assert_order(pool, expected, 10);
}

/* Many levels, queued in a mixed order, some of them left and entered again. */
static void any_mixture_begins_by_priority_and_then_by_order(void **state)
{
    (void)state;
    enum { COUNT = 300, LEVELS = 37 };
    int      names[COUNT];
    unsigned count = 0;
    pp_pool *pool = blocked_pool();
    for (int i = 0; i < COUNT; i++)
        queue_urgent(pool, i, (i * 23) % LEVELS);
    for (int level = LEVELS - 1; level >= 0; level--)
        for (int i = 0; i < COUNT; i++)
            if ((i * 23) % LEVELS == level)
                names[count++] = i;
    assert_order(pool, names, count);
}

/* ------------------------------------------------------------ in the tray already */

static void keep_tray_full(pp_pool *pool, int tasks)
{
    atomic_store(&journal->count, 0);
    for (int i = 0; i < tasks; i++)
        queue_named(pool, note_and_spin, i, NULL);
}

static bool has_begun(void *data)
{
    return atomic_load(&journal->count) >= *(unsigned *)data;
}

/* While a worker goes through short tasks an urgent one is queued: those that had begun when it was
 * accepted, and the one that was just being begun, are all that may come before it. */
static void an_urgent_task_passes_those_that_a_worker_has_in_its_tray(void **state)
{
    (void)state;
    enum { ROUNDS = 20, STREAM = 400, URGENT = -1 };
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_queued_requests = STREAM;
    pp_pool *pool = pool_with(&options);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned few = 20;
        unsigned place = 0;
        int      expected = 0;
        keep_tray_full(pool, STREAM - 1);
        assert_true(eventually(has_begun, &few));
        queue_urgent(pool, URGENT, 1);
        unsigned begun = atomic_load(&journal->count);
        assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), STREAM);
        for (unsigned i = 0; i < STREAM; i++) {
            if (journal->names[i] == URGENT)
                place = i;
            else /* and those that were passed keep their order */
                assert_int_equal(journal->names[i], expected++);
        }
        assert_true(place <= begun + 1);
    }
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------------ retries */

static void a_task_that_is_tried_again_goes_to_the_back(void **state)
{
    (void)state;
    const int       expected[] = {0, 1, 2, 3, 0, 2};
    pp_task_options again = PP_TASK_OPTIONS_INIT;
    pp_pool        *pool = blocked_pool();
    again.max_retries = 1;
    queue_named(pool, note_and_fail_at_first, 0, &again);
    queue_named(pool, note_name, 1, NULL);
    queue_named(pool, note_and_fail_at_first, 2, &again);
    queue_named(pool, note_name, 3, NULL);
    assert_order(pool, expected, 6);
}

static void a_task_that_is_tried_again_keeps_its_priority(void **state)
{
    (void)state;
    const int       expected[] = {1, 3, 1, 0, 2};
    pp_task_options again = PP_TASK_OPTIONS_INIT;
    pp_pool        *pool = blocked_pool();
    again.max_retries = 1;
    again.priority = 1;
    queue_named(pool, note_name, 0, NULL);
    queue_named(pool, note_and_fail_at_first, 1, &again);
    queue_named(pool, note_name, 2, NULL);
    queue_urgent(pool, 3, 1);
    assert_order(pool, expected, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_the_same_priority_begin_in_the_order_they_were_queued_in),
        cmocka_unit_test(a_higher_priority_begins_first),
        cmocka_unit_test(any_mixture_begins_by_priority_and_then_by_order),
        cmocka_unit_test(an_urgent_task_passes_those_that_a_worker_has_in_its_tray),
        cmocka_unit_test(a_task_that_is_tried_again_goes_to_the_back),
        cmocka_unit_test(a_task_that_is_tried_again_keeps_its_priority),
    };
    return cmocka_run_group_tests_name("priorities", tests, map_journal, unmap_journal);
}
