/*
 * shm_doorbell.c - a wake-up reaches everybody who sleeps on a word.
 *
 * Who has been woken by another word stands in this one's queue until it runs, and must not take the place
 * of who sleeps on it now.  Two threads that sleep stand for that one and this one.
 */
#include "base/clock.h"
#include "shm/doorbell.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLEEPERS = 3, PATIENCE_S = 30, LOOK_NS = 1000 * 1000 };

static _Atomic uint32_t word;
static _Atomic pid_t    tids[SLEEPERS];

static void *sleep_on_the_word(void *tid)
{
    atomic_store((_Atomic pid_t *)tid, (pid_t)syscall(SYS_gettid));
    while (atomic_load(&word) == 0)
        (void)pp_futex_wait(&word, 0, true, PP_NEVER);
    return tid;
}

static bool is_asleep(pid_t tid)
{
    char path[64];
    long call = -1;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)tid);
    FILE *file = fopen(path, "re");
    bool  asleep = file != NULL && fscanf(file, "%ld", &call) == 1 && call == SYS_futex;
    if (file != NULL)
        (void)fclose(file);
    return asleep;
}

/* Nothing tells that a thread has fallen asleep. */
static void await_asleep(_Atomic pid_t *tid)
{
    static _Atomic uint32_t nobody;
    int64_t deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(PATIENCE_S));
    while (atomic_load(tid) == 0 || !is_asleep(atomic_load(tid))) {
        assert_true(pp_clock_now() < deadline);
        (void)pp_futex_wait(&nobody, 0, false, pp_deadline_after(pp_clock_now(), LOOK_NS));
    }
}

static void a_wake_up_reaches_all_that_sleep_on_the_word(void **state)
{
    pthread_t       threads[SLEEPERS];
    struct timespec limit;
    (void)state;
    for (int i = 0; i < SLEEPERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_on_the_word, &tids[i]), 0);
        await_asleep(&tids[i]);
    }
    atomic_store(&word, 1);
    assert_int_equal(pp_futex_wake(&word, true), 0);
    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    for (int i = 0; i < SLEEPERS; i++)
        assert_int_equal(pthread_timedjoin_np(threads[i], NULL, &limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_up_reaches_all_that_sleep_on_the_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
