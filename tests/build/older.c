/*
 * older.c - a program whose option structs are shorter than the library's; check-older.sh makes the
 * header for it.  Behind each struct stands garbage, which the library must not take for options,
 * and must not overwrite.
 */
#include <procpool.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { GARBAGE = 64, FILLING = 0xa5 };

struct {
    pp_pool_options options;
    unsigned char   behind[GARBAGE];
} pools;

struct {
    pp_task_options options;
    unsigned char   behind[GARBAGE];
} tasks;

struct {
    pp_pool_stats stats;
    unsigned char behind[GARBAGE];
} figures;

static int is_hurt(const unsigned char *behind)
{
    for (int i = 0; i < GARBAGE; i++)
        if (behind[i] != FILLING)
            return 1;
    return 0;
}

static void fill(void)
{
    memset(&pools, FILLING, sizeof pools);
    memset(&tasks, FILLING, sizeof tasks);
    memset(&figures, FILLING, sizeof figures);
    pools.options = (pp_pool_options)PP_POOL_OPTIONS_INIT;
    tasks.options = (pp_task_options)PP_TASK_OPTIONS_INIT;
    memset(&figures.stats, 0, sizeof figures.stats);
    figures.stats.size = sizeof figures.stats;
}

/* It fails once: with garbage for a retry_delay the second attempt would never come. */
static int second_time_lucky(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    if (error == 0 && pp_call_attempt(call) == 1)
        return -EAGAIN;
    return error < 0 ? error : pp_call_return(call, "i", number + 1);
}

static void take_number(pp_task *task, const pp_value *result, void *number)
{
    (void)task;
    if (pp_value_unpack(result, "i", number) < 0)
        *(int *)number = -1;
}

int main(void)
{
    pp_pool *pool = NULL;
    int      number = 0;
    fill();
    pools.options.min_size = 1;
    tasks.options.max_retries = 1;
    tasks.options.callback = take_number;
    tasks.options.userdata = &number;

    int error = pp_pool_create(&pool, &pools.options);
    if (error == 0)
        error = pp_pool_create_and_queue_task(pool, PP_FUNCTION(second_time_lucky), &tasks.options,
                                              "i", 41);
    if (error == 0)
        error = pp_pool_process_all_results(pool, 30);
    if (error >= 0)
        error = pp_pool_get_stats(pool, &figures.stats);
    pp_pool_destroy(pool);
    if (error < 0) {
        printf("FAILED: %s\n", strerror(-error));
        return 1;
    }
    if (number != 42 || figures.stats.done != 1 || figures.stats.retried != 1) {
        printf("FAILED: the answer is %d, %d done, %d retried\n", number, (int)figures.stats.done,
               (int)figures.stats.retried);
        return 1;
    }
    if (figures.stats.size != sizeof figures.stats || is_hurt(pools.behind) ||
        is_hurt(tasks.behind) || is_hurt(figures.behind)) {
        printf("FAILED: something behind a struct was written\n");
        return 1;
    }
    printf("structs of %zu, %zu and %zu bytes are understood\n", sizeof pools.options,
           sizeof tasks.options, sizeof figures.stats);
    return 0;
}
