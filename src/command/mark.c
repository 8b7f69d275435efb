/*
 * mark.c - {} {.} {/} {//} {/.} {#} {%}, and {1.} or {name/} for one column.
 *
 * Braces with anything else between them are text, so awk '{print}' needs nothing special.
 */
#include "mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    enum cmd_op op;
} endings[] = {/* the longest first */
               {"//", CMD_OP_FOLDER},
               {"/.", CMD_OP_BARE},
               {"/", CMD_OP_BASE},
               {".", CMD_OP_NO_EXTENSION},
               {"", CMD_OP_WHOLE}};

enum { ENDINGS = sizeof endings / sizeof endings[0], LONGEST_INDEX = 6, LONGEST_NAME = 31 };

static bool is_number(struct cmd_text text, long *number)
{
    char   copy[LONGEST_INDEX + 1], *end = NULL;
    size_t sign = text.length > 0 && text.data[0] == '-';
    if (text.length == sign || text.length > LONGEST_INDEX)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (strspn(copy + sign, "0123456789") != text.length - sign)
        return false;
    *number = strtol(copy, &end, 10);
    return *number != 0;
}

static const struct cmd_name *find_name(const struct cmd_inputs *inputs, struct cmd_text text)
{
    for (size_t i = 0; i < inputs->name_count && text.length > 0; i++) {
        const char *name = inputs->names[i].name;
        if (strlen(name) == text.length && memcmp(name, text.data, text.length) == 0)
            return &inputs->names[i];
    }
    return NULL;
}

/* What stands before the ending: nothing, a number or a name. */
static bool set_column(struct cmd_piece *piece, struct cmd_text what,
                       const struct cmd_inputs *inputs)
{
    piece->of = CMD_OF_ALL;
    if (what.length == 0)
        return true;
    piece->name = find_name(inputs, what);
    piece->of = piece->name != NULL ? CMD_OF_NAME : CMD_OF_INDEX;
    return piece->name != NULL || is_number(what, &piece->index);
}

size_t cmd_mark_parse(struct cmd_piece *piece, const char *text, const struct cmd_inputs *inputs)
{
    const char *close = strchr(text, '}');
    if (close == NULL)
        return 0;
    struct cmd_text inside = {text + 1, (size_t)(close - text) - 1};
    *piece = (struct cmd_piece){.text = {text, inside.length + 2}};
    if (inside.length == 1 && (inside.data[0] == '#' || inside.data[0] == '%')) {
        piece->op = inside.data[0] == '#' ? CMD_OP_SEQ : CMD_OP_SLOT;
        return piece->text.length;
    }
    for (size_t i = ENDINGS; i-- > 0;) { /* the shortest first: a name may end in a dot */
        size_t length = strlen(endings[i].text);
        if (inside.length < length || memcmp(close - length, endings[i].text, length) != 0 ||
            !set_column(piece, (struct cmd_text){inside.data, inside.length - length}, inputs))
            continue;
        piece->op = endings[i].op;
        return piece->text.length;
    }
    return 0;
}

const char *cmd_mark_meant(const char *text, const struct cmd_inputs *inputs)
{
    char        name[LONGEST_NAME + 1];
    const char *close = strchr(text, '}');
    size_t      length = close != NULL ? (size_t)(close - text) - 1 : 0;
    while (length > 0 && strchr("./", text[length]) != NULL)
        length--;
    if (length < 3 || length > LONGEST_NAME)
        return NULL;
    memcpy(name, text + 1, length);
    name[length] = '\0';
    for (size_t i = 0; i < inputs->name_count; i++) {
        if (cmd_word_distance(name, inputs->names[i].name) <= length / 3)
            return inputs->names[i].name;
    }
    return NULL;
}

int cmd_mark_column(const struct cmd_piece *piece, const struct cmd_inputs *inputs,
                    const struct cmd_input *input, struct cmd_text *column)
{
    size_t at = 0, end = input->count;
    if (piece->of == CMD_OF_NAME) {
        size_t source = piece->name->source;
        at = inputs->first_column[source] + piece->name->column;
        if (source + 1 < inputs->count)
            end = inputs->first_column[source + 1];
    } else {
        at = piece->index > 0 ? (size_t)piece->index - 1 : end - (size_t)-piece->index;
    }
    if (at >= end) /* one below 0 is very large */
        return -ENOENT;
    *column = input->columns[at];
    return 0;
}

static const char *last_slash(struct cmd_text text)
{
    return text.length > 0 ? memrchr(text.data, '/', text.length) : NULL;
}

static struct cmd_text base(struct cmd_text text)
{
    const char *slash = last_slash(text);
    if (slash == NULL)
        return text;
    size_t skipped = (size_t)(slash + 1 - text.data);
    return (struct cmd_text){slash + 1, text.length - skipped};
}

/* Without the last dot of the last component, and what is behind it. */
static struct cmd_text no_extension(struct cmd_text text)
{
    struct cmd_text name = base(text);
    const char     *dot = name.length > 0 ? memrchr(name.data, '.', name.length) : NULL;
    if (dot == NULL)
        return text;
    return (struct cmd_text){text.data, (size_t)(dot - text.data)};
}

static struct cmd_text folder(struct cmd_text text)
{
    while (text.length > 1 && text.data[text.length - 1] == '/')
        text.length--;
    const char *slash = last_slash(text);
    if (slash == NULL)
        return (struct cmd_text){".", 1};
    size_t length = (size_t)(slash - text.data);
    while (length > 1 && text.data[length - 1] == '/')
        length--;
    return (struct cmd_text){text.data, length > 0 ? length : 1};
}

struct cmd_text cmd_mark_apply(enum cmd_op op, struct cmd_text column)
{
    switch (op) {
    case CMD_OP_NO_EXTENSION:
        return no_extension(column);
    case CMD_OP_BASE:
        return base(column);
    case CMD_OP_FOLDER:
        return folder(column);
    case CMD_OP_BARE:
        return no_extension(base(column));
    default:
        return column;
    }
}
