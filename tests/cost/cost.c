/*
 * cost.c - the way of a task, host and worker in one process and one after the other, for callgrind,
 * which counts the instructions of each part: the same in every run, however busy the machine is.
 *
 * The parts are the functions whose names end in _part; check.sh divides what they cost by the tasks.
 * There is nothing to sleep for here: the worker says that it is awake, and no bell is armed.  The clock
 * goes by its readings, since what has taken long goes another way.
 */
#include "fuzz/host.h"

#include "base/lineage.h"
#include "worker/self.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* Instead of the C library's: 50 ns from one reading to the next. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int64_t readings = INT64_C(1) << 40;
    (void)clock;
    readings += 50;
    *now = (struct timespec){.tv_sec = readings / 1000000000, .tv_nsec = readings % 1000000000};
    return 0;
}

enum { BATCH = 32, BATCHES = 40, WARM_UP = 10 };

#define PART __attribute__((noinline, noclone, no_icf))

static struct pp_pool       *pool;
static struct pp_worker     *handle;
static struct pp_worker_self self;
static uint64_t              sum;

static int triple_bytes(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0 || size != sizeof number)
        return -EINVAL;
    memcpy(&number, data, sizeof number);
    number *= 3;
    return pp_call_return_bytes(call, &number, sizeof number);
}

static int triple_value(pp_call *call)
{
    uint64_t number = 0;
    int      error = pp_call_args(call, "U", &number);
    return error < 0 ? error : pp_call_return(call, "U", 3 * number);
}

static void add_bytes(pp_task *task, const pp_value *result, void *userdata)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    (void)task;
    (void)userdata;
    CHECK(pp_value_unpack(result, "y", &data, &size) == 0 && size == sizeof number);
    memcpy(&number, data, sizeof number);
    sum += number;
}

static void add_value(pp_task *task, const pp_value *result, void *userdata)
{
    uint64_t number = 0;
    (void)task;
    (void)userdata;
    CHECK(pp_value_unpack(result, "U", &number) == 0);
    sum += number;
}

static PART void submit_bytes_part(const pp_task_options *options, uint64_t first)
{
    for (uint64_t number = first; number < first + BATCH; number++)
        CHECK(pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(triple_bytes), options, &number,
                                             sizeof number) == 0);
}

static PART void submit_value_part(const pp_task_options *options, uint64_t first)
{
    for (uint64_t number = first; number < first + BATCH; number++)
        CHECK(pp_pool_create_and_queue_task(pool, PP_FUNCTION(triple_value), options, "U",
                                            number) == 0);
}

static void work(void)
{
    CHECK(handle->tail == self.ticket + BATCH); /* else it would sleep */
    for (int i = 0; i < BATCH; i++) {
        CHECK(pp_worker_take(&self));
        pp_worker_run(&self);
        pp_worker_reply(&self);
    }
}

static PART void work_bytes_part(void)
{
    work();
}

static PART void work_value_part(void)
{
    work();
}

static PART void deliver_bytes_part(void)
{
    CHECK(pp_pool_process_results(pool) == BATCH);
}

static PART void deliver_value_part(void)
{
    CHECK(pp_pool_process_results(pool) == BATCH);
}

static void begin(void)
{
    pool = host_new(1);
    CHECK(pp_lineage_mark(&pool->mark) == 0);
    handle = host_add_worker(pool, true);
    self = (struct pp_worker_self){.tray = handle->tray,
                                   .box = handle->box,
                                   .ledger = handle->ledger,
                                   .bell = -1,
                                   .socket = -1,
                                   .ticket = PP_FIRST_TICKET};
    atomic_store(&handle->box->awake, PP_AWAKE);
}

/* What is measured begins after the caches of callables and of spare tasks are filled. */
static PART void batch(const pp_task_options *options, uint64_t first, bool by_value)
{
    pool->mean_run = 0; /* tasks have been short: the tray takes a whole batch */
    if (by_value) {
        submit_value_part(options, first);
        work_value_part();
        deliver_value_part();
    } else {
        submit_bytes_part(options, first);
        work_bytes_part();
        deliver_bytes_part();
    }
}

/* check.sh has callgrind count inside of this function only. */
static PART void counted(const pp_task_options *options, bool by_value)
{
    for (uint64_t number = 0; number < BATCHES * BATCH; number += BATCH)
        batch(options, number, by_value);
}

static void run(bool by_value)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = by_value ? add_value : add_bytes;
    for (int i = 0; i < WARM_UP; i++)
        batch(&options, 0, by_value);
    sum = 0;
    counted(&options, by_value);
    CHECK(sum == 3 * (uint64_t)(BATCHES * BATCH) * (BATCHES * BATCH - 1) / 2);
}

int main(void)
{
    begin();
    run(false);
    run(true);
    printf("%d tasks in each way\n", BATCHES * BATCH);
    host_free(pool);
    return 0;
}
