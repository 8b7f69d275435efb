/*
 * payload.c - large arguments and results.
 *
 *     buffer=0   bytes go in and the same bytes come out, copied; both directions count
 *     buffer=1   a fresh pp_buffer each time, filled before the clock starts, of which the worker
 *                reads a word in each page
 */
#include "measure.h"

#include <procpool.h>

enum { SIZE, TASKS, BUFFER, PAGE = 4096 };

static struct knob knobs[] = {
    [SIZE] = {"size", 64 << 20}, [TASKS] = {"tasks", 10}, [BUFFER] = {"buffer", 0}};

static uint64_t touch(const unsigned char *data, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i += PAGE)
        sum += *(const volatile unsigned char *)(data + i);
    return sum;
}

static int echo(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

static int read_buffer(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_call_args(call, "B", &buffer);
    if (error < 0)
        return error;
    return pp_call_return(call, "U", touch(pp_buffer_data(buffer), pp_buffer_size(buffer)));
}

static void run_task(pp_pool *pool, pp_task *task)
{
    check(pp_pool_queue_task(pool, task), "pp_pool_queue_task");
    check(pp_task_wait(task, PP_FOREVER), "pp_task_wait");
    if (pp_task_result(task) == NULL)
        die(pp_error_message(pp_task_error(task)), pp_error_errno(pp_task_error(task)));
}

static double once_bytes(pp_pool *pool, const unsigned char *data, size_t size)
{
    pp_task    *task = NULL;
    const void *result = NULL;
    size_t      length = 0;
    double      begin = now();
    check(pp_task_create(&task, PP_FUNCTION(echo), NULL, NULL), "pp_task_create");
    check(pp_task_set_bytes(task, data, size), "pp_task_set_bytes");
    run_task(pool, task);
    check(pp_value_unpack(pp_task_result(task), "y", &result, &length), "pp_value_unpack");
    if (length != size || touch(result, size) != touch(data, size))
        die("wrong bytes", EPROTO);
    pp_task_unref(task);
    return now() - begin;
}

static double once_buffer(pp_pool *pool, const unsigned char *data, size_t size)
{
    pp_task   *task = NULL;
    pp_buffer *buffer = NULL;
    uint64_t   sum = 0;
    check(pp_buffer_create(&buffer, size), "pp_buffer_create");
    memcpy(pp_buffer_data(buffer), data, size);
    double begin = now();
    check(pp_task_create(&task, PP_FUNCTION(read_buffer), NULL, "B", buffer), "pp_task_create");
    run_task(pool, task);
    check(pp_value_unpack(pp_task_result(task), "U", &sum), "pp_value_unpack");
    double seconds = now() - begin;
    if (sum != touch(data, size))
        die("wrong sum", EPROTO);
    pp_task_unref(task);
    pp_buffer_unref(buffer);
    return seconds;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t         size = knobs[SIZE].value;
    size_t         count = knobs[TASKS].value;
    double        *times = allocate(count, sizeof *times);
    unsigned char *data = allocate(size, 1);
    pp_pool       *pool = NULL;
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)(i ^ (i >> 12));
    check(pp_pool_create(&pool, NULL), "pp_pool_create");
    for (size_t i = 0; i < count; i++)
        times[i] =
            knobs[BUFFER].value ? once_buffer(pool, data, size) : once_bytes(pool, data, size);
    pp_pool_destroy(pool);
    double moved = (double)size * (knobs[BUFFER].value ? 1 : 2);
    emit("payload", "procpool", moved / percentile(times, count, 50) / (1 << 20), "MiB/s");
    free(times);
    free(data);
    return 0;
}
