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

struct pp_task;
struct pp_waiter_link;

/* What only some tasks have: a time limit, further attempts, buffers, a payload in a memfd. */
struct pp_uncommon {
    struct pp_task       *task;
    struct pp_uncommon   *next;    /* while it is spare */
    int64_t               timeout; /* ns; 0: none */
    int64_t               retry_delay;
    unsigned              max_retries;
    int                   payload_fd;   /* or -1 */
    uint64_t              payload_size; /* of what is in it */
    struct pp_buffer_list buffers;
    struct pp_timer       timer;    /* time limit while SENT, next attempt while DELAYED */
    int64_t               sent_at;  /* when it has a time limit */
    int64_t               begun_at; /* latched when a deadline was first looked at; 0: not yet */
};

enum { PP_TASK_SMALL = 24 }; /* bytes of a payload that need no memory of their own */

/* A million of them may wait: the order of the fields leaves no gaps. */
struct pp_task {
    struct pp_list         link; /* pending, delayed or ended: one list at a time */
    struct pp_home        *home; /* of the pool that accepted it                  */
    atomic_uint            references;
    int                    priority;
    unsigned               attempts;     /* begun so far */
    pid_t                  worker_pid;   /* of the last attempt */
    uint32_t               payload_size; /* of what is here; 0 when it is in a memfd */
    uint16_t               flags;        /* enum pp_request_flags */
    _Atomic unsigned char  place;        /* enum pp_place */
    atomic_bool            claimed;      /* by the pool that accepts it: two may be asked at once */
    bool                   use_pool_callbacks;
    bool                   blocking;
    bool                   timed;      /* counted among those that may need a timer */
    bool                   no_retry;   /* it was cancelled */
    bool                   holds_home; /* has a reference of it */
    uint64_t               id;
    uint64_t               order; /* of acceptance: FIFO among equals */
    pp_result_fn          *callback;
    pp_exception_fn       *exception_callback;
    void                  *userdata;
    struct pp_uncommon    *uncommon; /* or NULL */
    struct pp_waiter_link *waiters;
    struct pp_target       target;
    union {
        unsigned char  small[PP_TASK_SMALL]; /* up to that many bytes of payload */
        unsigned char *large;                /* more of them */
    };
    union {
        struct { /* while SENT */
            struct pp_worker *worker;
            uint64_t          ticket;
        };
        struct { /* of the last attempt, or 0; otherwise */
            int64_t queue_wait;
            int64_t run_time;
        };
    };
    int64_t            queued_at;
    struct pp_outcome *outcome;
};

/* With what malloc adds, 192: one that waits costs no more than three lines. */
_Static_assert(sizeof(struct pp_task) == 184, "a waiting task is small");

/* A task on the stack of its maker, which the pool moves into memory of its own. */
struct pp_draft {
    struct pp_task     task;
    struct pp_uncommon uncommon;
};

static inline int64_t pp_task_limit(const struct pp_task *task)
{
    return task->uncommon != NULL ? task->uncommon->timeout : 0;
}

static inline unsigned pp_task_retries(const struct pp_task *task)
{
    return task->uncommon != NULL ? task->uncommon->max_retries : 0;
}

/* The payload, or NULL when it is in a memfd; and its size in either case. */
static inline const unsigned char *pp_task_payload(const struct pp_task *task)
{
    if ((task->flags & PP_REQUEST_MAPPED) != 0)
        return NULL;
    return task->payload_size <= PP_TASK_SMALL ? task->small : task->large;
}

static inline uint64_t pp_task_payload_size(const struct pp_task *task)
{
    bool mapped = (task->flags & PP_REQUEST_MAPPED) != 0;
    return mapped ? task->uncommon->payload_size : task->payload_size;
}

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

/* Have what is uncommon, in that memory or, when it is NULL, in new: 0 or -ENOMEM. */
int pp_task_need_uncommon(struct pp_task *task, struct pp_uncommon *room);

/* Make a draft, whose owner gives back by pp_task_empty what it came to hold; a failed call leaves it
 * empty. */
int pp_draft_make_args(struct pp_draft *draft, const pp_callable *callable,
                       const pp_task_options *options, const char *format, va_list *arguments);
int pp_draft_make_bytes(struct pp_draft *draft, const pp_callable *callable,
                        const pp_task_options *options, const void *data, size_t size);
/* Give back all that it holds, but the memory of the task and of what is uncommon in it, and its
 * reference of a pool. */
void pp_task_empty(struct pp_task *task);

int pp_task_create_items(pp_task **task, const pp_callable *callable,
                         const struct pp_map_items *items);

#endif
