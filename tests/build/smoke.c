/*
 * smoke.c - a program as a user would write it: one task, one answer.
 */
#include <procpool.h>

#include <stdio.h>
#include <string.h>

static int twice(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    if (error < 0)
        return error;
    return pp_call_return(call, "i", 2 * number);
}

int main(void)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    pp_pool *pool = NULL;
    int      error = pp_pool_create(&pool, &options);
    if (error < 0) {
        fprintf(stderr, "pp_pool_create: %s\n", strerror(-error));
        return 1;
    }
    pp_task *task = NULL;
    int      answer = 0;
    error = pp_task_create(&task, PP_FUNCTION(twice), NULL, "i", 21);
    if (error == 0)
        error = pp_pool_queue_task(pool, task);
    if (error == 0)
        error = pp_task_wait(task, 30.0);
    if (error == 0 && pp_task_state(task) == PP_DONE)
        error = pp_value_unpack(pp_task_result(task), "i", &answer);
    if (error < 0)
        fprintf(stderr, "task: %s\n", strerror(-error));
    printf("procpool %s: the task is %s, the answer %d\n", pp_version(),
           pp_state_name(pp_task_state(task)), answer);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    return answer == 42 ? 0 : 1;
}
