/*
 * host.h - the host of the trials: its pool, and the thread that polls it or sleeps on it.
 */
#ifndef PP_TESTS_KILL_HOST_H
#define PP_TESTS_KILL_HOST_H

#include <procpool.h>
#include <stdbool.h>

/* Start the thread: once in a process.  `awake`: it polls; else it sleeps in
 * pp_pool_process_all_results. */
void host_prepare(bool awake);
bool host_is_awake(void);
/* Seconds that a sleeping host waits for the tasks. */
void host_patience(double seconds);

/* A pool with that many workers. */
void     host_begin_pool(unsigned workers);
pp_pool *host_pool(void); /* NULL: none */
void     host_finalize(void);
/* The pool is finalized; its tasks are checked once more, and forgotten. */
void host_end_pool(void);

/* The thread begins to poll or sleep. */
void host_start(void);
/* It does, and is not waiting to be started. */
bool host_runs(void);
/* It submits some tasks as soon as it looks; it is awake. */
void host_burst(void);
/* Every callback has run; the thread has ended its part. */
void host_finish(void);

#endif
