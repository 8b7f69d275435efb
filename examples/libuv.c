/*
 * libuv.c - a pool in a libuv loop: the loop polls the pool's descriptor, a timer goes on beside it.
 *
 *     cc libuv.c $(pkg-config --cflags --libs procpool libuv) && ./a.out
 */
#include <procpool.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { TASKS = 5 };

struct program {
    pp_pool   *pool;
    uv_poll_t  results;
    uv_timer_t clock;
    int        ticks;
    int        left; /* tasks whose callbacks have not run */
};

/* In a worker: it may block as long as it likes, the loop goes on. */
static int fibonacci(pp_call *call)
{
    unsigned n = 0;
    uint64_t a = 0, b = 1;
    int      error = pp_call_args(call, "u", &n);
    for (unsigned i = 0; i < n && error == 0; i++) {
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return error < 0 ? error : pp_call_return(call, "uU", n, a);
}

/* Without handles that are open the loop ends. */
static void count_down(struct program *program)
{
    if (--program->left > 0)
        return;
    uv_poll_stop(&program->results); /* before the pool is destroyed: the descriptor is its own */
    uv_close((uv_handle_t *)&program->results, NULL);
    uv_close((uv_handle_t *)&program->clock, NULL);
}

static void print_number(pp_task *task, const pp_value *result, void *userdata)
{
    unsigned n = 0;
    uint64_t number = 0;
    (void)task;
    if (pp_value_unpack(result, "uU", &n, &number) == 0)
        printf("fibonacci(%u) = %llu\n", n, (unsigned long long)number);
    count_down(userdata);
}

static void print_failure(pp_task *task, const pp_error *error, void *userdata)
{
    printf("task %llu: %s\n", (unsigned long long)pp_task_id(task), pp_error_message(error));
    count_down(userdata);
}

static void on_results(uv_poll_t *handle, int status, int events)
{
    struct program *program = handle->data;
    (void)events;
    if (status == 0)
        pp_pool_process_results(program->pool);
}

static void on_tick(uv_timer_t *handle)
{
    struct program *program = handle->data;
    program->ticks++;
}

static int watch(struct program *program, uv_loop_t *loop)
{
    int error = uv_poll_init(loop, &program->results, pp_pool_fd(program->pool));
    if (error == 0)
        error = uv_timer_init(loop, &program->clock);
    program->results.data = program;
    program->clock.data = program;
    if (error == 0)
        error = uv_poll_start(&program->results, UV_READABLE, on_results);
    if (error == 0)
        error = uv_timer_start(&program->clock, on_tick, 0, 10);
    return error;
}

int main(void)
{
    struct program  program = {.left = TASKS};
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = print_number;
    options.exception_callback = print_failure;
    options.userdata = &program;

    int error = pp_pool_create(&program.pool, NULL);
    if (error == 0)
        error = watch(&program, uv_default_loop());
    for (unsigned i = 1; i <= TASKS && error == 0; i++)
        error = pp_pool_create_and_queue_task(program.pool, PP_FUNCTION(fibonacci), &options, "u",
                                              i * 18);
    if (error == 0)
        error = uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    if (error < 0)
        fprintf(stderr, "libuv: %s\n", strerror(-error));
    else
        printf("and the clock went on: %s\n", program.ticks > 0 ? "yes" : "no");
    pp_pool_destroy(program.pool);
    return error < 0;
}
