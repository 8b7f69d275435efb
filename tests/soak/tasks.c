/*
 * tasks.c - (in the workers) what the tasks of the soak do.
 *
 * Each begins with the head of its arguments and notes its execution on the board: an execution
 * too many, or one of a task that has ended already, is seen there.
 */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char board_variable[] = "PROCPOOL_SOAK_BOARD";

struct board *board;

static int map_board(int fd)
{
    void *mapped = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    board = mapped;
    return 0;
}

int board_create(void)
{
    char path[64];
    int  fd = memfd_create("soak board", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof *board) < 0)
        return -errno;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    return setenv(board_variable, path, 1) < 0 ? -errno : map_board(fd); /* the descriptor stays */
}

void board_announce(struct recent *recent, pid_t pid)
{
    unsigned place = atomic_fetch_add_explicit(&recent->next, 1, memory_order_relaxed) % RECENT;
    atomic_store_explicit(&recent->pids[place], pid, memory_order_relaxed);
}

int soak_worker_init(void *arg, void **state)
{
    (void)arg;
    (void)state;
    if (board == NULL) { /* exec'd */
        const char *path = getenv(board_variable);
        int         fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
        int         error = fd < 0 ? -ENOENT : map_board(fd);
        if (fd >= 0)
            (void)close(fd);
        if (error < 0)
            return error;
    }
    if (mix((uint64_t)getpid()) % 64 == 0) /* some die before they had a task */
        board_announce(&board->workers, getpid());
    return 0;
}

static void begin(const struct head *head)
{
    static bool       announced;
    _Atomic uint64_t *trace = &board->traces[head->index % ENTRIES];
    uint64_t          seen = atomic_load_explicit(trace, memory_order_relaxed);
    if (!announced) {
        board_announce(&board->workers, getpid());
        board_announce(&board->servers, getppid());
        announced = true;
    }
    do {
        if (seen >> 8 != head->id) {
            atomic_fetch_add(&board->strays, 1);
            return;
        }
    } while (!atomic_compare_exchange_weak_explicit(trace, &seen, seen + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
}

/* The head, and all of the bytes. */
static int head_of(pp_call *call, struct head *head, const unsigned char **data, size_t *size)
{
    const void *bytes = NULL;
    int         error = pp_call_bytes(call, &bytes, size);
    if (error < 0)
        return error;
    if (*size < sizeof *head)
        return -EBADMSG;
    memcpy(head, bytes, sizeof *head);
    *data = bytes;
    begin(head);
    return 0;
}

static int head_only(pp_call *call, struct head *head)
{
    const unsigned char *data = NULL;
    size_t               size = 0;
    return head_of(call, head, &data, &size);
}

static int return_mixed(pp_call *call, uint64_t number)
{
    number = mix(number);
    return pp_call_return_bytes(call, &number, sizeof number);
}

static void pause_for(unsigned microseconds)
{
    struct timespec left = {.tv_sec = microseconds / 1000000,
                            .tv_nsec = (long)(microseconds % 1000000) * 1000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* ----------------------------------------------------------------- that have a result */

int task_tiny(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    return error < 0 ? error : return_mixed(call, head.id);
}

int task_echo(pp_call *call)
{
    struct head          head;
    const unsigned char *data = NULL;
    size_t               size = 0;
    int                  error = head_of(call, &head, &data, &size);
    if (error < 0)
        return error;
    unsigned char *answer = malloc(size);
    if (answer == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++)
        answer[i] = (unsigned char)~data[i];
    error = pp_call_return_bytes(call, answer, size);
    free(answer);
    return error;
}

int task_arguments(pp_call *call)
{
    struct head head = {0, 0, 0};
    const char *text = NULL;
    double      number = 0;
    int         a = 0;
    int         b = 0;
    int error = pp_call_args(call, "U u u s [i i] d", &head.id, &head.index, &head.what, &text, &a,
                             &b, &number);
    if (error < 0)
        return error;
    begin(&head);
    return pp_call_return(call, "{\"text\": s, \"sum\": i, \"list\": [U d]}", text, a + b,
                          mix(head.id), number * 2);
}

int task_buffer(pp_call *call)
{
    struct head head = {0, 0, 0};
    pp_buffer  *buffer = NULL;
    int         error = pp_call_args(call, "U u u B", &head.id, &head.index, &head.what, &buffer);
    if (error < 0)
        return error;
    begin(&head);
    uint64_t *words = pp_buffer_data(buffer);
    for (size_t i = 0; i < pp_buffer_size(buffer) / sizeof *words; i++)
        words[i] = ~words[i];
    return return_mixed(call, head.id);
}

int task_closure(pp_call *call)
{
    struct head head;
    size_t      size = 0;
    const void *captured = pp_call_captured(call, &size);
    if (captured == NULL || size != sizeof head)
        return -EBADMSG;
    memcpy(&head, captured, sizeof head);
    begin(&head);
    return return_mixed(call, head.id);
}

static int class_init(void *self, pp_call *call)
{
    return head_only(call, self);
}

static int class_call(void *self, pp_call *call)
{
    const struct head *head = self;
    return return_mixed(call, head->id);
}

static void class_fini(void *self)
{
    memset(self, 0, sizeof(struct head));
}

const pp_class class_of_tasks = {.name = "soak",
                                 .size = sizeof(struct head),
                                 .init = class_init,
                                 .call = class_call,
                                 .fini = class_fini};

int task_nap(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    pause_for(head.what);
    return return_mixed(call, head.id);
}

/* Until the soft limit passes. */
int task_soft(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    while (!pp_call_cancelled(call))
        pause_for(200);
    return return_mixed(call, head.id);
}

int task_map_item(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0 || size != sizeof number)
        return error < 0 ? error : -EBADMSG;
    memcpy(&number, data, sizeof number);
    return return_mixed(call, number);
}

/* ------------------------------------------------------------------- that have none */

int task_raise(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    return head.what % 2 == 0
               ? -EDOM
               : pp_call_raise(call, EDOM, "SoakError", "task %llu", (unsigned long long)head.id);
}

static _Noreturn void end_by(int signal)
{
    atomic_fetch_add(&board->suicides, 1);
    (void)kill(getpid(), signal);
    for (;;) /* nothing blocks or ignores it here */
        pause();
}

int task_crash(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    end_by((int)head.what);
}

int task_exit(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    atomic_fetch_add(&board->suicides, 1);
    if (head.what % 2 == 0)
        exit((int)head.what);
    _exit((int)head.what);
}

/* A process that does nothing until it is ended; and were it forgotten, not for ever. */
static void child_main(unsigned microseconds)
{
    (void)prctl(PR_SET_NAME, "soak-child", 0, 0, 0);
    board_announce(&board->children, getpid());
    pause_for(microseconds);
    _exit(0);
}

int task_leaves_child(pp_call *call)
{
    enum { CHILD_LIFE = 5 * 1000 * 1000 };
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        if (head.what % 2 == 1 && (setsid() < 0 || fork() != 0))
            _exit(0);
        child_main(CHILD_LIFE);
    }
    if (head.what / 2 % 2 == 0)
        return return_mixed(call, head.id);
    end_by(SIGKILL);
}

int task_waits_for_child(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        child_main(head.what);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return return_mixed(call, head.id);
}

static _Noreturn void spin(void)
{
    for (volatile uint64_t turns = 0;;)
        turns = turns + 1;
}

int task_spin(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    spin();
}

int task_deaf(pp_call *call)
{
    struct head head;
    sigset_t    all;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

/* For ever, if it is not cancelled. */
int task_long(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    for (;;)
        pause();
}

/* Fails `what` times, in one way or another, before it succeeds. */
int task_flaky(pp_call *call)
{
    struct head head;
    int         error = head_only(call, &head);
    if (error < 0)
        return error;
    if (pp_call_attempt(call) > head.what)
        return return_mixed(call, head.id);
    switch (mix(head.id + pp_call_attempt(call)) % 4) {
    case 0:
        return -EDOM;
    case 1:
        spin(); /* it has a time limit */
    case 2:
        end_by(SIGKILL);
    default:
        atomic_fetch_add(&board->suicides, 1);
        _exit(3);
    }
}
