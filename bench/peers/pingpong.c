/*
 * pingpong.c - the limits of a round trip between two processes: one word in shared memory goes
 * there and comes back.
 *
 *     spin=0  both sleep in the kernel, by futex        spin=1  both spin
 *     gap=MICROSECONDS   pause before each
 *
 * Those that spin have a fifth of a second to come to two cores, and the median of the best of ten
 * parts counts: while both are on one core each trip is a turn of the scheduler, and no limit.
 */
#include "../measure.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIPS, GAP, SPIN };

static struct knob knobs[] = {
    [TRIPS] = {"trips", 1000}, [GAP] = {"gap", 1000}, [SPIN] = {"spin", 0}};

struct words {
    _Alignas(64) atomic_uint ping;
    _Alignas(64) atomic_uint pong;
};

static void store(atomic_uint *word, unsigned value)
{
    atomic_store_explicit(word, value, memory_order_release);
    if (!knobs[SPIN].value)
        (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void await(atomic_uint *word, unsigned value)
{
    unsigned spins = 0;
    for (;;) {
        unsigned seen = atomic_load_explicit(word, memory_order_acquire);
        if (seen == value)
            return;
        if (!knobs[SPIN].value)
            (void)syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
        else if (++spins % 4096 == 0)
            (void)sched_yield();
        else
            __builtin_ia32_pause();
    }
}

static double trip(struct words *words)
{
    static unsigned trips;
    double          begin = now();
    trips++;
    store(&words->ping, trips);
    await(&words->pong, trips);
    return now() - begin;
}

static double best_median(double *times, size_t count)
{
    double best = 1e9;
    for (size_t i = 0; i < 10; i++) {
        size_t first = count * i / 10;
        double median = percentile(times + first, count * (i + 1) / 10 - first, 50);
        best = median < best ? median : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t          count = knobs[TRIPS].value;
    double         *times = allocate(count, sizeof *times);
    struct timespec gap = {.tv_nsec = (long)knobs[GAP].value * 1000};
    struct words   *words =
        mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED)
        die("mmap", errno);
    pid_t other = fork();
    if (other < 0)
        die("fork", errno);
    if (other == 0) {
        for (unsigned i = 1;; i++) {
            await(&words->ping, i);
            store(&words->pong, i);
        }
    }
    for (double end = now() + 0.2; knobs[SPIN].value && now() < end;)
        (void)trip(words);
    for (size_t i = 0; i < count; i++) {
        if (gap.tv_nsec > 0)
            (void)nanosleep(&gap, NULL);
        times[i] = trip(words);
    }
    (void)kill(other, SIGKILL);
    (void)waitpid(other, NULL, 0);
    const char *who = knobs[SPIN].value ? "spinning ping-pong" : "futex ping-pong";
    double      median =
        knobs[SPIN].value && count >= 10 ? best_median(times, count) : percentile(times, count, 50);
    emit("p50", who, median * 1e6, "us");
    emit("p99", who, percentile(times, count, 99) * 1e6, "us");
    free(times);
    return 0;
}
