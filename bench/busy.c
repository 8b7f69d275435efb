/*
 * busy.c - tasks of pure CPU: a loop of so many rounds, the same for the pool and for its ideal.
 *
 *     short=US long=US   every task takes `short`, but one in each hundred takes `long`, unless 0
 *     per_ms=LOOPS       rounds of the loop in a millisecond; 0: find out, print that and end
 *     bare=1             the ideal: as many bare processes as workers, each of which goes through its
 *                        share of the same tasks, longest first to whom has least, with no pool at
 *                        all
 */
#include "measure.h"

#include <procpool.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TASKS, SHORT, LONG, WORKERS, PER_MS, BARE };

static struct knob knobs[] = {
    [TASKS] = {"tasks", 20000}, [SHORT] = {"short", 50},  [LONG] = {"long", 0},
    [WORKERS] = {"workers", 2}, [PER_MS] = {"per_ms", 0}, [BARE] = {"bare", 0},
};

static uint64_t work(uint64_t rounds)
{
    uint64_t x = rounds;
    for (uint64_t i = 0; i < rounds; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x)); /* not to be computed at compile time */
    }
    return x;
}

/* The fastest of many tries: nobody interrupted that one. */
static double calibrate(void)
{
    const uint64_t rounds = 100000;
    double         best = 1e9;
    for (int i = 0; i < 300; i++) {
        double begin = now();
        (void)work(rounds);
        double seconds = now() - begin;
        best = seconds < best ? seconds : best;
    }
    return (double)rounds / best / 1000;
}

/* One place in each hundred, scattered, the same in every run. */
static uint64_t rounds_of(uint64_t task)
{
    uint64_t place = (task / 100 * 2654435761u >> 7) % 100;
    bool     is_long = knobs[LONG].value > 0 && task % 100 == place;
    return (is_long ? knobs[LONG].value : knobs[SHORT].value) * knobs[PER_MS].value / 1000;
}

/* --------------------------------------------------------------------- the pool */

static uint64_t returned;

static int work_task(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    rounds = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0 || size != sizeof rounds)
        return error < 0 ? error : -EINVAL;
    memcpy(&rounds, data, sizeof rounds);
    rounds = work(rounds);
    return pp_call_return_bytes(call, &rounds, sizeof rounds);
}

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    returned++;
}

static double run_pool(uint64_t tasks)
{
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_task_options each = PP_TASK_OPTIONS_INIT;
    options.min_size = (unsigned)knobs[WORKERS].value;
    options.max_queued_requests = 4096;
    options.callback = count_result;
    each.use_pool_callbacks = true;
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    double begin = now();
    for (uint64_t i = 0; i < tasks; i++) {
        uint64_t rounds = rounds_of(i);
        check(pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(work_task), &each, &rounds,
                                             sizeof rounds),
              "pp_pool_create_and_queue_bytes");
    }
    check(pp_pool_process_all_results(pool, PP_FOREVER), "pp_pool_process_all_results");
    double seconds = now() - begin;
    pp_pool_destroy(pool);
    if (returned != tasks)
        die("results are missing", EPROTO);
    return seconds;
}

/* -------------------------------------------------------------------- the ideal */

static size_t least(const uint64_t *loads, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = loads[i] < loads[best] ? i : best;
    return best;
}

static void plan(unsigned char *owner, uint64_t tasks, size_t workers)
{
    uint64_t *loads = allocate(workers, sizeof *loads);
    uint64_t  shortest = knobs[SHORT].value * knobs[PER_MS].value / 1000;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < tasks; i++) {
            uint64_t rounds = rounds_of(i);
            if ((rounds == shortest) != (pass == 1))
                continue;
            size_t worker = least(loads, workers);
            loads[worker] += rounds;
            owner[i] = (unsigned char)worker;
        }
    }
    free(loads);
}

/* A child says that it is there, and begins when the gate is closed. */
static void be_bare(const unsigned char *owner, uint64_t tasks, size_t self, int ready, int gate)
{
    char byte = 0;
    if (write(ready, &byte, 1) != 1 || read(gate, &byte, 1) != 0)
        _exit(1);
    for (uint64_t i = 0; i < tasks; i++)
        if (owner[i] == self)
            (void)work(rounds_of(i));
    _exit(0);
}

static double run_bare(uint64_t tasks, size_t workers)
{
    unsigned char *owner = allocate(tasks, 1);
    int            ready[2];
    int            gate[2];
    char           byte = 0;
    if (workers > 255 || pipe(ready) < 0 || pipe(gate) < 0)
        die("pipe", errno);
    plan(owner, tasks, workers);
    for (size_t i = 0; i < workers; i++) {
        pid_t child = fork();
        if (child < 0)
            die("fork", errno);
        if (child == 0) {
            (void)close(gate[1]);
            be_bare(owner, tasks, i, ready[1], gate[0]);
        }
    }
    for (size_t i = 0; i < workers; i++)
        if (read(ready[0], &byte, 1) != 1)
            die("read", errno);
    double begin = now();
    (void)close(gate[1]);
    for (size_t i = 0; i < workers; i++) {
        int status = 0;
        if (wait(&status) < 0 || status != 0)
            die("a bare process", ECHILD);
    }
    double seconds = now() - begin;
    free(owner);
    return seconds;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    uint64_t tasks = knobs[TASKS].value;
    if (knobs[PER_MS].value == 0) {
        emit("per_ms", "loop", calibrate(), "rounds/ms");
    } else if (knobs[BARE].value) {
        double seconds = run_bare(tasks, knobs[WORKERS].value);
        emit("busy", "bare processes", (double)tasks / seconds, "tasks/s");
    } else {
        emit("busy", "procpool", (double)tasks / run_pool(tasks), "tasks/s");
    }
    return 0;
}
