/*
 * template.c - from the typed command and one input to the words that are executed.
 *
 * Without --shell no shell is involved: an input is one word, or a part of one, whatever stands in
 * it.  A word that is nothing but {} becomes as many words as the input has columns.
 *
 * With --shell the words are one line for /bin/sh, as if typed there, and values are put in as
 * shell.h says.
 */
#define _GNU_SOURCE
#include "template.h"

#include "program.h"
#include "shell.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ parsing */

static int add_piece(struct cmd_word *word, struct cmd_piece piece)
{
    if (piece.text.length == 0)
        return 0;
    struct cmd_piece *pieces = reallocarray(word->pieces, word->count + 1, sizeof *pieces);
    if (pieces == NULL)
        return -ENOMEM;
    word->pieces = pieces;
    pieces[word->count++] = piece;
    return 0;
}

static int parse_word(struct cmd_template *command, const char *text)
{
    struct cmd_word *word = &command->words[command->count++];
    const char      *literal = text;
    int              error = 0;
    while (error == 0 && (text = strchr(text, '{')) != NULL) {
        struct cmd_piece mark;
        size_t           length = cmd_mark_parse(&mark, text, command->inputs);
        if (length == 0) {
            command->misspelt = text;
            command->meant = cmd_mark_meant(text++, command->inputs);
            if (command->meant != NULL)
                return -ENOKEY;
            continue;
        }
        error = add_piece(word, (struct cmd_piece){.text = {literal, (size_t)(text - literal)}});
        if (error == 0)
            error = add_piece(word, mark);
        command->has_mark = true;
        command->has_slot |= mark.op == CMD_OP_SLOT;
        text += length;
        literal = text;
    }
    if (error < 0)
        return error;
    return add_piece(word, (struct cmd_piece){.text = {literal, strlen(literal)}});
}

static bool is_number(const struct cmd_piece *piece)
{
    return piece->op == CMD_OP_SEQ || piece->op == CMD_OP_SLOT;
}

/* A mark where no value can stand. */
static bool has_impossible_mark(const struct cmd_word *line)
{
    struct cmd_shell_place place = {0};
    for (size_t i = 0; i < line->count; i++) {
        const struct cmd_piece *piece = &line->pieces[i];
        if (piece->op == CMD_OP_LITERAL)
            cmd_shell_read(&place, piece->text);
        else if (cmd_shell_is_possible(&place) ||
                 (is_number(piece) && cmd_shell_takes_number(&place)))
            cmd_shell_pass_mark(&place);
        else
            return true;
    }
    return false;
}

static int join(struct cmd_template *command, char *const *words, size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++)
        size += strlen(words[i]) + 1;
    char *at = command->line = malloc(size + sizeof " {}");
    if (at == NULL)
        return -ENOMEM;
    *at = '\0';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            at = stpcpy(at, " ");
        at = stpcpy(at, words[i]);
    }
    return 0;
}

static int init_line(struct cmd_template *command, char *const *words, size_t count)
{
    command->raw = count == 0;
    int error = join(command, words, count);
    if (error == 0)
        error = parse_word(command, command->line);
    if (error < 0 || command->raw)
        return error;
    if (!command->has_mark) { /* parse it again, longer */
        free(command->words[0].pieces);
        command->words[0] = (struct cmd_word){0};
        command->count = 0;
        memcpy(command->line + strlen(command->line), " {}", sizeof " {}"); /* join() left room */
        error = parse_word(command, command->line);
    }
    return error == 0 && has_impossible_mark(&command->words[0]) ? -EINVAL : error;
}

int cmd_template_init(struct cmd_template *command, char *const *words, size_t count, bool shell,
                      const struct cmd_inputs *inputs)
{
    *command = (struct cmd_template){.inputs = inputs, .shell = shell};
    command->words = calloc(count + 2, sizeof *command->words);
    if (command->words == NULL)
        return -ENOMEM;
    if (shell)
        return init_line(command, words, count);
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = parse_word(command, words[i]);
    if (error == 0 && !command->has_mark)
        error = parse_word(command, "{}");
    return error;
}

void cmd_template_free(struct cmd_template *command)
{
    for (size_t i = 0; i < command->count; i++)
        free(command->words[i].pieces);
    free(command->words);
    free(command->line);
    *command = (struct cmd_template){0};
}

/* ---------------------------------------------------------------- expanding */

/* One task's command on its way to `out`. */
struct expansion {
    const struct cmd_template *command;
    const struct cmd_input    *input;
    struct cmd_words          *out;
};

/* What a mark stands for becomes one text after the other, through `put`; `between` goes between
 * those of {} with several columns. */
typedef int put_fn(struct expansion *x, struct cmd_text value, void *argument);

static int each_value(struct expansion *x, const struct cmd_piece *piece, put_fn *put,
                      void *argument, struct cmd_text between)
{
    struct cmd_text column;
    char            number[24];
    if (piece->op == CMD_OP_SLOT)
        return cmd_words_slot(x->out);
    if (piece->op == CMD_OP_SEQ) {
        column.data = number;
        column.length =
            (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)x->input->seq);
        return put(x, column, argument);
    }
    if (piece->of != CMD_OF_ALL) {
        int error = cmd_mark_column(piece, x->command->inputs, x->input, &column);
        return error < 0 ? error : put(x, cmd_mark_apply(piece->op, column), argument);
    }
    int error = 0;
    for (size_t i = 0; i < x->input->count && error == 0; i++) {
        if (i > 0)
            error = cmd_words_append(x->out, between.data, between.length);
        if (error == 0)
            error = put(x, cmd_mark_apply(piece->op, x->input->columns[i]), argument);
    }
    return error;
}

static int put_plain(struct expansion *x, struct cmd_text value, void *argument)
{
    (void)argument;
    return cmd_words_append(x->out, value.data, value.length);
}

static int expand_word(struct expansion *x, const struct cmd_word *word)
{
    bool            alone = word->count == 1; /* then each column is a word of its own */
    struct cmd_text between = {alone ? "" : " ", 1};
    int             error = 0;
    for (size_t i = 0; i < word->count && error == 0; i++) {
        const struct cmd_piece *piece = &word->pieces[i];
        if (piece->op == CMD_OP_LITERAL)
            error = cmd_words_append(x->out, piece->text.data, piece->text.length);
        else
            error = each_value(x, piece, put_plain, NULL, between);
    }
    return error < 0 ? error : cmd_words_append(x->out, "", 1);
}

/* ------------------------------------------------------------- a shell line */

static int put_in_place(struct expansion *x, struct cmd_text value, void *place)
{
    return cmd_shell_value(x->out, place, value);
}

enum { NAME_SIZE = 32 };

static void name_variable(char name[NAME_SIZE], size_t piece)
{
    snprintf(name, NAME_SIZE, "_pp%zu", piece);
}

static int put_quoted(struct expansion *x, const struct cmd_piece *piece)
{
    static const struct cmd_shell_place in_quotes = {.quote = '\''};

    int error = cmd_words_append_string(x->out, "'");
    if (error == 0)
        error = each_value(x, piece, put_in_place, (void *)(uintptr_t)&in_quotes,
                           (struct cmd_text){" ", 1});
    return error < 0 ? error : cmd_words_append_string(x->out, "'");
}

/* Does the value stand where its mark did? */
static bool is_in_place(const struct cmd_piece *piece, const struct cmd_shell_place *place)
{
    return cmd_shell_is_sure(place) || (is_number(piece) && cmd_shell_is_arithmetic(place));
}

/* "_pp3='...'; " for each mark whose place is unsure. */
static int put_variables(struct expansion *x, const struct cmd_word *line)
{
    struct cmd_shell_place place = {0};
    char                   name[NAME_SIZE];
    int                    error = 0;
    for (size_t i = 0; i < line->count && error == 0; i++) {
        const struct cmd_piece *piece = &line->pieces[i];
        if (piece->op == CMD_OP_LITERAL)
            cmd_shell_read(&place, piece->text);
        bool sure = piece->op == CMD_OP_LITERAL || is_in_place(piece, &place);
        if (piece->op != CMD_OP_LITERAL)
            cmd_shell_pass_mark(&place);
        if (sure)
            continue;
        name_variable(name, i);
        error = cmd_words_append_string(x->out, name);
        if (error == 0)
            error = cmd_words_append_string(x->out, "=");
        if (error == 0)
            error = put_quoted(x, piece);
        if (error == 0)
            error = cmd_words_append_string(x->out, "; ");
    }
    return error;
}

/* Digits in front of a redirection would be the number of a descriptor. */
static bool is_before_redirection(const struct cmd_word *line, size_t i)
{
    const struct cmd_piece *next = &line->pieces[i + 1];
    return i + 1 < line->count && next->op == CMD_OP_LITERAL && next->text.length > 0 &&
           (next->text.data[0] == '<' || next->text.data[0] == '>');
}

static int put_mark(struct expansion *x, const struct cmd_word *line, size_t i,
                    struct cmd_shell_place *place)
{
    const struct cmd_piece *piece = &line->pieces[i];
    char                    name[NAME_SIZE];
    int                     error = cmd_shell_end_name(x->out, place);
    if (error < 0)
        return error;
    if (is_in_place(piece, place) && place->quote == '\0' && is_before_redirection(line, i))
        return put_quoted(x, piece);
    if (is_in_place(piece, place))
        return each_value(x, piece, put_in_place, place, (struct cmd_text){" ", 1});
    name_variable(name, i);
    return cmd_shell_reference(x->out, place, name);
}

static int expand_line(struct expansion *x, const struct cmd_word *line)
{
    struct cmd_shell_place place = {0};
    int                    error = put_variables(x, line);
    for (size_t i = 0; i < line->count && error == 0; i++) {
        const struct cmd_piece *piece = &line->pieces[i];
        if (piece->op != CMD_OP_LITERAL) {
            error = put_mark(x, line, i, &place);
            cmd_shell_pass_mark(&place);
            continue;
        }
        error = cmd_words_append(x->out, piece->text.data, piece->text.length);
        cmd_shell_read(&place, piece->text);
    }
    return error < 0 ? error : cmd_words_append(x->out, "", 1);
}

static int expand_shell(struct expansion *x)
{
    static const char shell[] = "/bin/sh\0-c";
    int               error = cmd_words_append(x->out, shell, sizeof shell);
    if (error < 0)
        return error;
    if (!x->command->raw)
        return expand_line(x, &x->command->words[0]);
    static const struct cmd_piece whole = {.op = CMD_OP_WHOLE};
    error = each_value(x, &whole, put_plain, NULL, (struct cmd_text){" ", 1});
    return error < 0 ? error : cmd_words_append(x->out, "", 1);
}

int cmd_template_expand(const struct cmd_template *command, const struct cmd_input *input,
                        struct cmd_words *out)
{
    struct expansion x = {command, input, out};
    cmd_words_clear(out);
    for (size_t i = 0; i < input->count; i++) {
        const struct cmd_text *column = &input->columns[i];
        if (column->length > 0 && memchr(column->data, '\0', column->length) != NULL)
            return -EILSEQ;
    }
    if (command->shell)
        return expand_shell(&x);
    int error = 0;
    for (size_t i = 0; i < command->count && error == 0; i++)
        error = expand_word(&x, &command->words[i]);
    return error;
}

int cmd_template_check(const struct cmd_template *command)
{
    char                   path[PATH_MAX];
    const struct cmd_word *first = &command->words[0];
    if (command->shell)
        return cmd_program_find(path, sizeof path, "/bin/sh");
    for (size_t i = 0; i < first->count; i++) {
        if (first->pieces[i].op != CMD_OP_LITERAL)
            return 0;
    }
    return cmd_program_find(path, sizeof path, first->count > 0 ? first->pieces[0].text.data : "");
}
