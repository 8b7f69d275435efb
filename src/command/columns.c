/*
 * columns.c - separators, and the quotes of RFC 4180.
 *
 * A field without quotes points into the record.  One with quotes is written anew, without them,
 * into the scratch memory, which never moves within a row: it was reserved for the whole of it.
 */
#include "columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cmd_columns_add(struct cmd_columns *columns, const char *data, size_t length)
{
    if (columns->count == columns->capacity) {
        size_t           capacity = columns->capacity == 0 ? 16 : columns->capacity * 2;
        struct cmd_text *texts = realloc(columns->texts, capacity * sizeof *texts);
        if (texts == NULL)
            return -ENOMEM;
        columns->texts = texts;
        columns->capacity = capacity;
    }
    columns->texts[columns->count++] = (struct cmd_text){data, length};
    return 0;
}

int cmd_columns_reserve(struct cmd_columns *columns, size_t length)
{
    columns->scratch_size = 0;
    if (length <= columns->scratch_capacity)
        return 0;
    char *scratch = malloc(length);
    if (scratch == NULL)
        return -ENOMEM;
    free(columns->scratch);
    columns->scratch = scratch;
    columns->scratch_capacity = length;
    return 0;
}

int cmd_columns_split(struct cmd_columns *columns, struct cmd_text record, const char *separator)
{
    size_t      width = strlen(separator);
    const char *end = record.data + record.length;
    const char *at = record.data;
    for (const char *scan = at; (size_t)(end - scan) >= width;) {
        if (memcmp(scan, separator, width) != 0) {
            scan++;
            continue;
        }
        int error = cmd_columns_add(columns, at, (size_t)(scan - at));
        if (error < 0)
            return error;
        scan += width;
        at = scan;
    }
    return cmd_columns_add(columns, at, (size_t)(end - at));
}

/* `at` stands behind the opening quote.  Where the field ends - at a comma or the end - or NULL
 * when something else stands behind its closing quote. */
static const char *quoted_field(struct cmd_columns *columns, const char *at, const char *end,
                                int *error)
{
    char *out = columns->scratch + columns->scratch_size;
    char *field = out;
    for (; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"'))
            break;
        if (*at == '"')
            at++;
        *out++ = *at;
    }
    columns->scratch_size = (size_t)(out - columns->scratch);
    *error = cmd_columns_add(columns, field, (size_t)(out - field));
    if (at == end || (at + 1 < end && at[1] != ','))
        return NULL;
    return at + 1;
}

int cmd_columns_csv(struct cmd_columns *columns, struct cmd_text record)
{
    const char *at = record.data, *end = record.data + record.length;
    for (;;) {
        int error = 0;
        if (at < end && *at == '"') {
            at = quoted_field(columns, at + 1, end, &error);
            if (at == NULL)
                return -EBADMSG;
        } else {
            const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
            const char *stop = comma != NULL ? comma : end;
            if (stop > at && memchr(at, '"', (size_t)(stop - at)) != NULL)
                return -EBADMSG;
            error = cmd_columns_add(columns, at, (size_t)(stop - at));
            at = stop;
        }
        if (error < 0 || at == end)
            return error;
        at++; /* the comma */
    }
}

void cmd_columns_free(struct cmd_columns *columns)
{
    free(columns->texts);
    free(columns->scratch);
    *columns = (struct cmd_columns){0};
}
