/*
 * command_line.c - for --dry-run, the job log and events.
 *
 * The line does the same as what was executed: --retry-failed, or GNU parallel's, runs it again.
 */
#define _GNU_SOURCE
#include "command_line.h"

#include "shell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int quote_words(struct cmd_words *line, const char *at, const char *end)
{
    int error = 0;
    for (const char *word = at; word < end && error == 0; word += strlen(word) + 1) {
        if (word != at)
            error = cmd_words_append_string(line, " ");
        if (error == 0)
            error = cmd_shell_quote(line, (struct cmd_text){word, strlen(word)});
    }
    return error < 0 ? error : cmd_words_append(line, "", 1);
}

char *cmd_line_of_words(const struct cmd_words *words, bool shell, unsigned slot)
{
    struct cmd_words line = {0};
    size_t           size = 0;
    char            *filled = cmd_words_fill(words->data, words->size, words->slots,
                                             words->slot_count * sizeof *words->slots, slot, &size);
    if (filled == NULL || !shell) {
        int error = filled == NULL ? -ENOMEM : quote_words(&line, filled, filled + size);
        free(filled);
        if (error == 0)
            return line.data;
        cmd_words_free(&line);
        return NULL;
    }
    const char *third = filled + strlen(filled) + 1; /* /bin/sh -c LINE */
    char       *copy = strdup(third + strlen(third) + 1);
    free(filled);
    return copy;
}

int cmd_line_of_call(struct cmd_words *words, const struct cmd_options *options, const char *plugin,
                     const struct cmd_input *input)
{
    const char *fixed[] = {"procpool",
                           "run",
                           "--plugin",
                           plugin,
                           "--function",
                           options->function,
                           options->json_lines ? "--json-lines" : NULL};
    size_t      file = strlen(plugin) - strlen(options->function) - 1; /* FILE:FUNCTION */
    int         error = 0;
    cmd_words_clear(words);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0] && error == 0; i++) {
        if (fixed[i] != NULL)
            error = cmd_words_append(words, fixed[i], fixed[i] == plugin ? file : strlen(fixed[i]));
        if (fixed[i] != NULL && error == 0)
            error = cmd_words_append(words, "", 1);
    }
    for (size_t i = 0; i < input->count && error == 0; i++) {
        error = cmd_words_append(words, ":::", sizeof ":::");
        if (error == 0)
            error = cmd_words_append(words, input->columns[i].data, input->columns[i].length);
        if (error == 0)
            error = cmd_words_append(words, "", 1);
    }
    return error;
}
