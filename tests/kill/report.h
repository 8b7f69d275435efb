/*
 * report.h - which trial this is, and what is wrong with it.
 */
#ifndef PP_TESTS_KILL_REPORT_H
#define PP_TESTS_KILL_REPORT_H

#include <stdint.h>

/* Seconds for whatever a trial waits for. */
#define PATIENCE           10.0
#define RECORDING_PATIENCE 120.0

/* A replay line for the trials that follow: options of this program. */
void report_context(const char *options);
/* The trial that begins now; the watchdog ends the process when it does not end. */
void report_trial(long boundary, uint64_t address);
/* It is stepped from end to end, which takes long on a machine that has other work. */
void report_recording(void);
void report_trial_over(void);

__attribute__((format(printf, 1, 2))) void violation(const char *format, ...);
/* A violation after which this process cannot go on. */
_Noreturn __attribute__((format(printf, 1, 2))) void give_up(const char *format, ...);

unsigned report_violations(void);

/* What give_up calls before it ends the process. */
void report_on_hopeless(void (*describe)(void));

void report_start_watchdog(void);

#endif
