/*
 * test_callback_calls.c - callbacks run with no lock held and may call every function of the pool,
 * finalize and destroy, too, also on the daemon's thread.
 */
#include "notes.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------ what a callback may call */

static atomic_int checks; /* that failed in a callback */

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) {                                             \
            print_error("line %d: not so: %s\n", __LINE__, #condition); \
            checks++;                                                   \
        }                                                               \
    } while (0)

static void use_the_pool(pp_task *task, const pp_value *result, void *userdata)
{
    pp_pool      *pool = userdata;
    pp_pool_stats stats = {.size = sizeof stats};
    pp_task      *other = NULL;
    int           square = 0;
    (void)result;
    CHECK(pp_task_state(task) == PP_DONE);
    CHECK(pp_task_wait(task, 0) == 0);
    CHECK(pp_task_cancel(task) == -EALREADY);
    CHECK(pp_pool_get_stats(pool, &stats) == 0 && stats.done >= 1);
    CHECK(pp_pool_min_size(pool) == 1 && pp_pool_max_size(pool) == 2);
    CHECK(!pp_pool_is_full(pool));
    CHECK(pp_pool_resize(pool, 1, 2) == 0);
    CHECK(pp_pool_set_callback(pool, NULL) == 0);
    CHECK(pp_pool_fd(pool) >= 0);
    CHECK(pp_task_create(&other, PP_FUNCTION(return_square), NULL, "i", 6) == 0);
    CHECK(pp_pool_queue_task(pool, other) == 0);
    CHECK(pp_task_wait(other, PATIENCE) == 0);
    CHECK(pp_wait_any(&other, 1, 0) == 0);
    CHECK(pp_value_unpack(pp_task_result(other), "i", &square) == 0 && square == 36);
    pp_task_unref(other);
    other = queue_function(pool, sleep_for_ever, NULL);
    CHECK(pp_task_cancel(other) == 0);
    CHECK(pp_task_wait(other, PATIENCE) == 0 && pp_task_state(other) == PP_CANCELLED);
    pp_task_unref(other);
    CHECK(pp_pool_process_results(pool) >= 0);
    CHECK(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    note('u');
}

static void a_callback_may_submit_wait_cancel_resize_and_process(void **state)
{
    (void)state;
    for (int daemonized = 0; daemonized < 2; daemonized++) {
        pp_pool        *pool = pool_of(1, 2);
        pp_task_options options = PP_TASK_OPTIONS_INIT;
        options.callback = use_the_pool;
        options.userdata = pool;
        if (daemonized)
            assert_int_equal(pp_pool_daemonize(pool), 0);
        pp_task_unref(queue_function(pool, return_null, &options));
        assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
        pp_pool_destroy(pool);
    }
    assert_int_equal(checks, 0);
    assert_string_equal(notes, "uu");
}

static int echo_number(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "i", number);
}

static void submit_more_than_fits(pp_task *task, const pp_value *result, void *userdata)
{
    pp_pool *pool = userdata;
    (void)task;
    (void)result;
    for (int i = 0; i < 100; i++)
        CHECK(pp_pool_create_and_queue_task(pool, PP_FUNCTION(echo_number), NULL, "i", i) == 0);
    note('s');
}

static void a_callback_may_wait_for_a_place_in_a_full_queue(void **state)
{
    (void)state;
    for (int daemonized = 0; daemonized < 2; daemonized++) {
        pp_pool_options pool_options = PP_POOL_OPTIONS_INIT;
        pool_options.min_size = pool_options.max_size = 1;
        pool_options.max_queued_requests = 1;
        pp_pool        *pool = pool_with(&pool_options);
        pp_task_options options = PP_TASK_OPTIONS_INIT;
        pp_pool_stats   stats = {.size = sizeof stats};
        options.callback = submit_more_than_fits;
        options.userdata = pool;
        if (daemonized)
            assert_int_equal(pp_pool_daemonize(pool), 0);
        pp_task_unref(queue_function(pool, return_null, &options));
        assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
        assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
        assert_int_equal(stats.done, 101);
        pp_pool_destroy(pool);
    }
    assert_int_equal(checks, 0);
    assert_string_equal(notes, "ss");
}

static void finalize_it(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    CHECK(pp_pool_finalize(userdata, PATIENCE) == 0);
    CHECK(pp_pool_create_and_queue_task(userdata, PP_FUNCTION(return_null), NULL, NULL) ==
          -ESHUTDOWN);
    note('f');
}

static void note_other(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    note('o');
}

static void a_callback_may_finalize_the_pool(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task_options other = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.callback = finalize_it;
    options.userdata = pool;
    other.callback = note_other;
    pp_task_unref(queue_function(pool, return_null, &options));
    pp_task_unref(queue_function(pool, return_null, &other));
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 1);
    assert_string_equal(notes, "of"); /* the other one's callback ran in there */
    assert_int_equal(pp_pool_finalize(pool, 0), 0);
    pp_pool_destroy(pool);
    assert_int_equal(checks, 0);
}

static int told[2]; /* a pipe: a callback on the daemon's thread has said its last */

static void finalize_and_tell(pp_task *task, const pp_value *result, void *userdata)
{
    finalize_it(task, result, userdata);
    CHECK(write(told[1], "", 1) == 1);
}

static void destroy_and_tell(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    pp_pool_destroy(userdata);
    note('d');
    if (told[1] >= 0)
        CHECK(write(told[1], "", 1) == 1);
}

static void await_told(void)
{
    struct pollfd entry = {.fd = told[0], .events = POLLIN};
    char          byte = 1;
    assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    assert_int_equal(read(told[0], &byte, 1), 1);
}

static void a_callback_on_the_daemons_thread_may_finalize_the_pool(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pp_pool_daemonize(pool), 0);
    options.callback = finalize_and_tell;
    options.userdata = pool;
    pp_task_unref(queue_function(pool, return_null, &options));
    await_told();
    pp_pool_destroy(pool);
    assert_string_equal(notes, "f");
    assert_int_equal(checks, 0);
    close(told[0]);
    close(told[1]);
}

static void a_callback_may_destroy_the_pool(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    told[1] = -1;
    options.callback = destroy_and_tell;
    options.userdata = pool;
    pp_task *task = queue_function(pool, return_null, &options);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_pool_process_results(pool), 1);
    assert_string_equal(notes, "d");
    assert_int_equal(pp_task_state(task), PP_DONE); /* its outcome outlives the pool */
    pp_task_unref(task);
}

static void a_callback_on_the_daemons_thread_may_destroy_the_pool(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pp_pool_daemonize(pool), 0);
    options.callback = destroy_and_tell;
    options.userdata = pool;
    pp_task *task = queue_function(pool, return_null, &options);
    await_told();
    assert_string_equal(notes, "d");
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    assert_int_equal(checks, 0);
    close(told[0]);
    close(told[1]);
}

/* ------------------------------------------------------- two callbacks at one time */

static pthread_barrier_t both;

static void wait_for_all(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    pthread_barrier_wait(&both);
    CHECK(pp_pool_process_all_results(userdata, 5) >= 0);
    note('a');
}

static void finalize_of_two(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    pthread_barrier_wait(&both);
    CHECK(pp_pool_finalize(userdata, 5) == 0);
    note('f');
}

static void *process_one(void *pool)
{
    while (pp_pool_process_results(pool) == 0)
        poll(NULL, 0, 1);
    return NULL;
}

static void run_two_callbacks(pp_result_fn *one, pp_result_fn *two)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pthread_t       thread;
    assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
    options.userdata = pool;
    options.callback = one;
    pp_task_unref(queue_function(pool, return_null, &options));
    options.callback = two;
    pp_task *last = queue_function(pool, return_null, &options);
    assert_ends(last, PP_DONE);
    pp_task_unref(last);
    assert_int_equal(pthread_create(&thread, NULL, process_one, pool), 0);
    (void)process_one(pool);
    pthread_join(thread, NULL);
    pp_pool_destroy(pool);
    pthread_barrier_destroy(&both);
    assert_int_equal(checks, 0);
    assert_int_equal(note_count, 2);
}

static void two_callbacks_may_wait_for_all_results_at_one_time(void **state)
{
    (void)state;
    run_two_callbacks(wait_for_all, wait_for_all);
}

static void two_callbacks_may_finalize_at_one_time(void **state)
{
    (void)state;
    run_two_callbacks(finalize_of_two, finalize_of_two);
}

static void one_callback_may_finalize_while_another_waits_for_all_results(void **state)
{
    (void)state;
    run_two_callbacks(finalize_of_two, wait_for_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_callback_may_submit_wait_cancel_resize_and_process, forget_notes),
        cmocka_unit_test_setup(a_callback_may_wait_for_a_place_in_a_full_queue, forget_notes),
        cmocka_unit_test_setup(a_callback_may_finalize_the_pool, forget_notes),
        cmocka_unit_test_setup(a_callback_on_the_daemons_thread_may_finalize_the_pool,
                               forget_notes),
        cmocka_unit_test_setup(a_callback_may_destroy_the_pool, forget_notes),
        cmocka_unit_test_setup(a_callback_on_the_daemons_thread_may_destroy_the_pool, forget_notes),
        cmocka_unit_test_setup(two_callbacks_may_wait_for_all_results_at_one_time, forget_notes),
        cmocka_unit_test_setup(two_callbacks_may_finalize_at_one_time, forget_notes),
        cmocka_unit_test_setup(one_callback_may_finalize_while_another_waits_for_all_results,
                               forget_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
