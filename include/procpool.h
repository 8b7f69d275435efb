/*
 * procpool.h - a pool of worker processes for C programs on Linux.
 *
 * This is the public contract.  Programs outside the tree are compiled against
 * it, so what stands here keeps its name, its arguments and its meaning; it
 * grows by addition.  The comments say what a caller may rely on.
 *
 * Conventions
 *   - A function that can fail returns 0 (or a count) on success and a negative
 *     errno value on failure.  Out-parameters come first for create functions,
 *     and keep their value when the call fails.
 *   - Times are seconds as double, on CLOCK_MONOTONIC.  PP_FOREVER waits without
 *     limit, 0 polls.
 *   - Every pool function may be called from any thread of the process that
 *     created the pool, and from inside callbacks.  In a forked child of that
 *     process each of them returns -ECHILD and touches nothing.  A thread that is
 *     in a call must not be cancelled (pthread_cancel): it may hold the pool's lock.
 *   - Destroy and unref functions accept NULL and return nothing.
 *   - Callbacks run with no lock of the pool held.  They must return: no longjmp,
 *     no C++ exception, no end of the thread out of one.
 */
#ifndef PROCPOOL_H
#define PROCPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* Of this header; the library's own says pp_version(). */
#define PP_VERSION_MAJOR 0
#define PP_VERSION_MINOR 1
#define PP_VERSION_PATCH 0

#define PP_FOREVER (-1.0)

typedef struct pp_pool   pp_pool;    /* the pool, owned by the process that created it     */
typedef struct pp_task   pp_task;    /* a task and, once it ended, its outcome; refcounted */
typedef struct pp_call   pp_call;    /* worker side: the task being executed               */
typedef struct pp_value  pp_value;   /* an immutable decoded value (MessagePack underneath) */
typedef struct pp_error  pp_error;   /* why a task has no result                           */
typedef struct pp_buffer pp_buffer;  /* shared memory passed by reference, refcounted      */

/* ------------------------------------------------------------------ values
 *
 * One small format language packs and unpacks arguments and results.
 * White space is ignored, but that it ends a name: "i s=s" is two arguments.
 *
 *     z  null (no argument)          s  const char *   (UTF-8, NUL terminated)
 *     b  bool                        y  const void *, size_t   (bytes)
 *     i  int         u  unsigned     v  const pp_value *
 *     I  int64_t     U  uint64_t     B  pp_buffer *
 *     d  double                      [ ... ]  list     { "key": t, ... }  map
 *
 * name=t gives t as a keyword argument.  When unpacking, every letter takes a
 * pointer to its type; name?=t is optional and leaves its target alone when
 * the keyword is absent.  Unpacked s and y point into the value and live as
 * long as it does; an unpacked v or B is borrowed from it.  A format of NULL or ""
 * is no argument at all.  A number is converted when it fits and refused with
 * -ERANGE when it does not; a wrong type is -EINVAL, a missing argument
 * -ENOENT, one too many -E2BIG.
 *
 * A result packed from one letter is that value, from several a list, from none
 * null; pp_value_unpack takes a list apart with several letters or with [ ... ].
 */
int pp_value_unpack(const pp_value *value, const char *format, ...);
int pp_value_msgpack(const pp_value *value, const void **data, size_t *size);
int pp_value_print(const pp_value *value, FILE *stream);          /* as JSON */

/* --------------------------------------------------------------- callables
 *
 * A function is shipped by reference: the object file that holds it and its
 * place there, never a raw address, so that it is found in a worker however
 * that worker was started.  What cannot be found is -ENOENT in the outcome.
 *
 * A closure is a function together with a copy of captured bytes.
 *
 * A class is constructed in the worker from the task's arguments, then called
 * without arguments; fini runs whenever init succeeded.
 */
typedef int pp_function(pp_call *call);   /* 0, or a negative errno raised as an exception */

typedef struct pp_class {
    const char *name;
    size_t      size;                                  /* of one instance, zeroed before init */
    int       (*init)(void *self, pp_call *call);
    int       (*call)(void *self, pp_call *call);
    void      (*fini)(void *self);                     /* may be NULL */
} pp_class;

typedef struct pp_callable {
    int              kind;
    pp_function     *function;
    const pp_class  *cls;
    const char      *name;
    const void      *captured;
    size_t           captured_size;
} pp_callable;

enum { PP_KIND_FUNCTION = 1, PP_KIND_CLOSURE, PP_KIND_CLASS, PP_KIND_NAMED };

#ifdef __cplusplus
#define PP_CALLABLE_(...) (pp_callable{__VA_ARGS__})
#else
#define PP_CALLABLE_(...) ((pp_callable){__VA_ARGS__})
#endif
#define PP_FUNCTION(fn)            PP_CALLABLE_(PP_KIND_FUNCTION, (fn), NULL, NULL, NULL, 0)
#define PP_CLOSURE(fn, ptr, bytes) PP_CALLABLE_(PP_KIND_CLOSURE, (fn), NULL, NULL, (ptr), (bytes))
#define PP_CLASS(class_ptr)        PP_CALLABLE_(PP_KIND_CLASS, NULL, (class_ptr), NULL, NULL, 0)
#define PP_NAMED(string)           PP_CALLABLE_(PP_KIND_NAMED, NULL, NULL, (string), NULL, 0)

/* Make a callable known by name, before the pool is created.  A name is what
 * exec'd and remote workers need, and "plugin.so:function" works unregistered. */
int pp_register(const char *name, pp_callable callable);

/* ----------------------------------------------------------- the worker side */

int   pp_call_args(pp_call *call, const char *format, ...);    /* positional and keyword */
int   pp_call_bytes(pp_call *call, const void **data, size_t *size); /* payload of pp_task_set_bytes */
void *pp_call_captured(pp_call *call, size_t *size);           /* of a closure */
/* Everything a call hands out - strings, bytes, buffers - lives until the callable returns. */
int   pp_call_return(pp_call *call, const char *format, ...);  /* last call wins */
int   pp_call_return_bytes(pp_call *call, const void *data, size_t size);
/* Raise an exception: always returns a negative value, so `return pp_call_raise(...)`. */
int   pp_call_raise(pp_call *call, int error, const char *name, const char *format, ...)
          __attribute__((format(printf, 4, 5)));
bool  pp_call_cancelled(const pp_call *call);  /* soft timeout passed, or cancel asked for */
int   pp_call_progress(pp_call *call, double done, double total);
uint64_t pp_call_task_id(const pp_call *call);
unsigned pp_call_attempt(const pp_call *call);                 /* 1 on the first try */
unsigned pp_call_worker(const pp_call *call);                  /* slot: 0 .. max_size - 1 */
void *pp_call_state(const pp_call *call);                      /* what worker_init gave */

/* ------------------------------------------------------------------- tasks */

typedef enum pp_state {
    PP_NEW, PP_QUEUED, PP_RUNNING,
    PP_DONE,                /* has a result */
    PP_FAILED,              /* the callable raised an exception */
    PP_TIMED_OUT,           /* its time limit passed, and it was stopped */
    PP_CANCELLED,           /* cancelled, or dropped or stopped by finalize */
    PP_WORKER_LOST          /* its worker died under it */
} pp_state;

typedef void pp_result_fn(pp_task *task, const pp_value *result, void *userdata);
typedef void pp_exception_fn(pp_task *task, const pp_error *error, void *userdata);

typedef struct pp_task_options {
    size_t           size;                /* set by PP_TASK_OPTIONS_INIT */
    uint64_t         task_id;             /* 0: the pool numbers it */
    pp_result_fn    *callback;            /* task callback: runs in the creating process */
    pp_exception_fn *exception_callback;
    void            *userdata;            /* for both */
    bool             use_pool_callbacks;  /* then the pool's, after the task's own */
    bool             blocking;            /* default true; false: -EAGAIN when full */
    double           timeout;             /* of execution, queue wait not counted; 0: none */
    double           soft_timeout;        /* SIGALRM and pp_call_cancelled; 0: none */
    int              priority;            /* higher first; FIFO among equals */
    unsigned         max_retries;         /* after an exception, a timeout or a lost worker; with 0 a
                                             task that has begun is never begun again */
    double           retry_delay;         /* first delay; doubles each time */
} pp_task_options;

#ifndef __cplusplus
#define PP_TASK_OPTIONS_INIT { .size = sizeof(pp_task_options), .blocking = true }
#else /* which has had designated initializers since C++20 only, and warns of fields left out */
#define PP_TASK_OPTIONS_INIT pp_task_options_init()
static inline pp_task_options pp_task_options_init()
{
    pp_task_options options = {};
    options.size = sizeof options;
    options.blocking = true;
    return options;
}
#endif

/* options NULL: the defaults.  A task can be queued once (-EALREADY).  -EINVAL: a time
 * that is negative, infinite or not a number; a callable that is not whole; what the
 * format language refuses. */
int  pp_task_create(pp_task **task, pp_callable callable, const pp_task_options *options,
                    const char *format, ...);
int  pp_task_set_bytes(pp_task *task, const void *data, size_t size); /* instead of a format */
pp_task *pp_task_ref(pp_task *task);
void pp_task_unref(pp_task *task);

uint64_t        pp_task_id(const pp_task *task);
pp_state        pp_task_state(const pp_task *task);
int             pp_task_wait(pp_task *task, double timeout);    /* -ETIMEDOUT: not ended yet; -EINVAL:
                                                                   never queued, and not a poll */
const pp_value *pp_task_result(const pp_task *task);            /* NULL unless PP_DONE */
const pp_error *pp_task_error(const pp_task *task);             /* NULL if PP_DONE or not ended */
int             pp_task_cancel(pp_task *task);   /* queued: dropped; running: stopped at once; ended: -EALREADY */
int             pp_task_set_timeout(pp_task *task, double timeout);     /* before it is queued */
double          pp_task_timeout(const pp_task *task);
unsigned        pp_task_attempts(const pp_task *task);
pid_t           pp_task_worker_pid(const pp_task *task);        /* of the last attempt */
int             pp_task_times(const pp_task *task, double *queued, double *ran);

/* ------------------------------------------------------------------ errors
 *
 * The S_ERROR dictionary of a task without result.  Its value form is
 *   { "OK": false, "Errno": e, "Message": m,
 *     "Exception": { "Value": name, "Exc_info": info } }
 */
pp_state        pp_error_state(const pp_error *error);
int             pp_error_errno(const pp_error *error);          /* positive errno; ETIME: timed out */
const char     *pp_error_name(const pp_error *error);           /* exception name */
const char     *pp_error_message(const pp_error *error);
const char     *pp_error_backtrace(const pp_error *error);      /* symbolised, "" if there is none */
int             pp_error_wait_status(const pp_error *error);    /* of waitpid, for PP_WORKER_LOST */
const pp_value *pp_error_value(const pp_error *error);

/* -------------------------------------------------------------------- pool */

typedef enum pp_start_method {
    PP_START_FORKSERVER,    /* default: fork from a single-threaded child made at creation */
    PP_START_FORK,          /* fork from the creating process: sees its memory of now */
    PP_START_SPAWN          /* exec: callables by name or by object file */
} pp_start_method;

typedef struct pp_pool_options {
    size_t           size;                  /* set by PP_POOL_OPTIONS_INIT */
    const char      *name;                  /* shown by ps and procpool top */
    unsigned         min_size;              /* workers alive all the time; default 2 */
    unsigned         max_size;              /* never more; 0: min_size */
    unsigned         max_queued_requests;   /* tasks waiting; default 10 */
    bool             strict_limits;         /* default true: idle workers above the limits are
                                               ended at once; false: they retire by themselves */
    bool             keep_running;          /* default false: a worker above min_size retires
                                               after idle_attempts fruitless reads; like these
                                               only where strict_limits is false */
    unsigned         idle_attempts;         /* default 10 */
    double           idle_interval;         /* of one read; default 10.0 */
    pp_result_fn    *callback;              /* pool callbacks, with userdata */
    pp_exception_fn *exception_callback;
    void            *userdata;
    pp_start_method  start_method;
    int            (*worker_init)(void *arg, void **state);  /* in each new worker */
    void           (*worker_exit)(void *arg, void *state);
    void            *worker_arg;
    unsigned         max_tasks_per_worker;  /* then it is replaced; 0: no limit */
    size_t           max_memory_per_worker; /* bytes of RSS, likewise */
    double           max_worker_age;        /* seconds, likewise */
    double           orphan_grace;          /* default 30.0: between TERM and KILL of an orphan */
    unsigned         flags;
} pp_pool_options;

#ifndef __cplusplus
#define PP_POOL_OPTIONS_INIT                                                        \
    { .size = sizeof(pp_pool_options), .min_size = 2, .max_queued_requests = 10,    \
      .strict_limits = true, .idle_attempts = 10, .idle_interval = 10.0,            \
      .orphan_grace = 30.0 }
#else
#define PP_POOL_OPTIONS_INIT pp_pool_options_init()
static inline pp_pool_options pp_pool_options_init()
{
    pp_pool_options options = {};
    options.size = sizeof options;
    options.min_size = 2;
    options.max_queued_requests = 10;
    options.strict_limits = true;
    options.idle_attempts = 10;
    options.idle_interval = 10.0;
    options.orphan_grace = 30.0;
    return options;
}
#endif

/* options NULL: the defaults.  Returns once min_size workers are alive.
 *
 * A worker that dies is replaced at once; when workers die again and again before
 * they began a task, with growing delays.  A queued task that a dead worker had not
 * begun goes to another one and has spent no attempt.
 *
 * -EINVAL: min_size or max_queued_requests is 0; min_size or max_size above 65536;
 * a time that is negative, infinite or not a number (orphan_grace may be PP_FOREVER);
 * an unknown start_method; flags that are not 0; a size that is none.  -E2BIG: the
 * struct is longer than this library's and asks for what it does not have.  When
 * workers cannot be had: the error of worker_init or of the system, and -EOWNERDEAD
 * when they died without telling one. */
int  pp_pool_create(pp_pool **pool, const pp_pool_options *options);

int  pp_pool_queue_task(pp_pool *pool, pp_task *task);   /* -EAGAIN full, -ESHUTDOWN finalized */
int  pp_pool_queue_task_timed(pp_pool *pool, pp_task *task, double timeout);   /* -ETIMEDOUT */
int  pp_pool_create_and_queue_task(pp_pool *pool, pp_callable callable,
                                   const pp_task_options *options, const char *format, ...);
int  pp_pool_create_and_queue_bytes(pp_pool *pool, pp_callable callable,
                                    const pp_task_options *options,
                                    const void *data, size_t size);

/* Run the callbacks of what has ended so far: the number of tasks processed. */
int  pp_pool_process_results(pp_pool *pool);
/* ... until every task has ended and its callbacks have returned, whoever ran them: the
 * number processed by this call, or -ETIMEDOUT. */
int  pp_pool_process_all_results(pp_pool *pool, double timeout);
/* Process results in a background thread, as soon as they are there.  The two calls
 * above may still be made: each callback runs once, wherever, and two of them
 * may run at the same time then. */
int  pp_pool_daemonize(pp_pool *pool);
/* Readable while process_results has something to do: for poll, epoll, libuv. */
int  pp_pool_fd(const pp_pool *pool);

/* Take no more tasks; bullets go behind the queue and the queue may drain for
 * up to timeout, workers that die meanwhile being replaced; then SIGTERM to every
 * worker left, up to timeout for it to end, then SIGKILL.  Each task has exactly one
 * outcome, and its callbacks have run, when this returns: the number of tasks that
 * finalize dropped or stopped (PP_CANCELLED).  A second call returns 0.  Called from a
 * callback, it does not wait for that callback. */
int  pp_pool_finalize(pp_pool *pool, double timeout);
/* Finalize, and be able to go on: pp_pool_start_processing takes tasks again. */
int  pp_pool_stop_processing(pp_pool *pool, double timeout);
int  pp_pool_start_processing(pp_pool *pool);
/* Finalize with a timeout of 10 where that was not done, and free everything. */
void pp_pool_destroy(pp_pool *pool);

int  pp_pool_resize(pp_pool *pool, unsigned min_size, unsigned max_size);
int  pp_pool_set_callback(pp_pool *pool, pp_result_fn *callback);
int  pp_pool_set_exception_callback(pp_pool *pool, pp_exception_fn *callback);

unsigned pp_pool_min_size(const pp_pool *pool);
unsigned pp_pool_max_size(const pp_pool *pool);
unsigned pp_pool_num_working_processes(const pp_pool *pool);
unsigned pp_pool_num_idle_processes(const pp_pool *pool);
unsigned pp_pool_free_slots(const pp_pool *pool);     /* max_size - working, never below 0 */
bool     pp_pool_has_free_slots(const pp_pool *pool);
bool     pp_pool_has_pending_tasks(const pp_pool *pool);
bool     pp_pool_is_full(const pp_pool *pool);        /* max_queued_requests are waiting: exact */
bool     pp_pool_is_working(const pp_pool *pool);

typedef struct pp_pool_stats {            /* one consistent snapshot */
    size_t   size;                         /* set by the caller */
    uint64_t queued, running, done, failed, timed_out, cancelled, worker_lost, retried;
    uint64_t workers_started, workers_died;
    unsigned workers_idle, workers_working;
    double   queue_wait_p50, queue_wait_p99, run_time_p50, run_time_p99;
} pp_pool_stats;
int  pp_pool_get_stats(const pp_pool *pool, pp_pool_stats *stats);

/* ------------------------------------------------------------- many at once */

/* Wait for one, or all, of count tasks. wait_any returns the index of one that ended. */
int  pp_wait_any(pp_task *const *tasks, size_t count, double timeout);
int  pp_wait_all(pp_task *const *tasks, size_t count, double timeout);

/* Call function for each of count items of item_size bytes, out_size bytes of
 * result each into out (same order); chunk 0 lets the pool choose how many travel
 * together.  Each call gets one item as its pp_call_bytes and returns out_size bytes
 * by pp_call_return_bytes.  0, or the first failure's errno, with
 * its index in *failed when that is not NULL. */
int  pp_pool_map(pp_pool *pool, pp_callable callable, const void *items, size_t item_size,
                 size_t count, void *out, size_t out_size, size_t chunk, size_t *failed);

/* ------------------------------------------------------------ shared buffers
 * Large data by reference: filled in place here, mapped in the worker, no copy. */
int        pp_buffer_create(pp_buffer **buffer, size_t size);
void      *pp_buffer_data(pp_buffer *buffer);
size_t     pp_buffer_size(const pp_buffer *buffer);
pp_buffer *pp_buffer_ref(pp_buffer *buffer);
void       pp_buffer_unref(pp_buffer *buffer);

const char *pp_version(void);
const char *pp_state_name(pp_state state);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif /* PROCPOOL_H */
