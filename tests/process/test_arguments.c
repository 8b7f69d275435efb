/*
 * test_arguments.c - positional and keyword arguments on their way to a callable; formats that are
 * wrong.
 */
#include "support.h"

#include <errno.h>
#include <string.h>

/* --------------------------------------------------------------------- arguments */

static int check_every_letter(pp_call *call)
{
    bool            b = false;
    int             i = 0, nested = 0;
    unsigned        u = 0;
    int64_t         big = 0;
    uint64_t        huge = 0;
    double          d = 0;
    const char     *s = NULL, *key = NULL;
    const void     *y = NULL;
    size_t          size = 0;
    const pp_value *v = NULL;
    int error = pp_call_args(call, "z b i u I U d s y v [i s] { \"k\": s }", &b, &i, &u, &big,
                             &huge, &d, &s, &y, &size, &v, &nested, &key, &key);
    if (error < 0)
        return error;
    bool right = b && i == -7 && u == 7 && big == INT64_MIN && huge == UINT64_MAX && d == 0.25 &&
                 strcmp(s, "s\xc3\xa9") == 0 && size == 3 && memcmp(y, "\0\1\2", 3) == 0 &&
                 nested == 3 && strcmp(key, "value") == 0;
    return pp_call_return(call, "bv", (int)right, v);
}

static void positional_arguments_of_every_letter_arrive(void **state)
{
    pp_task *task = NULL;
    pp_task *inner = NULL;
    bool     right = false;
    int      one = 0, two = 0;
    (void)state;
    assert_int_equal(pp_task_create(&inner, PP_FUNCTION(return_square), NULL, "i", 5), 0);
    run_in_the_pool(inner, PP_DONE);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(check_every_letter), NULL,
                                    "z b i u I U d s y v [i s] { \"k\": s }", true, -7, 7U,
                                    INT64_MIN, UINT64_MAX, 0.25, "s\xc3\xa9", "\0\1\2", (size_t)3,
                                    pp_task_result(inner), 3, "in a list", "value"),
                     0);
    pp_task_unref(inner); /* the value was copied */
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "[bi]", &right, &one), 0);
    assert_true(right);
    assert_int_equal(one, 25);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "bi", &right, &two), 0);
    assert_int_equal(two, 25);
    pp_task_unref(task);
}

static int take_keywords(pp_call *call)
{
    int         base = 0, width = -1, height = -1;
    const char *name = "nobody";
    int error = pp_call_args(call, "i width=i name?=s height?=i", &base, &width, &name, &height);
    return error < 0 ? error : pp_call_return(call, "iisi", base, width, name, height);
}

static void keyword_arguments_arrive_in_any_order_and_optional_ones_may_be_absent(void **state)
{
    int         base = 0, width = 0, height = 0;
    const char *name = NULL;
    pp_task    *task = NULL;
    (void)state;
    assert_int_equal(
        pp_task_create(&task, PP_FUNCTION(take_keywords), NULL, "i height=i width=i", 1, 3, 2), 0);
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "iisi", &base, &width, &name, &height),
                     0);
    assert_int_equal(base, 1);
    assert_int_equal(width, 2);
    assert_int_equal(height, 3);
    assert_string_equal(name, "nobody");
    pp_task_unref(task);
}

static void assert_refused(pp_callable callable, int number, const char *format, int one, int two)
{
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, callable, NULL, format, one, two), 0);
    run_in_the_pool(task, PP_FAILED);
    assert_int_equal(pp_error_errno(pp_task_error(task)), number);
    pp_task_unref(task);
}

static int take_two(pp_call *call)
{
    int one = 0, two = 0;
    int error = pp_call_args(call, "ii", &one, &two);
    return error < 0 ? error : pp_call_return(call, "i", one + two);
}

static int take_unsigned(pp_call *call)
{
    unsigned number = 0;
    return pp_call_args(call, "u", &number);
}

static int take_string(pp_call *call)
{
    const char *string = NULL;
    return pp_call_args(call, "s", &string);
}

static void too_few_too_many_and_wrong_arguments_are_exceptions_with_their_errno(void **state)
{
    (void)state;
    assert_refused(PP_FUNCTION(take_two), ENOENT, NULL, 0, 0);
    assert_refused(PP_FUNCTION(take_two), ENOENT, "i", 1, 0);
    assert_refused(PP_FUNCTION(return_square), E2BIG, "ii", 1, 2);
    assert_refused(PP_FUNCTION(take_keywords), ENOENT, "i", 1, 0);
    assert_refused(PP_FUNCTION(take_keywords), E2BIG, "i width=i other=z", 1, 2);
    assert_refused(PP_FUNCTION(take_unsigned), ERANGE, "i", -1, 0);
    assert_refused(PP_FUNCTION(take_string), EINVAL, "i", 1, 0);
}

static int unknown_letters(pp_call *call)
{
    int number = 0;
    if (pp_call_args(call, "q", &number) != -EINVAL || pp_call_args(call, "i]", &number) != -EINVAL)
        return -EPROTO;
    if (pp_call_return(call, "q", 1) != -EINVAL || pp_call_return(call, "[i", 1) != -EINVAL)
        return -EPROTO;
    return pp_call_return(call, "s", "refused");
}

static void unknown_letters_and_broken_formats_are_refused_on_both_sides(void **state)
{
    static const char *const formats[] = {"q",    "i q", "[i",       "i]", "{i}", "{\"k\" i}",
                                          "x?=i", "=i",  "{\"k\":i", "x=", "i%",  "x=i i"};
    pp_task                 *task = NULL;
    int                      number = 0;
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), NULL, formats[i], 1, 2),
                         -EINVAL);
        assert_int_equal(pp_pool_create_and_queue_task(the_pool, PP_FUNCTION(return_null), NULL,
                                                       formats[i], 1, 2),
                         -EINVAL);
        assert_null(task);
    }
    task = queue_function(the_pool, unknown_letters, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "q", &number), -EINVAL);
    pp_task_unref(task);
}

static void no_format_and_an_empty_one_are_no_argument(void **state)
{
    static const char *const formats[] = {NULL, "", "  \t\n"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), NULL, formats[i]), 0);
        run_in_the_pool(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), formats[i]), 0);
        pp_task_unref(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positional_arguments_of_every_letter_arrive),
        cmocka_unit_test(keyword_arguments_arrive_in_any_order_and_optional_ones_may_be_absent),
        cmocka_unit_test(too_few_too_many_and_wrong_arguments_are_exceptions_with_their_errno),
        cmocka_unit_test(unknown_letters_and_broken_formats_are_refused_on_both_sides),
        cmocka_unit_test(no_format_and_an_empty_one_are_no_argument),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
