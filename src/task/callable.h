/*
 * callable.h - code by reference, and back.
 *
 * A function or class is named by the object file that holds it and its place there.  The host
 * describes, the worker resolves; neither side ever sees the other's addresses.
 */
#ifndef PP_TASK_CALLABLE_H
#define PP_TASK_CALLABLE_H

#include "procpool.h"
#include "shm/mailbox.h"

enum pp_target_kind {
    PP_TARGET_FUNCTION = 1, /* name: path of the object file, "" for the program itself */
    PP_TARGET_CLASS,
    PP_TARGET_NAME,   /* name: "file:function" */
    PP_TARGET_NOWHERE /* the address lies in no object file: no worker can find it */
};

/* A callable as it is shipped; name and captured are borrowed. */
struct pp_shipped {
    struct pp_target target;
    const char      *name;
    const void      *captured;
};

/* What a worker calls: one of the two. */
struct pp_resolved {
    pp_function    *function;
    const pp_class *cls;
};

enum { PP_REASON_SIZE = 512 };

/* Host: -EINVAL for a callable that is not whole (no function, no init, a name too long, ...). */
int pp_callable_describe(struct pp_shipped *shipped, const pp_callable *callable);

/* Describe any function of the program, such as worker_init. */
void pp_function_describe(struct pp_shipped *shipped, void (*function)(void));

/* Worker: 0, or -ENOENT with the reason in words.  `name` need not be NUL-terminated. */
int pp_target_resolve(struct pp_resolved *resolved, const struct pp_target *target,
                      const char *name, char reason[PP_REASON_SIZE]);

#endif
