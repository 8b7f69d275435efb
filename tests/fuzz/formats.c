/*
 * formats.c - the format language: formats that nobody wrote, packed, unpacked, and with each other.
 *
 *     a format, NUL, then a document for it
 *
 * The format is also packed and its result unpacked by the same format: that must give what was
 * packed.  Its arguments are all of the kind that travels in general registers or on the stack, eight
 * bytes each, and eight doubles before them, which the calling conventions of x86-64 and arm64 keep
 * apart; elsewhere that half is left out.
 */
#include "shown.h"

#include "codec/format.h"

enum { MOST_TERMS = 32, MOST_ARGUMENTS = 2 * MOST_TERMS, DOUBLES = 8 };

static int unpack(struct pp_document *document, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int error = pp_document_unpack_arguments(document, format, &ap);
    va_end(ap);
    return error;
}

#define EIGHT(a, i)                                                                             \
    (a)[i], (a)[(i) + 1], (a)[(i) + 2], (a)[(i) + 3], (a)[(i) + 4], (a)[(i) + 5], (a)[(i) + 6], \
        (a)[(i) + 7]
#define ALL(a)                                                                        \
    EIGHT(a, 0), EIGHT(a, 8), EIGHT(a, 16), EIGHT(a, 24), EIGHT(a, 32), EIGHT(a, 40), \
        EIGHT(a, 48), EIGHT(a, 56)

/* ------------------------------------------------------------------------- walking */

struct letters {
    char   of[MOST_TERMS];
    size_t count;
    size_t doubles;
    bool   too_many;
};

static void collect(struct pp_format *format, struct letters *letters, unsigned depth)
{
    struct pp_term term;
    size_t         expected = pp_format_count(*format);
    size_t         found = 0;
    int            more = 0;
    CHECK(depth <= PP_MAX_DEPTH);
    while ((more = pp_format_next(format, &term)) > 0) {
        found++;
        if (term.letter == '[' || term.letter == '{') {
            struct pp_format inner = pp_format_enter(format, &term);
            collect(&inner, letters, depth + 1);
            pp_format_leave(format, &inner);
        } else if (letters->count < MOST_TERMS) {
            letters->of[letters->count++] = term.letter;
            letters->doubles += term.letter == 'd' ? 1 : 0;
        } else
            letters->too_many = true;
    }
    CHECK(more == 0); /* checked once, it cannot fail any more */
    CHECK(found == expected);
}

/* ------------------------------------------------------------------------- unpacking */

struct cell {
    _Alignas(16) unsigned char bytes[16];
};

static void unpack_document(const char *format, const void *data, size_t size)
{
    struct pp_document document;
    struct cell        cells[MOST_ARGUMENTS];
    struct cell        before;
    void              *targets[MOST_ARGUMENTS];
    memset(cells, 0xa5, sizeof cells);
    memset(&before, 0xa5, sizeof before);
    for (size_t i = 0; i < MOST_ARGUMENTS; i++)
        targets[i] = &cells[i];
    if (pp_document_init(&document, data, size, false, true, NULL, 0) == 0) {
        int error = unpack(&document, format, ALL(targets));
        CHECK(error == 0 || error == -EINVAL || error == -ERANGE || error == -ENOENT ||
              error == -E2BIG);
        for (size_t i = 0; error < 0 && i < MOST_ARGUMENTS; i++)
            CHECK(memcmp(&cells[i], &before, sizeof before) == 0);
    }
    pp_document_clear(&document);
    if (pp_document_init(&document, data, size, false, false, NULL, 0) == 0)
        (void)pp_value_unpack(&document.root, format, ALL(targets));
    pp_document_clear(&document);
}

/* ------------------------------------------------------------------------- packing */

#if defined(__x86_64__) || defined(__aarch64__)

static int pack(struct pp_bytes *out, struct pp_buffer_list *buffers, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int error = pp_pack_arguments(out, buffers, format, &ap);
    va_end(ap);
    return error;
}

static const double doubles[DOUBLES] = {0, -1.5, 1e300, 1e-300, 3, 0.1, -0.0, 65536};

struct arguments {
    uintptr_t words[MOST_ARGUMENTS];
    size_t    count;
};

static uintptr_t argument_for(char letter, size_t place, const pp_value *value, pp_buffer *buffer)
{
    static const char *const strings[] = {"", "a", "h\xc3\xa9",
                                          "a longer one than thirty-one bytes"};
    switch (letter) {
    case 's':
        return (uintptr_t)strings[place % 4];
    case 'v':
        return (uintptr_t)value;
    case 'B':
        return (uintptr_t)buffer;
    case 'b':
        return place % 2;
    case 'i':
        return (uintptr_t)(intptr_t) - (int)place;
    case 'u':
        return place * 1000;
    default:
        return UINT64_C(1) << place;
    }
}

static void fill(struct arguments *arguments, const struct letters *letters, const pp_value *value,
                 pp_buffer *buffer)
{
    for (size_t i = 0; i < letters->count; i++) {
        char letter = letters->of[i];
        if (letter == 'z' || letter == 'd')
            continue;
        if (letter == 'y') {
            arguments->words[arguments->count++] = (uintptr_t) "bytes";
            arguments->words[arguments->count++] = i % 6;
        } else
            arguments->words[arguments->count++] = argument_for(letter, i, value, buffer);
    }
}

/* The targets hold what was packed. */
static void compare(const struct cell *cells, const struct letters *letters,
                    const struct arguments *arguments)
{
    size_t at = 0; /* argument */
    size_t to = 0; /* target   */
    size_t real = 0;
    for (size_t i = 0; i < letters->count; i++) {
        uintptr_t word = arguments->words[at];
        switch (letters->of[i]) {
        case 'z':
            continue;
        case 'd':
            CHECK(*(const double *)(const void *)&cells[to] == doubles[real++]);
            to++;
            continue;
        case 'b':
            CHECK(*(const bool *)(const void *)&cells[to] == (word != 0));
            break;
        case 'i':
        case 'u':
            CHECK(*(const uint32_t *)(const void *)&cells[to] == (uint32_t)word);
            break;
        case 'I':
        case 'U':
            CHECK(*(const uint64_t *)(const void *)&cells[to] == word);
            break;
        case 's':
            CHECK(strcmp(*(const char *const *)(const void *)&cells[to], (const char *)word) == 0);
            break;
        case 'y':
            CHECK(*(const size_t *)(const void *)&cells[to + 1] == arguments->words[at + 1]);
            CHECK(memcmp(*(const void *const *)(const void *)&cells[to], (const void *)word,
                         arguments->words[at + 1]) == 0);
            at++;
            to++;
            break;
        default:
            break;
        }
        at++;
        to++;
    }
}

static void unpack_packed(const char *format, const struct letters *letters,
                          const struct arguments *arguments, struct pp_bytes *bytes,
                          const struct pp_buffer_list *buffers)
{
    struct pp_document document;
    struct cell        cells[MOST_ARGUMENTS];
    void              *targets[MOST_ARGUMENTS];
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < MOST_ARGUMENTS; i++)
        targets[i] = &cells[i];
    CHECK(pp_document_init(&document, bytes->data, bytes->size, false, true, buffers->items,
                           buffers->count) == 0);
    CHECK(unpack(&document, format, ALL(targets)) == 0);
    compare(cells, letters, arguments);
    pp_document_clear(&document);
}

static void pack_and_unpack(const char *format, const struct pp_shape *shape,
                            const struct letters *letters)
{
    static const unsigned char one[] = {0x01};
    static pp_buffer          *buffer;
    struct pp_document         document;
    struct pp_bytes            bytes = {0};
    struct pp_buffer_list      buffers = {0};
    struct arguments           arguments = {.count = 0};
    if (buffer == NULL)
        CHECK(pp_buffer_create(&buffer, 10) == 0);
    CHECK(pp_document_init(&document, one, sizeof one, false, false, NULL, 0) == 0);
    fill(&arguments, letters, &document.root, buffer);
    int error = pack(&bytes, &buffers, format, EIGHT(doubles, 0), ALL(arguments.words));
    CHECK(error == (shape->optional ? -EINVAL : 0));
    if (error == 0)
        unpack_packed(format, letters, &arguments, &bytes, &buffers);
    pp_bytes_free(&bytes);
    pp_buffer_list_free(&buffers);
    pp_document_clear(&document);
}

/* No argument of a format that is wrong is fetched: these are none. */
static void refuse(const char *format)
{
    struct pp_bytes       bytes = {0};
    struct pp_buffer_list buffers = {0};
    CHECK(pack(&bytes, &buffers, format, (uintptr_t)1, (uintptr_t)1) == -EINVAL);
    CHECK(bytes.size == 0 && buffers.count == 0);
    pp_bytes_free(&bytes);
}

#else

static void pack_and_unpack(const char *format, const struct pp_shape *shape,
                            const struct letters *letters)
{
    (void)format, (void)shape, (void)letters;
}

static void refuse(const char *format)
{
    (void)format;
}

#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct letters  letters = {.count = 0};
    struct pp_shape shape;
    const uint8_t  *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t          length = end != NULL ? (size_t)(end - data) : size;
    struct input    input = {data + length + (end != NULL ? 1 : 0), data + size};
    char           *format = malloc(length + 1);
    CHECK(format != NULL);
    if (length > 0)
        memcpy(format, data, length);
    format[length] = '\0';
    int error = pp_format_check(format, &shape);
    CHECK(error == 0 || error == -EINVAL);
    if (error == 0) {
        struct pp_format whole = pp_format_begin(format);
        collect(&whole, &letters, 0);
    } else
        refuse(format);
    if (error == 0 && !letters.too_many) {
        void *document = input_rest(&input, &size);
        unpack_document(format, document, size);
        free(document);
        if (letters.doubles <= DOUBLES)
            pack_and_unpack(format, &shape, &letters);
    }
    free(format);
    return 0;
}
