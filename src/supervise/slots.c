/*
 * slots.c - the parts of a worker's handle that need no pool: memory, signals, bells.
 */
#include "supervise/slots.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "shm/doorbell.h"
#include "shm/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int shared_memory(void **mapped, int *fd, const char *name, size_t size, bool read_only)
{
    *fd = pp_memory_create(name, size);
    if (*fd < 0)
        return *fd;
    int error = pp_memory_map(mapped, *fd, 0, size, true);
    /* the host's mapping exists; with read_only no other can be made that writes */
    return error < 0 ? error : pp_memory_seal(*fd, read_only);
}

static size_t ledger_offset(void)
{
    return pp_ledger_offset((size_t)sysconf(_SC_PAGESIZE));
}

static size_t box_size(void)
{
    return ledger_offset() + sizeof(struct pp_ledger);
}

static int make_channels(struct pp_worker *worker)
{
    int pair[2];
    worker->bell = pp_bell_create();
    if (worker->bell < 0)
        return worker->bell;
    int error = pp_socket_pair(pair);
    if (error < 0)
        return error;
    worker->socket = pair[0];
    worker->worker_socket = pair[1];
    return 0;
}

void pp_worker_close_given(struct pp_worker *worker)
{
    pp_close(&worker->tray_fd);
    pp_close(&worker->box_fd);
    pp_close(&worker->worker_socket);
}

static void close_descriptors(struct pp_worker *worker)
{
    pp_worker_close_given(worker);
    pp_close(&worker->socket);
    pp_close(&worker->bell);
    pp_close(&worker->pidfd);
    pp_close(&worker->statm);
}

static void free_worker(struct pp_worker *worker)
{
    close_descriptors(worker);
    if (worker->tray != NULL)
        munmap(worker->tray, sizeof *worker->tray);
    if (worker->box != NULL)
        munmap(worker->box, box_size());
    free(worker);
}

int pp_worker_create(struct pp_worker **worker)
{
    struct pp_worker *made = calloc(1, sizeof *made);
    void             *tray = NULL;
    void             *box = NULL;
    if (made == NULL)
        return -ENOMEM;
    made->holds = 1;
    made->head = made->tail = PP_FIRST_TICKET;
    made->tray_fd = made->box_fd = made->bell = made->pidfd = made->statm = -1;
    made->socket = made->worker_socket = -1;
    pp_list_init(&made->link);
    int error = shared_memory(&tray, &made->tray_fd, "procpool tray", sizeof(struct pp_tray), true);
    made->tray = tray;
    if (error == 0)
        error = shared_memory(&box, &made->box_fd, "procpool box", box_size(), false);
    made->box = box;
    if (error == 0)
        error = make_channels(made);
    if (error < 0) {
        free_worker(made);
        return error;
    }
    made->ledger = (struct pp_ledger *)(void *)((char *)box + ledger_offset());
    pp_mailbox_init(made->box);
    atomic_store_explicit(&made->tray->ring, PP_RING_NEVER, memory_order_relaxed);
    *worker = made;
    return 0;
}

void pp_worker_hold(struct pp_worker *worker)
{
    worker->holds++;
}

void pp_worker_release(struct pp_worker *worker)
{
    if (worker != NULL && --worker->holds == 0)
        free_worker(worker);
}

int pp_worker_signal(const struct pp_worker *worker, int signal)
{
    if (worker->pidfd < 0)
        return -ESRCH;
    return pp_pidfd_signal(worker->pidfd, signal);
}

static void ring(struct pp_worker *worker)
{
    /* release: whoever sees the new value of the bell sees what was published before */
    atomic_fetch_add_explicit(&worker->tray->bell, 1, memory_order_release);
    (void)pp_futex_wake(&worker->tray->bell, true); /* cannot fail: ours is mapped */
}

/* The bell was rung for a ticket that it has not begun: it is on its way, and looks at what comes behind
 * before it sleeps again. */
static bool on_its_way(const struct pp_worker *worker)
{
    return worker->rung_for >= worker->head &&
           pp_mailbox_state(pp_box_result(worker->box, worker->rung_for), worker->rung_for) ==
               PP_SLOT_QUEUED;
}

bool pp_worker_awake(const struct pp_worker *worker)
{
    return atomic_load_explicit(&worker->box->awake, memory_order_relaxed) == PP_AWAKE ||
           on_its_way(worker);
}

void pp_worker_wake(struct pp_worker *worker)
{
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in take.c */
    if (pp_worker_awake(worker))
        return;
    worker->rung_for = worker->tail - 1;
    ring(worker);
}

void pp_worker_arm(struct pp_worker *worker, uint64_t ticket)
{
    uint64_t ring = ticket << 16 | ++worker->arming;
    atomic_store_explicit(&worker->tray->ring, ring, memory_order_relaxed);
    worker->armed = true;
}

void pp_worker_disarm(struct pp_worker *worker)
{
    if (worker->armed) /* the worker looks at that line for each result */
        atomic_store_explicit(&worker->tray->ring, PP_RING_NEVER, memory_order_relaxed);
    worker->armed = false;
}

void pp_worker_send_bullet(struct pp_worker *worker)
{
    worker->state = PP_WORKER_LEAVING;
    atomic_fetch_or_explicit(&worker->tray->orders, PP_ORDER_BULLET, memory_order_release);
    ring(worker); /* whatever it says about sleeping: once in its life may cost a system call */
}

size_t pp_worker_resident(const struct pp_worker *worker)
{
    char    text[128];
    ssize_t size = pread(worker->statm, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *second = strchr(text, ' '); /* size, resident, ...: in pages */
    if (second == NULL)
        return 0;
    return strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

bool pp_worker_active(const struct pp_worker *worker)
{
    return worker->state == PP_WORKER_ASKED || worker->state == PP_WORKER_BORN ||
           worker->state == PP_WORKER_READY;
}
