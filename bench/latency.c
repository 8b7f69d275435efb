/*
 * latency.c - one task in flight: from its creation to its result seen by the thread that submitted
 * it, the median and the 99th percentile.
 *
 *     gap=MICROSECONDS   pause before each task; 0: the next follows at once, while the worker may
 *                        still spin
 */
#include "calls.h"
#include "measure.h"

#include <procpool.h>

enum { TASKS, GAP };

static struct knob knobs[] = {[TASKS] = {"tasks", 1000}, [GAP] = {"gap", 1000}};

static int next(pp_call *call)
{
    uint64_t number = 0;
    int      error = take_number(call, &number, sizeof number);
    number++;
    return error < 0 ? error : pp_call_return_bytes(call, &number, sizeof number);
}

static void once(pp_pool *pool, uint64_t number)
{
    pp_task    *task = NULL;
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    result = 0;
    check(pp_task_create(&task, PP_FUNCTION(next), NULL, NULL), "pp_task_create");
    check(pp_task_set_bytes(task, &number, sizeof number), "pp_task_set_bytes");
    check(pp_pool_queue_task(pool, task), "pp_pool_queue_task");
    check(pp_task_wait(task, PP_FOREVER), "pp_task_wait");
    check(pp_value_unpack(pp_task_result(task), "y", &data, &size), "pp_value_unpack");
    if (size == sizeof result)
        memcpy(&result, data, sizeof result);
    if (result != number + 1)
        die("wrong result", EPROTO);
    pp_task_unref(task);
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t          count = knobs[TASKS].value;
    double         *times = allocate(count, sizeof *times);
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    struct timespec gap = {.tv_nsec = (long)knobs[GAP].value * 1000};
    options.min_size = 1;
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    for (uint64_t i = 0; i < 100; i++)
        once(pool, i);
    for (size_t i = 0; i < count; i++) {
        if (gap.tv_nsec > 0)
            (void)nanosleep(&gap, NULL);
        double begin = now();
        once(pool, i);
        times[i] = now() - begin;
    }
    pp_pool_destroy(pool);
    emit("p50", "procpool", percentile(times, count, 50) * 1e6, "us");
    emit("p99", "procpool", percentile(times, count, 99) * 1e6, "us");
    free(times);
    return 0;
}
