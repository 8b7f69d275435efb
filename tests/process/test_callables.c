/*
 * test_callables.c - functions, closures and classes; tasks by each way of queueing them; what a
 * callable can ask about its call.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static pp_pool *the_pool;

/* Seen by host and workers. */
struct counters {
    atomic_int inits, calls, finis, dirty;
};
static struct counters *counters;

static int make_pool(void **state)
{
    (void)state;
    counters =
        mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(counters != MAP_FAILED);
    the_pool = pool_of(1, 1);
    return 0;
}

static int drop_pool(void **state)
{
    (void)state;
    pp_pool_destroy(the_pool);
    munmap(counters, sizeof *counters);
    return 0;
}

/* Queue it and wait for that outcome; the caller unrefs. */
static pp_task *run(pp_task *task, pp_state state)
{
    assert_int_equal(pp_pool_queue_task(the_pool, task), 0);
    assert_ends(task, state);
    return task;
}

static void assert_number(const pp_value *value, int expected)
{
    int number = -1;
    assert_int_equal(pp_value_unpack(value, "i", &number), 0);
    assert_int_equal(number, expected);
}

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
    run(task, PP_DONE);
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
    run(task, PP_DONE);
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
    run(task, PP_DONE);
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
    run(task, PP_DONE);
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

/* --------------------------------------------------------------------- closures */

struct capture {
    int    factor;
    double offset;
};

static int scale(pp_call *call)
{
    size_t                size = 0;
    const struct capture *capture = pp_call_captured(call, &size);
    int                   number = 0;
    int                   error = pp_call_args(call, "i", &number);
    if (error < 0)
        return error;
    if (size != sizeof *capture)
        return -EBADMSG;
    return pp_call_return(call, "i", number * capture->factor + (int)capture->offset);
}

static void a_closure_sees_a_copy_of_what_it_captured(void **state)
{
    struct capture capture = {.factor = 10, .offset = 3};
    pp_task       *task = NULL;
    (void)state;
    assert_int_equal(
        pp_task_create(&task, PP_CLOSURE(scale, &capture, sizeof capture), NULL, "i", 4), 0);
    capture.factor = 1000;
    run(task, PP_DONE);
    assert_number(pp_task_result(task), 43);
    pp_task_unref(task);
}

static int captured_sum(pp_call *call)
{
    size_t               size = 0;
    const unsigned char *bytes = pp_call_captured(call, &size);
    const void          *data = NULL;
    size_t               data_size = 0;
    uint64_t             sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    int error = pp_call_bytes(call, &data, &data_size);
    if (error < 0 && error != -ENOENT)
        return error;
    return pp_call_return(call, "UUU", (uint64_t)size, sum, (uint64_t)data_size);
}

static void a_closure_may_capture_any_number_of_bytes(void **state)
{
    static const size_t sizes[] = {0, 1, 8, 9, 24, 25, 1023, 1024, 65535, 65536, 65537, 1 << 20};
    unsigned char      *bytes = malloc(1 << 20);
    (void)state;
    assert_non_null(bytes);
    memset(bytes, 3, 1 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t size = 99;
        uint64_t sum = 99;
        uint64_t payload = 99;
        pp_task *task = NULL;
        assert_int_equal(
            pp_task_create(&task, PP_CLOSURE(captured_sum, bytes, sizes[i]), NULL, NULL), 0);
        run(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "UUU", &size, &sum, &payload), 0);
        assert_true(size == sizes[i]);
        assert_true(sum == 3 * sizes[i]);
        assert_true(payload == 0);
        pp_task_unref(task);
    }
    free(bytes);
}

static void a_closure_takes_bytes_too_however_much_it_captured(void **state)
{
    static const size_t sizes[] = {0, 5, 100 * 1024};
    static char         bytes[100 * 1024];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint64_t size = 99;
        uint64_t payload = 99;
        pp_task *task = NULL;
        assert_int_equal(
            pp_task_create(&task, PP_CLOSURE(captured_sum, bytes, sizes[i]), NULL, NULL), 0);
        assert_int_equal(pp_task_set_bytes(task, "seven b", 7), 0);
        run(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "UvU", &size, &(const pp_value *){0},
                                         &payload),
                         0);
        assert_true(size == sizes[i]);
        assert_true(payload == 7);
        pp_task_unref(task);
    }
}

/* pp_call_captured hands out no pointer to const: the copy is the call's own. */
static int count_in_the_capture(pp_call *call)
{
    int *count = pp_call_captured(call, NULL);
    *count += 1;
    return pp_call_return(call, "i", *count);
}

static void a_closure_may_write_to_its_copy(void **state)
{
    static int   numbers[32 * 1024] = {5};
    const size_t sizes[] = {sizeof(int), 100, 3000, sizeof numbers};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_CLOSURE(count_in_the_capture, numbers, sizes[i]),
                                        NULL, NULL),
                         0);
        run(task, PP_DONE);
        assert_number(pp_task_result(task), 6);
        assert_int_equal(numbers[0], 5);
        pp_task_unref(task);
    }
}

/* ---------------------------------------------------------------------- classes */

struct adder {
    unsigned char zeros[100];
    int           base;
    int           by;
};

static int adder_init(void *self, pp_call *call)
{
    struct adder *adder = self;
    for (size_t i = 0; i < sizeof *adder; i++)
        if (((unsigned char *)self)[i] != 0)
            counters->dirty++;
    counters->inits++;
    memset(adder->zeros, 0xff, sizeof adder->zeros);
    int error = pp_call_args(call, "ib by?=i", &adder->base, &(bool){0}, &adder->by);
    return error < 0 ? error : adder->base < 0 ? pp_call_raise(call, ERANGE, "Negative", "-") : 0;
}

/* Called without arguments: there are none to be had. */
static int adder_call(void *self, pp_call *call)
{
    const struct adder *adder = self;
    int                 number = 0;
    const void         *data = NULL;
    size_t              size = 0;
    counters->calls++;
    if (pp_call_args(call, NULL) != 0 || pp_call_args(call, "i", &number) != -ENOENT ||
        pp_call_bytes(call, &data, &size) != -ENOENT)
        return -EPROTO;
    if (adder->by < 0)
        return pp_call_raise(call, EDOM, "NegativeStep", "step %d", adder->by);
    return pp_call_return(call, "i", adder->base + adder->by);
}

static void adder_fini(void *self)
{
    memset(self, 0xee, sizeof(struct adder));
    counters->finis++;
}

static const pp_class adder_class = {.name = "adder",
                                     .size = sizeof(struct adder),
                                     .init = adder_init,
                                     .call = adder_call,
                                     .fini = adder_fini};

static pp_task *run_adder(int base, int by, pp_state state)
{
    pp_task *task = NULL;
    counters->inits = counters->calls = counters->finis = counters->dirty = 0;
    assert_int_equal(pp_task_create(&task, PP_CLASS(&adder_class), NULL, "ib by=i", base, true, by),
                     0);
    return run(task, state);
}

static void a_class_is_made_from_the_arguments_called_without_and_finished(void **state)
{
    pp_task *task = run_adder(30, 4, PP_DONE);
    (void)state;
    assert_number(pp_task_result(task), 34);
    assert_int_equal(counters->inits, 1);
    assert_int_equal(counters->calls, 1);
    assert_int_equal(counters->finis, 1);
    pp_task_unref(task);
}

static void an_instance_is_zeroed_before_init_each_time(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pp_task_unref(run_adder(30, 4, PP_DONE));
        assert_int_equal(counters->dirty, 0);
    }
}

static void fini_runs_when_the_call_failed(void **state)
{
    pp_task *task = run_adder(30, -4, PP_FAILED);
    (void)state;
    assert_string_equal(pp_error_name(pp_task_error(task)), "NegativeStep");
    assert_int_equal(counters->calls, 1);
    assert_int_equal(counters->finis, 1);
    pp_task_unref(task);
}

static void neither_call_nor_fini_runs_when_init_failed(void **state)
{
    pp_task *task = run_adder(-30, 4, PP_FAILED);
    (void)state;
    assert_string_equal(pp_error_name(pp_task_error(task)), "Negative");
    assert_int_equal(counters->inits, 1);
    assert_int_equal(counters->calls, 0);
    assert_int_equal(counters->finis, 0);
    pp_task_unref(task);
}

static int init_from_bytes(void *self, pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error == 0)
        memcpy(self, data, size);
    return error;
}

static int tell_bytes(void *self, pp_call *call)
{
    return pp_call_return(call, "s", (const char *)self);
}

static void a_class_without_fini_may_be_made_from_bytes(void **state)
{
    static const pp_class cls = {
        .name = "text", .size = 16, .init = init_from_bytes, .call = tell_bytes};
    const char *text = NULL;
    pp_task    *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_CLASS(&cls), NULL, NULL), 0);
    assert_int_equal(pp_task_set_bytes(task, "from bytes", 10), 0);
    run(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "s", &text), 0);
    assert_string_equal(text, "from bytes");
    pp_task_unref(task);
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
        cmocka_unit_test(a_closure_sees_a_copy_of_what_it_captured),
        cmocka_unit_test(a_closure_may_capture_any_number_of_bytes),
        cmocka_unit_test(a_closure_takes_bytes_too_however_much_it_captured),
        cmocka_unit_test(a_closure_may_write_to_its_copy),
        cmocka_unit_test(a_class_is_made_from_the_arguments_called_without_and_finished),
        cmocka_unit_test(an_instance_is_zeroed_before_init_each_time),
        cmocka_unit_test(fini_runs_when_the_call_failed),
        cmocka_unit_test(neither_call_nor_fini_runs_when_init_failed),
        cmocka_unit_test(a_class_without_fini_may_be_made_from_bytes),
    };
    return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
