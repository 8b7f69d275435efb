/*
 * options.h - the command line of `procpool run`.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses; 128 + N stands for signal N. */
enum {
    CMD_EXIT_OK = 0,
    CMD_EXIT_SOME_FAILED = 1,
    CMD_EXIT_USAGE = 2,
    CMD_EXIT_TROUBLE = 3, /* the run itself could not be done, or not to its end */
    CMD_EXIT_NOT_EXECUTABLE = 126,
    CMD_EXIT_NOT_FOUND = 127,
    CMD_EXIT_SIGNAL = 128
};

enum { CMD_MAX_JOBS = 1024, CMD_MAX_RETRIES = 1000000 };

struct cmd_options {
    unsigned     jobs;
    unsigned     retries;
    double       timeout; /* seconds; 0: none */
    bool         keep_order;
    bool         help;   /* --help: nothing else counts */
    const char  *plugin; /* with function, instead of a command */
    const char  *function;
    char *const *command;
    size_t       command_count;
    char *const *inputs; /* the words after `:::`; NULL: standard input */
    size_t       input_count;
};

/* argv[0] is "run".  0, or CMD_EXIT_USAGE after a message. */
int cmd_options_parse(struct cmd_options *options, int argc, char **argv);

extern const char cmd_help[];     /* procpool --help */
extern const char cmd_help_run[]; /* procpool run --help */

#endif
