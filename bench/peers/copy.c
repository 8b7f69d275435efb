/*
 * copy.c - the limit of copied payloads: memcpy between two blocks that are both in memory already.
 */
#include "../measure.h"

enum { SIZE, COPIES };

static struct knob knobs[] = {[SIZE] = {"size", 64 << 20}, [COPIES] = {"copies", 10}};

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t         size = knobs[SIZE].value;
    size_t         count = knobs[COPIES].value;
    double        *times = allocate(count, sizeof *times);
    unsigned char *from = allocate(size, 1);
    unsigned char *to = allocate(size, 1);
    /* A small block takes less than the clock can tell: many times then. */
    size_t repeat = size < (1 << 20) ? (1 << 20) / size : 1;
    memset(from, 1, size);
    memset(to, 2, size);
    for (size_t i = 0; i < count; i++) {
        double begin = now();
        for (size_t k = 0; k < repeat; k++) {
            memcpy(to, from, size);
            __asm__ volatile("" : : "r"(to) : "memory");
        }
        times[i] = (now() - begin) / (double)repeat;
    }
    double median = percentile(times, count, 50);
    emit("payload", "memcpy", (double)size / median / (1 << 20), "MiB/s");
    free(times);
    free(from);
    free(to);
    return 0;
}
