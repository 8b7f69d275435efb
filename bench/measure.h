/*
 * measure.h - what every benchmark needs: a clock, a way to die, percentiles, settings from the
 * command line, and figures on standard output, one line of JSON each:
 *
 *     {"figure": "stream", "who": "procpool", "value": 1234567, "unit": "tasks/s"}
 *
 * A program measures one thing once.  Rounds, medians, ratios and the table are run.py's.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

/* error: an errno, or a negative one */
__attribute__((noreturn)) static inline void die(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(EXIT_FAILURE);
}

/* What a function of the library returned, when that is an error. */
static inline void check(int result, const char *what)
{
    if (result < 0)
        die(what, result);
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        die("calloc", ENOMEM);
    return memory;
}

static inline void emit(const char *figure, const char *who, double value, const char *unit)
{
    printf("{\"figure\": \"%s\", \"who\": \"%s\", \"value\": %.9g, \"unit\": \"%s\"}\n", figure,
           who, value, unit);
    (void)fflush(stdout);
}

/* ----------------------------------------------------------------- settings */

/* A setting is a number, given as name=value. */
struct knob {
    const char *name;
    uint64_t    value;
};

static inline void turn_knobs(struct knob *knobs, size_t count, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");
        size_t k = 0;
        while (k < count &&
               (strlen(knobs[k].name) != length || memcmp(knobs[k].name, argv[i], length) != 0))
            k++;
        char *end = NULL;
        if (k < count && argv[i][length] == '=')
            knobs[k].value = strtoull(argv[i] + length + 1, &end, 10);
        if (end == NULL || end == argv[i] + length + 1 || *end != '\0') {
            fprintf(stderr, "usage: %s", argv[0]);
            for (k = 0; k < count; k++)
                fprintf(stderr, " [%s=%llu]", knobs[k].name, (unsigned long long)knobs[k].value);
            fprintf(stderr, "\n");
            exit(2);
        }
    }
}

#define TURN_KNOBS(knobs, argc, argv) \
    turn_knobs((knobs), sizeof(knobs) / sizeof((knobs)[0]), (argc), (argv))

/* -------------------------------------------------------------- percentiles */

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double percentile(double *values, size_t count, unsigned percent)
{
    qsort(values, count, sizeof *values, by_value);
    return values[(count - 1) * percent / 100];
}

#endif
