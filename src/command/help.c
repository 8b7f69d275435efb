/*
 * help.c - the texts of --help; the first two fit a screen of 80 columns and 24 lines.
 *
 * What stands about options is made from the table, so that nothing is forgotten.
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 79, INDENT = 10 };

const char cmd_help[] =
    "Usage: procpool COMMAND [...]\n"
    "\n"
    "Run tasks in a pool of worker processes.\n"
    "\n"
    "Commands\n"
    "  run           run a command, or a plugin's function, for each of many inputs\n"
    "  help [run]    show this text, or that of a command\n"
    "  help options  explain each option of run\n"
    "  version       show the version\n"
    "\n"
    "procpool --help and procpool --version do the same.\n";

static const char head[] =
    "Usage: procpool run [OPTIONS] COMMAND [ARGUMENT...] [::: INPUT...]\n"
    "Run COMMAND once for each input: words after ':::', lines of files after '::::',\n"
    "else lines of standard input. {} is the input, appended if nowhere; {.} {/} {//}\n"
    "{/.} parts of its path, {1} {name} columns, {#} its number, {%} a worker.\n";

static const char tail[] =
    "Exit status: 0 all succeeded, 1 some did not, 2 usage, 3 the run broke off,\n"
    "126/127 COMMAND not executable/found, 128+N signal N. INT: once, let what runs\n"
    "finish; twice, stop it. More: procpool help options, man procpool-run.\n";

/* One name as it stands in the overview: "-j,--jobs=N". */
static int overview_name(char *out, size_t size, const struct cmd_option *row)
{
    bool        brief = row->value != NULL && strlen(row->value) > 14;
    const char *value = brief ? "WHEN" : row->value;
    return snprintf(out, size, "%.*s%.*s%s--%s%s%s", row->letter != 0, "-", row->letter != 0,
                    &row->letter, row->letter != 0 ? "," : "", row->name, value != NULL ? " " : "",
                    value != NULL ? value : "");
}

static void put_group(FILE *stream, enum cmd_group group)
{
    int column = fprintf(stream, "%-*s", INDENT - 1, cmd_group_names[group]);
    for (size_t i = 0; i < cmd_option_count; i++) {
        char name[64];
        if (cmd_option_table[i].group != group)
            continue;
        int length = overview_name(name, sizeof name, &cmd_option_table[i]);
        if (column + 1 + length > WIDTH)
            column = fprintf(stream, "\n%*s", INDENT - 1, "") - 1;
        column += fprintf(stream, " %s", name);
    }
    fputc('\n', stream);
}

static char *finished(FILE *stream, char **text)
{
    if (fclose(stream) == 0)
        return *text;
    free(*text);
    return NULL;
}

char *cmd_help_run(void)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return NULL;
    fputs(head, stream);
    for (int group = 0; group < CMD_GROUPS; group++)
        put_group(stream, (enum cmd_group)group);
    fputs(tail, stream);
    return finished(stream, &text);
}

char *cmd_help_options(void)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return NULL;
    fputs("The options of procpool run; the manual page procpool-run(1) has more.\n", stream);
    for (size_t i = 0; i < cmd_option_count; i++) {
        const struct cmd_option *row = &cmd_option_table[i];
        if (i == 0 || row->group != row[-1].group)
            fprintf(stream, "\n%s\n", cmd_group_names[row->group]);
        if (row->letter != 0)
            fprintf(stream, "  -%c, --%s", row->letter, row->name);
        else
            fprintf(stream, "      --%s", row->name);
        fprintf(stream, "%s%s\n          %s\n", row->value != NULL ? " " : "",
                row->value != NULL ? row->value : "", row->help);
    }
    return finished(stream, &text);
}
