/*
 * test_refusals.c - NULL and out-of-range arguments to every function of the header are refused, and
 * nothing crashes.
 */
#include "support.h"

#include <errno.h>
#include <math.h>

/* ------------------------------------------------------------------ null arguments */

static void functions_of_a_pool_refuse_null(void **state)
{
    pp_pool_stats stats = {.size = sizeof stats};
    pp_task      *task = NULL;
    (void)state;
    assert_int_equal(pp_pool_create(NULL, NULL), -EINVAL);
    assert_int_equal(pp_pool_queue_task(NULL, NULL), -EINVAL);
    assert_int_equal(pp_pool_queue_task(the_pool, NULL), -EINVAL);
    assert_int_equal(pp_pool_queue_task_timed(NULL, NULL, 1), -EINVAL);
    assert_int_equal(pp_pool_queue_task_timed(the_pool, NULL, 1), -EINVAL);
    assert_int_equal(pp_pool_create_and_queue_task(NULL, PP_FUNCTION(return_null), NULL, NULL),
                     -EINVAL);
    assert_int_equal(pp_pool_create_and_queue_bytes(NULL, PP_FUNCTION(return_null), NULL, "x", 1),
                     -EINVAL);
    assert_int_equal(
        pp_pool_create_and_queue_bytes(the_pool, PP_FUNCTION(return_null), NULL, NULL, 1), -EINVAL);
    assert_int_equal(pp_pool_process_results(NULL), -EINVAL);
    assert_int_equal(pp_pool_process_all_results(NULL, 0), -EINVAL);
    assert_int_equal(pp_pool_daemonize(NULL), -EINVAL);
    assert_int_equal(pp_pool_fd(NULL), -EINVAL);
    assert_int_equal(pp_pool_finalize(NULL, 0), -EINVAL);
    assert_int_equal(pp_pool_stop_processing(NULL, 0), -EINVAL);
    assert_int_equal(pp_pool_start_processing(NULL), -EINVAL);
    pp_pool_destroy(NULL);
    assert_int_equal(pp_pool_resize(NULL, 1, 1), -EINVAL);
    assert_int_equal(pp_pool_set_callback(NULL, NULL), -EINVAL);
    assert_int_equal(pp_pool_set_exception_callback(NULL, NULL), -EINVAL);
    assert_int_equal(pp_pool_min_size(NULL), 0);
    assert_int_equal(pp_pool_max_size(NULL), 0);
    assert_int_equal(pp_pool_num_working_processes(NULL), 0);
    assert_int_equal(pp_pool_num_idle_processes(NULL), 0);
    assert_int_equal(pp_pool_free_slots(NULL), 0);
    assert_false(pp_pool_has_free_slots(NULL));
    assert_false(pp_pool_has_pending_tasks(NULL));
    assert_false(pp_pool_is_full(NULL));
    assert_false(pp_pool_is_working(NULL));
    assert_int_equal(pp_pool_get_stats(NULL, &stats), -EINVAL);
    assert_int_equal(pp_pool_get_stats(the_pool, NULL), -EINVAL);
    assert_int_equal(pp_pool_map(NULL, PP_FUNCTION(return_null), "x", 1, 1, NULL, 0, 0, NULL),
                     -EINVAL);
    assert_int_equal(pp_wait_any(NULL, 1, 0), -EINVAL);
    assert_int_equal(pp_wait_all(NULL, 1, 0), -EINVAL);
    assert_int_equal(pp_wait_any(&task, 1, 0), -EINVAL);
    assert_int_equal(pp_wait_all(&task, 1, 0), -EINVAL);
}

static void functions_of_a_task_refuse_null(void **state)
{
    double times = -1;
    (void)state;
    assert_int_equal(pp_task_create(NULL, PP_FUNCTION(return_null), NULL, NULL), -EINVAL);
    assert_int_equal(pp_task_set_bytes(NULL, "x", 1), -EINVAL);
    assert_null(pp_task_ref(NULL));
    pp_task_unref(NULL);
    assert_true(pp_task_id(NULL) == 0);
    assert_int_equal(pp_task_state(NULL), PP_NEW);
    assert_int_equal(pp_task_wait(NULL, 0), -EINVAL);
    assert_null(pp_task_result(NULL));
    assert_null(pp_task_error(NULL));
    assert_int_equal(pp_task_cancel(NULL), -EINVAL);
    assert_int_equal(pp_task_set_timeout(NULL, 1), -EINVAL);
    assert_true(pp_task_timeout(NULL) == 0);
    assert_int_equal(pp_task_attempts(NULL), 0);
    assert_int_equal(pp_task_worker_pid(NULL), 0);
    assert_int_equal(pp_task_times(NULL, &times, &times), -EINVAL);
    assert_true(times == -1);
}

static void functions_of_values_errors_buffers_and_calls_refuse_null(void **state)
{
    const void *data = NULL;
    size_t      size = 0;
    int         number = 0;
    (void)state;
    assert_int_equal(pp_value_unpack(NULL, "i", &number), -EINVAL);
    assert_int_equal(pp_value_msgpack(NULL, &data, &size), -EINVAL);
    assert_int_equal(pp_value_print(NULL, stdout), -EINVAL);
    assert_int_equal(pp_error_state(NULL), PP_NEW);
    assert_int_equal(pp_error_errno(NULL), 0);
    assert_string_equal(pp_error_name(NULL), "");
    assert_string_equal(pp_error_message(NULL), "");
    assert_string_equal(pp_error_backtrace(NULL), "");
    assert_int_equal(pp_error_wait_status(NULL), 0);
    assert_null(pp_error_value(NULL));
    assert_int_equal(pp_buffer_create(NULL, 1), -EINVAL);
    assert_null(pp_buffer_data(NULL));
    assert_int_equal(pp_buffer_size(NULL), 0);
    assert_null(pp_buffer_ref(NULL));
    pp_buffer_unref(NULL);
    assert_int_equal(pp_call_args(NULL, "i", &number), -EINVAL);
    assert_int_equal(pp_call_bytes(NULL, &data, &size), -EINVAL);
    assert_null(pp_call_captured(NULL, &size));
    assert_int_equal(pp_call_return(NULL, "i", 1), -EINVAL);
    assert_int_equal(pp_call_return_bytes(NULL, "x", 1), -EINVAL);
    assert_true(pp_call_raise(NULL, EIO, "x", "y") < 0);
    assert_false(pp_call_cancelled(NULL));
    assert_int_equal(pp_call_progress(NULL, 1, 2), -EINVAL);
    assert_true(pp_call_task_id(NULL) == 0);
    assert_int_equal(pp_call_attempt(NULL), 0);
    assert_int_equal(pp_call_worker(NULL), 0);
    assert_null(pp_call_state(NULL));
    assert_non_null(pp_version());
    assert_string_equal(pp_state_name((pp_state)PP_WORKER_LOST), "worker lost");
}

static int null_targets(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    bool        right =
        pp_call_args(call, "i", NULL) == -EINVAL && pp_call_bytes(call, NULL, &size) == -EINVAL &&
        pp_call_bytes(call, &data, NULL) == -EINVAL &&
        pp_call_return(call, "s", (char *)NULL) == -EINVAL &&
        pp_call_return(call, "v", (pp_value *)NULL) == -EINVAL &&
        pp_call_return(call, "B", (pp_buffer *)NULL) == -EINVAL &&
        pp_call_return(call, "y", NULL, (size_t)1) == -EINVAL &&
        pp_call_return_bytes(call, NULL, 1) == -EINVAL && pp_call_captured(call, NULL) == NULL &&
        pp_call_progress(call, NAN, 1) == -EINVAL && pp_call_progress(call, 1, 0) == -EINVAL &&
        pp_call_progress(call, 1, 2) == 0;
    return pp_call_return(call, "b", (int)right);
}

static void a_callable_that_gives_null_is_refused_and_lives(void **state)
{
    bool     right = false;
    pp_task *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(null_targets), NULL, "i", 1), 0);
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "b", &right), 0);
    assert_true(right);
    pp_task_unref(task);
}

/* ------------------------------------------------------------------- out of range */

static void assert_no_task(pp_callable callable, const pp_task_options *options, int error)
{
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, callable, options, NULL), error);
    assert_int_equal(pp_pool_create_and_queue_task(the_pool, callable, options, NULL), error);
    assert_int_equal(pp_pool_create_and_queue_bytes(the_pool, callable, options, "x", 1), error);
    assert_null(task);
}

static void a_callable_that_is_not_whole_is_refused(void **state)
{
    static const pp_class empty = {.name = "empty", .size = 1};
    pp_callable           unknown = PP_FUNCTION(return_null);
    (void)state;
    unknown.kind = 77;
    assert_no_task(unknown, NULL, -EINVAL);
    unknown.kind = 0;
    assert_no_task(unknown, NULL, -EINVAL);
    assert_no_task(PP_FUNCTION(NULL), NULL, -EINVAL);
    assert_no_task(PP_CLOSURE(NULL, "x", 1), NULL, -EINVAL);
    assert_no_task(PP_CLOSURE(return_null, NULL, 1), NULL, -EINVAL);
    assert_no_task(PP_CLASS(NULL), NULL, -EINVAL);
    assert_no_task(PP_CLASS(&empty), NULL, -EINVAL);
    assert_no_task(PP_NAMED(NULL), NULL, -EINVAL);
    assert_no_task(PP_NAMED(""), NULL, -EINVAL);
}

static void task_options_out_of_range_are_refused(void **state)
{
    const double bad[] = {-1.0, -0.001, NAN, INFINITY, -INFINITY};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pp_task_options options = PP_TASK_OPTIONS_INIT;
        options.timeout = bad[i];
        assert_no_task(PP_FUNCTION(return_null), &options, -EINVAL);
        options.timeout = 0;
        options.soft_timeout = bad[i];
        assert_no_task(PP_FUNCTION(return_null), &options, -EINVAL);
        options.soft_timeout = 0;
        options.retry_delay = bad[i];
        assert_no_task(PP_FUNCTION(return_null), &options, -EINVAL);
    }
    pp_task_options none = {0};
    assert_no_task(PP_FUNCTION(return_null), &none, -EINVAL);
}

static void task_options_of_another_size_are_understood_or_refused(void **state)
{
    struct {
        pp_task_options known;
        uint64_t        later;
    } newer = {.known = PP_TASK_OPTIONS_INIT};
    pp_task *task = NULL;
    (void)state;
    newer.known.size = sizeof newer;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), &newer.known, NULL), 0);
    pp_task_unref(run_in_the_pool(task, PP_DONE));
    newer.later = 1;
    task = NULL;
    assert_no_task(PP_FUNCTION(return_null), &newer.known, -E2BIG);

    pp_task_options older = PP_TASK_OPTIONS_INIT;
    older.size = offsetof(pp_task_options, timeout);
    older.task_id = 77;
    older.timeout = -1; /* not of that older struct */
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), &older, NULL), 0);
    assert_true(pp_task_id(task) == 77);
    assert_true(pp_task_timeout(task) == 0);
    pp_task_unref(task);
}

static void times_out_of_range_are_refused(void **state)
{
    const double bad[] = {-2.0, -0.5, NAN};
    pp_task     *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), NULL, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pp_pool_queue_task_timed(the_pool, task, bad[i]), -EINVAL);
        assert_int_equal(pp_pool_process_all_results(the_pool, bad[i]), -EINVAL);
        assert_int_equal(pp_pool_finalize(the_pool, bad[i]), -EINVAL);
        assert_int_equal(pp_pool_stop_processing(the_pool, bad[i]), -EINVAL);
        assert_int_equal(pp_task_set_timeout(task, bad[i]), -EINVAL);
    }
    assert_int_equal(pp_task_set_timeout(task, INFINITY), -EINVAL);
    run_in_the_pool(task, PP_DONE);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pp_task_wait(task, bad[i]), -EINVAL);
        assert_int_equal(pp_wait_any(&task, 1, bad[i]), -EINVAL);
        assert_int_equal(pp_wait_all(&task, 1, bad[i]), -EINVAL);
    }
    assert_int_equal(pp_wait_any(&task, 0, 1), -EINVAL);
    assert_int_equal(pp_wait_all(&task, 0, 1), -EINVAL);
    assert_int_equal(pp_task_set_timeout(task, 1), -EALREADY);
    assert_int_equal(pp_task_cancel(task), -EALREADY);
    pp_task_unref(task);
}

static void sizes_out_of_range_are_refused(void **state)
{
    pp_buffer    *buffer = NULL;
    pp_pool_stats stats = {.size = 0};
    char          byte = 0;
    (void)state;
    assert_int_equal(pp_buffer_create(&buffer, SIZE_MAX), -EINVAL);
    assert_int_equal(pp_buffer_create(&buffer, (size_t)PTRDIFF_MAX), -ENOMEM);
    assert_null(buffer);
    assert_int_equal(pp_pool_get_stats(the_pool, &stats), -EINVAL);
    assert_int_equal(pp_pool_resize(the_pool, 0, 1), -EINVAL);
    assert_int_equal(pp_pool_resize(the_pool, 1, UINT32_MAX), -EINVAL);
    assert_int_equal(pp_pool_resize(the_pool, UINT32_MAX, 1), -EINVAL);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(return_null), &byte, 0, 1, NULL, 0, 0, NULL),
                     -EINVAL);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(return_null), NULL, 1, 1, NULL, 0, 0, NULL),
                     -EINVAL);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(return_null), &byte, 1, 1, NULL, 1, 0, NULL),
                     -EINVAL);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(return_null), &byte, 1U << 31, SIZE_MAX / 4,
                                 NULL, 0, 0, NULL),
                     -EOVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_a_pool_refuse_null),
        cmocka_unit_test(functions_of_a_task_refuse_null),
        cmocka_unit_test(functions_of_values_errors_buffers_and_calls_refuse_null),
        cmocka_unit_test(a_callable_that_gives_null_is_refused_and_lives),
        cmocka_unit_test(a_callable_that_is_not_whole_is_refused),
        cmocka_unit_test(task_options_out_of_range_are_refused),
        cmocka_unit_test(task_options_of_another_size_are_understood_or_refused),
        cmocka_unit_test(times_out_of_range_are_refused),
        cmocka_unit_test(sizes_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
