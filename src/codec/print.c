/*
 * print.c - a value as JSON.
 *
 *     null, bool      as they are
 *     integer         exactly, up to 64 bits
 *     double          the shortest text that reads back as the same, with ".0" or an exponent so
 *                     that it stays a double; null when it is not finite
 *     string          UTF-8; what is not UTF-8 becomes U+FFFD
 *     bytes           a string of base64
 *     buffer          { "buffer": size }
 *     list, map       in order; a key that is not a string is its own JSON in quotes, and where
 *                     such a key has a list or map for a key in turn, that is the base64 of its
 *                     MessagePack (quoting quotes again and again would double the text each time)
 *
 * All on one line, no newline behind it.  The stream is locked meanwhile, so that values printed
 * by several threads do not mix, and is not flushed.
 *
 * Invariants
 *   - What is printed is JSON in UTF-8 whatever the bytes of the value and the locale.
 *   - The length of the text is proportional to that of the value.
 *   - Recursion is as deep as a document may be.
 */
#include "codec/document.h"
#include "codec/skim.h"
#include "codec/utf8.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* a list of arguments has one level more than its items may have */
enum { DEEPEST = PP_MAX_DEPTH + 1 };

struct printing {
    FILE               *stream;
    struct pp_document *document;
    bool                in_key;    /* inside a quoted key: the quotes of the JSON are escaped */
    int                 error;     /* the first one; nothing is written after it */
    size_t              held;      /* bytes of text that the stream has not got yet */
    char                text[512]; /* many small pieces make one call of stdio */
};

static void print_value(struct printing *p, struct pp_cursor *cursor, unsigned depth);

static void write_out(struct printing *p, const char *text, size_t size)
{
    if (p->error < 0)
        return;
    errno = 0;
    if (fwrite(text, 1, size, p->stream) != size)
        p->error = errno != 0 ? -errno : -EIO;
}

static void put(struct printing *p, const char *text, size_t size)
{
    if (size > sizeof p->text - p->held) {
        write_out(p, p->text, p->held);
        p->held = 0;
    }
    if (size > sizeof p->text) {
        write_out(p, text, size);
        return;
    }
    memcpy(p->text + p->held, text, size);
    p->held += size;
}

static void put_char(struct printing *p, char c)
{
    if (p->in_key && (c == '"' || c == '\\'))
        put(p, "\\", 1);
    put(p, &c, 1);
}

static void put_text(struct printing *p, const char *text)
{
    while (*text != '\0')
        put_char(p, *text++);
}

/* ------------------------------------------------------------------- scalars */

static void print_escape(struct printing *p, unsigned char c)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char              text[8];
    for (const char *name = names; *name != '\0'; name += 2) {
        if ((unsigned char)*name == c) {
            put_char(p, '\\');
            put_char(p, name[1]);
            return;
        }
    }
    snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    put_text(p, text);
}

/* Text goes out in runs: as far as it may stand in JSON as it is. */
static void print_string(struct printing *p, const unsigned char *at, size_t size)
{
    const unsigned char *end = at + size;
    const unsigned char *run = at;
    put_char(p, '"');
    while (at < end) {
        bool       valid;
        size_t     length = pp_utf8_next(at, (size_t)(end - at), &valid);
        const bool plain = valid && *at >= 0x20 && *at != '"' && *at != '\\';
        if (!plain) {
            put(p, (const char *)run, (size_t)(at - run));
            if (valid)
                print_escape(p, *at);
            else
                put(p, "\xef\xbf\xbd", 3);
            run = at + length;
        }
        at += length;
    }
    put(p, (const char *)run, (size_t)(at - run));
    put_char(p, '"');
}

static void print_base64(struct printing *p, const unsigned char *at, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put_char(p, '"');
    while (size > 0) {
        const size_t step = size < 3 ? size : 3;
        unsigned     bits = (unsigned)at[0] << 16;
        if (size > 1)
            bits |= (unsigned)at[1] << 8;
        if (size > 2)
            bits |= at[2];
        const char group[4] = {
            digits[bits >> 18],
            digits[bits >> 12 & 63],
            size > 1 ? digits[bits >> 6 & 63] : '=',
            size > 2 ? digits[bits & 63] : '=',
        };
        put(p, group, sizeof group);
        at += step;
        size -= step;
    }
    put_char(p, '"');
}

/* The point of the locale, which may be several bytes, becomes a JSON point. */
static void put_number(struct printing *p, const char *text)
{
    while (*text != '\0') {
        size_t plain = strspn(text, "0123456789+-e");
        put(p, text, plain);
        text += plain;
        size_t point = strcspn(text, "0123456789+-e");
        if (point > 0)
            put(p, ".", 1);
        text += point;
    }
}

static void print_double(struct printing *p, double real)
{
    char text[40];
    if (!isfinite(real)) {
        put_text(p, "null");
        return;
    }
    /* 15 digits always survive, and %g drops zeros at the end; numbers next to 0 have fewer */
    int    digits = real < DBL_MIN && real > -DBL_MIN ? 1 : 15;
    double back;
    do {
        snprintf(text, sizeof text, "%.*g", digits, real);
        back = strtod(text, NULL);
    } while (back != real && digits++ < 17);
    put_number(p, text);
    if (text[strspn(text, "0123456789-")] == '\0')
        put_text(p, ".0");
}

static void print_buffer(struct printing *p, uint64_t index)
{
    char text[64];
    if (index >= p->document->buffer_count) {
        p->error = -EBADMSG;
        return;
    }
    snprintf(text, sizeof text, "{\"buffer\": %zu}", pp_buffer_size(p->document->buffers[index]));
    put_text(p, text);
}

static void print_scalar(struct printing *p, const struct pp_item *item)
{
    char text[32] = "null";
    switch (item->kind) {
    case PP_ITEM_STRING:
        print_string(p, item->body, item->size);
        return;
    case PP_ITEM_BYTES:
        print_base64(p, item->body, item->size);
        return;
    case PP_ITEM_DOUBLE:
        print_double(p, item->real);
        return;
    case PP_ITEM_BUFFER:
        print_buffer(p, item->number);
        return;
    case PP_ITEM_BOOL:
        snprintf(text, sizeof text, "%s", item->boolean ? "true" : "false");
        break;
    case PP_ITEM_UNSIGNED:
        snprintf(text, sizeof text, "%" PRIu64, item->number);
        break;
    case PP_ITEM_NEGATIVE:
        snprintf(text, sizeof text, "%" PRId64, item->negative);
        break;
    default:
        break;
    }
    put_text(p, text);
}

/* ------------------------------------------------------------- lists and maps */

/* The item that comes next; the cursor stays before it. */
static struct pp_item peek(struct printing *p, const struct pp_cursor *cursor)
{
    struct pp_cursor at = *cursor;
    struct pp_item   item = {.kind = PP_ITEM_NONE};
    int              error = pp_item_read(&at, &item);
    if (error < 0 && p->error == 0)
        p->error = error;
    return item;
}

static void print_key(struct printing *p, struct pp_cursor *cursor, unsigned depth)
{
    const bool              in_key = p->in_key;
    const enum pp_item_kind kind = peek(p, cursor).kind;
    if (kind == PP_ITEM_STRING || kind == PP_ITEM_BYTES) { /* a JSON string already */
        print_value(p, cursor, depth);
        return;
    }
    if (in_key && (kind == PP_ITEM_LIST || kind == PP_ITEM_MAP || kind == PP_ITEM_BUFFER)) {
        const unsigned char *start = cursor->at;
        if (pp_skip(cursor) < 0)
            p->error = -EBADMSG;
        print_base64(p, start, (size_t)(cursor->at - start));
        return;
    }
    put_char(p, '"');
    p->in_key = true;
    print_value(p, cursor, depth);
    p->in_key = in_key;
    put_char(p, '"');
}

static void print_list(struct printing *p, struct pp_cursor *cursor, uint32_t count, unsigned depth)
{
    put_char(p, '[');
    for (uint32_t i = 0; i < count && p->error == 0; i++) {
        if (i > 0)
            put_text(p, ", ");
        print_value(p, cursor, depth + 1);
    }
    put_char(p, ']');
}

static void print_map(struct printing *p, struct pp_cursor *cursor, uint32_t count, unsigned depth)
{
    put_char(p, '{');
    for (uint32_t i = 0; i < count && p->error == 0; i++) {
        if (i > 0)
            put_text(p, ", ");
        print_key(p, cursor, depth + 1);
        put_text(p, ": ");
        print_value(p, cursor, depth + 1);
    }
    put_char(p, '}');
}

static void print_value(struct printing *p, struct pp_cursor *cursor, unsigned depth)
{
    struct pp_item item = peek(p, cursor);
    const bool     is_container = item.kind == PP_ITEM_LIST || item.kind == PP_ITEM_MAP;
    if (p->error == 0 && is_container && depth >= DEEPEST)
        p->error = -EBADMSG;
    if (p->error < 0)
        return;
    pp_item_read(cursor, &item);
    if (item.kind == PP_ITEM_LIST)
        print_list(p, cursor, item.count, depth);
    else if (item.kind == PP_ITEM_MAP)
        print_map(p, cursor, item.count, depth);
    else
        print_scalar(p, &item);
}

int pp_value_print(const pp_value *value, FILE *stream)
{
    if (value == NULL || stream == NULL)
        return -EINVAL;
    struct printing  p = {.stream = stream, .document = value->document};
    struct pp_cursor cursor = {value->data, value->data + value->size};
    flockfile(stream);
    if (value->document->is_bytes)
        print_base64(&p, value->data, value->size);
    else
        print_value(&p, &cursor, 0);
    write_out(&p, p.text, p.held);
    funlockfile(stream);
    return p.error;
}
