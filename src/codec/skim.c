/*
 * skim.c - the structural walk over untrusted bytes.
 *
 * Invariants
 *   - No recursion and no allocation: the lists and maps that are open stand in an array of
 *     PP_MAX_DEPTH counters.
 *   - Each round reads at least one byte, so the walk ends.
 */
#include "codec/skim.h"

#include "codec/document.h"

#include <errno.h>

int pp_skim(struct pp_cursor *cursor, unsigned max_depth, size_t buffer_count)
{
    uint64_t         open[PP_MAX_DEPTH]; /* items still to come in each open list or map */
    unsigned         depth = 0;
    struct pp_cursor at = *cursor;
    struct pp_item   item;

    do {
        uint64_t inside = 0;
        if (pp_item_read(&at, &item) < 0)
            return -EBADMSG;
        if (item.kind == PP_ITEM_BUFFER && item.number >= buffer_count)
            return -EBADMSG;
        if (item.kind == PP_ITEM_LIST || item.kind == PP_ITEM_MAP) {
            if (depth >= max_depth || depth >= PP_MAX_DEPTH)
                return -EBADMSG;
            inside = item.kind == PP_ITEM_MAP ? 2 * (uint64_t)item.count : item.count;
        }
        if (inside > 0) {
            open[depth++] = inside;
            continue;
        }
        /* one item is complete, and with it every list that it was the last of */
        while (depth > 0 && --open[depth - 1] == 0)
            depth--;
    } while (depth > 0);

    *cursor = at;
    return 0;
}

int pp_skip(struct pp_cursor *cursor)
{
    return pp_skim(cursor, PP_MAX_DEPTH, SIZE_MAX);
}
