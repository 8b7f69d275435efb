/*
 * test_options.c - the constructors: what the options of pools and tasks mean, what their defaults
 * are, which ones are refused, and that a struct of another size is understood.
 */
#include "submitter.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------- of a pool */

static void assert_refused(const pp_pool_options *options, int error)
{
    pp_pool *const before = (pp_pool *)(void *)&the_gate;
    pp_pool       *pool = before;
    assert_int_equal(pp_pool_create(&pool, options), error);
    assert_ptr_equal(pool, before);
}

/* Queue gate tasks until no more are taken: how many were. */
static unsigned fill(pp_pool *pool)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    unsigned        taken = 0;
    int             error = 0;
    options.blocking = false;
    while ((error = pp_pool_create_and_queue_task(pool, PP_FUNCTION(gate_task), &options, NULL)) ==
           0)
        taken++;
    assert_int_equal(error, -EAGAIN);
    return taken;
}

static void leave_all(pp_pool *pool, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gate_release(&the_gate);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
}

/* Occupy every worker of a pool of that size, and count the places in its queue. */
static void assert_queue_holds(pp_pool *pool, unsigned workers, unsigned places)
{
    for (unsigned i = 0; i < workers; i++) {
        pp_task_unref(queue_function(pool, gate_task, NULL));
        gate_await(&the_gate);
    }
    assert_int_equal(fill(pool), places);
    assert_true(pp_pool_is_full(pool));
    leave_all(pool, workers + places);
}

static void without_options_a_pool_has_two_workers_and_ten_places(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(NULL);
    assert_int_equal(pp_pool_min_size(pool), 2);
    assert_int_equal(pp_pool_max_size(pool), 2);
    assert_int_equal(pp_pool_num_idle_processes(pool), 2);
    assert_queue_holds(pool, 2, 10);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void the_init_macro_gives_the_same_as_no_options(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    assert_int_equal(pp_pool_min_size(pool), 2);
    assert_int_equal(pp_pool_max_size(pool), 2);
    assert_queue_holds(pool, 2, 10);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void min_size_workers_are_alive_when_the_constructor_returns(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(3, 5);
    assert_int_equal(pp_pool_num_idle_processes(pool), 3);
    assert_int_equal(pp_pool_min_size(pool), 3);
    assert_int_equal(pp_pool_max_size(pool), 5);
    pp_pool_destroy(pool);
}

static void a_max_size_of_zero_is_min_size(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(3, 0);
    assert_int_equal(pp_pool_max_size(pool), 3);
    assert_int_equal(pp_pool_free_slots(pool), 3);
    pp_pool_destroy(pool);
}

static void a_max_size_below_min_size_is_min_size(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(3, 2);
    assert_int_equal(pp_pool_min_size(pool), 3);
    assert_int_equal(pp_pool_max_size(pool), 3);
    pp_pool_destroy(pool);
}

static void max_queued_requests_tasks_may_wait(void **state)
{
    (void)state;
    for (unsigned places = 1; places <= 4; places += 3) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        options.min_size = 1;
        options.max_queued_requests = places;
        gate_open(&the_gate);
        pp_pool *pool = pool_with(&options);
        assert_queue_holds(pool, 1, places);
        pp_pool_destroy(pool);
        gate_close(&the_gate);
    }
}

struct tally {
    unsigned results;
    unsigned exceptions;
};

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task, (void)result;
    ((struct tally *)userdata)->results++;
}

static void count_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task, (void)error;
    ((struct tally *)userdata)->exceptions++;
}

static int raise_something(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Something", "something");
}

static void pool_callbacks_run_with_the_pools_userdata_for_tasks_that_want_them(void **state)
{
    (void)state;
    struct tally    tally = {0};
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_task_options wants = PP_TASK_OPTIONS_INIT;
    wants.use_pool_callbacks = true;
    options.callback = count_result;
    options.exception_callback = count_exception;
    options.userdata = &tally;
    pp_pool *pool = pool_with(&options);
    pp_task_unref(queue_function(pool, return_null, &wants));
    pp_task_unref(queue_function(pool, return_null, &wants));
    pp_task_unref(queue_function(pool, raise_something, &wants));
    pp_task_unref(queue_function(pool, return_null, NULL));
    pp_task_unref(queue_function(pool, raise_something, NULL));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 5);
    assert_int_equal(tally.results, 2);
    assert_int_equal(tally.exceptions, 1);
    pp_pool_destroy(pool);
}

static void bad_sizes_of_a_pool_are_refused(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 0;
    assert_refused(&options, -EINVAL);
    options.max_size = 4;
    assert_refused(&options, -EINVAL);
    options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
    options.min_size = UINT_MAX;
    assert_refused(&options, -EINVAL);
    options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
    options.max_size = UINT_MAX;
    assert_refused(&options, -EINVAL);
    options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
    options.max_queued_requests = 0;
    assert_refused(&options, -EINVAL);
}

static void bad_times_of_a_pool_are_refused(void **state)
{
    (void)state;
    const double bad[] = {NAN, -2.0, -0.001, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        options.idle_interval = bad[i];
        assert_refused(&options, -EINVAL);
        options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
        options.max_worker_age = bad[i];
        assert_refused(&options, -EINVAL);
        options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
        options.orphan_grace = bad[i];
        assert_refused(&options, -EINVAL);
    }
}

static void an_unknown_start_method_and_flags_are_refused(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.start_method = (pp_start_method)17;
    assert_refused(&options, -EINVAL);
    options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
    options.flags = 1;
    assert_refused(&options, -EINVAL);
}

static void options_without_a_size_are_refused(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.size = 0;
    assert_refused(&options, -EINVAL);
    options.size = sizeof(size_t) - 1;
    assert_refused(&options, -EINVAL);
    options.size = SIZE_MAX;
    assert_refused(&options, -EINVAL);
    assert_int_equal(pp_pool_create(NULL, NULL), -EINVAL);
}

/* A copy of the first bytes, in memory that ends there. */
static void *cut(const void *options, size_t size)
{
    void *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, options, size);
    memcpy(copy, &size, sizeof size);
    return copy;
}

static void a_shorter_struct_of_pool_options_gets_defaults_for_the_rest(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_size = 3;
    options.max_queued_requests = 0; /* not seen, or it would be refused */
    void *shorter = cut(&options, offsetof(pp_pool_options, max_size));
    gate_open(&the_gate);
    pp_pool *pool = pool_with(shorter);
    assert_int_equal(pp_pool_min_size(pool), 1);
    assert_int_equal(pp_pool_max_size(pool), 1);
    assert_queue_holds(pool, 1, 10);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
    free(shorter);
    shorter = cut(&options, sizeof(size_t));
    pool = pool_with(shorter);
    assert_int_equal(pp_pool_min_size(pool), 2);
    pp_pool_destroy(pool);
    free(shorter);
}

static void a_longer_struct_of_pool_options_may_have_zeros_only(void **state)
{
    (void)state;
    struct {
        pp_pool_options known;
        unsigned char   unknown[24];
    } options = {.known = PP_POOL_OPTIONS_INIT};
    options.known.size = offsetof(__typeof__(options), unknown) + sizeof options.unknown;
    options.known.min_size = 1;
    pp_pool *pool = pool_with(&options.known);
    assert_int_equal(pp_pool_min_size(pool), 1);
    pp_pool_destroy(pool);
    options.unknown[23] = 1;
    assert_refused(&options.known, -E2BIG);
    options.unknown[23] = 0;
    options.unknown[0] = 1;
    assert_refused(&options.known, -E2BIG);
}

/* ------------------------------------------------------------------- of a task */

static void assert_task_refused(const pp_task_options *options, int error)
{
    pp_task *const before = (pp_task *)(void *)&the_gate;
    pp_task       *task = before;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), options, NULL), error);
    assert_ptr_equal(task, before);
}

static void bad_times_of_a_task_are_refused(void **state)
{
    (void)state;
    const double bad[] = {NAN, -1.0, -0.001, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pp_task_options options = PP_TASK_OPTIONS_INIT;
        options.timeout = bad[i];
        assert_task_refused(&options, -EINVAL);
        options = (pp_task_options)PP_TASK_OPTIONS_INIT;
        options.soft_timeout = bad[i];
        assert_task_refused(&options, -EINVAL);
        options = (pp_task_options)PP_TASK_OPTIONS_INIT;
        options.retry_delay = bad[i];
        assert_task_refused(&options, -EINVAL);
    }
}

static void task_options_without_a_size_are_refused(void **state)
{
    (void)state;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.size = 0;
    assert_task_refused(&options, -EINVAL);
    options.size = sizeof(size_t) - 1;
    assert_task_refused(&options, -EINVAL);
    options.size = SIZE_MAX;
    assert_task_refused(&options, -EINVAL);
    assert_int_equal(pp_task_create(NULL, PP_FUNCTION(return_null), NULL, NULL), -EINVAL);
}

static void a_shorter_struct_of_task_options_gets_defaults_for_the_rest(void **state)
{
    (void)state;
    struct submitter submitter;
    pp_task         *task = NULL;
    pp_pool_options  pool_options = PP_POOL_OPTIONS_INIT;
    pp_task_options  options = PP_TASK_OPTIONS_INIT;
    options.task_id = 4711;
    options.blocking = false; /* not seen: the default is to wait for a place */
    options.timeout = 17;
    pool_options.min_size = pool_options.max_queued_requests = 1;
    void *shorter = cut(&options, offsetof(pp_task_options, callback));
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&pool_options);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), shorter, NULL), 0);
    assert_int_equal(pp_task_id(task), 4711);
    assert_true(pp_task_timeout(task) == 0);
    pp_task_unref(queue_function(pool, gate_task, NULL));
    gate_await(&the_gate);
    assert_int_equal(fill(pool), 1);
    submitter_block(&submitter, pool, task, -1);
    leave_all(pool, 2);
    assert_int_equal(submitter_join(&submitter), 0);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
    free(shorter);
}

static void a_longer_struct_of_task_options_may_have_zeros_only(void **state)
{
    (void)state;
    struct {
        pp_task_options known;
        unsigned char   unknown[24];
    } options = {.known = PP_TASK_OPTIONS_INIT};
    pp_task *task = NULL;
    options.known.size = offsetof(__typeof__(options), unknown) + sizeof options.unknown;
    options.known.timeout = 17;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), &options.known, NULL), 0);
    assert_true(pp_task_timeout(task) == 17);
    pp_task_unref(task);
    options.unknown[23] = 1;
    assert_task_refused(&options.known, -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_a_pool_has_two_workers_and_ten_places),
        cmocka_unit_test(the_init_macro_gives_the_same_as_no_options),
        cmocka_unit_test(min_size_workers_are_alive_when_the_constructor_returns),
        cmocka_unit_test(a_max_size_of_zero_is_min_size),
        cmocka_unit_test(a_max_size_below_min_size_is_min_size),
        cmocka_unit_test(max_queued_requests_tasks_may_wait),
        cmocka_unit_test(pool_callbacks_run_with_the_pools_userdata_for_tasks_that_want_them),
        cmocka_unit_test(bad_sizes_of_a_pool_are_refused),
        cmocka_unit_test(bad_times_of_a_pool_are_refused),
        cmocka_unit_test(an_unknown_start_method_and_flags_are_refused),
        cmocka_unit_test(options_without_a_size_are_refused),
        cmocka_unit_test(a_shorter_struct_of_pool_options_gets_defaults_for_the_rest),
        cmocka_unit_test(a_longer_struct_of_pool_options_may_have_zeros_only),
        cmocka_unit_test(bad_times_of_a_task_are_refused),
        cmocka_unit_test(task_options_without_a_size_are_refused),
        cmocka_unit_test(a_shorter_struct_of_task_options_gets_defaults_for_the_rest),
        cmocka_unit_test(a_longer_struct_of_task_options_may_have_zeros_only),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
