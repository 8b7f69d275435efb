/*
 * test_exceptions.c - falsy and absent results are results; what an exception carries: state, errno,
 * name, message, backtrace and the S_ERROR value form.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ falsy results */

static int return_false(pp_call *call)
{
    return pp_call_return(call, "b", (int)false);
}

static int return_zero(pp_call *call)
{
    return pp_call_return(call, "i", 0);
}

static int return_empty(pp_call *call)
{
    return pp_call_return(call, "s", "");
}

static int return_empty_list(pp_call *call)
{
    return pp_call_return(call, "[]");
}

static int return_explicit_null(pp_call *call)
{
    return pp_call_return(call, "z");
}

static int return_no_format(pp_call *call)
{
    return pp_call_return(call, NULL);
}

static int return_no_bytes(pp_call *call)
{
    return pp_call_return_bytes(call, NULL, 0);
}

static unsigned results, exceptions;

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)userdata;
    assert_non_null(result);
    results++;
}

static void count_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task;
    (void)error;
    (void)userdata;
    exceptions++;
}

/* Run it with callbacks: a result, whatever it is worth. */
static pp_task *run_to_result(pp_function *function)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = count_result;
    options.exception_callback = count_exception;
    results = exceptions = 0;
    pp_task *task = queue_function(the_pool, function, &options);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_pool_process_all_results(the_pool, PATIENCE), 1);
    assert_int_equal(results, 1);
    assert_int_equal(exceptions, 0);
    assert_null(pp_task_error(task));
    return task;
}

static void falsy_results_are_results(void **state)
{
    bool        truth = true;
    int         number = 5;
    const char *text = NULL;
    const void *data = NULL;
    size_t      size = 5;
    (void)state;
    pp_task *task = run_to_result(return_false);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "b", &truth), 0);
    assert_false(truth);
    pp_task_unref(task);
    task = run_to_result(return_zero);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &number), 0);
    assert_int_equal(number, 0);
    pp_task_unref(task);
    task = run_to_result(return_empty);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "s", &text), 0);
    assert_string_equal(text, "");
    pp_task_unref(task);
    task = run_to_result(return_empty_list);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "[]"), 0);
    pp_task_unref(task);
    task = run_to_result(return_no_bytes);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_int_equal(size, 0);
    pp_task_unref(task);
}

static void absent_results_are_null_and_results(void **state)
{
    static pp_function *const functions[] = {return_null, return_explicit_null, return_no_format};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int      number = 5;
        pp_task *task = run_to_result(functions[i]);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "z"), 0);
        assert_int_equal(pp_value_unpack(pp_task_result(task), NULL), 0);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &number), -EINVAL);
        pp_task_unref(task);
    }
}

static int raise_something(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Something", "nothing");
}

/* What a worker did before must not shine through. */
static void an_absent_result_is_null_whatever_came_before(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pp_task *before = queue_function(the_pool, i == 0 ? return_empty : raise_something, NULL);
        pp_task *task = queue_function(the_pool, return_null, NULL);
        assert_int_equal(pp_task_wait(before, PATIENCE), 0);
        assert_ends(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "z"), 0);
        pp_task_unref(before);
        pp_task_unref(task);
    }
}

/* ---------------------------------------------------------------------- exceptions */

static pp_task *run_to_error(pp_function *function)
{
    pp_task *task = queue_function(the_pool, function, NULL);
    assert_ends(task, PP_FAILED);
    assert_null(pp_task_result(task));
    return task;
}

/* The value form says what the accessors say. */
static void assert_value_form(const pp_error *error)
{
    bool        ok = true;
    int         number = 0;
    const char *message = NULL, *name = NULL, *info = NULL;
    assert_int_equal(pp_value_unpack(pp_error_value(error),
                                     "{ \"OK\": b, \"Errno\": i, \"Message\": s,"
                                     "  \"Exception\": { \"Value\": s, \"Exc_info\": s } }",
                                     &ok, &number, &message, &name, &info),
                     0);
    assert_false(ok);
    assert_int_equal(number, pp_error_errno(error));
    assert_string_equal(message, pp_error_message(error));
    assert_string_equal(name, pp_error_name(error));
    assert_string_equal(info, pp_error_backtrace(error));
}

__attribute__((noinline)) int exported_and_raising(pp_call *call);

__attribute__((noinline)) int exported_and_raising(pp_call *call)
{
    int error = pp_call_raise(call, EDOM, "NegativeNumber", "%d is %s", -4, "below 0");
    return error == -EDOM ? error : 0;
}

static void an_exception_carries_state_errno_name_message_and_backtrace(void **state)
{
    pp_task        *task = run_to_error(exported_and_raising);
    const pp_error *error = pp_task_error(task);
    (void)state;
    assert_int_equal(pp_error_state(error), PP_FAILED);
    assert_int_equal(pp_error_errno(error), EDOM);
    assert_string_equal(pp_error_name(error), "NegativeNumber");
    assert_string_equal(pp_error_message(error), "-4 is below 0");
    assert_non_null(strstr(pp_error_backtrace(error), "exported_and_raising"));
    assert_int_equal(pp_error_wait_status(error), 0);
    assert_value_form(error);
    pp_task_unref(task);
}

static int fail_plainly(pp_call *call)
{
    (void)call;
    return -EACCES;
}

static void a_negative_errno_is_an_exception_with_its_own_name(void **state)
{
    pp_task        *task = run_to_error(fail_plainly);
    const pp_error *error = pp_task_error(task);
    (void)state;
    assert_int_equal(pp_error_errno(error), EACCES);
    assert_string_equal(pp_error_name(error), "EACCES");
    assert_string_equal(pp_error_message(error), strerror(EACCES));
    assert_string_equal(pp_error_backtrace(error), "");
    assert_value_form(error);
    pp_task_unref(task);
}

static int want_two(pp_call *call)
{
    int one = 0;
    int two = 0;
    return pp_call_args(call, "ii", &one, &two);
}

static int want_and_do_without(pp_call *call)
{
    int one = 0;
    return pp_call_args(call, "i", &one) == -ENOENT ? 0 : -EINVAL;
}

/* What was overcome is not the reason. */
static int try_twice_and_fail(pp_call *call)
{
    int         number = 0;
    const char *text = NULL;
    if (pp_call_args(call, "i", &number) != -EINVAL || pp_call_args(call, "s", &text) != 0)
        return -EPROTO;
    return -EINVAL;
}

static int fail_with_enoent(pp_call *call)
{
    (void)call;
    return -ENOENT;
}

/* And the next task of this worker is not said to have that misfit. */
static void assert_failure(pp_task *task, int error, const char *message)
{
    run_in_the_pool(task, PP_FAILED);
    assert_int_equal(pp_error_errno(pp_task_error(task)), error);
    assert_string_equal(pp_error_message(pp_task_error(task)), message);
    pp_task_unref(task);
    if (message != strerror(ENOENT)) {
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(fail_with_enoent), NULL, NULL), 0);
        assert_failure(task, ENOENT, strerror(ENOENT));
    }
}

static void arguments_that_do_not_fit_are_said_to_be_the_reason(void **state)
{
    pp_callable function = PP_FUNCTION(want_two);
    pp_task    *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, function, NULL, "i", 1), 0);
    assert_failure(task, ENOENT, "an argument is missing");
    assert_int_equal(pp_task_create(&task, function, NULL, "iii", 1, 2, 3), 0);
    assert_failure(task, E2BIG, "there is an argument too many");
    assert_int_equal(pp_task_create(&task, function, NULL, "is", 1, "2"), 0);
    assert_failure(task, EINVAL, "an argument has another type than the callable takes");
    assert_int_equal(pp_task_create(&task, function, NULL, "iI", 1, INT64_MAX), 0);
    assert_failure(task, ERANGE, "an argument does not fit into the callable's type");
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(try_twice_and_fail), NULL, "s", "1"), 0);
    assert_failure(task, EINVAL, strerror(EINVAL));
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(want_and_do_without), NULL, NULL), 0);
    pp_task_unref(run_in_the_pool(task, PP_DONE));
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(fail_with_enoent), NULL, NULL), 0);
    assert_failure(task, ENOENT, strerror(ENOENT));
}

static int return_positive(pp_call *call)
{
    (void)pp_call_return(call, "i", 3);
    return 3;
}

static int return_the_least(pp_call *call)
{
    (void)call;
    return INT32_MIN;
}

static void what_is_neither_0_nor_an_errno_is_an_exception_too(void **state)
{
    pp_task *positive = run_to_error(return_positive);
    pp_task *least = run_to_error(return_the_least);
    (void)state;
    assert_true(pp_error_errno(pp_task_error(positive)) > 0);
    assert_true(pp_error_errno(pp_task_error(least)) > 0);
    assert_value_form(pp_task_error(positive));
    assert_value_form(pp_task_error(least));
    pp_task_unref(positive);
    pp_task_unref(least);
}

static int raise_zero(pp_call *call)
{
    int error = pp_call_raise(call, 0, NULL, NULL);
    return error < 0 ? error : 0;
}

static int raise_negative(pp_call *call)
{
    return pp_call_raise(call, -ENOSPC, "", "%s", "");
}

static void an_exception_without_errno_name_or_message_is_one(void **state)
{
    pp_task *zero = run_to_error(raise_zero);
    pp_task *negative = run_to_error(raise_negative);
    (void)state;
    assert_true(pp_error_errno(pp_task_error(zero)) > 0);
    assert_true(strlen(pp_error_name(pp_task_error(zero))) > 0);
    assert_value_form(pp_task_error(zero));
    assert_int_equal(pp_error_errno(pp_task_error(negative)), ENOSPC);
    assert_string_equal(pp_error_name(pp_task_error(negative)), "ENOSPC");
    assert_value_form(pp_task_error(negative));
    pp_task_unref(zero);
    pp_task_unref(negative);
}

static int raise_twice(pp_call *call)
{
    (void)pp_call_raise(call, EDOM, "First", "first");
    return pp_call_raise(call, ERANGE, "Second", "second");
}

static void the_last_exception_counts(void **state)
{
    pp_task *task = run_to_error(raise_twice);
    (void)state;
    assert_int_equal(pp_error_errno(pp_task_error(task)), ERANGE);
    assert_string_equal(pp_error_name(pp_task_error(task)), "Second");
    pp_task_unref(task);
}

static int raise_latin_1(pp_call *call)
{
    return pp_call_raise(call, EILSEQ, "N\xe4me", "file \xff\xfe is bad");
}

static int raise_at_length(pp_call *call)
{
    char name[200];
    char message[5001];
    /* two bytes each, behind an odd one: cut anywhere, one of them is cut in two */
    for (size_t i = 0; i + 2 < sizeof name; i += 2)
        memcpy(name + 1 + i, "\xc3\xa9", 2);
    for (size_t i = 0; i + 2 < sizeof message; i += 2)
        memcpy(message + i, "\xc3\xa9", 2);
    name[0] = 'n';
    name[sizeof name - 1] = message[sizeof message - 1] = '\0';
    return pp_call_raise(call, EMSGSIZE, name, "%s", message);
}

/* File names are bytes: a message that is no UTF-8 must not hide the exception. */
static void an_exception_whose_text_is_no_utf_8_still_carries_it(void **state)
{
    pp_task        *task = run_to_error(raise_latin_1);
    const pp_error *error = pp_task_error(task);
    (void)state;
    assert_int_equal(pp_error_errno(error), EILSEQ);
    assert_int_equal(pp_error_name(error)[0], 'N');
    assert_int_equal(strncmp(pp_error_message(error), "file ", 5), 0);
    assert_non_null(strstr(pp_error_message(error), " is bad"));
    assert_int_not_equal(0, strlen(pp_error_backtrace(error)));
    bool ok = true;
    int  number = 0;
    assert_int_equal(
        pp_value_unpack(pp_error_value(error), "{\"OK\": b, \"Errno\": i}", &ok, &number), 0);
    assert_int_equal(number, EILSEQ);
    pp_task_unref(task);
}

static void a_long_message_is_cut_and_the_exception_stays_whole(void **state)
{
    pp_task        *task = run_to_error(raise_at_length);
    const pp_error *error = pp_task_error(task);
    (void)state;
    assert_int_equal(pp_error_errno(error), EMSGSIZE);
    assert_int_equal(strncmp(pp_error_name(error), "n\xc3\xa9\xc3\xa9", 5), 0);
    assert_int_equal(strncmp(pp_error_message(error), "\xc3\xa9\xc3\xa9", 4), 0);
    assert_true(strlen(pp_error_message(error)) >= 100);
    assert_value_form(error);
    pp_task_unref(task);
}

/* ------------------------------------------------------------------ other outcomes */

static void a_lost_worker_is_told_with_its_wait_status(void **state)
{
    pp_task *task = queue_function(the_pool, crash_by_segv, NULL);
    (void)state;
    assert_ends(task, PP_WORKER_LOST);
    const pp_error *error = pp_task_error(task);
    assert_int_equal(pp_error_state(error), PP_WORKER_LOST);
    assert_true(pp_error_errno(error) > 0);
    assert_true(WIFSIGNALED(pp_error_wait_status(error)));
    assert_int_equal(WTERMSIG(pp_error_wait_status(error)), SIGSEGV);
    assert_non_null(strstr(pp_error_message(error), "SEGV"));
    assert_value_form(error);
    pp_task_unref(task);
}

static void a_task_that_timed_out_has_etime(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = 0.01;
    pp_task *task = queue_function(the_pool, sleep_for_ever, &options);
    assert_ends(task, PP_TIMED_OUT);
    assert_int_equal(pp_error_state(pp_task_error(task)), PP_TIMED_OUT);
    assert_int_equal(pp_error_errno(pp_task_error(task)), ETIME);
    assert_value_form(pp_task_error(task));
    pp_task_unref(task);
}

static void a_task_that_has_not_ended_has_neither_result_nor_error(void **state)
{
    pp_task *task = queue_function(the_pool, sleep_for_ever, NULL);
    (void)state;
    assert_null(pp_task_result(task));
    assert_null(pp_task_error(task));
    assert_int_equal(pp_task_cancel(task), 0);
    assert_ends(task, PP_CANCELLED);
    assert_int_equal(pp_error_errno(pp_task_error(task)), ECANCELED);
    assert_value_form(pp_task_error(task));
    pp_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(falsy_results_are_results),
        cmocka_unit_test(absent_results_are_null_and_results),
        cmocka_unit_test(an_absent_result_is_null_whatever_came_before),
        cmocka_unit_test(an_exception_carries_state_errno_name_message_and_backtrace),
        cmocka_unit_test(a_negative_errno_is_an_exception_with_its_own_name),
        cmocka_unit_test(arguments_that_do_not_fit_are_said_to_be_the_reason),
        cmocka_unit_test(what_is_neither_0_nor_an_errno_is_an_exception_too),
        cmocka_unit_test(an_exception_without_errno_name_or_message_is_one),
        cmocka_unit_test(the_last_exception_counts),
        cmocka_unit_test(an_exception_whose_text_is_no_utf_8_still_carries_it),
        cmocka_unit_test(a_long_message_is_cut_and_the_exception_stays_whole),
        cmocka_unit_test(a_lost_worker_is_told_with_its_wait_status),
        cmocka_unit_test(a_task_that_timed_out_has_etime),
        cmocka_unit_test(a_task_that_has_not_ended_has_neither_result_nor_error),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
