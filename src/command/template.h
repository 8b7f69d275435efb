/*
 * template.h - the command as it was typed, with `{}` where the input goes.
 */
#ifndef CMD_TEMPLATE_H
#define CMD_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

struct cmd_template {
    char *const *words;
    size_t       count;    /* 1 at least */
    bool         has_mark; /* some word holds `{}`; otherwise the input is one more word */
};

/* An argument vector as bytes: words, each ended by NUL.  Reused from task to task. */
struct cmd_words {
    char  *data;
    size_t size, capacity;
};

void cmd_template_init(struct cmd_template *command, char *const *words, size_t count);
/* The words for one input.  0 or -ENOMEM. */
int  cmd_template_expand(const struct cmd_template *command, const char *input, size_t length,
                         struct cmd_words *out);
void cmd_words_free(struct cmd_words *words);

/* Can the command be started at all?  0, or a negative errno as execvp would give it; 0 as well
 * when its name depends on the input. */
int cmd_template_check(const struct cmd_template *command);

#endif
