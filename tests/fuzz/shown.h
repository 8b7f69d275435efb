/*
 * shown.h - whatever a program can do with a value that was let in.
 */
#ifndef PP_TESTS_FUZZ_SHOWN_H
#define PP_TESTS_FUZZ_SHOWN_H

#include "fuzz.h"

#include "codec/document.h"
#include "codec/pack.h"

#include <errno.h>

static inline void print_value(const pp_value *value)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *stream = open_memstream(&text, &size);
    CHECK(stream != NULL);
    CHECK(pp_value_print(value, stream) == 0);
    CHECK(fclose(stream) == 0);
    CHECK(size > 0 && size <= value->size * 40 + 100); /* in proportion */
    free(text);
}

/* A target of a refused value keeps what it was. */
static inline void unpack_value(const pp_value *value, const char *format)
{
    unsigned char target[16];
    unsigned char before[16];
    size_t        size = 77;
    memset(target, 0xa5, sizeof target);
    memcpy(before, target, sizeof before);
    int error = pp_value_unpack(value, format, (void *)target, (void *)&size);
    CHECK(error == 0 || error == -EINVAL || error == -ERANGE || error == -ENOENT ||
          error == -E2BIG);
    CHECK(error == 0 || (memcmp(target, before, sizeof before) == 0 && size == 77));
}

static inline void use_value(const pp_value *value, unsigned depth)
{
    static const char *const formats[] = {"z", "b", "i", "u", "I",   "U",          "d", "s",
                                          "y", "v", "B", "",  "[i]", "{\"a\": i}", "iy"};
    const pp_value          *child[4] = {NULL};
    const void              *data = NULL;
    size_t                   size = 0;
    CHECK(depth <= PP_MAX_DEPTH);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        unpack_value(value, formats[i]);
    CHECK(pp_value_msgpack(value, &data, &size) == 0);
    if (pp_value_unpack(value, "{\"a\": v}", &child[0]) == 0)
        use_value(child[0], depth + 1);
    if (pp_value_unpack(value, "[v]", &child[0]) == 0 ||
        pp_value_unpack(value, "[vv]", &child[0], &child[1]) == 0 ||
        pp_value_unpack(value, "[vvvv]", &child[0], &child[1], &child[2], &child[3]) == 0)
        for (int i = 0; i < 4 && child[i] != NULL; i++)
            use_value(child[i], depth + 1);
}

#endif
