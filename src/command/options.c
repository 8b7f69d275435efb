/*
 * options.c - the command line of `procpool run`: split into options, command and sources, and
 * checked as a whole.
 *
 *     run [OPTIONS] COMMAND ARGUMENTS... [::: INPUTS...] [:::: FILES...] [:::+ INPUTS...] ...
 *
 * Our options end at the first word that is none ('+' of getopt), so those of COMMAND are left
 * alone.  The first separator ends the command.
 */
#define _GNU_SOURCE
#include "options.h"

#include "option_values.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_ONLY = 256, MAX_OPTIONS = 64 };

/* ------------------------------------------------------------- one option */

static int code(size_t row)
{
    return cmd_option_table[row].letter != 0 ? cmd_option_table[row].letter : LONG_ONLY + (int)row;
}

static const struct cmd_option *row_of(int option)
{
    for (size_t i = 0; i < cmd_option_count; i++) {
        if (code(i) == option)
            return &cmd_option_table[i];
    }
    return option == 'P' ? row_of('j') : NULL; /* as xargs and parallel call it, too */
}

/* What getopt_long wants, from the table. */
static void make_getopt(struct option *longs, char *letters)
{
    *letters++ = '+';
    *letters++ = ':';
    *letters++ = 'P';
    *letters++ = ':';
    for (size_t i = 0; i < cmd_option_count; i++) {
        const struct cmd_option *row = &cmd_option_table[i];
        *longs++ = (struct option){row->name, row->parse != NULL ? required_argument : no_argument,
                                   NULL, code(i)};
        if (row->letter != 0)
            *letters++ = row->letter;
        if (row->letter != 0 && row->parse != NULL)
            *letters++ = ':';
    }
    *longs = (struct option){0};
    *letters = '\0';
}

/* Several options begin so: their names, as far as there is room. */
static bool is_ambiguous(const char *word, char *names, size_t size)
{
    size_t   length = strcspn(word, "=");
    size_t   used = 0;
    unsigned found = 0;
    for (size_t i = 0; i < cmd_option_count && length > 2; i++) {
        const char *name = cmd_option_table[i].name;
        if (strncmp(name, word + 2, length - 2) != 0)
            continue;
        if (used < size)
            used += (size_t)snprintf(names + used, size - used, "%s--%s", found++ > 0 ? ", " : "",
                                     name);
    }
    return found > 1;
}

static void complain_unknown(const char *shown, const char *word)
{
    char        several[512];
    char        name[64] = "";
    const char *hint = NULL;
    if (strncmp(word, "--", 2) == 0 && strcspn(word + 2, "=") < sizeof name) {
        memcpy(name, word + 2, strcspn(word + 2, "="));
        hint = cmd_suggest(name);
    }
    if (word[0] == '-' && word[1] != '\0' && word[2] == '\0')
        hint = cmd_suggest(word + 1);
    if (name[0] != '\0' && is_ambiguous(word, several, sizeof several))
        cmd_error("run: '%s' may be %s", shown, several);
    else if (hint != NULL && strncmp(hint, "= ", 2) == 0)
        cmd_error("run: unknown option '%s'; %s. See 'procpool run --help'", shown, hint + 2);
    else if (hint != NULL)
        cmd_error("run: unknown option '%s'; did you mean %s? See 'procpool run --help'", shown,
                  hint);
    else
        cmd_error("run: unknown option '%s'; see 'procpool run --help'", shown);
}

/* getopt has refused something; `word` is the one that it was looking at. */
static int complain(int kind, const char *word)
{
    char                     shown[128];
    char                     one[3] = {'-', (char)optopt, '\0'};
    bool                     is_long = strncmp(word, "--", 2) == 0;
    const struct cmd_option *row = optopt != 0 ? row_of(optopt) : NULL;
    if (!is_long)
        word = one;
    cmd_printable(shown, sizeof shown, word, strlen(word));
    if (kind == ':' && row != NULL)
        cmd_error("run: %s: a value is missing: %s %s", shown, shown, row->value);
    else if (is_long && row != NULL)
        cmd_error("run: %s: takes no value", shown);
    else
        complain_unknown(shown, word);
    return CMD_EXIT_USAGE;
}

static int apply(struct cmd_options *options, int option, const char *word)
{
    const struct cmd_option *row = row_of(option);
    if (row == NULL || option == ':' || option == '?')
        return complain(option, word);
    void *target = (char *)options + row->offset;
    if (row->parse != NULL)
        return row->parse(target, optarg, row);
    *(bool *)target = true;
    return 0;
}

/* --------------------------------------------------------------- sources */

static const struct separator {
    const char *word;
    bool        files, linked;
} separators[] = {
    {":::", false, false},
    {"::::", true, false},
    {":::+", false, true},
    {"::::+", true, true},
};

static const struct separator *separator_of(const char *word)
{
    for (size_t i = 0; i < sizeof separators / sizeof separators[0]; i++) {
        if (strcmp(word, separators[i].word) == 0)
            return &separators[i];
    }
    return NULL;
}

static size_t words_until_separator(char *const *words, size_t count)
{
    size_t at = 0;
    while (at < count && separator_of(words[at]) == NULL)
        at++;
    return at;
}

static void add_files(struct cmd_options *options, char *const *files, size_t count, bool linked)
{
    for (size_t i = 0; i < count; i++)
        options->sources[options->source_count++] =
            (struct cmd_source_spec){.file = files[i], .linked = linked};
}

static int add_source(struct cmd_options *options, const struct separator *separator,
                      char *const *words, size_t count)
{
    if (separator->linked && options->source_count == 0) {
        cmd_error("run: '%s' goes with a source before it, and there is none; type '%s'",
                  separator->word, separator->files ? "::::" : ":::");
        return CMD_EXIT_USAGE;
    }
    if (separator->files && count == 0) {
        cmd_error("run: '%s' without a file", separator->word);
        return CMD_EXIT_USAGE;
    }
    if (separator->files)
        add_files(options, words, count, separator->linked);
    else
        options->sources[options->source_count++] =
            (struct cmd_source_spec){.words = words, .count = count, .linked = separator->linked};
    return 0;
}

static int split(struct cmd_options *options, size_t count, char *const *words)
{
    size_t at = words_until_separator(words, count);
    options->command = words;
    options->command_count = at;
    options->sources = calloc(count + options->files.count + 1, sizeof *options->sources);
    if (options->sources == NULL) {
        cmd_error("run: no memory");
        return CMD_EXIT_USAGE;
    }
    add_files(options, options->files.items, options->files.count, false);
    while (at < count) {
        const struct separator *separator = separator_of(words[at++]);
        size_t                  length = words_until_separator(words + at, count - at);
        int status = separator != NULL ? add_source(options, separator, words + at, length) : 0;
        if (status != 0)
            return status;
        at += length;
    }
    return 0;
}

/* --------------------------------------------------- options that need others */

static bool has_columns(const struct cmd_options *options)
{
    return options->csv && options->colsep != NULL;
}

static bool limits_in_plugin(const struct cmd_options *options)
{
    return options->plugin != NULL &&
           (options->limits.memory > 0 || options->limits.files > 0 || options->limits.cpu > 0);
}

static bool plugin_alone(const struct cmd_options *options)
{
    return options->plugin != NULL && options->function == NULL;
}

static bool function_alone(const struct cmd_options *options)
{
    return options->plugin == NULL && options->function != NULL;
}

static bool json_without_plugin(const struct cmd_options *options)
{
    return options->json_lines && options->plugin == NULL;
}

static bool json_columns(const struct cmd_options *options)
{
    return options->json_lines && (options->csv || options->colsep != NULL || options->header ||
                                   options->source_count > 1);
}

static bool shell_plugin(const struct cmd_options *options)
{
    return options->shell && !options->retry_failed && options->plugin != NULL;
}

static bool dry_plugin(const struct cmd_options *options)
{
    return options->dry_run && options->plugin != NULL;
}

static bool resume_without_log(const struct cmd_options *options)
{
    return (options->resume || options->resume_failed || options->retry_failed) &&
           options->joblog == NULL;
}

static bool several_resumes(const struct cmd_options *options)
{
    return options->resume + options->resume_failed + options->retry_failed > 1;
}

static bool retry_with_inputs(const struct cmd_options *options)
{
    return options->retry_failed &&
           (options->command_count > 0 || options->source_count > 0 || options->plugin != NULL);
}

static bool header_with_colon(const struct cmd_options *options)
{
    return options->header && options->command_count > 0 && strcmp(options->command[0], ":") == 0;
}

static bool no_command(const struct cmd_options *options)
{
    return options->plugin == NULL && options->command_count == 0 && !options->shell &&
           !options->retry_failed;
}

static bool json_and_lines(const struct cmd_options *options)
{
    return options->json && (options->line_buffer || options->tag);
}

static bool dry_events(const struct cmd_options *options)
{
    return options->json && options->dry_run;
}

static bool soft_behind_hard(const struct cmd_options *options)
{
    return options->timeout > 0 && options->soft_timeout.seconds >= options->timeout;
}

static bool delay_without_retries(const struct cmd_options *options)
{
    return options->retry_delay > 0 && options->retries == 0;
}

static bool two_delimiters(const struct cmd_options *options)
{
    return options->null && options->delimiter > 0;
}

static const struct {
    bool (*applies)(const struct cmd_options *);
    const char *message;
} mistakes[] = {
    {plugin_alone, "--plugin needs --function NAME"},
    {function_alone, "--function needs --plugin FILE"},
    {json_without_plugin, "--json-lines is for a function: it needs --plugin and --function"},
    {json_columns, "--json-lines takes whole lines of one source: no --csv, --colsep or --header"},
    {shell_plugin, "--shell is for a command, and --plugin calls a function: one of the two"},
    {dry_plugin, "--dry-run is for a command, and --plugin calls a function"},
    {limits_in_plugin,
     "--max-memory, --max-cpu and --max-files are for a command, not for --plugin"},
    {has_columns, "--csv and --colsep: one of the two"},
    {two_delimiters, "--null and --delimiter: one of the two"},
    {resume_without_log, "--resume, --resume-failed and --retry-failed need --joblog FILE"},
    {several_resumes, "--resume, --resume-failed, --retry-failed: one of them"},
    {retry_with_inputs, "--retry-failed takes commands and inputs from the job log: give neither"},
    {json_and_lines, "--json has the output in its events: no --line-buffer and no --tag"},
    {dry_events, "--dry-run shows commands, and --json what happens to them: one of the two"},
    {soft_behind_hard, "--soft-timeout is not before --timeout"},
    {delay_without_retries, "--retry-delay needs --retries N"},
    {header_with_colon, "--header takes no argument: leave ':' away"},
    {no_command, "no command; see 'procpool run --help'"},
};

static int check(const struct cmd_options *options)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        if (!mistakes[i].applies(options))
            continue;
        cmd_error("run: %s", mistakes[i].message);
        return CMD_EXIT_USAGE;
    }
    if (options->plugin == NULL || options->command_count == 0)
        return 0;
    cmd_error("run: a command, '%s', and --plugin: one of the two; inputs stand after ':::'",
              options->command[0]);
    return CMD_EXIT_USAGE;
}

int cmd_options_parse(struct cmd_options *options, int argc, char **argv)
{
    struct option longs[MAX_OPTIONS];
    char          letters[2 * MAX_OPTIONS];
    unsigned      cpus = cmd_online_cpus();
    *options = (struct cmd_options){.jobs = {cpus, cpus}, .delimiter = -1};
    make_getopt(longs, letters);
    opterr = 0;
    optind = 0; /* glibc: begin anew, with the '+' that follows */
    for (;;) {
        int         at = optind > 0 ? optind : 1;
        const char *word = at < argc ? argv[at] : "";
        int         option = getopt_long(argc, argv, letters, longs, NULL);
        if (option == -1)
            break;
        int status = apply(options, option, word);
        if (status != 0 || options->help)
            return status;
    }
    int status = split(options, (size_t)(argc - optind), argv + optind);
    options->shell |= options->retry_failed; /* the log has shell lines */
    return status != 0 ? status : check(options);
}

void cmd_options_free(struct cmd_options *options)
{
    free(options->sources);
    free(options->colsep);
    free(options->files.items);
    free(options->environment.items);
}
