/*
 * task.c - what a task is, and the table of what may happen to it.
 *
 * Invariants
 *   - A task moves by pp_task_step alone, and the table has no way out of ENDED: that is the latch
 *     behind "exactly one outcome".
 *   - What is uncommon in a task has memory of its own, of the draft or of malloc, from the moment
 *     that something in it is needed until the task's own memory goes.
 */
#include "task/task.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/sized.h"
#include "task/callable.h"
#include "task/payload.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* --------------------------------------------------------------------- uncommon */

int pp_task_need_uncommon(struct pp_task *task, struct pp_uncommon *room)
{
    if (task->uncommon != NULL)
        return 0;
    if (room == NULL)
        room = malloc(sizeof *room);
    if (room == NULL)
        return -ENOMEM;
    *room = (struct pp_uncommon){.task = task, .payload_fd = -1};
    task->uncommon = room;
    return 0;
}

/* ---------------------------------------------------------------------- options */

static bool limit_valid(double seconds)
{
    return isfinite(seconds) && seconds >= 0;
}

static int apply_options(struct pp_task *task, struct pp_uncommon *room, struct pp_parts *parts,
                         const pp_task_options *options)
{
    if (!limit_valid(options->timeout) || !limit_valid(options->soft_timeout) ||
        !limit_valid(options->retry_delay))
        return -EINVAL;
    task->id = options->task_id;
    task->callback = options->callback;
    task->exception_callback = options->exception_callback;
    task->userdata = options->userdata;
    task->use_pool_callbacks = options->use_pool_callbacks;
    task->blocking = options->blocking;
    task->priority = options->priority;
    if (options->soft_timeout > 0 && !parts->has_extra) {
        parts->extra.soft_timeout = pp_duration_ns(options->soft_timeout);
        parts->has_extra = true;
        task->flags |= PP_REQUEST_EXTRA;
    }
    if (options->timeout == 0 && options->max_retries == 0)
        return 0;
    int error = pp_task_need_uncommon(task, room);
    if (error < 0)
        return error;
    task->uncommon->timeout = pp_duration_ns(options->timeout);
    task->uncommon->max_retries = options->max_retries;
    task->uncommon->retry_delay = pp_duration_ns(options->retry_delay);
    return 0;
}

/* Those of a program that was built with another struct are brought into the form of ours. */
static int apply_given(struct pp_task *task, struct pp_uncommon *room, struct pp_parts *parts,
                       const pp_task_options *given)
{
    static const pp_task_options defaults = PP_TASK_OPTIONS_INIT;
    if (given == NULL)
        return apply_options(task, room, parts, &defaults);
    if (given->size == sizeof *given)
        return apply_options(task, room, parts, given);
    pp_task_options options = defaults;
    int             error = pp_sized_copy(&options, sizeof options, given);
    return error < 0 ? error : apply_options(task, room, parts, &options);
}

/* --------------------------------------------------------------------- creation */

static void task_begin(struct pp_task *task)
{
    *task = (struct pp_task){0};
    atomic_init(&task->references, 1);
    atomic_init(&task->place, PP_PLACE_NEW);
}

void pp_task_empty(struct pp_task *task)
{
    pp_outcome_free(task->outcome);
    task->outcome = NULL;
    pp_payload_free(task);
    if (task->uncommon != NULL)
        pp_buffer_list_free(&task->uncommon->buffers);
}

static void free_task(struct pp_task *task)
{
    pp_task_empty(task);
    free(task->uncommon);
    free(task);
}

/* The buffers become the task's. */
static int hold_buffers(struct pp_task *task, struct pp_uncommon *room,
                        struct pp_buffer_list *buffers)
{
    if (buffers == NULL || buffers->count == 0)
        return 0;
    int error = pp_task_need_uncommon(task, room);
    if (error < 0)
        return error;
    task->uncommon->buffers = *buffers;
    *buffers = (struct pp_buffer_list){0};
    task->flags |= PP_REQUEST_DESCRIPTORS;
    return 0;
}

/* What every way of making one has in common: callable, options, payload. */
static int make(struct pp_task *task, struct pp_uncommon *room, const pp_callable *callable,
                const pp_task_options *options, struct pp_parts *parts, uint16_t flags,
                struct pp_buffer_list *buffers)
{
    task->flags = flags;
    int error = apply_given(task, room, parts, options);
    if (error == 0)
        error = pp_callable_describe(&parts->shipped, callable);
    if (error == 0 && buffers != NULL && buffers->count + 1 > PP_MAX_DESCRIPTORS)
        error = -E2BIG;
    if (error == 0) {
        task->target = parts->shipped.target;
        error = pp_payload_set(task, room, parts);
    }
    if (error == 0)
        error = hold_buffers(task, room, buffers);
    if (error < 0)
        pp_task_empty(task);
    return error;
}

static int make_of_args(struct pp_task *task, struct pp_uncommon *room, const pp_callable *callable,
                        const pp_task_options *options, const char *format, va_list *arguments)
{
    enum { USUAL = 256 }; /* bytes of arguments that need no memory while they are packed */
    unsigned char         packing[USUAL];
    struct pp_bytes       packed = pp_bytes_in(packing, sizeof packing);
    struct pp_buffer_list buffers = {0};
    struct pp_parts       parts = {0};
    int                   error = 0;
    task_begin(task);
    if (format != NULL && format[strspn(format, " \t\n\r")] != '\0')
        error = pp_pack_arguments(&packed, &buffers, format, arguments);
    parts.arguments = packed.data;
    parts.arguments_size = packed.size;
    if (error == 0)
        error = make(task, room, callable, options, &parts, 0, &buffers);
    pp_buffer_list_free(&buffers);
    pp_bytes_free(&packed);
    return error;
}

int pp_draft_make_args(struct pp_draft *draft, const pp_callable *callable,
                       const pp_task_options *options, const char *format, va_list *arguments)
{
    return make_of_args(&draft->task, &draft->uncommon, callable, options, format, arguments);
}

int pp_draft_make_bytes(struct pp_draft *draft, const pp_callable *callable,
                        const pp_task_options *options, const void *data, size_t size)
{
    struct pp_parts parts = {.arguments = data, .arguments_size = size};
    task_begin(&draft->task);
    if (data == NULL && size > 0)
        return -EINVAL;
    return make(&draft->task, &draft->uncommon, callable, options, &parts, PP_REQUEST_BYTES, NULL);
}

static int hand_over(pp_task **task, struct pp_task *made, int error)
{
    if (error < 0)
        free_task(made);
    else
        *task = made;
    return error;
}

int pp_task_create_items(pp_task **task, const pp_callable *callable,
                         const struct pp_map_items *items)
{
    struct pp_parts parts = {
        .extra = {.item_size = items->item_size, .out_size = items->out_size},
        .has_extra = true,
        .arguments = items->items,
        .arguments_size = items->size,
    };
    struct pp_task *made = malloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    task_begin(made);
    int error = make(made, NULL, callable, NULL, &parts,
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
    int error = make_of_args(made, NULL, &callable, options, format, &arguments);
    va_end(arguments);
    return hand_over(task, made, error);
}

int pp_task_set_bytes(pp_task *task, const void *data, size_t size)
{
    if (task == NULL || (data == NULL && size > 0))
        return -EINVAL;
    if (pp_task_place(task) != PP_PLACE_NEW)
        return -EALREADY;
    int error = pp_payload_replace_arguments(task, data, size);
    if (error < 0)
        return error;
    task->flags |= PP_REQUEST_BYTES;
    if (task->uncommon != NULL)
        pp_buffer_list_free(&task->uncommon->buffers);
    return 0;
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
    free_task(task);
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
    int error = timeout > 0 ? pp_task_need_uncommon(task, NULL) : 0;
    if (error == 0 && task->uncommon != NULL)
        task->uncommon->timeout = pp_duration_ns(timeout);
    return error;
}

double pp_task_timeout(const pp_task *task)
{
    return task != NULL ? pp_seconds(pp_task_limit(task)) : 0;
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
