/*
 * test_classes.c - closures see a copy of what they captured; a class is made, called and finished.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Seen by host and workers. */
struct counters {
    atomic_int inits, calls, finis, dirty;
};
static struct counters *counters;

static int make_pool_and_counters(void **state)
{
    (void)state;
    counters =
        mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(counters != MAP_FAILED);
    return make_pool(state);
}

static int drop_pool_and_counters(void **state)
{
    (void)drop_pool(state);
    return munmap(counters, sizeof *counters);
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
    run_in_the_pool(task, PP_DONE);
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
        run_in_the_pool(task, PP_DONE);
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
        run_in_the_pool(task, PP_DONE);
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
        run_in_the_pool(task, PP_DONE);
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
    return run_in_the_pool(task, state);
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
    run_in_the_pool(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "s", &text), 0);
    assert_string_equal(text, "from bytes");
    pp_task_unref(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    return cmocka_run_group_tests(tests, make_pool_and_counters, drop_pool_and_counters);
}
