/*
 * payload.c - the bytes that a task sends: how the parts lie, and where.
 *
 * Up to PP_TASK_SMALL bytes stand in the task itself, up to a whole arena in memory of their own, more
 * in a memfd whose contents are sealed.
 *
 * Invariants
 *   - The payload is written before the task is queued, and never changes: a further attempt sends the
 *     same bytes.
 *   - A payload is replaced only by one that is whole.
 *   - Padding is zeroed: no byte of the host's memory is sent by accident.
 */
#include "task/payload.h"

#include "base/descriptor.h"
#include "base/interrupt.h"
#include "shm/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where they go: memory, or a memfd. */
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
    else
        place->error = pp_memory_write(place->fd, at, data, size);
}

/* Where the parts begin, and what the whole takes.  Each begins aligned; one that is empty takes nothing. */
struct layout {
    size_t name;
    size_t captured;
    size_t arguments;
    size_t size;
};

static struct layout layout_of(const struct pp_parts *parts)
{
    const struct pp_target *target = &parts->shipped.target;
    struct layout           layout = {.name = parts->has_extra ? sizeof parts->extra : 0};
    layout.captured = pp_payload_align(layout.name + target->name_size);
    layout.arguments = pp_payload_align(layout.captured + target->captured_size);
    layout.size = layout.arguments + parts->arguments_size;
    return layout;
}

static void lay_out(const struct pp_parts *parts, const struct layout *layout, struct place *into)
{
    const struct pp_target *target = &parts->shipped.target;
    if (layout->arguments > 0) {
        put(into, 0, &parts->extra, layout->name);
        put(into, layout->name, parts->shipped.name, target->name_size);
        put(into, layout->captured, parts->shipped.captured, target->captured_size);
    }
    put(into, layout->arguments, parts->arguments, parts->arguments_size);
}

static int lay_out_in_memfd(const struct pp_parts *parts, const struct layout *layout)
{
    int fd = pp_memory_create_to_write("procpool arguments", layout->size);
    if (fd < 0)
        return fd;
    struct place into = {.fd = fd};
    lay_out(parts, layout, &into); /* padding is zero, and shares a page with what is before it */
    int error = into.error;
    if (error == 0)
        error = pp_memory_seal_contents(fd);
    if (error < 0)
        pp_close(&fd);
    return error < 0 ? error : fd;
}

void pp_payload_free(struct pp_task *task)
{
    if (task->payload_size > PP_TASK_SMALL)
        free(task->large);
    task->payload_size = 0;
    task->flags &= (uint16_t) ~(PP_REQUEST_MAPPED | PP_REQUEST_DESCRIPTORS);
    if (task->uncommon != NULL)
        pp_close(&task->uncommon->payload_fd);
}

int pp_payload_take_memfd(struct pp_task *task)
{
    if ((task->flags & PP_REQUEST_MAPPED) == 0)
        return -1;
    int fd = task->uncommon->payload_fd;
    task->uncommon->payload_fd = -1;
    return fd;
}

static int put_in_memfd(struct pp_task *task, struct pp_uncommon *room,
                        const struct pp_parts *parts, const struct layout *layout)
{
    int error = pp_task_need_uncommon(task, room);
    int fd = error < 0 ? error : lay_out_in_memfd(parts, layout);
    if (fd < 0)
        return fd;
    pp_payload_free(task);
    task->flags |= PP_REQUEST_MAPPED | PP_REQUEST_DESCRIPTORS;
    task->uncommon->payload_fd = fd;
    task->uncommon->payload_size = layout->size;
    return 0;
}

static int put_in_memory(struct pp_task *task, const struct pp_parts *parts,
                         const struct layout *layout)
{
    struct place into = {.memory = calloc(1, layout->size), .fd = -1};
    if (into.memory == NULL)
        return -ENOMEM;
    lay_out(parts, layout, &into);
    pp_payload_free(task);
    task->large = into.memory;
    task->payload_size = (uint32_t)layout->size;
    return 0;
}

static int put_in_task(struct pp_task *task, const struct pp_parts *parts,
                       const struct layout *layout)
{
    struct place into = {.memory = task->small, .fd = -1};
    pp_payload_free(task);
    memset(task->small, 0, sizeof task->small);
    lay_out(parts, layout, &into);
    task->payload_size = (uint32_t)layout->size;
    return 0;
}

int pp_payload_set(struct pp_task *task, struct pp_uncommon *room, const struct pp_parts *parts)
{
    struct layout layout = layout_of(parts);
    if (layout.size > (size_t)PP_ARENA_GRANULES * PP_GRANULE)
        return put_in_memfd(task, room, parts, &layout);
    return layout.size > PP_TASK_SMALL ? put_in_memory(task, parts, &layout)
                                       : put_in_task(task, parts, &layout);
}

/* Bytes of the payload that stand before the arguments. */
static size_t size_of_head(const struct pp_task *task)
{
    size_t at = (task->flags & PP_REQUEST_EXTRA) != 0 ? sizeof(struct pp_extra) : 0;
    if (task->target.name_size > 0)
        at = pp_payload_align(at + task->target.name_size);
    if (task->target.captured_size > 0)
        at = pp_payload_align(at + task->target.captured_size);
    size_t size = pp_task_payload_size(task);
    return at < size ? at : size;
}

static int copy_head(const struct pp_task *task, unsigned char *head, size_t size)
{
    const unsigned char *payload = pp_task_payload(task);
    if (payload != NULL) {
        memcpy(head, payload, size);
        return 0;
    }
    unsigned times = 0;
    for (size_t at = 0; at < size;) {
        ssize_t got = pread(task->uncommon->payload_fd, head + at, size - at, (off_t)at);
        if (got < 0 && !pp_interrupted(got, &times))
            return -errno;
        at += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* Other arguments behind that head. */
static int set_behind(struct pp_task *task, unsigned char *head, const void *data, size_t size)
{
    struct pp_parts parts = {.arguments = data, .arguments_size = size};
    size_t          at = 0;
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
    return pp_payload_set(task, NULL, &parts);
}

int pp_payload_replace_arguments(struct pp_task *task, const void *data, size_t size)
{
    size_t         head_size = size_of_head(task);
    unsigned char *head = malloc(head_size + 1);
    if (head == NULL)
        return -ENOMEM;
    int error = copy_head(task, head, head_size);
    if (error == 0)
        error = set_behind(task, head, data, size);
    free(head);
    return error;
}
