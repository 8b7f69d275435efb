/*
 * skim.h - step over whole MessagePack objects, looking at their structure only.
 */
#ifndef PP_CODEC_SKIM_H
#define PP_CODEC_SKIM_H

#include "codec/item.h"

/*
 * Step over the object that starts at the cursor.  -EBADMSG: it is not whole or not ours, its
 * lists and maps nest deeper than `max_depth` (at most PP_MAX_DEPTH; a list of numbers has depth
 * 1), or it refers to a buffer beyond `buffer_count`.  The cursor moves on success only.  Takes
 * time in proportion to the bytes of the object and memory of a fixed size, whatever they are.
 */
int pp_skim(struct pp_cursor *cursor, unsigned max_depth, size_t buffer_count);

/* Step over an object of a checked document. */
int pp_skip(struct pp_cursor *cursor);

#endif
