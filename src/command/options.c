/*
 * options.c - the command line of `procpool run`: parsed, checked, and its errors worded.
 *
 *     run [OPTIONS] COMMAND ARGUMENTS... ::: INPUTS...
 *
 * Our options end at the first word that is none ('+' of getopt), so those of COMMAND are left
 * alone.  The first `:::` ends the command.  Another one, and `::::`, are refused: they are
 * kept for several sources of inputs.
 */
#define _GNU_SOURCE
#include "options.h"

#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char SEPARATOR[] = ":::", FILE_SEPARATOR[] = "::::";

static const double MAX_TIMEOUT = 1e9;

static unsigned online_cpus(void)
{
    cpu_set_t set;
    int       count = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    else
        count = (int)sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
    if (count < 1)
        return 1;
    return count > CMD_MAX_JOBS ? CMD_MAX_JOBS : (unsigned)count;
}

static int parse_number(unsigned *number, const char *option, const char *text, unsigned min,
                        unsigned max)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min ||
        value > max) {
        cmd_error("run: %s: '%s' is not a number between %u and %u", option, text, min, max);
        return CMD_EXIT_USAGE;
    }
    *number = (unsigned)value;
    return 0;
}

/* Seconds in a unit, or 0. */
static double unit(const char *name)
{
    static const struct {
        const char *name;
        double      seconds;
    } units[] = {
        {"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}, {"d", 86400},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(name, units[i].name) == 0)
            return units[i].seconds;
    }
    return 0;
}

static int parse_time(double *seconds, const char *option, const char *text)
{
    size_t digits = strspn(text, "0123456789."); /* strtod takes "inf" and "0x1" as well */
    char  *end = NULL;
    double value = digits > 0 ? strtod(text, &end) : 0;
    double scale = digits > 0 && end == text + digits ? unit(end) : 0;
    if (scale == 0 || value * scale > MAX_TIMEOUT) {
        cmd_error("run: %s: '%s' is not a time like 10, 1.5s, 500ms, 2m or 1h", option, text);
        return CMD_EXIT_USAGE;
    }
    *seconds = value * scale;
    return 0;
}

/* Options without a letter: -t and -r have other meanings in xargs and parallel. */
enum { OPTION_TIMEOUT = 256, OPTION_RETRIES, OPTION_PLUGIN, OPTION_FUNCTION };

static const struct option long_options[] = {
    {"jobs", required_argument, NULL, 'j'},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"retries", required_argument, NULL, OPTION_RETRIES},
    {"keep-order", no_argument, NULL, 'k'},
    {"plugin", required_argument, NULL, OPTION_PLUGIN},
    {"function", required_argument, NULL, OPTION_FUNCTION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* getopt has refused something; `word` is the one that it was looking at. */
static int complain(int kind, const char *word)
{
    char shown[128];
    char one[3] = {'-', (char)optopt, '\0'};
    bool is_long = strncmp(word, "--", 2) == 0;
    bool is_ours = optopt != 0 && strchr("jkh", optopt) != NULL;
    if (!is_long)
        word = one;
    cmd_printable(shown, sizeof shown, word, strlen(word));
    if (kind == ':')
        cmd_error("run: %s: a value is missing", shown);
    else if (is_long && (is_ours || optopt >= OPTION_TIMEOUT))
        cmd_error("run: %s: takes no value", shown);
    else
        cmd_error("run: unknown option '%s'; see 'procpool run --help'", shown);
    return CMD_EXIT_USAGE;
}

static int apply(struct cmd_options *options, int option, const char *word)
{
    switch (option) {
    case 'j':
        return parse_number(&options->jobs, "--jobs", optarg, 1, CMD_MAX_JOBS);
    case OPTION_TIMEOUT:
        return parse_time(&options->timeout, "--timeout", optarg);
    case OPTION_RETRIES:
        return parse_number(&options->retries, "--retries", optarg, 0, CMD_MAX_RETRIES);
    case 'k':
        options->keep_order = true;
        return 0;
    case OPTION_PLUGIN:
        options->plugin = optarg;
        return 0;
    case OPTION_FUNCTION:
        options->function = optarg;
        return 0;
    case 'h':
        options->help = true;
        return 0;
    default:
        return complain(option, word);
    }
}

static int split(struct cmd_options *options, int count, char *const *words)
{
    int at = 0;
    while (at < count && strcmp(words[at], SEPARATOR) != 0)
        at++;
    options->command = words;
    options->command_count = (size_t)at;
    if (at < count) {
        options->inputs = words + at + 1;
        options->input_count = (size_t)(count - at - 1);
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], FILE_SEPARATOR) == 0 || (i > at && strcmp(words[i], SEPARATOR) == 0)) {
            cmd_error("run: another '%s': only one ':::' is supported", words[i]);
            return CMD_EXIT_USAGE;
        }
    }
    return 0;
}

static int check(const struct cmd_options *options)
{
    if (options->plugin != NULL && options->function == NULL)
        cmd_error("run: --plugin needs --function NAME");
    else if (options->plugin == NULL && options->function != NULL)
        cmd_error("run: --function needs --plugin FILE");
    else if (options->plugin != NULL && options->command_count > 0)
        cmd_error("run: a command, '%s', and --plugin: one of the two; inputs stand after ':::'",
                  options->command[0]);
    else if (options->plugin == NULL && options->command_count == 0)
        cmd_error("run: no command; see 'procpool run --help'");
    else
        return 0;
    return CMD_EXIT_USAGE;
}

int cmd_options_parse(struct cmd_options *options, int argc, char **argv)
{
    *options = (struct cmd_options){.jobs = online_cpus()};
    opterr = 0;
    optind = 0; /* glibc: begin anew, with the '+' that follows */
    for (;;) {
        int         at = optind > 0 ? optind : 1;
        const char *word = at < argc ? argv[at] : "";
        int         option = getopt_long(argc, argv, "+:j:kh", long_options, NULL);
        if (option == -1)
            break;
        int status = apply(options, option, word);
        if (status != 0 || options->help)
            return status;
    }
    int status = split(options, argc - optind, argv + optind);
    return status != 0 ? status : check(options);
}
