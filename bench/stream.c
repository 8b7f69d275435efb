/*
 * stream.c - a stream of 8-byte tasks through two workers, beside GLib's GThreadPool doing the same
 * in two threads: both queues bounded at 4096, each result handed back to the submitting thread.
 *
 *     stream [TASKS [ROUNDS]]
 *
 * The two run in turn, A B A B: these machines drift, so only the ratio within a round means
 * something.  A thread pool passes a pointer where a process pool packs, copies and checks values;
 * the work is the same multiplication.
 */
#include <errno.h>
#include <glib.h>
#include <procpool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKERS = 2, QUEUE = 4096 };

static double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

static void die(const char *what, int error)
{
    fprintf(stderr, "stream: %s: %s\n", what, strerror(-error));
    exit(EXIT_FAILURE);
}

/* ---------------------------------------------------------------------- procpool */

static int multiply(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0 || size != sizeof number)
        return error < 0 ? error : -EINVAL;
    memcpy(&number, data, sizeof number);
    number *= 3;
    return pp_call_return_bytes(call, &number, sizeof number);
}

static void add_result(pp_task *task, const pp_value *result, void *userdata)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    (void)task;
    if (pp_value_unpack(result, "y", &data, &size) == 0 && size == sizeof number)
        memcpy(&number, data, sizeof number);
    *(uint64_t *)userdata += number;
}

static double run_procpool(uint64_t tasks, uint64_t expected)
{
    uint64_t        sum = 0;
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = WORKERS;
    options.max_queued_requests = QUEUE;
    options.callback = add_result;
    options.userdata = &sum;
    int error = pp_pool_create(&pool, &options);
    if (error < 0)
        die("pp_pool_create", error);
    pp_task_options each = PP_TASK_OPTIONS_INIT;
    each.use_pool_callbacks = true;
    double begin = now();
    for (uint64_t i = 0; i < tasks; i++) {
        error = pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(multiply), &each, &i, sizeof i);
        if (error < 0)
            die("pp_pool_create_and_queue_bytes", error);
        if (i % 512 == 0)
            (void)pp_pool_process_results(pool);
    }
    (void)pp_pool_process_all_results(pool, PP_FOREVER);
    double seconds = now() - begin;
    pp_pool_destroy(pool);
    if (sum != expected)
        die("wrong sum", -EPROTO);
    return seconds;
}

/* -------------------------------------------------------------------------- GLib */

struct item {
    uint64_t number;
};

static void glib_multiply(gpointer data, gpointer results)
{
    struct item *item = data;
    item->number *= 3;
    g_async_queue_push(results, item);
}

static uint64_t glib_collect(GAsyncQueue *results, uint64_t *left)
{
    struct item *item = g_async_queue_pop(results);
    uint64_t     number = item->number;
    g_free(item);
    (*left)--;
    return number;
}

static double run_glib(uint64_t tasks, uint64_t expected)
{
    uint64_t     sum = 0;
    uint64_t     outstanding = 0;
    GAsyncQueue *results = g_async_queue_new();
    GThreadPool *pool = g_thread_pool_new(glib_multiply, results, WORKERS, TRUE, NULL);
    double       begin = now();
    for (uint64_t i = 0; i < tasks; i++) {
        struct item *item = g_new(struct item, 1);
        item->number = i;
        while (outstanding >= QUEUE)
            sum += glib_collect(results, &outstanding);
        g_thread_pool_push(pool, item, NULL);
        outstanding++;
    }
    while (outstanding > 0)
        sum += glib_collect(results, &outstanding);
    double seconds = now() - begin;
    g_thread_pool_free(pool, FALSE, TRUE);
    g_async_queue_unref(results);
    if (sum != expected)
        die("wrong sum of GLib", -EPROTO);
    return seconds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint64_t tasks = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    int      rounds = argc > 2 ? atoi(argv[2]) : 5;
    double   ratios[64];
    if (tasks < 1 || rounds < 1 || rounds > 64) {
        fprintf(stderr, "usage: stream [TASKS [ROUNDS]], at most 64 rounds\n");
        return 2;
    }
    uint64_t expected = 3 * (tasks * (tasks - 1) / 2);
    printf("| round | procpool, tasks/s | GThreadPool, tasks/s | ratio |\n");
    printf("| ---: | ---: | ---: | ---: |\n");
    for (int i = 0; i < rounds; i++) {
        double ours = (double)tasks / run_procpool(tasks, expected);
        double theirs = (double)tasks / run_glib(tasks, expected);
        ratios[i] = ours / theirs;
        printf("| %d | %.0f | %.0f | %.2f |\n", i + 1, ours, theirs, ratios[i]);
        (void)fflush(stdout);
    }
    qsort(ratios, (size_t)rounds, sizeof *ratios, by_value);
    printf("| median | | | %.2f |\n", ratios[rounds / 2]);
    return 0;
}
