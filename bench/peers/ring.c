/*
 * ring.c - the limit of a stream: one process writes 64-byte messages into a ring in shared memory,
 * one other reads them; both spin.  A message's first word tells that it is there; the reader tells
 * how far it is after each eighth of the ring.
 */
#include "../measure.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES, SLOTS = 4096, STRIDE = SLOTS / 8 };

static struct knob knobs[] = {[MESSAGES] = {"messages", 20000000}};

struct message {
    _Alignas(64) atomic_uint_least64_t ticket; /* of the message, from 1 on; written last */
    uint64_t words[7];
};

struct ring {
    struct message slots[SLOTS];
    _Alignas(64) atomic_uint_least64_t read; /* messages, by the reader */
};

_Static_assert(sizeof(struct message) == 64, "a message is a cache line");

/* With fewer cores than processes the other one must get its turn. */
static void relax(unsigned *spins)
{
    if (++*spins % 4096 == 0)
        (void)sched_yield();
    else
        __builtin_ia32_pause();
}

static void write_all(struct ring *ring, uint64_t count)
{
    uint64_t known = 0;
    unsigned spins = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct message *message = &ring->slots[i % SLOTS];
        while (i - known >= SLOTS) {
            known = atomic_load_explicit(&ring->read, memory_order_acquire);
            if (i - known >= SLOTS)
                relax(&spins);
        }
        for (unsigned word = 0; word < 7; word++)
            message->words[word] = i;
        atomic_store_explicit(&message->ticket, i + 1, memory_order_release);
    }
}

static uint64_t read_all(struct ring *ring, uint64_t count)
{
    uint64_t sum = 0;
    unsigned spins = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct message *message = &ring->slots[i % SLOTS];
        while (atomic_load_explicit(&message->ticket, memory_order_acquire) != i + 1)
            relax(&spins);
        for (unsigned word = 0; word < 7; word++)
            sum += message->words[word];
        if ((i + 1) % STRIDE == 0)
            atomic_store_explicit(&ring->read, i + 1, memory_order_release);
    }
    return sum;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    uint64_t     count = knobs[MESSAGES].value;
    struct ring *ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (ring == MAP_FAILED)
        die("mmap", errno);
    double begin = now();
    pid_t  reader = fork();
    if (reader < 0)
        die("fork", errno);
    if (reader == 0)
        _exit(read_all(ring, count) == 7 * (count * (count - 1) / 2) ? 0 : 1);
    write_all(ring, count);
    int status = 0;
    if (waitpid(reader, &status, 0) < 0 || status != 0)
        die("the reader", EPROTO);
    emit("stream", "raw ring", (double)count / (now() - begin), "messages/s");
    return 0;
}
