/*
 * bytes.h - a growable string of bytes, private to one thread.
 *
 * Owner: whoever declared it.  Zero initialised is empty and valid.
 */
#ifndef PP_CODEC_BYTES_H
#define PP_CODEC_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct pp_bytes {
    unsigned char *data;
    size_t         size;
    size_t         capacity;
    bool           borrowed; /* data is the declarer's, until it is outgrown */
};

/* Empty, and in the declarer's memory as long as that is enough. */
static inline struct pp_bytes pp_bytes_in(unsigned char *room, size_t size)
{
    return (struct pp_bytes){.data = room, .capacity = size, .borrowed = true};
}

/* Room for `more` bytes behind size: 0, -ENOMEM or -EOVERFLOW; contents kept. */
int pp_bytes_reserve(struct pp_bytes *bytes, size_t more);
int pp_bytes_append(struct pp_bytes *bytes, const void *data, size_t size);
/* Forget the contents and keep the memory, for the next use. */
void pp_bytes_reset(struct pp_bytes *bytes);
void pp_bytes_free(struct pp_bytes *bytes);

#endif
