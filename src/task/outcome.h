/*
 * outcome.h - how a task ended: a result, or the reason why there is none.
 *
 * Made once, checked when it is made, never changed, freed with its task.
 */
#ifndef PP_TASK_OUTCOME_H
#define PP_TASK_OUTCOME_H

#include "codec/document.h"
#include "procpool.h"

struct pp_error {
    pp_state           state;
    int                number; /* positive errno */
    int                wait_status;
    uint64_t           item; /* which item of a map raised it */
    char              *name;
    char              *message;
    char              *backtrace;
    unsigned char     *encoded; /* the S_ERROR form */
    struct pp_document document;
};

struct pp_outcome {
    pp_state           state;
    struct pp_document document; /* of a result */
    struct pp_error   *error;
    void              *mapping; /* that holds a large result */
    size_t             mapping_size;
    pp_buffer        **buffers; /* each with a reference */
    size_t             buffer_count;
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

/* A result, or an exception that says what is wrong with it. */
struct pp_outcome *pp_outcome_from_raw(const struct pp_raw_result *raw);

/* An outcome without result; strings are copied. */
struct pp_outcome *pp_outcome_error(pp_state state, int number, const char *name,
                                    const char *message, const char *backtrace, int wait_status);

void pp_outcome_free(struct pp_outcome *outcome);

#endif
