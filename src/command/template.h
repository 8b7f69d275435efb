/*
 * template.h - the command as it was typed, with marks where the inputs go.
 */
#ifndef CMD_TEMPLATE_H
#define CMD_TEMPLATE_H

#include "inputs.h"
#include "mark.h"
#include "words.h"

/* A word of the command, in pieces.  With --shell the whole line is one. */
struct cmd_word {
    struct cmd_piece *pieces;
    size_t            count;
};

struct cmd_template {
    const struct cmd_inputs *inputs;
    struct cmd_word         *words;
    size_t                   count;
    char                    *line;             /* --shell: the words with blanks between */
    bool                     shell, raw;       /* raw: the input is the line */
    bool                     has_mark;         /* otherwise the input is appended */
    bool                     has_slot;         /* some mark is {%} */
    const char              *misspelt, *meant; /* -ENOKEY */
};

/* `words` stand as long as the template.  0, -ENOMEM, or -EINVAL: a mark in a shell line behind a
 * backslash or a here-document's <<, or in arithmetic; -ENOKEY: something is nearly the name of a column. */
int cmd_template_init(struct cmd_template *command, char *const *words, size_t count, bool shell,
                      const struct cmd_inputs *inputs);
/* The words for one input.  0, -ENOMEM, -EILSEQ: a NUL byte; -ENOENT: a column is missing. */
int  cmd_template_expand(const struct cmd_template *command, const struct cmd_input *input,
                         struct cmd_words *out);
void cmd_template_free(struct cmd_template *command);

/* Can the command be started at all?  0, or a negative errno as execvp would give it; 0 as well
 * when its name depends on the input. */
int cmd_template_check(const struct cmd_template *command);

#endif
