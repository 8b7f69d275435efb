/*
 * request.c - where the parts of a request lie.
 *
 * The tray is the host's word and read-only here, so this trusts it; the sums are checked all the
 * same, because a mistake should be an exception and not a crash.
 *
 * Invariant: what was mapped or received for a call is given back by pp_request_close, whatever
 * happened in between.
 */
#include "base/clock.h"
#include "shm/buffer.h"
#include "shm/memory.h"
#include "worker/self.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The message of this ticket: it was sent before the request was published.  Messages of earlier ones
 * belong to requests that were taken back. */
static int receive_parcel(struct pp_call *call, int *fds, size_t *count)
{
    for (;;) {
        struct pp_parcel parcel;
        *count = PP_MAX_DESCRIPTORS;
        ssize_t size = pp_receive_message(call->worker->socket, &parcel, sizeof parcel, fds, count,
                                          MSG_DONTWAIT);
        if (size == 0)
            _exit(EXIT_FAILURE); /* the host is gone */
        if (size < 0)
            return (int)size;
        if (size == (ssize_t)sizeof parcel && parcel.ticket == call->ticket)
            return 0;
        pp_close_all(fds, *count);
    }
}

static int map_payload(struct pp_call *call, int fd)
{
    size_t size = 0;
    int    error = pp_memory_checked_size(fd, &size);
    if (error < 0)
        return error;
    if (size != call->request->size)
        return -EBADMSG;
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    call->mapping = mapped;
    call->mapping_size = size;
    return 0;
}

static int take_descriptors(struct pp_call *call)
{
    int    fds[PP_MAX_DESCRIPTORS];
    size_t count = 0;
    size_t next = 0;
    int    error = receive_parcel(call, fds, &count);
    if (error < 0)
        return error;
    if ((call->request->flags & PP_REQUEST_MAPPED) != 0) {
        error = count > 0 ? map_payload(call, fds[0]) : -EBADMSG;
        if (count > 0)
            pp_close(&fds[next++]);
    }
    for (; error == 0 && next < count; next++) {
        error = pp_buffer_adopt(&call->buffers[call->buffer_count], fds[next]);
        if (error < 0)
            break;
        call->buffer_count++;
    }
    pp_close_all(fds + next, count - next);
    return error;
}

static const unsigned char *payload_of(struct pp_call *call)
{
    const struct pp_request *request = call->request;
    if ((request->flags & PP_REQUEST_MAPPED) != 0)
        return call->mapping;
    if (request->arena == PP_PLACE_INLINE)
        return request->data;
    return call->worker->tray->arena[request->arena];
}

/* extra, name, captured bytes, arguments: each aligned, the empty ones take no room. */
static int split_payload(struct pp_call *call, const unsigned char *payload)
{
    const struct pp_request *request = call->request;
    size_t                   at = 0;
    call->extra = (struct pp_extra){0};
    if ((request->flags & PP_REQUEST_EXTRA) != 0) {
        if (request->size < sizeof call->extra)
            return -EBADMSG;
        memcpy(&call->extra, payload, sizeof call->extra);
        at = sizeof call->extra;
    }
    call->name = (const char *)payload + at;
    if (request->name_size > 0)
        at = pp_payload_align(at + request->name_size);
    call->captured = request->captured_size > 0 ? payload + at : NULL;
    if (request->captured_size > 0)
        at = pp_payload_align(at + request->captured_size);
    if (at > request->size) {
        if (at > pp_payload_align(request->size))
            return -EBADMSG;
        at = request->size; /* nothing behind the padding that was not written */
    }
    call->arguments = payload + at;
    call->arguments_size = request->size - at;
    return 0;
}

_Static_assert(sizeof(struct pp_extra) % PP_PAYLOAD_ALIGN == 0, "what follows stays aligned");

int pp_request_open(struct pp_call *call)
{
    int error = 0;
    call->checked = false;
    call->captured_copied = false;
    call->arguments_hidden = false;
    call->arguments_size = 0;
    call->captured = NULL;
    call->extra = (struct pp_extra){0};
    call->soft_deadline = PP_NEVER;
    if ((call->request->flags & PP_REQUEST_DESCRIPTORS) != 0)
        error = take_descriptors(call);
    if (error == 0)
        error = split_payload(call, payload_of(call));
    return error;
}

void pp_request_close(struct pp_call *call)
{
    if (call->checked)
        pp_document_clear(&call->document);
    call->checked = false;
    while (call->buffer_count > 0)
        pp_buffer_unref(call->buffers[--call->buffer_count]);
    if (call->mapping != NULL)
        munmap(call->mapping, call->mapping_size);
    call->mapping = NULL;
}
