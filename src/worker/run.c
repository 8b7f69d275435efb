/*
 * run.c - (5) a worker executes a request: find the callable, call it, note how it ended.
 *
 * Invariants
 *   - After pp_worker_run either raised.error is set or the reply is the result; never both count.
 *   - fini of a class runs if and only if its init succeeded, also when its call failed.
 */
#include "base/clock.h"
#include "worker/frames.h"
#include "worker/self.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The last callables that were found: a stream of the same few is not looked up again. */
enum { CACHE_ENTRIES = 8, CACHE_NAME = 256 };

struct cached {
    struct pp_resolved resolved;
    uint64_t           offset;
    uint16_t           name_size;
    uint8_t            kind; /* 0: an empty entry */
    char               name[CACHE_NAME];
};

static struct cached cache[CACHE_ENTRIES]; /* of this worker process */
static unsigned      cache_next;

static struct cached *cache_find(const struct pp_request *request, const char *name)
{
    for (unsigned i = 0; i < CACHE_ENTRIES; i++) {
        struct cached *entry = &cache[i];
        if (entry->kind == request->kind && entry->offset == request->offset &&
            entry->name_size == request->name_size &&
            memcmp(entry->name, name, request->name_size) == 0)
            return entry;
    }
    return NULL;
}

static void cache_add(const struct pp_request *request, const char *name,
                      const struct pp_resolved *resolved)
{
    if (request->name_size > CACHE_NAME)
        return;
    struct cached *entry = &cache[cache_next++ % CACHE_ENTRIES];
    *entry = (struct cached){.resolved = *resolved,
                             .offset = request->offset,
                             .name_size = request->name_size,
                             .kind = request->kind};
    memcpy(entry->name, name, request->name_size);
}

static int find_callable(struct pp_call *call, struct pp_resolved *resolved)
{
    const struct pp_request *request = call->request;
    const struct cached     *hit = cache_find(request, call->name);
    if (hit != NULL) {
        *resolved = hit->resolved;
        return 0;
    }
    char             reason[PP_REASON_SIZE];
    struct pp_target target = {.offset = request->offset,
                               .captured_size = request->captured_size,
                               .name_size = request->name_size,
                               .kind = request->kind};
    int              error = pp_target_resolve(resolved, &target, call->name, reason);
    if (error < 0)
        pp_call_raise_own(call, -error, reason);
    else
        cache_add(request, call->name, resolved);
    return error;
}

static int call_class(struct pp_call *call, const pp_class *cls)
{
    void *instance = calloc(1, cls->size > 0 ? cls->size : 1);
    if (instance == NULL)
        return -ENOMEM;
    int status = pp_frames_call_method(cls->init, instance, call);
    if (status == 0) {
        call->arguments_hidden = true;
        status = pp_frames_call_method(cls->call, instance, call);
        call->arguments_hidden = false;
        if (cls->fini != NULL)
            pp_frames_call_fini(cls->fini, instance);
    }
    free(instance);
    return status;
}

static int call_once(struct pp_call *call, const struct pp_resolved *resolved)
{
    return resolved->cls != NULL ? call_class(call, resolved->cls)
                                 : pp_frames_call(resolved->function, call);
}

/* Why a callable fails that hands on what pp_call_args has said, which is the most frequent mistake. */
static const char *misfit_words(const struct pp_call *call, int status)
{
    if (status != call->misfit)
        return NULL;
    switch (status) {
    case -ENOENT:
        return "an argument is missing";
    case -E2BIG:
        return "there is an argument too many";
    case -EINVAL:
        return "an argument has another type than the callable takes";
    case -ERANGE:
        return "an argument does not fit into the callable's type";
    default:
        return NULL;
    }
}

/* True when the call succeeded, otherwise an exception is recorded. */
static bool succeeded(struct pp_call *call, int status)
{
    if (status == 0) { /* what was raised and overcome does not count */
        call->raised.error = 0;
        return true;
    }
    if (status > 0)
        pp_call_raise_own(call, EPROTO,
                          "the callable returned a positive number: 0 or a negative errno is due");
    else if (call->raised.error == 0)
        pp_call_raise_own(call, status > -INT32_MAX ? -status : EINVAL, misfit_words(call, status));
    return false;
}

static bool has_result_of_its_size(struct pp_call *call)
{
    if (call->item_placed || call->extra.out_size == 0)
        return true;
    pp_call_raise_own(call, EINVAL, "a result of another size than out_size bytes");
    return false;
}

static void forget_item(struct pp_call *call)
{
    pp_reply_forget(&call->reply);
    if (call->checked)
        pp_document_clear(&call->document);
    call->checked = false;
    call->captured_copied = false;
    call->left_something = false;
    call->misfit = 0;
}

/* The result is in its place, and that is all that it did. */
static bool is_plain(const struct pp_call *call, int status)
{
    return status == 0 && call->item_placed && !call->left_something;
}

/* Each item in turn; its result goes straight to its place. */
static bool run_items(struct pp_call *call, const struct pp_resolved *resolved, size_t count)
{
    const unsigned char *items = call->arguments;
    unsigned char       *results = call->collected.data;
    size_t               item_size = call->extra.item_size;
    size_t               out_size = call->extra.out_size;
    bool                 good = true;
    call->arguments_size = item_size;
    call->left_something = false;
    for (size_t i = 0; i < count && good; i++) {
        call->arguments = items + i * item_size;
        call->item_place = out_size > 0 ? results + i * out_size : NULL;
        call->item_placed = out_size == 0;
        int status = call_once(call, resolved);
        if (is_plain(call, status))
            continue;
        good = succeeded(call, status) && has_result_of_its_size(call);
        if (!good)
            call->raised.item = i;
        forget_item(call);
    }
    call->item_place = NULL;
    return good;
}

static void run_map(struct pp_call *call, const struct pp_resolved *resolved)
{
    size_t item_size = call->extra.item_size;
    size_t count = item_size > 0 ? call->arguments_size / item_size : 0;
    size_t size = 0;
    pp_bytes_reset(&call->collected);
    if (__builtin_mul_overflow(count, (size_t)call->extra.out_size, &size) ||
        pp_bytes_reserve(&call->collected, size) < 0) {
        pp_call_raise_own(call, ENOMEM, NULL);
        return;
    }
    if (!run_items(call, resolved, count))
        return;
    struct pp_bytes whole = call->collected;
    whole.size = size;
    call->collected = call->reply.bytes;
    call->reply.bytes = whole;
    call->reply.is_bytes = true;
}

static int start_soft_limit(struct pp_call *call, int64_t now)
{
    int64_t timeout = call->extra.soft_timeout;
    if (timeout <= 0)
        return 0;
    call->soft_deadline = pp_deadline_after(now, timeout);
    return pp_soft_timer_start(call->worker, timeout);
}

void pp_worker_run(struct pp_worker_self *self)
{
    struct pp_call    *call = &self->call;
    struct pp_resolved resolved;
    /* when the previous task ended a moment ago, that was now */
    int64_t now = self->now != 0 ? self->now : pp_clock_now();
    atomic_store_explicit(&call->result->began, now, memory_order_relaxed);
    call->raised.error = call->misfit = 0;
    int error = pp_request_open(call);
    if (error == 0)
        error = start_soft_limit(call, now);
    if (error < 0) {
        pp_call_raise_own(call, -error, "the request could not be read");
        return;
    }
    if (find_callable(call, &resolved) == 0) {
        if ((call->request->flags & PP_REQUEST_MAP) != 0)
            run_map(call, &resolved);
        else
            (void)succeeded(call, call_once(call, &resolved));
    }
    if (call->soft_deadline != PP_NEVER)
        pp_soft_timer_stop(self);
}
