/*
 * support.h - what the process tests share.  No test waits for time to pass: it waits for an event
 * with a limit, and fails when the limit passes.
 */
#ifndef PP_TESTS_SUPPORT_H
#define PP_TESTS_SUPPORT_H

/* cmocka needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <procpool.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <cmocka.h>

/* Seconds after which a wait for an event is a failure.  Generous: sanitizers on a busy machine. */
#ifndef PATIENCE
#define PATIENCE 30.0
#endif

/* A pool with these sizes and otherwise default options, or the test fails. */
pp_pool *pool_of(unsigned min_size, unsigned max_size);
pp_pool *pool_with(const pp_pool_options *options);

/* Create a task and queue it, or the test fails; the caller unrefs it. */
pp_task *queue_function(pp_pool *pool, pp_function *function, const pp_task_options *options);

/* Wait for a task to end in that state, or the test fails. */
void assert_ends(pp_task *task, pp_state state);

/* One task that works; one whose worker crashes, and is said to have. */
void assert_works(pp_pool *pool);
void assert_crash_is_told(pp_pool *pool);

/* Fixtures of tests that share a pool of one worker, and what they do with it: queue a task and wait for
 * that outcome.  The caller unrefs. */
extern pp_pool *the_pool;
int             make_pool(void **state);
int             drop_pool(void **state);
pp_task        *run_in_the_pool(pp_task *task, pp_state state);

/* What a task returned as "i"; the worker that executes a task of this pool now. */
int   result_number(const pp_task *task);
pid_t worker_of(pp_pool *pool);

/* That value is "i". */
void assert_number(const pp_value *value, int expected);

/* Wait until condition(data) is true; it is evaluated again and again, with a pause of a millisecond
 * between, because what it asks about offers no event.  False after PATIENCE. */
bool eventually(bool (*condition)(void *data), void *data);

/* Monotonic seconds. */
double now(void);

/* A pipe by which tasks (forked workers inherit it when made before the pool) tell the test that
 * they have begun, or wait for the test's leave: open before the pool is created. */
struct gate {
    int begun[2]; /* a task writes a byte   */
    int leave[2]; /* a task reads a byte    */
};
void gate_open(struct gate *gate);
void gate_close(struct gate *gate);
/* In a task: say that it began, then wait for leave. */
void gate_pass(const struct gate *gate);
/* In the test: wait until a task has begun (one for each call); let one go on. */
void gate_await(const struct gate *gate);
void gate_release(const struct gate *gate);
/* The gate of the running test; gate_task is a callable that passes it and returns null. */
extern struct gate the_gate;
int                gate_task(pp_call *call);

/* The state letter of a process's main thread as the kernel has it, or 0.  The second is for eventually(). */
char process_state(pid_t pid);
bool process_sleeps(void *pid);
/* Wait for a process that is not our child to be gone (by pidfd).  False after PATIENCE. */
bool pid_gone(pid_t pid);
/* Run in a forked child, which must exit with 0 (status is printed otherwise). */
void assert_child_succeeds(void (*run)(void *data), void *data);
/* Open descriptors of this process. */
unsigned open_descriptors(void);

/* Callables that many tests want. */
int return_null(pp_call *call);
int return_square(pp_call *call); /* "i" -> "i" */
int return_pid(pp_call *call);    /* -> "i" */
int crash_by_segv(pp_call *call);
int sleep_for_ever(pp_call *call);

#endif
