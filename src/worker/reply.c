/*
 * reply.c - (6) a worker publishes what came of a request.
 *
 * Invariants
 *   - Every byte of the result, and the message that carries its descriptors, is out before the
 *     word says DONE.  A worker killed before leaves RUNNING, one killed after leaves a result.
 *   - What a task printed is written out before its result is visible.
 *   - A worker that is killed between DONE and the bell is buried by the host, which looks at the
 *     words then: the bell itself carries nothing.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "shm/buffer.h"
#include "shm/doorbell.h"
#include "shm/memory.h"
#include "worker/self.h"

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void pp_worker_ring(struct pp_worker_self *self)
{
    /* A task closed it: the host is told by our end instead.  What is done counts. */
    if (pp_bell_ring(self->bell) < 0)
        _exit(EXIT_FAILURE);
}

int pp_reply_to_memfd(struct pp_reply *reply, const void *data, size_t size)
{
    int fd = pp_memory_create_to_write("procpool result", size);
    if (fd < 0)
        return fd;
    int error = pp_memory_write(fd, 0, data, size);
    if (error < 0) {
        pp_close(&fd);
        return error;
    }
    reply->memfd = fd;
    reply->memfd_size = size;
    return 0;
}

/* The host reads our socket when it harvests; ring before waiting for it to do so. */
static int send_parcel(struct pp_call *call, const int *fds, size_t count)
{
    struct pp_parcel parcel = {.ticket = call->ticket};
    int              socket = call->worker->socket;
    int error = pp_send_message(socket, &parcel, sizeof parcel, fds, count, MSG_DONTWAIT);
    if (error != -EAGAIN)
        return error;
    pp_worker_ring(call->worker);
    return pp_send_message(socket, &parcel, sizeof parcel, fds, count, 0);
}

static int send_descriptors(struct pp_call *call, uint32_t *flags)
{
    struct pp_reply *reply = &call->reply;
    int              fds[PP_MAX_DESCRIPTORS];
    size_t           count = 0;
    if (reply->buffers.count + 1 > PP_MAX_DESCRIPTORS)
        return -E2BIG;
    if (reply->memfd_size > 0) {
        int error = pp_memory_seal_contents(reply->memfd);
        if (error < 0)
            return error;
        fds[count++] = reply->memfd;
        *flags |= PP_RESULT_MAPPED;
    }
    for (size_t i = 0; i < reply->buffers.count; i++)
        fds[count++] = pp_buffer_fd(reply->buffers.items[i]);
    if (count == 0)
        return 0;
    *flags |= PP_RESULT_DESCRIPTORS;
    return send_parcel(call, fds, count);
}

/* Where a payload of that size goes, or NULL: into a memfd. */
static unsigned char *place_for(struct pp_call *call, size_t size)
{
    if (size <= PP_INLINE)
        return call->result->data;
    if (size <= (size_t)call->request->result_granules * PP_GRANULE)
        return call->worker->box->arena[call->request->result_arena];
    return NULL;
}

static int write_reply(struct pp_call *call, uint32_t flags)
{
    struct pp_reply *reply = &call->reply;
    size_t           size = reply->memfd_size > 0 ? reply->memfd_size : reply->bytes.size;
    if (reply->memfd_size == 0) {
        unsigned char *place = place_for(call, size);
        if (place != NULL && size > 0)
            memcpy(place, reply->bytes.data, size);
        int error =
            place == NULL ? pp_reply_to_memfd(reply, reply->bytes.data, reply->bytes.size) : 0;
        if (error < 0)
            return error;
    }
    int error = send_descriptors(call, &flags);
    if (error < 0)
        return error;
    call->result->size = size;
    call->result->flags = flags;
    return 0;
}

static int pack_raised(struct pp_call *call, bool whole)
{
    const struct pp_raised *raised = &call->raised;
    pp_reply_forget(&call->reply);
    return pp_pack_result_args(&call->reply.bytes, &call->reply.buffers, "[isysU]", raised->error,
                               raised->name, raised->message, whole ? strlen(raised->message) : 0,
                               whole ? raised->backtrace : "", raised->item);
}

/* An error record; when there is no memory even for that, its bare errno, which fits inline. */
static void write_error(struct pp_call *call)
{
    if (pack_raised(call, true) == 0 && write_reply(call, PP_RESULT_ERROR) == 0)
        return;
    uint32_t number = (uint32_t)call->raised.error;
    for (size_t i = 0; i < sizeof number; i++)
        call->result->data[i] = ((const unsigned char *)&number)[i];
    call->result->size = sizeof number;
    call->result->flags = PP_RESULT_ERROR;
}

/* The callable returned nothing: that is null, in MessagePack the byte 0xc0. */
static void return_null(struct pp_call *call)
{
    call->result->data[0] = 0xc0;
    call->result->size = 1;
    call->result->flags = 0;
}

static void write_outcome(struct pp_call *call)
{
    if (call->raised.error == 0) {
        bool is_bytes = call->reply.is_bytes;
        if (!is_bytes && call->reply.bytes.size == 0) {
            return_null(call);
            return;
        }
        int error = write_reply(call, is_bytes ? PP_RESULT_BYTES : 0);
        if (error == 0)
            return;
        pp_call_raise_own(call, -error, "the result could not be passed to the host");
    }
    write_error(call);
}

static void flush_output(void)
{
    if (__fpending(stdout) > 0)
        (void)fflush(stdout);
    if (__fpending(stderr) > 0)
        (void)fflush(stderr);
}

/* The host arms `ring` with a ticket and a number that is new each time; one ring answers it.  Or somebody
 * sleeps on the word itself (pool/direct.c). */
static void ring_if_wanted(struct pp_worker_self *self, uint64_t ticket)
{
    atomic_thread_fence(memory_order_seq_cst); /* DONE before the look; pairs with pp_arm_worker */
    if (atomic_load_explicit(&self->tray->direct, memory_order_relaxed) == ticket &&
        pp_futex_wake(pp_word_low(&pp_box_result(self->box, ticket)->word), true) < 0)
        pp_worker_ring(self); /* then by way of the manager */
    uint64_t ring = atomic_load_explicit(&self->tray->ring, memory_order_relaxed);
    if (ring == PP_RING_NEVER || ticket < ring >> 16 || ring == self->last_ring)
        return;
    self->last_ring = ring;
    pp_worker_ring(self);
}

/* A later task may ruin the box before the host has looked; what is in the arena has no copy. */
static void keep_copy(struct pp_call *call)
{
    const struct pp_result *result = call->result;
    struct pp_result       *kept = &call->worker->ledger->kept[call->ticket % PP_RING];
    if (result->size > PP_INLINE && (result->flags & PP_RESULT_MAPPED) == 0)
        return;
    atomic_store_explicit(&kept->began, atomic_load_explicit(&result->began, memory_order_relaxed),
                          memory_order_relaxed);
    kept->ended = result->ended;
    kept->size = result->size;
    kept->flags = result->flags;
    memcpy(kept->data, result->data, sizeof kept->data);
    pp_mailbox_publish_result(kept, call->ticket);
}

void pp_worker_reply(struct pp_worker_self *self)
{
    struct pp_call *call = &self->call;
    flush_output();
    write_outcome(call);
    self->now = pp_clock_now();
    call->result->ended = self->now;
    keep_copy(call);
    pp_mailbox_publish_result(call->result, call->ticket);
    ring_if_wanted(self, call->ticket);
    pp_request_close(call);
    pp_reply_forget(&call->reply);
}
