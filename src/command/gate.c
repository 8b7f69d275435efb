/*
 * gate.c - jobs held back for the time between them, the load of the machine or its memory.
 *
 * The kernel has no event for "the load is below 4" or "2 GB are available again".  While a job is
 * held back for that, and only then, a timer asks again every LOOK seconds.
 */
#include "gate.h"

#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const double LOOK = 1.0;

/* The number behind `name` in a file of /proc, or -1. */
static double read_number(const char *file, const char *name)
{
    char   line[128];
    double value = -1;
    FILE  *stream = fopen(file, "re");
    if (stream == NULL)
        return -1;
    while (value < 0 && fgets(line, sizeof line, stream) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtod(line + strlen(name), NULL);
    }
    fclose(stream);
    return value;
}

int cmd_gate_open(struct cmd_gate *gate, const struct cmd_options *options)
{
    *gate = (struct cmd_gate){
        .delay = options->delay, .load = options->load, .memfree = options->memfree, .timer = -1};
    if (!cmd_gate_is_used(gate))
        return 0;
    double total = gate->memfree > 0 ? read_number("/proc/meminfo", "MemTotal:") : -1;
    if (total >= 0 && total * 1024 < (double)gate->memfree)
        return -ERANGE;
    gate->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return gate->timer >= 0 ? 0 : -errno;
}

bool cmd_gate_is_used(const struct cmd_gate *gate)
{
    return gate->delay > 0 || gate->load > 0 || gate->memfree > 0;
}

/* What cannot be found out holds nothing back. */
static bool machine_allows(const struct cmd_gate *gate)
{
    if (gate->load > 0 && read_number("/proc/loadavg", "") >= gate->load)
        return false;
    if (gate->memfree == 0)
        return true;
    double kilobytes = read_number("/proc/meminfo", "MemAvailable:");
    return kilobytes < 0 || kilobytes * 1024 >= (double)gate->memfree;
}

static bool hold_until(const struct cmd_gate *gate, double when)
{
    struct itimerspec at = {.it_value.tv_sec = (time_t)when};
    at.it_value.tv_nsec = (long)((when - (double)at.it_value.tv_sec) * 1e9);
    timerfd_settime(gate->timer, TFD_TIMER_ABSTIME, &at, NULL); /* cannot fail: all are ours */
    return false;
}

bool cmd_gate_pass(struct cmd_gate *gate)
{
    if (!cmd_gate_is_used(gate))
        return true;
    double now = cmd_now();
    gate->held = now >= gate->next && !machine_allows(gate);
    if (now < gate->next)
        return hold_until(gate, gate->next);
    if (gate->held)
        return hold_until(gate, now + LOOK);
    gate->next = now + gate->delay;
    return true;
}

void cmd_gate_rung(struct cmd_gate *gate)
{
    uint64_t expirations;
    ssize_t  n = read(gate->timer, &expirations, sizeof expirations);
    (void)n; /* set anew meanwhile: it rings again */
}

void cmd_gate_close(struct cmd_gate *gate)
{
    if (gate->timer >= 0)
        close(gate->timer);
    gate->timer = -1;
}
