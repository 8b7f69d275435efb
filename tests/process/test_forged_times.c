/*
 * test_forged_times.c - when a task began and ended is told by its worker: believed as far as it can be
 * true, so that who lies about it gains one time limit at most, and no time is negative or in the future.
 */
#include "own_memory.h"
#include "support.h"

#include <errno.h>
#include <unistd.h>

static const int64_t forged[] = {INT64_MIN, -1, 1, INT64_MAX / 2, INT64_MAX};
enum { FORGED = sizeof forged / sizeof *forged };

/* Writes over the time of its own beginning, and then returns at once or never. */
static int forge_beginning(pp_call *call)
{
    int64_t           began = 0;
    bool              stay = false;
    struct pp_box    *box = own_box();
    struct pp_result *result = box != NULL ? own_result(box) : NULL;
    if (result == NULL || pp_call_args(call, "Ib", &began, &stay) < 0)
        return -ENOENT;
    atomic_store(&result->began, began);
    while (stay)
        pause();
    return 0;
}

static pp_task *queue_forger(pp_pool *pool, int64_t began, bool stay, double timeout)
{
    pp_task        *task = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = timeout;
    assert_int_equal(
        pp_task_create(&task, PP_FUNCTION(forge_beginning), &options, "Ib", began, stay), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

static void a_task_that_lies_about_its_beginning_is_stopped_all_the_same(void **state)
{
    enum { LIMITS = 2 }; /* its own, and one that it gains */
    const double limit = 0.2;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < FORGED; i++) {
        double   begin = now();
        pp_task *task = queue_forger(pool, forged[i], true, limit);
        assert_ends(task, PP_TIMED_OUT);
        assert_true(now() - begin >= limit);
        assert_true(now() - begin < LIMITS * limit + PATIENCE / 2);
        pp_task_unref(task);
        assert_works(pool);
    }
    pp_pool_destroy(pool);
}

static void no_time_is_negative_or_longer_than_what_passed(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < FORGED; i++) {
        double   queued = -1;
        double   ran = -1;
        double   begin = now();
        pp_task *task = queue_forger(pool, forged[i], false, 0);
        assert_ends(task, PP_DONE);
        double passed = now() - begin;
        assert_int_equal(pp_task_times(task, &queued, &ran), 0);
        assert_true(queued >= 0 && queued <= passed);
        assert_true(ran >= 0 && ran <= passed);
        pp_task_unref(task);
    }
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_true(stats.queue_wait_p99 >= 0 && stats.queue_wait_p99 < PATIENCE);
    assert_true(stats.run_time_p99 >= 0 && stats.run_time_p99 < PATIENCE);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_lies_about_its_beginning_is_stopped_all_the_same),
        cmocka_unit_test(no_time_is_negative_or_longer_than_what_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
