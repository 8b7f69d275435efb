/*
 * task_and_queue.c - the table of a task, outcomes from untrusted bytes, the order of the queue.
 */
#include "pool/queue.h"
#include "shm/memory.h"
#include "task/outcome.h"
#include "task/task.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int nothing(pp_call *call)
{
    (void)call;
    return 0;
}

static pp_task *task_of(int priority, uint64_t order)
{
    pp_task        *task = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.priority = priority;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(nothing), &options, NULL), 0);
    task->order = order;
    return task;
}

static void an_ended_task_never_moves_again(void **state)
{
    pp_task *task = task_of(0, 1);
    (void)state;
    assert_int_equal(pp_task_step(task, PP_EVENT_SEND), -EINVAL);
    assert_int_equal(pp_task_step(task, PP_EVENT_ACCEPT), PP_PLACE_PENDING);
    assert_int_equal(pp_task_step(task, PP_EVENT_ACCEPT), -EINVAL);
    assert_int_equal(pp_task_step(task, PP_EVENT_SEND), PP_PLACE_SENT);
    assert_int_equal(pp_task_step(task, PP_EVENT_BACK), PP_PLACE_PENDING);
    assert_int_equal(pp_task_step(task, PP_EVENT_SEND), PP_PLACE_SENT);
    assert_int_equal(pp_task_step(task, PP_EVENT_DELAY), PP_PLACE_DELAYED);
    assert_int_equal(pp_task_step(task, PP_EVENT_SEND), -EINVAL);
    assert_int_equal(pp_task_step(task, PP_EVENT_DUE), PP_PLACE_PENDING);
    task->outcome = pp_outcome_error(PP_CANCELLED, ECANCELED, "Cancelled", "", "", 0);
    assert_int_equal(pp_task_step(task, PP_EVENT_END), PP_PLACE_ENDED);
    for (int event = 0; event < PP_EVENTS; event++)
        assert_int_equal(pp_task_step(task, (enum pp_event)event), -EINVAL);
    pp_task_unref(task);
}

static void the_queue_gives_higher_priority_first_and_fifo_among_equals(void **state)
{
    enum { COUNT = 500 };
    struct pp_queue queue = {0};
    (void)state;
    srand(3);
    for (uint64_t order = 1; order <= COUNT; order++) {
        pp_task *task = task_of(rand() % 7 - 3, order);
        assert_int_equal(pp_queue_join(&queue, task), 0);
        pp_queue_add(&queue, task);
    }
    int      priority = 99;
    uint64_t order = 0;
    for (pp_task *task = NULL; (task = pp_queue_first(&queue)) != NULL;) {
        assert_true(task->priority < priority ||
                    (task->priority == priority && task->order > order));
        priority = task->priority;
        order = task->order;
        pp_queue_remove(&queue, task);
        pp_queue_leave(&queue, task);
        pp_task_unref(task);
    }
    assert_int_equal(queue.count, 0);
    assert_true(queue.level_count <= 1);
    pp_queue_free(&queue);
}

static void a_task_that_comes_back_takes_its_old_place(void **state)
{
    struct pp_queue queue = {0};
    pp_task        *tasks[4];
    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        tasks[i] = task_of(0, i + 1);
        assert_int_equal(pp_queue_join(&queue, tasks[i]), 0);
    }
    pp_queue_add(&queue, tasks[3]);
    pp_queue_add(&queue, tasks[2]);
    pp_queue_add(&queue, tasks[0]);
    pp_queue_add(&queue, tasks[1]);
    for (uint64_t i = 0; i < 4; i++) {
        assert_ptr_equal(pp_queue_first(&queue), tasks[i]);
        pp_queue_remove(&queue, tasks[i]);
        pp_queue_leave(&queue, tasks[i]);
        pp_task_unref(tasks[i]);
    }
    pp_queue_free(&queue);
}

/* ---------------------------------------------------------------- untrusted results */

static struct pp_outcome *outcome_of(const void *data, size_t size, bool is_error)
{
    struct pp_raw_result raw = {.data = data, .size = size, .is_error = is_error};
    return pp_outcome_from_raw(&raw, NULL);
}

static void assert_refused(struct pp_outcome *outcome)
{
    assert_int_equal(outcome->state, PP_FAILED);
    assert_int_equal(outcome->error->number, EBADMSG);
    pp_outcome_free(outcome);
}

static void bytes_that_are_no_value_become_an_exception(void **state)
{
    (void)state;
    assert_refused(outcome_of("\xdd\xff\xff\xff\xff", 5, false)); /* a list of 2^32-1 */
    assert_refused(outcome_of("\x01\x02", 2, false));             /* two objects */
    assert_refused(outcome_of("", 0, false));
    assert_refused(outcome_of("\x93\x01\x02\x03", 4 - 1, true));         /* no error record */
    assert_refused(outcome_of("\x95\x00\xa0\xc4\x00\xa0\x00", 7, true)); /* errno 0 */
    struct pp_outcome *good = outcome_of("\x2a", 1, false);
    assert_int_equal(good->state, PP_DONE);
    pp_outcome_free(good);
}

static void a_large_result_must_be_sealed_and_as_long_as_it_says(void **state)
{
    int                  fd = pp_memory_create("test", 4096);
    struct pp_raw_result raw = {
        .size = 4096, .is_bytes = true, .is_mapped = true, .fds = &fd, .fd_count = 1};
    (void)state;
    assert_refused(pp_outcome_from_raw(&raw, NULL)); /* could still be changed */
    assert_int_equal(pp_memory_seal_contents(fd), 0);
    raw.size = 4097;
    assert_refused(pp_outcome_from_raw(&raw, NULL));
    raw.fd_count = 0;
    assert_refused(pp_outcome_from_raw(&raw, NULL));
    raw.fd_count = 1;
    raw.size = 4096;
    struct pp_outcome *good = pp_outcome_from_raw(&raw, NULL);
    assert_int_equal(good->state, PP_DONE);
    pp_outcome_free(good);
    close(fd);
}

static void an_error_has_the_s_error_form(void **state)
{
    struct pp_outcome *outcome =
        pp_outcome_error(PP_TIMED_OUT, ETIME, "TimedOut", "too long", "frames", 0);
    bool        ok = true;
    int         number = 0;
    const char *message = NULL;
    const char *value = NULL;
    const char *info = NULL;
    (void)state;
    assert_int_equal(pp_value_unpack(pp_error_value(outcome->error),
                                     "{\"OK\": b, \"Errno\": i, \"Message\": s, "
                                     "\"Exception\": {\"Value\": s, \"Exc_info\": s}}",
                                     &ok, &number, &message, &value, &info),
                     0);
    assert_false(ok);
    assert_int_equal(number, ETIME);
    assert_string_equal(message, "too long");
    assert_string_equal(value, "TimedOut");
    assert_string_equal(info, "frames");
    pp_outcome_free(outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ended_task_never_moves_again),
        cmocka_unit_test(the_queue_gives_higher_priority_first_and_fifo_among_equals),
        cmocka_unit_test(a_task_that_comes_back_takes_its_old_place),
        cmocka_unit_test(bytes_that_are_no_value_become_an_exception),
        cmocka_unit_test(a_large_result_must_be_sealed_and_as_long_as_it_says),
        cmocka_unit_test(an_error_has_the_s_error_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
