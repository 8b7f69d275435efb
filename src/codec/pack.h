/*
 * pack.h - C arguments to MessagePack, led by a format.
 *
 * On the wire: arguments are one list of the positional ones, followed by a map of the keyword
 * ones when there are any.  A result is one object.  A buffer travels beside the bytes: inside
 * stands an ext object of type PP_EXT_BUFFER whose body is its index (4 bytes, big endian) in
 * the list of buffers.
 */
#ifndef PP_CODEC_PACK_H
#define PP_CODEC_PACK_H

#include "codec/bytes.h"
#include "procpool.h"

#include <stdarg.h>

enum { PP_EXT_BUFFER = 'B' };

/* The buffers that packed bytes refer to; each entry holds a reference, and a buffer has one entry
 * however often it is referred to.  Zero initialised: empty. */
struct pp_buffer_list {
    pp_buffer **items;
    size_t      count;
    size_t      capacity;
};

int  pp_buffer_list_add(struct pp_buffer_list *list, pp_buffer *buffer); /* index, or -errno */
void pp_buffer_list_free(struct pp_buffer_list *list);

/*
 * Append to `out`.  -EINVAL: unknown letter, unbalanced brackets, a NULL string or value, bytes
 * that are NULL with a size, a buffer that is NULL, nesting deeper than PP_MAX_DEPTH, a keyword
 * twice, a positional after a keyword, a keyword inside a result, `?=`.  -EOVERFLOW: longer than
 * MessagePack can say (4 GiB for one string).  -ENOMEM.  On failure `out` and `buffers` are as
 * they were.
 */
int pp_pack_arguments(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                      va_list *ap);
int pp_pack_result(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                   va_list *ap);
/* The same with its arguments in place. */
int pp_pack_result_args(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                        ...);

/* Append bytes as one MessagePack bin; on failure part of it may stand in `out`. */
int pp_pack_bin(struct pp_bytes *out, const void *data, size_t size);

#endif
