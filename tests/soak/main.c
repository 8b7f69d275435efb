/*
 * main.c - random chaos: pools whose workers, fork servers and task children are killed, stopped and
 * continued while many threads submit, wait, cancel and resize.
 *
 *     soak [--seconds N] [--seed S] [--round SECONDS] [--mode stream|mixed|storm|ping] [--keep]
 *
 * Each seed makes the same decisions in each thread; how the threads meet differs from run to run.
 * --keep leaves everything as it is when something hangs, for a debugger.  Exits with 1 when any
 * promise was broken.
 *
 * This process is the sentinel: the subreaper of all others.  It buries what is orphaned and sees
 * to it that the host comes to an end.
 */
#include "soak.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct settings {
    double   seconds;
    double   round;
    uint64_t seed;
    int      mode;
    bool     keep;
    bool     host;
};

static int usage(void)
{
    fprintf(stderr, "usage: soak [--seconds N] [--seed S] [--round SECONDS] "
                    "[--mode stream|mixed|storm|ping] [--keep]\n");
    return 2;
}

static int mode_by_name(const char *name)
{
    for (int i = 0; i < MODES; i++)
        if (strcmp(name, mode_names[i]) == 0)
            return i;
    return -1;
}

static bool parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"round", required_argument, NULL, 'r'},
                                            {"mode", required_argument, NULL, 'm'},
                                            {"keep", no_argument, NULL, 'k'},
                                            {"host", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int                        option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            settings->seconds = strtod(optarg, NULL);
        else if (option == 's')
            settings->seed = strtoull(optarg, NULL, 0);
        else if (option == 'r')
            settings->round = strtod(optarg, NULL);
        else if (option == 'm' && (settings->mode = mode_by_name(optarg)) >= 0)
            continue;
        else if (option == 'k')
            settings->keep = true;
        else if (option == 'h')
            settings->host = true;
        else
            return false;
    }
    return optind == argc && settings->seconds > 0 && settings->round > 0;
}

static _Noreturn void become_host(char **argv, int argc, const char *seed)
{
    char *arguments[32];
    int   count = 0;
    char  host[] = "--host";
    char  seed_option[] = "--seed";
    for (; count < argc && count < 24; count++)
        arguments[count] = argv[count];
    arguments[count++] = seed_option;
    arguments[count++] = strdup(seed);
    arguments[count++] = host;
    arguments[count] = NULL;
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

/* Whoever started us may ignore signals, of which tasks die here. */
static void default_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* some cannot be set */
}

/* Bury everybody; the host's status when it has ended, or -1 after the deadline. */
static int watch(pid_t host, double deadline)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        int   status = 0;
        pid_t pid = 0;
        while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
            if (pid == host)
                return status;
        double          left = deadline - now();
        struct timespec limit = {.tv_sec = left > 0 ? (time_t)left : 0};
        if (left <= 0)
            return -1;
        (void)sigtimedwait(&child, NULL, &limit);
    }
}

static int sentinel_main(int argc, char **argv, const struct settings *settings)
{
    enum { PATIENCE = 240 };
    char     seed[32];
    sigset_t child;
    default_signals();
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, NULL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)settings->seed);
    fprintf(stderr, "soak: --seed %s --seconds %g --round %g\n", seed, settings->seconds,
            settings->round);
    pid_t host = fork();
    if (host < 0)
        return EXIT_FAILURE;
    if (host == 0)
        become_host(argv, argc, seed);
    int status = watch(host, settings->keep ? 1e12 : now() + settings->seconds + PATIENCE);
    if (status < 0) {
        fprintf(stderr, "soak: VIOLATION: the host itself hangs\n");
        (void)kill(host, SIGKILL); /* our child, not reaped */
        (void)waitpid(host, NULL, 0);
    } else if (!WIFEXITED(status))
        fprintf(stderr, "soak: VIOLATION: the host ended with status 0x%x\n", (unsigned)status);
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .seconds = 60, .round = 5, .seed = (uint64_t)time(NULL), .mode = -1};
    if (!parse(&settings, argc, argv))
        return usage();
    if (!settings.host)
        return sentinel_main(argc, argv, &settings);
    sentinel = getppid();
    return host_main(settings.seconds, settings.seed, settings.round, settings.mode, settings.keep);
}
