/*
 * inside.h - the pool of a trial, seen from inside.
 */
#ifndef PP_TESTS_KILL_INSIDE_H
#define PP_TESTS_KILL_INSIDE_H

#include <procpool.h>
#include <stdbool.h>
#include <sys/types.h>

/* As in a pool that has executed short tasks, none with a large result. */
void inside_forget_past(void);

/* Until that many workers are idle, and none of them is dead without the pool having seen it yet. */
void inside_await_idle(unsigned wanted);
/* SIGKILL to a worker that nobody follows; it is dead then. */
void inside_kill(pid_t worker);
/* Until the pool has another fork server than that one, which was killed. */
void inside_await_server(pid_t killed);
/* Until that many are idle, each a child of the fork server that the pool has now; the others are killed
 * for that. */
void inside_renew_wards(unsigned wanted);
/* Of the idle workers the one that was born last, or first.  It gets the next task. */
pid_t inside_youngest(void);
pid_t inside_eldest(void);
bool  inside_is_fresh(pid_t worker);
pid_t inside_server(void);

/* The task that a stopped worker has begun and not finished, or NULL. */
const pp_task *inside_running(pid_t worker);
/* Every task that was submitted is processed. */
bool inside_all_processed(void);

/* Until the manager has nothing more to do, and the host sleeps if it shall and has a reason to.  What
 * comes out right without it too is only more alike from trial to trial. */
void inside_settle(void);

/* The manager is kept from sleeping, and from hearing anything. */
void inside_hold_manager(void);
/* A worker was killed: wait until its fork server has reported that, too. Then the manager hears all of
 * it at once. */
void inside_release_manager(void);

/* The pool as it is, without its lock: a thread may hold that for ever. */
void inside_describe(void);

#endif
