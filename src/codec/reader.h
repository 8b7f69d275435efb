/*
 * reader.h - the parts of a value, each as a value again.
 */
#ifndef PP_CODEC_READER_H
#define PP_CODEC_READER_H

#include "codec/document.h"
#include "codec/item.h"

/* Values one behind the other. */
struct pp_sequence {
    struct pp_document *document;
    struct pp_cursor    cursor;
    uint64_t            left; /* to be read; of a map keys and values count */
};

/* What a value is; of a list or map the head. */
int pp_read_item(const struct pp_value *from, struct pp_item *item);

/* The items of a list, or the keys and values of a map: -EINVAL if it is not of this kind. */
int pp_sequence_open(const struct pp_value *from, enum pp_item_kind kind,
                     struct pp_sequence *sequence);

/* The next value, or -ENOENT at the end. */
int pp_sequence_next(struct pp_sequence *sequence, struct pp_value *value);

/* The value behind a string key of a map, or -ENOENT.  Of two, the first. */
int pp_sequence_find(struct pp_sequence map, const char *key, size_t key_size,
                     struct pp_value *value);

#endif
