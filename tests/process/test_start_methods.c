/*
 * test_start_methods.c - fork server, fork and spawn: what a worker sees of the program's memory,
 * and how callables are found in it.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN PP_TEST_PLUGIN_DIR "/callables.so"

static int a_number = 1; /* as the program is loaded */
static int main_began;

static pp_pool *pool_by(pp_start_method method)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = options.max_size = 1;
    options.start_method = method;
    return pool_with(&options);
}

static int tell_number(pp_call *call)
{
    return pp_call_return(call, "i", a_number);
}

static int tell_main(pp_call *call)
{
    return pp_call_return(call, "i", main_began);
}

static int number_of(pp_pool *pool, pp_function *function)
{
    int      number = -1;
    pp_task *task = queue_function(pool, function, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &number), 0);
    pp_task_unref(task);
    return number;
}

static int square_by_name(pp_pool *pool, const char *name, int number)
{
    int      square = -1;
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, PP_NAMED(name), NULL, "i", number), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &square), 0);
    pp_task_unref(task);
    return square;
}

/* Kill the worker: the next one is started now. */
static void replace_worker(pp_pool *pool)
{
    pp_task *task = queue_function(pool, crash_by_segv, NULL);
    assert_ends(task, PP_WORKER_LOST);
    pp_task_unref(task);
}

static void the_fork_server_is_the_default(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    (void)state;
    assert_int_equal(options.start_method, PP_START_FORKSERVER);
}

static void a_worker_of_the_fork_server_sees_the_memory_of_pool_creation(void **state)
{
    (void)state;
    a_number = 10;
    pp_pool *pool = pool_by(PP_START_FORKSERVER);
    a_number = 11;
    assert_int_equal(number_of(pool, tell_number), 10);
    replace_worker(pool);
    assert_int_equal(number_of(pool, tell_number), 10);
    pp_pool_destroy(pool);
}

static void a_forked_worker_sees_the_memory_of_its_start(void **state)
{
    (void)state;
    a_number = 20;
    pp_pool *pool = pool_by(PP_START_FORK);
    a_number = 21;
    assert_int_equal(number_of(pool, tell_number), 20);
    replace_worker(pool);
    assert_int_equal(number_of(pool, tell_number), 21);
    pp_pool_destroy(pool);
}

static void a_spawned_worker_sees_the_program_as_it_is_loaded(void **state)
{
    (void)state;
    a_number = 30;
    pp_pool *pool = pool_by(PP_START_SPAWN);
    assert_int_equal(number_of(pool, tell_number), 1);
    replace_worker(pool);
    assert_int_equal(number_of(pool, tell_number), 1);
    pp_pool_destroy(pool);
}

static void main_never_runs_in_a_spawned_worker(void **state)
{
    pp_pool *spawn = pool_by(PP_START_SPAWN);
    pp_pool *fork = pool_by(PP_START_FORK);
    (void)state;
    assert_int_equal(number_of(spawn, tell_main), 0);
    assert_int_equal(number_of(fork, tell_main), 1);
    pp_pool_destroy(spawn);
    pp_pool_destroy(fork);
}

static int count_variables(pp_call *call)
{
    int count = 0;
    for (char **entry = environ; *entry != NULL; entry++)
        count += strncmp(*entry, "PROCPOOL", 8) == 0;
    return pp_call_return(call, "i", count);
}

static void a_spawned_worker_leaves_no_trace_in_the_environment(void **state)
{
    pp_pool *pool = pool_by(PP_START_SPAWN);
    (void)state;
    assert_int_equal(number_of(pool, count_variables), 0);
    pp_pool_destroy(pool);
}

struct step {
    int by;
};

static int add(pp_call *call)
{
    const struct step *step = pp_call_captured(call, NULL);
    int                number = 0;
    int                error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "i", number + step->by);
}

static int keep(void *self, pp_call *call)
{
    return pp_call_args(call, "i", (int *)self);
}

static int tell(void *self, pp_call *call)
{
    return pp_call_return(call, "i", *(int *)self * 2);
}

static const pp_class doubler = {
    .name = "doubler", .size = sizeof(int), .init = keep, .call = tell};

static void callables_of_every_kind_are_found_whatever_the_start_method(void **state)
{
    static const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK, PP_START_SPAWN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct step step = {.by = 5};
        pp_pool    *pool = pool_by(methods[i]);
        pp_task    *tasks[3] = {NULL};
        int         numbers[3] = {0};
        assert_int_equal(pp_task_create(&tasks[0], PP_FUNCTION(return_square), NULL, "i", 6), 0);
        assert_int_equal(
            pp_task_create(&tasks[1], PP_CLOSURE(add, &step, sizeof step), NULL, "i", 6), 0);
        assert_int_equal(pp_task_create(&tasks[2], PP_CLASS(&doubler), NULL, "i", 6), 0);
        for (size_t t = 0; t < 3; t++) {
            assert_int_equal(pp_pool_queue_task(pool, tasks[t]), 0);
            assert_ends(tasks[t], PP_DONE);
            assert_int_equal(pp_value_unpack(pp_task_result(tasks[t]), "i", &numbers[t]), 0);
            pp_task_unref(tasks[t]);
        }
        assert_int_equal(numbers[0], 36);
        assert_int_equal(numbers[1], 11);
        assert_int_equal(numbers[2], 12);
        assert_int_equal(square_by_name(pool, "the square", 9), 81);
        assert_int_equal(square_by_name(pool, PLUGIN ":plugin_triple", 9), 27);
        pp_pool_destroy(pool);
    }
}

static char a_state[] = "state";

static int init_worker(void *arg, void **state)
{
    (void)arg;
    a_number += 1000;
    *state = a_state;
    return 0;
}

/* A worker that does not get its own state back fails, and that shows in the statistics. */
static void exit_worker(void *arg, void *state)
{
    (void)arg;
    if (state != a_state)
        _exit(1);
}

static int state_is_mine(pp_call *call)
{
    return pp_call_return(call, "i", pp_call_state(call) == a_state ? a_number : -1);
}

static void worker_init_is_found_by_reference_whatever_the_start_method(void **state)
{
    static const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK, PP_START_SPAWN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        options.min_size = options.max_size = 1;
        options.start_method = methods[i];
        options.worker_init = init_worker;
        options.worker_exit = exit_worker;
        a_number = 40;
        pp_pool *pool = pool_with(&options);
        assert_int_equal(number_of(pool, state_is_mine),
                         methods[i] == PP_START_SPAWN ? 1001 : 1040);
        assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
        pp_pool_stats stats = {.size = sizeof stats};
        assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
        assert_int_equal(stats.workers_died, 0);
        pp_pool_destroy(pool);
    }
    a_number = 1;
}

static int echo(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_args(call, "y", &data, &size);
    return error < 0 ? error : pp_call_return(call, "y", data, size);
}

static void large_payloads_reach_a_spawned_worker_and_come_back(void **state)
{
    enum { SIZE = 300 * 1024 };
    unsigned char *sent = malloc(SIZE);
    const void    *data = NULL;
    size_t         size = 0;
    pp_task       *task = NULL;
    pp_pool       *pool = pool_by(PP_START_SPAWN);
    (void)state;
    assert_non_null(sent);
    memset(sent, 0x5a, SIZE);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(echo), NULL, "y", sent, (size_t)SIZE), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_int_equal(size, SIZE);
    assert_memory_equal(data, sent, SIZE);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    free(sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fork_server_is_the_default),
        cmocka_unit_test(a_worker_of_the_fork_server_sees_the_memory_of_pool_creation),
        cmocka_unit_test(a_forked_worker_sees_the_memory_of_its_start),
        cmocka_unit_test(a_spawned_worker_sees_the_program_as_it_is_loaded),
        cmocka_unit_test(main_never_runs_in_a_spawned_worker),
        cmocka_unit_test(a_spawned_worker_leaves_no_trace_in_the_environment),
        cmocka_unit_test(callables_of_every_kind_are_found_whatever_the_start_method),
        cmocka_unit_test(worker_init_is_found_by_reference_whatever_the_start_method),
        cmocka_unit_test(large_payloads_reach_a_spawned_worker_and_come_back),
    };
    /* should main run in a spawned worker after all, it makes no pools there */
    if (getenv("PP_TEST_MAIN_BEGAN") != NULL || setenv("PP_TEST_MAIN_BEGAN", "1", 1) != 0)
        _exit(3);
    main_began = 1;
    if (pp_register("the square", PP_FUNCTION(return_square)) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
