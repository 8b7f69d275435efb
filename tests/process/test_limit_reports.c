/*
 * test_limit_reports.c - a task that runs into its time limit says where it was stuck, and gains nothing
 * by it: it is stopped all the same, soon, whatever it does with the signal.
 *
 * On a busy machine the answer may come too late, and then there is none: what must be is that one of
 * many tasks is in time, and that each that was in time names the function.
 */
#include "own_memory.h"
#include "reports.h"
#include "sanitized.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const double limit = 0.05;

NAMED static int stuck_in_a_loop(volatile unsigned *turns)
{
    for (;;)
        *turns = *turns + 1;
    return 0;
}

static int spin(pp_call *call)
{
    volatile unsigned turns = 0;
    (void)call;
    return stuck_in_a_loop(&turns);
}

NAMED static int stuck_in_a_call(volatile int *turns)
{
    for (;; *turns = *turns + 1)
        (void)pause();
    return 0;
}

static int wait_for_nothing(pp_call *call)
{
    volatile int turns = 0;
    (void)call;
    return stuck_in_a_call(&turns);
}

static pp_task *run_into_limit(pp_function *function)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = limit;
    pp_task *task = queue_function(the_pool, function, &options);
    assert_ends(task, PP_TIMED_OUT);
    assert_int_equal(pp_error_errno(pp_task_error(task)), ETIME);
    assert_int_equal(pp_error_wait_status(pp_task_error(task)), 0);
    return task;
}

static double late(const pp_task *task)
{
    double ran = 0;
    assert_int_equal(pp_task_times(task, NULL, &ran), 0);
    return ran - limit;
}

static void assert_says(pp_function *function, const char *name)
{
    enum { TRIES = 40 };
    bool told = false;
    for (int i = 0; i < TRIES && !told; i++) {
        pp_task *task = run_into_limit(function);
        told = pp_error_backtrace(pp_task_error(task))[0] != '\0';
        if (told) {
            assert_names(pp_task_error(task), name);
            assert_int_equal(pp_error_backtrace(pp_task_error(task))[0], '#');
        }
        pp_task_unref(task);
    }
    assert_true(told);
}

static void a_task_that_spins_says_where(void **state)
{
    (void)state;
#ifdef THREADS_ARE_WATCHED
    skip(); /* that sanitizer holds signals back until the next call of the C library */
#endif
    assert_says(spin, "stuck_in_a_loop");
}

static void a_task_that_sleeps_says_where(void **state)
{
    (void)state;
    assert_says(wait_for_nothing, "stuck_in_a_call");
}

/* -------------------------------------------------------------------- those that cannot */

static int block_every_signal(pp_call *call)
{
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    return wait_for_nothing(call);
}

static int ignore_the_signal(pp_call *call)
{
    (void)signal(PP_LIMIT_SIGNAL, SIG_IGN);
    return wait_for_nothing(call);
}

static int become_another_program(pp_call *call)
{
    (void)call;
    (void)execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    return -errno;
}

static int stop_itself(pp_call *call)
{
    (void)raise(SIGSTOP);
    return wait_for_nothing(call);
}

static void who_cannot_answer_is_stopped_without(void **state)
{
    pp_function *const functions[] = {block_every_signal, ignore_the_signal, become_another_program,
                                      stop_itself};
    (void)state;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        pp_task *task = run_into_limit(functions[i]);
        assert_string_equal(pp_error_backtrace(pp_task_error(task)), "");
        assert_true(pid_gone(pp_task_worker_pid(task)));
        pp_task_unref(task);
        assert_works(the_pool);
    }
}

/* ------------------------------------------------------------------- those that lie */

static void tell_of_the_signal(int number)
{
    (void)number;
    (void)!write(the_gate.begun[1], "", 1);
}

static int handle_the_signal_itself(pp_call *call)
{
    (void)signal(PP_LIMIT_SIGNAL, tell_of_the_signal);
    return wait_for_nothing(call);
}

/* Says that it is about to say something, for ever. */
static int claim_to_answer(pp_call *call)
{
    struct pp_ledger *ledger = own_ledger();
    if (ledger == NULL)
        return -ENOENT;
    atomic_store(&ledger->last_words.begun, PP_LAST_WORDS_BEGUN);
    return handle_the_signal_itself(call);
}

static int open_gate_and_pool(void **state)
{
    gate_open(&the_gate);
    return make_pool(state);
}

static int close_gate_and_pool(void **state)
{
    int error = drop_pool(state);
    gate_close(&the_gate);
    return error;
}

static void who_does_not_answer_is_stopped_all_the_same(void **state)
{
    (void)state;
    pp_task *task = run_into_limit(handle_the_signal_itself);
    assert_string_equal(pp_error_backtrace(pp_task_error(task)), "");
    pp_task_unref(task);
    task = run_into_limit(claim_to_answer);
    print_message("           a liar lived %.3f s longer\n", late(task));
    pp_task_unref(task);
    assert_works(the_pool);
}

/* It would have a second from now on. */
static void cancel_does_not_wait_for_an_answer(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = limit;
    pp_task *task = queue_function(the_pool, claim_to_answer, &options);
    gate_await(&the_gate);
    assert_int_equal(pp_task_cancel(task), -EALREADY);
    assert_ends(task, PP_TIMED_OUT);
    assert_true(late(task) < 0.9);
    pp_task_unref(task);
}

#define IN_THE_POOL(test) \
    cmocka_unit_test_setup_teardown(test, open_gate_and_pool, close_gate_and_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THE_POOL(a_task_that_spins_says_where),
        IN_THE_POOL(a_task_that_sleeps_says_where),
        IN_THE_POOL(who_cannot_answer_is_stopped_without),
        IN_THE_POOL(who_does_not_answer_is_stopped_all_the_same),
        IN_THE_POOL(cancel_does_not_wait_for_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
