/*
 * codec_support.h - what the tests of the codec share.
 */
#ifndef PP_TESTS_CODEC_SUPPORT_H
#define PP_TESTS_CODEC_SUPPORT_H

#include "codec/document.h"
#include "codec/pack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A document together with all that it borrows. */
struct packed {
    struct pp_buffer_list buffers;
    void                 *data; /* of exactly the size, so that a sanitizer sees a read behind it */
    struct pp_document    document;
};

static inline int pack_arguments(struct pp_bytes *out, struct pp_buffer_list *buffers,
                                 const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int error = pp_pack_arguments(out, buffers, format, &ap);
    va_end(ap);
    return error;
}

static inline int unpack_arguments(struct pp_document *document, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int error = pp_document_unpack_arguments(document, format, &ap);
    va_end(ap);
    return error;
}

/* The document of these bytes; false when it was refused. */
static inline bool open_bytes(struct packed *packed, const void *data, size_t size,
                              bool with_keywords)
{
    packed->data = malloc(size);
    if (size > 0)
        memcpy(packed->data, data, size);
    int error = pp_document_init(&packed->document, packed->data, size, false, with_keywords,
                                 packed->buffers.items, packed->buffers.count);
    assert_true(error == 0 || error == -EBADMSG);
    return error == 0;
}

static inline void open_packed(struct packed *packed, struct pp_bytes *bytes, bool with_keywords)
{
    assert_true(open_bytes(packed, bytes->data, bytes->size, with_keywords));
    pp_bytes_free(bytes);
}

static inline void arguments(struct packed *packed, const char *format, ...)
{
    struct pp_bytes bytes = {0};
    va_list         ap;
    *packed = (struct packed){0};
    va_start(ap, format);
    assert_int_equal(pp_pack_arguments(&bytes, &packed->buffers, format, &ap), 0);
    va_end(ap);
    open_packed(packed, &bytes, true);
}

static inline const pp_value *result(struct packed *packed, const char *format, ...)
{
    struct pp_bytes bytes = {0};
    va_list         ap;
    *packed = (struct packed){0};
    va_start(ap, format);
    assert_int_equal(pp_pack_result(&bytes, &packed->buffers, format, &ap), 0);
    va_end(ap);
    open_packed(packed, &bytes, false);
    return &packed->document.root;
}

/* A value of these bytes, which another encoder wrote. */
static inline const pp_value *foreign(struct packed *packed, const void *data, size_t size)
{
    *packed = (struct packed){0};
    assert_true(open_bytes(packed, data, size, false));
    return &packed->document.root;
}

/* A payload of plain bytes. */
static inline const pp_value *payload(struct packed *packed, const void *data, size_t size)
{
    *packed = (struct packed){0};
    assert_int_equal(pp_document_init(&packed->document, data, size, true, false, NULL, 0), 0);
    return &packed->document.root;
}

static inline void release(struct packed *packed)
{
    pp_document_clear(&packed->document);
    pp_buffer_list_free(&packed->buffers);
    free(packed->data);
}

#endif
