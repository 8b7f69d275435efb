/*
 * unpack.c - values to C variables, led by a format.
 *
 * The same walk is done twice, unless it is of one plain letter.  The first time it checks everything -
 * format, targets, types, ranges, counts - and makes what has to be allocated; the second time, when
 * nothing can fail any more, it stores.
 *
 * Decisions where the contract leaves room
 *   - "" takes null only; anything else is one too many (-E2BIG).
 *   - A value has no keywords: name=t is for arguments only, -EINVAL in pp_value_unpack.
 *   - Arguments of plain bytes (pp_task_set_bytes) are one positional `y` (or `v`).
 *   - Of a key that a foreign encoder wrote twice, the first counts.
 *
 * Invariant: no target is written in the first walk, and the second makes the same steps.
 */
#include "codec/document.h"
#include "codec/format.h"
#include "codec/letter.h"
#include "codec/reader.h"

#include <errno.h>
#include <string.h>

static int take_term(struct pp_unpacking *u, struct pp_format *format, const struct pp_term *term,
                     const struct pp_value *from);

/* ------------------------------------------------------------- lists and maps */

/* The terms that are left on this level against the values of the sequence: exactly as many. */
static int take_all(struct pp_unpacking *u, struct pp_format *format, struct pp_sequence *sequence)
{
    struct pp_term term;
    int            more;
    while ((more = pp_format_next(format, &term)) > 0) {
        struct pp_value value;
        int             error = pp_sequence_next(sequence, &value);
        if (error == 0)
            error = take_term(u, format, &term, &value);
        if (error < 0)
            return error;
    }
    return more < 0 ? more : sequence->left > 0 ? -E2BIG : 0;
}

/* Keys that are not asked for are ignored: a map may grow without breaking its readers. */
static int take_keys(struct pp_unpacking *u, struct pp_format *format,
                     const struct pp_sequence *map)
{
    struct pp_term term;
    int            more;
    while ((more = pp_format_next(format, &term)) > 0) {
        struct pp_value value;
        int             error = pp_sequence_find(*map, term.name, term.name_size, &value);
        if (error == 0)
            error = take_term(u, format, &term, &value);
        if (error < 0)
            return error;
    }
    return more;
}

static int take_absent(struct pp_unpacking *u, struct pp_format *format)
{
    struct pp_term term;
    int            more;
    while ((more = pp_format_next(format, &term)) > 0) {
        int error = take_term(u, format, &term, NULL);
        if (error < 0)
            return error;
    }
    return more;
}

static int take_container(struct pp_unpacking *u, struct pp_format *format,
                          const struct pp_term *term, const struct pp_value *from)
{
    const bool         is_list = term->letter == '[';
    struct pp_format   inner = pp_format_enter(format, term);
    struct pp_sequence sequence;
    int                error;
    if (from == NULL) {
        error = take_absent(u, &inner);
    } else {
        error = pp_sequence_open(from, is_list ? PP_ITEM_LIST : PP_ITEM_MAP, &sequence);
        if (error == 0)
            error = is_list ? take_all(u, &inner, &sequence) : take_keys(u, &inner, &sequence);
    }
    pp_format_leave(format, &inner);
    return error;
}

static int take_term(struct pp_unpacking *u, struct pp_format *format, const struct pp_term *term,
                     const struct pp_value *from)
{
    if (term->letter == '[' || term->letter == '{')
        return take_container(u, format, term, from);
    return pp_letter_take(u, term->letter, from);
}

/* ------------------------------------------------------------------ arguments */

/* The positional arguments and, with none of it when there are none, the keywords. */
static int open_arguments(struct pp_document *document, struct pp_sequence *positional,
                          struct pp_sequence *keywords)
{
    *keywords = (struct pp_sequence){.document = document};
    int error = pp_sequence_open(&document->root, PP_ITEM_LIST, positional);
    if (error < 0 || document->keywords == NULL)
        return error;
    const struct pp_value map = {
        .data = document->keywords,
        .size = (size_t)(document->data + document->size - document->keywords),
        .document = document,
    };
    return pp_sequence_open(&map, PP_ITEM_MAP, keywords);
}

static int take_keyword(struct pp_unpacking *u, struct pp_format *format,
                        const struct pp_term *term, const struct pp_sequence *keywords,
                        uint64_t *taken)
{
    struct pp_value value;
    int             error = pp_sequence_find(*keywords, term->name, term->name_size, &value);
    if (error == -ENOENT && term->optional)
        return take_term(u, format, term, NULL);
    if (error < 0)
        return error;
    *taken += 2; /* a sequence counts keys and values */
    return take_term(u, format, term, &value);
}

static int take_arguments(struct pp_unpacking *u, const struct pp_value *root, const char *text)
{
    struct pp_format   format = pp_format_begin(text);
    struct pp_term     term;
    struct pp_value    value;
    struct pp_sequence positional, keywords;
    uint64_t           taken = 0;
    int                error = open_arguments(root->document, &positional, &keywords);
    while (error == 0 && pp_format_next(&format, &term) > 0) {
        if (term.name != NULL) {
            error = take_keyword(u, &format, &term, &keywords, &taken);
            continue;
        }
        error = pp_sequence_next(&positional, &value);
        if (error == 0)
            error = take_term(u, &format, &term, &value);
    }
    if (error == 0 && (positional.left > 0 || keywords.left > taken))
        error = -E2BIG;
    return error;
}

/* A payload: the first positional term is it, and nothing is left for any other. */
static int take_payload(struct pp_unpacking *u, const struct pp_value *root, const char *text)
{
    struct pp_format format = pp_format_begin(text);
    struct pp_term   term;
    bool             taken = false;
    int              error = 0;
    while (error == 0 && pp_format_next(&format, &term) > 0) {
        if (term.name == NULL && !taken) {
            error = take_term(u, &format, &term, root);
            taken = true;
        } else {
            error = term.optional ? take_term(u, &format, &term, NULL) : -ENOENT;
        }
    }
    return error == 0 && !taken ? -E2BIG : error;
}

/* ------------------------------------------------------------------ the walks */

/* The letter of a format that is one, of a kind that needs no memory: storing it is the only step, and
 * one walk is enough.  Otherwise '\0'. */
static char plain_letter(const char *format)
{
    bool one = format != NULL && format[0] != '\0' && format[1] == '\0';
    return one && strchr("zbiuIUdy", format[0]) != NULL ? format[0] : '\0';
}

static int take_plain(char letter, const struct pp_value *value, va_list *ap)
{
    return pp_letter_take(&(struct pp_unpacking){.ap = ap, .store = true}, letter, value);
}

/* The argument, when it is the only one. */
static bool find_only(struct pp_document *document, struct pp_value *value)
{
    struct pp_sequence positional;
    struct pp_sequence keywords;
    return !document->is_bytes && open_arguments(document, &positional, &keywords) == 0 &&
           positional.left == 1 && keywords.left == 0 && pp_sequence_next(&positional, value) == 0;
}

typedef int walk_fn(struct pp_unpacking *u, const struct pp_value *value, const char *format);

static int walk_twice(const struct pp_value *value, const char *format, va_list *ap, walk_fn *walk)
{
    va_list check;
    va_copy(check, *ap);
    struct pp_unpacking u = {.ap = &check};
    int                 error = walk(&u, value, format);
    va_end(check);
    if (error < 0)
        return error;
    u.ap = ap;
    u.store = true;
    return walk(&u, value, format);
}

int pp_document_unpack_arguments(struct pp_document *document, const char *format, va_list *ap)
{
    struct pp_shape shape;
    struct pp_value only;
    char            plain = plain_letter(format);
    if (plain != '\0' && find_only(document, &only))
        return take_plain(plain, &only, ap);
    int error = pp_format_check(format, &shape);
    return error < 0 ? error
                     : walk_twice(&document->root, format, ap,
                                  document->is_bytes ? take_payload : take_arguments);
}

/* One term is the value itself, several are the items of a list. */
static int walk_value(struct pp_unpacking *u, const struct pp_value *value, const char *text)
{
    struct pp_format   format = pp_format_begin(text);
    struct pp_term     term;
    struct pp_sequence items;
    if (pp_format_count(format) == 1) {
        pp_format_next(&format, &term);
        return take_term(u, &format, &term, value);
    }
    int error = pp_sequence_open(value, PP_ITEM_LIST, &items);
    return error < 0 ? error : take_all(u, &format, &items);
}

static int unpack_value(const pp_value *value, const char *format, va_list *ap)
{
    struct pp_shape shape;
    char            plain = plain_letter(format);
    if (value == NULL)
        return -EINVAL;
    if (plain != '\0')
        return take_plain(plain, value, ap);
    int error = pp_format_check(format, &shape);
    if (error < 0)
        return error;
    if (shape.keywords > 0)
        return -EINVAL;
    if (shape.positional == 0)
        return pp_letter_take(&(struct pp_unpacking){0}, 'z', value) == 0 ? 0 : -E2BIG;
    return walk_twice(value, format, ap, walk_value);
}

int pp_value_unpack(const pp_value *value, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int error = unpack_value(value, format, &ap);
    va_end(ap);
    return error;
}
