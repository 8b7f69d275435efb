/*
 * pack.c - C arguments to MessagePack.
 *
 * The format is checked to its end first, then each term fetches its arguments and goes through
 * msgpack-c into the growing bytes.
 *
 * Invariants
 *   - `depth` counts as pp_document_init does, so what is packed here passes the check there.
 *   - A failed call takes back what it appended to the bytes and to the buffers.
 *   - Whoever appends a buffer object knows that its body is 4 bytes whatever its index, so the
 *     index in copied bytes can be changed in place.
 */
#include "codec/pack.h"

#include "codec/document.h"
#include "codec/format.h"
#include "codec/skim.h"

#include <errno.h>
#include <msgpack/pack.h>
#include <stdlib.h>
#include <string.h>

struct packing {
    struct pp_bytes       *out;
    struct pp_buffer_list *buffers;
    va_list               *ap;
    msgpack_packer         packer; /* its functions return what append_packed returned */
};

static int append_packed(void *out, const char *data, size_t size)
{
    return pp_bytes_append(out, data, size);
}

int pp_buffer_list_add(struct pp_buffer_list *list, pp_buffer *buffer)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == buffer)
            return (int)i;
    if (list->count == INT_MAX)
        return -EOVERFLOW;
    if (list->count == list->capacity) {
        size_t      capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        pp_buffer **items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count] = pp_buffer_ref(buffer);
    return (int)list->count++;
}

static void buffer_list_cut(struct pp_buffer_list *list, size_t count)
{
    while (list->count > count)
        pp_buffer_unref(list->items[--list->count]);
}

void pp_buffer_list_free(struct pp_buffer_list *list)
{
    buffer_list_cut(list, 0);
    free(list->items);
    *list = (struct pp_buffer_list){0};
}

/* msgpack-c cuts a longer length to 32 bits without a word. */
static int check_length(size_t size)
{
    return size > UINT32_MAX ? -EOVERFLOW : 0;
}

int pp_pack_bin(struct pp_bytes *out, const void *data, size_t size)
{
    msgpack_packer packer;
    int            error = check_length(size);
    if (error < 0)
        return error;
    msgpack_packer_init(&packer, out, append_packed);
    return msgpack_pack_bin_with_body(&packer, data, size);
}

static int pack_string(struct packing *p, const char *string, size_t size)
{
    int error = check_length(size);
    return error < 0 ? error : msgpack_pack_str_with_body(&p->packer, string, size);
}

static void store_index(unsigned char *body, int index)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *body++ = (unsigned char)((unsigned)index >> shift);
}

static int pack_buffer(struct packing *p, pp_buffer *buffer)
{
    unsigned char body[4];
    if (buffer == NULL)
        return -EINVAL;
    int index = pp_buffer_list_add(p->buffers, buffer);
    if (index < 0)
        return index;
    store_index(body, index);
    return msgpack_pack_ext_with_body(&p->packer, body, sizeof body, PP_EXT_BUFFER);
}

/* In a copy of a value: replace the indices of its document by those of our list.  The heads of
 * all items stand one behind the other, whatever the nesting. */
static int renumber_buffers(struct packing *p, unsigned char *copy, const struct pp_value *value)
{
    const struct pp_document *from = value->document;
    struct pp_cursor          cursor = {copy, copy + value->size};
    while (from->buffer_count > 0 && cursor.at < cursor.end) {
        struct pp_item item;
        int            error = pp_item_read(&cursor, &item);
        if (error < 0)
            return error;
        if (item.kind != PP_ITEM_BUFFER)
            continue;
        if (item.number >= from->buffer_count)
            return -EBADMSG;
        int index = pp_buffer_list_add(p->buffers, from->buffers[item.number]);
        if (index < 0)
            return index;
        store_index(copy + (item.body - copy), index);
    }
    return 0;
}

static int pack_value(struct packing *p, const struct pp_value *value, unsigned depth)
{
    if (value == NULL)
        return -EINVAL;
    if (value->document->is_bytes)
        return pp_pack_bin(p->out, value->data, value->size);
    /* the value is good by itself, so what this can find is that it is too deep for this place */
    struct pp_cursor whole = {value->data, value->data + value->size};
    if (pp_skim(&whole, PP_MAX_DEPTH - depth, SIZE_MAX) < 0)
        return -EINVAL;
    int error = pp_bytes_append(p->out, value->data, value->size);
    if (error < 0)
        return error;
    return renumber_buffers(p, p->out->data + p->out->size - value->size, value);
}

static int pack_scalar(struct packing *p, const struct pp_term *term, unsigned depth)
{
    const char *string;
    const void *data;
    size_t      size;
    switch (term->letter) {
    case 'z':
        return msgpack_pack_nil(&p->packer);
    case 'b':
        return va_arg(*p->ap, int) ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer);
    case 'i':
        return msgpack_pack_int(&p->packer, va_arg(*p->ap, int));
    case 'u':
        return msgpack_pack_unsigned_int(&p->packer, va_arg(*p->ap, unsigned));
    case 'I':
        return msgpack_pack_int64(&p->packer, va_arg(*p->ap, int64_t));
    case 'U':
        return msgpack_pack_uint64(&p->packer, va_arg(*p->ap, uint64_t));
    case 'd':
        return msgpack_pack_double(&p->packer, va_arg(*p->ap, double));
    case 's':
        string = va_arg(*p->ap, const char *);
        return string == NULL ? -EINVAL : pack_string(p, string, strlen(string));
    case 'y':
        data = va_arg(*p->ap, const void *);
        size = va_arg(*p->ap, size_t);
        return data == NULL && size > 0 ? -EINVAL : pp_pack_bin(p->out, data, size);
    case 'v':
        return pack_value(p, va_arg(*p->ap, const struct pp_value *), depth);
    case 'B':
        return pack_buffer(p, va_arg(*p->ap, pp_buffer *));
    default:
        return -EINVAL;
    }
}

static int pack_container(struct packing *p, struct pp_format *format, const struct pp_term *term,
                          unsigned depth);

/* One term, in `depth` lists and maps, without its name. */
static int pack_term(struct packing *p, struct pp_format *format, const struct pp_term *term,
                     unsigned depth)
{
    if (term->letter == '[' || term->letter == '{')
        return pack_container(p, format, term, depth);
    return pack_scalar(p, term, depth);
}

static int pack_container(struct packing *p, struct pp_format *format, const struct pp_term *term,
                          unsigned depth)
{
    struct pp_format inner = pp_format_enter(format, term);
    struct pp_term   next;
    size_t           count = pp_format_count(inner);
    int              more;
    if (depth >= PP_MAX_DEPTH)
        return -EINVAL;
    int error = term->letter == '[' ? msgpack_pack_array(&p->packer, count)
                                    : msgpack_pack_map(&p->packer, count);
    while (error == 0 && (more = pp_format_next(&inner, &next)) != 0) {
        error = more;
        if (more > 0)
            error = next.name != NULL ? pack_string(p, next.name, next.name_size) : 0;
        if (error == 0)
            error = pack_term(p, &inner, &next, depth + 1);
    }
    pp_format_leave(format, &inner);
    return error;
}

/* All terms of the top level; before the first keyword goes the head of the map. */
static int pack_top(struct packing *p, const char *text, size_t keywords, unsigned depth)
{
    struct pp_format format = pp_format_begin(text);
    struct pp_term   term;
    bool             in_map = false;
    while (pp_format_next(&format, &term) > 0) {
        int error = 0;
        if (term.name != NULL && !in_map) {
            error = msgpack_pack_map(&p->packer, keywords);
            in_map = true;
        }
        if (error == 0 && in_map)
            error = pack_string(p, term.name, term.name_size);
        if (error == 0)
            error = pack_term(p, &format, &term, depth);
        if (error < 0)
            return error;
    }
    return 0;
}

static int pack_arguments(struct packing *p, const char *format)
{
    struct pp_shape shape;
    int             error = pp_format_check(format, &shape);
    if (error == 0 && shape.optional)
        error = -EINVAL;
    if (error == 0)
        error = msgpack_pack_array(&p->packer, shape.positional);
    return error < 0 ? error : pack_top(p, format, shape.keywords, 0);
}

static int pack_result(struct packing *p, const char *format)
{
    struct pp_shape shape;
    int             error = pp_format_check(format, &shape);
    if (error < 0)
        return error;
    if (shape.keywords > 0)
        return -EINVAL;
    if (shape.positional == 0)
        return msgpack_pack_nil(&p->packer);
    if (shape.positional == 1)
        return pack_top(p, format, 0, 0);
    error = msgpack_pack_array(&p->packer, shape.positional);
    return error < 0 ? error : pack_top(p, format, 0, 1);
}

static int pack_or_undo(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                        va_list *ap, int (*pack)(struct packing *, const char *))
{
    struct packing p = {.out = out, .buffers = buffers, .ap = ap};
    const size_t   size = out->size;
    const size_t   count = buffers->count;
    msgpack_packer_init(&p.packer, out, append_packed);
    int error = pack(&p, format);
    if (error < 0) {
        out->size = size;
        buffer_list_cut(buffers, count);
    }
    return error;
}

int pp_pack_arguments(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                      va_list *ap)
{
    return pack_or_undo(out, buffers, format, ap, pack_arguments);
}

int pp_pack_result(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                   va_list *ap)
{
    return pack_or_undo(out, buffers, format, ap, pack_result);
}

int pp_pack_result_args(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format,
                        ...)
{
    va_list ap;
    va_start(ap, format);
    int error = pp_pack_result(out, buffers, format, &ap);
    va_end(ap);
    return error;
}
