/*
 * document.h - encoded bytes that were checked once, and the values inside them.
 *
 * A document borrows its bytes; a pp_value is a slice of them.  Nothing is decoded before
 * it is asked for, and nothing inside is ever changed, so any number of threads may read one
 * document.  What unpacking has to allocate (NUL-terminated strings, child values) is attached
 * to the document by one compare-and-swap, once for each place in the bytes, and lives as long
 * as it does.
 *
 * Invariant: after pp_document_init succeeded, the bytes are whole, and nobody changes them until
 * pp_document_clear: what another process can still write is copied first.  (Should they change
 * all the same, values are wrong and calls give -EBADMSG, but every read stays inside the bytes.)
 *
 * The documents of one process hold pointers to themselves: a document is not moved.
 */
#ifndef PP_CODEC_DOCUMENT_H
#define PP_CODEC_DOCUMENT_H

#include "procpool.h"

#include <stdarg.h>

struct pp_document;
struct pp_attached;

struct pp_value {
    const unsigned char *data; /* one whole MessagePack object, or the payload itself (is_bytes) */
    size_t               size;
    struct pp_document  *document;
};

struct pp_document {
    const unsigned char *data;
    size_t               size;
    bool                 is_bytes; /* a payload of bytes as it is: one `y`, not MessagePack */
    pp_buffer *const    *buffers;  /* what the `B` values inside refer to by index; borrowed */
    size_t               buffer_count;
    struct pp_value      root;              /* the first object */
    const unsigned char *keywords;          /* the map behind the arguments, or NULL */
    _Atomic(struct pp_attached *) attached; /* added to by any reader, freed by _clear */
};

/* Values whose lists and maps are nested deeper than this are refused: a list of numbers has depth
 * 1, an argument does not count the list of arguments around it. */
enum { PP_MAX_DEPTH = 64 };

/*
 * Check the bytes and describe them.  `with_keywords`: the form of arguments, a list that a map
 * may follow; otherwise exactly one object.  -EBADMSG when the bytes are not that: truncated,
 * trailing, too deep, a map key that is not a string where keywords are expected, a buffer index
 * out of range, an ext type that is not ours.  Allocates nothing.  A document that was refused is
 * empty and may be cleared, or not.
 */
int pp_document_init(struct pp_document *document, const void *data, size_t size, bool is_bytes,
                     bool with_keywords, pp_buffer *const *buffers, size_t buffer_count);

/* Free what was attached; the bytes and the buffers are their owner's. */
void pp_document_clear(struct pp_document *document);

/* Unpack the arguments: positional, then keywords.  The errors of procpool.h.  On failure no
 * target has been changed. */
int pp_document_unpack_arguments(struct pp_document *document, const char *format, va_list *ap);

#endif
