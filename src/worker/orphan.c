/*
 * orphan.c - what a worker does when its fork server dies.
 *
 * While the fork server lives it watches the host for all of us.  When it dies alone, the host
 * makes another one that watches us by our pidfds.  When both died, nobody is left to end this
 * worker: it ends itself, SIGTERM now and SIGKILL after the grace.  The host may die between the
 * fork server and the new one: from the fork server's death on, the end of the socket to the host
 * raises the same signal again.
 *
 * The kernel tells us by SIGURG (PR_SET_PDEATHSIG).  Its default is to be ignored, so a task that
 * resets all its handlers is not killed by a fork server's death.
 *
 * A signal handler can reach nothing but static memory; that is why this state is static.
 */
#include "worker/orphan.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
    int     socket;
    int     host_pidfd;
    pid_t   host_pid;
    int64_t grace;
    timer_t kill_timer; /* delivers SIGKILL: cannot be blocked or forgotten by a task */
    bool    has_timer;
    bool    ending;
} orphan;

/* A task may have closed the pidfd; then the socket's end and the pid are the best that is left. */
static bool host_is_dead(void)
{
    struct pollfd entries[2] = {{.fd = orphan.host_pidfd, .events = POLLIN}, {.fd = orphan.socket}};
    char          byte = 0;
    if (poll(entries, 2, 0) > 0 &&
        ((entries[0].revents & POLLIN) != 0 || (entries[1].revents & POLLHUP) != 0))
        return true;
    if (recv(orphan.socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0)
        return true;
    return kill(orphan.host_pid, 0) < 0 && errno == ESRCH;
}

static void end_myself(void)
{
    struct itimerspec when = {.it_value = pp_timespec(orphan.grace)};
    if (orphan.ending)
        return;
    orphan.ending = true;
    if (orphan.grace == 0 || !orphan.has_timer)
        (void)kill(getpid(), SIGKILL);
    (void)timer_settime(orphan.kill_timer, 0, &when, NULL);
    (void)kill(getpid(), SIGTERM);
}

/* Have SIGURG again when something happens on the socket, such as its end. */
static bool watch_socket(void)
{
    int flags = fcntl(orphan.socket, F_GETFL);
    return flags >= 0 && fcntl(orphan.socket, F_SETOWN, getpid()) == 0 &&
           fcntl(orphan.socket, F_SETSIG, SIGURG) == 0 &&
           fcntl(orphan.socket, F_SETFL, flags | O_ASYNC) == 0;
}

static void fork_server_died(int signal)
{
    int saved = errno;
    (void)signal;
    bool dead = host_is_dead();
    if (!dead) {
        if (!watch_socket()) /* once more; a task closed it, and the next fork server is the only watch */
            (void)watch_socket();
        dead = host_is_dead(); /* it may have died before the watch began */
    }
    if (dead)
        end_myself();
    errno = saved;
}

int pp_orphan_watch(int host_pidfd, pid_t host_pid, pid_t fork_server, int socket)
{
    struct sigevent  event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct sigaction action = {.sa_handler = fork_server_died, .sa_flags = SA_RESTART};
    orphan.host_pidfd = host_pidfd;
    orphan.host_pid = host_pid;
    orphan.socket = socket;
    orphan.grace = PP_SECOND_NS;
    orphan.has_timer = timer_create(CLOCK_MONOTONIC, &event, &orphan.kill_timer) == 0;
    if (sigaction(SIGURG, &action, NULL) < 0 || prctl(PR_SET_PDEATHSIG, SIGURG, 0, 0, 0) < 0)
        return -errno;
    if (getppid() != fork_server) /* it died before we asked to be told */
        fork_server_died(SIGURG);
    return 0;
}

void pp_orphan_grace(int64_t grace)
{
    orphan.grace = grace < PP_NEVER ? grace : PP_NEVER / 2;
}
