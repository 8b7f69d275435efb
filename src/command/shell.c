/*
 * shell.c - values in shell lines.
 *
 * A value must never be read as code, wherever its mark stands: bare, "{}" or '{}'.  For the plain
 * part of the language - words, the three kinds of quotes, comments - the place is followed
 * exactly, and the value is escaped for it.  Behind anything else that has rules of its own
 * (backquotes, $( ) inside quotes, arithmetic, $'...') the place is called unsure; template.c then
 * puts the value into a variable at the beginning of the line and a reference here, which is safe
 * anywhere: what a variable holds is not parsed again.  Which quotes the reference needs is followed
 * as well as may be; a mistake would split a value at its blanks, no more.
 *
 * Behind << no mark is taken: whether it is in the document or in a command cannot be told without
 * parsing all of the language.
 */
#include "shell.h"

#include <string.h>

static bool is_plain(struct cmd_text text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+:,./-";
    static const char *const reserved[] = {"if",   "then", "else",  "elif",  "fi",  "do", "done",
                                           "case", "esac", "while", "until", "for", "in"};
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\0' || strchr(plain, text.data[i]) == NULL)
            return false;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strlen(reserved[i]) == text.length && memcmp(reserved[i], text.data, text.length) == 0)
            return false;
    }
    return text.length > 0;
}

/* The bytes, with `before` put before each of `special` and nothing else changed. */
static int escape(struct cmd_words *out, struct cmd_text text, const char *special,
                  const char *before)
{
    int         error = 0;
    const char *done = text.data;
    for (size_t i = 0; i < text.length && error == 0; i++) {
        const char *at = text.data + i;
        if (*at == '\0' || strchr(special, *at) == NULL)
            continue;
        error = cmd_words_append(out, done, (size_t)(at - done));
        if (error == 0)
            error = cmd_words_append_string(out, before);
        done = at;
    }
    if (error < 0 || text.length == 0)
        return error;
    return cmd_words_append(out, done, (size_t)(text.data + text.length - done));
}

/* Between single quotes already: a quote ends them, stands escaped, and opens them again. */
static int inside_single(struct cmd_words *out, struct cmd_text text)
{
    return escape(out, text, "'", "'\\'");
}

int cmd_shell_quote(struct cmd_words *out, struct cmd_text text)
{
    if (is_plain(text))
        return cmd_words_append(out, text.data, text.length);
    int error = cmd_words_append_string(out, "'");
    if (error == 0)
        error = inside_single(out, text);
    return error < 0 ? error : cmd_words_append_string(out, "'");
}

/* A command begins within quotes, or between backquotes. */
static void enter(struct cmd_shell_place *place, char opened)
{
    place->unsure = true;
    if (place->depth < CMD_SHELL_DEPTH) {
        place->outer[place->depth].quote = place->quote;
        place->outer[place->depth].opened = opened;
        place->outer[place->depth++].parens = 0;
    }
    place->quote = '\0';
}

static void leave(struct cmd_shell_place *place)
{
    place->quote = place->outer[--place->depth].quote;
}

static bool is_in(const struct cmd_shell_place *place, char opened)
{
    return place->depth > 0 && place->outer[place->depth - 1].opened == opened;
}

static void read_backquote(struct cmd_shell_place *place)
{
    if (is_in(place, '`'))
        leave(place);
    else
        enter(place, '`');
}

static void read_paren(struct cmd_shell_place *place, char c)
{
    if (!is_in(place, '('))
        return; /* those outside of quotes change nothing */
    if (c == '(')
        place->outer[place->depth - 1].parens++;
    else if (place->outer[place->depth - 1].parens > 0)
        place->outer[place->depth - 1].parens--;
    else
        leave(place);
}

static void escape_next(struct cmd_shell_place *place, char before)
{
    place->escaped = true;
    place->before = before;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* ${...}: what stands behind a name, or behind one of the parameters that are signs. */
static void read_in_braces(struct cmd_shell_place *place, char c, char previous)
{
    bool sign = strchr("@*!#?-$", c) != NULL && strchr("{!#", previous) != NULL;
    if (previous == ':') {
        place->of_name = false;
        place->offset |= strchr("-=?+", c) == NULL;
    } else if (!is_name(c) && !sign) {
        place->of_name = c == ':';
        place->offset |= c == '[';
    }
}

/* $name, and ${...}.  $$ is whole. */
static void read_parameter(struct cmd_shell_place *place, char c, char previous)
{
    place->parameter = is_name(c) && (place->parameter || previous == '$');
    if (previous == '$' && c == '$')
        place->previous = 'x';
    if (previous == '$' && c == '{') {
        place->braces++;
        place->of_name = true;
    } else if (place->braces > 0 && c == '}') {
        place->braces--;
        place->offset &= place->braces > 0;
        place->of_name = false;
    } else if (place->of_name) {
        read_in_braces(place, c, previous);
    }
}

static void read_quoted(struct cmd_shell_place *place, char c)
{
    char previous = place->previous;
    place->previous = c;
    read_parameter(place, c, previous);
    if (c == '\\')
        escape_next(place, previous);
    else if (c == '"')
        place->quote = '\0';
    else if (c == '`')
        read_backquote(place);
    else if (previous == '$' && c == '(')
        enter(place, '(');
    else if (previous == '$' && c == '{')
        place->unsure = true;
}

/* Two characters behind which quotes follow rules that are not followed here. */
static bool opens_unknown(char previous, char c)
{
    return (previous == '$' && strchr("'{", c) != NULL) || (previous == '(' && c == '(');
}

/* Where a shell takes words for numbers, it may execute what it finds in them: ((...)), $((...)),
 * ${name:...}, ${name[...]}, [[...]], $[...].  Two parentheses may begin commands as well; nobody can tell
 * that by the beginning, and with a blank between they do not meet. */
static void read_arithmetic(struct cmd_shell_place *place, char c, char previous)
{
    if (place->arithmetic == 0 && previous == '(' && c == '(')
        place->arithmetic = 2;
    else if (place->arithmetic > 0 && c == '(')
        place->arithmetic++;
    else if (place->arithmetic > 0 && c == ')')
        place->arithmetic--;
    place->lost |= previous == '$' && c == '[';
}

/* The words [[ and ]]. */
static void read_condition(struct cmd_shell_place *place, char c)
{
    bool ends = strchr(" \t\n;&|)", c) != NULL;
    if (ends && place->brackets == 2)
        place->condition = true;
    if (ends && place->brackets == -2)
        place->condition = false;
    if (ends)
        place->brackets = place->word = 0;
    else if (c == '[' && place->brackets == place->word && place->word < 2)
        place->brackets++;
    else if (c == ']' && place->brackets == -place->word && place->word < 2)
        place->brackets--;
    else
        place->brackets = 0;
    if (!ends && place->word < 3)
        place->word++;
}

static void open_quote(struct cmd_shell_place *place, char c, char previous)
{
    place->quote = c;
    place->escapes = c == '\'' && previous == '$';
}

/* Within "$(...)", where the parenthesis behind a pattern would seem to be its end. */
static void read_case(struct cmd_shell_place *place, char c, char previous)
{
    static const char word[] = "case";
    if (place->depth == 0)
        return;
    if (place->matched == sizeof word - 1)
        place->lost |= strchr(" \t\n", c) != NULL;
    bool goes_on = place->matched > 0 && c == word[place->matched];
    bool begins = c == word[0] && strchr("(`", previous) != NULL; /* or it is 0: a break */
    place->matched = goes_on ? place->matched + 1 : begins;
}

static void read_bare(struct cmd_shell_place *place, char c)
{
    static const char breaks[] = " \t\n;&|)>";
    char              previous = place->previous;
    place->previous = strchr(breaks, c) != NULL ? '\0' : c;
    read_arithmetic(place, c, previous);
    read_condition(place, c);
    read_parameter(place, c, previous);
    read_case(place, c, previous);
    place->unsure |= opens_unknown(previous, c);
    if (previous == '<' && c == '<' && place->arithmetic == 0)
        place->document = true;
    else if (c == '#' && place->braces == 0 && (previous == '\0' || strchr("(<", previous) != NULL))
        place->comment = true;
    else if (c == '\'' || c == '"')
        open_quote(place, c, previous);
    else if (c == '\\')
        escape_next(place, previous);
    else if (c == '`')
        read_backquote(place);
    else if ((c == '(' || c == ')') && place->braces == 0)
        read_paren(place, c);
}

static void read_one(struct cmd_shell_place *place, char c)
{
    if (place->escaped) {
        place->lost |= is_in(place, '`') && c != '\n'; /* backquotes take one level of them away */
        place->escaped = false;
        place->previous = c == '\n' ? place->before : 'x';
    } else if (place->comment) {
        place->comment = c != '\n';
        place->previous = '\0';
    } else if (place->quote == '\'') {
        place->lost |= place->escapes && c == '\\'; /* some shells have them in $'...', some not */
        place->quote = c == '\'' ? '\0' : place->quote;
        place->previous = 'x';
    } else if (place->quote == '"') {
        read_quoted(place, c);
    } else {
        read_bare(place, c);
    }
}

void cmd_shell_read(struct cmd_shell_place *place, struct cmd_text text)
{
    for (size_t i = 0; i < text.length; i++)
        read_one(place, text.data[i]);
}

void cmd_shell_pass_mark(struct cmd_shell_place *place)
{
    place->previous = 'x';
    place->parameter = false;
    place->brackets = 0;
    place->word = 3;
}

bool cmd_shell_takes_number(const struct cmd_shell_place *place)
{
    bool behind_dollar = place->previous == '$' && place->quote != '\'' && !place->comment;
    bool in_number = place->parameter && place->arithmetic > 0;
    return !place->escaped && !place->document && !behind_dollar && !in_number && !place->lost;
}

bool cmd_shell_is_arithmetic(const struct cmd_shell_place *place)
{
    bool behind_colon = place->of_name && place->previous == ':';
    return place->arithmetic > 0 || place->condition || place->offset || behind_colon ||
           place->lost;
}

bool cmd_shell_is_possible(const struct cmd_shell_place *place)
{
    return cmd_shell_takes_number(place) && !cmd_shell_is_arithmetic(place);
}

bool cmd_shell_is_sure(const struct cmd_shell_place *place)
{
    return !place->unsure && !place->comment && place->previous != '$';
}

/* What would end the name of a parameter that stands before, and be nothing itself. */
int cmd_shell_end_name(struct cmd_words *out, const struct cmd_shell_place *place)
{
    return place->parameter ? cmd_words_append_string(out, place->quote == '"' ? "\"\"" : "''") : 0;
}

int cmd_shell_value(struct cmd_words *out, const struct cmd_shell_place *place,
                    struct cmd_text value)
{
    if (place->quote == '\'')
        return inside_single(out, value);
    if (place->quote == '"')
        return escape(out, value, "$`\"\\", "\\");
    return cmd_shell_quote(out, value);
}

int cmd_shell_reference(struct cmd_words *out, const struct cmd_shell_place *place,
                        const char *variable)
{
    const char *before = "\"${", *behind = "}\"";
    if (place->quote == '"') {
        before = "${";
        behind = "}";
    } else if (place->quote == '\'') {
        before = "'\"${";
        behind = "}\"'";
    }
    int error = cmd_words_append_string(out, before);
    if (error == 0)
        error = cmd_words_append_string(out, variable);
    return error < 0 ? error : cmd_words_append_string(out, behind);
}
