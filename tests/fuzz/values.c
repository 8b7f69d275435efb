/*
 * values.c - MessagePack from another process: check, unpack, print, pack again.
 *
 *     flags   1: with keywords   2: plain bytes   4, 8: one or two buffers
 *     the rest is the document
 */
#include "shown.h"

#include "codec/skim.h"

static int unpack_arguments(struct pp_document *document, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int error = pp_document_unpack_arguments(document, format, &ap);
    va_end(ap);
    return error;
}

static void use_arguments(struct pp_document *document)
{
    const char     *text = NULL;
    const pp_value *value = NULL;
    int             number = 77;
    int             keyword = 77;
    (void)unpack_arguments(document, "");
    if (unpack_arguments(document, "i[sv] k=i o?=v", &number, &text, &value, &keyword, &value) < 0)
        CHECK(number == 77 && keyword == 77 && text == NULL && value == NULL);
    if (unpack_arguments(document, "a?=v b?=s n?=i", &value, &text, &number) == 0 && value != NULL)
        use_value(value, 0);
}

static void packs_as_it_is(const pp_value *value)
{
    struct pp_bytes       out = {0};
    struct pp_buffer_list list = {0};
    CHECK(pp_pack_result_args(&out, &list, "v", value) == 0);
    CHECK(value->document->is_bytes || out.size == value->size);
    if (list.count == 0 && !value->document->is_bytes)
        CHECK(memcmp(out.data, value->data, out.size) == 0);
    pp_bytes_free(&out);
    pp_buffer_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pp_buffer  *buffers[2];
    struct pp_document document;
    struct input       input = {data, data + size};
    unsigned           flags = input_byte(&input);
    size_t             count = (flags >> 2 & 1) + (flags >> 3 & 1);
    for (size_t i = 0; i < 2 && buffers[i] == NULL; i++)
        CHECK(pp_buffer_create(&buffers[i], 100) == 0);
    void *bytes = input_rest(&input, &size);
    int   error = pp_document_init(&document, bytes, size, (flags & 2) != 0, (flags & 1) != 0,
                                   buffers, count);
    CHECK(error == 0 || error == -EBADMSG);
    if (error == 0 && (flags & 3) != 1) {
        struct pp_cursor cursor = {bytes, (unsigned char *)bytes + size};
        if ((flags & 2) == 0) {
            CHECK(pp_skim(&cursor, PP_MAX_DEPTH, count) == 0);
            CHECK(cursor.at == cursor.end);
        }
        print_value(&document.root);
        packs_as_it_is(&document.root);
        use_value(&document.root, 0);
    }
    if (error == 0)
        use_arguments(&document);
    pp_document_clear(&document);
    free(bytes);
    return 0;
}
