/*
 * self.h - a worker process and the call it is executing, as the files of src/worker/ see them.
 */
#ifndef PP_WORKER_SELF_H
#define PP_WORKER_SELF_H

#include "base/descriptor.h"
#include "codec/document.h"
#include "codec/pack.h"
#include "procpool.h"
#include "shm/mailbox.h"
#include "task/callable.h"
#include "worker/birth.h"

#include <time.h>

struct pp_worker_self;

/* What a callable raised; empty strings are allowed. */
struct pp_raised {
    int      error; /* positive errno; 0: nothing was raised */
    uint64_t item;  /* PP_REQUEST_MAP: which one */
    char     name[64];
    char     message[1024];
    char     backtrace[2048];
};

/* What a callable returned so far. */
struct pp_reply {
    struct pp_bytes       bytes;
    struct pp_buffer_list buffers;
    bool                  is_bytes; /* of pp_call_return_bytes */
    int                   memfd;    /* a large result of bytes is written straight into it; or -1 */
    size_t                memfd_size;
};

/* The task being executed; its memory is reused by the next one. */
struct pp_call {
    struct pp_worker_self   *worker;
    const struct pp_request *request;
    struct pp_result        *result;
    uint64_t                 ticket;
    struct pp_extra          extra;
    const char              *name; /* of the callable, name_size bytes */
    const unsigned char     *captured;
    const unsigned char     *arguments; /* of an item when the request is a map */
    size_t                   arguments_size;
    bool                     arguments_hidden; /* a class is called without arguments */
    int64_t                  soft_deadline;    /* ns, PP_NEVER */

    /* arguments: checked when they are first asked for */
    bool               checked;
    int                misfit; /* what pp_call_args said when it failed last, or 0 */
    struct pp_document document;
    struct pp_bytes    captured_copy; /* what the closure may write to */
    bool               captured_copied;
    pp_buffer         *buffers[PP_MAX_DESCRIPTORS];
    size_t             buffer_count;
    void              *mapping; /* of a payload that came by descriptor */
    size_t             mapping_size;

    struct pp_reply  reply;
    struct pp_reply  spare; /* being built; becomes the reply when it is whole */
    struct pp_raised raised;
    /* PP_REQUEST_MAP: the results of the items so far, with room for all; where this item's goes when
     * it is of the right size (NULL: nowhere), and whether it is there. */
    struct pp_bytes collected;
    unsigned char  *item_place;
    bool            item_placed;
    /* Since it was last false: a reply, arguments that were checked, or an exception. */
    bool left_something;
};

struct pp_worker_self {
    struct pp_tray        *tray;
    struct pp_box         *box;
    struct pp_ledger      *ledger;
    int                    bell;
    int                    socket;
    unsigned               slot;
    const struct pp_setup *setup;
    void                  *state;     /* what worker_init gave */
    uint64_t               ticket;    /* the next one */
    unsigned               patience;  /* turns of the spin before a sleep */
    uint64_t               last_ring; /* the arming that was answered last */
    int64_t                now;       /* when the last task ended; 0 after a sleep */
    timer_t                soft_timer;
    bool                   has_soft_timer;
    struct pp_call         call;
};

/* take.c: the next request, claimed, in self->call; false when there will be none. */
bool pp_worker_take(struct pp_worker_self *self);
/* run.c: execute it. */
void pp_worker_run(struct pp_worker_self *self);
/* reply.c: publish what came of it, ring if the host wants to know, forget it. */
void pp_worker_reply(struct pp_worker_self *self);
void pp_worker_ring(struct pp_worker_self *self);

/* request.c: find the parts of a request's payload: 0 or -errno. */
int  pp_request_open(struct pp_call *call);
void pp_request_close(struct pp_call *call);

/* call.c */
void pp_reply_forget(struct pp_reply *reply);
/* Put a large result into a memfd of its own: 0 or -errno. */
int pp_reply_to_memfd(struct pp_reply *reply, const void *data, size_t size);
/* Record an exception of the library's own making; `error` is a positive errno. */
void pp_call_raise_own(struct pp_call *call, int error, const char *message);

/* soft.c: SIGALRM after that many ns from now, and none any more. */
int  pp_soft_timer_start(struct pp_worker_self *self, int64_t timeout);
void pp_soft_timer_stop(struct pp_worker_self *self);

#endif
