/*
 * counted.h - tasks whose callbacks are counted, and one that defies SIGTERM; for the tests of the end of
 * a pool.
 */
#ifndef PP_TESTS_COUNTED_H
#define PP_TESTS_COUNTED_H

#include "support.h"

#include <signal.h>
#include <stdatomic.h>

static inline int ignore_term(pp_call *call)
{
    (void)signal(SIGTERM, SIG_IGN);
    gate_pass(&the_gate);
    return sleep_for_ever(call);
}

static atomic_uint callbacks_run;

static inline void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    callbacks_run++;
}

static inline void count_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task;
    (void)error;
    (void)userdata;
    callbacks_run++;
}

static inline pp_task_options counted(void)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = count_result;
    options.exception_callback = count_exception;
    return options;
}

static inline int set_up(void **state)
{
    (void)state;
    callbacks_run = 0;
    gate_open(&the_gate);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    gate_close(&the_gate);
    return 0;
}

static inline void assert_all_end(pp_task **tasks, int count, pp_state state)
{
    for (int i = 0; i < count; i++) {
        assert_string_equal(pp_state_name(pp_task_state(tasks[i])), pp_state_name(state));
        pp_task_unref(tasks[i]);
    }
}

#endif
