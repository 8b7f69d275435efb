/*
 * scenarios.c - what a pool is put through while one of its calls fails.
 *
 * Every call of the library may fail here, with a negative errno.  What is demanded:
 *   - a task that was accepted ends in time, and exactly one of its callbacks runs, once;
 *   - one that was refused has no callback;
 *   - no call keeps us beyond its time limit;
 *   - when everything is given back, no descriptor is left;
 *   - after a failure that happened once the pool works.
 */
#include "watched.h"

static pp_function *plugin_function; /* in an object that was opened by a relative path */

/* --------------------------------------------------------------------------- kills */

/* The parent of a worker is its fork server, or, when that is dead, whoever adopts. */
static pid_t fork_server_of(pp_pool *pool)
{
    int pid = number_from(QUEUE(pool, parent, NULL));
    return pid > 1 && pid != getppid() && pid != getpid() ? pid : -1;
}

static void kill_one(pid_t pid)
{
    if (pid > 1)
        (void)kill(pid, SIGKILL);
}

static pid_t some_worker(pp_pool *pool)
{
    struct watched *watched = QUEUE(pool, nothing, NULL);
    end(watched);
    return watched->accepted ? pp_task_worker_pid(watched->task) : -1;
}

static void kill_things(pp_pool *pool)
{
    pid_t worker = some_worker(pool);
    pid_t server = fork_server_of(pool);
    go_on(PHASE_RECOVERY);
    kill_one(worker);
    (void)number_from(QUEUE(pool, square, "i", 2));
    QUEUE_WITH(pool, PP_FUNCTION(crashes), with(0, 1), NULL);
    end_all();
    kill_one(server);
    kill_one(some_worker(pool));
    for (int i = 0; i < 8; i++)
        QUEUE(pool, square, "i", i);
    end_all();
    QUEUE(pool, crashes, NULL);
    QUEUE(pool, aborts, NULL);
    queue_bytes(pool, bytes_back, LARGE);
    end_all();
}

/* ----------------------------------------------------------------------- scenarios */

static void small_tasks(void)
{
    static const char text[] =
        "captured by the closure, and long enough to need a place of its own";
    pp_pool_options options = plain();
    options.worker_init = worker_init;
    options.worker_exit = worker_exit;
    options.max_memory_per_worker = (size_t)1 << 40;
    pp_pool *pool = create(&options);
    if (pool != NULL) {
        pp_pool_stats stats = {.size = sizeof stats};
        for (int i = 0; i < 30; i++)
            QUEUE(pool, square, "i", i);
        QUEUE_WITH(pool, PP_CLOSURE(captured, text, sizeof text), with(0, 0), NULL);
        QUEUE_WITH(pool, PP_CLASS(&counter), with(0, 0), "i", 4);
        QUEUE(pool, raises, NULL);
        QUEUE(pool, square, "[{\"a\": s}]", "not a number");
        QUEUE_WITH(pool, PP_NAMED("registered"), with(0, 0), NULL);
        QUEUE_WITH(pool, PP_NAMED("callables.so:plugin_triple"), with(0, 0), "i", 3);
        QUEUE_WITH(pool, PP_NAMED("./nothing.so:nothing"), with(0, 0), NULL);
        if (plugin_function != NULL)
            QUEUE_WITH(pool, PP_FUNCTION(plugin_function), with(0, 0), NULL);
        queue_unseen(pool);
        (void)good(pp_pool_process_results(pool), "process_results");
        (void)good(pp_pool_get_stats(pool, &stats), "get_stats");
        end_all();
        (void)good(pp_pool_resize(pool, 1, 4), "resize");
        (void)good(pp_pool_resize(pool, 3, 70), "resize");
        QUEUE_WITH(
            pool, PP_FUNCTION(nothing),
            ((pp_task_options){.size = sizeof(pp_task_options), .blocking = true, .priority = 3}),
            NULL);
        check_works(pool);
        go_on(PHASE_RECOVERY);
        kill_one(some_worker(pool));
        for (int i = 0; i < 8; i++)
            QUEUE(pool, square, "i", i);
        end_all();
        check_works(pool);
    }
    give_back(pool);
}

static void payloads(void)
{
    pp_pool_options options = plain();
    pp_pool        *pool = create(&options);
    pp_buffer      *buffer = NULL;
    if (pool != NULL) {
        (void)good(pp_pool_daemonize(pool), "daemonize");
        queue_bytes(pool, bytes_back, 100);
        queue_bytes(pool, bytes_back, MIDDLE);
        queue_bytes(pool, bytes_back, LARGE);
        QUEUE(pool, bytes_back, "y", large, sizeof large);
        pp_task_options chosen = with(0, 0);
        struct watched *watched = enter("large closure", &chosen);
        int             error =
            pp_task_create(&watched->task, PP_CLOSURE(bytes_back, large, 200000), &chosen, NULL);
        if (error == 0)
            error = pp_task_set_bytes(watched->task, large, 100);
        queue(pool, watched, error);
        QUEUE(pool, large_value, NULL);
        QUEUE(pool, middle_value, NULL);
        QUEUE(pool, middle_value, NULL);
        if (good(pp_buffer_create(&buffer, 5000), "buffer"))
            QUEUE(pool, buffer_back, "B", buffer);
        QUEUE(pool, new_buffer, NULL);
        end_all();
        check_works(pool);
        go_on(PHASE_RECOVERY);
        QUEUE(pool, crashes, NULL);
        queue_bytes(pool, bytes_back, LARGE);
        QUEUE(pool, large_value, NULL);
        if (buffer != NULL)
            QUEUE(pool, buffer_back, "B", buffer);
        QUEUE(pool, new_buffer, NULL);
        end_all();
        check_works(pool);
    }
    pp_buffer_unref(buffer);
    give_back(pool);
}

static void limits(void)
{
    pp_pool_options options = plain();
    options.max_tasks_per_worker = 6;
    pp_pool *pool = create(&options);
    if (pool != NULL) {
        struct pollfd entry = {.fd = pp_pool_fd(pool), .events = POLLIN};
        (void)good(entry.fd, "fd");
        QUEUE_WITH(pool, PP_FUNCTION(sleeps), with(0.03, 0), NULL);
        QUEUE_WITH(pool, PP_FUNCTION(sleeps), with(0.03, 1), NULL);
        QUEUE_WITH(pool, PP_FUNCTION(fails_at_first), with(1, 2), NULL);
        pp_task_options soft = with(0, 0);
        soft.soft_timeout = 0.02;
        QUEUE_WITH(pool, PP_FUNCTION(until_interrupted), soft, NULL);
        /* a call that fails always, to open the way to another, may be the one that rings here */
        if (entry.fd >= 0 && poll(&entry, 1, (int)(WAIT * 1000)) == 0 && the_orders->opener < 0)
            complain("the descriptor of the pool tells nothing");
        (void)good(pp_pool_process_results(pool), "process_results");
        struct watched *running = QUEUE(pool, sleeps, NULL);
        struct watched *another = QUEUE(pool, sleeps, NULL);
        struct watched *waiting = QUEUE(pool, sleeps, NULL);
        struct watched *three[] = {waiting, running, another};
        for (int i = 0; i < 3; i++)
            if (three[i]->accepted)
                (void)good(pp_task_cancel(three[i]->task), "cancel");
        end_all();
        QUEUE(pool, leaves_zombie, NULL);
        check_works(pool);
        go_on(PHASE_RECOVERY);
        QUEUE(pool, crashes, NULL);
        QUEUE_WITH(pool, PP_FUNCTION(sleeps), with(0.03, 0), NULL);
        end_all();
        check_works(pool);
        QUEUE(pool, sleeps, NULL); /* stopped by finalize */
    }
    give_back(pool);
}

static void print_result(pp_task *task)
{
    FILE *null = fopen("/dev/null", "we");
    if (null != NULL && task != NULL && pp_task_result(task) != NULL)
        (void)good(pp_value_print(pp_task_result(task), null), "print");
    if (null != NULL)
        fclose(null);
}

static void many_at_once(void)
{
    enum { ITEMS = 100 };
    pp_pool_options options = plain();
    int             numbers[ITEMS] = {0};
    int             results[ITEMS];
    pp_pool        *pool = create(&options);
    if (pool != NULL) {
        size_t failed = 0;
        (void)good(pp_pool_map(pool, PP_FUNCTION(item), numbers, sizeof *numbers, ITEMS, results,
                               sizeof *results, 10, &failed),
                   "map");
        struct watched *first = QUEUE(pool, nothing, NULL);
        struct watched *second = QUEUE(pool, square, "i", 2);
        pp_task        *both[] = {first->task, second->task};
        if (first->accepted && second->accepted) {
            (void)good(pp_wait_any(both, 2, WAIT), "wait_any");
            (void)good(pp_wait_all(both, 2, WAIT), "wait_all");
        }
        print_result(second->task);
        (void)good(pp_pool_stop_processing(pool, 0.5), "stop_processing");
        if (good(pp_pool_start_processing(pool), "start_processing"))
            check_works(pool);
        else if (!the_orders->forever && good(pp_pool_start_processing(pool), "start_processing"))
            check_works(pool);
    }
    give_back(pool);
}

static void deaths_with(pp_start_method method)
{
    pp_pool_options options = plain();
    options.start_method = method;
    options.worker_init = worker_init;
    options.worker_exit = worker_exit;
    pp_pool *pool = create(&options);
    if (pool != NULL) {
        for (int i = 0; i < 4; i++)
            QUEUE(pool, square, "i", i);
        end_all();
        kill_things(pool);
        check_works(pool);
    }
    give_back(pool);
}

static void deaths(void)
{
    signal(SIGTERM, SIG_IGN); /* workers must not inherit that */
    deaths_with(PP_START_FORKSERVER);
}

/* Processes are left by a worker that leaves in order, by one that is killed, and at the end. */
static void leftovers(void)
{
    pp_pool_options options = plain();
    pp_pool        *pool = create(&options);
    if (pool != NULL) {
        QUEUE(pool, leaves_child, NULL);
        QUEUE(pool, leaves_stubborn_child, NULL);
        end_all();
        (void)good(pp_pool_stop_processing(pool, 0.5), "stop_processing");
        if (good(pp_pool_start_processing(pool), "start_processing")) {
            QUEUE(pool, leaves_stubborn_child, NULL);
            QUEUE(pool, leaves_child, NULL);
            end_all();
            go_on(PHASE_RECOVERY);
            QUEUE(pool, crashes, NULL);
            QUEUE(pool, crashes, NULL);
            QUEUE(pool, leaves_child, NULL);
            end_all();
        }
    }
    give_back(pool);
}

/* It hears nothing until it is killed. */
static void fork_server_stops(void)
{
    pp_pool_options options = plain();
    pp_pool        *pool = create(&options);
    if (pool != NULL) {
        pid_t server = fork_server_of(pool);
        go_on(PHASE_RECOVERY);
        if (server > 1)
            (void)kill(server, SIGSTOP);
        QUEUE(pool, crashes, NULL);
        end_all();
    }
    give_back(pool);
}

static void deaths_of_forked(void)
{
    deaths_with(PP_START_FORK);
}

static void deaths_of_spawned(void)
{
    deaths_with(PP_START_SPAWN);
}

static void host_dies_and_leaves(bool leaves)
{
    pp_pool_options options = plain();
    pp_pool        *pool = create(&options);
    if (pool != NULL) {
        if (leaves)
            QUEUE(pool, leaves_child, NULL);
        end_all();
        QUEUE(pool, sleeps, NULL);
    }
    go_on(PHASE_RECOVERY);
    kill_one(getpid());
}

static void host_dies(void)
{
    host_dies_and_leaves(false);
}

static void host_dies_with_leftovers(void)
{
    host_dies_and_leaves(true);
}

/* What tasks left behind is not ended when their fork server is dead: none do here.  The second fork
 * server makes workers only after it has been told of the first one's. */
static void host_dies_after_fork_server(void)
{
    pp_pool_options options = plain();
    pp_pool        *pool = create(&options);
    if (pool != NULL) {
        kill_one(fork_server_of(pool));
        end_all();
        kill_one(some_worker(pool));
        (void)some_worker(pool);
        for (int i = 0; i < 3; i++)
            QUEUE(pool, sleeps_through_term, NULL);
    }
    go_on(PHASE_RECOVERY);
    kill_one(getpid());
}

static void host_and_fork_server_die(void)
{
    pp_pool_options options = plain();
    pp_pool        *pool = create(&options);
    pid_t           server = pool != NULL ? fork_server_of(pool) : -1;
    if (pool != NULL)
        QUEUE(pool, sleeps, NULL);
    go_on(PHASE_RECOVERY);
    kill_one(server);
    kill_one(getpid());
}

/* ----------------------------------------------------------------------------- run */

static void open_plugin(void)
{
    void *handle = dlopen("./callables.so", RTLD_NOW);
    if (handle == NULL)
        abort();
    pp_function *const *hidden = dlsym(handle, "plugin_hidden_function");
    plugin_function = *hidden;
}

static void without_leaks(void (*run)(void))
{
    static char line[256];
    (void)setvbuf(stderr, line, _IOFBF, sizeof line);
    open_plugin();
    unsigned before = descriptors();
    (void)good(pp_register("registered", PP_CLOSURE(captured, "seven", 5)), "register");
    run();
    unsigned after = descriptors();
    if (after != before)
        complain("%u descriptors before, %u after", before, after);
}

#define LEAKLESS(function)           \
    static void run_##function(void) \
    {                                \
        without_leaks(function);     \
    }
LEAKLESS(small_tasks)
LEAKLESS(payloads)
LEAKLESS(limits)
LEAKLESS(many_at_once)
LEAKLESS(deaths)
LEAKLESS(leftovers)
LEAKLESS(fork_server_stops)
LEAKLESS(deaths_of_forked)
LEAKLESS(deaths_of_spawned)

const struct scenario scenarios[] = {
    {"small_tasks", run_small_tasks, false, false},
    {"payloads", run_payloads, false, false},
    {"limits", run_limits, false, false},
    {"many_at_once", run_many_at_once, false, false},
    {"deaths", run_deaths, false, false},
    {"leftovers", run_leftovers, false, true},
    {"fork_server_stops", run_fork_server_stops, false, false},
    {"deaths_of_forked", run_deaths_of_forked, false, false},
    {"deaths_of_spawned", run_deaths_of_spawned, false, false},
    {"host_dies_with_leftovers", host_dies_with_leftovers, true, true},
    {"host_dies", host_dies, true, false},
    {"host_dies_after_fork_server", host_dies_after_fork_server, true, false},
    {"host_and_fork_server_die", host_and_fork_server_die, true, false},
};
const unsigned scenario_count = sizeof scenarios / sizeof *scenarios;
