/*
 * reader.c - the parts of a value, each as a value again.
 *
 * Invariant: every value given out lies inside the one it was read from.
 */
#include "codec/reader.h"

#include "codec/skim.h"

#include <errno.h>
#include <string.h>

int pp_read_item(const struct pp_value *from, struct pp_item *item)
{
    if (from->document->is_bytes) {
        *item = (struct pp_item){.kind = PP_ITEM_BYTES, .body = from->data, .size = from->size};
        return 0;
    }
    struct pp_cursor cursor = {from->data, from->data + from->size};
    return pp_item_read(&cursor, item);
}

int pp_sequence_open(const struct pp_value *from, enum pp_item_kind kind,
                     struct pp_sequence *sequence)
{
    struct pp_cursor cursor = {from->data, from->data + from->size};
    struct pp_item   item;
    if (from->document->is_bytes)
        return -EINVAL;
    int error = pp_item_read(&cursor, &item);
    if (error < 0)
        return error;
    if (item.kind != kind)
        return -EINVAL;
    *sequence = (struct pp_sequence){.document = from->document, .cursor = cursor};
    sequence->left = kind == PP_ITEM_MAP ? 2 * (uint64_t)item.count : item.count;
    return 0;
}

int pp_sequence_next(struct pp_sequence *sequence, struct pp_value *value)
{
    if (sequence->left == 0)
        return -ENOENT;
    const unsigned char *start = sequence->cursor.at;
    int                  error = pp_skip(&sequence->cursor);
    if (error < 0)
        return error;
    sequence->left--;
    *value = (struct pp_value){
        .data = start,
        .size = (size_t)(sequence->cursor.at - start),
        .document = sequence->document,
    };
    return 0;
}

static bool is_key(const struct pp_value *value, const char *key, size_t key_size)
{
    struct pp_item item;
    return pp_read_item(value, &item) == 0 && item.kind == PP_ITEM_STRING &&
           item.size == key_size && memcmp(item.body, key, key_size) == 0;
}

int pp_sequence_find(struct pp_sequence map, const char *key, size_t key_size,
                     struct pp_value *value)
{
    struct pp_value name;
    int             error;
    while ((error = pp_sequence_next(&map, &name)) == 0) {
        error = pp_sequence_next(&map, value);
        if (error < 0 || is_key(&name, key, key_size))
            return error;
    }
    return error;
}
