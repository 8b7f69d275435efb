/*
 * test_payloads.c - payloads of every size go both ways unchanged, as bytes and as arguments, by
 * whatever way they travel: in a line, in granules, in a memory of their own.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The largest goes each way once for each form; the memory that it takes is what costs time. */
enum { LARGEST = 64 << 20 };

static unsigned char *pattern; /* LARGEST bytes */

static const size_t sizes[] = {0,     1,         7,     8,      9,       15,     16,
                               23,    24,        25,    100,    1023,    1024,   1025,
                               65535, 64 * 1024, 65537, 100000, 1 << 20, LARGEST};

enum { SIZES = sizeof sizes / sizeof *sizes };

static int make_pool_and_pattern(void **state)
{
    pattern = malloc(LARGEST);
    assert_non_null(pattern);
    for (size_t i = 0; i < LARGEST; i++)
        pattern[i] = (unsigned char)('a' + i % 26 - (i >> 8) % 2);
    return make_pool(state);
}

static int drop_pool_and_pattern(void **state)
{
    free(pattern);
    return drop_pool(state);
}

static int echo_bytes(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0)
        return error;
    if ((uintptr_t)data % (size >= 8 ? 8 : 1) != 0)
        return pp_call_raise(call, EFAULT, "Misaligned", "at %p", data);
    return pp_call_return_bytes(call, data, size);
}

static int echo_format_y(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_args(call, "y", &data, &size);
    return error < 0 ? error : pp_call_return(call, "y", data, size);
}

static int echo_format_s(pp_call *call)
{
    const char *string = NULL;
    int         error = pp_call_args(call, "s", &string);
    return error < 0 ? error : pp_call_return(call, "s", string);
}

/* Made in the worker: what comes back does not follow from what went there. */
static int make_bytes(pp_call *call)
{
    uint64_t size = 0;
    int      error = pp_call_args(call, "U", &size);
    return error < 0 ? error : pp_call_return_bytes(call, pattern, size);
}

static int measure_bytes(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0)
        return error;
    bool same = size == 0 || memcmp(data, pattern, size) == 0;
    return pp_call_return(call, "Ub", (uint64_t)size, (int)same);
}

static pp_task *finish(pp_task *task)
{
    assert_int_equal(pp_pool_queue_task(the_pool, task), 0);
    assert_ends(task, PP_DONE);
    return task;
}

static void assert_bytes(const pp_task *task, size_t expected)
{
    const void *data = NULL;
    size_t      size = SIZE_MAX;
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_int_equal(size, expected);
    assert_true(size == 0 || memcmp(data, pattern, size) == 0);
}

static void bytes_of_every_size_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo_bytes), NULL, NULL), 0);
        assert_int_equal(pp_task_set_bytes(task, pattern, sizes[i]), 0);
        assert_bytes(finish(task), sizes[i]);
        pp_task_unref(task);
    }
}

static void bytes_in_a_format_of_every_size_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        pp_task *task = NULL;
        assert_int_equal(
            pp_task_create(&task, PP_FUNCTION(echo_format_y), NULL, "y", pattern, sizes[i]), 0);
        assert_bytes(finish(task), sizes[i]);
        pp_task_unref(task);
    }
}

static void strings_of_every_size_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        pp_task    *task = NULL;
        const char *text = NULL;
        char       *string = malloc(sizes[i] + 1);
        assert_non_null(string);
        memcpy(string, pattern, sizes[i]);
        string[sizes[i]] = '\0';
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo_format_s), NULL, "s", string), 0);
        finish(task);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "s", &text), 0);
        assert_int_equal(strcmp(text, string), 0);
        pp_task_unref(task);
        free(string);
    }
}

static void small_arguments_may_have_a_result_of_any_size(void **state)
{
    (void)state;
    for (int i = SIZES - 2; i >= 0; i--) {
        pp_task *task = NULL;
        assert_int_equal(
            pp_task_create(&task, PP_FUNCTION(make_bytes), NULL, "U", (uint64_t)sizes[i]), 0);
        assert_bytes(finish(task), sizes[i]);
        pp_task_unref(task);
    }
}

static void arguments_of_any_size_may_have_a_small_result(void **state)
{
    (void)state;
    for (int i = SIZES - 2; i >= 0; i--) {
        pp_task *task = NULL;
        uint64_t size = 1;
        bool     same = false;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(measure_bytes), NULL, NULL), 0);
        assert_int_equal(pp_task_set_bytes(task, pattern, sizes[i]), 0);
        finish(task);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "Ub", &size, &same), 0);
        assert_int_equal(size, sizes[i]);
        assert_true(same);
        pp_task_unref(task);
    }
}

static void payloads_of_mixed_sizes_pass_many_at_once(void **state)
{
    enum { TASKS = 300 };
    static pp_task *tasks[TASKS];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    (void)state;
    options.max_queued_requests = TASKS;
    pp_pool *pool = pool_with(&options);
    for (size_t i = 0; i < TASKS; i++) {
        size_t size = sizes[i * 7 % (SIZES - 1)] / (1 + i % 3);
        assert_int_equal(pp_task_create(&tasks[i], PP_FUNCTION(echo_bytes), NULL, NULL), 0);
        assert_int_equal(pp_task_set_bytes(tasks[i], pattern, size), 0);
        assert_int_equal(pp_pool_queue_task(pool, tasks[i]), 0);
    }
    assert_int_equal(pp_wait_all(tasks, TASKS, PATIENCE), 0);
    for (size_t i = 0; i < TASKS; i++) {
        assert_ends(tasks[i], PP_DONE);
        assert_bytes(tasks[i], sizes[i * 7 % (SIZES - 1)] / (1 + i % 3));
        pp_task_unref(tasks[i]);
    }
    pp_pool_destroy(pool);
}

/* More than a tray and a box have room for, one after the other. */
static void the_room_of_a_payload_is_used_again(void **state)
{
    enum { MANY = 300, SIZE = 5000 };
    pid_t pid = 0;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo_bytes), NULL, NULL), 0);
        assert_int_equal(pp_task_set_bytes(task, pattern, SIZE), 0);
        (void)run_in_the_pool(task, PP_DONE);
        assert_true(pid == 0 || pid == pp_task_worker_pid(task)); /* no other was needed */
        pid = pp_task_worker_pid(task);
        pp_task_unref(task);
    }
}

static void large_payloads_leave_no_descriptor_behind(void **state)
{
    unsigned before = open_descriptors();
    (void)state;
    for (int i = 0; i < 20; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo_bytes), NULL, NULL), 0);
        assert_int_equal(pp_task_set_bytes(task, pattern, 1 << 20), 0);
        assert_int_equal(pp_task_set_bytes(task, pattern, 1 << 19), 0);
        assert_bytes(finish(task), 1 << 19);
        pp_task_unref(task);
    }
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_every_size_go_both_ways),
        cmocka_unit_test(bytes_in_a_format_of_every_size_go_both_ways),
        cmocka_unit_test(strings_of_every_size_go_both_ways),
        cmocka_unit_test(small_arguments_may_have_a_result_of_any_size),
        cmocka_unit_test(arguments_of_any_size_may_have_a_small_result),
        cmocka_unit_test(payloads_of_mixed_sizes_pass_many_at_once),
        cmocka_unit_test(the_room_of_a_payload_is_used_again),
        cmocka_unit_test(large_payloads_leave_no_descriptor_behind),
    };
    return cmocka_run_group_tests(tests, make_pool_and_pattern, drop_pool_and_pattern);
}
