/*
 * smoke.cpp - the same in C++: the header's macros and callbacks from there.
 */
#include <procpool.h>

#include <cstdio>
#include <cstring>

static int twice(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    if (error < 0)
        return error;
    return pp_call_return(call, "i", 2 * number);
}

int main()
{
    pp_pool_options pool_options = PP_POOL_OPTIONS_INIT;
    if (pool_options.min_size != 2 || pool_options.max_queued_requests != 10 ||
        !pool_options.strict_limits || pool_options.idle_attempts != 10 ||
        pool_options.idle_interval != 10.0 || pool_options.orphan_grace != 30.0 ||
        pool_options.size != sizeof(pp_pool_options)) {
        std::fprintf(stderr, "the defaults are not those of C\n");
        return 1;
    }
    pool_options.min_size = 1;
    pp_pool *pool = nullptr;
    int      error = pp_pool_create(&pool, &pool_options);
    if (error < 0) {
        std::fprintf(stderr, "pp_pool_create: %s\n", std::strerror(-error));
        return 1;
    }
    int             answer = 0;
    pp_task_options task_options = PP_TASK_OPTIONS_INIT;
    task_options.userdata = &answer;
    task_options.callback = [](pp_task *, const pp_value *result, void *userdata) {
        pp_value_unpack(result, "i", static_cast<int *>(userdata));
    };
    error = pp_pool_create_and_queue_task(pool, PP_FUNCTION(twice), &task_options, "i", 21);
    if (error == 0)
        error = pp_pool_process_all_results(pool, 30.0);
    if (error < 0)
        std::fprintf(stderr, "task: %s\n", std::strerror(-error));
    std::printf("procpool %s: the answer is %d\n", pp_version(), answer);
    pp_pool_destroy(pool);
    return answer == 42 ? 0 : 1;
}
