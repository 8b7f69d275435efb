/*
 * command_line.h - what is run, as a line that a shell would run.
 */
#ifndef CMD_COMMAND_LINE_H
#define CMD_COMMAND_LINE_H

#include "inputs.h"
#include "options.h"
#include "words.h"

/* Words of template.h as a line, to be freed; NULL: no memory. */
char *cmd_line_of_words(const struct cmd_words *words, bool shell, unsigned slot);
/* The call of a function, as the command that makes it: appended to `words` as --shell would. */
int cmd_line_of_call(struct cmd_words *words, const struct cmd_options *options, const char *plugin,
                     const struct cmd_input *input);

#endif
