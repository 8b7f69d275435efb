/*
 * class.c - tasks with state: an object is made in the worker, does its work, and is taken down.
 *
 * Each task estimates pi with random numbers of its own: reproducible, whichever worker has it.
 *
 *     cc class.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct darts {
    uint64_t state; /* of the random numbers */
    int64_t  throws;
    int64_t  hits;
};

/* Between 0 and 1: xorshift64*. */
static double next_number(struct darts *darts)
{
    darts->state ^= darts->state >> 12;
    darts->state ^= darts->state << 25;
    darts->state ^= darts->state >> 27;
    return (double)(darts->state * UINT64_C(0x2545F4914F6CDD1D) >> 11) / 9007199254740992.0;
}

/* The arguments of the task are for init; the memory is zeroed. */
static int darts_init(void *self, pp_call *call)
{
    struct darts *darts = self;
    int           error = pp_call_args(call, "UI", &darts->state, &darts->throws);
    if (error == 0 && (darts->state == 0 || darts->throws <= 0))
        error = pp_call_raise(call, EINVAL, NULL, "a seed and a number of throws, both above 0");
    return error;
}

static int darts_call(void *self, pp_call *call)
{
    struct darts *darts = self;
    for (int64_t i = 0; i < darts->throws; i++) {
        double x = next_number(darts), y = next_number(darts);
        darts->hits += x * x + y * y < 1;
    }
    return pp_call_return(call, "d", 4.0 * (double)darts->hits / (double)darts->throws);
}

/* Whatever init opened would be closed here. */
static void darts_fini(void *self)
{
    memset(self, 0, sizeof(struct darts));
}

static const pp_class darts_class = {"darts", sizeof(struct darts), darts_init, darts_call,
                                     darts_fini};

static void add_up(pp_task *task, const pp_value *result, void *sum)
{
    double pi = 0;
    if (pp_value_unpack(result, "d", &pi) == 0) {
        printf("seed %llu: %.5f\n", (unsigned long long)pp_task_id(task), pi);
        *(double *)sum += pi;
    }
}

int main(void)
{
    enum { TASKS = 8 };
    pp_pool        *pool = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    double          sum = 0;
    options.callback = add_up;
    options.userdata = &sum;

    int error = pp_pool_create(&pool, NULL);
    for (uint64_t seed = 1; seed <= TASKS && error == 0; seed++)
        error = pp_pool_create_and_queue_task(pool, PP_CLASS(&darts_class), &options, "UI", seed,
                                              INT64_C(1000000));
    if (error == 0)
        error = pp_pool_process_all_results(pool, PP_FOREVER);
    if (error < 0)
        fprintf(stderr, "class: %s\n", strerror(-error));
    else
        printf("mean: %.4f\n", sum / TASKS);
    pp_pool_destroy(pool);
    return error < 0;
}
