/*
 * tbb.cpp - oneTBB's task_group with the tasks of stream.c and backlog.c.
 *
 *     mode=0  the stream         mode=2  a backlog
 *
 * As cheap as it can be made: a task writes its result into a slot.  Of the `queue` slots one half is
 * filled while the other is worked off, and then read by the submitting thread.
 *
 *     help=1  the submitting thread helps while it waits, as task_group does by itself: it takes back
 *             most of what it has just put down, and little goes from core to core
 *     help=0  it hands over and waits, so that the `workers` threads do all of the work, as in a pool
 *
 * `workers` threads beside the submitting one; own=1: `workers` threads with it.
 */
#include "../resident.h"

#include <atomic>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <thread>
#include <vector>

namespace
{
enum { MODE, TASKS, WORKERS, QUEUE, THREADS, OWN, HELP };

knob knobs[] = {{"mode", 0},    {"tasks", 1000000}, {"workers", 2}, {"queue", 4096},
                {"threads", 1}, {"own", 0},         {"help", 1}};

struct half {
    tbb::task_group       group;
    std::vector<uint64_t> slots;
    std::atomic<size_t>   left{0};
    size_t                used = 0;

    uint64_t read()
    {
        uint64_t sum = 0;
        if (knobs[HELP].value == 0)
            while (left.load(std::memory_order_acquire) > 0)
                std::this_thread::yield();
        group.wait();
        for (size_t i = 0; i < used; i++)
            sum += slots[i];
        used = 0;
        return sum;
    }

    void fill(uint64_t first, size_t count)
    {
        bool is_helped = knobs[HELP].value != 0;
        used = count;
        left.store(is_helped ? 0 : count, std::memory_order_relaxed);
        for (size_t i = 0; i < count; i++) {
            uint64_t *slot = &slots[i];
            *slot = first + i;
            if (is_helped)
                group.run([slot] { *slot *= 3; });
            else
                group.run([slot, this] {
                    *slot *= 3;
                    left.fetch_sub(1, std::memory_order_release);
                });
        }
    }
};

uint64_t submit_all(uint64_t first, uint64_t end, size_t size)
{
    half     halves[2];
    uint64_t sum = 0;
    for (auto &each : halves)
        each.slots.resize(size);
    int turn = 0;
    for (uint64_t i = first; i < end; turn = !turn) {
        size_t count = end - i < size ? static_cast<size_t>(end - i) : size;
        sum += halves[turn].read();
        halves[turn].fill(i, count);
        i += count;
    }
    return sum + halves[0].read() + halves[1].read();
}

void stream(uint64_t tasks)
{
    size_t                   threads = knobs[THREADS].value;
    size_t                   size = knobs[QUEUE].value / 2 / threads;
    std::vector<std::thread> others;
    std::atomic<uint64_t>    sum{0};
    if (size == 0)
        size = 1;
    double begin = now();
    auto   share = [&](size_t i) {
        sum += submit_all(tasks * i / threads, tasks * (i + 1) / threads, size);
    };
    for (size_t i = 1; i < threads; i++)
        others.emplace_back(share, i);
    share(0);
    for (auto &other : others)
        other.join();
    double seconds = now() - begin;
    if (sum != 3 * (tasks * (tasks - 1) / 2))
        die("wrong sum", EPROTO);
    emit("stream", "oneTBB task_group", static_cast<double>(tasks) / seconds, "tasks/s");
}

/* No worker is needed to hold: nobody but the submitting thread is there until it waits. */
void backlog(uint64_t tasks)
{
    tbb::task_group       group;
    std::atomic<uint64_t> sum{0};
    auto                  submit = [&](uint64_t from, uint64_t end) {
        double begin = now();
        for (uint64_t i = from; i < end; i++)
            group.run([&sum, i] { sum.fetch_add(i, std::memory_order_relaxed); });
        return now() - begin;
    };
    submit(0, 100);
    double before = resident_bytes();
    double first = submit(0, tasks / 2);
    double second = submit(tasks / 2, tasks);
    double after = resident_bytes();
    double begin = now();
    group.wait();
    double drained = now() - begin;
    if (sum != tasks * (tasks - 1) / 2 + 99 * 50)
        die("wrong sum", EPROTO);
    double count = static_cast<double>(tasks);
    emit("submit", "oneTBB task_group", count / (first + second), "tasks/s");
    emit("second half", "oneTBB task_group", second / first, "of the first half's time");
    emit("memory", "oneTBB task_group", (after - before) / count, "bytes/task");
    emit("drain", "oneTBB task_group", count / drained, "tasks/s");
}
} // namespace

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    bool   is_backlog = knobs[MODE].value == 2;
    size_t submitters = knobs[OWN].value ? 0 : knobs[THREADS].value;
    int    limit = is_backlog ? 1 : static_cast<int>(knobs[WORKERS].value + submitters);
    tbb::global_control most(tbb::global_control::max_allowed_parallelism,
                             static_cast<size_t>(limit));
    tbb::task_arena     arena(limit, 1);
    arena.execute([=] { is_backlog ? backlog(knobs[TASKS].value) : stream(knobs[TASKS].value); });
    return 0;
}
