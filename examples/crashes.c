/*
 * crashes.c - tasks that end badly, and what is told about each.  The pool goes on.
 *
 *     cc -g crashes.c $(pkg-config --cflags --libs procpool) && ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* With work to do after raising: so it is on the stack then. */
static int find_root(pp_call *call)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int error = pp_call_raise(call, EDOM, "NegativeRoot", "no root of %d", -1);
    close(fd);
    return error;
}

static int bare_errno(pp_call *call)
{
    (void)call;
    return -ENOENT;
}

static int wild_pointer(pp_call *call)
{
    volatile int *volatile nowhere = (volatile int *)8;
    (void)call;
    *nowhere = 1;
    return 0;
}

static int endless_loop(pp_call *call)
{
    (void)call;
    for (;;)
        (void)pause();
    return 0;
}

static int failed_assertion(pp_call *call)
{
    (void)call;
    abort();
}

static int leaves(pp_call *call)
{
    (void)call;
    exit(3);
}

static int works(pp_call *call)
{
    return pp_call_return(call, "s", "as if nothing had happened");
}

static void print_result(pp_task *task, const pp_value *result, void *name)
{
    const char *text = "";
    (void)task;
    if (pp_value_unpack(result, "s", &text) == 0)
        printf("%s: %s\n", (const char *)name, text);
}

/* Where it was: a line for each function. */
static void print_backtrace(const pp_error *error, const char *name)
{
    const char *line = pp_error_backtrace(error);
    while (*line != '\0') {
        int length = (int)strcspn(line, "\n");
        printf("%s:     %.*s\n", name, length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void print_report(pp_task *task, const pp_error *error, void *name)
{
    int status = pp_error_wait_status(error);
    printf("%s: %s: %s (%s): %s\n", (const char *)name, pp_state_name(pp_task_state(task)),
           pp_error_name(error), strerror(pp_error_errno(error)), pp_error_message(error));
    if (pp_error_state(error) == PP_WORKER_LOST && WIFSIGNALED(status))
        printf("%s: the signal was: %s\n", (const char *)name, strsignal(WTERMSIG(status)));
    print_backtrace(error, name);
}

static int queue(pp_pool *pool, char *name, pp_function *function)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = print_result;
    options.exception_callback = print_report;
    options.userdata = name;
    options.timeout = 1;
    return pp_pool_create_and_queue_task(pool, PP_FUNCTION(function), &options, NULL);
}

int main(void)
{
    static char     names[][16] = {"raise", "errno", "pointer", "abort", "exit", "loop", "works"};
    pp_function    *functions[] = {find_root, bare_errno,   wild_pointer, failed_assertion,
                                   leaves,    endless_loop, works};
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;

    int error = pp_pool_create(&pool, &options);
    for (size_t i = 0; i < sizeof functions / sizeof *functions && error == 0; i++)
        error = queue(pool, names[i], functions[i]);
    if (error == 0)
        error = pp_pool_process_all_results(pool, PP_FOREVER);
    if (error < 0)
        fprintf(stderr, "crashes: %s\n", strerror(-error));
    pp_pool_destroy(pool);
    return error < 0;
}
