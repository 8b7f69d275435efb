/*
 * report.c - see report.h.
 */
#include "report.h"

#include "trace.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_HOPELESS = 3, HANG_SECONDS = 30 };

static char             context[256];
static _Atomic long     boundary;
static _Atomic uint64_t address;
static _Atomic long     began;   /* seconds; 0: no trial */
static _Atomic long     allowed; /* seconds for this trial */
static atomic_uint      violations;
static void (*describe_state)(void);

static long now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (long)moment.tv_sec;
}

void report_context(const char *options)
{
    snprintf(context, sizeof context, "%s", options);
}

void report_trial(long number, uint64_t where)
{
    boundary = number;
    address = where;
    allowed = HANG_SECONDS;
    began = now();
}

void report_recording(void)
{
    report_trial(-1, 0);
    allowed = (long)RECORDING_PATIENCE;
}

void report_trial_over(void)
{
    began = 0;
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
    for (;;) {
        sleep(1);
        long since = began;
        if (since != 0 && now() - since > allowed)
            give_up("the trial hangs");
    }
    return unused;
}

void report_start_watchdog(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) != 0)
        give_up("no thread for the watchdog");
    pthread_detach(thread);
}
