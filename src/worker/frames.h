/*
 * frames.h - the stack of a callable, as lines "path+0xoffset".
 */
#ifndef PP_WORKER_FRAMES_H
#define PP_WORKER_FRAMES_H

#include "procpool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Lines into `text`, the innermost frame first, whole ones as far as they fit.  `length` is what is
 * there so far, released line by line: who is killed on the way leaves the lines before. */
struct pp_frames {
    char             *text;
    size_t            size;
    _Atomic uint32_t *length;
};

/* From the frame that pc returns to.  Async-signal-safe, as the next one. */
void pp_frames_from(const struct pp_frames *frames, const void *pc);
/* In a signal handler: from the frame that was interrupted. */
void pp_frames_interrupted(const struct pp_frames *frames);

/* Call it; what lies further out than these is not the callable's. */
int  pp_frames_call(pp_function *function, pp_call *call);
int  pp_frames_call_method(int (*method)(void *self, pp_call *call), void *self, pp_call *call);
void pp_frames_call_fini(void (*fini)(void *self), void *self);

#endif
