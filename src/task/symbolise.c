/*
 * symbolise.c - the text of a backtrace, line by line.
 *
 * Invariants
 *   - No state is kept from one call to the next, and none is shared: threads do not wait for each
 *     other here, and a forked child has nothing to inherit.
 *   - The text is not trusted: a line that is not of the form, or names what is no object file or a
 *     place outside of it, is passed on.
 */
#include "task/symbolise.h"

#include "task/debuginfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------- writing */

struct writer {
    struct pp_debuginfo *info;
    char                *text;
    size_t               size;
    size_t               capacity;
    bool                 failed; /* no memory */
    unsigned             number; /* of the next frame */
};

static void append(struct writer *out, const char *text, size_t size)
{
    if (out->capacity - out->size <= size && !out->failed) {
        size_t capacity = (out->size + size) * 2 + 256;
        char  *larger = realloc(out->text, capacity);
        out->failed = larger == NULL;
        if (out->failed)
            return;
        out->text = larger;
        out->capacity = capacity;
    }
    if (out->failed)
        return;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        out->text[out->size++] = byte < ' ' || byte == 0x7f ? '?' : text[i];
    }
    out->text[out->size] = '\0';
}

static void append_string(struct writer *out, const char *text)
{
    append(out, text, strlen(text));
}

static void append_end(struct writer *out)
{
    append(out, " ", 1); /* makes room; control characters do not get in */
    if (!out->failed)
        out->text[out->size - 1] = '\n';
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void append_number(struct writer *out)
{
    char number[24];
    snprintf(number, sizeof number, "#%u ", out->number++);
    append_string(out, number);
}

/* One frame: pp_debuginfo_found. */
static void write_place(void *data, const struct pp_place *place, const char *path)
{
    struct writer *out = data;
    char           number[32];
    append_number(out);
    append_string(out, place->function);
    if (place->file != NULL) {
        append_string(out, " (");
        append_string(out, last_part(place->file));
        snprintf(number, sizeof number, ":%d)", place->line);
        append_string(out, number);
    } else {
        snprintf(number, sizeof number, "+0x%llx", (unsigned long long)place->offset);
        append_string(out, number);
    }
    append_string(out, " in ");
    append_string(out, last_part(path));
    append_end(out);
}

/* ------------------------------------------------------------------------- reading */

/* "path+0xoffset", `length` characters: where the path ends, or NULL. */
static const char *split(const char *line, size_t length, uint64_t *offset)
{
    const char *plus = memrchr(line, '+', length);
    if (plus == NULL || plus == line || length - (size_t)(plus - line) < 4 || plus[1] != '0' ||
        plus[2] != 'x')
        return NULL;
    char       *end = NULL;
    const char *digits = plus + 3;
    if (strspn(digits, "0123456789abcdef") != length - (size_t)(digits - line))
        return NULL;
    errno = 0;
    *offset = strtoull(digits, &end, 16);
    return errno == 0 ? plus : NULL;
}

static void write_line(struct writer *out, const char *line, size_t length)
{
    uint64_t    offset = 0;
    const char *plus = split(line, length, &offset);
    if (plus == NULL) {
        append(out, line, length);
        append_end(out);
        return;
    }
    char *path = line[0] == '/' ? strndup(line, (size_t)(plus - line)) : NULL;
    if (path != NULL && pp_debuginfo_find(out->info, path, offset, write_place, out)) {
        free(path);
        return;
    }
    free(path);
    append_number(out);
    append(out, line, length);
    append_end(out);
}

char *pp_symbolise(const char *text)
{
    struct writer out = {.info = pp_debuginfo_open()};
    if (out.info == NULL)
        return strdup(text);
    bool cut = text[0] == '\0' || text[strlen(text) - 1] != '\n';
    append(&out, "", 0);
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        write_line(&out, text, length);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    pp_debuginfo_close(out.info);
    if (cut && !out.failed && out.size > 0) /* the last line ends as it did */
        out.text[out.size - 1] = '\0';
    if (!out.failed)
        return out.text;
    free(out.text);
    return NULL;
}
