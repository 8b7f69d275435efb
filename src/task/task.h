/*
 * task.h - a task as the host sees it.
 *
 * Who writes what: until it is queued, the thread that owns it.  From then on the lock of its pool
 * protects every field, except
 *   references, claimed   atomic
 *   place        written under the lock, release; PLACE_ENDED publishes the outcome, so whoever
 *                acquires it may read outcome, attempts, times and worker_pid without the lock
 */
#ifndef PP_TASK_TASK_H
#define PP_TASK_TASK_H

#include "base/heap.h"
#include "base/list.h"
#include "codec/pack.h"
#include "procpool.h"
#include "shm/mailbox.h"
#include "task/outcome.h"

#include <stdatomic.h>

/* Where a task is. */
enum pp_place {
    PP_PLACE_NEW,     /* not queued yet                                 */
    PP_PLACE_PENDING, /* in the pending queue                           */
    PP_PLACE_SENT,    /* in a worker's tray: begun or not, its word says */
    PP_PLACE_DELAYED, /* waits for its next attempt                     */
    PP_PLACE_ENDED,   /* the latch: never left                          */
    PP_PLACES
};

enum pp_event {
    PP_EVENT_ACCEPT, /* by the pool               */
    PP_EVENT_SEND,   /* to a worker               */
    PP_EVENT_BACK,   /* not begun: pending again  */
    PP_EVENT_DELAY,  /* failed, another attempt   */
    PP_EVENT_DUE,    /* its delay is over         */
    PP_EVENT_END,    /* has its outcome           */
    PP_EVENTS
};

/* What a task keeps of its pool: the pool's memory outlives its last task. */
struct pp_home {
    atomic_uint references;
    void (*destroy)(struct pp_home *home);
};

void pp_home_ref(struct pp_home *home);
void pp_home_unref(struct pp_home *home);

enum { PP_TASK_SMALL = 32 }; /* bytes of a payload that need no memory of their own */

struct pp_task {
    struct pp_list        link; /* pending, delayed or ended: one list at a time */
    struct pp_home       *home; /* of the pool that accepted it                  */
    atomic_uint           references;
    _Atomic unsigned char place;   /* enum pp_place */
    atomic_bool           claimed; /* by the pool that accepts it: two may be asked at once */
    bool                  use_pool_callbacks;
    bool                  blocking;
    bool                  timed;      /* counted among those that may need a timer */
    bool                  no_retry;   /* it was cancelled */
    bool                  holds_home; /* has a reference of it */
    uint16_t              flags;      /* enum pp_request_flags */
    uint64_t              id;
    uint64_t              order; /* of acceptance: FIFO among equals */
    int                   priority;
    unsigned              max_retries;
    unsigned              attempts; /* begun so far */
    pp_result_fn         *callback;
    pp_exception_fn      *exception_callback;
    void                 *userdata;
    int64_t               timeout; /* ns; 0: none */
    int64_t               retry_delay;
    struct pp_timer       timer; /* time limit while SENT, next attempt while DELAYED */
    struct pp_list        waiters;

    struct pp_target      target;
    uint64_t              payload_size;
    unsigned char        *payload;    /* or `small`, or NULL when it is in a memfd */
    int                   payload_fd; /* or -1 */
    struct pp_buffer_list buffers;

    struct pp_worker  *worker; /* while SENT */
    uint64_t           ticket;
    int64_t            sent_at;    /* when it has a time limit */
    int64_t            begun_at;   /* latched when a deadline was first looked at; 0: not yet */
    pid_t              worker_pid; /* of the last attempt */
    int64_t            queued_at;
    int64_t            queue_wait;
    int64_t            run_time; /* of the last attempt */
    struct pp_outcome *outcome;
    _Alignas(8) unsigned char small[PP_TASK_SMALL];
};

/* Move it, if the table allows: the new place, or -EINVAL. */
int pp_task_step(struct pp_task *task, enum pp_event event);

enum pp_place pp_task_place(const struct pp_task *task);

/* Payload of a chunk of a map: items, with the sizes of items and results. */
struct pp_map_items {
    const void *items;
    size_t      size;
    uint32_t    item_size;
    uint32_t    out_size;
};

/* From now on the memory of its pool lives as long as the task.  By an owner, in a pool that lives. */
void pp_task_hold_home(struct pp_task *task);

/* Make a task in memory of the caller, who gives back by pp_task_empty what it came to hold; a failed
 * call leaves it empty. */
int pp_task_make_args(struct pp_task *task, const pp_callable *callable,
                      const pp_task_options *options, const char *format, va_list *arguments);
int pp_task_make_bytes(struct pp_task *task, const pp_callable *callable,
                       const pp_task_options *options, const void *data, size_t size);
/* All but the memory of the task itself, and its reference of a pool. */
void pp_task_empty(struct pp_task *task);

int pp_task_create_items(pp_task **task, const pp_callable *callable,
                         const struct pp_map_items *items);

#endif
