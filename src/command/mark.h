/*
 * mark.h - what stands between braces in a command, and what it becomes.
 */
#ifndef CMD_MARK_H
#define CMD_MARK_H

#include "inputs.h"

enum cmd_op {
    CMD_OP_LITERAL,
    CMD_OP_WHOLE,        /* {} */
    CMD_OP_NO_EXTENSION, /* {.} */
    CMD_OP_BASE,         /* {/} */
    CMD_OP_FOLDER,       /* {//} */
    CMD_OP_BARE,         /* {/.} */
    CMD_OP_SEQ,          /* {#} */
    CMD_OP_SLOT          /* {%} */
};

/* A piece of a word: text as it stands, or a mark. */
struct cmd_piece {
    enum cmd_op     op;
    struct cmd_text text; /* as it was typed */
    enum { CMD_OF_ALL, CMD_OF_INDEX, CMD_OF_NAME } of;
    long                   index; /* from 1; negative: from the end */
    const struct cmd_name *name;
};

/* Is there a mark at `text`, which begins with '{'?  Its length, or 0: it is text. */
size_t cmd_mark_parse(struct cmd_piece *piece, const char *text, const struct cmd_inputs *inputs);
/* Text between braces that is nearly the name of a column: that name, or NULL. */
const char *cmd_mark_meant(const char *text, const struct cmd_inputs *inputs);
/* The column that the mark is of: 0, or -ENOENT: the input has none. */
int cmd_mark_column(const struct cmd_piece *piece, const struct cmd_inputs *inputs,
                    const struct cmd_input *input, struct cmd_text *column);
/* The part of a column that the mark asks for. */
struct cmd_text cmd_mark_apply(enum cmd_op op, struct cmd_text column);

#endif
