/*
 * options.h - the command line of `procpool run`, parsed and checked.
 *
 * The options stand in one table, option_table.c; from it come the parser, its errors, --help and
 * what the completions are compared with.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* A place that inputs come from, as it was typed. */
struct cmd_source_spec {
    char *const *words;  /* the words after `:::`; NULL: lines of `file` */
    size_t       count;  /* of words */
    const char  *file;   /* "-": standard input */
    bool         linked; /* goes with the source before it, one by one */
};

struct cmd_jobs {
    unsigned min, max;
};

struct cmd_soft_limit {
    double seconds; /* 0: none */
    int    signal;
};

enum cmd_halt_when { CMD_HALT_NEVER, CMD_HALT_SOON, CMD_HALT_NOW };
enum cmd_halt_what { CMD_HALT_FAIL, CMD_HALT_SUCCESS, CMD_HALT_DONE };

struct cmd_halt {
    enum cmd_halt_when when;
    enum cmd_halt_what what;
    uint64_t           count;   /* 0: percent counts */
    double             percent; /* of all inputs */
};

struct cmd_nice {
    bool set;
    int  value;
};

/* Limits of each job's processes; 0: none. */
struct cmd_limits {
    uint64_t memory, files;
    double   cpu; /* seconds */
};

/* Values of an option that may be given again. */
struct cmd_strings {
    char **items;
    size_t count;
};

struct cmd_options {
    /* inputs */
    struct cmd_source_spec *sources; /* none: standard input */
    size_t                  source_count;
    struct cmd_strings      files; /* of --arg-file */
    bool                    null;
    int                     delimiter; /* -1: not given */
    char                   *colsep;    /* ours to free */
    bool                    csv, header;
    /* what is run */
    char *const       *command;
    size_t             command_count;
    bool               shell, json_lines;
    const char        *plugin, *function; /* instead of a command */
    const char        *workdir;
    struct cmd_strings environment;
    /* execution */
    struct cmd_jobs       jobs;
    double                timeout; /* seconds; 0: none */
    struct cmd_soft_limit soft_timeout;
    unsigned              retries;
    double                retry_delay, delay, load; /* 0: none */
    struct cmd_nice       nice;
    uint64_t              memfree; /* bytes; 0: none */
    struct cmd_limits     limits;
    struct cmd_halt       halt;
    /* output */
    bool        keep_order, line_buffer, tag, quiet, progress, stats, json, dry_run;
    const char *results;
    /* the log */
    const char *joblog;
    bool        resume, resume_failed, retry_failed;
    bool        help; /* --help: nothing else counts */
};

/* Where an option stands in --help. */
enum cmd_group {
    CMD_GROUP_INPUT,
    CMD_GROUP_COMMAND,
    CMD_GROUP_RUN,
    CMD_GROUP_LIMIT,
    CMD_GROUP_OUTPUT,
    CMD_GROUP_LOG,
    CMD_GROUP_INFO,
    CMD_GROUPS
};

struct cmd_option;
/* Parse `text` into `target`, whose type belongs to the function.  0, or CMD_EXIT_USAGE after a
 * message. */
typedef int cmd_parse_fn(void *target, const char *text, const struct cmd_option *option);

struct cmd_option {
    const char    *name;
    char           letter; /* 0: none */
    enum cmd_group group;
    cmd_parse_fn  *parse; /* NULL: a flag, a bool */
    size_t         offset;
    const char    *value; /* its word in --help */
    unsigned       min, max;
    const char    *help;
};

extern const struct cmd_option cmd_option_table[];
extern const size_t            cmd_option_count;
extern const char *const       cmd_group_names[CMD_GROUPS];

/* argv[0] is "run".  0, or CMD_EXIT_USAGE after a message. */
int  cmd_options_parse(struct cmd_options *options, int argc, char **argv);
void cmd_options_free(struct cmd_options *options);

/* What somebody may have meant by an unknown long option: what to type, or "= " and a sentence, or NULL. */
/* Edits between two words of up to 32 bytes; 32 when one is longer. */
unsigned    cmd_word_distance(const char *a, const char *b);
const char *cmd_suggest(const char *word);

/* procpool --help; procpool run --help; procpool help options.  Text to be freed, or NULL. */
extern const char cmd_help[];
char             *cmd_help_run(void);
char             *cmd_help_options(void);

#endif
