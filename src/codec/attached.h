/*
 * attached.h - what a document remembers for its readers: NUL-terminated strings, child values.
 *
 * Each thing is known by the place in the bytes that it was made from and by its kind, so it is
 * made once however often it is asked for: unpacking in a loop does not grow a document.
 */
#ifndef PP_CODEC_ATTACHED_H
#define PP_CODEC_ATTACHED_H

#include "codec/document.h"

enum pp_attached_kind { PP_ATTACHED_STRING, PP_ATTACHED_VALUE, PP_ATTACHED_MSGPACK };

/* What was made from `source`, a place in the bytes of the document, or NULL. */
void *pp_attached_find(struct pp_document *document, const unsigned char *source,
                       enum pp_attached_kind kind);

/* Room for something new of that size, for one pp_attached_keep; NULL: no memory. */
void *pp_attached_new(size_t size);

/* Publish it, complete, as what was made from `source`.  Returns what the document has now: this
 * one, or that of another thread which was faster, and then this one is freed. */
void *pp_attached_keep(struct pp_document *document, const unsigned char *source,
                       enum pp_attached_kind kind, void *body);

/* Free what was made in vain, instead of keeping it. */
void pp_attached_drop(void *body);

/* Free everything.  Nobody may be reading. */
void pp_attached_free(struct pp_document *document);

#endif
