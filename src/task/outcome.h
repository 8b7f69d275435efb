/*
 * outcome.h - how a task ended: a result, or the reason why there is none.
 *
 * Made once, checked when it is made, never changed, freed with its task.  The memory of one that
 * held a small result can be used again.  Only one thing is added to it later: the symbolised form of
 * a backtrace, which takes long and is seldom wanted, by the first who asks.
 */
#ifndef PP_TASK_OUTCOME_H
#define PP_TASK_OUTCOME_H

#include "codec/document.h"
#include "procpool.h"

#include <stdatomic.h>

enum { PP_OUTCOME_SMALL = 64 }; /* bytes of a result that every outcome has room for */

/* The symbolised backtrace of an error, and the S_ERROR form that has it. */
struct pp_symbolised {
    char              *backtrace;
    unsigned char     *encoded;
    struct pp_document document;
};

struct pp_error {
    pp_state           state;
    int                number; /* positive errno */
    int                wait_status;
    uint64_t           item; /* which item of a map raised it */
    char              *name;
    char              *message;
    char              *backtrace; /* as the worker wrote it */
    unsigned char     *encoded;   /* the S_ERROR form, with that */
    struct pp_document document;

    _Atomic(struct pp_symbolised *) symbolised; /* set once, by any reader */
};

struct pp_outcome {
    pp_state           state;
    struct pp_document document; /* of a result */
    struct pp_error   *error;
    void              *mapping; /* that holds a large result */
    size_t             mapping_size;
    pp_buffer        **buffers; /* each with a reference */
    size_t             buffer_count;
    struct pp_outcome *next;            /* among spare ones */
    size_t             room;            /* bytes behind */
    _Alignas(16) unsigned char bytes[]; /* that hold a small one */
};

/* What a worker left behind a DONE: all of it untrusted. */
struct pp_raw_result {
    const void *data; /* shared memory: copied before it is looked at; NULL when it is in fds[0] */
    size_t      size;
    bool        is_bytes;
    bool        is_error;
    bool        is_mapped;
    const int  *fds; /* borrowed */
    size_t      fd_count;
};

/* The functions below never fail: without memory they give a constant outcome that says so. */

/* A result, or an exception that says what is wrong with it.  `spare`: NULL, or memory to use for it,
 * which is taken over in any case. */
struct pp_outcome *pp_outcome_from_raw(const struct pp_raw_result *raw, struct pp_outcome *spare);

/* An outcome without result; strings are copied. */
struct pp_outcome *pp_outcome_error(pp_state state, int number, const char *name,
                                    const char *message, const char *backtrace, int wait_status);

void pp_outcome_free(struct pp_outcome *outcome);

/* Give back all that it holds but its own memory; false: that too, there was nothing to keep. */
bool pp_outcome_make_spare(struct pp_outcome *outcome);

#endif
