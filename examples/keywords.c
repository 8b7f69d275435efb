/*
 * keywords.c - a task with positional, keyword and optional arguments, and a result with named parts.
 *
 *     cc keywords.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* loan(amount, *, years, rate=0.03) -> { "monthly": ..., "total": ... } */
static int loan(pp_call *call)
{
    double amount = 0;
    int    years = 0;
    double rate = 0.03; /* stays, if the keyword is not given */
    int    error = pp_call_args(call, "d years=i rate?=d", &amount, &years, &rate);
    if (error < 0)
        return error;
    if (years <= 0)
        return pp_call_raise(call, ERANGE, "YearsError", "%d years is no time", years);

    double month = rate / 12, growth = 1;
    for (int i = 0; i < 12 * years; i++)
        growth *= 1 + month;
    double monthly = rate > 0 ? amount * month * growth / (growth - 1) : amount / (12 * years);
    return pp_call_return(call, "{ \"monthly\": d, \"total\": d }", monthly, 12 * years * monthly);
}

static void print_loan(pp_task *task, const pp_value *result, void *name)
{
    double monthly = 0, total = 0;
    (void)task;
    if (pp_value_unpack(result, "{ \"monthly\": d, \"total\": d }", &monthly, &total) == 0)
        printf("%s: %.2f a month, %.2f in all\n", (const char *)name, monthly, total);
}

static void print_failure(pp_task *task, const pp_error *error, void *name)
{
    (void)task;
    printf("%s: %s: %s\n", (const char *)name, pp_error_name(error), pp_error_message(error));
}

/* The options of a task whose callbacks are told this name. */
static pp_task_options named(const char *name)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = print_loan;
    options.exception_callback = print_failure;
    options.userdata = (void *)name; /* the callbacks only read it */
    return options;
}

static int queue_all(pp_pool *pool)
{
    pp_task_options house = named("house"), car = named("car"), never = named("never"),
                    typo = named("typo");
    pp_callable callable = PP_FUNCTION(loan);

    int error = pp_pool_create_and_queue_task(pool, callable, &house, "d years=i rate=d", 300000.0,
                                              30, 0.045);
    if (error == 0)
        error = pp_pool_create_and_queue_task(pool, callable, &car, "d years=i", 20000.0, 5);
    if (error == 0)
        error = pp_pool_create_and_queue_task(pool, callable, &never, "d years=i", 1.0, 0);
    if (error == 0) /* the callable has no such keyword: one argument too many */
        error =
            pp_pool_create_and_queue_task(pool, callable, &typo, "d years=i rats=d", 1.0, 1, 0.1);
    return error;
}

int main(void)
{
    pp_pool *pool = NULL;
    int      error = pp_pool_create(&pool, NULL);
    if (error == 0)
        error = queue_all(pool);
    if (error == 0)
        error = pp_pool_process_all_results(pool, PP_FOREVER);
    if (error < 0)
        fprintf(stderr, "keywords: %s\n", strerror(-error));
    pp_pool_destroy(pool);
    return error < 0;
}
