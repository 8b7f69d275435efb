/*
 * birth.c - from a freshly forked or exec'd process to a worker, and to its orderly end.
 *
 * Invariants
 *   - A worker touches no task before the host holds its pidfd: it waits for the host's go, and
 *     when that cannot come any more it reads the end of the socket and leaves.
 *   - It never runs the host's atexit handlers and never flushes what the host had buffered: it
 *     ends by _exit, and exit() of a task is turned into _exit by a handler that runs first.
 *   - Signals start as after an exec, nothing blocked and none handled, but for what a task cannot tell
 *     from the default: SIGURG, which is ignored otherwise (orphan.c), and the deadly ones, of which the
 *     process dies all the same (last_words.c).
 */
#include "worker/birth.h"

#include "base/descriptor.h"
#include "base/own.h"
#include "shm/doorbell.h"
#include "shm/memory.h"
#include "worker/last_words.h"
#include "worker/orphan.h"
#include "worker/self.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Only stdout and stderr: another stream may hold bytes that the host had not written yet. */
static void flush_output(void)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
}

static void leave_instead(int status, void *unused)
{
    (void)unused;
    flush_output();
    _exit(status);
}

static int default_signals(void)
{
    struct sigaction action;
    for (int signal = 1; signal < NSIG; signal++) {
        if (sigaction(signal, NULL, &action) < 0)
            continue; /* not a signal, or the C library's own */
        bool keep = action.sa_handler == SIG_IGN && signal != SIGCHLD && signal != SIGTERM &&
                    signal != SIGALRM;
        if (!keep && action.sa_handler != SIG_DFL)
            (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int map_shared(struct pp_worker_self *self, const struct pp_birth *birth)
{
    void  *ledger = NULL;
    void  *tray = NULL;
    void  *box = NULL;
    size_t offset = pp_ledger_offset((size_t)sysconf(_SC_PAGESIZE));
    /* in this order: each comes to lie below the one before */
    int error = pp_memory_map(&ledger, birth->box, offset, sizeof(struct pp_ledger), true);
    if (error == 0)
        error = pp_memory_map(&tray, birth->tray, 0, sizeof(struct pp_tray), false);
    if (error == 0)
        error = pp_memory_map(&box, birth->box, 0, sizeof(struct pp_box), true);
    self->ledger = ledger;
    self->tray = tray;
    self->box = box;
    /* without a descriptor a task cannot map the box again, or the tray writable */
    (void)close(birth->tray);
    (void)close(birth->box);
    return error;
}

/* Find again a function that the host described. */
static void *resolve(const struct pp_target *target, const char *name)
{
    struct pp_resolved resolved;
    char               reason[PP_REASON_SIZE];
    if (pp_target_resolve(&resolved, target, name, reason) < 0)
        return NULL;
    return (void *)resolved.function;
}

/* An exec'd worker has the host's functions at other places, and nothing of its memory. */
static int adopt_setup(struct pp_setup *setup, const struct pp_go *go)
{
    if ((size_t)go->init.name_size + go->exit.name_size > sizeof go->names)
        return -EBADMSG;
    *setup = (struct pp_setup){.orphan_grace = go->orphan_grace};
    memcpy(setup->name, go->name, sizeof setup->name);
    setup->name[sizeof setup->name - 1] = '\0';
    if (go->has_init) {
        setup->init = (int (*)(void *, void **))resolve(&go->init, go->names);
        if (setup->init == NULL)
            return -ENOENT;
    }
    if (go->has_exit) {
        setup->exit = (void (*)(void *, void *))resolve(&go->exit, go->names + go->init.name_size);
        if (setup->exit == NULL)
            return -ENOENT;
    }
    return 0;
}

static void show_name(const struct pp_worker_self *self)
{
    char name[16]; /* what the kernel keeps */
    snprintf(name, sizeof name, "%s/%u", self->setup->name, self->slot);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

static _Noreturn void leave(int status)
{
    flush_output();
    _exit(status);
}

static _Noreturn void fail_init(struct pp_worker_self *self, int error)
{
    atomic_store_explicit(&self->box->init_error, error, memory_order_relaxed);
    atomic_store_explicit(&self->box->phase, PP_PHASE_INIT_FAILED, memory_order_release);
    pp_worker_ring(self);
    leave(EXIT_FAILURE);
}

static void initialise(struct pp_worker_self *self)
{
    int error = 0;
    if (self->setup->init != NULL)
        error = self->setup->init(self->setup->arg, &self->state);
    if (error != 0)
        fail_init(self, error < 0 ? error : -EINVAL);
    atomic_store_explicit(&self->box->phase, PP_PHASE_READY, memory_order_release);
    error = pp_bell_ring(self->bell);
    if (error < 0) /* of no use: the host would hear of nothing */
        fail_init(self, error);
}

/* Out of the way of tasks that close descriptors and open others, which get the lowest numbers; and of
 * the workers that a task's own pool may have. */
static int move_up(int fd)
{
    enum { HIGH = 512 };
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
    if (moved >= 0)
        (void)close(fd);
    else
        moved = fd; /* the limit is lower than that */
    if (pp_own_begin() == 0)
        (void)pp_own_end(moved);
    return moved;
}

static int prepare_process(struct pp_worker_self *self, const struct pp_birth *birth)
{
    int error = map_shared(self, birth);
    if (error == 0)
        error = default_signals();
    if (error == 0)
        pp_last_words_prepare(self, birth->host_pid);
    if (error == 0)
        error = pp_orphan_watch(move_up(birth->host), birth->host_pid, birth->parent, self->socket);
    if (error == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        error = -errno;
    return error;
}

_Noreturn void pp_worker_main(const struct pp_birth *birth, const struct pp_setup *setup)
{
    static struct pp_worker_self self; /* the process is this worker and nothing else */
    static struct pp_setup       adopted;
    struct pp_go                 go;
    self = (struct pp_worker_self){.bell = move_up(birth->bell),
                                   .socket = move_up(birth->socket),
                                   .slot = birth->slot,
                                   .ticket = PP_FIRST_TICKET};
    int error = prepare_process(&self, birth);
    if (pp_receive_message(self.socket, &go, sizeof go, NULL, NULL, 0) != (ssize_t)sizeof go ||
        go.magic != PP_GO_MAGIC)
        _exit(EXIT_FAILURE); /* nobody knows of this worker */
    if (self.tray == NULL || self.box == NULL)
        _exit(EXIT_FAILURE); /* no place to say why */
    self.setup = setup;
    if (setup == NULL) {
        int unknown = adopt_setup(&adopted, &go);
        self.setup = &adopted;
        error = error < 0 ? error : unknown;
    }
    pp_orphan_grace(self.setup->orphan_grace);
    show_name(&self);
    (void)on_exit(leave_instead, NULL);
    if (error < 0)
        fail_init(&self, error);
    initialise(&self);
    while (pp_worker_take(&self)) {
        pp_worker_run(&self);
        pp_worker_reply(&self);
    }
    if (self.setup->exit != NULL)
        self.setup->exit(self.setup->arg, self.state);
    leave(EXIT_SUCCESS);
}
