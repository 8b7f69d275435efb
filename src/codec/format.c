/*
 * format.c - the tokenizer of the format language; the grammar stands in format.h.
 *
 * Invariants
 *   - Only pp_format_next knows the grammar; the check is nothing but reading to the end.  Most formats
 *     are one letter, about which nothing is left to find out.
 *   - Nothing is read behind the terminating NUL, however wrong the format.
 *   - Characters are compared as ASCII, so the locale of the program does not matter.
 */
#include "codec/format.h"

#include "codec/document.h"

#include <errno.h>
#include <string.h>

static bool is_bracket(char c)
{
    return c == '[' || c == '{';
}

static bool is_letter(char c)
{
    switch (c) {
    case 'z':
    case 'b':
    case 'i':
    case 'u':
    case 'I':
    case 'U':
    case 'd':
    case 's':
    case 'y':
    case 'v':
    case 'B':
        return true;
    default:
        return is_bracket(c);
    }
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static const char *skip_space(const char *at)
{
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        at++;
    return at;
}

/* One type that opens nothing, and that is all. */
static bool is_one_letter(const char *text)
{
    return is_letter(text[0]) && !is_bracket(text[0]) && text[1] == '\0';
}

struct pp_format pp_format_begin(const char *format)
{
    return (struct pp_format){.at = format != NULL ? format : "", .close = '\0', .first = true};
}

struct pp_format pp_format_enter(const struct pp_format *outer, const struct pp_term *term)
{
    return (
        struct pp_format){.at = outer->at, .close = term->letter == '[' ? ']' : '}', .first = true};
}

void pp_format_leave(struct pp_format *outer, const struct pp_format *inner)
{
    outer->at = inner->at;
}

/* `name=` or `name?=` if there is one; a letter that nothing of the kind follows is a type. */
static void read_name(struct pp_format *format, struct pp_term *term)
{
    const char *end = format->at;
    if (!is_name_start(*end) || end[1] == '\0')
        return;
    while (is_name_start(*end) || (*end >= '0' && *end <= '9'))
        end++;
    const char *sign = skip_space(end);
    bool        optional = sign[0] == '?' && sign[1] == '=';
    if (sign[0] != '=' && !optional)
        return;
    term->name = format->at;
    term->name_size = (size_t)(end - format->at);
    term->optional = optional;
    format->at = skip_space(sign + (optional ? 2 : 1));
    format->keyword = true;
}

/* `"key":`, behind a comma unless it is the first. */
static int read_key(struct pp_format *format, struct pp_term *term)
{
    if (!format->first) {
        if (*format->at != ',')
            return -EINVAL;
        format->at = skip_space(format->at + 1);
    }
    if (*format->at != '"')
        return -EINVAL;
    term->name = format->at + 1;
    term->name_size = strcspn(term->name, "\"\\");
    const char *end = term->name + term->name_size;
    if (*end != '"')
        return -EINVAL;
    end = skip_space(end + 1);
    if (*end != ':')
        return -EINVAL;
    format->at = skip_space(end + 1);
    return 0;
}

int pp_format_next(struct pp_format *format, struct pp_term *term)
{
    *term = (struct pp_term){0};
    format->at = skip_space(format->at);
    if (*format->at == format->close) {
        if (format->close != '\0')
            format->at++;
        return 0;
    }
    if (format->close == '}') {
        int error = read_key(format, term);
        if (error < 0)
            return error;
    } else if (format->close == '\0') {
        read_name(format, term);
        if (format->keyword && term->name == NULL)
            return -EINVAL;
    }
    if (!is_letter(*format->at))
        return -EINVAL;
    term->letter = *format->at++;
    format->first = false;
    return 1;
}

/* To behind the bracket that closes a term that was read and is known to be right. */
static void skip_inside(struct pp_format *format, const struct pp_term *term)
{
    size_t open = is_bracket(term->letter);
    for (; open > 0; format->at++) {
        if (*format->at == '"')
            format->at = strchr(format->at + 1, '"');
        else if (is_bracket(*format->at))
            open++;
        else if (*format->at == ']' || *format->at == '}')
            open--;
    }
}

size_t pp_format_count(struct pp_format format)
{
    struct pp_term term;
    size_t         count = 0;
    if (is_one_letter(format.at))
        return 1;
    while (pp_format_next(&format, &term) > 0) {
        skip_inside(&format, &term);
        count++;
    }
    return count;
}

/* Does the level that begins at `level` name the same before this term? */
static bool is_repeated(struct pp_format level, const struct pp_term *term)
{
    struct pp_term before;
    if (term->name == NULL)
        return false;
    while (pp_format_next(&level, &before) > 0 && before.name != term->name) {
        if (before.name_size == term->name_size && before.name != NULL &&
            memcmp(before.name, term->name, term->name_size) == 0)
            return true;
        skip_inside(&level, &before);
    }
    return false;
}

/* Count the terms of this level as well. */
static int check_level(struct pp_format *format, unsigned depth, struct pp_shape *shape)
{
    const struct pp_format level = *format;
    struct pp_term         term;
    int                    more;
    *shape = (struct pp_shape){0};
    if (depth > PP_MAX_DEPTH)
        return -EINVAL;
    while ((more = pp_format_next(format, &term)) > 0) {
        if (is_repeated(level, &term))
            return -EINVAL;
        if (is_bracket(term.letter)) {
            struct pp_format inner = pp_format_enter(format, &term);
            struct pp_shape  ignored;
            int              error = check_level(&inner, depth + 1, &ignored);
            if (error < 0)
                return error;
            pp_format_leave(format, &inner);
        }
        shape->keywords += term.name != NULL;
        shape->positional += term.name == NULL;
        shape->optional |= term.optional;
    }
    return more;
}

int pp_format_check(const char *format, struct pp_shape *shape)
{
    struct pp_format top = pp_format_begin(format);
    struct pp_shape  found = {.positional = 1};
    int              error = is_one_letter(top.at) ? 0 : check_level(&top, 0, &found);
    if (error == 0)
        *shape = found;
    return error;
}
