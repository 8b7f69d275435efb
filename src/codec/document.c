/*
 * document.c - the check that bytes pass once, before anything is read out of them.
 *
 * Invariants
 *   - A document that pp_document_init refused is empty, and may be cleared.
 *   - Clearing leaves it empty: a second time does nothing.
 */
#include "codec/document.h"

#include "codec/attached.h"
#include "codec/skim.h"

#include <errno.h>
#include <stdatomic.h>

static void document_empty(struct pp_document *document)
{
    document->data = NULL;
    document->size = 0;
    document->is_bytes = false;
    document->buffers = NULL;
    document->buffer_count = 0;
    document->root = (struct pp_value){.document = document};
    document->keywords = NULL;
    atomic_init(&document->attached, NULL);
}

/* The positional list.  It does not count as depth, so that what can be a result, nested as deep
 * as that may be, can be an argument too. */
static int check_positional(struct pp_cursor *cursor, size_t buffer_count)
{
    struct pp_item list;
    if (pp_item_read(cursor, &list) < 0 || list.kind != PP_ITEM_LIST)
        return -EBADMSG;
    for (uint32_t i = 0; i < list.count; i++)
        if (pp_skim(cursor, PP_MAX_DEPTH, buffer_count) < 0)
            return -EBADMSG;
    return 0;
}

static int check_keywords(struct pp_cursor *cursor, size_t buffer_count)
{
    struct pp_item map;
    if (pp_item_read(cursor, &map) < 0 || map.kind != PP_ITEM_MAP)
        return -EBADMSG;
    for (uint32_t i = 0; i < map.count; i++) {
        struct pp_item name;
        if (pp_item_read(cursor, &name) < 0 || name.kind != PP_ITEM_STRING)
            return -EBADMSG;
        if (pp_skim(cursor, PP_MAX_DEPTH, buffer_count) < 0)
            return -EBADMSG;
    }
    return 0;
}

/* Check MessagePack; the places of the root's end and of the keywords (or NULL) come out. */
static int check_msgpack(struct pp_cursor cursor, bool with_keywords, size_t buffer_count,
                         const unsigned char **root_end, const unsigned char **keywords)
{
    int error = with_keywords ? check_positional(&cursor, buffer_count)
                              : pp_skim(&cursor, PP_MAX_DEPTH, buffer_count);
    if (error < 0)
        return error;
    *root_end = cursor.at;
    *keywords = NULL;
    if (with_keywords && cursor.at != cursor.end) {
        *keywords = cursor.at;
        error = check_keywords(&cursor, buffer_count);
    }
    return error == 0 && cursor.at != cursor.end ? -EBADMSG : error;
}

int pp_document_init(struct pp_document *document, const void *data, size_t size, bool is_bytes,
                     bool with_keywords, pp_buffer *const *buffers, size_t buffer_count)
{
    document_empty(document);
    if (data == NULL && size > 0)
        return -EBADMSG;
    /* a payload of no bytes is a place too: memcpy from NULL is not allowed even for 0 bytes */
    const unsigned char *bytes = data != NULL ? data : (const unsigned char *)"";
    const unsigned char *root_end = bytes + size;
    const unsigned char *keywords = NULL;
    if (!is_bytes) {
        struct pp_cursor all = {bytes, bytes + size};
        int error = check_msgpack(all, with_keywords, buffer_count, &root_end, &keywords);
        if (error < 0)
            return error;
    }
    document->data = bytes;
    document->size = size;
    document->is_bytes = is_bytes;
    document->buffers = buffers;
    document->buffer_count = buffer_count;
    document->root.data = bytes;
    document->root.size = (size_t)(root_end - bytes);
    document->keywords = keywords;
    return 0;
}

void pp_document_clear(struct pp_document *document)
{
    pp_attached_free(document);
    document_empty(document);
}
