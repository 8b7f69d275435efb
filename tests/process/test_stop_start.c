/*
 * test_stop_start.c - a pool is finalized again, by several threads, from a callback; stopped and
 * started; destroyed; and nothing of it is left behind.
 */
#include "counted.h"
#include "pool/pool.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ------------------------------------------------------- again, and by several threads */

static void a_second_finalize_returns_0_and_a_finalized_pool_takes_no_task(void **state)
{
    pp_task *task = NULL;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *running = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, 0), 1);
    assert_int_equal(pp_pool_finalize(pool, 0), 0);
    assert_int_equal(pp_pool_finalize(pool, PP_FOREVER), 0);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), NULL, NULL), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), -ESHUTDOWN);
    assert_int_equal(pp_pool_queue_task_timed(pool, task, 1), -ESHUTDOWN);
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(return_null), NULL, NULL),
                     -ESHUTDOWN);
    assert_int_equal(pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(return_null), NULL, "x", 1),
                     -ESHUTDOWN);
    assert_int_equal(pp_task_state(task), PP_NEW);
    assert_int_equal(pp_pool_start_processing(pool), -ESHUTDOWN);
    pp_task_unref(task);
    pp_task_unref(running);
    pp_pool_destroy(pool);
}

static void finalize_without_limit_waits_for_what_runs(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    gate_release(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, PP_FOREVER), 0);
    assert_all_end(&task, 1, PP_DONE);
    assert_int_equal(pp_pool_finalize(pool, -2), -EINVAL);
    pp_pool_destroy(pool);
}

struct finalizer {
    pp_pool *pool;
    int      count;
    unsigned callbacks;
};

static void *finalize_in_thread(void *data)
{
    struct finalizer *finalizer = data;
    finalizer->count = pp_pool_finalize(finalizer->pool, 0.2);
    finalizer->callbacks = callbacks_run;
    return NULL;
}

static void two_threads_may_finalize_and_both_return_when_all_is_over(void **state)
{
    pp_task_options  options = counted();
    struct finalizer finalizers[2];
    pthread_t        threads[2];
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    pp_task *first = queue_function(pool, ignore_term, &options);
    pp_task *second = queue_function(pool, ignore_term, &options);
    gate_await(&the_gate);
    gate_await(&the_gate);
    for (int i = 0; i < 2; i++) {
        finalizers[i].pool = pool;
        assert_int_equal(pthread_create(&threads[i], NULL, finalize_in_thread, &finalizers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(finalizers[i].callbacks, 2);
    }
    assert_int_equal(finalizers[0].count + finalizers[1].count, 2);
    assert_int_equal(finalizers[0].count * finalizers[1].count, 0);
    assert_all_end(&first, 1, PP_CANCELLED);
    assert_all_end(&second, 1, PP_CANCELLED);
    pp_pool_destroy(pool);
}

/* Tells that it runs, and returns when it may. */
static void pass_the_gate(pp_task *task, const pp_value *result, void *userdata)
{
    atomic_bool *returned = userdata;
    (void)task;
    (void)result;
    gate_pass(&the_gate);
    atomic_store(returned, true);
}

static bool has_no_worker(void *pool)
{
    return pp_pool_num_idle_processes(pool) == 0;
}

static void *release_the_gate(void *data)
{
    struct finalizer *finalizer = data;
    (void)eventually(has_no_worker, finalizer->pool); /* finalize has sent them away */
    gate_release(&the_gate);
    return NULL;
}

static void finalize_returns_after_the_callbacks_that_run_on_other_threads(void **state)
{
    pp_task_options  options = PP_TASK_OPTIONS_INIT;
    atomic_bool      returned = false;
    pthread_t        thread;
    struct finalizer finalizer = {.pool = pool_of(1, 1)};
    (void)state;
    options.callback = pass_the_gate;
    options.userdata = &returned;
    assert_int_equal(pp_pool_daemonize(finalizer.pool), 0);
    pp_task *task = queue_function(finalizer.pool, return_null, &options);
    gate_await(&the_gate);
    assert_int_equal(pthread_create(&thread, NULL, release_the_gate, &finalizer), 0);
    assert_int_equal(pp_pool_finalize(finalizer.pool, PATIENCE), 0);
    assert_true(atomic_load(&returned));
    assert_int_equal(pthread_join(thread, NULL), 0);
    pp_task_unref(task);
    pp_pool_destroy(finalizer.pool);
}

static void *submit_in_thread(void *data)
{
    struct finalizer *submitter = data;
    do
        submitter->count =
            pp_pool_create_and_queue_task(submitter->pool, PP_FUNCTION(gate_task), NULL, NULL);
    while (submitter->count == 0);
    return NULL;
}

static bool is_full(void *pool)
{
    return pp_pool_is_full(pool);
}

static void a_submitter_that_waits_for_a_place_is_told_of_the_end(void **state)
{
    pthread_t thread;
    (void)state;
    pp_pool         *pool = pool_of(1, 1);
    struct finalizer submitter = {.pool = pool};
    assert_int_equal(pthread_create(&thread, NULL, submit_in_thread, &submitter), 0);
    assert_true(eventually(is_full, pool));
    assert_true(pp_pool_finalize(pool, 0) >= 10);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(submitter.count, -ESHUTDOWN);
    pp_pool_destroy(pool);
}

static void finalize_in_callback(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    struct finalizer *finalizer = userdata;
    finalizer->count = pp_pool_finalize(finalizer->pool, 0);
    finalizer->callbacks = callbacks_run++;
}

static void a_callback_may_finalize_and_does_not_wait_for_itself(void **state)
{
    struct finalizer finalizer = {.count = -1};
    pp_task_options  options = PP_TASK_OPTIONS_INIT;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    finalizer.pool = pool;
    options.callback = finalize_in_callback;
    options.userdata = &finalizer;
    pp_task *first = queue_function(pool, return_null, &options);
    assert_ends(first, PP_DONE);
    options = counted();
    pp_task *second = queue_function(pool, gate_task, &options);
    gate_await(&the_gate);
    assert_true(pp_pool_process_results(pool) >= 1);
    assert_int_equal(finalizer.count, 1);
    assert_int_equal(finalizer.callbacks, 1); /* that of the second task */
    assert_all_end(&first, 1, PP_DONE);
    assert_all_end(&second, 1, PP_CANCELLED);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------- and what comes after */

static void a_stopped_pool_can_be_started_again_and_again(void **state)
{
    pp_task *refused = NULL;
    (void)state;
    pp_pool *pool = pool_of(2, 3);
    assert_int_equal(pp_task_create(&refused, PP_FUNCTION(return_null), NULL, NULL), 0);
    for (int i = 0; i < 4; i++) {
        pp_task *done = queue_function(pool, return_pid, NULL);
        assert_int_equal(pp_pool_stop_processing(pool, PATIENCE), 0);
        assert_int_equal(pp_pool_queue_task(pool, refused), -ESHUTDOWN);
        assert_int_equal(pp_pool_num_idle_processes(pool), 0);
        assert_true(pid_gone(pp_task_worker_pid(done)));
        assert_int_equal(pp_pool_start_processing(pool), 0);
        assert_int_equal(pp_pool_start_processing(pool), 0); /* it is running */
        assert_int_equal(pp_pool_num_idle_processes(pool), 2);
        pp_task *stopped = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
        assert_int_equal(pp_pool_stop_processing(pool, 0), 1);
        assert_int_equal(pp_pool_stop_processing(pool, 0), 0);
        assert_int_equal(pp_pool_start_processing(pool), 0);
        assert_all_end(&done, 1, PP_DONE);
        assert_all_end(&stopped, 1, PP_CANCELLED);
    }
    assert_int_equal(pp_pool_queue_task(pool, refused), 0);
    assert_ends(refused, PP_DONE);
    pp_task_unref(refused);
    pp_pool_destroy(pool);
}

static void destroy_finalizes_where_that_was_not_done(void **state)
{
    pp_task_options options = counted();
    (void)state;
    pp_pool_destroy(NULL);
    pp_pool *pool = pool_of(1, 1);
    pp_task *running = queue_function(pool, gate_task, &options);
    pp_task *queued = queue_function(pool, return_null, &options);
    gate_await(&the_gate);
    gate_release(&the_gate);
    pp_pool_destroy(pool);
    assert_int_equal(callbacks_run, 2);
    assert_all_end(&running, 1, PP_DONE); /* a task outlives its pool */
    assert_all_end(&queued, 1, PP_DONE);
}

static unsigned threads_of_this_process(void)
{
    unsigned count = 0;
    DIR     *directory = opendir("/proc/self/task");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static int return_parent(pp_call *call)
{
    return pp_call_return(call, "i", (int)getppid());
}

static void no_process_descriptor_or_thread_is_left_after_destroy(void **state)
{
    unsigned descriptors = 0;
    unsigned threads = 0;
    (void)state;
    for (int i = 0; i < 50; i++) {
        int      parent = 0;
        pp_pool *pool = pool_of(1, 2);
        if (i % 2 == 1)
            assert_int_equal(pp_pool_daemonize(pool), 0);
        assert_true(pp_pool_fd(pool) >= 0);
        pp_task *task = queue_function(pool, i % 3 == 0 ? crash_by_segv : return_parent, NULL);
        assert_ends(task, i % 3 == 0 ? PP_WORKER_LOST : PP_DONE);
        if (i % 5 == 0)
            assert_int_equal(pp_pool_finalize(pool, 1), 0);
        pp_pool_destroy(pool);
        assert_true(pid_gone(pp_task_worker_pid(task)));
        if (pp_value_unpack(pp_task_result(task), "i", &parent) == 0)
            assert_true(pid_gone(parent));
        pp_task_unref(task);
        if (i == 0) { /* what the C library and a sanitizer made for themselves is there now */
            descriptors = open_descriptors();
            threads = threads_of_this_process();
        }
        assert_int_equal(open_descriptors(), descriptors);
        assert_int_equal(threads_of_this_process(), threads);
    }
}

#define STOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* ------------------------------------------------------- a start that waits for workers */

static atomic_bool *refuse; /* the workers see it */

static int wait_for_leave(void *arg, void **state)
{
    char byte = 0;
    (void)state;
    if (read(((struct gate *)arg)->leave[0], &byte, 1) != 1)
        return -EIO;
    return refuse != NULL && *refuse ? -EACCES : 0;
}

static void *start_in_thread(void *pool)
{
    return pp_pool_start_processing(pool) == 0 ? pool : NULL;
}

static bool one_is_ready(void *pool)
{
    return pp_pool_num_idle_processes(pool) == 1;
}

static void a_start_returns_when_a_resize_wants_no_more_workers_than_there_are(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pthread_t       thread;
    void           *result = NULL;
    (void)state;
    options.min_size = options.max_size = 2;
    options.worker_init = wait_for_leave;
    options.worker_arg = &the_gate;
    for (int i = 0; i < 2 + 1; i++) /* the first two workers, and one of the next two */
        gate_release(&the_gate);
    pp_pool *pool = pool_with(&options);
    assert_int_equal(pp_pool_stop_processing(pool, PATIENCE), 0);
    assert_int_equal(pthread_create(&thread, NULL, start_in_thread, pool), 0);
    assert_true(eventually(one_is_ready, pool));
    assert_int_equal(pp_pool_resize(pool, 1, 2), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, pool);
    assert_works(pool);
    gate_release(&the_gate);
    pp_pool_destroy(pool);
}

static pp_pool *to_destroy;

static void destroy_the_pool(pp_task *task, const pp_error *error, void *data)
{
    (void)task, (void)error, (void)data;
    pp_pool_destroy(to_destroy);
}

static void *start_in_vain(void *pool)
{
    return pp_pool_start_processing(pool) == -EACCES ? pool : NULL;
}

static bool takes_tasks(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    bool takes = pool->life == PP_LIFE_RUNNING;
    pp_pool_unlock(pool);
    return takes;
}

static void a_callback_may_destroy_the_pool_while_a_start_fails(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_task_options task_options = PP_TASK_OPTIONS_INIT;
    pthread_t       thread;
    void           *result = NULL;
    (void)state;
    refuse = mmap(NULL, sizeof *refuse, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(refuse != MAP_FAILED);
    unsigned descriptors = open_descriptors();
    unsigned threads = threads_of_this_process();
    options.min_size = options.max_size = 1;
    options.worker_init = wait_for_leave;
    options.worker_arg = &the_gate;
    task_options.exception_callback = destroy_the_pool;
    gate_release(&the_gate);
    pp_pool *pool = to_destroy = pool_with(&options);
    assert_int_equal(pp_pool_stop_processing(pool, PATIENCE), 0);
    *refuse = true;
    assert_int_equal(pthread_create(&thread, NULL, start_in_vain, pool), 0);
    assert_true(eventually(takes_tasks, pool)); /* nobody has leave yet */
    pp_task_unref(queue_function(pool, return_null, &task_options));
    for (int i = 0; i < 32; i++)
        gate_release(&the_gate);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, pool);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(threads_of_this_process(), threads);
    assert_int_equal(munmap(refuse, sizeof *refuse), 0);
    refuse = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOP_TEST(a_second_finalize_returns_0_and_a_finalized_pool_takes_no_task),
        STOP_TEST(finalize_without_limit_waits_for_what_runs),
        STOP_TEST(two_threads_may_finalize_and_both_return_when_all_is_over),
        STOP_TEST(finalize_returns_after_the_callbacks_that_run_on_other_threads),
        STOP_TEST(a_submitter_that_waits_for_a_place_is_told_of_the_end),
        STOP_TEST(a_callback_may_finalize_and_does_not_wait_for_itself),
        STOP_TEST(a_stopped_pool_can_be_started_again_and_again),
        STOP_TEST(a_start_returns_when_a_resize_wants_no_more_workers_than_there_are),
        STOP_TEST(a_callback_may_destroy_the_pool_while_a_start_fails),
        STOP_TEST(destroy_finalizes_where_that_was_not_done),
        STOP_TEST(no_process_descriptor_or_thread_is_left_after_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
