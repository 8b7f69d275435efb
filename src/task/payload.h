/*
 * payload.h - what a task sends: callable, captured data, arguments, as one row of bytes.
 */
#ifndef PP_TASK_PAYLOAD_H
#define PP_TASK_PAYLOAD_H

#include "task/callable.h"
#include "task/task.h"

/* The parts of a payload, in order; the empty ones take no room. */
struct pp_parts {
    struct pp_extra   extra;
    bool              has_extra;
    struct pp_shipped shipped;
    const void       *arguments;
    size_t            arguments_size;
};

/* Replace the payload; on failure the earlier one stands.  `room`: for what is uncommon, or NULL. */
int pp_payload_set(struct pp_task *task, struct pp_uncommon *room, const struct pp_parts *parts);
/* Other arguments behind the parts that are there. */
int  pp_payload_replace_arguments(struct pp_task *task, const void *data, size_t size);
void pp_payload_free(struct pp_task *task);
/* Of a task that has ended, under its pool's lock: the memfd, to be closed without it, or -1. */
int pp_payload_take_memfd(struct pp_task *task);

#endif
