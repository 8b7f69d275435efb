/*
 * server.c - starting a fork server, giving it orders, reading its reports.
 *
 * Invariant: no call here blocks on the fork server, except the bounded wait for its end when the
 * pool is destroyed.  An order that its socket cannot take is -EAGAIN, for the caller to repeat.
 */
#include "supervise/server.h"

#include "base/descriptor.h"
#include "base/hidden_fork.h"
#include "base/interrupt.h"
#include "base/own.h"
#include "supervise/forkserver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void start_in_child(void *data)
{
    const struct pp_forkserver_start *start = data;
    const int                         keep[] = {start->socket, start->host};
    pp_own_close_inherited(keep, sizeof keep / sizeof *keep);
    pp_forkserver_main(start);
}

static int open_own_process(pid_t pid)
{
    int error = pp_own_begin();
    return error < 0 ? error : pp_own_end((int)syscall(SYS_pidfd_open, pid, 0));
}

static int fork_server(struct pp_server *server, struct pp_forkserver_start *start)
{
    int pair[2];
    int error = pp_socket_pair(pair);
    if (error < 0)
        return error;
    start->socket = pair[1];
    start->host_pid = getpid();
    start->host = open_own_process(start->host_pid);
    if (start->host < 0) {
        pp_close_all(pair, 2);
        return start->host;
    }
    server->pid = pp_hidden_fork(start_in_child, start, &server->pidfd);
    pp_close(&pair[1]);
    pp_close(&start->host);
    if (server->pid <= 0) {
        pp_close(&pair[0]);
        return server->pid < 0 ? server->pid : -ECHILD;
    }
    server->socket = pair[0];
    return 0;
}

int pp_server_start(struct pp_server **server, const struct pp_setup *setup)
{
    struct pp_forkserver_start start = {.setup = setup};
    struct pp_server          *made = calloc(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int error = fork_server(made, &start);
    if (error < 0) {
        free(made);
        return error;
    }
    *server = made;
    return 0;
}

int pp_server_order(const struct pp_server *server, const struct pp_order *order, const int *fds,
                    size_t count)
{
    if (server->socket < 0)
        return -EOWNERDEAD;
    int error = pp_send_message(server->socket, order, sizeof *order, fds, count, MSG_DONTWAIT);
    /* how its death is seen depends on the instant; who creates a pool is told one thing */
    return error == -EPIPE || error == -ECONNRESET ? -EOWNERDEAD : error;
}

int pp_server_read(const struct pp_server *server, struct pp_report *report, int *pidfd)
{
    size_t count = 1;
    *pidfd = -1;
    if (server->socket < 0)
        return -EPIPE;
    ssize_t size =
        pp_receive_message(server->socket, report, sizeof *report, pidfd, &count, MSG_DONTWAIT);
    if (size == -EAGAIN)
        return 0;
    /* without a descriptor left here, the report comes without its pidfd */
    if (size == (ssize_t)sizeof *report)
        return 1;
    pp_close(pidfd);
    return -EPIPE;
}

int pp_pidfd_signal(int pidfd, int signal)
{
    enum { TRIES = 3 }; /* a signal that is lost is not missed by anybody later */
    for (int tries = 0; tries < TRIES; tries++)
        if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0)
            return 0;
    return -errno;
}

int pp_server_kill(const struct pp_server *server)
{
    return pp_pidfd_signal(server->pidfd, SIGKILL); /* ESRCH: it is dead */
}

/* True once its process has ended. */
static bool wait_for_end(const struct pp_server *server, int milliseconds)
{
    struct pollfd entry = {.fd = server->pidfd, .events = POLLIN};
    int           ready = 0;
    unsigned      times = 0;
    do
        ready = poll(&entry, 1, milliseconds);
    while (pp_interrupted(ready, &times) || (ready < 0 && ++times < 3));
    return ready > 0;
}

/* One that does not end by then is stopped, or what it has to kill is stuck in the kernel. */
static void end_within(const struct pp_server *server, int milliseconds)
{
    if (wait_for_end(server, milliseconds))
        return;
    (void)pp_server_kill(server);
    (void)wait_for_end(server, milliseconds);
}

void pp_server_free(struct pp_server *server, bool wait)
{
    enum { LIMIT_MS = 1000 };
    if (server == NULL)
        return;
    struct pp_order leave = {.kind = PP_ORDER_LEAVE};
    if (!server->dead) {
        (void)pp_server_order(server, &leave, NULL, 0);
        pp_close(&server->socket);
    }
    if (wait)
        end_within(server, LIMIT_MS);
    /* it was told to leave, or killed: soon there is a zombie of ours to collect */
    if (!pp_hidden_reap(server->pidfd)) {
        end_within(server, LIMIT_MS);
        (void)pp_hidden_reap(server->pidfd);
    }
    pp_close(&server->socket);
    pp_close(&server->pidfd);
    free(server);
}
