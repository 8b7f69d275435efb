/*
 * test_map.c - one function over an array: order, chunks, failures with their index.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int make_pool_of_two(void **state)
{
    (void)state;
    the_pool = pool_of(2, 2);
    return 0;
}

/* The item of a call, or its error. */
static int item_of(pp_call *call, int *item)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0 || size != sizeof *item)
        return error < 0 ? error : -EBADMSG;
    memcpy(item, data, size);
    return 0;
}

static int square(pp_call *call)
{
    int item = 0;
    int error = item_of(call, &item);
    if (error < 0)
        return error;
    int64_t result = (int64_t)item * item;
    return pp_call_return_bytes(call, &result, sizeof result);
}

static int *numbers(size_t count)
{
    int *items = malloc(count * sizeof *items);
    assert_non_null(items);
    for (size_t i = 0; i < count; i++)
        items[i] = (int)i - 7;
    return items;
}

static void map_squares(size_t count, size_t chunk)
{
    int     *items = numbers(count);
    int64_t *out = calloc(count, sizeof *out);
    size_t   failed = 77;
    assert_non_null(out);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(square), items, sizeof *items, count, out,
                                 sizeof *out, chunk, &failed),
                     0);
    assert_int_equal(failed, 77);
    for (size_t i = 0; i < count; i++)
        assert_true(out[i] == (int64_t)items[i] * items[i]);
    free(items);
    free(out);
}

static void results_are_in_order_whatever_the_chunk(void **state)
{
    static const size_t chunks[] = {0, 1, 2, 3, 7, 99, 100, 101, 1000};
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        map_squares(100, chunks[i]);
    map_squares(1, 0);
    map_squares(2, 0);
}

static void a_chunk_larger_than_any_array_is_all_of_it(void **state)
{
    (void)state;
    map_squares(100, SIZE_MAX);
    map_squares(100, SIZE_MAX - 50);
}

static void a_hundred_thousand_items_are_mapped(void **state)
{
    (void)state;
    map_squares(100000, 0);
}

static void no_items_are_no_work(void **state)
{
    size_t        failed = 77;
    int           item = 0;
    pp_pool_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    (void)state;
    assert_int_equal(pp_pool_get_stats(the_pool, &before), 0);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(square), NULL, 4, 0, NULL, 8, 0, &failed),
                     0);
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(square), &item, 4, 0, &item, 8, 5, NULL), 0);
    assert_int_equal(failed, 77);
    assert_int_equal(pp_pool_get_stats(the_pool, &after), 0);
    assert_int_equal(before.done, after.done);
}

static int write_item(pp_call *call)
{
    int item = 0;
    int error = item_of(call, &item);
    if (error == 0 && write(the_gate.begun[1], "x", 1) != 1)
        error = -EIO;
    return error;
}

static void results_of_no_bytes_are_calls_all_the_same(void **state)
{
    enum { COUNT = 50 };
    int  items[COUNT] = {0};
    char bytes[COUNT + 1];
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 2);
    assert_int_equal(pp_pool_map(pool, PP_FUNCTION(write_item), items, sizeof *items, COUNT, NULL,
                                 0, 0, NULL),
                     0);
    assert_int_equal(read(the_gate.begun[0], bytes, sizeof bytes), COUNT);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static int scale(pp_call *call)
{
    size_t     size = 0;
    const int *factor = pp_call_captured(call, &size);
    int        item = 0;
    int        error = item_of(call, &item);
    if (error < 0)
        return error;
    item *= *factor;
    return pp_call_return_bytes(call, &item, sizeof item);
}

static void a_closure_is_mapped(void **state)
{
    int  factor = 11;
    int *items = numbers(1000);
    int *out = calloc(1000, sizeof *out);
    (void)state;
    assert_int_equal(pp_pool_map(the_pool, PP_CLOSURE(scale, &factor, sizeof factor), items,
                                 sizeof *items, 1000, out, sizeof *out, 0, NULL),
                     0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(out[i], items[i] * 11);
    free(items);
    free(out);
}

/* Were it not each item's own copy, the next would see 12. */
static int scale_and_change(pp_call *call)
{
    int *factor = pp_call_captured(call, NULL);
    int  error = scale(call);
    if (factor != NULL)
        (*factor)++;
    return error;
}

static void each_item_has_its_own_copy_of_what_a_closure_captured(void **state)
{
    int  factor = 11;
    int *items = numbers(100);
    int *out = calloc(100, sizeof *out);
    (void)state;
    assert_int_equal(pp_pool_map(the_pool, PP_CLOSURE(scale_and_change, &factor, sizeof factor),
                                 items, sizeof *items, 100, out, sizeof *out, 10, NULL),
                     0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(out[i], items[i] * 11);
    free(items);
    free(out);
}

static int keep_item(void *self, pp_call *call)
{
    return item_of(call, self);
}

static int negate_item(void *self, pp_call *call)
{
    int item = -*(int *)self;
    return pp_call_return_bytes(call, &item, sizeof item);
}

static void a_class_is_made_for_each_item(void **state)
{
    static const pp_class negator = {
        .name = "negator", .size = sizeof(int), .init = keep_item, .call = negate_item};
    int *items = numbers(100);
    int *out = calloc(100, sizeof *out);
    (void)state;
    assert_int_equal(pp_pool_map(the_pool, PP_CLASS(&negator), items, sizeof *items, 100, out,
                                 sizeof *out, 0, NULL),
                     0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(out[i], -items[i]);
    free(items);
    free(out);
}

static int large_result(pp_call *call)
{
    static unsigned char bytes[100 * 1000];
    int                  item = 0;
    int                  error = item_of(call, &item);
    memset(bytes, item, sizeof bytes);
    return error < 0 ? error : pp_call_return_bytes(call, bytes, sizeof bytes);
}

static void results_larger_than_a_worker_has_room_for_are_mapped(void **state)
{
    enum { COUNT = 12, SIZE = 100 * 1000 };
    int            items[COUNT];
    unsigned char *out = malloc((size_t)COUNT * SIZE);
    (void)state;
    assert_non_null(out);
    for (int i = 0; i < COUNT; i++)
        items[i] = i;
    for (size_t chunk = 0; chunk <= COUNT; chunk += 4) {
        memset(out, 0xff, (size_t)COUNT * SIZE);
        assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(large_result), items, sizeof *items,
                                     COUNT, out, SIZE, chunk, NULL),
                         0);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(out[i * SIZE], i);
            assert_int_equal(out[(i + 1) * SIZE - 1], i);
        }
    }
    free(out);
}

/* ----------------------------------------------------------------------- failures */

static int fail_at(pp_call *call)
{
    int item = 0;
    int error = item_of(call, &item);
    if (error < 0)
        return error;
    if (item == 93)
        return pp_call_raise(call, EDOM, "NotThis", "%d", item);
    if (item > 93)
        return -ERANGE;
    return pp_call_return_bytes(call, &item, sizeof item);
}

static void the_first_failure_is_told_with_its_index(void **state)
{
    static const size_t chunks[] = {0, 1, 5, 64, 100, 101, 200};
    int                *items = numbers(200);
    int                 out[200];
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        size_t failed = 0;
        assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(fail_at), items, sizeof *items, 200, out,
                                     sizeof *out, chunks[i], &failed),
                         -EDOM);
        assert_int_equal(failed, 100); /* items begin at -7 */
        assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(fail_at), items, sizeof *items, 200, out,
                                     sizeof *out, chunks[i], NULL),
                         -EDOM);
    }
    free(items);
    map_squares(100, 0); /* nothing of it is left behind */
    assert_false(pp_pool_is_working(the_pool));
}

static int wrong_size(pp_call *call)
{
    int item = 0;
    int error = item_of(call, &item);
    return error < 0 ? error : pp_call_return_bytes(call, &item, item == 3 ? 3 : 4);
}

static int no_bytes_at_all(pp_call *call)
{
    int item = 0;
    int error = item_of(call, &item);
    if (error < 0)
        return error;
    return item == 3 ? pp_call_return(call, "i", item)
                     : pp_call_return_bytes(call, &item, sizeof item);
}

static void a_result_of_another_size_is_a_failure_of_its_item(void **state)
{
    static const size_t chunks[] = {0, 1, 7, 20};
    int                *items = numbers(20);
    int                 out[20];
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        size_t failed = 0;
        assert_true(pp_pool_map(the_pool, PP_FUNCTION(wrong_size), items, sizeof *items, 20, out,
                                sizeof *out, chunks[i], &failed) < 0);
        assert_int_equal(failed, 10);
        failed = 0;
        assert_true(pp_pool_map(the_pool, PP_FUNCTION(no_bytes_at_all), items, sizeof *items, 20,
                                out, sizeof *out, chunks[i], &failed) < 0);
        assert_int_equal(failed, 10);
    }
    free(items);
}

static int crash_at(pp_call *call)
{
    int item = 0;
    int error = item_of(call, &item);
    if (item == 43)
        raise(SIGKILL);
    return error < 0 ? error : pp_call_return_bytes(call, &item, sizeof item);
}

static void a_worker_that_dies_in_the_middle_is_a_failure(void **state)
{
    int   *items = numbers(100);
    int    out[100];
    size_t failed = 0;
    (void)state;
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(crash_at), items, sizeof *items, 100, out,
                                 sizeof *out, 1, &failed),
                     -EOWNERDEAD);
    assert_int_equal(failed, 50);
    failed = 0;
    assert_int_equal(pp_pool_map(the_pool, PP_FUNCTION(crash_at), items, sizeof *items, 100, out,
                                 sizeof *out, 10, &failed),
                     -EOWNERDEAD);
    assert_in_range(failed, 50, 59); /* of a chunk that was lost only that is known */
    free(items);
    map_squares(100, 0);
}

static void what_cannot_be_resolved_is_the_failure_of_the_first_item(void **state)
{
    int    items[10] = {0};
    int    out[10];
    size_t failed = 77;
    (void)state;
    assert_int_equal(pp_pool_map(the_pool, PP_NAMED("nobody"), items, sizeof *items, 10, out,
                                 sizeof *out, 0, &failed),
                     -ENOENT);
    assert_int_equal(failed, 0);
}

static void a_finalized_pool_maps_nothing(void **state)
{
    int      items[3] = {1, 2, 3};
    int64_t  out[3];
    pp_pool *pool = pool_of(1, 1);
    (void)state;
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    assert_int_equal(pp_pool_map(pool, PP_FUNCTION(square), items, sizeof *items, 3, out,
                                 sizeof *out, 0, NULL),
                     -ESHUTDOWN);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_in_order_whatever_the_chunk),
        cmocka_unit_test(a_chunk_larger_than_any_array_is_all_of_it),
        cmocka_unit_test(a_hundred_thousand_items_are_mapped),
        cmocka_unit_test(no_items_are_no_work),
        cmocka_unit_test(results_of_no_bytes_are_calls_all_the_same),
        cmocka_unit_test(a_closure_is_mapped),
        cmocka_unit_test(each_item_has_its_own_copy_of_what_a_closure_captured),
        cmocka_unit_test(a_class_is_made_for_each_item),
        cmocka_unit_test(results_larger_than_a_worker_has_room_for_are_mapped),
        cmocka_unit_test(the_first_failure_is_told_with_its_index),
        cmocka_unit_test(a_result_of_another_size_is_a_failure_of_its_item),
        cmocka_unit_test(a_worker_that_dies_in_the_middle_is_a_failure),
        cmocka_unit_test(what_cannot_be_resolved_is_the_failure_of_the_first_item),
        cmocka_unit_test(a_finalized_pool_maps_nothing),
    };
    return cmocka_run_group_tests(tests, make_pool_of_two, drop_pool);
}
