/*
 * bytes.c - a growable string of bytes.
 *
 * Invariants
 *   - size <= capacity <= PTRDIFF_MAX, and data is NULL only while capacity is 0.
 *   - A call that fails has changed neither the contents nor the size.
 */
#include "codec/bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 };

int pp_bytes_reserve(struct pp_bytes *bytes, size_t more)
{
    if (more <= bytes->capacity - bytes->size)
        return 0;
    if (more > (size_t)PTRDIFF_MAX - bytes->size)
        return -EOVERFLOW;
    size_t needed = bytes->size + more;
    size_t capacity = bytes->capacity < SMALLEST ? SMALLEST : bytes->capacity;
    while (capacity < needed)
        capacity = capacity > (size_t)PTRDIFF_MAX / 2 ? (size_t)PTRDIFF_MAX : capacity * 2;

    unsigned char *data = realloc(bytes->borrowed ? NULL : bytes->data, capacity);
    if (data == NULL)
        return -ENOMEM;
    if (bytes->borrowed)
        memcpy(data, bytes->data, bytes->size);
    bytes->borrowed = false;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

int pp_bytes_append(struct pp_bytes *bytes, const void *data, size_t size)
{
    if (size == 0)
        return 0;
    int error = pp_bytes_reserve(bytes, size);
    if (error < 0)
        return error;
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return 0;
}

void pp_bytes_reset(struct pp_bytes *bytes)
{
    bytes->size = 0;
}

void pp_bytes_free(struct pp_bytes *bytes)
{
    if (!bytes->borrowed)
        free(bytes->data);
    *bytes = (struct pp_bytes){0};
}
