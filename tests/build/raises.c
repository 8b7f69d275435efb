/*
 * raises.c - a program that reads the backtrace of an exception; linked statically, too.
 */
#include <procpool.h>

#include <stdio.h>
#include <string.h>

static int raise_something(pp_call *call)
{
    return pp_call_raise(call, 5, "Something", "on purpose");
}

int main(void)
{
    pp_pool *pool = NULL;
    pp_task *task = NULL;
    if (pp_pool_create(&pool, NULL) < 0 ||
        pp_task_create(&task, PP_FUNCTION(raise_something), NULL, NULL) < 0 ||
        pp_pool_queue_task(pool, task) < 0 || pp_task_wait(task, 30.0) < 0)
        return 1;
    const char *backtrace = pp_error_backtrace(pp_task_error(task));
    printf("a backtrace of %zu bytes\n", strlen(backtrace));
    int status = backtrace[0] != '\0' ? 0 : 1;
    pp_task_unref(task);
    pp_pool_destroy(pool);
    return status;
}
