/*
 * service.c - a service that drains on SIGTERM: jobs come in on standard input, a line each; at SIGTERM,
 * or at the end of the input, nothing new is begun, and what is under way may end.
 *
 *     cc service.c $(pkg-config --cflags --libs procpool) && yes | head -n 100 | ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { PATIENCE = 5 }; /* seconds for what is under way, before it is told to end */

struct counts {
    unsigned done;
    unsigned stopped;
};

static int do_job(pp_call *call)
{
    const char *line = NULL;
    int         error = pp_call_args(call, "s", &line);
    if (error < 0)
        return error;
    return pp_call_return(call, "u", (unsigned)strlen(line));
}

static void count_done(pp_task *task, const pp_value *result, void *userdata)
{
    struct counts *counts = userdata;
    (void)task;
    (void)result;
    counts->done++;
}

static void count_stopped(pp_task *task, const pp_error *error, void *userdata)
{
    struct counts *counts = userdata;
    (void)task;
    (void)error;
    counts->stopped++;
}

/* Blocked here, and delivered as a descriptor.  Workers start with no signal blocked. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* One byte at a time, so that poll tells all there is to read; a real service reads messages. */
static int read_job(pp_pool *pool, const pp_task_options *options)
{
    static char   line[256];
    static size_t used;
    char          byte = 0;
    ssize_t       got = read(STDIN_FILENO, &byte, 1);
    if (got <= 0)
        return got == 0 ? 1 : -errno;
    if (byte != '\n') {
        if (used < sizeof line - 1)
            line[used++] = byte;
        return 0;
    }
    line[used] = '\0';
    used = 0;
    return pp_pool_create_and_queue_task(pool, PP_FUNCTION(do_job), options, "s", line);
}

/* Until a signal (0), the end of the input (0), or an error. */
static int serve(pp_pool *pool, int signals, const pp_task_options *options)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = pp_pool_fd(pool), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    int           error = 0;
    while (error == 0) {
        if (poll(fds, 3, -1) < 0)
            return -errno;
        if (fds[0].revents != 0)
            break;
        if (fds[1].revents != 0)
            error = pp_pool_process_results(pool);
        error = error > 0 ? 0 : error;
        if (error == 0 && fds[2].revents != 0)
            error = read_job(pool, options);
    }
    return error < 0 ? error : 0;
}

int main(void)
{
    struct counts   counts = {0};
    pp_pool        *pool = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = count_done;
    options.exception_callback = count_stopped;
    options.userdata = &counts;

    int signals = open_signals();
    int error = signals < 0 ? signals : pp_pool_create(&pool, NULL);
    if (error == 0) {
        printf("ready\n");
        fflush(stdout);
        error = serve(pool, signals, &options);
    }
    if (error == 0) /* runs the callbacks of everything that was accepted, before it returns */
        error = pp_pool_finalize(pool, PATIENCE);
    if (error < 0)
        fprintf(stderr, "service: %s\n", strerror(-error));
    else
        printf("%u done, %u stopped\n", counts.done, counts.stopped);
    pp_pool_destroy(pool);
    return error < 0;
}
