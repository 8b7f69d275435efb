/*
 * test_two_pools.c - the pools of one process know nothing of each other: no process of one holds a
 * descriptor of another, whichever is older and however its workers are started; what the program
 * itself has open they all inherit.  The same in a forked child that has a pool beside its parent's,
 * and in a task that has a pool of its own.
 *
 * (test_worker_process.c: what a worker of a single pool holds.)
 */
#include "processes.h"
#include "sanitized.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1024 };

/* Large enough to travel in memory of its own. */
enum { LARGE = 300 * 1000 };
static const unsigned char large[LARGE];

/* ------------------------------------------------------------------- what is open where */

/* What descriptors of that process refer to, as far as it may be one of the library's: sockets and
 * the like, and memory by its name. */
struct view {
    unsigned count;
    char     names[MOST][64];
};

static bool is_private(const char *name)
{
    return strncmp(name, "socket:", 7) == 0 || strncmp(name, "anon_inode:", 11) == 0 ||
           strncmp(name, "/memfd:procpool", 15) == 0 || strncmp(name, "pidfd:", 6) == 0;
}

static void look_at(pid_t pid, struct view *view)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    view->count = 0;
    for (struct dirent *e = NULL; directory != NULL && (e = readdir(directory)) != NULL;) {
        char *name = view->names[view->count];
        snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, e->d_name);
        ssize_t size = readlink(path, name, sizeof view->names[0] - 1);
        if (size <= 0 || view->count + 1 == MOST)
            continue;
        name[size] = '\0';
        view->count += is_private(name) ? 1 : 0;
    }
    if (directory != NULL)
        (void)closedir(directory);
}

static unsigned count_of(pid_t pid)
{
    static struct view view;
    look_at(pid, &view);
    assert_true(view.count > 0);
    return view.count;
}

static pp_pool *pool_started_by(pp_start_method method, unsigned size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = options.max_size = size;
    options.start_method = method;
    options.max_memory_per_worker = (size_t)1 << 40; /* one descriptor more in the host */
    return pool_with(&options);
}

/* What worker and fork server of a pool hold that is alone in the process. */
struct alone {
    unsigned worker;
    unsigned server;
};

static struct alone count_alone(pp_start_method method)
{
    pp_pool     *pool = pool_started_by(method, 1);
    struct alone alone = {count_of(worker_of(pool)), count_of(server_of(pool))};
    pp_pool_destroy(pool);
    return alone;
}

static void assert_holds_its_own(pp_pool *pool, const struct alone *alone)
{
    assert_int_equal(count_of(worker_of(pool)), alone->worker);
    assert_int_equal(count_of(server_of(pool)), alone->server);
}

/* A large payload that waits is memory of the pool, too. */
static pp_task *make_large(void)
{
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(return_null), NULL, NULL), 0);
    assert_int_equal(pp_task_set_bytes(task, large, sizeof large), 0);
    return task;
}

static const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK, PP_START_SPAWN};

enum { METHODS = sizeof methods / sizeof *methods };

/* ---------------------------------------------------------------------------- tests */

static void a_younger_pool_holds_nothing_of_an_older_one(void **state)
{
    (void)state;
    for (int i = 0; i < METHODS; i++) {
        struct alone alone = count_alone(methods[i]);
        pp_pool     *older = pool_started_by(PP_START_FORKSERVER, 3);
        pp_task     *waits = make_large();
        assert_true(pp_pool_fd(older) >= 0);
        pp_pool *younger = pool_started_by(methods[i], 1);
        assert_holds_its_own(younger, &alone);
        pp_task_unref(waits);
        pp_pool_destroy(younger);
        pp_pool_destroy(older);
    }
}

struct successor {
    pp_pool *pool;
    pid_t    of;
    pid_t    pid;
};

static bool has_another_worker(void *data)
{
    struct successor *successor = data;
    successor->pid = worker_of(successor->pool);
    return successor->pid != successor->of;
}

/* Its fork server is made anew, from a process that has another pool by now.  (The test opens nothing
 * meanwhile that would be inherited.) */
static void an_older_pool_holds_nothing_of_a_younger_one_after_its_fork_server_died(void **state)
{
    (void)state;
    struct alone     alone = count_alone(PP_START_FORKSERVER);
    pp_pool         *older = pool_started_by(PP_START_FORKSERVER, 1);
    pp_pool         *younger = pool_started_by(PP_START_FORKSERVER, 3);
    struct successor next = {.pool = older, .of = worker_of(older)};
    assert_int_equal(kill(server_of(older), SIGKILL), 0);
    assert_int_equal(kill(next.of, SIGKILL), 0);
    assert_true(eventually(has_another_worker, &next));
    assert_int_equal(count_of(next.pid), alone.worker);
    pp_pool_destroy(older);
    assert_int_not_equal(worker_of(younger), 0);
    pp_pool_destroy(younger);
}

struct creators {
    atomic_uint wrong;
    unsigned    alone;
};

/* Pools, payloads and buffers come and go all the time in several threads. */
static void *create_and_destroy(void *data)
{
    struct creators *creators = data;
    for (int i = 0; i < 8; i++) {
        pp_pool *pool = pool_started_by(PP_START_FORKSERVER, 1);
        pp_task *task = make_large();
        if (count_of(worker_of(pool)) != creators->alone)
            atomic_fetch_add(&creators->wrong, 1);
        pp_task_unref(task);
        pp_pool_destroy(pool);
    }
    return NULL;
}

static void *make_and_drop_payloads(void *data)
{
    atomic_bool *enough = data;
    while (!atomic_load(enough))
        pp_task_unref(make_large());
    return NULL;
}

/* Whatever is in the making just when another pool forks. */
static void pools_made_at_the_same_time_hold_nothing_of_each_other(void **state)
{
    enum { THREADS = 3 };
    struct creators creators = {.alone = 0};
    atomic_bool     enough = false;
    pthread_t       threads[THREADS];
    (void)state;
    creators.alone = count_alone(PP_START_FORKSERVER).worker;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_drop_payloads, &enough), 0);
    create_and_destroy(&creators);
    atomic_store(&enough, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(creators.wrong, 0);
}

static int inherited[2];

static int write_into_inherited(pp_call *call)
{
    (void)call;
    return write(inherited[1], "x", 1) == 1 ? 0 : -errno;
}

static pp_buffer *buffer;

static int return_inherited_buffer(pp_call *call)
{
    return pp_call_return(call, "B", buffer);
}

/* A callable may use what the program had open, its buffers among that. */
static void the_programs_own_descriptors_and_buffers_are_inherited(void **state)
{
    char       byte = 0;
    pp_buffer *back = NULL;
    (void)state;
    pp_pool *older = pool_of(1, 1);
    assert_int_equal(pipe(inherited), 0);
    assert_int_equal(pp_buffer_create(&buffer, 100), 0);
    memcpy(pp_buffer_data(buffer), "shared", 7);
    pp_pool *younger = pool_of(1, 1);
    pp_task *task = queue_function(younger, write_into_inherited, NULL);
    pp_task *other = queue_function(younger, return_inherited_buffer, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(read(inherited[0], &byte, 1), 1);
    assert_ends(other, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(other), "B", &back), 0);
    assert_string_equal(pp_buffer_data(back), "shared");
    pp_task_unref(task);
    pp_task_unref(other);
    pp_buffer_unref(buffer);
    pp_pool_destroy(younger);
    pp_pool_destroy(older);
    (void)close(inherited[0]);
    (void)close(inherited[1]);
}

/* As daemons do: close everything, and have other things open under the same numbers.  A pool made
 * then takes none of them for the parent's pool. */
static void close_all_and_use_own_pool(void *data)
{
    const unsigned *highest = data;
    char            byte = 0;
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    for (unsigned fd = 3; fd <= *highest; fd++)
        (void)close((int)fd);
    assert_int_equal(pipe(inherited), 0);
    for (unsigned fd = 5; fd <= *highest; fd++)
        assert_true(dup(inherited[1]) >= 0);
    inherited[1] = (int)*highest / 2;
    pp_pool *own = pool_of(1, 1);
    pp_task *task = queue_function(own, write_into_inherited, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(read(inherited[0], &byte, 1), 1);
    pp_task_unref(task);
    pp_pool_destroy(own);
}

static void a_forked_childs_pool_does_not_take_its_descriptors_for_the_parents(void **state)
{
    (void)state;
#ifdef THREADS_ARE_WATCHED
    print_message("           ThreadSanitizer knows no new threads after a fork with threads\n");
    skip();
#endif
    pp_pool *pool = pool_of(3, 3);
    unsigned highest = (unsigned)pp_pool_fd(pool) + 16;
    assert_child_succeeds(close_all_and_use_own_pool, &highest);
    pp_task *task = queue_function(pool, return_pid, NULL);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* In a worker: how many does a worker of our own pool hold? */
static int count_in_inner_worker(pp_call *call)
{
    static struct view view;
    pp_pool_options    options = PP_POOL_OPTIONS_INIT;
    pp_pool           *inner = NULL;
    pp_task           *task = NULL;
    int                pid = 0;
    options.min_size = options.max_size = 1;
    int error = pp_pool_create(&inner, &options);
    if (error == 0)
        error = pp_task_create(&task, PP_FUNCTION(return_pid), NULL, NULL);
    if (error == 0)
        error = pp_pool_queue_task(inner, task);
    if (error == 0)
        error = pp_task_wait(task, PATIENCE);
    if (error == 0)
        error = pp_value_unpack(pp_task_result(task), "i", &pid);
    look_at(pid, &view);
    pp_task_unref(task);
    pp_pool_destroy(inner);
    return error < 0 ? error : pp_call_return(call, "i", (int)view.count);
}

static void workers_of_a_tasks_pool_hold_nothing_of_the_tasks_worker(void **state)
{
    (void)state;
#ifdef THREADS_ARE_WATCHED
    print_message("           ThreadSanitizer knows no new threads after a fork with threads\n");
    skip();
#endif
    struct alone alone = count_alone(PP_START_FORKSERVER);
    pp_pool     *pool = pool_of(1, 1);
    pp_task     *task = queue_function(pool, count_in_inner_worker, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(result_number(task), alone.worker);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_younger_pool_holds_nothing_of_an_older_one),
        cmocka_unit_test(an_older_pool_holds_nothing_of_a_younger_one_after_its_fork_server_died),
        cmocka_unit_test(pools_made_at_the_same_time_hold_nothing_of_each_other),
        cmocka_unit_test(the_programs_own_descriptors_and_buffers_are_inherited),
        cmocka_unit_test(a_forked_childs_pool_does_not_take_its_descriptors_for_the_parents),
        cmocka_unit_test(workers_of_a_tasks_pool_hold_nothing_of_the_tasks_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
