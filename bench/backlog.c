/*
 * backlog.c - tasks submitted into an unbounded queue whose only worker is held: the rate, whether
 * the second half takes longer than the first, the host's memory per waiting task, and how fast all
 * of it is then worked off.
 */
#include "resident.h"

#include <limits.h>
#include <procpool.h>
#include <unistd.h>

enum { TASKS };

static struct knob knobs[] = {[TASKS] = {"tasks", 1000000}};

static int gate[2]; /* a pipe: the worker is held until a byte comes */

static int hold(pp_call *call)
{
    char byte = 0;
    (void)call;
    return read(gate[0], &byte, 1) == 1 ? 0 : -EIO;
}

static int echo(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

static uint64_t returned;

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    returned++;
}

static double submit(pp_pool *pool, const pp_task_options *options, uint64_t from, uint64_t end)
{
    double begin = now();
    for (uint64_t i = from; i < end; i++)
        check(pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(echo), options, &i, sizeof i),
              "pp_pool_create_and_queue_bytes");
    return now() - begin;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    uint64_t        tasks = knobs[TASKS].value;
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_task_options each = PP_TASK_OPTIONS_INIT;
    options.min_size = 1;
    options.max_queued_requests = UINT_MAX;
    options.callback = count_result;
    each.use_pool_callbacks = true;
    if (pipe(gate) < 0)
        die("pipe", errno);
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    check(pp_pool_create_and_queue_task(pool, PP_FUNCTION(hold), &each, NULL), "hold");
    (void)submit(pool, &each, 0, 100);
    double before = resident_bytes();
    double first = submit(pool, &each, 0, tasks / 2);
    double second = submit(pool, &each, tasks / 2, tasks);
    double after = resident_bytes();
    double begin = now();
    if (write(gate[1], "", 1) != 1)
        die("write", errno);
    check(pp_pool_process_all_results(pool, PP_FOREVER), "pp_pool_process_all_results");
    double drained = now() - begin;
    pp_pool_destroy(pool);
    if (returned != tasks + 101)
        die("results are missing", EPROTO);
    emit("submit", "procpool", (double)tasks / (first + second), "tasks/s");
    emit("second half", "procpool", second / first, "of the first half's time");
    emit("memory", "procpool", (after - before) / (double)tasks, "bytes/task");
    emit("drain", "procpool", (double)tasks / drained, "tasks/s");
    return 0;
}
