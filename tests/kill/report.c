/*
 * report.c - see report.h.
 */
#include "report.h"

#include "trace.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EXIT_HOPELESS = 3, HANG_SECONDS = 30 };

static int timer = -1; /* runs out when the trial hangs */

static char             context[256];
static _Atomic long     boundary;
static _Atomic uint64_t address;
static atomic_uint      violations;
static void (*describe_state)(void);

/* 0: no limit. */
static void limit(long seconds)
{
    struct itimerspec until = {.it_value.tv_sec = seconds};
    if (timer >= 0)
        (void)timerfd_settime(timer, 0, &until, NULL);
}

void report_context(const char *options)
{
    snprintf(context, sizeof context, "%s", options);
}

void report_trial(long number, uint64_t where)
{
    boundary = number;
    address = where;
    limit(HANG_SECONDS);
}

void report_recording(void)
{
    report_trial(-1, 0);
    limit((long)RECORDING_PATIENCE);
}

void report_trial_over(void)
{
    limit(0);
}

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "VIOLATION: %s\n  at boundary %ld, %s\n  again: kill-sweep %s --at %ld\n", text,
            (long)boundary, trace_symbol(address), context, (long)boundary);
    atomic_fetch_add(&violations, 1);
}

void violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    if (describe_state != NULL)
        describe_state();
    _exit(EXIT_HOPELESS);
}

unsigned report_violations(void)
{
    return violations;
}

void report_on_hopeless(void (*describe)(void))
{
    describe_state = describe;
}

static void *watch(void *unused)
{
    uint64_t times = 0;
    while (read(timer, &times, sizeof times) != (ssize_t)sizeof times)
        ;
    give_up("the trial hangs");
    return unused;
}

void report_start_watchdog(void)
{
    pthread_t thread;
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (timer < 0 || pthread_create(&thread, NULL, watch, NULL) != 0)
        give_up("no timer or no thread for the watchdog");
    pthread_detach(thread);
}
