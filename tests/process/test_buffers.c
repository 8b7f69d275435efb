/*
 * test_buffers.c - shared buffers: filled in place on either side and seen on the other, counted
 * references, returned from a worker, inside lists and maps, of any size.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static pp_buffer *buffer_of(size_t size)
{
    pp_buffer *buffer = NULL;
    assert_int_equal(pp_buffer_create(&buffer, size), 0);
    assert_int_equal(pp_buffer_size(buffer), size);
    return buffer;
}

static pp_task *finish(pp_task *task, pp_state state)
{
    assert_int_equal(pp_pool_queue_task(the_pool, task), 0);
    assert_ends(task, state);
    return task;
}

static int sum_and_answer(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_call_args(call, "B", &buffer);
    if (error < 0)
        return error;
    unsigned char *bytes = pp_buffer_data(buffer);
    size_t         size = pp_buffer_size(buffer);
    uint64_t       sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    if (size > 0) /* one of no bytes has no address */
        memset(bytes, 'w', size);
    return pp_call_return(call, "UU", (uint64_t)size, sum);
}

/* A request may be taken back, and its descriptors be on their way all the same. */
static void the_buffers_of_a_cancelled_task_are_not_given_to_the_next(void **state)
{
    pp_buffer *buffers[2] = {buffer_of(100), buffer_of(100)};
    pp_task   *tasks[2];
    uint64_t   size = 0, sum = 0;
    int        pid = 0;
    (void)state;
    pp_task *first = NULL;
    assert_int_equal(pp_task_create(&first, PP_FUNCTION(return_pid), NULL, NULL), 0);
    finish(first, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(first), "i", &pid), 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (int i = 0; i < 2; i++) {
        memset(pp_buffer_data(buffers[i]), 1 + i, 100);
        assert_int_equal(
            pp_task_create(&tasks[i], PP_FUNCTION(sum_and_answer), NULL, "B", buffers[i]), 0);
        assert_int_equal(pp_pool_queue_task(the_pool, tasks[i]), 0);
        if (i == 0)
            assert_int_equal(pp_task_cancel(tasks[i]), 0);
    }
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_ends(tasks[0], PP_CANCELLED);
    assert_ends(tasks[1], PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(tasks[1]), "UU", &size, &sum), 0);
    assert_int_equal(sum, 200);
    assert_int_equal(pp_task_worker_pid(tasks[1]), pid);
    pp_task_unref(first);
    for (int i = 0; i < 2; i++) {
        pp_task_unref(tasks[i]);
        pp_buffer_unref(buffers[i]);
    }
}

static void a_buffer_filled_in_place_is_seen_by_a_worker_and_its_writes_by_the_host(void **state)
{
    static const size_t sizes[] = {1, 100, 4096, 5000, 1 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pp_buffer *buffer = buffer_of(sizes[i]);
        uint64_t   size = 0, sum = 0;
        pp_task   *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(sum_and_answer), NULL, "B", buffer), 0);
        memset(pp_buffer_data(buffer), 2, sizes[i]); /* after it was given: it is shared */
        finish(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "UU", &size, &sum), 0);
        assert_int_equal(size, sizes[i]);
        assert_int_equal(sum, 2 * sizes[i]);
        const char *bytes = pp_buffer_data(buffer);
        assert_int_equal(bytes[0], 'w');
        assert_int_equal(bytes[sizes[i] - 1], 'w');
        pp_task_unref(task);
        pp_buffer_unref(buffer);
    }
}

static int change_at_the_gate(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_call_args(call, "B", &buffer);
    if (error < 0)
        return error;
    volatile char *bytes = pp_buffer_data(buffer);
    bytes[0] = '1';
    gate_pass(&the_gate);
    return pp_call_return(call, "i", bytes[1]);
}

static void both_sides_see_each_other_at_once(void **state)
{
    gate_open(&the_gate);
    pp_pool       *pool = pool_of(1, 1);
    pp_buffer     *buffer = buffer_of(2);
    volatile char *bytes = pp_buffer_data(buffer);
    int            seen = 0;
    pp_task       *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(change_at_the_gate), NULL, "B", buffer), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    gate_await(&the_gate);
    assert_int_equal(bytes[0], '1');
    bytes[1] = '2';
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &seen), 0);
    assert_int_equal(seen, '2');
    pp_task_unref(task);
    pp_buffer_unref(buffer);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_buffer_lives_until_its_last_reference_goes(void **state)
{
    unsigned   before = open_descriptors();
    pp_buffer *buffer = buffer_of(4096);
    pp_task   *task = NULL;
    (void)state;
    assert_int_equal(open_descriptors(), before + 1);
    assert_ptr_equal(pp_buffer_ref(buffer), buffer);
    pp_buffer_unref(buffer);
    memset(pp_buffer_data(buffer), 1, 4096); /* still there */
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(sum_and_answer), NULL, "B", buffer), 0);
    pp_buffer_unref(buffer); /* the task holds it */
    finish(task, PP_DONE);
    uint64_t size = 0, sum = 0;
    assert_int_equal(pp_value_unpack(pp_task_result(task), "UU", &size, &sum), 0);
    assert_int_equal(sum, 4096);
    pp_task_unref(task);
    assert_int_equal(open_descriptors(), before);
}

static int return_what_it_got(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_call_args(call, "B", &buffer);
    if (error < 0)
        return error;
    memcpy(pp_buffer_data(buffer), "got", 4);
    return pp_call_return(call, "B", buffer);
}

static void a_worker_returns_a_buffer_that_it_got(void **state)
{
    pp_buffer *buffer = buffer_of(64);
    pp_buffer *returned = NULL;
    pp_task   *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_what_it_got), NULL, "B", buffer), 0);
    finish(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "B", &returned), 0);
    assert_string_equal(pp_buffer_data(returned), "got");
    assert_int_equal(pp_buffer_size(returned), 64);
    strcpy(pp_buffer_data(buffer), "same"); /* it is the same memory */
    assert_string_equal(pp_buffer_data(returned), "same");
    pp_buffer_unref(buffer);
    assert_string_equal(pp_buffer_data(returned), "same");
    pp_task_unref(task);
}

static int return_what_it_made(pp_call *call)
{
    pp_buffer *buffer = NULL;
    uint64_t   size = 0;
    int        error = pp_call_args(call, "U", &size);
    if (error == 0)
        error = pp_buffer_create(&buffer, size);
    if (error < 0)
        return error;
    if (size > 0)
        memset(pp_buffer_data(buffer), 'm', size);
    error = pp_call_return(call, "B", buffer);
    pp_buffer_unref(buffer);
    return error;
}

static void a_worker_returns_a_buffer_that_it_made(void **state)
{
    enum { SIZE = 300 * 1000 };
    unsigned before = open_descriptors();
    (void)state;
    for (int i = 0; i < 10; i++) {
        pp_buffer *returned = NULL;
        pp_task   *task = NULL;
        assert_int_equal(
            pp_task_create(&task, PP_FUNCTION(return_what_it_made), NULL, "U", (uint64_t)SIZE), 0);
        finish(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "B", &returned), 0);
        pp_buffer_ref(returned); /* borrowed from the result; now ours, too */
        pp_task_unref(task);
        const char *bytes = pp_buffer_data(returned);
        assert_int_equal(pp_buffer_size(returned), SIZE);
        assert_int_equal(bytes[0], 'm');
        assert_int_equal(bytes[SIZE - 1], 'm');
        pp_buffer_unref(returned);
    }
    assert_int_equal(open_descriptors(), before);
}

static int exchange(pp_call *call)
{
    pp_buffer *one = NULL, *two = NULL, *three = NULL, *key = NULL, *made = NULL;
    int error = pp_call_args(call, "[B { \"two\": B }] three=B key=B", &one, &two, &three, &key);
    if (error == 0)
        error = pp_buffer_create(&made, 1);
    if (error < 0)
        return error;
    *(char *)pp_buffer_data(one) += 1;
    *(char *)pp_buffer_data(two) += 2;
    *(char *)pp_buffer_data(three) += 3;
    *(char *)pp_buffer_data(made) = 'n';
    error = pp_call_return(call, "{ \"list\": [B B i], \"new\": B, \"one\": B }", two, one, 5, made,
                           one);
    pp_buffer_unref(made);
    return key == one ? error : pp_call_raise(call, EIO, "Twice", "one buffer became two");
}

static void buffers_travel_inside_lists_maps_and_keywords(void **state)
{
    pp_buffer *buffers[3];
    pp_buffer *two = NULL, *one = NULL, *made = NULL, *again = NULL;
    int        number = 0;
    pp_task   *task = NULL;
    (void)state;
    for (int i = 0; i < 3; i++) {
        buffers[i] = buffer_of(1);
        *(char *)pp_buffer_data(buffers[i]) = 'a';
    }
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(exchange), NULL,
                                    "[B { \"two\": B }] three=B key=B", buffers[0], buffers[1],
                                    buffers[2], buffers[0]),
                     0);
    finish(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task),
                                     "{ \"list\": [B B i], \"new\": B, \"one\": B }", &two, &one,
                                     &number, &made, &again),
                     0);
    assert_int_equal(*(char *)pp_buffer_data(one), 'b');
    assert_int_equal(*(char *)pp_buffer_data(two), 'c');
    assert_int_equal(*(char *)pp_buffer_data(buffers[2]), 'd');
    assert_int_equal(*(char *)pp_buffer_data(made), 'n');
    assert_ptr_equal(again, one);
    assert_int_equal(number, 5);
    pp_task_unref(task);
    for (int i = 0; i < 3; i++)
        pp_buffer_unref(buffers[i]);
}

static void a_buffer_may_have_no_bytes(void **state)
{
    pp_buffer *buffer = buffer_of(0);
    uint64_t   size = 1, sum = 1;
    pp_task   *task = NULL;
    pp_buffer *returned = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(sum_and_answer), NULL, "B", buffer), 0);
    finish(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "UU", &size, &sum), 0);
    assert_int_equal(size, 0);
    assert_int_equal(sum, 0);
    pp_task_unref(task);
    pp_buffer_unref(buffer);
    task = NULL;
    assert_int_equal(
        pp_task_create(&task, PP_FUNCTION(return_what_it_made), NULL, "U", (uint64_t)0), 0);
    finish(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "B", &returned), 0);
    assert_int_equal(pp_buffer_size(returned), 0);
    pp_task_unref(task);
}

static int crash_with_buffer(pp_call *call)
{
    pp_buffer *buffer = NULL;
    (void)pp_call_args(call, "B", &buffer);
    memcpy(pp_buffer_data(buffer), "last words", 11);
    _exit(3);
}

static void a_buffer_survives_the_death_of_a_worker(void **state)
{
    pp_buffer *buffer = buffer_of(100);
    uint64_t   size = 0, sum = 0;
    pp_task   *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(crash_with_buffer), NULL, "B", buffer), 0);
    finish(task, PP_WORKER_LOST);
    assert_string_equal(pp_buffer_data(buffer), "last words");
    pp_task_unref(task);
    task = NULL;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(sum_and_answer), NULL, "B", buffer), 0);
    finish(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "UU", &size, &sum), 0);
    assert_int_equal(size, 100);
    pp_task_unref(task);
    pp_buffer_unref(buffer);
}

static void a_buffer_goes_along_with_large_arguments_and_to_many_tasks(void **state)
{
    enum { TASKS = 40 };
    static char large[200 * 1024];
    pp_buffer  *buffer = buffer_of(100);
    (void)state;
    for (int i = 0; i < TASKS; i++) {
        uint64_t size = 0, sum = 0;
        pp_task *task = NULL;
        memset(pp_buffer_data(buffer), 1, 100);
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(sum_and_answer), NULL, "B", buffer), 0);
        finish(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "UU", &size, &sum), 0);
        assert_int_equal(sum, 100);
        pp_task_unref(task);
        task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(sum_and_answer), NULL, "By", buffer,
                                        large, sizeof large),
                         0);
        finish(task, PP_FAILED); /* one argument too many, but it arrived */
        assert_int_equal(pp_error_errno(pp_task_error(task)), E2BIG);
        pp_task_unref(task);
    }
    pp_buffer_unref(buffer);
}

static void more_buffers_than_a_message_takes_are_refused(void **state)
{
    enum { MANY = 260 };
    static char format[MANY + 3];
    pp_buffer  *buffers[MANY];
    pp_task    *task = NULL;
    (void)state;
    for (int i = 0; i < MANY; i++)
        buffers[i] = buffer_of(1);
    memset(format, 'B', MANY);
    format[0] = '[';
    format[MANY - 1] = ']';
    /* the same buffer many times is one; as many as there are, are too many */
#define EIGHT(at)                                                                            \
    buffers[at], buffers[(at) + 1], buffers[(at) + 2], buffers[(at) + 3], buffers[(at) + 4], \
        buffers[(at) + 5], buffers[(at) + 6], buffers[(at) + 7]
#define SIXTY_FOUR(at)                                                                \
    EIGHT(at), EIGHT((at) + 8), EIGHT((at) + 16), EIGHT((at) + 24), EIGHT((at) + 32), \
        EIGHT((at) + 40), EIGHT((at) + 48), EIGHT((at) + 56)
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), NULL, format, SIXTY_FOUR(0),
                                    SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192), buffers[256],
                                    buffers[257]),
                     -E2BIG);
    assert_null(task);
    for (int i = 0; i < MANY; i++)
        pp_buffer_unref(buffers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_buffers_of_a_cancelled_task_are_not_given_to_the_next),
        cmocka_unit_test(a_buffer_filled_in_place_is_seen_by_a_worker_and_its_writes_by_the_host),
        cmocka_unit_test(both_sides_see_each_other_at_once),
        cmocka_unit_test(a_buffer_lives_until_its_last_reference_goes),
        cmocka_unit_test(a_worker_returns_a_buffer_that_it_got),
        cmocka_unit_test(a_worker_returns_a_buffer_that_it_made),
        cmocka_unit_test(buffers_travel_inside_lists_maps_and_keywords),
        cmocka_unit_test(a_buffer_may_have_no_bytes),
        cmocka_unit_test(a_buffer_survives_the_death_of_a_worker),
        cmocka_unit_test(a_buffer_goes_along_with_large_arguments_and_to_many_tasks),
        cmocka_unit_test(more_buffers_than_a_message_takes_are_refused),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
