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
#include "faults.h"

#include <dirent.h>
#include <procpool.h>

#define WAIT 10.0 /* s: ends a hang on a busy machine */

enum { MANY = 256, LARGE = 1 << 20, MIDDLE = 3000 };

static struct watched {
    pp_task    *task;
    const char *name;
    atomic_int  results;
    atomic_int  exceptions;
    bool        accepted;
} all[MANY];
static unsigned count;

static unsigned char large[LARGE];
static pp_function  *plugin_function; /* in an object that was opened by a relative path */

/* ---------------------------------------------------------------------- callables */

static int square(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    printf("a line\n");
    fprintf(stderr, "another\n");
    return error < 0 ? error : pp_call_return(call, "i", number * number);
}

static int nothing(pp_call *call)
{
    (void)call;
    return 0;
}

static int parent(pp_call *call)
{
    return pp_call_return(call, "i", (int)getppid());
}

static int bytes_back(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

static int large_value(pp_call *call)
{
    return pp_call_return(call, "y", large, sizeof large);
}

static int middle_value(pp_call *call)
{
    return pp_call_return(call, "y", large, (size_t)MIDDLE);
}

static int buffer_back(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_call_args(call, "B", &buffer);
    if (error < 0)
        return error;
    memset(pp_buffer_data(buffer), 1, pp_buffer_size(buffer));
    return pp_call_return(call, "B", buffer);
}

static int new_buffer(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_buffer_create(&buffer, 10000);
    if (error == 0)
        error = pp_call_return(call, "[Bs]", buffer, "made");
    pp_buffer_unref(buffer);
    return error;
}

static int captured(pp_call *call)
{
    size_t size = 0;
    return pp_call_captured(call, &size) != NULL ? pp_call_return(call, "U", (uint64_t)size)
                                                 : -ENOMEM;
}

static int raises(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Trouble", "number %d", 7);
}

static int fails_at_first(pp_call *call)
{
    return pp_call_attempt(call) == 1 ? -EIO : 0;
}

static int crashes(pp_call *call)
{
    (void)call;
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static int sleeps(pp_call *call)
{
    (void)call;
    for (;;)
        pause();
    return 0;
}

static int until_interrupted(pp_call *call)
{
    while (!pp_call_cancelled(call))
        poll(NULL, 0, 5);
    return -EINTR;
}

static int leaves_child(pp_call *call)
{
    (void)call;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGTERM, SIG_DFL);
        for (;;)
            pause();
    }
    return pid < 0 ? -errno : 0;
}

/* Stopped by nothing but SIGKILL. */
static int sleeps_through_term(pp_call *call)
{
    signal(SIGTERM, SIG_IGN);
    return sleeps(call);
}

static int leaves_stubborn_child(pp_call *call)
{
    pid_t pid = fork();
    if (pid == 0)
        (void)sleeps_through_term(call);
    return pid < 0 ? -errno : 0;
}

/* Its parent is dead when the worker looks, and it is a zombie then. */
static int leaves_zombie(pp_call *call)
{
    (void)call;
    if (fork() == 0) {
        if (fork() == 0)
            _exit(0);
        _exit(0);
    }
    return 0;
}

static int item(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

struct counter {
    int number;
};

static int counter_init(void *self, pp_call *call)
{
    return pp_call_args(call, "i", &((struct counter *)self)->number);
}

static int counter_call(void *self, pp_call *call)
{
    return pp_call_return(call, "i", ((struct counter *)self)->number + 1);
}

static const pp_class counter = {
    .name = "counter", .size = sizeof(struct counter), .init = counter_init, .call = counter_call};

static int worker_init(void *arg, void **state)
{
    *state = arg;
    return 0;
}

static void worker_exit(void *arg, void *state)
{
    (void)arg;
    (void)state;
}

/* ---------------------------------------------------------------------- bookkeeping */

static void on_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    atomic_fetch_add(&((struct watched *)userdata)->results, 1);
}

static void on_exception(pp_task *task, const pp_error *error, void *userdata)
{
    const pp_value *value = pp_error_value(error);
    (void)task;
    if (value == NULL || pp_error_errno(error) <= 0 || pp_error_message(error)[0] == '\0')
        complain("%s has an error that says nothing", ((struct watched *)userdata)->name);
    atomic_fetch_add(&((struct watched *)userdata)->exceptions, 1);
}

/* 0 or a count, or a negative errno: nothing else. */
static bool good(int result, const char *what)
{
    if (result < -4095)
        complain("%s returned %d", what, result);
    if (result == -ETIMEDOUT && the_orders->error != ETIMEDOUT)
        complain("%s had not ended in time", what);
    return result >= 0;
}

static pp_task_options with(double timeout, unsigned retries)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = timeout;
    options.max_retries = retries;
    return options;
}

static struct watched *enter(const char *name, pp_task_options *options)
{
    struct watched *watched = &all[count++];
    if (count >= MANY)
        abort();
    *watched = (struct watched){.name = name};
    options->callback = on_result;
    options->exception_callback = on_exception;
    options->userdata = watched;
    return watched;
}

static struct watched *queue(pp_pool *pool, struct watched *watched, int error)
{
    if (good(error, watched->name))
        watched->accepted = good(pp_pool_queue_task_timed(pool, watched->task, WAIT), "queueing");
    return watched;
}

#define QUEUE_WITH(pool, callable, options, ...)                                         \
    ({                                                                                   \
        pp_task_options its_options = (options);                                         \
        struct watched *its_record = enter(#callable, &its_options);                     \
        queue((pool), its_record,                                                        \
              pp_task_create(&its_record->task, (callable), &its_options, __VA_ARGS__)); \
    })
#define QUEUE(pool, function, ...) QUEUE_WITH(pool, PP_FUNCTION(function), with(0, 0), __VA_ARGS__)

static struct watched *queue_bytes(pp_pool *pool, pp_function *function, size_t size)
{
    pp_task_options options = with(0, 0);
    struct watched *watched = enter("bytes", &options);
    int             error = pp_task_create(&watched->task, PP_FUNCTION(function), &options, NULL);
    if (error == 0)
        error = pp_task_set_bytes(watched->task, large, size);
    return queue(pool, watched, error);
}

/* One of which nobody but the pool knows: its callbacks tell. */
static void queue_unseen(pp_pool *pool)
{
    pp_task_options options = with(0, 0);
    struct watched *watched = enter("unseen", &options);
    watched->accepted =
        good(pp_pool_create_and_queue_task(pool, PP_FUNCTION(square), &options, "i", 3),
             "queueing");
}

/* It has ended, one way or another. */
static void end(struct watched *watched)
{
    if (watched->task != NULL && watched->accepted &&
        pp_task_wait(watched->task, WAIT) == -ETIMEDOUT)
        complain("the task %s did not end", watched->name);
}

static void end_all(void)
{
    for (unsigned i = 0; i < count; i++)
        end(&all[i]);
}

static int number_from(struct watched *watched)
{
    int number = -1;
    end(watched);
    if (watched->accepted && pp_task_result(watched->task) != NULL)
        (void)good(pp_value_unpack(pp_task_result(watched->task), "i", &number), "unpacking");
    return number;
}

/* The order of callbacks after destroy: there are none, all have run. */
static void check_callbacks(void)
{
    for (unsigned i = 0; i < count; i++) {
        struct watched *watched = &all[i];
        int             calls = watched->results + watched->exceptions;
        if (calls != (watched->accepted ? 1 : 0))
            complain("the task %s was %s and has had %d callbacks", watched->name,
                     watched->accepted ? "accepted" : "refused", calls);
        if (watched->task != NULL && watched->accepted && pp_task_state(watched->task) < PP_DONE)
            complain("the task %s has no outcome", watched->name);
        pp_task_unref(watched->task);
    }
    count = 0;
}

/* A failure that came once has been got over: one of a few tasks has a result. */
static void check_works(pp_pool *pool)
{
    if (the_orders->forever || the_orders->opener >= 0)
        return;
    for (int i = 0; i < 6; i++)
        if (number_from(QUEUE(pool, square, "i", 5)) == 25)
            return;
    complain("after one failure the pool does not work any more");
}

static unsigned descriptors(void)
{
    unsigned number = 0;
    DIR     *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL)
        number++;
    closedir(directory);
    return number;
}

static void go_on(enum phase phase)
{
    atomic_store(&the_orders->phase, (int)phase);
}

static pp_pool_options plain(void)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 2;
    options.max_size = 3;
    options.max_queued_requests = 20;
    options.orphan_grace = 0.2;
    options.idle_interval = 0.05;
    options.idle_attempts = 1;
    return options;
}

static pp_pool *create(const pp_pool_options *options)
{
    pp_pool *pool = NULL;
    int      error = pp_pool_create(&pool, options);
    if (error == 0)
        go_on(PHASE_RUNNING);
    else if (pool != NULL)
        complain("a pool that was not created");
    else if (error > 0)
        complain("pp_pool_create returned %d", error);
    else if (atomic_load(&the_orders->fired) == 0 && the_orders->opener < 0)
        complain("pp_pool_create returned %d without a reason", error);
    return pool;
}

static void give_back(pp_pool *pool)
{
    if (pool != NULL) {
        (void)good(pp_pool_finalize(pool, 0.5), "finalize");
        (void)good(pp_pool_process_all_results(pool, WAIT), "process_all_results");
    }
    pp_pool_destroy(pool);
    check_callbacks();
}

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
