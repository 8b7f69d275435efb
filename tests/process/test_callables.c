/*
 * test_callables.c - functions by each way of queueing them, and what a callable can ask about its
 * call and say to it.
 */
#include "support.h"

#include <errno.h>
#include <string.h>

static void note_number(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    assert_int_equal(pp_value_unpack(result, "i", (int *)userdata), 0);
}

static void note_size(pp_task *task, const pp_value *result, void *userdata)
{
    const void *data = NULL;
    (void)task;
    assert_int_equal(pp_value_unpack(result, "y", &data, (size_t *)userdata), 0);
}

/* --------------------------------------------------------------------- functions */

static void create_and_queue_task_runs_a_function_with_its_arguments(void **state)
{
    int             number = 0;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.callback = note_number;
    options.userdata = &number;
    assert_int_equal(
        pp_pool_create_and_queue_task(the_pool, PP_FUNCTION(return_square), &options, "i", 12), 0);
    assert_int_equal(pp_pool_process_all_results(the_pool, PATIENCE), 1);
    assert_int_equal(number, 144);
}

static int echo_bytes(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

static void create_and_queue_bytes_runs_a_function_with_its_payload(void **state)
{
    size_t          size = 0;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.callback = note_size;
    options.userdata = &size;
    assert_int_equal(pp_pool_create_and_queue_bytes(the_pool, PP_FUNCTION(echo_bytes), &options,
                                                    "twelve bytes", 12),
                     0);
    assert_int_equal(pp_pool_process_all_results(the_pool, PATIENCE), 1);
    assert_int_equal(size, 12);
}

static void a_task_object_is_queued_once_and_keeps_its_outcome(void **state)
{
    pp_task *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_square), NULL, "i", 9), 0);
    assert_int_equal(pp_task_state(task), PP_NEW);
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_pool_queue_task(the_pool, task), -EALREADY);
    assert_int_equal(pp_pool_queue_task_timed(the_pool, task, 1), -EALREADY);
    assert_number(pp_task_result(task), 81);
    assert_null(pp_task_error(task));
    pp_task_unref(task);
}

static void set_bytes_takes_the_place_of_the_format_until_the_task_is_queued(void **state)
{
    pp_task    *task = NULL;
    const void *data = NULL;
    size_t      size = 0;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo_bytes), NULL, "is", 9, "x"), 0);
    assert_int_equal(pp_task_set_bytes(task, "first", 5), 0);
    assert_int_equal(pp_task_set_bytes(task, "the second", 10), 0);
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_int_equal(size, 10);
    assert_memory_equal(data, "the second", 10);
    assert_int_equal(pp_task_set_bytes(task, "late", 4), -EALREADY);
    pp_task_unref(task);
}

static void set_bytes_takes_the_place_of_large_arguments_too(void **state)
{
    static char large[100 * 1024];
    pp_task    *task = NULL;
    const void *data = NULL;
    size_t      size = 0;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo_bytes), NULL, "y", large, sizeof large),
                     0);
    assert_int_equal(pp_task_set_bytes(task, large, sizeof large - 1), 0);
    assert_int_equal(pp_task_set_bytes(task, "small", 5), 0);
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "small", 5);
    pp_task_unref(task);
}

/* ------------------------------------------------------------------------- call */

static int tell_about_the_call(pp_call *call)
{
    return pp_call_return(call, "Uuub", pp_call_task_id(call), pp_call_attempt(call),
                          pp_call_worker(call), (int)(pp_call_state(call) == NULL));
}

static void a_callable_is_told_its_task_id_attempt_and_worker(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    uint64_t        id = 0;
    unsigned        attempt = 0;
    unsigned        worker = 99;
    bool            stateless = false;
    pp_task        *task = NULL;
    (void)state;
    options.task_id = 0xfedcba9876543210U;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(tell_about_the_call), &options, NULL), 0);
    assert_true(pp_task_id(task) == options.task_id);
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(
        pp_value_unpack(pp_task_result(task), "Uuub", &id, &attempt, &worker, &stateless), 0);
    assert_true(id == options.task_id);
    assert_int_equal(attempt, 1);
    assert_int_equal(worker, 0);
    assert_true(stateless);
    pp_task_unref(task);
}

static void task_ids_are_automatic_and_differ_where_none_is_given(void **state)
{
    uint64_t earlier = 0;
    (void)state;
    for (int i = 0; i < 5; i++) {
        pp_task *task = queue_function(the_pool, tell_about_the_call, NULL);
        uint64_t id = 0;
        assert_ends(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "[Uvvv]", &id,
                                         &(const pp_value *){0}, &(const pp_value *){0},
                                         &(const pp_value *){0}),
                         0);
        assert_true(id == pp_task_id(task));
        assert_true(id > earlier);
        earlier = id;
        pp_task_unref(task);
    }
}

static int return_again_and_again(pp_call *call)
{
    if (pp_call_return(call, "i", 1) != 0 || pp_call_return_bytes(call, "two", 3) != 0 ||
        pp_call_return(call, "s", "three") != 0)
        return -EPROTO;
    /* what cannot be packed leaves the earlier result alone */
    if (pp_call_return(call, "i?", 4) != -EINVAL ||
        pp_call_return(call, "is", 4, NULL) != -EINVAL ||
        pp_call_return_bytes(call, NULL, 5) != -EINVAL)
        return -EPROTO;
    return 0;
}

static void the_last_return_wins(void **state)
{
    const char *text = NULL;
    pp_task    *task = queue_function(the_pool, return_again_and_again, NULL);
    (void)state;
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "s", &text), 0);
    assert_string_equal(text, "three");
    pp_task_unref(task);
}

static int return_then_fail(pp_call *call)
{
    (void)pp_call_return(call, "i", 1);
    return pp_call_raise(call, EDOM, "AfterAll", "no");
}

static int raise_then_succeed(pp_call *call)
{
    (void)pp_call_raise(call, EDOM, "Overcome", "no");
    return pp_call_return(call, "i", 5);
}

static void what_the_callable_returns_decides_between_result_and_exception(void **state)
{
    pp_task *failed = queue_function(the_pool, return_then_fail, NULL);
    pp_task *done = queue_function(the_pool, raise_then_succeed, NULL);
    (void)state;
    assert_ends(failed, PP_FAILED);
    assert_null(pp_task_result(failed));
    assert_string_equal(pp_error_name(pp_task_error(failed)), "AfterAll");
    assert_ends(done, PP_DONE);
    assert_number(pp_task_result(done), 5);
    pp_task_unref(failed);
    pp_task_unref(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_and_queue_task_runs_a_function_with_its_arguments),
        cmocka_unit_test(create_and_queue_bytes_runs_a_function_with_its_payload),
        cmocka_unit_test(a_task_object_is_queued_once_and_keeps_its_outcome),
        cmocka_unit_test(set_bytes_takes_the_place_of_the_format_until_the_task_is_queued),
        cmocka_unit_test(set_bytes_takes_the_place_of_large_arguments_too),
        cmocka_unit_test(a_callable_is_told_its_task_id_attempt_and_worker),
        cmocka_unit_test(task_ids_are_automatic_and_differ_where_none_is_given),
        cmocka_unit_test(the_last_return_wins),
        cmocka_unit_test(what_the_callable_returns_decides_between_result_and_exception),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
