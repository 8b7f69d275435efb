/*
 * buffer.c - shared memory that travels by descriptor.
 *
 * Invariants
 *   - A buffer's size is fixed by seals before anybody else can see its descriptor, so a mapping
 *     of it can never raise SIGBUS because another process truncated it.
 *   - Its pages are allocated at creation: running out of memory is an error there, not a crash
 *     at the first touch.
 *   - The descriptor is the program's, and inherited like any other: a callable may use a buffer that
 *     the host made before the worker was forked.
 *   - The reference count is private to the process; the memory itself lives as long as any
 *     process holds the descriptor or a mapping.
 */
#include "shm/buffer.h"

#include "base/descriptor.h"
#include "base/own.h"
#include "shm/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct pp_buffer {
    atomic_uint references;
    int         fd;
    void       *data; /* NULL for a buffer of no bytes */
    size_t      size;
};

static int buffer_wrap(pp_buffer **buffer, int fd, size_t size)
{
    pp_buffer *made = malloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    *made = (pp_buffer){.fd = fd, .size = size};
    pp_own_give_away(fd);
    atomic_init(&made->references, 1);
    if (size > 0) {
        made->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (made->data == MAP_FAILED) {
            int error = -errno;
            free(made);
            return error;
        }
    }
    *buffer = made;
    return 0;
}

int pp_buffer_create(pp_buffer **buffer, size_t size)
{
    if (buffer == NULL || size > (size_t)PTRDIFF_MAX)
        return -EINVAL;
    int fd = pp_memory_create("procpool buffer", size);
    if (fd < 0)
        return fd;
    int error = pp_memory_seal(fd, false);
    if (error == 0)
        error = buffer_wrap(buffer, fd, size);
    if (error < 0)
        pp_close(&fd);
    return error;
}

int pp_buffer_adopt(pp_buffer **buffer, int fd)
{
    size_t size = 0;
    int    error = pp_memory_checked_size(fd, &size);
    if (error < 0)
        return error;
    return buffer_wrap(buffer, fd, size);
}

int pp_buffer_fd(const pp_buffer *buffer)
{
    return buffer->fd;
}

void *pp_buffer_data(pp_buffer *buffer)
{
    return buffer != NULL ? buffer->data : NULL;
}

size_t pp_buffer_size(const pp_buffer *buffer)
{
    return buffer != NULL ? buffer->size : 0;
}

pp_buffer *pp_buffer_ref(pp_buffer *buffer)
{
    if (buffer != NULL)
        atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

void pp_buffer_unref(pp_buffer *buffer)
{
    if (buffer == NULL)
        return;
    /* acq_rel: the last owner sees every access that the others made before they let go */
    if (atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) != 1)
        return;
    if (buffer->data != NULL)
        munmap(buffer->data, buffer->size);
    close(buffer->fd);
    free(buffer);
}
