/*
 * callables.c - what the tasks of the scenarios do.
 */
#include "watched.h"

unsigned char large[LARGE];

int square(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    printf("a line\n");
    fprintf(stderr, "another\n");
    return error < 0 ? error : pp_call_return(call, "i", number * number);
}

int nothing(pp_call *call)
{
    (void)call;
    return 0;
}

int parent(pp_call *call)
{
    return pp_call_return(call, "i", (int)getppid());
}

int bytes_back(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

int large_value(pp_call *call)
{
    return pp_call_return(call, "y", large, sizeof large);
}

int middle_value(pp_call *call)
{
    return pp_call_return(call, "y", large, (size_t)MIDDLE);
}

int buffer_back(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_call_args(call, "B", &buffer);
    if (error < 0)
        return error;
    memset(pp_buffer_data(buffer), 1, pp_buffer_size(buffer));
    return pp_call_return(call, "B", buffer);
}

int new_buffer(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = pp_buffer_create(&buffer, 10000);
    if (error == 0)
        error = pp_call_return(call, "[Bs]", buffer, "made");
    pp_buffer_unref(buffer);
    return error;
}

int captured(pp_call *call)
{
    size_t size = 0;
    return pp_call_captured(call, &size) != NULL ? pp_call_return(call, "U", (uint64_t)size)
                                                 : -ENOMEM;
}

int raises(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Trouble", "number %d", 7);
}

int fails_at_first(pp_call *call)
{
    return pp_call_attempt(call) == 1 ? -EIO : 0;
}

int crashes(pp_call *call)
{
    (void)call;
    (void)kill(getpid(), SIGKILL);
    return 0;
}

int aborts(pp_call *call)
{
    (void)call;
    abort();
}

int sleeps(pp_call *call)
{
    (void)call;
    for (;;)
        pause();
    return 0;
}

int until_interrupted(pp_call *call)
{
    while (!pp_call_cancelled(call))
        poll(NULL, 0, 5);
    return -EINTR;
}

int leaves_child(pp_call *call)
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
int sleeps_through_term(pp_call *call)
{
    signal(SIGTERM, SIG_IGN);
    return sleeps(call);
}

int leaves_stubborn_child(pp_call *call)
{
    pid_t pid = fork();
    if (pid == 0)
        (void)sleeps_through_term(call);
    return pid < 0 ? -errno : 0;
}

/* Its parent is dead when the worker looks, and it is a zombie then. */
int leaves_zombie(pp_call *call)
{
    (void)call;
    if (fork() == 0) {
        if (fork() == 0)
            _exit(0);
        _exit(0);
    }
    return 0;
}

int item(pp_call *call)
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

const pp_class counter = {
    .name = "counter", .size = sizeof(struct counter), .init = counter_init, .call = counter_call};

int worker_init(void *arg, void **state)
{
    *state = arg;
    return 0;
}

void worker_exit(void *arg, void *state)
{
    (void)arg;
    (void)state;
}
