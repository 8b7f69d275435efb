/*
 * sweep.c - kill-sweep: kills a worker, or the fork server, at every boundary between two
 * instructions of a region, one trial for each, and checks what is promised about deaths.
 *
 *   kill-sweep [--region R] [--host awake|asleep] [--peer active|idle] [--workers 1|2]
 *              [--sample N --seed S | --at BOUNDARY | --in FUNCTION] [--alone] [--map] [--label TEXT]
 *
 * How it works.  This program is the host.  Its main thread is the ptracer of the victim and submits
 * tasks; another thread is the host program that polls or sleeps.  For each cell and region, in a
 * process of its own, the region is stepped through once, which gives its boundaries (trace.c).  A
 * trial (trial.c) brings another victim to one of them - by a trap instruction at a checkpoint nearby
 * and single steps from there (stepper.c) - and kills it.  A boundary counts as covered only when the
 * victim stood at the very instruction; else the trial is made again.
 *
 * Without --sample each boundary is tried until it is covered, TRIES times in each of PASSES passes at
 * most; the counts say how many were not.  With --sample, N boundaries are drawn from all cells and
 * regions alike.
 *
 * A cell ends at its first violation.  The boundaries that were tried in that pool are then tried again,
 * each in a process and a pool of its own, which tells the one that it was from those before it.
 */
#include "options.h"
#include "report.h"
#include "trial.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 3, PASSES = 24, MISSED_MOST = 40, MISSED_OF_SAMPLE = 5, WARM_UP = 3 };

static const struct region regions[] = {
    {"task", REGION_TASK, WORK_NUMBER, true, WORK_NUMBER},
    {"first-task", REGION_TASK, WORK_NUMBER, false, WORK_NUMBER},
    {"granules", REGION_TASK, WORK_BYTES, true, WORK_BYTES},
    {"memfd", REGION_TASK, WORK_BYTES, true, WORK_NUMBER},
    {"start", REGION_START, WORK_NUMBER, false, WORK_NUMBER},
    {"server", REGION_SERVER, WORK_NUMBER, false, WORK_NUMBER},
};

enum { REGIONS = sizeof regions / sizeof *regions };

struct counts {
    unsigned long boundaries, covered, trials, violations, failures;
    long          in_pool[TRIALS_IN_POOL]; /* boundaries that were tried in this pool */
    unsigned      tried_in_pool;
};

static double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    uint64_t number = *state += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

/* Is there a boundary inside of the region's last wait? */
static size_t boundaries_of(const struct trace *trace)
{
    return trace->count + (trace->end.call >= 0 ? 1 : 0);
}

/* ------------------------------------------------------------------- one cell, one region */

static bool try_once(const struct trace *trace, const struct cell *cell,
                     const struct region *region, size_t boundary, struct counts *counts)
{
    if (trial_is_first())
        counts->tried_in_pool = 0;
    if (counts->tried_in_pool < TRIALS_IN_POOL)
        counts->in_pool[counts->tried_in_pool++] = (long)boundary;
    counts->trials++;
    bool covered = trial_run(trace, cell, region, boundary);
    counts->violations = report_violations();
    counts->covered += covered ? 1 : 0;
    return covered;
}

static bool try_boundary(const struct trace *trace, const struct cell *cell,
                         const struct region *region, size_t boundary, struct counts *counts)
{
    bool covered = false;
    for (int tries = 0; tries < TRIES && !covered && counts->violations == 0; tries++)
        covered = try_once(trace, cell, region, boundary, counts);
    return covered;
}

/* The way has changed, in malloc for instance, which does now what it did not do when it was recorded.
 * Record it again.  What it has in common with the old one, at its beginning and at its end, has been
 * killed at already; between them all is new. */
static void record_again(struct trace *trace, const struct cell *cell, const struct region *region,
                         bool *covered)
{
    size_t        old_count = trace->count;
    size_t        old_all = boundaries_of(trace);
    size_t        same = 0;
    struct trace *old = trace_create();
    memcpy(old->at, trace->at, old_count * sizeof *old->at);
    trial_record(trace, cell, region);
    size_t less = old_count < trace->count ? old_count : trace->count;
    while (same < less && old->at[same] == trace->at[same])
        same++;
    size_t tail = 0;
    while (tail < less - same &&
           old->at[old_count - 1 - tail] == trace->at[trace->count - 1 - tail])
        tail++;
    size_t all = boundaries_of(trace);
    tail += all - trace->count; /* inside of the last wait */
    memmove(covered + all - tail, covered + old_all - tail, tail * sizeof *covered);
    memset(covered + same, 0, (all - tail - same) * sizeof *covered);
}

static bool is_in(const struct trace *trace, size_t boundary, const char *function)
{
    if (function == NULL)
        return true;
    const char *symbol = boundary < trace->count ? trace_symbol(trace->at[boundary]) : "";
    size_t      size = strlen(function);
    return strncmp(symbol, function, size) == 0 && symbol[size] == '+';
}

static void sweep_all(struct trace *trace, const struct cell *cell, const struct region *region,
                      const struct settings *settings, struct counts *counts)
{
    bool *covered = calloc(TRACE_MOST + 1, sizeof *covered);
    if (covered == NULL)
        abort();
    for (int pass = 0; pass < PASSES && counts->violations == 0; pass++) {
        if (pass > 0)
            record_again(trace, cell, region, covered);
        size_t missed = 0;
        size_t all = boundaries_of(trace);
        counts->boundaries = counts->covered = 0;
        for (size_t boundary = 0; boundary < all; boundary++)
            counts->boundaries += is_in(trace, boundary, settings->in) ? 1 : 0;
        for (size_t boundary = 0; boundary < all; boundary++)
            if (!is_in(trace, boundary, settings->in))
                continue;
            else if (covered[boundary])
                counts->covered++;
            else if (try_boundary(trace, cell, region, boundary, counts))
                covered[boundary] = true;
            else if (++missed >= MISSED_MOST || counts->violations > 0)
                break; /* another way altogether */
        if (missed == 0)
            break;
    }
    for (size_t boundary = 0; boundary < trace->count && counts->violations == 0; boundary++)
        if (!covered[boundary] && is_in(trace, boundary, settings->in))
            fprintf(stderr, "   not reached: %s boundary %zu of %zu, %s\n", region->name, boundary,
                    trace->count, trace_symbol(trace->at[boundary]));
    free(covered);
}

/* Where many are missed, the trial that was recorded went a way that others do not go. */
static void sweep_sample(struct trace *trace, const struct cell *cell, const struct region *region,
                         const struct settings *settings, struct counts *counts)
{
    uint64_t state = settings->seed;
    for (size_t i = 0; i < strlen(region->name); i++)
        state = draw(&state) + (unsigned char)region->name[i];
    state += cell->awake + 2U * cell->active + 4U * cell->workers;
    unsigned missed = 0;
    counts->boundaries = boundaries_of(trace);
    while (counts->trials < (unsigned long)settings->sample && counts->violations == 0) {
        if (!try_once(trace, cell, region, draw(&state) % counts->boundaries, counts) &&
            ++missed % MISSED_OF_SAMPLE == 0) {
            trial_record(trace, cell, region);
            counts->boundaries = boundaries_of(trace);
        }
    }
}

static void sweep(struct trace *trace, const struct cell *cell, const struct region *region,
                  const struct settings *settings, struct counts *counts)
{
    if (settings->at >= 0) {
        counts->boundaries = 1;
        (void)try_boundary(trace, cell, region, (size_t)settings->at % boundaries_of(trace),
                           counts);
    } else if (settings->sample > 0)
        sweep_sample(trace, cell, region, settings, counts);
    else
        sweep_all(trace, cell, region, settings, counts);
}

static void options_of(char *text, size_t size, const struct cell *cell,
                       const struct region *region)
{
    snprintf(text, size, "--region %s --host %s --peer %s --workers %u", region->name,
             cell->awake ? "awake" : "asleep", cell->active ? "active" : "idle", cell->workers);
}

static void run_process(struct trace *trace, const struct cell *cell, const struct region *region,
                        const struct settings *settings, struct counts *counts)
{
    char options[200];
    options_of(options, sizeof options, cell, region);
    report_context(options);
    work_prepare();
    /* the fork server that a pool begins with takes the same way each time, later ones do not */
    bool whole_server = region->kind == REGION_SERVER && settings->sample == 0;
    trial_prepare(cell, settings->alone || whole_server);
    if (trace->count == 0 || (settings->sample == 0 && !settings->alone)) {
        for (int i = 0; i < WARM_UP; i++)
            trial_record(NULL, cell, region);
        trial_record(trace, cell, region);
    }
    trial_end_pool();
    if (settings->map)
        trace_print(trace);
    sweep(trace, cell, region, settings, counts);
    trial_end_pool();
    counts->violations = report_violations();
}

/* All processes of a run have the same addresses, and the host and the peer do not change the victim's
 * way: a sample takes the boundaries that the first cell found, the whole sweep looks in each. */
static struct trace *trace_of(const struct cell *cell, const struct region *region)
{
    static struct trace *traces[REGIONS][2];
    bool                 behind = cell->active && cell->workers == 1;
    struct trace       **trace = &traces[region - regions][behind];
    if (*trace == NULL)
        *trace = trace_create();
    return *trace;
}

static struct counts *shared_counts(void)
{
    struct counts *counts =
        mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        abort();
    return counts;
}

/* In a process of its own. */
static void run_apart(struct trace *trace, const struct cell *cell, const struct region *region,
                      const struct settings *settings, struct counts *counts)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        run_process(trace, cell, region, settings, counts);
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    if (status == 0)
        return;
    counts->failures = 1;
    counts->violations++;
    fprintf(stderr, "   this cell ended early, with status 0x%x\n", (unsigned)status);
}

static void repeat_alone(struct trace *trace, const struct cell *cell, const struct region *region,
                         const struct settings *settings, const struct counts *seen)
{
    struct settings one = *settings;
    one.alone = true;
    for (unsigned i = 0; i < seen->tried_in_pool; i++) {
        struct counts *counts = shared_counts();
        one.at = seen->in_pool[i];
        run_apart(trace, cell, region, &one, counts);
        fprintf(stderr, "   again, alone: boundary %ld, %lu violations\n", one.at,
                counts->violations);
        munmap(counts, sizeof *counts);
    }
}

static void run_cell(const struct cell *cell, const struct region *region,
                     const struct settings *settings, struct counts *total)
{
    char           options[200];
    double         began = now();
    struct counts *counts = shared_counts();
    struct trace  *trace = trace_of(cell, region);
    run_apart(trace, cell, region, settings, counts);
    options_of(options, sizeof options, cell, region);
    printf("%-8s %-58s %7lu boundaries %7lu killed at %7lu trials %3lu violations %6.1f s\n",
           settings->label, options, counts->boundaries, counts->covered, counts->trials,
           counts->violations, now() - began);
    fflush(stdout);
    if (counts->violations > 0 && !settings->alone)
        repeat_alone(trace, cell, region, settings, counts);
    total->boundaries += counts->boundaries;
    total->covered += counts->covered;
    total->trials += counts->trials;
    total->violations += counts->violations;
    total->failures += counts->failures;
    munmap(counts, sizeof *counts);
}

/* -------------------------------------------------------------------------------- all */

static bool chosen(const char *wanted, const char *name)
{
    return wanted == NULL || strcmp(wanted, name) == 0;
}

static void run_all(const struct settings *settings, struct counts *total)
{
    for (unsigned i = 0; i < 8; i++) {
        struct cell cell = {.awake = (i & 1) != 0, .active = (i & 2) != 0, .workers = 1 + i / 4};
        if (!chosen(settings->host, cell.awake ? "awake" : "asleep") ||
            !chosen(settings->peer, cell.active ? "active" : "idle") ||
            !chosen(settings->workers, cell.workers == 1 ? "1" : "2"))
            continue;
        for (size_t j = 0; j < REGIONS; j++)
            if (chosen(settings->region, regions[j].name))
                run_cell(&cell, &regions[j], settings, total);
    }
}

/* Trials of one region and cell, so that together they are as many as asked for. */
static long share(long sample)
{
    long parts = 8L * REGIONS;
    return sample > 0 ? (sample + parts - 1) / parts : 0;
}

static int usage(void)
{
    fputs("kill-sweep: see the head of tests/kill/sweep.c\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct settings settings = {.at = -1, .label = "", .seed = (uint64_t)time(NULL)};
    struct counts   total = {0};
    double          began = now();
    if (options_read(&settings, argc, argv) < 0)
        return usage();
    settings.sample = share(settings.sample);
    if (settings.sample > 0)
        printf("%-8s seed %llu\n", settings.label, (unsigned long long)settings.seed);
    fflush(stdout);
    run_all(&settings, &total);
    printf("%-8s total: %lu boundaries, %lu killed at, %lu trials, %lu violations, %.0f s\n",
           settings.label, total.boundaries, total.covered, total.trials, total.violations,
           now() - began);
    bool whole = settings.sample > 0 || total.covered == total.boundaries;
    return total.trials > 0 && total.violations == 0 && whole ? 0 : 1;
}
