/*
 * gthreadpool.c - GLib's GThreadPool with the tasks of stream.c, latency.c and backlog.c.
 *
 *     mode=0  the stream         mode=1  one in flight         mode=2  a backlog
 *
 * As cheap as it can be made for threads: a task is a pointer to a slot, its result is written there.
 * Of the `queue` slots one half is filled while the other is worked off, and then read by the
 * submitting thread; nothing is allocated for a task but what GLib allocates.
 */
#include "../resident.h"

#include <glib.h>
#include <stdatomic.h>

enum { MODE, TASKS, WORKERS, QUEUE, THREADS, GAP };

static struct knob knobs[] = {
    [MODE] = {"mode", 0},      [TASKS] = {"tasks", 1000000}, [WORKERS] = {"workers", 2},
    [QUEUE] = {"queue", 4096}, [THREADS] = {"threads", 1},   [GAP] = {"gap", 1000},
};

struct half {
    GMutex        mutex;
    GCond         done;
    atomic_size_t left;
    struct slot  *slots;
    size_t        used;
};

struct slot {
    struct half *half;
    uint64_t     number;
};

static void multiply(gpointer data, gpointer unused)
{
    struct slot *slot = data;
    struct half *half = slot->half;
    (void)unused;
    slot->number *= 3;
    if (atomic_fetch_sub_explicit(&half->left, 1, memory_order_acq_rel) == 1) {
        g_mutex_lock(&half->mutex);
        g_cond_signal(&half->done);
        g_mutex_unlock(&half->mutex);
    }
}

static GThreadPool *make_pool(GFunc function, size_t workers)
{
    GThreadPool *pool = g_thread_pool_new(function, NULL, (gint)workers, TRUE, NULL);
    if (pool == NULL)
        die("g_thread_pool_new", EAGAIN);
    return pool;
}

/* Wait until the half is worked off, and add its results up. */
static uint64_t read_half(struct half *half)
{
    uint64_t sum = 0;
    g_mutex_lock(&half->mutex);
    while (atomic_load_explicit(&half->left, memory_order_acquire) > 0)
        g_cond_wait(&half->done, &half->mutex);
    g_mutex_unlock(&half->mutex);
    for (size_t i = 0; i < half->used; i++)
        sum += half->slots[i].number;
    half->used = 0;
    return sum;
}

static void fill_half(struct half *half, GThreadPool *pool, uint64_t first, size_t count)
{
    half->used = count;
    atomic_store_explicit(&half->left, count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        half->slots[i] = (struct slot){half, first + i};
        g_thread_pool_push(pool, &half->slots[i], NULL);
    }
}

/* ------------------------------------------------------------------- the stream */

struct submitter {
    GThread     *thread;
    GThreadPool *pool;
    uint64_t     first;
    uint64_t     end;
    size_t       size; /* of a half */
    uint64_t     sum;
};

static gpointer submit_all(gpointer argument)
{
    struct submitter *self = argument;
    struct half       halves[2];
    memset(halves, 0, sizeof halves);
    for (int i = 0; i < 2; i++) {
        g_mutex_init(&halves[i].mutex);
        g_cond_init(&halves[i].done);
        halves[i].slots = allocate(self->size, sizeof(struct slot));
    }
    int turn = 0;
    for (uint64_t i = self->first; i < self->end; turn = !turn) {
        size_t count = self->end - i < self->size ? (size_t)(self->end - i) : self->size;
        self->sum += read_half(&halves[turn]);
        fill_half(&halves[turn], self->pool, i, count);
        i += count;
    }
    for (int i = 0; i < 2; i++) {
        self->sum += read_half(&halves[i]);
        free(halves[i].slots);
    }
    return NULL;
}

static void stream(uint64_t tasks)
{
    size_t            threads = knobs[THREADS].value;
    size_t            size = knobs[QUEUE].value / 2 / threads;
    struct submitter *submitters = allocate(threads, sizeof *submitters);
    GThreadPool      *pool = make_pool(multiply, knobs[WORKERS].value);
    uint64_t          sum = 0;
    double            begin = now();
    for (size_t i = 0; i < threads; i++) {
        submitters[i].pool = pool;
        submitters[i].first = tasks * i / threads;
        submitters[i].end = tasks * (i + 1) / threads;
        submitters[i].size = size > 0 ? size : 1;
        if (i > 0)
            submitters[i].thread = g_thread_new(NULL, submit_all, &submitters[i]);
    }
    (void)submit_all(&submitters[0]);
    for (size_t i = 1; i < threads; i++)
        (void)g_thread_join(submitters[i].thread);
    double seconds = now() - begin;
    for (size_t i = 0; i < threads; i++)
        sum += submitters[i].sum;
    g_thread_pool_free(pool, FALSE, TRUE);
    free(submitters);
    if (sum != 3 * (tasks * (tasks - 1) / 2))
        die("wrong sum", EPROTO);
    emit("stream", "GThreadPool", (double)tasks / seconds, "tasks/s");
}

/* --------------------------------------------------------------- one in flight */

static void latency(size_t tasks)
{
    double         *times = allocate(tasks, sizeof *times);
    GThreadPool    *pool = make_pool(multiply, 1);
    struct slot     slot = {0};
    struct half     half = {.slots = &slot};
    struct timespec gap = {.tv_nsec = (long)knobs[GAP].value * 1000};
    g_mutex_init(&half.mutex);
    g_cond_init(&half.done);
    for (size_t i = 0; i < tasks; i++) {
        if (gap.tv_nsec > 0)
            (void)nanosleep(&gap, NULL);
        double begin = now();
        fill_half(&half, pool, i, 1);
        if (read_half(&half) != i * 3)
            die("wrong result", EPROTO);
        times[i] = now() - begin;
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    emit("p50", "GThreadPool", percentile(times, tasks, 50) * 1e6, "us");
    emit("p99", "GThreadPool", percentile(times, tasks, 99) * 1e6, "us");
    free(times);
}

/* -------------------------------------------------------------------- a backlog */

#define HELD (UINT64_MAX - 1) /* the number of the task that holds the only worker */

static GMutex        gate;
static atomic_size_t returned;

static void pass(gpointer data, gpointer unused)
{
    uint64_t *number = data;
    (void)unused;
    if (*number == HELD) {
        g_mutex_lock(&gate);
        g_mutex_unlock(&gate);
    }
    g_free(number);
    (void)atomic_fetch_add(&returned, 1);
}

static double push(GThreadPool *pool, uint64_t from, uint64_t end)
{
    double begin = now();
    for (uint64_t i = from; i < end; i++) {
        uint64_t *number = g_new(uint64_t, 1);
        *number = i;
        g_thread_pool_push(pool, number, NULL);
    }
    return now() - begin;
}

static void backlog(uint64_t tasks)
{
    GThreadPool *pool = make_pool(pass, 1);
    g_mutex_lock(&gate);
    (void)push(pool, HELD, HELD + 1);
    (void)push(pool, 0, 100);
    double before = resident_bytes();
    double first = push(pool, 0, tasks / 2);
    double second = push(pool, tasks / 2, tasks);
    double after = resident_bytes();
    double begin = now();
    g_mutex_unlock(&gate);
    g_thread_pool_free(pool, FALSE, TRUE);
    double drained = now() - begin;
    if (atomic_load(&returned) != tasks + 101)
        die("tasks are missing", EPROTO);
    emit("submit", "GThreadPool", (double)tasks / (first + second), "tasks/s");
    emit("second half", "GThreadPool", second / first, "of the first half's time");
    emit("memory", "GThreadPool", (after - before) / (double)tasks, "bytes/task");
    emit("drain", "GThreadPool", (double)tasks / drained, "tasks/s");
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    if (knobs[MODE].value == 1)
        latency(knobs[TASKS].value);
    else if (knobs[MODE].value == 2)
        backlog(knobs[TASKS].value);
    else
        stream(knobs[TASKS].value);
    return 0;
}
