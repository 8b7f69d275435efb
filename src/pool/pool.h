/*
 * pool.h - the pool as the files of src/pool/ see it.
 *
 * One mutex protects everything in here and every task and worker of the pool; it is never held
 * while a callback runs, and no call under it waits.  It is private to the host: no other process
 * can hold it.
 *
 * Life
 *   RUNNING   takes tasks
 *   DRAINING  takes none; those it has are executed            (finalize, first phase)
 *   STOPPING  pending ones are dropped, workers are stopped     (finalize, second and third)
 *   STOPPED   has neither tasks nor workers; may be started again unless `final`
 */
#ifndef PP_POOL_POOL_H
#define PP_POOL_POOL_H

#include "base/heap.h"
#include "base/histogram.h"
#include "base/list.h"
#include "pool/queue.h"
#include "procpool.h"
#include "supervise/server.h"
#include "supervise/slots.h"
#include "task/spares.h"
#include "task/task.h"

#include <pthread.h>

enum pp_life { PP_LIFE_RUNNING, PP_LIFE_DRAINING, PP_LIFE_STOPPING, PP_LIFE_STOPPED };

/* What a timer of the pool's heap is in. */
enum pp_timer_kind {
    PP_TIMER_LIMIT,  /* a task's time limit              */
    PP_TIMER_RETRY,  /* a task's next attempt            */
    PP_TIMER_IDLE,   /* a worker above min_size retires   */
    PP_TIMER_STALL,  /* something waits behind a slow task */
    PP_TIMER_AGE,    /* a worker is replaced              */
    PP_TIMER_STATUS, /* a dead worker's status is overdue, or a killed one's end; in `age` */
    PP_TIMER_ANSWER, /* a worker that was asked where it is has not died of it; in `age` */
    PP_TIMER_SPAWN   /* the back-off of spawning is over  */
};

/* A thread in a callback of this pool; on that thread's stack. */
struct pp_frame {
    struct pp_list link;
    pthread_t      thread;
};

struct pp_pool {
    struct pp_home  home; /* first: a task knows its pool by it */
    uint64_t        mark; /* of the process that made it */
    pthread_mutex_t lock;

    /* options */
    unsigned         min_size;
    unsigned         max_size;
    unsigned         max_queued;
    unsigned         processors; /* that this process may run on, when it made the pool */
    int64_t          idle_limit; /* ns: attempts times interval */
    pp_result_fn    *callback;
    pp_exception_fn *exception_callback;
    void            *userdata;
    pp_start_method  start_method;
    unsigned         max_tasks;  /* of a worker; 0: no limit */
    size_t           max_memory; /* bytes */
    int64_t          max_age;    /* ns */
    struct pp_setup  setup;
    bool             strict_limits;
    bool             keep_running;

    bool         final;         /* finalized: not to be started again */
    bool         finalizing;    /* a thread is in finalize */
    bool         destroy_later; /* by the thread that is in finalize */
    enum pp_life life;

    /* tasks */
    unsigned         behind; /* tasks in trays that have another before them */
    struct pp_queue  queue;
    struct pp_spares spares;
    struct pp_list   delayed;
    struct pp_list   ended; /* callbacks are due */
    size_t           ended_count;
    uint64_t         ended_without_callbacks; /* since the last process_results */
    uint64_t         next_id;
    uint64_t         next_order;
    int64_t          now; /* of the last submission, or when the manager woke up */
    size_t           delayed_count;
    uint64_t         unfinished;    /* accepted and not ended         */
    uint64_t         unprocessed;   /* accepted, callbacks not returned */
    uint64_t         timed_tasks;   /* unfinished ones that may need a timer */
    uint64_t         retriable;     /* unfinished ones that may be tried again */
    uint64_t         stopped_tasks; /* cancelled by the finalize that is going on */
    struct pp_heap   timers;

    /* workers */
    struct pp_worker **workers; /* by slot; NULL: free */
    unsigned           slot_count;
    unsigned           total;    /* not NULL */
    unsigned           active;   /* asked, born or ready */
    unsigned           starting; /* asked or born */
    unsigned           idle_count;
    unsigned           busy_count; /* with a task in the tray */
    struct pp_list     idle;       /* ready, nothing in the tray; the last to become so first */
    struct pp_list     busy;       /* something in the tray, in whatever state */
    struct pp_worker  *prepared;   /* the manager's: memory for the next one, or NULL */
    struct pp_list     buried;     /* the manager's: handles to be freed without the lock */
    unsigned           apart;      /* of those, and the prepared one, also while it is made */
    struct pp_server  *server;  /* makes all workers, unless the method is fork; watches orphans */
    bool               orphans; /* workers live whose fork server died, and no other watches them */
    bool               managing; /* the manager holds the lock: only it makes fork servers */
    uint64_t           changes;  /* counts moves of workers and tasks taken back */
    struct pp_list     servers;
    uint64_t           next_server;
    uint64_t           next_incarnation;
    unsigned           failures;       /* workers in a row that died before they began a task */
    unsigned           start_failures; /* ... before they were ready */
    int                failure; /* negative errno of the last one; 0: it was a signal or exit */
    int                failure_status;
    struct pp_timer    spawn_timer;
    int64_t            spawn_not_before;
    int64_t            mean_run;    /* ns, smoothed; -1: nothing known */
    unsigned           result_hint; /* granules that results seem to need */

    /* who waits for what */
    unsigned       awaiting;        /* threads in the lists of tasks that they wait for */
    unsigned       watchers;        /* somebody wants to know of every task that ends */
    pthread_cond_t space;           /* a place in the queue became free, or the pool closed */
    unsigned       blocked;         /* threads waiting there */
    pthread_cond_t progress;        /* anything else: tasks processed, workers born or gone */
    unsigned       observers;       /* threads waiting there */
    unsigned       linger_passes;   /* waits that sleep at once (linger.c) */
    unsigned       linger_failures; /* how many they were after the last failure; 0: it succeeded */
    pthread_cond_t deliver;         /* the daemon thread has something to do */
    int            ready_fd;        /* eventfd behind pp_pool_fd */
    bool           fd_used;
    struct pp_list frames; /* callbacks that are running */

    /* threads */
    int       epoll;
    int       wake;           /* eventfd: the manager shall look at the pool again */
    int64_t   sleeping_until; /* the manager's deadline while it sleeps; 0: it is awake */
    pthread_t manager;
    pthread_t daemon;
    bool      has_daemon;
    bool      quit;
    bool      wake_mute; /* `wake` could not be rung, and is watched in another way */
    bool      no_direct; /* the kernel cannot sleep on two words */
    bool      bells;     /* workers ring; otherwise nobody needs to know, and who does looks */

    pp_pool_stats       counts; /* the counters among them */
    struct pp_histogram queue_waits;
    struct pp_histogram run_times;
};

/* One thread that waits for tasks, on its stack; and its entry in each of them. */
struct pp_waiter {
    _Atomic uint32_t word; /* futex: 1 once one of the tasks has ended */
};

struct pp_waiter_link {
    struct pp_waiter_link  *next;
    struct pp_waiter_link **place; /* what points at this one; NULL: nothing does */
    struct pp_waiter       *waiter;
};

static inline struct pp_pool *pp_task_pool(const struct pp_task *task)
{
    return (struct pp_pool *)(void *)task->home;
}

/* pool.c: may this process use it?  0, -EINVAL or -ECHILD. */
int  pp_pool_check(const struct pp_pool *pool);
void pp_pool_lock(const struct pp_pool *pool);
void pp_pool_unlock(const struct pp_pool *pool);
/* Somebody wants to know of every end from now on (what has ended so far is collected), or no
 * more. */
void pp_pool_watch(struct pp_pool *pool);
void pp_pool_unwatch(struct pp_pool *pool);
/* Sleep on `progress` until the deadline: 0 or -ETIMEDOUT.  Wakes for no reason, too. */
int  pp_pool_observe(struct pp_pool *pool, int64_t deadline);
void pp_pool_progress(struct pp_pool *pool);

/* Take tasks, and wait for min_size workers: 0, or why they cannot be had. */
int pp_pool_begin(struct pp_pool *pool);

/* A thread of the pool's own, with every signal blocked: 0 or -errno. */
int pp_pool_start_thread(pthread_t *thread, void *(*run)(void *), struct pp_pool *pool);

/* options.c */
int pp_pool_apply_options(struct pp_pool *pool, const pp_pool_options *given);
int pp_pool_check_size(unsigned min_size, unsigned max_size); /* 0 or -EINVAL */

/* submit.c */
unsigned pp_pool_waiting(const struct pp_pool *pool); /* pending, or behind another task */
void     pp_pool_space(struct pp_pool *pool);         /* wake a submitter when there is room */
/* Queue it as its options say; `deadline` only for the timed form. */
int pp_pool_submit(struct pp_pool *pool, struct pp_task *task, bool blocking, int64_t deadline);

/* dispatch.c: give pending tasks to workers. */
void pp_pool_dispatch(struct pp_pool *pool);
void pp_pool_refill(struct pp_pool *pool, struct pp_worker *worker);
/* Take back what the worker has not begun; `behind`: and is not first in its tray. */
void pp_pool_recall_behind(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_recall_unbegun(struct pp_pool *pool, struct pp_worker *worker);
/* Take that one back, if it has not begun; then it is the caller's to cancel it, or to have it pend
 * again, no attempt spent. */
bool pp_pool_recall(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task);
void pp_pool_pend_again(struct pp_pool *pool, struct pp_task *task);
/* The ticket's place in tray and box is free again. */
void pp_pool_forget_sent(struct pp_pool *pool, struct pp_worker *worker, uint64_t ticket);

/* collect.c: look what has ended; latch outcomes. */
void pp_pool_collect(struct pp_pool *pool);
void pp_pool_harvest(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_harvest_of(struct pp_pool *pool, const struct pp_task *task);
/* A task took so long, or has by now. */
void pp_pool_learn_run(struct pp_pool *pool, int64_t took);
/* A task's attempt is over: retry it or latch the outcome, which is taken over. */
void pp_pool_conclude(struct pp_pool *pool, struct pp_task *task, struct pp_outcome *outcome);
/* Without another attempt. */
void pp_pool_latch(struct pp_pool *pool, struct pp_task *task, struct pp_outcome *outcome);
/* The same for one worker, of whose tasks one is waited for from now on; then look at it. */
void pp_pool_arm_again(struct pp_pool *pool, struct pp_worker *worker);
/* Make the bells ring for what the pool needs to know before its manager sleeps, or not at all. */
void pp_pool_arm(struct pp_pool *pool);

/* linger.c: wait a moment for a task that may be over soon. */
void pp_pool_linger(struct pp_pool *pool, const struct pp_task *task);

/* direct.c: sleep, if that is possible, until the worker of this task has published something, or it is
 * somewhere else.  The caller looks then. */
void pp_pool_wait_direct(struct pp_pool *pool, const struct pp_task *task, int64_t deadline);
/* The ticket that is slept on is over, in whatever way. */
void pp_pool_end_direct(struct pp_worker *worker);

/* wait.c: the task has ended. */
void pp_pool_wake_waiters(struct pp_task *task);

/* deliver.c: run one due callback, if there is one; unlocks while it runs. */
bool pp_pool_deliver_one(struct pp_pool *pool);
/* Callbacks of this pool that are running on the calling thread, and on others. */
unsigned pp_pool_own_frames(const struct pp_pool *pool);
unsigned pp_pool_other_frames(const struct pp_pool *pool);
void    *pp_pool_daemon_main(void *data);

/* workers.c: the number of workers, their births and ends. */
void pp_pool_tend(struct pp_pool *pool);
bool pp_pool_wants_worker(const struct pp_pool *pool); /* one more than it has, and now */
/* A READY worker with an empty tray goes into the list of idle ones. */
void pp_pool_now_idle(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_retire(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_kill(struct pp_pool *pool, struct pp_worker *worker, enum pp_kill_reason reason,
                  uint64_t ticket);
/* Before a worker is killed for a task in its tray: true, and nothing is behind that task; or it has
 * ended, or has come back, and is not there any more. */
bool pp_pool_single_out(struct pp_pool *pool, const struct pp_task *task);
/* It was asked for its last words, and the time for that is over, or nobody waits for them. */
void pp_pool_kill_asked(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_look_at_phase(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_worker_dead(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_bury(struct pp_pool *pool, struct pp_worker *worker);
void pp_pool_set_worker_state(struct pp_pool *pool, struct pp_worker *worker,
                              enum pp_worker_state state);
bool pp_pool_hopeless(const struct pp_pool *pool);
/* The last ones that were started all died before they were ready, or could not be started. */
bool pp_pool_start_hopeless(const struct pp_pool *pool);
/* Set the clock by which an idle worker above min_size leaves. */
void pp_pool_start_retirement(struct pp_pool *pool, struct pp_worker *worker);
int  pp_pool_grow_slots(struct pp_pool *pool, unsigned count);

/* spawn.c: fork servers and what they report. */
/* Make the shared fork server, if the start method has one. */
int pp_pool_prepare_server(struct pp_pool *pool);
/* Have workers whose fork server died watched by another: 0 or -errno. */
int  pp_pool_adopt_orphans(struct pp_pool *pool);
int  pp_pool_spawn(struct pp_pool *pool);
void pp_pool_hear_server(struct pp_pool *pool, struct pp_server *server);
/* Or NULL. */
struct pp_worker *pp_pool_find_worker(const struct pp_pool *pool, uint64_t incarnation);
struct pp_server *pp_pool_find_server(const struct pp_pool *pool, uint64_t id);
void              pp_pool_server_dead(struct pp_pool *pool, struct pp_server *server);
/* It has no worker and is not to be asked for any: it leaves, and when it has ended it is collected like one
 * that died.  Nobody waits for that here. */
void pp_pool_dismiss_server(struct pp_pool *pool, struct pp_server *server);
void pp_pool_note_failure(struct pp_pool *pool, int error, int status);

/* recover.c: what became of the tasks of a dead worker. */
void pp_pool_sweep(struct pp_pool *pool, struct pp_worker *worker);

/* limits.c: a timer is due. */
void pp_pool_due(struct pp_pool *pool, struct pp_timer *timer);
void pp_pool_set_timer(struct pp_pool *pool, struct pp_timer *timer, enum pp_timer_kind kind,
                       int64_t when);

/* Few tasks have one. */
static inline void pp_pool_drop_timer(struct pp_pool *pool, struct pp_task *task)
{
    if (task->uncommon != NULL)
        pp_heap_remove(&pool->timers, &task->uncommon->timer);
}

/* manager.c */
enum pp_event_source {
    PP_SOURCE_WAKE,
    PP_SOURCE_BELL,
    PP_SOURCE_PIDFD,
    PP_SOURCE_SERVER,
    PP_SOURCE_SERVER_PIDFD
};
int   pp_pool_watch_fd(struct pp_pool *pool, int fd, enum pp_event_source source, uint64_t id);
void  pp_pool_forget_fd(struct pp_pool *pool, int fd);
void  pp_pool_wake_manager(struct pp_pool *pool);
void *pp_pool_manager_main(void *data);

/* finalize.c */
int pp_pool_shut_down(struct pp_pool *pool, double timeout, bool final);

/* pool.c: the rest of destroy, once the pool has stopped for good. */
void pp_pool_release(struct pp_pool *pool);

#endif
