/*
 * stream.c - a stream of 8-byte tasks, each multiplied in a worker, each result seen by a callback.
 *
 *     format=1      through the format language, not as bare bytes
 *     daemonize=1   the callbacks run in the library's thread, not in the submitting one
 *     threads=N     N threads submit at once
 */
#include "calls.h"
#include "measure.h"

#include <procpool.h>
#include <pthread.h>

enum { TASKS, WORKERS, QUEUE, THREADS, FORMAT, DAEMONIZE };

static struct knob knobs[] = {
    [TASKS] = {"tasks", 1000000}, [WORKERS] = {"workers", 2}, [QUEUE] = {"queue", 4096},
    [THREADS] = {"threads", 1},   [FORMAT] = {"format", 0},   [DAEMONIZE] = {"daemonize", 0},
};

static int multiply_bytes(pp_call *call)
{
    uint64_t number = 0;
    int      error = take_number(call, &number, sizeof number);
    number *= 3;
    return error < 0 ? error : pp_call_return_bytes(call, &number, sizeof number);
}

static int multiply_format(pp_call *call)
{
    uint64_t number = 0;
    int      error = pp_call_args(call, "U", &number);
    return error < 0 ? error : pp_call_return(call, "U", number * 3);
}

/* Callbacks of one pool never run at the same time; the sums are read when all have returned. */
static uint64_t sum;

static void add_bytes(pp_task *task, const pp_value *result, void *userdata)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    (void)task;
    (void)userdata;
    if (pp_value_unpack(result, "y", &data, &size) == 0 && size == sizeof number)
        memcpy(&number, data, sizeof number);
    __atomic_fetch_add(&sum, number, __ATOMIC_RELAXED);
}

static void add_format(pp_task *task, const pp_value *result, void *userdata)
{
    uint64_t number = 0;
    (void)task;
    (void)userdata;
    (void)pp_value_unpack(result, "U", &number);
    __atomic_fetch_add(&sum, number, __ATOMIC_RELAXED);
}

static int submit(pp_pool *pool, const pp_task_options *options, uint64_t number)
{
    if (knobs[FORMAT].value)
        return pp_pool_create_and_queue_task(pool, PP_FUNCTION(multiply_format), options, "U",
                                             number);
    return pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(multiply_bytes), options, &number,
                                          sizeof number);
}

struct submitter {
    pthread_t thread;
    pp_pool  *pool;
    uint64_t  first;
    uint64_t  end;
};

static void *submit_all(void *argument)
{
    struct submitter *self = argument;
    pp_task_options   options = PP_TASK_OPTIONS_INIT;
    options.use_pool_callbacks = true;
    for (uint64_t i = self->first; i < self->end; i++) {
        check(submit(self->pool, &options, i), "submit");
        if (i % 512 == 0 && !knobs[DAEMONIZE].value)
            check(pp_pool_process_results(self->pool), "pp_pool_process_results");
    }
    return NULL;
}

static void submit_from_threads(pp_pool *pool, uint64_t tasks, unsigned threads)
{
    struct submitter *submitters = allocate(threads, sizeof *submitters);
    for (unsigned i = 0; i < threads; i++) {
        submitters[i].pool = pool;
        submitters[i].first = tasks * i / threads;
        submitters[i].end = tasks * (i + 1) / threads;
        if (i > 0 && pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]) != 0)
            die("pthread_create", EAGAIN);
    }
    (void)submit_all(&submitters[0]);
    for (unsigned i = 1; i < threads; i++)
        (void)pthread_join(submitters[i].thread, NULL);
    free(submitters);
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    uint64_t        tasks = knobs[TASKS].value;
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = (unsigned)knobs[WORKERS].value;
    options.max_queued_requests = (unsigned)knobs[QUEUE].value;
    options.callback = knobs[FORMAT].value ? add_format : add_bytes;
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    if (knobs[DAEMONIZE].value)
        check(pp_pool_daemonize(pool), "pp_pool_daemonize");
    double begin = now();
    submit_from_threads(pool, tasks, (unsigned)knobs[THREADS].value);
    check(pp_pool_process_all_results(pool, PP_FOREVER), "pp_pool_process_all_results");
    double seconds = now() - begin;
    pp_pool_destroy(pool);
    if (sum != 3 * (tasks * (tasks - 1) / 2))
        die("wrong sum", EPROTO);
    emit("stream", "procpool", (double)tasks / seconds, "tasks/s");
    return 0;
}
