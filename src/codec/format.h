/*
 * format.h - the format language of procpool.h, read term by term.
 *
 *     format  = { type } { name [ "?" ] "=" type }
 *     type    = one of z b i u I U d s y v B
 *             | "[" { type } "]"
 *             | "{" [ key ":" type { "," key ":" type } ] "}"
 *     name    = a C identifier
 *     key     = '"' anything but '"' and '\' '"'
 *
 * White space is allowed between all of these and has one meaning: it ends a name, so "i n=s" is
 * an int and the keyword n, while "in=s" is the keyword `in`.  A name or a key stands once in its
 * level.  Brackets nest PP_MAX_DEPTH deep.
 *
 * Packing and unpacking both call pp_format_check first.  Behind it pp_format_next cannot fail any
 * more, and no argument was fetched for a format that is wrong at its end.
 */
#ifndef PP_CODEC_FORMAT_H
#define PP_CODEC_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

/* A place inside one level of a format: of the whole, of a list or of a map. */
struct pp_format {
    const char *at;
    char        close;   /* what ends this level: '\0', ']' or '}' */
    bool        first;   /* nothing was read yet: no comma is due */
    bool        keyword; /* a keyword was read: no positional any more */
};

struct pp_term {
    char        letter;   /* '[' and '{' stand for what they open */
    bool        optional; /* name?=t */
    const char *name;     /* the keyword, or the key in a map, not NUL-terminated; else NULL */
    size_t      name_size;
};

/* How many terms the top level has. */
struct pp_shape {
    size_t positional;
    size_t keywords;
    bool   optional; /* one of the keywords is */
};

/* The whole format, NULL meaning "": 0, or -EINVAL. */
int pp_format_check(const char *format, struct pp_shape *shape);

struct pp_format pp_format_begin(const char *format);

/* The next term of this level: 1; 0 at its end, whose bracket was read; or -EINVAL. */
int pp_format_next(struct pp_format *format, struct pp_term *term);

/* After a term '[' or '{': the level it opens, to be read to its end, then left. */
struct pp_format pp_format_enter(const struct pp_format *outer, const struct pp_term *term);
void             pp_format_leave(struct pp_format *outer, const struct pp_format *inner);

/* The number of terms from here to the end of this level, of a checked format. */
size_t pp_format_count(struct pp_format format);

#endif
