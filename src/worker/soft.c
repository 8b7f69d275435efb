/*
 * soft.c - the soft time limit: SIGALRM in the worker that runs the task, at the time.
 *
 * The worker arms its own timer, so the signal belongs to the task that asked for it: it is disarmed
 * before the next one begins.  The handler does nothing; it is there so that a blocking system call
 * returns EINTR.  A task may put its own in its place.
 */
#include "base/clock.h"
#include "worker/self.h"

#include <errno.h>
#include <signal.h>

static void interrupt(int signal)
{
    (void)signal;
}

int pp_soft_timer_start(struct pp_worker_self *self, int64_t timeout)
{
    struct sigaction  action = {.sa_handler = interrupt}; /* no SA_RESTART: that is the point */
    struct itimerspec when = {.it_value = pp_timespec(timeout)};
    if (!self->has_soft_timer) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
        if (timer_create(CLOCK_MONOTONIC, &event, &self->soft_timer) < 0)
            return -errno;
        self->has_soft_timer = true;
    }
    if (sigaction(SIGALRM, &action, NULL) < 0 ||
        timer_settime(self->soft_timer, 0, &when, NULL) < 0)
        return -errno;
    return 0;
}

void pp_soft_timer_stop(struct pp_worker_self *self)
{
    struct itimerspec none = {0};
    /* neither can fail: the timer and the signal exist */
    (void)timer_settime(self->soft_timer, 0, &none, NULL);
    /* ignoring it first drops one that is pending because the task blocks it */
    (void)sigaction(SIGALRM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    (void)sigaction(SIGALRM, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}
