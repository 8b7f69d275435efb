/*
 * hello.c - the smallest program with a pool: squares, worked out by worker processes.
 *
 *     cc hello.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <stdio.h>
#include <string.h>

/* In a worker: the arguments of the task come out of the call, the result goes into it. */
static int square(pp_call *call)
{
    int n = 0;
    int error = pp_call_args(call, "i", &n);
    if (error < 0)
        return error;
    return pp_call_return(call, "ii", n, n * n);
}

/* Here, once for each task that has a result ... */
static void print_square(pp_task *task, const pp_value *result, void *userdata)
{
    int n = 0, squared = 0;
    (void)userdata;
    if (pp_value_unpack(result, "ii", &n, &squared) == 0)
        printf("%d squared is %d (task %llu)\n", n, squared, (unsigned long long)pp_task_id(task));
}

/* ... and once for each that has none. */
static void print_failure(pp_task *task, const pp_error *error, void *userdata)
{
    (void)userdata;
    printf("task %llu: %s: %s\n", (unsigned long long)pp_task_id(task), pp_error_name(error),
           pp_error_message(error));
}

int main(void)
{
    pp_pool        *pool = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = print_square;
    options.exception_callback = print_failure;
    options.timeout = 5;

    int error = pp_pool_create(&pool, NULL);
    for (int n = 1; n <= 10 && error == 0; n++)
        error = pp_pool_create_and_queue_task(pool, PP_FUNCTION(square), &options, "i", n);
    if (error == 0)
        error = pp_pool_process_all_results(pool, PP_FOREVER); /* runs the callbacks */
    if (error < 0)
        fprintf(stderr, "hello: %s\n", strerror(-error));
    pp_pool_destroy(pool);
    return error < 0;
}
