/*
 * moment.c - see moment.h.
 *
 * No event tells that another thread has gone to sleep.  So the linker brings the library's epoll_wait
 * and pthread_cond_clockwait here first (cmake/Tests.cmake): the pool's state says that its thread
 * sleeps before it calls them.
 */
#include "moment.h"

#include "base/clock.h"
#include "shm/doorbell.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

static _Atomic uint32_t passed;
static atomic_bool      awaited;
static _Atomic uint32_t hold; /* 1: nobody enters epoll_wait */
static atomic_bool      held;

void moment_passed(void)
{
    atomic_fetch_add(&passed, 1);
    if (awaited)
        pp_futex_wake(&passed, false);
}

static bool await_once(bool (*holds)(void), double patience)
{
    int64_t deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(patience));
    bool    in_time = true;
    awaited = true;
    for (;;) {
        uint32_t seen = passed;
        if (holds() || !in_time)
            break;
        in_time = pp_futex_wait(&passed, seen, false, deadline) != -ETIMEDOUT;
    }
    awaited = false;
    return in_time || holds();
}

/* Twice, because the whole machine may have been stopped meanwhile: then nobody had that time. */
bool moment_await(bool (*holds)(void), double patience)
{
    return await_once(holds, patience) || await_once(holds, patience / 4);
}

void moment_hold_sleepers(void)
{
    hold = 1;
}

bool moment_holds_one(void)
{
    return held;
}

void moment_release_sleepers(void)
{
    hold = 0;
    pp_futex_wake(&hold, false);
}

static void wait_while_held(void)
{
    while (hold == 1) {
        held = true;
        moment_passed();
        (void)pp_futex_wait(&hold, 1, false, PP_NEVER);
    }
    held = false;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
int __real_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout);
int __real_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  clockid_t clock, const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  clockid_t clock, const struct timespec *until);

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    moment_passed();
    wait_while_held();
    return __real_epoll_wait(epoll, events, most, timeout);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  clockid_t clock, const struct timespec *until)
{
    moment_passed();
    return __real_pthread_cond_clockwait(condition, mutex, clock, until);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
