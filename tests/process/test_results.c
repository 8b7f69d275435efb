/*
 * test_results.c - process_results, process_all_results, daemonize and the descriptor for event
 * loops.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static atomic_uint calls;

static void count_call(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    atomic_fetch_add(&calls, 1);
}

static int forget_calls(void **state)
{
    (void)state;
    calls = 0;
    return 0;
}

static pp_task_options counted(void)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = count_call;
    return options;
}

static void run_to_end(pp_pool *pool, const pp_task_options *options)
{
    pp_task *task = queue_function(pool, return_null, options);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
}

static void process_results_counts_what_ended_so_far(void **state)
{
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    (void)state;
    assert_int_equal(pp_pool_process_results(pool), 0);
    run_to_end(pool, &options);
    run_to_end(pool, &options);
    run_to_end(pool, NULL); /* without a callback it counts, too */
    assert_int_equal(calls, 0);
    assert_int_equal(pp_pool_process_results(pool), 3);
    assert_int_equal(calls, 2);
    assert_int_equal(pp_pool_process_results(pool), 0);
    pp_pool_destroy(pool);
    assert_int_equal(calls, 2);
}

static void process_results_does_not_wait(void **state)
{
    gate_open(&the_gate);
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    (void)state;
    pp_task *task = queue_function(pool, gate_task, &options);
    gate_await(&the_gate);
    assert_int_equal(pp_pool_process_results(pool), 0);
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_pool_process_results(pool), 1);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void process_all_results_waits_for_every_task_or_its_timeout(void **state)
{
    gate_open(&the_gate);
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    (void)state;
    assert_int_equal(pp_pool_process_all_results(pool, 0), 0);
    for (int i = 0; i < 3; i++)
        pp_task_unref(queue_function(pool, gate_task, &options));
    gate_await(&the_gate);
    assert_int_equal(pp_pool_process_all_results(pool, 0), -ETIMEDOUT);
    double began = now();
    assert_int_equal(pp_pool_process_all_results(pool, 0.02), -ETIMEDOUT);
    assert_true(now() - began >= 0.02);
    for (int i = 0; i < 3; i++)
        gate_release(&the_gate);
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 3);
    assert_int_equal(calls, 3);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void queue_another(pp_task *task, const pp_value *result, void *userdata)
{
    pp_pool        *pool = userdata;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    unsigned        made = atomic_fetch_add(&calls, 1) + 1;
    (void)task;
    (void)result;
    options.callback = queue_another;
    options.userdata = pool;
    if (made < 10)
        pp_task_unref(queue_function(pool, return_null, &options));
}

static void process_all_results_includes_what_callbacks_submit(void **state)
{
    pp_pool        *pool = pool_of(2, 2);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.callback = queue_another;
    options.userdata = pool;
    pp_task_unref(queue_function(pool, return_null, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 10);
    assert_int_equal(calls, 10);
    assert_false(pp_pool_is_working(pool));
    pp_pool_destroy(pool);
}

/* --------------------------------------------------------------------------- daemon */

static pthread_t callback_thread;
static int       told[2];

static void tell_thread(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    callback_thread = pthread_self();
    calls++;
    assert_int_equal(write(told[1], "", 1), 1);
}

static void await_told(void)
{
    struct pollfd entry = {.fd = told[0], .events = POLLIN};
    char          byte = 1;
    assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    assert_int_equal(read(told[0], &byte, 1), 1);
}

static void a_daemonized_pool_runs_callbacks_by_itself(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    assert_int_equal(pipe(told), 0);
    options.callback = tell_thread;
    pp_task_unref(queue_function(pool, return_null, &options)); /* before, and after */
    assert_int_equal(pp_pool_daemonize(pool), 0);
    await_told();
    assert_false(pthread_equal(callback_thread, pthread_self()));
    pthread_t daemon = callback_thread;
    assert_int_equal(pp_pool_daemonize(pool), 0); /* twice is fine */
    pp_task_unref(queue_function(pool, return_null, &options));
    await_told();
    assert_true(pthread_equal(callback_thread, daemon));
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(calls, 2);
    pp_pool_destroy(pool);
    close(told[0]);
    close(told[1]);
}

static pthread_barrier_t barrier;

static void meet(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    pthread_barrier_wait(&barrier); /* it has begun */
    pthread_barrier_wait(&barrier); /* it may end   */
    calls++;
}

static void *leave_barrier(void *pool)
{
    pthread_barrier_wait(&barrier);
    /* while a callback runs, everything is not processed */
    int before = pp_pool_process_all_results(pool, 0);
    pthread_barrier_wait(&barrier);
    return (void *)(intptr_t)before;
}

static void process_all_results_waits_for_the_daemons_callback_to_return(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pthread_t       thread;
    void           *before = NULL;
    (void)state;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    options.callback = meet;
    assert_int_equal(pp_pool_daemonize(pool), 0);
    assert_int_equal(pthread_create(&thread, NULL, leave_barrier, pool), 0);
    pp_task_unref(queue_function(pool, return_null, &options));
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(calls, 1);
    pthread_join(thread, &before);
    assert_int_equal((intptr_t)before, -ETIMEDOUT);
    pp_pool_destroy(pool);
    pthread_barrier_destroy(&barrier);
}

/* ----------------------------------------------------------------------- descriptor */

static bool readable(int fd, double timeout)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int           ready = poll(&entry, 1, (int)(timeout * 1000));
    assert_true(ready >= 0);
    return ready == 1;
}

static void the_descriptor_is_readable_exactly_while_there_is_something_to_process(void **state)
{
    gate_open(&the_gate);
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    int                   fd = pp_pool_fd(pool);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pp_pool_fd(pool), fd);
    for (int i = 0; i < 3; i++) {
        const pp_task_options *given = i == 1 ? NULL : &options;
        assert_false(readable(fd, 0));
        pp_task *task = queue_function(pool, gate_task, given);
        gate_await(&the_gate);
        assert_false(readable(fd, 0));
        gate_release(&the_gate);
        assert_true(readable(fd, PATIENCE)); /* the pool is not called meanwhile */
        assert_true(readable(fd, 0));
        assert_int_equal(pp_task_state(task), PP_DONE);
        assert_int_equal(pp_pool_process_results(pool), 1);
        assert_false(readable(fd, 0));
        pp_task_unref(task);
    }
    assert_int_equal(calls, 2);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_descriptor_asked_for_late_tells_of_what_ended_before(void **state)
{
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    (void)state;
    run_to_end(pool, &options);
    int fd = pp_pool_fd(pool);
    assert_true(readable(fd, 0));
    assert_int_equal(pp_pool_process_all_results(pool, 0), 1);
    assert_false(readable(fd, 0));
    run_to_end(pool, NULL);
    assert_true(readable(fd, 0));
    assert_int_equal(pp_pool_process_all_results(pool, 0), 1);
    assert_false(readable(fd, 0));
    pp_pool_destroy(pool);
}

static int the_fd;

static void look_at_descriptor(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    assert_int_equal(readable(the_fd, 0), calls == 0);
    calls++;
}

static void the_descriptor_is_quiet_while_the_last_callback_runs(void **state)
{
    pp_pool        *pool = pool_of(1, 1);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    the_fd = pp_pool_fd(pool);
    options.callback = look_at_descriptor;
    run_to_end(pool, &options);
    run_to_end(pool, &options);
    assert_int_equal(pp_pool_process_results(pool), 2);
    assert_int_equal(calls, 2);
    pp_pool_destroy(pool);
}

static void the_descriptor_is_quiet_after_finalize_ran_the_callbacks(void **state)
{
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    int                   fd = pp_pool_fd(pool);
    (void)state;
    run_to_end(pool, &options);
    assert_true(readable(fd, 0));
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    assert_int_equal(calls, 1);
    assert_false(readable(fd, 0));
    pp_pool_destroy(pool);
}

static void the_descriptor_is_quiet_when_a_daemon_processes(void **state)
{
    pp_pool              *pool = pool_of(1, 1);
    const pp_task_options options = counted();
    int                   fd = pp_pool_fd(pool);
    (void)state;
    assert_int_equal(pp_pool_daemonize(pool), 0);
    for (int i = 0; i < 20; i++)
        pp_task_unref(queue_function(pool, return_null, i % 2 ? &options : NULL));
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(calls, 10);
    assert_false(readable(fd, 0));
    pp_pool_destroy(pool);
}

static void an_epoll_loop_gets_every_result(void **state)
{
    enum { TASKS = 300 };
    pp_pool              *pool = pool_of(2, 2);
    const pp_task_options options = counted();
    struct epoll_event    event = {.events = EPOLLIN};
    int                   loop = epoll_create1(EPOLL_CLOEXEC);
    int                   queued = 0;
    int                   processed = 0;
    (void)state;
    assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, pp_pool_fd(pool), &event), 0);
    while (processed < TASKS) {
        while (queued < TASKS && !pp_pool_is_full(pool)) {
            assert_int_equal(
                pp_pool_create_and_queue_task(pool, PP_FUNCTION(return_null), &options, NULL), 0);
            queued++;
        }
        assert_int_equal(epoll_wait(loop, &event, 1, (int)(PATIENCE * 1000)), 1);
        processed += pp_pool_process_results(pool);
    }
    assert_int_equal(processed, TASKS);
    assert_int_equal(calls, TASKS);
    assert_int_equal(epoll_wait(loop, &event, 1, 0), 0);
    close(loop);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(process_results_counts_what_ended_so_far, forget_calls),
        cmocka_unit_test_setup(process_results_does_not_wait, forget_calls),
        cmocka_unit_test_setup(process_all_results_waits_for_every_task_or_its_timeout,
                               forget_calls),
        cmocka_unit_test_setup(process_all_results_includes_what_callbacks_submit, forget_calls),
        cmocka_unit_test_setup(a_daemonized_pool_runs_callbacks_by_itself, forget_calls),
        cmocka_unit_test_setup(process_all_results_waits_for_the_daemons_callback_to_return,
                               forget_calls),
        cmocka_unit_test_setup(
            the_descriptor_is_readable_exactly_while_there_is_something_to_process, forget_calls),
        cmocka_unit_test_setup(a_descriptor_asked_for_late_tells_of_what_ended_before,
                               forget_calls),
        cmocka_unit_test_setup(the_descriptor_is_quiet_while_the_last_callback_runs, forget_calls),
        cmocka_unit_test_setup(the_descriptor_is_quiet_after_finalize_ran_the_callbacks,
                               forget_calls),
        cmocka_unit_test_setup(the_descriptor_is_quiet_when_a_daemon_processes, forget_calls),
        cmocka_unit_test_setup(an_epoll_loop_gets_every_result, forget_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
