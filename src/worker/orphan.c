/*
 * orphan.c - what a worker does when its fork server dies.
 *
 * While the fork server lives it watches the host for all of us.  When it dies alone, the host
 * makes another one that watches us by our pidfds, and there is nothing to do here.  When both
 * died, nobody is left to end this worker: it ends itself, SIGTERM now and SIGKILL after the grace.
 *
 * The kernel tells us by SIGURG (PR_SET_PDEATHSIG).  Its default is to be ignored, so a task that
 * resets all its handlers is not killed by a fork server's death.
 *
 * A signal handler can reach nothing but static memory; that is why this state is static.
 */
#include "worker/orphan.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static struct {
    int     host_pidfd;
    pid_t   host_pid;
    int64_t grace;
    timer_t kill_timer; /* delivers SIGKILL: cannot be blocked or forgotten by a task */
    bool    has_timer;
} orphan;

/* A task may have closed the pidfd; then the pid is the best that is left. */
static bool host_is_dead(void)
{
    struct pollfd entry = {.fd = orphan.host_pidfd, .events = POLLIN};
    if (poll(&entry, 1, 0) == 1 && (entry.revents & POLLNVAL) == 0)
        return (entry.revents & POLLIN) != 0;
    return kill(orphan.host_pid, 0) < 0 && errno == ESRCH;
}

static void fork_server_died(int signal)
{
    int saved = errno;
    (void)signal;
    if (host_is_dead()) {
        struct itimerspec when = {.it_value = pp_timespec(orphan.grace)};
        if (orphan.grace == 0 || !orphan.has_timer)
            (void)kill(getpid(), SIGKILL);
        (void)timer_settime(orphan.kill_timer, 0, &when, NULL);
        (void)kill(getpid(), SIGTERM);
    }
    errno = saved;
}

void pp_orphan_watch(int host_pidfd, pid_t host_pid, pid_t fork_server)
{
    struct sigevent  event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct sigaction action = {.sa_handler = fork_server_died, .sa_flags = SA_RESTART};
    orphan.host_pidfd = host_pidfd;
    orphan.host_pid = host_pid;
    orphan.grace = PP_SECOND_NS;
    orphan.has_timer = timer_create(CLOCK_MONOTONIC, &event, &orphan.kill_timer) == 0;
    (void)sigaction(SIGURG, &action, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGURG, 0, 0, 0);
    if (getppid() != fork_server) /* it died before we asked to be told */
        fork_server_died(SIGURG);
}

void pp_orphan_grace(int64_t grace)
{
    orphan.grace = grace < PP_NEVER ? grace : PP_NEVER / 2;
}
