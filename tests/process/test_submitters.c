/*
 * test_submitters.c - a task is queued once, whoever tries; a pool that is finalized takes none and
 * tells those who wait; many submitters lose nothing.
 */
#include "submitter.h"

#include <errno.h>

/* ------------------------------------------------------------------ once, or never */

static void a_task_can_be_queued_once(void **state)
{
    (void)state;
    struct full_pool full = make_full();
    pp_pool         *other = queue_of(1, 1);
    for (int again = 0; again < 2; again++) { /* before and after they ended */
        pp_task *const tasks[] = {full.running, full.waiting};
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pp_pool_queue_task(full.pool, tasks[i]), -EALREADY);
            assert_int_equal(pp_pool_queue_task_timed(full.pool, tasks[i], 0), -EALREADY);
            assert_int_equal(pp_pool_queue_task(other, tasks[i]), -EALREADY);
        }
        if (again)
            break;
        gate_release(&the_gate);
        gate_release(&the_gate);
        assert_int_equal(pp_pool_process_all_results(full.pool, PATIENCE), 2);
    }
    assert_int_equal(pp_pool_process_all_results(other, 0), 0);
    pp_pool_destroy(other);
    release_full(&full);
}

static void a_task_that_two_threads_queue_is_queued_once(void **state)
{
    (void)state;
    struct submitter one, two;
    struct full_pool full = make_full();
    pp_task         *task = new_task(return_null, true);
    submitter_block(&one, full.pool, task, -1);
    submitter_block(&two, full.pool, task, PATIENCE * 10);
    gate_release(&the_gate);
    gate_release(&the_gate);
    int first = submitter_join(&one);
    int second = submitter_join(&two);
    assert_true((first == 0 && second == -EALREADY) || (first == -EALREADY && second == 0));
    assert_int_equal(pp_pool_process_all_results(full.pool, PATIENCE), 3);
    pp_task_unref(task);
    release_full(&full);
}

static void a_finalized_pool_takes_no_task(void **state)
{
    (void)state;
    pp_task *task = new_task(return_null, true);
    pp_pool *pool = queue_of(1, 1);
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), -ESHUTDOWN);
    assert_int_equal(pp_pool_queue_task_timed(pool, task, 1), -ESHUTDOWN);
    assert_int_equal(pp_pool_create_and_queue_task(pool, PP_FUNCTION(return_null), NULL, NULL),
                     -ESHUTDOWN);
    assert_string_equal(pp_state_name(pp_task_state(task)), "new");
    assert_int_equal(pp_pool_num_idle_processes(pool), 0);
    pp_pool_destroy(pool);
    pool = queue_of(1, 1); /* but another one does */
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* The running task goes on only after the submitter was told: finalize cannot return before. */
static void *let_go_when_refused(void *data)
{
    struct submitter *submitter = data;
    (void)submitter_main(submitter);
    gate_release(&the_gate);
    gate_release(&the_gate);
    return NULL;
}

static void a_blocked_submitter_is_told_when_the_pool_is_finalized(void **state)
{
    (void)state;
    for (int timed = 0; timed < 2; timed++) {
        struct full_pool full = make_full();
        struct submitter submitter = {.pool = full.pool,
                                      .task = new_task(return_null, true),
                                      .timeout = timed ? PATIENCE * 10 : -1};
        assert_int_equal(pthread_create(&submitter.thread, NULL, let_go_when_refused, &submitter),
                         0);
        assert_true(eventually(submitter_settled, &submitter));
        assert_false(atomic_load(&submitter.returned));
        assert_int_equal(pp_pool_finalize(full.pool, PATIENCE), 0);
        assert_int_equal(submitter_join(&submitter), -ESHUTDOWN);
        assert_ends(full.running, PP_DONE);
        assert_ends(full.waiting, PP_DONE);
        pp_task_unref(submitter.task);
        release_full(&full);
    }
}

/* -------------------------------------------------------------- many submitters */

enum { THREADS = 8, EACH = 150 };

struct sums {
    unsigned seen[THREADS * EACH];
    unsigned wrong;
};

static void note_square(pp_task *task, const pp_value *result, void *userdata)
{
    struct sums *sums = userdata;
    int          square = -1;
    int          number = (int)pp_task_id(task) - 1;
    if (pp_value_unpack(result, "i", &square) != 0 || square != number * number)
        sums->wrong++;
    sums->seen[number]++;
}

struct crowd {
    pp_pool    *pool;
    struct sums sums;
    atomic_int  next, failures;
};

static void *submit_many(void *data)
{
    struct crowd   *crowd = data;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = note_square;
    options.userdata = &crowd->sums;
    for (int i = 0; i < EACH; i++) {
        int number = atomic_fetch_add(&crowd->next, 1);
        options.task_id = (uint64_t)number + 1;
        if (pp_pool_create_and_queue_task(crowd->pool, PP_FUNCTION(return_square), &options, "i",
                                          number) != 0)
            atomic_fetch_add(&crowd->failures, 1);
    }
    return NULL;
}

static void many_submitting_threads_lose_nothing(void **state)
{
    (void)state;
    static struct crowd crowd;
    pthread_t           threads[THREADS];
    crowd.pool = queue_of(2, 3);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &crowd), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pp_pool_process_all_results(crowd.pool, PATIENCE), THREADS * EACH);
    assert_int_equal(atomic_load(&crowd.failures), 0);
    assert_int_equal(crowd.sums.wrong, 0);
    for (int i = 0; i < THREADS * EACH; i++)
        assert_int_equal(crowd.sums.seen[i], 1);
    pp_pool_destroy(crowd.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_can_be_queued_once),
        cmocka_unit_test(a_task_that_two_threads_queue_is_queued_once),
        cmocka_unit_test(a_finalized_pool_takes_no_task),
        cmocka_unit_test(a_blocked_submitter_is_told_when_the_pool_is_finalized),
        cmocka_unit_test(many_submitting_threads_lose_nothing),
    };
    return cmocka_run_group_tests_name("submitters", tests, NULL, NULL);
}
