/*
 * item.c - decoding of one MessagePack item.
 *
 * An item is a first byte, then for some kinds a big-endian number of 1, 2, 4 or 8 bytes (the
 * value or a length), for ext a type, then the body.  The table below gives kind and width of the
 * first bytes 0xc0 - 0xdf; all the others carry their small number inside.
 *
 * Invariants
 *   - `end - at` is compared before each advance; no length is added to a pointer before.
 *   - Any byte sequence gives an item or -EBADMSG.
 */
#include "codec/item.h"

#include "codec/pack.h"

#include <errno.h>
#include <string.h>

enum { EXT_BODY = 4 };

enum form_kind {
    FORM_NONE,
    FORM_NULL,
    FORM_FALSE,
    FORM_TRUE,
    FORM_UNSIGNED,
    FORM_SIGNED,
    FORM_FLOAT,
    FORM_STRING,
    FORM_BYTES,
    FORM_LIST,
    FORM_MAP,
    FORM_EXT,     /* its length follows      */
    FORM_FIX_EXT4 /* four bytes by definition */
};

struct form {
    unsigned char kind;
    unsigned char width;
};

/* Ext of other fixed sizes cannot be a buffer, so they have no form here. */
static const struct form forms[32] = {
    [0x00] = {FORM_NULL, 0},     [0x02] = {FORM_FALSE, 0},    [0x03] = {FORM_TRUE, 0},
    [0x04] = {FORM_BYTES, 1},    [0x05] = {FORM_BYTES, 2},    [0x06] = {FORM_BYTES, 4},
    [0x07] = {FORM_EXT, 1},      [0x08] = {FORM_EXT, 2},      [0x09] = {FORM_EXT, 4},
    [0x0a] = {FORM_FLOAT, 4},    [0x0b] = {FORM_FLOAT, 8},    [0x0c] = {FORM_UNSIGNED, 1},
    [0x0d] = {FORM_UNSIGNED, 2}, [0x0e] = {FORM_UNSIGNED, 4}, [0x0f] = {FORM_UNSIGNED, 8},
    [0x10] = {FORM_SIGNED, 1},   [0x11] = {FORM_SIGNED, 2},   [0x12] = {FORM_SIGNED, 4},
    [0x13] = {FORM_SIGNED, 8},   [0x16] = {FORM_FIX_EXT4, 0}, [0x19] = {FORM_STRING, 1},
    [0x1a] = {FORM_STRING, 2},   [0x1b] = {FORM_STRING, 4},   [0x1c] = {FORM_LIST, 2},
    [0x1d] = {FORM_LIST, 4},     [0x1e] = {FORM_MAP, 2},      [0x1f] = {FORM_MAP, 4},
};

/* The first byte of an item: its form, and the number where that is inside the byte. */
static struct form first_byte(unsigned char byte, uint64_t *number)
{
    if (byte >= 0xc0 && byte <= 0xdf)
        return forms[byte - 0xc0];
    if (byte < 0x80)
        *number = byte;
    else if (byte < 0xa0)
        *number = byte & 0x0fu;
    else if (byte < 0xc0)
        *number = byte & 0x1fu;
    else
        *number = (uint64_t)(int64_t)(signed char)byte;

    unsigned char kind = byte < 0x80   ? FORM_UNSIGNED
                         : byte < 0x90 ? FORM_MAP
                         : byte < 0xa0 ? FORM_LIST
                         : byte < 0xc0 ? FORM_STRING
                                       : FORM_SIGNED;
    return (struct form){kind, 0};
}

static bool read_big_endian(struct pp_cursor *cursor, unsigned width, uint64_t *number)
{
    if ((size_t)(cursor->end - cursor->at) < width)
        return false;
    for (*number = 0; width > 0; width--)
        *number = *number << 8 | *cursor->at++;
    return true;
}

static void set_signed(struct pp_item *item, uint64_t number, unsigned width)
{
    int64_t value = width == 1   ? (int8_t)number
                    : width == 2 ? (int16_t)number
                    : width == 4 ? (int32_t)number
                                 : (int64_t)number;
    if (value < 0) {
        item->kind = PP_ITEM_NEGATIVE;
        item->negative = value;
    } else {
        item->kind = PP_ITEM_UNSIGNED;
        item->number = (uint64_t)value;
    }
}

static void set_double(struct pp_item *item, uint64_t number, unsigned width)
{
    uint32_t half = (uint32_t)number;
    float    single;
    item->kind = PP_ITEM_DOUBLE;
    if (width == sizeof single) {
        memcpy(&single, &half, sizeof single);
        item->real = (double)single;
    } else {
        memcpy(&item->real, &number, sizeof item->real);
    }
}

static bool set_body(struct pp_item *item, enum pp_item_kind kind, struct pp_cursor *cursor,
                     uint64_t size)
{
    if (size > (uint64_t)(cursor->end - cursor->at))
        return false;
    item->kind = kind;
    item->body = cursor->at;
    item->size = (size_t)size;
    cursor->at += size;
    return true;
}

/* An item takes a byte at least, so a count beyond the bytes left is a lie: nobody behind this
 * has to fear a loop of 2^32 over nothing. */
static bool set_count(struct pp_item *item, enum pp_item_kind kind, const struct pp_cursor *cursor,
                      uint64_t count)
{
    uint64_t items = kind == PP_ITEM_MAP ? 2 * count : count;
    if (items > (uint64_t)(cursor->end - cursor->at))
        return false;
    item->kind = kind;
    item->count = (uint32_t)count;
    return true;
}

static bool set_buffer(struct pp_item *item, struct pp_cursor *cursor, uint64_t size)
{
    uint64_t type;
    if (!read_big_endian(cursor, 1, &type) || type != PP_EXT_BUFFER || size != EXT_BODY)
        return false;
    item->body = cursor->at;
    item->size = EXT_BODY;
    item->kind = PP_ITEM_BUFFER;
    return read_big_endian(cursor, EXT_BODY, &item->number);
}

static bool read_form(struct pp_cursor *cursor, struct pp_item *item, struct form form,
                      uint64_t number)
{
    switch (form.kind) {
    case FORM_NULL:
        item->kind = PP_ITEM_NULL;
        return true;
    case FORM_FALSE:
    case FORM_TRUE:
        item->kind = PP_ITEM_BOOL;
        item->boolean = form.kind == FORM_TRUE;
        return true;
    case FORM_UNSIGNED:
        item->kind = PP_ITEM_UNSIGNED;
        item->number = number;
        return true;
    case FORM_SIGNED:
        set_signed(item, number, form.width);
        return true;
    case FORM_FLOAT:
        set_double(item, number, form.width);
        return true;
    case FORM_STRING:
        return set_body(item, PP_ITEM_STRING, cursor, number);
    case FORM_BYTES:
        return set_body(item, PP_ITEM_BYTES, cursor, number);
    case FORM_LIST:
        return set_count(item, PP_ITEM_LIST, cursor, number);
    case FORM_MAP:
        return set_count(item, PP_ITEM_MAP, cursor, number);
    case FORM_EXT:
        return set_buffer(item, cursor, number);
    case FORM_FIX_EXT4:
        return set_buffer(item, cursor, EXT_BODY);
    default:
        return false;
    }
}

int pp_item_read(struct pp_cursor *cursor, struct pp_item *item)
{
    struct pp_cursor at = *cursor;
    uint64_t         number = 0;
    if (at.at == at.end)
        return -EBADMSG;
    *item = (struct pp_item){.kind = PP_ITEM_NONE};
    struct form form = first_byte(*at.at++, &number);
    if (form.width > 0 && !read_big_endian(&at, form.width, &number))
        return -EBADMSG;
    if (!read_form(&at, item, form, number))
        return -EBADMSG;
    *cursor = at;
    return 0;
}
