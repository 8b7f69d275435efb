/*
 * test_callbacks.c - callbacks of task and pool: which, in what order, exactly once, with no lock
 * held.  They may call every function of the pool.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the callbacks of one test wrote down, a letter each. */
static char        notes[64];
static atomic_uint note_count;

static void note(char letter)
{
    unsigned at = atomic_fetch_add(&note_count, 1);
    assert_true(at < sizeof notes - 1);
    notes[at] = letter;
}

static int forget_notes(void **state)
{
    (void)state;
    memset(notes, 0, sizeof notes);
    note_count = 0;
    return 0;
}

static void task_result(pp_task *task, const pp_value *result, void *userdata)
{
    assert_ptr_equal(result, pp_task_result(task));
    assert_string_equal(userdata, "of the task");
    note('t');
}

static void task_exception(pp_task *task, const pp_error *error, void *userdata)
{
    assert_ptr_equal(error, pp_task_error(task));
    assert_string_equal(userdata, "of the task");
    note('x');
}

static void pool_result(pp_task *task, const pp_value *result, void *userdata)
{
    assert_ptr_equal(result, pp_task_result(task));
    assert_string_equal(userdata, "of the pool");
    note('p');
}

static void pool_exception(pp_task *task, const pp_error *error, void *userdata)
{
    assert_ptr_equal(error, pp_task_error(task));
    assert_string_equal(userdata, "of the pool");
    note('e');
}

static pp_pool *pool_with_callbacks(void)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = options.max_size = 1;
    options.callback = pool_result;
    options.exception_callback = pool_exception;
    options.userdata = (void *)"of the pool";
    return pool_with(&options);
}

static pp_task_options options_with_callbacks(bool use_pool_callbacks)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = task_result;
    options.exception_callback = task_exception;
    options.userdata = (void *)"of the task";
    options.use_pool_callbacks = use_pool_callbacks;
    return options;
}

static int raise_it(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Raised", "on purpose");
}

static void the_tasks_callback_runs_first_then_the_pools(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = options_with_callbacks(true);
    (void)state;
    pp_task_unref(queue_function(pool, return_null, &options));
    pp_task_unref(queue_function(pool, raise_it, &options));
    pp_task_unref(queue_function(pool, return_null, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 3);
    assert_string_equal(notes, "tpxetp");
    pp_pool_destroy(pool);
}

static void the_pools_callbacks_run_only_for_tasks_that_use_them(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options own = options_with_callbacks(false);
    pp_task_options pools = PP_TASK_OPTIONS_INIT;
    (void)state;
    pools.use_pool_callbacks = true;
    pp_task_unref(queue_function(pool, return_null, &own));
    pp_task_unref(queue_function(pool, raise_it, &own));
    pp_task_unref(queue_function(pool, return_null, &pools));
    pp_task_unref(queue_function(pool, raise_it, &pools));
    pp_task_unref(queue_function(pool, raise_it, NULL));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 5);
    assert_string_equal(notes, "txpe");
    pp_pool_destroy(pool);
}

static void the_pools_callbacks_can_be_changed(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = options_with_callbacks(true);
    (void)state;
    assert_int_equal(pp_pool_set_callback(pool, NULL), 0);
    pp_task_unref(queue_function(pool, return_null, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 1);
    assert_int_equal(pp_pool_set_exception_callback(pool, NULL), 0);
    assert_int_equal(pp_pool_set_callback(pool, pool_result), 0);
    pp_task_unref(queue_function(pool, return_null, &options));
    pp_task_unref(queue_function(pool, raise_it, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 3 - 1);
    assert_string_equal(notes, "ttpx");
    pp_pool_destroy(pool);
}

/* Every end is told: lost worker, time limit, cancel, finalize. */
static void every_outcome_without_a_result_calls_the_exception_callbacks(void **state)
{
    gate_open(&the_gate);
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = options_with_callbacks(true);
    (void)state;
    pp_task *lost = queue_function(pool, crash_by_segv, &options);
    assert_ends(lost, PP_WORKER_LOST);
    options.timeout = 0.01;
    pp_task *late = queue_function(pool, sleep_for_ever, &options);
    assert_ends(late, PP_TIMED_OUT);
    options.timeout = 0;
    pp_task *running = queue_function(pool, gate_task, &options);
    gate_await(&the_gate);
    pp_task *waiting = queue_function(pool, gate_task, &options);
    assert_int_equal(pp_task_cancel(waiting), 0);
    assert_ends(waiting, PP_CANCELLED);
    assert_int_equal(pp_pool_process_results(pool), 3);
    assert_string_equal(notes, "xexexe");
    assert_int_equal(pp_pool_finalize(pool, 0), 1);
    assert_ends(running, PP_CANCELLED);
    assert_string_equal(notes, "xexexexe");
    pp_task_unref(lost);
    pp_task_unref(late);
    pp_task_unref(running);
    pp_task_unref(waiting);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* -------------------------------------------------------------------- exactly once */

enum { MANY = 2000, THREADS = 4 };
static atomic_uint calls_of[MANY];

static void count_call(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    atomic_fetch_add((atomic_uint *)userdata, 1);
}

static void *process_until_told(void *data)
{
    struct {
        pp_pool    *pool;
        atomic_bool stop;
    } *shared = data;
    while (!shared->stop) {
        if (pp_pool_process_results(shared->pool) < 0 ||
            pp_pool_process_all_results(shared->pool, 0.001) < -ETIMEDOUT)
            return (void *)1;
    }
    return NULL;
}

static void a_callback_runs_once_whoever_processes_results(void **state)
{
    struct {
        pp_pool    *pool;
        atomic_bool stop;
    } shared = {.pool = pool_of(2, 2)};
    pthread_t       threads[THREADS];
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    assert_int_equal(pp_pool_daemonize(shared.pool), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, process_until_told, &shared), 0);
    options.callback = count_call;
    for (int i = 0; i < MANY; i++) {
        options.userdata = &calls_of[i];
        assert_int_equal(pp_pool_create_and_queue_task(shared.pool, PP_FUNCTION(return_square),
                                                       &options, "i", i % 10),
                         0);
    }
    assert_true(pp_pool_process_all_results(shared.pool, PATIENCE) >= 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(calls_of[i], 1);
    shared.stop = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    pp_pool_destroy(shared.pool);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(calls_of[i], 1);
}

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

static void a_callback_may_finalize_the_pool(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task_options other = options_with_callbacks(true);
    (void)state;
    options.callback = finalize_it;
    options.userdata = pool;
    options.use_pool_callbacks = true;
    pp_task_unref(queue_function(pool, return_null, &options));
    pp_task_unref(queue_function(pool, return_null, &other));
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 1);
    /* the other one's callbacks ran in there, those of the first around it */
    assert_string_equal(notes, "tpfp");
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
        cmocka_unit_test_setup(the_tasks_callback_runs_first_then_the_pools, forget_notes),
        cmocka_unit_test_setup(the_pools_callbacks_run_only_for_tasks_that_use_them, forget_notes),
        cmocka_unit_test_setup(the_pools_callbacks_can_be_changed, forget_notes),
        cmocka_unit_test_setup(every_outcome_without_a_result_calls_the_exception_callbacks,
                               forget_notes),
        cmocka_unit_test(a_callback_runs_once_whoever_processes_results),
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
