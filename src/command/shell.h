/*
 * shell.h - words quoted for a shell, and values put into a shell line.
 */
#ifndef CMD_SHELL_H
#define CMD_SHELL_H

#include "source.h"
#include "words.h"

/* As a shell would have to be given it: plain, or between single quotes.  0 or -ENOMEM. */
int cmd_shell_quote(struct cmd_words *out, struct cmd_text text);

enum { CMD_SHELL_DEPTH = 8 };

/* Where in a shell line we are, by what was read so far. */
struct cmd_shell_place {
    char     quote;   /* 0, ' or " */
    bool     escaped; /* behind a backslash */
    bool     comment;
    bool     unsure;   /* something was read whose quoting is followed roughly only */
    bool     document; /* a here-document has begun */
    char     previous; /* 0 at the beginning of a word */
    char     before; /* what it was before the backslash: with a newline behind that, both vanish */
    bool     parameter;  /* in $name */
    bool     of_name;    /* in ${name, or behind ${name: */
    bool     offset;     /* in ${...}, where a number is wanted */
    bool     lost;       /* where we are is not known any more */
    bool     escapes;    /* in $'...' */
    bool     condition;  /* in [[...]] */
    int      brackets;   /* that the word consists of: of [[ 1 and 2, of ]] -1 and -2 */
    int      word;       /* characters of the word, up to 3 */
    unsigned matched;    /* letters of "case" */
    unsigned braces;     /* of ${...}: how many are open */
    unsigned arithmetic; /* in ((...)): the parentheses that are open */
    /* of the commands within quotes or backquotes that we are in: */
    unsigned depth;
    struct {
        char     quote;  /* around it */
        char     opened; /* by ( or ` */
        unsigned parens; /* open within it */
    } outer[CMD_SHELL_DEPTH];
};

void cmd_shell_read(struct cmd_shell_place *place, struct cmd_text text);
/* A mark is passed; what it stands for is a part of a word. */
void cmd_shell_pass_mark(struct cmd_shell_place *place);
/* Can a value stand here at all? */
bool cmd_shell_is_possible(const struct cmd_shell_place *place);
/* Can a number of ours?  In arithmetic, yes, as it is. */
bool cmd_shell_takes_number(const struct cmd_shell_place *place);
bool cmd_shell_is_arithmetic(const struct cmd_shell_place *place);
/* May a value be written into the line here?  Otherwise it has to go into a variable. */
bool cmd_shell_is_sure(const struct cmd_shell_place *place);
/* Write what keeps a value from being taken for a part of the name before it. */
int cmd_shell_end_name(struct cmd_words *out, const struct cmd_shell_place *place);
/* Write it: it is one word, or a part of one, and never code.  0 or -ENOMEM. */
int cmd_shell_value(struct cmd_words *out, const struct cmd_shell_place *place,
                    struct cmd_text value);
/* Write what gives the variable's value here. */
int cmd_shell_reference(struct cmd_words *out, const struct cmd_shell_place *place,
                        const char *variable);

#endif
