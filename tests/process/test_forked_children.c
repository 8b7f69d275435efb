/*
 * test_forked_children.c - in the process that created it a pool may be used by many threads at once;
 * in a forked child of that process every function says -ECHILD (or nothing) and touches nothing,
 * and the child may have a pool of its own.
 */
#include "sanitized.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct parents {
    pp_pool *pool;
    pp_task *fresh;   /* not queued     */
    pp_task *running; /* passes a gate  */
    pp_task *queued;  /* behind it      */
    pp_task *done;
};

static void ignore_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
}

static void ignore_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task;
    (void)error;
    (void)userdata;
}

static void call_every_pool_function(const struct parents *parents)
{
    pp_pool      *pool = parents->pool;
    pp_pool_stats stats = {.size = sizeof stats};
    int           items[2] = {1, 2};
    int           out[2];
    size_t        failed = 0;
    assert_int_equal(pp_pool_queue_task(pool, parents->fresh), -ECHILD);
    assert_int_equal(pp_pool_queue_task_timed(pool, parents->fresh, 1), -ECHILD);
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(return_null), NULL, NULL),
                     -ECHILD);
    assert_int_equal(pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(return_null), NULL, "x", 1),
                     -ECHILD);
    assert_int_equal(pp_pool_process_results(pool), -ECHILD);
    assert_int_equal(pp_pool_process_all_results(pool, PP_FOREVER), -ECHILD);
    assert_int_equal(pp_pool_daemonize(pool), -ECHILD);
    assert_int_equal(pp_pool_fd(pool), -ECHILD);
    assert_int_equal(pp_pool_resize(pool, 1, 1), -ECHILD);
    assert_int_equal(pp_pool_set_callback(pool, ignore_result), -ECHILD);
    assert_int_equal(pp_pool_set_exception_callback(pool, ignore_exception), -ECHILD);
    assert_int_equal(pp_pool_get_stats(pool, &stats), -ECHILD);
    assert_int_equal(pp_pool_map(pool, PP_FUNCTION(return_null), items, sizeof *items, 2, out,
                                 sizeof *out, 0, &failed),
                     -ECHILD);
    assert_int_equal(pp_pool_min_size(pool), 0);
    assert_int_equal(pp_pool_max_size(pool), 0);
    assert_int_equal(pp_pool_num_working_processes(pool), 0);
    assert_int_equal(pp_pool_num_idle_processes(pool), 0);
    assert_int_equal(pp_pool_free_slots(pool), 0);
    assert_false(pp_pool_has_free_slots(pool));
    assert_false(pp_pool_has_pending_tasks(pool));
    assert_false(pp_pool_is_full(pool));
    assert_false(pp_pool_is_working(pool));
    assert_int_equal(pp_pool_start_processing(pool), -ECHILD);
    assert_int_equal(pp_pool_stop_processing(pool, PP_FOREVER), -ECHILD);
    assert_int_equal(pp_pool_finalize(pool, PP_FOREVER), -ECHILD);
}

static void call_every_task_function(const struct parents *parents)
{
    pp_task *const tasks[] = {parents->running, parents->queued, parents->done};
    for (size_t i = 0; i < 3; i++) {
        double queued = -1;
        double ran = -1;
        assert_int_equal(pp_task_wait(tasks[i], PP_FOREVER), -ECHILD);
        assert_int_equal(pp_task_cancel(tasks[i]), -ECHILD);
        assert_int_equal(pp_task_times(tasks[i], &queued, &ran), -ECHILD);
        assert_true(queued < 0 && ran < 0);
        assert_true(pp_task_set_timeout(tasks[i], 1) < 0);
        if (tasks[i] != parents->done)
            assert_null(pp_task_result(tasks[i]));
        assert_null(pp_task_error(tasks[i]));
        assert_int_equal(pp_task_attempts(tasks[i]), 0);
        (void)pp_task_worker_pid(tasks[i]);
        (void)pp_task_state(tasks[i]);
    }
    assert_int_equal(pp_wait_any(tasks, 3, PP_FOREVER), -ECHILD);
    assert_int_equal(pp_wait_all(tasks, 3, PP_FOREVER), -ECHILD);
}

static void use_and_destroy_parents(void *data)
{
    const struct parents *parents = data;
    call_every_pool_function(parents);
    call_every_task_function(parents);
    pp_pool_destroy(parents->pool);
    pp_pool_destroy(parents->pool); /* nothing was touched */
    call_every_pool_function(parents);
}

static void use_own_pool(void *data)
{
    const struct parents *parents = data;
    pp_pool              *own = pool_of(1, 2);
    pp_task              *task = queue_function(own, return_pid, NULL);
    pp_task              *lost = queue_function(own, crash_by_segv, NULL);
    assert_ends(task, PP_DONE);
    assert_ends(lost, PP_WORKER_LOST);
    assert_int_equal(pp_pool_queue_task(parents->pool, parents->fresh), -ECHILD);
    assert_int_equal(pp_pool_queue_task(own, parents->fresh), 0); /* is nobody's yet */
    assert_ends(parents->fresh, PP_DONE);
    assert_true(pp_pool_queue_task(own, parents->queued) < 0);
    pp_task_unref(task);
    pp_task_unref(lost);
    pp_pool_destroy(own);
    assert_int_equal(pp_pool_finalize(parents->pool, PP_FOREVER), -ECHILD);
    pid_t grandchild = fork(); /* the child's own pool is not the grandchild's */
    if (grandchild == 0)
        _exit(pp_task_wait(parents->fresh, 0) == -ECHILD ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(grandchild, &status, 0), grandchild);
    assert_int_equal(status, 0);
}

static void with_parents(void (*in_child)(void *data))
{
    struct parents parents;
    gate_open(&the_gate);
    parents.pool = pool_of(1, 1);
    assert_int_equal(pp_pool_daemonize(parents.pool), 0);
    assert_int_equal(pp_task_create(&parents.fresh, PP_FUNCTION(return_null), NULL, NULL), 0);
    parents.done = queue_function(parents.pool, return_null, NULL);
    assert_ends(parents.done, PP_DONE);
    parents.running = queue_function(parents.pool, gate_task, NULL);
    gate_await(&the_gate);
    parents.queued = queue_function(parents.pool, return_null, NULL);
    assert_child_succeeds(in_child, &parents);
    gate_release(&the_gate);
    assert_ends(parents.running, PP_DONE);
    assert_ends(parents.queued, PP_DONE);
    assert_int_equal(pp_task_worker_pid(parents.running), pp_task_worker_pid(parents.done));
    assert_int_equal(pp_pool_queue_task(parents.pool, parents.fresh), 0);
    assert_ends(parents.fresh, PP_DONE);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(parents.pool, &stats), 0);
    assert_int_equal(stats.done, 4);
    assert_int_equal(stats.workers_started, 1);
    assert_int_equal(pp_pool_finalize(parents.pool, PATIENCE), 0);
    pp_pool_destroy(parents.pool);
    pp_task_unref(parents.fresh);
    pp_task_unref(parents.running);
    pp_task_unref(parents.queued);
    pp_task_unref(parents.done);
    gate_close(&the_gate);
}

/* ---------------------------------------------------------------------------- tests */

static void in_a_forked_child_every_function_says_echild_and_touches_nothing(void **state)
{
    (void)state;
    with_parents(use_and_destroy_parents);
}

static void a_forked_child_can_have_a_pool_of_its_own(void **state)
{
    (void)state;
#ifdef THREADS_ARE_WATCHED
    print_message("           ThreadSanitizer knows no new threads after a fork with threads\n");
    skip();
#endif
    with_parents(use_own_pool);
}

static void exit_with_status_5(void *data)
{
    (void)data;
    exit(5);
}

/* Nothing of the library runs at the child's exit, and the parent's pool does not notice. */
static void a_forked_child_may_exit_while_the_parents_pool_works(void **state)
{
    int status = 0;
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)fclose(stdout); /* what the test printed is the parent's */
            exit_with_status_5(NULL);
        }
        pp_task *task = queue_function(pool, return_pid, NULL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
    }
    pp_pool_destroy(pool);
}

/* -------------------------------------------------------------------------- threads */

enum { THREADS = 8, EACH = 120 };

struct crowd {
    pp_pool    *pool;
    atomic_uint callbacks;
    atomic_uint done;
    atomic_uint others;
};

static void note_result(pp_task *task, const pp_value *result, void *userdata)
{
    struct crowd *crowd = userdata;
    (void)task;
    (void)result;
    crowd->callbacks++;
}

static void note_exception(pp_task *task, const pp_error *error, void *userdata)
{
    struct crowd *crowd = userdata;
    (void)task;
    (void)error;
    crowd->callbacks++;
}

static void look_around(pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    (void)pp_pool_get_stats(pool, &stats);
    (void)pp_pool_is_full(pool);
    (void)pp_pool_free_slots(pool);
    (void)pp_pool_num_idle_processes(pool);
    (void)pp_pool_process_results(pool);
}

static void *be_one_of_the_crowd(void *data)
{
    struct crowd   *crowd = data;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *tasks[4];
    options.callback = note_result;
    options.exception_callback = note_exception;
    options.userdata = crowd;
    for (int i = 0; i < EACH; i += 4) {
        for (int k = 0; k < 4; k++)
            tasks[k] = queue_function(crowd->pool, i == 40 && k == 0 ? crash_by_segv : return_pid,
                                      &options);
        if (i % 24 == 0)
            (void)pp_task_cancel(tasks[1]);
        look_around(crowd->pool);
        assert_true(pp_wait_any(tasks, 4, PATIENCE) >= 0);
        assert_int_equal(pp_wait_all(tasks, 4, PATIENCE), 0);
        for (int k = 0; k < 4; k++) {
            if (pp_task_state(tasks[k]) == PP_DONE)
                crowd->done++;
            else
                crowd->others++;
            pp_task_unref(tasks[k]);
        }
    }
    return NULL;
}

static void many_threads_may_use_a_pool_at_once(void **state)
{
    struct crowd crowd = {0};
    pthread_t    threads[THREADS];
    (void)state;
    crowd.pool = pool_of(2, 3);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_one_of_the_crowd, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(pp_pool_process_all_results(crowd.pool, PATIENCE) >= 0);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(crowd.pool, &stats), 0);
    assert_int_equal(crowd.callbacks, THREADS * EACH);
    assert_int_equal(crowd.done + crowd.others, THREADS * EACH);
    assert_int_equal(stats.done, crowd.done);
    assert_int_equal(stats.worker_lost, THREADS);
    assert_int_equal(stats.worker_lost + stats.cancelled, crowd.others);
    assert_int_equal(pp_pool_finalize(crowd.pool, PATIENCE), 0);
    pp_pool_destroy(crowd.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_forked_child_every_function_says_echild_and_touches_nothing),
        cmocka_unit_test(a_forked_child_can_have_a_pool_of_its_own),
        cmocka_unit_test(a_forked_child_may_exit_while_the_parents_pool_works),
        cmocka_unit_test(many_threads_may_use_a_pool_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
