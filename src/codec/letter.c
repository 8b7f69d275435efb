/*
 * letter.c - one value to one C variable.
 *
 * `s` wants a string without a NUL inside, `y` wants bytes; neither takes the other, so that a
 * sender who changed the type is noticed.
 *
 * Invariants
 *   - A target is written when `store` is set and nothing has failed, and never otherwise.
 *   - What `store` needs was allocated by the same call without `store`, so with it nothing fails.
 */
#include "codec/letter.h"

#include "codec/attached.h"
#include "codec/number.h"
#include "codec/reader.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static int read_signed(const struct pp_value *from, int64_t low, int64_t high, int64_t *number)
{
    struct pp_item item;
    int            error = pp_read_item(from, &item);
    return error < 0 ? error : pp_number_signed(&item, low, high, number);
}

static int read_unsigned(const struct pp_value *from, uint64_t high, uint64_t *number)
{
    struct pp_item item;
    int            error = pp_read_item(from, &item);
    return error < 0 ? error : pp_number_unsigned(&item, high, number);
}

static int read_kind(const struct pp_value *from, enum pp_item_kind kind, struct pp_item *item)
{
    int error = pp_read_item(from, item);
    return error < 0 ? error : item->kind == kind ? 0 : -EINVAL;
}

static int take_null(const struct pp_value *from)
{
    struct pp_item item;
    return from == NULL ? 0 : read_kind(from, PP_ITEM_NULL, &item);
}

static int take_bool(struct pp_unpacking *u, const struct pp_value *from)
{
    bool          *target = va_arg(*u->ap, bool *);
    struct pp_item item;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = read_kind(from, PP_ITEM_BOOL, &item);
    if (error == 0 && u->store)
        *target = item.boolean;
    return error;
}

static int take_int(struct pp_unpacking *u, const struct pp_value *from)
{
    int    *target = va_arg(*u->ap, int *);
    int64_t number = 0;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = read_signed(from, INT_MIN, INT_MAX, &number);
    if (error == 0 && u->store)
        *target = (int)number;
    return error;
}

static int take_unsigned(struct pp_unpacking *u, const struct pp_value *from)
{
    unsigned *target = va_arg(*u->ap, unsigned *);
    uint64_t  number = 0;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = read_unsigned(from, UINT_MAX, &number);
    if (error == 0 && u->store)
        *target = (unsigned)number;
    return error;
}

static int take_int64(struct pp_unpacking *u, const struct pp_value *from)
{
    int64_t *target = va_arg(*u->ap, int64_t *);
    int64_t  number = 0;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = read_signed(from, INT64_MIN, INT64_MAX, &number);
    if (error == 0 && u->store)
        *target = number;
    return error;
}

static int take_uint64(struct pp_unpacking *u, const struct pp_value *from)
{
    uint64_t *target = va_arg(*u->ap, uint64_t *);
    uint64_t  number = 0;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = read_unsigned(from, UINT64_MAX, &number);
    if (error == 0 && u->store)
        *target = number;
    return error;
}

static int take_double(struct pp_unpacking *u, const struct pp_value *from)
{
    double        *target = va_arg(*u->ap, double *);
    struct pp_item item;
    double         number = 0;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = pp_read_item(from, &item);
    if (error == 0)
        error = pp_number_double(&item, &number);
    if (error == 0 && u->store)
        *target = number;
    return error;
}

/* MessagePack strings have no NUL behind them, so a C string is a copy. */
static int c_string(const struct pp_value *from, const char **string)
{
    struct pp_item item;
    int            error = read_kind(from, PP_ITEM_STRING, &item);
    if (error < 0)
        return error;
    *string = pp_attached_find(from->document, from->data, PP_ATTACHED_STRING);
    if (*string != NULL)
        return 0;
    if (memchr(item.body, '\0', item.size) != NULL)
        return -EINVAL;
    char *copy = pp_attached_new(item.size + 1);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, item.body, item.size);
    copy[item.size] = '\0';
    *string = pp_attached_keep(from->document, from->data, PP_ATTACHED_STRING, copy);
    return 0;
}

static int take_string(struct pp_unpacking *u, const struct pp_value *from)
{
    const char **target = va_arg(*u->ap, const char **);
    const char  *string = NULL;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = c_string(from, &string);
    if (error == 0 && u->store)
        *target = string;
    return error;
}

static int take_bytes(struct pp_unpacking *u, const struct pp_value *from)
{
    const void   **target = va_arg(*u->ap, const void **);
    size_t        *size = va_arg(*u->ap, size_t *);
    struct pp_item item;
    if (target == NULL || size == NULL)
        return -EINVAL;
    if (from == NULL)
        return 0;
    int error = read_kind(from, PP_ITEM_BYTES, &item);
    if (error == 0 && u->store) {
        *target = item.body;
        *size = item.size;
    }
    return error;
}

static int child_value(const struct pp_value *from, const struct pp_value **value)
{
    struct pp_document *document = from->document;
    if (from->data == document->root.data && from->size == document->root.size) {
        *value = &document->root;
        return 0;
    }
    *value = pp_attached_find(document, from->data, PP_ATTACHED_VALUE);
    if (*value != NULL)
        return 0;
    struct pp_value *child = pp_attached_new(sizeof *child);
    if (child == NULL)
        return -ENOMEM;
    *child = *from;
    *value = pp_attached_keep(document, from->data, PP_ATTACHED_VALUE, child);
    return 0;
}

static int take_value(struct pp_unpacking *u, const struct pp_value *from)
{
    const pp_value **target = va_arg(*u->ap, const pp_value **);
    const pp_value  *value = NULL;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = child_value(from, &value);
    if (error == 0 && u->store)
        *target = value;
    return error;
}

static int take_buffer(struct pp_unpacking *u, const struct pp_value *from)
{
    pp_buffer    **target = va_arg(*u->ap, pp_buffer **);
    struct pp_item item;
    if (target == NULL || from == NULL)
        return target == NULL ? -EINVAL : 0;
    int error = read_kind(from, PP_ITEM_BUFFER, &item);
    if (error == 0 && item.number >= from->document->buffer_count)
        error = -EBADMSG;
    if (error == 0 && u->store)
        *target = from->document->buffers[item.number];
    return error;
}

int pp_letter_take(struct pp_unpacking *u, char letter, const struct pp_value *from)
{
    switch (letter) {
    case 'z':
        return take_null(from);
    case 'b':
        return take_bool(u, from);
    case 'i':
        return take_int(u, from);
    case 'u':
        return take_unsigned(u, from);
    case 'I':
        return take_int64(u, from);
    case 'U':
        return take_uint64(u, from);
    case 'd':
        return take_double(u, from);
    case 's':
        return take_string(u, from);
    case 'y':
        return take_bytes(u, from);
    case 'v':
        return take_value(u, from);
    case 'B':
        return take_buffer(u, from);
    default:
        return -EINVAL;
    }
}
