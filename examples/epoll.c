/*
 * epoll.c - a pool in an event loop: numbers come in on standard input, factors go out.
 *
 * Nothing here blocks but epoll_wait.  When the queue is full the program does not read on: whoever
 * writes into the pipe has to wait.
 *
 *     cc epoll.c $(pkg-config --cflags --libs procpool) && seq 1000000007 1000000017 | ./a.out
 */
#include <procpool.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct program {
    pp_pool *pool;
    int      epoll;
    bool     reading; /* standard input is watched */
    size_t   used;    /* bytes of the buffer that are no tasks yet */
    char     buffer[4096];
};

static int factor(pp_call *call)
{
    uint64_t number = 0;
    char     text[512] = "";
    size_t   used = 0;
    int      error = pp_call_args(call, "U", &number);
    if (error < 0)
        return error;
    for (uint64_t rest = number, divisor = 2; rest > 1; divisor++) {
        if (divisor > rest / divisor)
            divisor = rest; /* what is left is a prime */
        for (; rest % divisor == 0; rest /= divisor)
            used += (size_t)snprintf(text + used, sizeof text - used, " %llu",
                                     (unsigned long long)divisor);
    }
    return pp_call_return(call, "Us", number, text);
}

static void print_factors(pp_task *task, const pp_value *result, void *userdata)
{
    uint64_t    number = 0;
    const char *text = NULL;
    (void)task;
    (void)userdata;
    if (pp_value_unpack(result, "Us", &number, &text) == 0)
        printf("%llu:%s\n", (unsigned long long)number, text);
}

static int watch(int epoll, int fd, bool on)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event) < 0 ? -errno : 0;
}

static int watch_input(struct program *program, bool on)
{
    if (program->reading == on)
        return 0;
    program->reading = on;
    return watch(program->epoll, STDIN_FILENO, on);
}

/* Each whole line of the buffer becomes a task: 0, or -EAGAIN when the queue is full. */
static int queue_lines(struct program *program)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = print_factors;
    options.blocking = false;
    char *line = program->buffer;
    char *end = NULL;
    int   error = 0;
    while (error == 0 &&
           (end = memchr(line, '\n', program->used - (size_t)(line - program->buffer))) != NULL) {
        uint64_t number = strtoull(line, NULL, 10);
        error = pp_pool_create_and_queue_task(program->pool, PP_FUNCTION(factor), &options, "U",
                                              number);
        if (error == 0)
            line = end + 1;
    }
    program->used -= (size_t)(line - program->buffer);
    memmove(program->buffer, line, program->used);
    return error;
}

/* After a look at the queue: go on reading, or stop for now. */
static int queue_and_watch(struct program *program)
{
    int error = queue_lines(program);
    if (error == -EAGAIN)
        return watch_input(program, false);
    return error == 0 ? watch_input(program, true) : error;
}

/* 1 at the end of the input. */
static int read_input(struct program *program)
{
    size_t  room = sizeof program->buffer - program->used;
    ssize_t got = room > 0 ? read(STDIN_FILENO, program->buffer + program->used, room) : -1;
    if (room == 0)
        return -E2BIG; /* no number is that long */
    if (got <= 0)
        return got == 0 ? 1 : -errno;
    program->used += (size_t)got;
    return queue_and_watch(program);
}

static int loop(struct program *program)
{
    int error = 0;
    while (error == 0) {
        struct epoll_event event;
        int                count = epoll_wait(program->epoll, &event, 1, -1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (event.data.fd == STDIN_FILENO)
            error = read_input(program);
        else { /* the pool: run callbacks; then there may be room in the queue */
            error = pp_pool_process_results(program->pool);
            error = error < 0 ? error : queue_and_watch(program);
        }
    }
    return error < 0 ? error : pp_pool_process_all_results(program->pool, PP_FOREVER);
}

int main(void)
{
    struct program program = {0};
    int            error = pp_pool_create(&program.pool, NULL);
    program.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (error == 0)
        error = watch(program.epoll, pp_pool_fd(program.pool), true);
    if (error == 0)
        error = watch_input(&program, true); /* -EPERM: a file, which epoll does not take */
    if (error == 0)
        error = loop(&program);
    if (error < 0)
        fprintf(stderr, "epoll: %s\n", strerror(-error));
    pp_pool_destroy(program.pool);
    close(program.epoll);
    return error < 0;
}
