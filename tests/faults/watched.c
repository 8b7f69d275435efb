/*
 * watched.c - the tasks of a scenario: what is demanded of each is checked here.
 */
#include "watched.h"

#include <dirent.h>

enum { MANY = 256 };

static struct watched all[MANY];
static unsigned       count;

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
bool good(int result, const char *what)
{
    if (result < -4095)
        complain("%s returned %d", what, result);
    if (result == -ETIMEDOUT && the_orders->error != ETIMEDOUT)
        complain("%s had not ended in time", what);
    return result >= 0;
}

pp_task_options with(double timeout, unsigned retries)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = timeout;
    options.max_retries = retries;
    return options;
}

struct watched *enter(const char *name, pp_task_options *options)
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

struct watched *queue(pp_pool *pool, struct watched *watched, int error)
{
    if (good(error, watched->name))
        watched->accepted = good(pp_pool_queue_task_timed(pool, watched->task, WAIT), "queueing");
    return watched;
}

struct watched *queue_bytes(pp_pool *pool, pp_function *function, size_t size)
{
    pp_task_options options = with(0, 0);
    struct watched *watched = enter("bytes", &options);
    int             error = pp_task_create(&watched->task, PP_FUNCTION(function), &options, NULL);
    if (error == 0)
        error = pp_task_set_bytes(watched->task, large, size);
    return queue(pool, watched, error);
}

/* One of which nobody but the pool knows: its callbacks tell. */
void queue_unseen(pp_pool *pool)
{
    pp_task_options options = with(WAIT, 0); /* that needs more memory than the task's */
    struct watched *watched = enter("unseen", &options);
    watched->accepted =
        good(pp_pool_create_and_queue_task(pool, PP_FUNCTION(square), &options, "i", 3),
             "queueing");
}

/* It has ended, one way or another. */
void end(struct watched *watched)
{
    if (watched->task != NULL && watched->accepted &&
        pp_task_wait(watched->task, WAIT) == -ETIMEDOUT)
        complain("the task %s did not end", watched->name);
}

void end_all(void)
{
    for (unsigned i = 0; i < count; i++)
        end(&all[i]);
}

int number_from(struct watched *watched)
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
void check_works(pp_pool *pool)
{
    if (the_orders->forever || the_orders->opener >= 0)
        return;
    for (int i = 0; i < 6; i++)
        if (number_from(QUEUE(pool, square, "i", 5)) == 25)
            return;
    complain("after one failure the pool does not work any more");
}

unsigned descriptors(void)
{
    unsigned number = 0;
    DIR     *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL)
        number++;
    closedir(directory);
    return number;
}

void go_on(enum phase phase)
{
    atomic_store(&the_orders->phase, (int)phase);
}

pp_pool_options plain(void)
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

pp_pool *create(const pp_pool_options *options)
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

void give_back(pp_pool *pool)
{
    if (pool != NULL) {
        (void)good(pp_pool_finalize(pool, 0.5), "finalize");
        (void)good(pp_pool_process_all_results(pool, WAIT), "process_all_results");
    }
    pp_pool_destroy(pool);
    check_callbacks();
}
