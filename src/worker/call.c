/*
 * call.c - what a callable can do: read its arguments, return a result, raise an exception.
 *
 * Invariants
 *   - A reply is replaced only by one that is whole: when packing fails, the earlier one stands.
 *   - What is handed out lives until the callable returns.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "shm/memory.h"
#include "worker/frames.h"
#include "worker/self.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a result that go into a memfd at once instead of through private memory. */
enum { DIRECT_MIN = PP_ARENA_GRANULES * PP_GRANULE };

/* ---------------------------------------------------------------------- arguments */

static const unsigned char no_arguments[] = {0x90}; /* an empty list */

static int check_arguments(pp_call *call)
{
    bool        is_bytes = (call->request->flags & PP_REQUEST_BYTES) != 0;
    const void *data = call->arguments;
    size_t      size = call->arguments_size;
    if (call->checked)
        return 0;
    if (size == 0 && !is_bytes) {
        data = no_arguments;
        size = sizeof no_arguments;
        is_bytes = false;
    }
    int error = pp_document_init(&call->document, data, size, is_bytes, true, call->buffers,
                                 call->buffer_count);
    call->checked = error == 0;
    call->left_something = true;
    return error;
}

/* What init of a class was given stays, because instances may point into it, but is out of sight. */
static int unpack_nothing(const char *format, va_list *arguments)
{
    struct pp_document nothing;
    int error = pp_document_init(&nothing, no_arguments, sizeof no_arguments, false, true, NULL, 0);
    if (error == 0)
        error = pp_document_unpack_arguments(&nothing, format, arguments);
    pp_document_clear(&nothing);
    return error;
}

int pp_call_args(pp_call *call, const char *format, ...)
{
    va_list arguments;
    if (call == NULL)
        return -EINVAL;
    int error = call->arguments_hidden ? 0 : check_arguments(call);
    if (error < 0)
        return error;
    va_start(arguments, format);
    error = call->arguments_hidden
                ? unpack_nothing(format, &arguments)
                : pp_document_unpack_arguments(&call->document, format, &arguments);
    va_end(arguments);
    call->misfit = error;
    call->left_something = call->left_something || error < 0;
    return error;
}

int pp_call_bytes(pp_call *call, const void **data, size_t *size)
{
    if (call == NULL || data == NULL || size == NULL)
        return -EINVAL;
    if (call->arguments_hidden || (call->request->flags & PP_REQUEST_BYTES) == 0)
        return -ENOENT;
    *data = call->arguments;
    *size = call->arguments_size;
    return 0;
}

/* The request cannot be written; each call gets a copy that can. */
void *pp_call_captured(pp_call *call, size_t *size)
{
    if (call == NULL)
        return NULL;
    if (!call->captured_copied && call->captured != NULL) {
        pp_bytes_reset(&call->captured_copy);
        if (pp_bytes_append(&call->captured_copy, call->captured, call->request->captured_size) < 0)
            return NULL;
        call->captured_copied = true;
        call->left_something = true;
    }
    if (size != NULL)
        *size = call->request->captured_size;
    return call->captured != NULL ? call->captured_copy.data : NULL;
}

/* ------------------------------------------------------------------------- result */

void pp_reply_forget(struct pp_reply *reply)
{
    enum { KEEP = 1 << 20 };
    if (reply->bytes.capacity > KEEP)
        pp_bytes_free(&reply->bytes);
    pp_bytes_reset(&reply->bytes);
    pp_buffer_list_free(&reply->buffers);
    reply->is_bytes = false;
    if (reply->memfd_size > 0)
        pp_close(&reply->memfd);
    reply->memfd_size = 0;
}

/* The spare is whole: it becomes the reply, and the earlier reply's memory the next spare. */
static void exchange_replies(pp_call *call)
{
    struct pp_reply earlier = call->reply;
    call->reply = call->spare;
    call->spare = earlier;
    call->left_something = true;
    pp_reply_forget(&call->spare);
}

int pp_call_return(pp_call *call, const char *format, ...)
{
    va_list arguments;
    if (call == NULL)
        return -EINVAL;
    pp_reply_forget(&call->spare);
    va_start(arguments, format);
    int error = pp_pack_result(&call->spare.bytes, &call->spare.buffers, format, &arguments);
    va_end(arguments);
    if (error == 0) {
        call->item_placed = false;
        exchange_replies(call);
    }
    return error;
}

/* The small sizes without a call: an item of a map may cost little more than this. A callable may return
   what lies there already. */
static void copy_item(unsigned char *into, const void *data, size_t size)
{
    if (size == sizeof(uint32_t))
        memmove(into, data, sizeof(uint32_t));
    else if (size == sizeof(uint64_t))
        memmove(into, data, sizeof(uint64_t));
    else if (size > 0)
        memmove(into, data, size);
}

int pp_call_return_bytes(pp_call *call, const void *data, size_t size)
{
    if (call == NULL || (data == NULL && size > 0))
        return -EINVAL;
    if (call->item_place != NULL && size == call->extra.out_size) {
        copy_item(call->item_place, data, size);
        call->item_placed = true;
        return 0;
    }
    struct pp_reply *spare = &call->spare;
    bool             in_map = (call->request->flags & PP_REQUEST_MAP) != 0;
    pp_reply_forget(spare);
    spare->is_bytes = true;
    int error = size > DIRECT_MIN && !in_map ? pp_reply_to_memfd(spare, data, size)
                                             : pp_bytes_append(&spare->bytes, data, size);
    if (error == 0) {
        call->item_placed = false;
        exchange_replies(call);
    }
    return error;
}

/* ---------------------------------------------------------------------- exception */

static void set_name(struct pp_raised *raised, const char *name)
{
    const char *chosen = name != NULL && name[0] != '\0' ? name : strerrorname_np(raised->error);
    snprintf(raised->name, sizeof raised->name, "%s", chosen != NULL ? chosen : "Exception");
}

void pp_call_raise_own(struct pp_call *call, int error, const char *message)
{
    struct pp_raised *raised = &call->raised;
    call->left_something = true;
    raised->error = error;
    raised->item = 0;
    raised->backtrace[0] = '\0';
    set_name(raised, NULL);
    if (message != NULL)
        snprintf(raised->message, sizeof raised->message, "%s", message);
    else if (strerror_r(error, raised->message, sizeof raised->message) != raised->message)
        snprintf(raised->message, sizeof raised->message, "%s", strerror(error));
}

/* From the frame that `pc` returns to. */
static void set_backtrace(struct pp_raised *raised, const void *pc)
{
    _Atomic uint32_t length = 0;
    struct pp_frames frames = {raised->backtrace, sizeof raised->backtrace - 1, &length};
    pp_frames_from(&frames, pc);
    raised->backtrace[length] = '\0';
}

int pp_call_raise(pp_call *call, int error, const char *name, const char *format, ...)
{
    if (call == NULL)
        return -EINVAL;
    struct pp_raised *raised = &call->raised;
    if (error == 0 || error == INT32_MIN)
        error = EINVAL;
    call->left_something = true;
    raised->error = error < 0 ? -error : error;
    raised->item = 0;
    set_name(raised, name);
    raised->message[0] = '\0';
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(raised->message, sizeof raised->message, format, arguments);
        va_end(arguments);
    }
    set_backtrace(raised, __builtin_return_address(0));
    return -raised->error;
}

/* ------------------------------------------------------------------ about the call */

bool pp_call_cancelled(const pp_call *call)
{
    if (call == NULL)
        return false;
    uint64_t asked = atomic_load_explicit(&call->worker->tray->cancelled, memory_order_relaxed);
    if (asked == call->ticket || asked == UINT64_MAX)
        return true;
    return call->soft_deadline != PP_NEVER && pp_clock_now() >= call->soft_deadline;
}

int pp_call_progress(pp_call *call, double done, double total)
{
    if (call == NULL || !isfinite(done) || !isfinite(total) || done < 0 || total <= 0)
        return -EINVAL;
    atomic_store_explicit(&call->result->progress, (float)(done / total), memory_order_relaxed);
    return 0;
}

uint64_t pp_call_task_id(const pp_call *call)
{
    return call != NULL ? call->request->task_id : 0;
}

unsigned pp_call_attempt(const pp_call *call)
{
    return call != NULL ? call->request->attempt : 0;
}

unsigned pp_call_worker(const pp_call *call)
{
    return call != NULL ? call->worker->slot : 0;
}

void *pp_call_state(const pp_call *call)
{
    return call != NULL ? call->worker->state : NULL;
}
