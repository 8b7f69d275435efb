/*
 * slots.h - a worker as the host sees it: one incarnation in one slot.
 *
 * Owner: the pool; its lock protects every field.  The shared object (tray and box) and this
 * private handle are two types: what decides anything stands here, where no worker can write.
 */
#ifndef PP_SUPERVISE_SLOTS_H
#define PP_SUPERVISE_SLOTS_H

#include "base/heap.h"
#include "base/list.h"
#include "shm/mailbox.h"
#include "supervise/server.h"
#include "task/task.h"

enum pp_worker_state {
    PP_WORKER_ASKED,   /* the fork server has the order              */
    PP_WORKER_BORN,    /* has a pid; worker_init runs                */
    PP_WORKER_READY,   /* takes tasks                                */
    PP_WORKER_LEAVING, /* has the bullet: finishes its task and exits */
    PP_WORKER_KILLED,  /* SIGKILL is on its way, or it was asked     */
    PP_WORKER_DEAD     /* its pidfd says so; the wait status is due  */
};

/* Why the host killed it. */
enum pp_kill_reason {
    PP_KILL_NONE,
    PP_KILL_TIMEOUT,
    PP_KILL_CANCEL,
    PP_KILL_FINALIZE,
    PP_KILL_BROKEN, /* its box is ruined, or it takes nothing any more */
};

/* What is out in one ticket; task NULL: taken back. */
struct pp_sent {
    struct pp_task *task;
    int8_t          request_arena;
    uint8_t         request_granules;
    int8_t          result_arena;
    uint8_t         result_granules;
};

struct pp_waiter;

struct pp_worker {
    struct pp_list       link; /* the pool's idle or busy list */
    unsigned             slot;
    unsigned             holds;
    uint64_t             incarnation;
    enum pp_worker_state state;
    enum pp_kill_reason  reason;
    uint64_t             reason_ticket; /* the task it was killed for */
    bool                 asked;         /* for its last words: no SIGKILL was sent yet */
    bool                 answering;     /* and was given the time to finish */
    struct pp_server    *server;        /* NULL: its fork server died */
    uint64_t             watched_by;    /* then: id of the one that was told of it */
    struct pp_tray      *tray;
    struct pp_box       *box;
    struct pp_ledger    *ledger;
    int                  tray_fd; /* until the order is sent */
    int                  box_fd;
    int                  worker_socket;
    int                  socket;
    int                  bell;
    int                  pidfd;
    pid_t                pid;
    int                  statm; /* /proc/pid/statm when memory is limited, or -1 */

    uint64_t          head;     /* the oldest ticket that is not over */
    uint64_t          tail;     /* the next one */
    unsigned          inflight; /* tasks in [head, tail) */
    struct pp_sent    sent[PP_RING];
    uint64_t          request_used; /* granules, a bit each */
    uint64_t          result_used;
    uint64_t          rung_for; /* the last ticket that was out when it was woken */
    struct pp_waiter *direct;   /* a thread that sleeps on the word of direct_ticket, or NULL */
    uint64_t          direct_ticket;
    int64_t  looked_at; /* when its tray was last looked through before it was given more */
    uint16_t arming;    /* makes each arming of the bell another value */
    bool     armed;
    bool     ready;     /* it has been READY */
    bool     slow;      /* nothing is queued behind its task */
    bool     held;      /* nothing at all: it is to be killed for that task */
    uint64_t head_seen; /* ticket that ran when the stall timer was set */
    uint64_t tasks_sent;
    uint64_t tasks_ended;
    bool     unborn; /* its fork server died before it told of a birth */

    struct pp_timer idle;  /* retires when it has been idle for long */
    struct pp_timer stall; /* what waits behind a slow task is taken back */
    struct pp_timer age;   /* recycled; and: its wait status is overdue */
    int             wait_status;
    bool            status_known;
    int             init_error; /* negative errno of worker_init */
};

/* A worker's memory, bell and sockets, before there is a process: 0 or -errno.  Needs no lock; its slot
 * and incarnation are given to it later. */
int pp_worker_create(struct pp_worker **worker);
/* Under the pool's lock.  Who created it holds it; so does a thread that looks at its box without the
 * lock.  The last to release it frees it; NULL is nothing. */
void pp_worker_hold(struct pp_worker *worker);
void pp_worker_release(struct pp_worker *worker);
/* Close the ends that are the worker's, once the fork server has them. */
void pp_worker_close_given(struct pp_worker *worker);

int pp_worker_signal(const struct pp_worker *worker, int signal);
/* It says that it does not sleep, or was woken for what it has not begun yet. */
bool pp_worker_awake(const struct pp_worker *worker);
/* Wake it if it sleeps; call it after what it should see was published. */
void pp_worker_wake(struct pp_worker *worker);
/* Have it ring when it has finished `ticket` or a later one. */
void pp_worker_arm(struct pp_worker *worker, uint64_t ticket);
void pp_worker_disarm(struct pp_worker *worker);
/* The bullet: it leaves when its tray is empty. */
void pp_worker_send_bullet(struct pp_worker *worker);

/* Bytes of its memory that are resident; 0 when that cannot be read. */
size_t pp_worker_resident(const struct pp_worker *worker);

bool pp_worker_active(const struct pp_worker *worker); /* asked, born or ready */

#endif
