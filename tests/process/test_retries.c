/*
 * test_retries.c - a task is tried again after an exception, a timeout or a lost worker, as often as
 * it may, with delays that double; with max_retries 0 it never begins twice.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MANY = 400 };

/* Shared with the workers: made before the pool. */
static atomic_uint *begun;
static double      *moments;

enum trouble { RAISE, CRASH, LAST_FOR_EVER };

/* In trouble until the attempt number `good`; then returns the attempt. */
static int succeed_at_last(pp_call *call)
{
    int trouble = 0;
    int good = 0;
    if (pp_call_args(call, "ii", &trouble, &good) < 0)
        return -EINVAL;
    unsigned before = atomic_fetch_add(&begun[0], 1);
    if (before < MANY)
        moments[before] = now();
    if (pp_call_attempt(call) >= (unsigned)good)
        return pp_call_return(call, "u", pp_call_attempt(call));
    switch ((enum trouble)trouble) {
    case CRASH:
        return crash_by_segv(call);
    case LAST_FOR_EVER:
        return sleep_for_ever(call);
    default:
        return pp_call_raise(call, EIO, "NotYet", "attempt %u", pp_call_attempt(call));
    }
}

static int set_up(void **state)
{
    (void)state;
    void *shared = mmap(NULL, MANY * (sizeof *moments + sizeof *begun), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -1;
    moments = shared;
    begun = (atomic_uint *)(moments + MANY);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(moments, MANY * (sizeof *moments + sizeof *begun));
}

static unsigned callbacks_run;

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    callbacks_run++;
}

static void count_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task;
    (void)error;
    (void)userdata;
    callbacks_run++;
}

static pp_task *queue_trouble(pp_pool *pool, enum trouble trouble, int good, unsigned max_retries,
                              double retry_delay)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *task = NULL;
    options.max_retries = max_retries;
    options.retry_delay = retry_delay;
    options.timeout = trouble == LAST_FOR_EVER ? 0.1 : 0;
    options.callback = count_result;
    options.exception_callback = count_exception;
    callbacks_run = 0;
    assert_int_equal(
        pp_task_create(&task, PP_FUNCTION(succeed_at_last), &options, "ii", (int)trouble, good), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

static void assert_tried_until_it_succeeds(enum trouble trouble)
{
    pp_pool_stats stats = {.size = sizeof stats};
    unsigned      attempt = 0;
    pp_pool      *pool = pool_of(1, 1);
    pp_task      *task = queue_trouble(pool, trouble, 3, 5, 0);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "u", &attempt), 0);
    assert_int_equal(attempt, 3);
    assert_int_equal(pp_task_attempts(task), 3);
    assert_int_equal(*begun, 3);
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.retried, 2);
    assert_int_equal(stats.done, 1);
    assert_int_equal(stats.failed + stats.timed_out + stats.worker_lost, 0);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(callbacks_run, 1);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* All attempts in vain: as many as it may have, then the outcome of the last. */
static void assert_tried_as_often_as_it_may(enum trouble trouble, pp_state outcome)
{
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_trouble(pool, trouble, 100, 2, 0);
    assert_ends(task, outcome);
    assert_int_equal(pp_task_attempts(task), 3);
    assert_int_equal(*begun, 3);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(callbacks_run, 1);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void assert_begins_once(enum trouble trouble, pp_state outcome)
{
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_trouble(pool, trouble, 100, 0, 0);
    assert_ends(task, outcome);
    assert_int_equal(pp_task_attempts(task), 1);
    pp_task *next = queue_function(pool, return_null, NULL);
    assert_ends(next, PP_DONE);
    assert_int_equal(*begun, 1);
    pp_task_unref(task);
    pp_task_unref(next);
    pp_pool_destroy(pool);
}

/* ---------------------------------------------------------------------------- tests */

static void a_task_is_tried_again_after_an_exception(void **state)
{
    (void)state;
    assert_tried_until_it_succeeds(RAISE);
}

static void a_task_is_tried_again_after_a_timeout(void **state)
{
    (void)state;
    assert_tried_until_it_succeeds(LAST_FOR_EVER);
}

static void a_task_is_tried_again_after_a_lost_worker(void **state)
{
    (void)state;
    assert_tried_until_it_succeeds(CRASH);
}

static void exceptions_are_retried_max_retries_times(void **state)
{
    (void)state;
    assert_tried_as_often_as_it_may(RAISE, PP_FAILED);
}

static void timeouts_are_retried_max_retries_times(void **state)
{
    (void)state;
    assert_tried_as_often_as_it_may(LAST_FOR_EVER, PP_TIMED_OUT);
}

static void lost_workers_are_retried_max_retries_times(void **state)
{
    (void)state;
    assert_tried_as_often_as_it_may(CRASH, PP_WORKER_LOST);
}

static void without_retries_a_task_that_raised_never_begins_again(void **state)
{
    (void)state;
    assert_begins_once(RAISE, PP_FAILED);
}

static void without_retries_a_task_that_timed_out_never_begins_again(void **state)
{
    (void)state;
    assert_begins_once(LAST_FOR_EVER, PP_TIMED_OUT);
}

static void without_retries_a_task_whose_worker_was_lost_never_begins_again(void **state)
{
    (void)state;
    assert_begins_once(CRASH, PP_WORKER_LOST);
}

static void the_delay_between_attempts_doubles(void **state)
{
    const double first = 0.08;
    double       delay = first;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_trouble(pool, RAISE, 100, 3, first);
    pp_task *meanwhile = queue_function(pool, return_null, NULL);
    assert_ends(meanwhile, PP_DONE); /* nobody waits for the delay but the task itself */
    assert_int_equal(pp_task_state(task), PP_QUEUED);
    assert_true(pp_pool_is_working(pool));
    assert_ends(task, PP_FAILED);
    assert_int_equal(pp_task_attempts(task), 4);
    assert_int_equal(*begun, 4);
    for (int i = 1; i < 4; i++, delay *= 2) {
        double gap = moments[i] - moments[i - 1];
        print_message("           %.3f s before attempt %d\n", gap, i + 1);
        assert_true(gap >= delay);
        assert_true(gap < delay + 2.0);
    }
    pp_task_unref(task);
    pp_task_unref(meanwhile);
    pp_pool_destroy(pool);
}

/* Counts how often each of many began; the worker may die right then. */
static int count_and_maybe_crash(pp_call *call)
{
    int number = 0;
    if (pp_call_args(call, "i", &number) < 0)
        return -EINVAL;
    atomic_fetch_add(&begun[number], 1);
    return number % 10 == 0 ? crash_by_segv(call) : 0;
}

static void under_load_and_crashes_each_task_begins_as_often_as_its_attempts_say(void **state)
{
    static pp_task *tasks[MANY];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_task_options own = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.min_size = options.max_size = 2;
    options.max_queued_requests = MANY;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < MANY; i++) {
        own.max_retries = i % 20 == 0 ? 1 : 0;
        assert_int_equal(
            pp_task_create(&tasks[i], PP_FUNCTION(count_and_maybe_crash), &own, "i", i), 0);
        assert_int_equal(pp_pool_queue_task(pool, tasks[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        unsigned expected = i % 20 == 0 ? 2 : 1;
        assert_ends(tasks[i], i % 10 == 0 ? PP_WORKER_LOST : PP_DONE);
        assert_int_equal(pp_task_attempts(tasks[i]), expected);
        assert_int_equal(begun[i], expected);
        pp_task_unref(tasks[i]);
    }
    pp_pool_destroy(pool);
}

#define RETRY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* ------------------------------------------------------------------------ unattended */

static int raise_then_pass_the_gate(pp_call *call)
{
    if (pp_call_attempt(call) < 3)
        return pp_call_raise(call, EIO, "NotYet", "attempt %u", pp_call_attempt(call));
    gate_pass(&the_gate);
    return 0;
}

/* The program queues it and does not come back. */
static void a_task_is_tried_again_though_nobody_asks_for_it(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.max_retries = 2;
    for (int behind_another = 0; behind_another < 2; behind_another++) {
        gate_open(&the_gate);
        pp_pool *pool = pool_of(1, 1);
        if (behind_another)
            assert_int_equal(
                pp_pool_create_and_queue_task(pool, PP_FUNCTION(return_null), NULL, NULL), 0);
        assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(raise_then_pass_the_gate),
                                                       &options, NULL),
                         0);
        gate_await(&the_gate);
        gate_release(&the_gate);
        pp_pool_destroy(pool);
        gate_close(&the_gate);
    }
}

static int tell_pid(void *told, void **state)
{
    pid_t pid = getpid();
    (void)state;
    return write(((int *)told)[1], &pid, sizeof pid) == (ssize_t)sizeof pid ? 0 : -EIO;
}

/* It does not sleep afterwards until it is done. */
static int tell(pp_call *call)
{
    char byte = 0;
    (void)call;
    return write(the_gate.begun[1], &byte, 1) == 1 ? 0 : -EIO;
}

/* The worker has done what came before, and sleeps; the host, which nobody asked, does not know. */
static void a_task_is_tried_again_though_what_came_before_was_not_looked_at(void **state)
{
    pp_pool_options sizes = PP_POOL_OPTIONS_INIT;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pid_t           worker = 0;
    int             told[2];
    (void)state;
    assert_int_equal(pipe(told), 0);
    gate_open(&the_gate);
    sizes.min_size = sizes.max_size = 1;
    sizes.worker_init = tell_pid;
    sizes.worker_arg = told;
    pp_pool *pool = pool_with(&sizes);
    assert_int_equal(read(told[0], &worker, sizeof worker), sizeof worker);
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(tell), NULL, NULL), 0);
    gate_await(&the_gate);
    assert_true(eventually(process_sleeps, &worker));
    options.max_retries = 2;
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(raise_then_pass_the_gate),
                                                   &options, NULL),
                     0);
    gate_await(&the_gate);
    gate_release(&the_gate);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
    close(told[0]);
    close(told[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RETRY_TEST(a_task_is_tried_again_though_nobody_asks_for_it),
        RETRY_TEST(a_task_is_tried_again_though_what_came_before_was_not_looked_at),
        RETRY_TEST(a_task_is_tried_again_after_an_exception),
        RETRY_TEST(a_task_is_tried_again_after_a_timeout),
        RETRY_TEST(a_task_is_tried_again_after_a_lost_worker),
        RETRY_TEST(exceptions_are_retried_max_retries_times),
        RETRY_TEST(timeouts_are_retried_max_retries_times),
        RETRY_TEST(lost_workers_are_retried_max_retries_times),
        RETRY_TEST(without_retries_a_task_that_raised_never_begins_again),
        RETRY_TEST(without_retries_a_task_that_timed_out_never_begins_again),
        RETRY_TEST(without_retries_a_task_whose_worker_was_lost_never_begins_again),
        RETRY_TEST(the_delay_between_attempts_doubles),
        RETRY_TEST(under_load_and_crashes_each_task_begins_as_often_as_its_attempts_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
