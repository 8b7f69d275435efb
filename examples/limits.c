/*
 * limits.c - retries and time limits: a task that works at the third attempt, one that never ends, and
 * one that ends in good order when its time is over.
 *
 *     cc limits.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A server that is there at the third attempt only. */
static int flaky(pp_call *call)
{
    if (pp_call_attempt(call) < 3)
        return pp_call_raise(call, ECONNREFUSED, "ServerError", "nobody there");
    return pp_call_return(call, "s", "connected");
}

/* It does not ask; nothing that it does can keep it from being stopped. */
static int stuck(pp_call *call)
{
    (void)call;
    while (pause() < 0)
        continue;
    return 0;
}

/* At the soft limit SIGALRM interrupts what it waits for.  Blocked but while it waits, so that it cannot
 * come between the look and the wait. */
static int polite(pp_call *call)
{
    sigset_t alarm_only, usual;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm_only, &usual);
    while (!pp_call_cancelled(call))
        sigsuspend(&usual);
    sigprocmask(SIG_SETMASK, &usual, NULL);
    return pp_call_return(call, "s", "half of it");
}

static int run(pp_pool *pool, const char *name, pp_function *function,
               const pp_task_options *options)
{
    pp_task    *task = NULL;
    const char *text = "";
    int         error = pp_task_create(&task, PP_FUNCTION(function), options, NULL);
    if (error == 0)
        error = pp_pool_queue_task(pool, task);
    if (error == 0)
        error = pp_task_wait(task, PP_FOREVER);
    if (error < 0) {
        pp_task_unref(task);
        return error;
    }
    if (pp_task_state(task) == PP_DONE)
        error = pp_value_unpack(pp_task_result(task), "s", &text);
    else
        text = pp_error_message(pp_task_error(task));
    printf("%s: %s after %u attempts: %s\n", name, pp_state_name(pp_task_state(task)),
           pp_task_attempts(task), text);
    pp_task_unref(task);
    return error;
}

int main(void)
{
    pp_pool        *pool = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    int             error = pp_pool_create(&pool, NULL);

    options.max_retries = 3;
    options.retry_delay = 0.01; /* then 0.02, then 0.04 */
    if (error == 0)
        error = run(pool, "flaky", flaky, &options);

    options.max_retries = 1;
    options.timeout = 0.1; /* of each attempt */
    if (error == 0)
        error = run(pool, "stuck", stuck, &options);

    options.soft_timeout = 0.1; /* asks ... */
    options.timeout = 30;       /* ... and insists, should that be of no use */
    if (error == 0)
        error = run(pool, "polite", polite, &options);

    if (error < 0)
        fprintf(stderr, "limits: %s\n", strerror(-error));
    pp_pool_destroy(pool);
    return error < 0;
}
