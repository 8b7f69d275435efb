/*
 * memory.c - shared memory as sealed, preallocated memfds.
 *
 * Invariants
 *   - Every descriptor is born CLOEXEC.
 *   - Pages are allocated, or written, before anybody maps them, so a full tmpfs is -ENOSPC here and
 *     never a SIGBUS in the middle of a task.
 *   - Nobody maps memory that another process can still shrink.
 *   - Mappings are marked MADV_DONTFORK before they can be accessed: a child of a task, or a process
 *     that the host forks, does not have them.  What another thread forks between the mapping and the
 *     mark inherits addresses that it can neither read nor write.  That is why the end of a worker
 *     proves that nothing writes its box.
 *   - The limit of a file's size is an error here and no signal.
 */
#include "shm/memory.h"

#include "base/descriptor.h"
#include "base/interrupt.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* The kernel would try: it allocates page after page and kills somebody when there are none left. */
static bool more_than_there_is(size_t size)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 && size / info.mem_unit >= info.totalram;
}

/* The kernel would send SIGXFSZ with its refusal, and the default of that ends the program. */
static bool more_than_may_be(size_t size)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    return size > limit.rlim_cur;
}

/* Until Linux 6.17 a signal interrupts the kernel here, and it gives back what it had: with a timer that
 * a program measures itself by, a large size would never be done.  So signals wait, for a part at a
 * time. */
static int allocate(int fd, size_t size)
{
    const size_t part = (size_t)4 << 20;
    int          error = 0;
    sigset_t     all;
    sigset_t     old;
    sigfillset(&all);
    for (size_t at = 0; at < size && error == 0; at += part) {
        off_t    length = (off_t)(size - at < part ? size - at : part);
        int      result = 0;
        unsigned times = 0;
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        do
            result = fallocate(fd, 0, (off_t)at, length);
        while (pp_interrupted(result, &times));
        error = result < 0 ? -errno : 0;
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    return error;
}

static int give_size(int fd, size_t size)
{
    int      result = 0;
    unsigned times = 0;
    do
        result = ftruncate(fd, (off_t)size);
    while (pp_interrupted(result, &times));
    return result < 0 ? -errno : 0;
}

/* `finish` gives it its size. */
static int create(const char *name, size_t size, int (*finish)(int fd, size_t size))
{
    if (more_than_there_is(size))
        return -ENOMEM;
    if (more_than_may_be(size))
        return -EFBIG;
    int error = pp_own_begin();
    if (error < 0)
        return error;
    int fd = pp_own_end(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0)
        return fd;
    error = finish(fd, size);
    if (error < 0) {
        pp_close(&fd);
        return error;
    }
    return fd;
}

int pp_memory_create(const char *name, size_t size)
{
    return create(name, size, allocate);
}

int pp_memory_create_to_write(const char *name, size_t size)
{
    return create(name, size, give_size);
}

int pp_memory_write(int fd, size_t at, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    unsigned             times = 0;
    for (size_t done = 0; done < size;) {
        ssize_t wrote = pwrite(fd, bytes + done, size - done, (off_t)(at + done));
        if (wrote < 0 && !pp_interrupted(wrote, &times))
            return -errno;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

int pp_memory_seal(int fd, bool read_only)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (read_only)
        seals |= F_SEAL_FUTURE_WRITE;
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int pp_memory_seal_contents(int fd)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

static int checked(int fd, int wanted, size_t *size)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted)
        return -EBADMSG;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size < 0 || (uintmax_t)status.st_size > (uintmax_t)PTRDIFF_MAX)
        return -EBADMSG;
    *size = (size_t)status.st_size;
    return 0;
}

int pp_memory_checked_size(int fd, size_t *size)
{
    return checked(fd, F_SEAL_SHRINK, size);
}

int pp_memory_checked_contents(int fd, size_t *size)
{
    return checked(fd, F_SEAL_SHRINK | F_SEAL_WRITE, size);
}

int pp_memory_map(void **address, int fd, size_t offset, size_t size, bool writable)
{
    int   protection = PROT_READ | (writable ? PROT_WRITE : 0);
    void *mapped = mmap(NULL, size, PROT_NONE, MAP_SHARED, fd, (off_t)offset);
    if (mapped == MAP_FAILED)
        return -errno;
    if (madvise(mapped, size, MADV_DONTFORK) < 0 || mprotect(mapped, size, protection) < 0) {
        int error = -errno;
        munmap(mapped, size);
        return error;
    }
    *address = mapped;
    return 0;
}
