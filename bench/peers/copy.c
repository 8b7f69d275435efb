/*
 * copy.c - the limits of large payloads.
 *
 *     mapped=0   memcpy between two blocks that are both in memory already
 *     mapped=1   no copy: shared memory that is filled is mapped once more, and a word is read in
 *                each page; what remains is the kernel's work for a new mapping
 */
#define _GNU_SOURCE
#include "../measure.h"

#include <sys/mman.h>
#include <unistd.h>

enum { SIZE, COPIES, MAPPED, PAGE = 4096 };

static struct knob knobs[] = {
    [SIZE] = {"size", 64 << 20}, [COPIES] = {"copies", 10}, [MAPPED] = {"mapped", 0}};

static double once_copied(size_t size)
{
    static unsigned char *from;
    static unsigned char *to;
    /* A small block takes less than the clock can tell: many times then. */
    size_t repeat = size < (1 << 20) ? (1 << 20) / size : 1;
    if (from == NULL) {
        from = allocate(size, 1);
        to = allocate(size, 1);
        memset(from, 1, size);
        memset(to, 2, size);
    }
    double begin = now();
    for (size_t k = 0; k < repeat; k++) {
        memcpy(to, from, size);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    return (now() - begin) / (double)repeat;
}

static unsigned char *map(int fd, size_t size)
{
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        die("mmap", errno);
    return data;
}

static double once_mapped(size_t size)
{
    int fd = memfd_create("copy", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        die("memfd_create", errno);
    unsigned char *filled = map(fd, size);
    memset(filled, 1, size);
    double         begin = now();
    unsigned char *again = map(fd, size);
    for (size_t i = 0; i < size; i += PAGE)
        (void)*(volatile unsigned char *)(again + i);
    double seconds = now() - begin;
    (void)munmap(filled, size);
    (void)munmap(again, size);
    (void)close(fd);
    return seconds;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t  size = knobs[SIZE].value;
    size_t  count = knobs[COPIES].value;
    double *times = allocate(count, sizeof *times);
    for (size_t i = 0; i < count; i++)
        times[i] = knobs[MAPPED].value ? once_mapped(size) : once_copied(size);
    emit("payload", knobs[MAPPED].value ? "bare mapping" : "memcpy",
         (double)size / percentile(times, count, 50) / (1 << 20), "MiB/s");
    free(times);
    return 0;
}
