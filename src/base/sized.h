/*
 * sized.h - option structs that begin with their own size, so that they can grow.
 */
#ifndef PP_BASE_SIZED_H
#define PP_BASE_SIZED_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* No struct of options will be that large: a size above is no size. */
enum { PP_SIZED_MAX = 4096 };

/*
 * Copy what a program gave over the defaults in `into`, of `size` bytes.  A program built with an
 * older, shorter struct leaves the defaults of what it does not know; one built with a newer, longer
 * one may have only zeros where this library has nothing: -E2BIG otherwise.  -EINVAL: no size at all.
 */
static inline int pp_sized_copy(void *into, size_t size, const void *given)
{
    const unsigned char *bytes = given;
    size_t               given_size = 0;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > PP_SIZED_MAX)
        return -EINVAL;
    for (size_t i = size; i < given_size; i++)
        if (bytes[i] != 0)
            return -E2BIG;
    memcpy(into, given, given_size < size ? given_size : size);
    return 0;
}

#endif
