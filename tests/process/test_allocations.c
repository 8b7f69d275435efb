/*
 * A stream of small tasks allocates nothing, neither in the host nor in the worker, once the places that
 * it needs have been had.  Every allocation of a process goes through the functions below, which count.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTED 0 /* the sanitizer's own allocator is in the way */
#else
#define COUNTED 1
#endif

static atomic_ulong allocations; /* of this process: a forked worker counts on by itself */

#if COUNTED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}
#endif

enum { BATCH = 500, BATCHES = 20 };

static unsigned long worker_allocations; /* the most that any task said */
static unsigned      callbacks;

static void note_result(pp_task *task, const pp_value *result, void *userdata)
{
    unsigned *said = userdata;
    uint64_t  count = 0;
    (void)task;
    assert_int_equal(pp_value_unpack(result, "U", &count), 0);
    if (count > worker_allocations)
        worker_allocations = count;
    (*said)++;
}

/* "i" -> how often this worker allocated so far. */
static int count_allocations(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "U", (uint64_t)atomic_load(&allocations));
}

/* The same for a task of bytes. */
static int count_after_bytes(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0 || size != 2)
        return error < 0 ? error : -EINVAL;
    return pp_call_return(call, "U", (uint64_t)atomic_load(&allocations));
}

/* A first task holds the only worker, so that all of a batch is in the pool at once, and nothing is
 * delivered before the last one has ended: each batch needs the same places. */
static void run_batch(pp_pool *pool, bool bytes, bool limited)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.use_pool_callbacks = true;
    options.timeout = limited ? PATIENCE : 0;
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(gate_task), NULL, ""), 0);
    gate_await(&the_gate);
    for (int i = 0; i < BATCH; i++) {
        if (bytes)
            assert_int_equal(pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(count_after_bytes),
                                                            &options, "ab", 2),
                             0);
        else
            assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(count_allocations),
                                                           &options, "i", i),
                             0);
    }
    pp_task *last = queue_function(pool, return_null, NULL);
    gate_release(&the_gate);
    assert_ends(last, PP_DONE);
    pp_task_unref(last);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
}

static void assert_allocates_nothing(bool bytes, bool limited)
{
    if (!COUNTED)
        skip();
    gate_open(&the_gate);
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = options.max_size = 1;
    options.max_queued_requests = BATCH + 2;
    options.callback = note_result;
    options.userdata = &callbacks;
    pp_pool *pool = pool_with(&options);
    run_batch(pool, bytes, limited); /* the places are had */
    unsigned long host_before = atomic_load(&allocations);
    unsigned long worker_before = worker_allocations;
    assert_true(host_before > 0);
    callbacks = 0;
    for (int i = 0; i < BATCHES; i++)
        run_batch(pool, bytes, limited);
    assert_int_equal(callbacks, BATCH * BATCHES);
    /* the last task of a batch is an object of the program: itself and its outcome */
    assert_int_equal(atomic_load(&allocations) - host_before, 2 * BATCHES);
    assert_int_equal(worker_allocations - worker_before, 0);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void test_a_stream_of_small_tasks_allocates_nothing(void **state)
{
    (void)state;
    assert_allocates_nothing(false, false);
}

static void test_a_stream_of_small_bytes_allocates_nothing(void **state)
{
    (void)state;
    assert_allocates_nothing(true, false);
}

static void test_a_stream_of_small_tasks_with_time_limits_allocates_nothing(void **state)
{
    (void)state;
    assert_allocates_nothing(false, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_of_small_tasks_allocates_nothing),
        cmocka_unit_test(test_a_stream_of_small_bytes_allocates_nothing),
        cmocka_unit_test(test_a_stream_of_small_tasks_with_time_limits_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
