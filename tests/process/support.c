/*
 * support.c - see support.h.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct gate the_gate = {{-1, -1}, {-1, -1}};

pp_pool *pool_with(const pp_pool_options *options)
{
    pp_pool *pool = NULL;
    assert_int_equal(pp_pool_create(&pool, options), 0);
    assert_non_null(pool);
    return pool;
}

pp_pool *pool_of(unsigned min_size, unsigned max_size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = min_size;
    options.max_size = max_size;
    return pool_with(&options);
}

pp_task *queue_function(pp_pool *pool, pp_function *function, const pp_task_options *options)
{
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(function), options, NULL), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

void assert_ends(pp_task *task, pp_state state)
{
    assert_int_equal(pp_task_wait(task, PATIENCE), 0);
    if (pp_task_state(task) != state && pp_task_error(task) != NULL)
        print_error("ended with: %s\n", pp_error_message(pp_task_error(task)));
    assert_string_equal(pp_state_name(pp_task_state(task)), pp_state_name(state));
}

void assert_works(pp_pool *pool)
{
    pp_task *task = queue_function(pool, return_pid, NULL);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
}

void assert_crash_is_told(pp_pool *pool)
{
    pp_task *task = queue_function(pool, crash_by_segv, NULL);
    assert_ends(task, PP_WORKER_LOST);
    assert_int_equal(pp_error_wait_status(pp_task_error(task)) & 0x7f, SIGSEGV);
    pp_task_unref(task);
}

pp_pool *the_pool;

int make_pool(void **state)
{
    (void)state;
    the_pool = pool_of(1, 1);
    return 0;
}

int drop_pool(void **state)
{
    (void)state;
    pp_pool_destroy(the_pool);
    return 0;
}

pp_task *run_in_the_pool(pp_task *task, pp_state state)
{
    assert_int_equal(pp_pool_queue_task(the_pool, task), 0);
    assert_ends(task, state);
    return task;
}

void assert_number(const pp_value *value, int expected)
{
    int number = -1;
    assert_int_equal(pp_value_unpack(value, "i", &number), 0);
    assert_int_equal(number, expected);
}

int result_number(const pp_task *task)
{
    int number = 0;
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &number), 0);
    return number;
}

pid_t worker_of(pp_pool *pool)
{
    pp_task *task = queue_function(pool, return_pid, NULL);
    assert_ends(task, PP_DONE);
    pid_t pid = result_number(task);
    assert_int_equal(pp_task_worker_pid(task), pid);
    pp_task_unref(task);
    return pid;
}

double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

bool eventually(bool (*condition)(void *data), void *data)
{
    double limit = now() + PATIENCE;
    while (!condition(data)) {
        if (now() > limit)
            return false;
        poll(NULL, 0, 1);
    }
    return true;
}

void gate_open(struct gate *gate)
{
    assert_int_equal(pipe(gate->begun), 0);
    assert_int_equal(pipe(gate->leave), 0);
}

void gate_close(struct gate *gate)
{
    for (int i = 0; i < 2; i++) {
        close(gate->begun[i]);
        close(gate->leave[i]);
        gate->begun[i] = gate->leave[i] = -1;
    }
}

void gate_pass(const struct gate *gate)
{
    char byte = 0;
    if (write(gate->begun[1], &byte, 1) != 1)
        _exit(99);
    while (read(gate->leave[0], &byte, 1) < 0 && errno == EINTR)
        ;
}

void gate_await(const struct gate *gate)
{
    struct pollfd entry = {.fd = gate->begun[0], .events = POLLIN};
    char          byte = 0;
    assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    assert_int_equal(read(gate->begun[0], &byte, 1), 1);
}

void gate_release(const struct gate *gate)
{
    char byte = 0;
    assert_int_equal(write(gate->leave[1], &byte, 1), 1);
}

int gate_task(pp_call *call)
{
    (void)call;
    gate_pass(&the_gate);
    return 0;
}

char process_state(pid_t pid)
{
    char  path[32];
    char  text[256] = "";
    char  found = 0;
    FILE *file = NULL;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    const char *rest = strrchr(text, ')');
    return rest != NULL && sscanf(rest, ") %c", &found) == 1 ? found : '\0';
}

bool process_sleeps(void *pid)
{
    return process_state(*(pid_t *)pid) == 'S';
}

bool pid_gone(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return errno == ESRCH;
    struct pollfd entry = {.fd = pidfd, .events = POLLIN};
    int           ready = poll(&entry, 1, (int)(PATIENCE * 1000));
    close(pidfd);
    return ready == 1;
}

void assert_child_succeeds(void (*run)(void *data), void *data)
{
    int   status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* else it would go on with the other tests */
        run(data);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        print_error("the child ended with status 0x%x\n", (unsigned)status);
    assert_int_equal(status, 0);
}

unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR     *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

int return_null(pp_call *call)
{
    (void)call;
    return 0;
}

int return_square(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "i", number * number);
}

int return_pid(pp_call *call)
{
    return pp_call_return(call, "i", (int)getpid());
}

int crash_by_segv(pp_call *call)
{
    (void)call;
    raise(SIGSEGV);
    return 0;
}

int sleep_for_ever(pp_call *call)
{
    (void)call;
    for (;;)
        pause();
    return 0;
}
