/*
 * value.c - the MessagePack of a value.
 *
 * A value is a slice of its document, so its MessagePack is there already.  Only a payload of
 * plain bytes has to be encoded, once, and the document keeps that.  A buffer inside stands as an
 * ext object of type 'B' whose number means something in this document only.
 */
#include "codec/attached.h"
#include "codec/document.h"
#include "codec/pack.h"

#include <errno.h>

enum { LONGEST_BIN_HEAD = 5 };

struct encoded {
    size_t        size;
    unsigned char data[];
};

static int encode_payload(const pp_value *value, const struct encoded **encoded)
{
    *encoded = pp_attached_find(value->document, value->data, PP_ATTACHED_MSGPACK);
    if (*encoded != NULL)
        return 0;
    if (value->size > UINT32_MAX)
        return -EOVERFLOW;
    struct encoded *made = pp_attached_new(sizeof *made + LONGEST_BIN_HEAD + value->size);
    if (made == NULL)
        return -ENOMEM;
    /* big enough, so it never grows: the memory stays the node's */
    struct pp_bytes out = {.data = made->data, .capacity = LONGEST_BIN_HEAD + value->size};
    int             error = pp_pack_bin(&out, value->data, value->size);
    if (error < 0) {
        pp_attached_drop(made);
        return error;
    }
    made->size = out.size;
    *encoded = pp_attached_keep(value->document, value->data, PP_ATTACHED_MSGPACK, made);
    return 0;
}

int pp_value_msgpack(const pp_value *value, const void **data, size_t *size)
{
    if (value == NULL || data == NULL || size == NULL)
        return -EINVAL;
    if (!value->document->is_bytes) {
        *data = value->data;
        *size = value->size;
        return 0;
    }
    const struct encoded *encoded = NULL;
    int                   error = encode_payload(value, &encoded);
    if (error < 0)
        return error;
    *data = encoded->data;
    *size = encoded->size;
    return 0;
}
