/*
 * host.c - (the host) round after round: a pool with options by chance, threads that work on it, an
 * end by chance, and then the books.
 *
 * Each wait for the pool has a deadline: what has not come by then hangs, and the soak says who and
 * ends.  After a round everything must be as it was: no task open, no descriptor more, no process.
 */
#include "soak.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUBMITTERS = 3, THREADS = SUBMITTERS + 2 };
#define PATIENCE 60.0

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool memory_tells = false; /* a sanitizer keeps what was freed */
#else
static const bool memory_tells = true;
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  news = PTHREAD_COND_INITIALIZER;

static struct {
    unsigned rounds, calm_rounds, of_mode[MODES];
    uint64_t accepted_before;
    uint64_t workers_started, workers_died, retried;
    uint64_t left_by_servers; /* children of tasks whose fork server had been killed */
    uint64_t hangs, zombies, left;
    unsigned descriptors;
    size_t   pss_warm, pss_end;
    bool     keep;
} tally;

void arrived(struct thread *thread)
{
    pthread_mutex_lock(&lock);
    atomic_store(&thread->doing, "arrived");
    atomic_store(&thread->arrived, true);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static void hang(struct thread *threads, unsigned count)
{
    tally.hangs++;
    violation("a hang");
    for (unsigned i = 0; i < count; i++)
        if (!atomic_load(&threads[i].arrived))
            fprintf(stderr, "soak:   thread %u hangs in: %s\n", i, atomic_load(&threads[i].doing));
    fprintf(stderr, "soak:   %u tasks are open:\n", atomic_load(&ledger.in_flight));
    ledger_print_in_flight();
    fprintf(stderr, "soak:   round %u, mode %s, seed of the round %llu, host %d\n", tally.rounds,
            mode_names[threads[0].round->mode], (unsigned long long)threads[0].round->seed,
            (int)getpid());
    while (tally.keep)
        pause();
    _exit(EXIT_FAILURE); /* the pool's processes end with the host */
}

static struct timespec after(double seconds)
{
    double moment = now() + seconds;
    return (struct timespec){.tv_sec = (time_t)moment,
                             .tv_nsec = (long)((moment - (double)(time_t)moment) * 1e9)};
}

static bool all_arrived(const struct thread *threads, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!atomic_load(&threads[i].arrived))
            return false;
    return true;
}

/* Until all have arrived or the time is over. */
static bool await(const struct thread *threads, unsigned count, double seconds)
{
    struct timespec until = after(seconds);
    int             error = 0;
    pthread_mutex_lock(&lock);
    while (!all_arrived(threads, count) && error != ETIMEDOUT)
        error = pthread_cond_clockwait(&news, &lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&lock);
    return all_arrived(threads, count);
}

static void start(struct thread *thread, struct round *round, unsigned number, void *(*run)(void *))
{
    thread->round = round;
    thread->number = number;
    atomic_store(&thread->doing, "starting");
    if (pthread_create(&thread->id, NULL, run, thread) != 0)
        abort();
}

static void join_or_hang(struct thread *threads, unsigned first, unsigned count)
{
    if (!await(threads + first, count, PATIENCE))
        hang(threads, first + count);
    for (unsigned i = first; i < first + count; i++)
        (void)pthread_join(threads[i].id, NULL);
}

/* ----------------------------------------------------------------------- ending a round */

/* As a thread, so that a hang of it is seen. */
static void *drain_main(void *data)
{
    struct thread *thread = data;
    pp_pool       *pool = thread->round->pool;
    if (atomic_load(&ledger.finishing)) {
        atomic_store(&thread->doing, "pp_pool_finalize");
        int dropped = pp_pool_finalize(pool, 0.1);
        if (dropped < 0)
            violation("pp_pool_finalize answered %s", strerror(-dropped));
    } else {
        atomic_store(&thread->doing, "pp_pool_process_all_results");
        int processed = pp_pool_process_all_results(pool, PP_FOREVER);
        if (processed < 0)
            violation("pp_pool_process_all_results answered %s", strerror(-processed));
    }
    arrived(thread);
    return NULL;
}

static void *destroy_main(void *data)
{
    struct thread *thread = data;
    atomic_store(&thread->doing, "pp_pool_destroy");
    pp_pool_destroy(thread->round->pool);
    arrived(thread);
    return NULL;
}

static void run_to_the_end(struct thread *threads, unsigned place, struct round *round,
                           void *(*run)(void *))
{
    threads[place] = (struct thread){.number = place};
    start(&threads[place], round, place, run);
    join_or_hang(threads, place, 1);
}

static bool no_process_left(double limit, bool kill_children, struct census *last)
{
    double until = now() + limit;
    do {
        *last = census_take(kill_children);
        if (last->others == 0)
            return true;
        struct timespec moment = {.tv_nsec =
                                      2 * 1000 * 1000}; /* an end offers no event to a stranger */
        (void)nanosleep(&moment, NULL);
    } while (now() < until);
    return false;
}

static void check_processes(const struct round *round)
{
    struct census left;
    if (no_process_left(2, false, &left))
        return;
    /* what a worker of a dead fork server leaves behind is nobody's: known, and counted */
    if (round->server_kills > 0) {
        tally.left_by_servers += left.children;
        if (no_process_left(10, true, &left))
            return;
    }
    if (no_process_left(10, false, &left)) {
        violation("processes were left for more than two seconds after pp_pool_destroy");
        return;
    }
    tally.left += left.others;
    tally.zombies += left.zombies;
    violation("%u processes are left, %u of them zombies", left.others, left.zombies);
}

static void check_stats(const struct round *round)
{
    pp_pool_stats stats = {.size = sizeof stats};
    if (pp_pool_get_stats(round->pool, &stats) < 0)
        violation("pp_pool_get_stats failed");
    uint64_t ended =
        stats.done + stats.failed + stats.timed_out + stats.cancelled + stats.worker_lost;
    uint64_t accepted = atomic_load(&ledger.accepted) - tally.accepted_before;
    if (ended < accepted || (round->mode != MODE_MIXED && ended != accepted)) /* maps add some */
        violation("the pool has counted %llu ends of %llu tasks", (unsigned long long)ended,
                  (unsigned long long)accepted);
    if (stats.queued + stats.running != 0)
        violation("the pool has %llu queued and %llu running when all have ended",
                  (unsigned long long)stats.queued, (unsigned long long)stats.running);
    tally.workers_started += stats.workers_started;
    tally.workers_died += stats.workers_died;
    tally.retried += stats.retried;
}

static void check_books(const struct round *round)
{
    uint64_t lost = atomic_load(&ledger.innocents_lost);
    check_stats(round);
    if (atomic_load(&ledger.in_flight) != 0) {
        violation("%u tasks have no outcome, or not all of their callbacks", ledger.in_flight);
        ledger_print_in_flight();
    }
    if (lost > round->kills)
        violation("%llu tasks that end no worker are lost after %llu kills",
                  (unsigned long long)lost, (unsigned long long)round->kills);
    uint64_t strays = atomic_exchange(&board->strays, 0);
    atomic_fetch_add(&ledger.duplicates, strays);
    if (strays > 0)
        violation("%llu executions of tasks that had ended", (unsigned long long)strays);
}

static void check_resources(void)
{
    enum { WARM = 2 };
    unsigned descriptors = census_descriptors();
    if (descriptors != tally.descriptors)
        violation("%u descriptors are open after the round, %u before", descriptors,
                  tally.descriptors);
    tally.pss_end = census_pss();
    if (tally.rounds <= WARM * MODES || tally.pss_warm == 0)
        tally.pss_warm = tally.pss_end > tally.pss_warm ? tally.pss_end : tally.pss_warm;
}

/* ------------------------------------------------------------------------------ a round */

static const char *method_name(pp_start_method method)
{
    return method == PP_START_FORK ? "fork" : method == PP_START_SPAWN ? "spawn" : "forkserver";
}

static void choose_options(struct round *round, struct dice *dice, pp_pool_options *options)
{
    unsigned method = roll_below(dice, 16);
    round->max_size = round->mode == MODE_STREAM  ? 2
                      : round->mode == MODE_STORM ? 4 + roll_below(dice, 5)
                                                  : 1 + roll_below(dice, 6);
    round->chaos = roll_below(dice, 6) != 0;
    round->daemonized = roll_below(dice, 2) == 0;
    options->name = "soak";
    options->max_size = round->max_size;
    options->min_size = 1 + roll_below(dice, round->max_size);
    options->max_queued_requests = round->mode == MODE_STREAM  ? 4096
                                   : round->mode == MODE_STORM ? 1 + roll_below(dice, 64)
                                                               : 1 + roll_below(dice, 512);
    options->strict_limits = roll_below(dice, 2) == 0;
    options->keep_running = roll_below(dice, 2) == 0;
    options->idle_interval = 0.001 * (1 + roll_below(dice, 100));
    options->callback = on_pool_result;
    options->exception_callback = on_pool_exception;
    options->worker_init = soak_worker_init;
    options->orphan_grace = 0.2;
    options->start_method = PP_START_FORKSERVER;
    if (round->mode != MODE_STREAM && round->mode != MODE_STORM && method < 3)
        options->start_method = method == 0 ? PP_START_SPAWN : PP_START_FORK;
    if (roll_below(dice, 4) == 0)
        options->max_tasks_per_worker = 1 + roll_below(dice, 2000);
    if (roll_below(dice, 8) == 0)
        options->max_worker_age = 0.01 + 0.01 * roll_below(dice, 50);
}

static void begin_round(struct round *round, struct dice *dice)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    choose_options(round, dice, &options);
    atomic_store(&ledger.innocents_lost, 0);
    atomic_store(&ledger.chaos, round->chaos);
    atomic_store(&ledger.finishing, false);
    tally.accepted_before = atomic_load(&ledger.accepted);
    tally.calm_rounds += round->chaos ? 0 : 1;
    tally.of_mode[round->mode]++;
    int error = pp_pool_create(&round->pool, &options);
    if (error == 0 && round->daemonized)
        error = pp_pool_daemonize(round->pool);
    if (error < 0) {
        violation("pp_pool_create answered %s", strerror(-error));
        _exit(EXIT_FAILURE);
    }
    fprintf(stderr, "soak: round %u: %s, %s, up to %u workers, queue of %u%s%s\n", tally.rounds,
            mode_names[round->mode], method_name(options.start_method), round->max_size,
            options.max_queued_requests, round->daemonized ? ", daemonized" : "",
            round->chaos ? "" : ", in peace");
}

static void run_round(struct round *round, double seconds)
{
    struct thread threads[THREADS] = {0};
    struct dice   dice = {round->seed};
    unsigned      submitters = round->mode == MODE_MIXED ? 3 : round->mode == MODE_STORM ? 2 : 1;
    begin_round(round, &dice);
    for (unsigned i = 0; i < submitters; i++)
        start(&threads[i], round, i, submitter_main);
    start(&threads[SUBMITTERS], round, SUBMITTERS, chaos_main);
    (void)await(threads, submitters, seconds); /* only the pool's end makes them arrive early */
    bool abrupt = roll_below(&dice, 4) == 0;
    if (abrupt || roll_below(&dice, 4) == 0)
        atomic_store(&ledger.finishing, true);
    if (!abrupt) {
        atomic_store(&round->stop, true);
        join_or_hang(threads, 0, submitters);
        run_to_the_end(threads, SUBMITTERS + 1, round, drain_main);
    } else { /* under the feet of the submitters */
        run_to_the_end(threads, SUBMITTERS + 1, round, drain_main);
        join_or_hang(threads, 0, submitters);
    }
    atomic_store(&round->stop_chaos, true);
    join_or_hang(threads, SUBMITTERS, 1);
    check_books(round);
    run_to_the_end(threads, SUBMITTERS + 1, round, destroy_main);
    check_processes(round);
    check_resources();
}

/* ------------------------------------------------------------------------------ the end */

static void row(const char *name, uint64_t number)
{
    printf("| %s | %llu |\n", name, (unsigned long long)number);
}

static uint64_t print_outcomes(uint64_t of_all[OUTCOMES])
{
    uint64_t all = 0;
    printf("\n| tasks | done | failed | timed out | cancelled | worker lost |\n");
    printf("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (unsigned kind = 0; kind < KINDS; kind++) {
        printf("| %s |", kinds[kind].name);
        for (unsigned state = PP_DONE; state < OUTCOMES; state++) {
            uint64_t number = atomic_load(&ledger.outcomes[kind][state]);
            printf(" %llu |", (unsigned long long)number);
            of_all[state] += number;
        }
        printf("\n");
    }
    printf("| all |");
    for (unsigned state = PP_DONE; state < OUTCOMES; state++) {
        printf(" %llu |", (unsigned long long)of_all[state]);
        all += of_all[state];
    }
    printf("\n\n");
    return all;
}

static void print_tally(double seconds, uint64_t seed)
{
    uint64_t of_all[OUTCOMES] = {0};
    uint64_t ended = print_outcomes(of_all);
    uint64_t accepted = atomic_load(&ledger.accepted);
    /* as seen by their end: two causes may be behind one death */
    uint64_t deaths =
        tally.workers_died + chaos_counts.servers_killed + chaos_counts.children_killed;
    printf("| tally | |\n| --- | ---: |\n");
    row("seed", seed);
    row("seconds", (uint64_t)seconds);
    row("rounds", tally.rounds);
    row("rounds in peace", tally.calm_rounds);
    row("tasks", accepted);
    row("items of maps", atomic_load(&map_items));
    row("retries", tally.retried);
    row("callbacks", atomic_load(&ledger.callbacks));
    row("refused because the queue was full", atomic_load(&refused));
    row("cancels", atomic_load(&cancels));
    row("resizes", chaos_counts.resizes);
    row("workers started", tally.workers_started);
    row("workers died", tally.workers_died);
    row("violent deaths, all", deaths);
    row("tasks that ended their worker", atomic_load(&board->suicides));
    row("workers killed by the chaos thread", chaos_counts.workers_killed);
    row("workers killed by time limits", of_all[PP_TIMED_OUT]);
    row("fork servers killed", chaos_counts.servers_killed);
    row("children of tasks killed", chaos_counts.children_killed);
    row("workers stopped and continued", chaos_counts.workers_stopped);
    row("fork servers stopped and continued", chaos_counts.servers_stopped);
    row("tasks for which no worker could be had", atomic_load(&ledger.never_begun));
    row("lost", accepted > ended ? accepted - ended : 0);
    row("duplicates", atomic_load(&ledger.duplicates));
    row("wrong outcomes", atomic_load(&ledger.wrong));
    row("hangs", tally.hangs);
    row("zombies", tally.zombies);
    row("processes left", tally.left);
    row("children left by dead fork servers (known)", tally.left_by_servers);
    row("descriptors before", tally.descriptors);
    row("descriptors after", census_descriptors());
    row("host's PSS when warm, KiB", tally.pss_warm / 1024);
    row("host's PSS at the end, KiB", tally.pss_end / 1024);
    row("violations", atomic_load(&violations));
    (void)fflush(stdout);
}

static void check_memory(void)
{
    enum { SLACK = 2 * 1024 * 1024 };
    if (memory_tells && tally.pss_end > tally.pss_warm + tally.pss_warm / 10 + SLACK)
        violation("the host has grown from %zu to %zu KiB", tally.pss_warm / 1024,
                  tally.pss_end / 1024);
    if (atomic_load(&ledger.accepted) != 0)
        return;
    violation("no task was accepted");
}

int host_main(double seconds, uint64_t seed, double round_seconds, int mode, bool keep)
{
    double      began = now();
    struct dice dice = {seed};
    tally.keep = keep;
    if (board_create() < 0 || pp_register("soak-named", PP_FUNCTION(task_tiny)) < 0)
        return EXIT_FAILURE;
    (void)setvbuf(stderr, NULL, _IOLBF, 0);
    tally.descriptors = census_descriptors();
    while (now() - began < seconds) {
        struct round round = {.seed = roll(&dice)};
        double       left = seconds - (now() - began);
        round.mode = mode >= 0 ? (enum mode)mode : (enum mode)(tally.rounds % MODES);
        tally.rounds++;
        run_round(&round, left < round_seconds ? left : round_seconds);
    }
    check_memory();
    print_tally(now() - began, seed);
    return atomic_load(&violations) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
