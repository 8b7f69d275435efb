/*
 * item.h - one MessagePack item at a time, out of bytes that nobody vouches for.
 *
 * Everything that reads encoded bytes - the check of a new document, unpacking, printing, copying
 * a value - reads them through pp_item_read.  A cursor never leaves its bytes, so even bytes that
 * changed behind the check could give a wrong value, but never a read outside of them.
 *
 * Encoding is msgpack-c's.  Decoding is done here, because msgpack_unpack_next has no notion of
 * "only this item": it builds the whole tree in a zone, and gives up at a depth of 32.
 */
#ifndef PP_CODEC_ITEM_H
#define PP_CODEC_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_cursor {
    const unsigned char *at;
    const unsigned char *end;
};

enum pp_item_kind {
    PP_ITEM_NONE, /* no item: bytes that are not MessagePack, or not ours */
    PP_ITEM_NULL,
    PP_ITEM_BOOL,
    PP_ITEM_UNSIGNED, /* every integer that is not negative, however encoded */
    PP_ITEM_NEGATIVE,
    PP_ITEM_DOUBLE,
    PP_ITEM_STRING,
    PP_ITEM_BYTES,
    PP_ITEM_LIST,
    PP_ITEM_MAP,
    PP_ITEM_BUFFER
};

struct pp_item {
    enum pp_item_kind kind;
    union {
        bool     boolean;
        uint64_t number; /* of UNSIGNED; of a BUFFER its index */
        int64_t  negative;
        double   real;
        uint32_t count; /* of a LIST its items, of a MAP its pairs */
    };
    const unsigned char *body; /* of STRING, BYTES and BUFFER */
    size_t               size; /* ... and its length */
};

/*
 * Read one item and step behind it; of a list or map the head only, its items follow.  -EBADMSG:
 * it does not end inside the bytes, a list or map claims more items than there are bytes left, or
 * it is an ext that is not a buffer.  The cursor moves on success only.
 */
int pp_item_read(struct pp_cursor *cursor, struct pp_item *item);

#endif
