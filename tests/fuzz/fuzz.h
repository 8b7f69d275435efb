/*
 * fuzz.h - what the fuzz targets share: an input taken apart from its front, and checks.
 *
 * A target does what the library does with bytes from a worker or a file, and CHECKs what must hold
 * whatever they are; the sanitizers watch over the rest.  It keeps no state from input to input.
 */
#ifndef PP_TESTS_FUZZ_H
#define PP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static inline size_t input_left(const struct input *input)
{
    return (size_t)(input->end - input->at);
}

/* Up to `size` bytes: how many there were. */
static inline size_t input_copy(struct input *input, void *out, size_t size)
{
    size_t count = size < input_left(input) ? size : input_left(input);
    if (count > 0)
        memcpy(out, input->at, count);
    input->at += count;
    return count;
}

/* A number; beyond the end its bytes are zero. */
static inline uint64_t input_number(struct input *input, size_t bytes)
{
    uint64_t number = 0;
    (void)input_copy(input, &number, bytes);
    return number;
}

static inline unsigned input_byte(struct input *input)
{
    return (unsigned)input_number(input, 1);
}

/* What is left, in a block of exactly its size, so that a read behind it is seen. */
static inline void *input_rest(const struct input *input, size_t *size)
{
    *size = input_left(input);
    void *block = malloc(*size);
    CHECK(block != NULL || *size == 0);
    if (*size > 0)
        memcpy(block, input->at, *size);
    return block;
}

#endif
