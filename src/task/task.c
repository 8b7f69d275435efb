/*
 * task.c - what a task is, and the table of what may happen to it.
 *
 * Invariants
 *   - A task moves by pp_task_step alone, and the table has no way out of ENDED: that is the latch
 *     behind "exactly one outcome".
 *   - The payload is written once, at creation, and never changes: a further attempt sends the same
 *     bytes.
 */
#include "task/task.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/interrupt.h"
#include "base/sized.h"
#include "shm/memory.h"
#include "task/callable.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO (-1)

static const short next_place[PP_PLACES][PP_EVENTS] = {
    /*             ACCEPT            SEND           BACK              DELAY             DUE               END            */
    [PP_PLACE_NEW] = {PP_PLACE_PENDING, NO, NO, NO, NO, NO},
    [PP_PLACE_PENDING] = {NO, PP_PLACE_SENT, NO, NO, NO, PP_PLACE_ENDED},
    [PP_PLACE_SENT] = {NO, NO, PP_PLACE_PENDING, PP_PLACE_DELAYED, NO, PP_PLACE_ENDED},
    [PP_PLACE_DELAYED] = {NO, NO, NO, NO, PP_PLACE_PENDING, PP_PLACE_ENDED},
    [PP_PLACE_ENDED] = {NO, NO, NO, NO, NO, NO},
};

_Static_assert(sizeof next_place == sizeof(short) * PP_PLACES * PP_EVENTS, "a cell for each");

int pp_task_step(struct pp_task *task, enum pp_event event)
{
    int next = next_place[pp_task_place(task)][event];
    if (next == NO)
        return -EINVAL;
    /* release: publishes the outcome when this is the end; needed by nothing else */
    atomic_store_explicit(&task->place, (unsigned char)next, memory_order_release);
    return next;
}

enum pp_place pp_task_place(const struct pp_task *task)
{
    return (enum pp_place)atomic_load_explicit(&task->place, memory_order_acquire);
}

/* ---------------------------------------------------------------------- options */

static bool limit_valid(double seconds)
{
    return isfinite(seconds) && seconds >= 0;
}

static int apply_options(struct pp_task *task, const pp_task_options *given)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    int             error = given != NULL ? pp_sized_copy(&options, sizeof options, given) : 0;
    if (error < 0)
        return error;
    if (!limit_valid(options.timeout) || !limit_valid(options.soft_timeout) ||
        !limit_valid(options.retry_delay))
        return -EINVAL;
    task->id = options.task_id;
    task->callback = options.callback;
    task->exception_callback = options.exception_callback;
    task->userdata = options.userdata;
    task->use_pool_callbacks = options.use_pool_callbacks;
    task->blocking = options.blocking;
    task->timeout = pp_duration_ns(options.timeout);
    task->priority = options.priority;
    task->max_retries = options.max_retries;
    task->retry_delay = pp_duration_ns(options.retry_delay);
    return 0;
}

static int64_t soft_timeout_of(const pp_task_options *options)
{
    size_t end = offsetof(pp_task_options, soft_timeout) + sizeof(double);
    if (options == NULL || options->size < end || !limit_valid(options->soft_timeout))
        return 0; /* what is not valid is refused by apply_options */
    return pp_duration_ns(options->soft_timeout);
}

/* ---------------------------------------------------------------------- payload */

/* The parts of a payload, in order; the empty ones take no room. */
struct parts {
    struct pp_extra   extra;
    bool              has_extra;
    struct pp_shipped shipped;
    const void       *arguments;
    size_t            arguments_size;
};

/* Where they go: memory, a memfd, or neither, to learn the size. */
struct place {
    unsigned char *memory;
    int            fd;
    int            error;
};

static void put(struct place *place, size_t at, const void *data, size_t size)
{
    if (size == 0 || place->error < 0)
        return;
    if (place->memory != NULL)
        memcpy(place->memory + at, data, size);
    else if (place->fd >= 0)
        place->error = pp_memory_write(place->fd, at, data, size);
}

/* Lay the parts out: the size of the whole. */
static size_t lay_out(const struct parts *parts, struct place *into)
{
    const struct pp_target *target = &parts->shipped.target;
    size_t                  at = 0;
    if (parts->has_extra) {
        put(into, at, &parts->extra, sizeof parts->extra);
        at += sizeof parts->extra;
    }
    if (target->name_size > 0) {
        put(into, at, parts->shipped.name, target->name_size);
        at = pp_payload_align(at + target->name_size);
    }
    if (target->captured_size > 0) {
        put(into, at, parts->shipped.captured, target->captured_size);
        at = pp_payload_align(at + target->captured_size);
    }
    put(into, at, parts->arguments, parts->arguments_size);
    return at + parts->arguments_size;
}

static int lay_out_in_memfd(const struct parts *parts, size_t size)
{
    int fd = pp_memory_create("procpool arguments", size);
    if (fd < 0)
        return fd;
    struct place into = {.fd = fd};
    (void)lay_out(parts, &into); /* the pages are there, zeroed: padding is written by nobody */
    int error = into.error;
    if (error == 0)
        error = pp_memory_seal_contents(fd);
    if (error < 0)
        pp_close(&fd);
    return error < 0 ? error : fd;
}

static void free_payload(struct pp_task *task)
{
    if (task->payload != task->small)
        free(task->payload);
    task->payload = NULL;
    task->payload_size = 0;
    pp_close(&task->payload_fd);
}

/* Replace the payload; on failure the earlier one stands.  Padding is zeroed: no byte of the host's
 * memory is sent by accident. */
static int set_payload(struct pp_task *task, const struct parts *parts)
{
    struct place   into = {.fd = -1};
    size_t         size = lay_out(parts, &into);
    unsigned char *memory = NULL;
    int            fd = -1;
    if (size > (size_t)PP_ARENA_GRANULES * PP_GRANULE) {
        fd = lay_out_in_memfd(parts, size);
        if (fd < 0)
            return fd;
    } else if (size > sizeof task->small) {
        memory = calloc(1, size);
        if (memory == NULL)
            return -ENOMEM;
        into.memory = memory;
        (void)lay_out(parts, &into);
    }
    free_payload(task);
    task->flags &= (uint16_t) ~(PP_REQUEST_MAPPED | PP_REQUEST_DESCRIPTORS);
    if (fd >= 0)
        task->flags |= PP_REQUEST_MAPPED | PP_REQUEST_DESCRIPTORS;
    if (fd < 0 && memory == NULL) {
        memory = task->small;
        memset(memory, 0, sizeof task->small);
        into.memory = memory;
        (void)lay_out(parts, &into);
    }
    task->payload = memory;
    task->payload_fd = fd;
    task->payload_size = size;
    return 0;
}

/* --------------------------------------------------------------------- creation */

static void task_begin(struct pp_task *task)
{
    *task = (struct pp_task){.payload_fd = -1};
    atomic_init(&task->references, 1);
    atomic_init(&task->place, PP_PLACE_NEW);
    pp_list_init(&task->waiters);
}

void pp_task_empty(struct pp_task *task)
{
    pp_outcome_free(task->outcome);
    task->outcome = NULL;
    free_payload(task);
    pp_buffer_list_free(&task->buffers);
}

/* What every way of making one has in common: callable, options, payload. */
static int make(struct pp_task *task, const pp_callable *callable, const pp_task_options *options,
                struct parts *parts, uint16_t flags, struct pp_buffer_list *buffers)
{
    int64_t soft_timeout = soft_timeout_of(options);
    task_begin(task);
    task->flags = flags;
    int error = apply_options(task, options);
    if (error == 0)
        error = pp_callable_describe(&parts->shipped, callable);
    if (error == 0 && buffers != NULL && buffers->count + 1 > PP_MAX_DESCRIPTORS)
        error = -E2BIG;
    if (soft_timeout > 0 && !parts->has_extra) {
        parts->extra.soft_timeout = soft_timeout;
        parts->has_extra = true;
        task->flags |= PP_REQUEST_EXTRA;
    }
    if (error == 0) {
        task->target = parts->shipped.target;
        error = set_payload(task, parts);
    }
    if (error == 0 && buffers != NULL && buffers->count > 0) {
        task->buffers = *buffers;
        *buffers = (struct pp_buffer_list){0};
        task->flags |= PP_REQUEST_DESCRIPTORS;
    }
    return error;
}

int pp_task_make_args(struct pp_task *task, const pp_callable *callable,
                      const pp_task_options *options, const char *format, va_list *arguments)
{
    enum { USUAL = 256 }; /* bytes of arguments that need no memory while they are packed */
    unsigned char         room[USUAL];
    struct pp_bytes       packed = pp_bytes_in(room, sizeof room);
    struct pp_buffer_list buffers = {0};
    struct parts          parts = {0};
    int                   error = 0;
    if (format != NULL && format[strspn(format, " \t\n\r")] != '\0')
        error = pp_pack_arguments(&packed, &buffers, format, arguments);
    parts.arguments = packed.data;
    parts.arguments_size = packed.size;
    if (error == 0)
        error = make(task, callable, options, &parts, 0, &buffers);
    pp_buffer_list_free(&buffers);
    pp_bytes_free(&packed);
    return error;
}

int pp_task_make_bytes(struct pp_task *task, const pp_callable *callable,
                       const pp_task_options *options, const void *data, size_t size)
{
    struct parts parts = {.arguments = data, .arguments_size = size};
    if (data == NULL && size > 0)
        return -EINVAL;
    return make(task, callable, options, &parts, PP_REQUEST_BYTES, NULL);
}

static int hand_over(pp_task **task, struct pp_task *made, int error)
{
    if (error < 0)
        free(made);
    else
        *task = made;
    return error;
}

int pp_task_create_items(pp_task **task, const pp_callable *callable,
                         const struct pp_map_items *items)
{
    struct parts parts = {
        .extra = {.item_size = items->item_size, .out_size = items->out_size},
        .has_extra = true,
        .arguments = items->items,
        .arguments_size = items->size,
    };
    struct pp_task *made = malloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int error = make(made, callable, NULL, &parts,
                     PP_REQUEST_BYTES | PP_REQUEST_MAP | PP_REQUEST_EXTRA, NULL);
    return hand_over(task, made, error);
}

int pp_task_create(pp_task **task, pp_callable callable, const pp_task_options *options,
                   const char *format, ...)
{
    va_list arguments;
    if (task == NULL)
        return -EINVAL;
    struct pp_task *made = malloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    va_start(arguments, format);
    int error = pp_task_make_args(made, &callable, options, format, &arguments);
    va_end(arguments);
    return hand_over(task, made, error);
}

/* Bytes of the payload that stand before the arguments. */
static size_t size_of_head(const struct pp_task *task)
{
    size_t at = (task->flags & PP_REQUEST_EXTRA) != 0 ? sizeof(struct pp_extra) : 0;
    if (task->target.name_size > 0)
        at = pp_payload_align(at + task->target.name_size);
    if (task->target.captured_size > 0)
        at = pp_payload_align(at + task->target.captured_size);
    return at < task->payload_size ? at : task->payload_size;
}

static int copy_head(const struct pp_task *task, unsigned char *head, size_t size)
{
    if (task->payload != NULL) {
        memcpy(head, task->payload, size);
        return 0;
    }
    unsigned times = 0;
    for (size_t at = 0; at < size;) {
        ssize_t got = pread(task->payload_fd, head + at, size - at, (off_t)at);
        if (got < 0 && !pp_interrupted(got, &times))
            return -errno;
        at += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* Other arguments behind the head that was laid out at creation. */
static int replace_arguments(struct pp_task *task, unsigned char *head, const void *data,
                             size_t size)
{
    struct parts parts = {.arguments = data, .arguments_size = size};
    size_t       at = 0;
    if ((task->flags & PP_REQUEST_EXTRA) != 0) {
        memcpy(&parts.extra, head, sizeof parts.extra);
        parts.has_extra = true;
        at = sizeof parts.extra;
    }
    parts.shipped.target = task->target;
    parts.shipped.name = (const char *)head + at;
    if (task->target.name_size > 0)
        at = pp_payload_align(at + task->target.name_size);
    parts.shipped.captured = head + at;
    return set_payload(task, &parts);
}

int pp_task_set_bytes(pp_task *task, const void *data, size_t size)
{
    if (task == NULL || (data == NULL && size > 0))
        return -EINVAL;
    if (pp_task_place(task) != PP_PLACE_NEW)
        return -EALREADY;
    size_t         head_size = size_of_head(task);
    unsigned char *head = malloc(head_size + 1);
    if (head == NULL)
        return -ENOMEM;
    int error = copy_head(task, head, head_size);
    if (error == 0)
        error = replace_arguments(task, head, data, size);
    if (error == 0) {
        task->flags |= PP_REQUEST_BYTES;
        pp_buffer_list_free(&task->buffers);
    }
    free(head);
    return error;
}

/* ------------------------------------------------------------------- references */

void pp_home_ref(struct pp_home *home)
{
    atomic_fetch_add_explicit(&home->references, 1, memory_order_relaxed);
}

void pp_home_unref(struct pp_home *home)
{
    /* acq_rel: as in pp_task_unref */
    if (atomic_fetch_sub_explicit(&home->references, 1, memory_order_acq_rel) == 1)
        home->destroy(home);
}

void pp_task_hold_home(struct pp_task *task)
{
    if (!task->holds_home)
        pp_home_ref(task->home);
    task->holds_home = true;
}

pp_task *pp_task_ref(pp_task *task)
{
    if (task != NULL)
        atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
    return task;
}

void pp_task_unref(pp_task *task)
{
    if (task == NULL)
        return;
    /* acq_rel: the last owner sees what the others wrote before they let go */
    if (atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) != 1)
        return;
    struct pp_home *home = task->holds_home ? task->home : NULL;
    pp_task_empty(task);
    free(task);
    if (home != NULL)
        pp_home_unref(home);
}

/* -------------------------------------------------------------- before it is queued */

int pp_task_set_timeout(pp_task *task, double timeout)
{
    if (task == NULL || !limit_valid(timeout))
        return -EINVAL;
    if (pp_task_place(task) != PP_PLACE_NEW)
        return -EALREADY;
    task->timeout = pp_duration_ns(timeout);
    return 0;
}

double pp_task_timeout(const pp_task *task)
{
    return task != NULL ? pp_seconds(task->timeout) : 0;
}

uint64_t pp_task_id(const pp_task *task)
{
    return task != NULL ? task->id : 0;
}

/* ------------------------------------------------------------------ after it ended */

const pp_value *pp_task_result(const pp_task *task)
{
    if (task == NULL || pp_task_place(task) != PP_PLACE_ENDED || task->outcome->state != PP_DONE)
        return NULL;
    return &task->outcome->document.root;
}

const pp_error *pp_task_error(const pp_task *task)
{
    if (task == NULL || pp_task_place(task) != PP_PLACE_ENDED)
        return NULL;
    return task->outcome->error;
}

const char *pp_state_name(pp_state state)
{
    static const char *const names[] = {[PP_NEW] = "new",
                                        [PP_QUEUED] = "queued",
                                        [PP_RUNNING] = "running",
                                        [PP_DONE] = "done",
                                        [PP_FAILED] = "failed",
                                        [PP_TIMED_OUT] = "timed out",
                                        [PP_CANCELLED] = "cancelled",
                                        [PP_WORKER_LOST] = "worker lost"};
    if ((unsigned)state >= sizeof names / sizeof *names)
        return "unknown";
    return names[state];
}
