/*
 * show.c - whole output, or line by line with a tag.
 */
#define _GNU_SOURCE
#include "show.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TAG = 512 };

struct writer {
    struct cmd_sink *sink;
    char             tag[MAX_TAG];
    size_t           tag_length;
    bool             in_line;
    uint64_t         limit; /* bytes that may still be written */
};

static void begin(struct writer *writer, struct cmd_sink *sink, const struct cmd_job *job, bool tag)
{
    writer->sink = sink;
    writer->tag_length = 0;
    writer->in_line = false;
    writer->limit = UINT64_MAX;
    if (!tag)
        return;
    writer->tag_length =
        cmd_printable(writer->tag, sizeof writer->tag - 1, job->input, job->length);
    writer->tag[writer->tag_length++] = '\t';
}

static void put_lines(void *argument, const char *data, size_t size)
{
    struct writer *writer = argument;
    if (size > writer->limit)
        size = (size_t)writer->limit;
    writer->limit -= size;
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t      length = newline != NULL ? (size_t)(newline + 1 - data) : size;
        if (!writer->in_line)
            cmd_sink_put(writer->sink, writer->tag, writer->tag_length);
        cmd_sink_put(writer->sink, data, length);
        writer->in_line = newline == NULL;
        data += length;
        size -= length;
    }
}

static void put_raw(void *argument, const char *data, size_t size)
{
    cmd_sink_put(argument, data, size);
}

int cmd_show_rest(struct cmd_sink *sink, struct cmd_job *job, enum cmd_stream stream, bool lines,
                  bool tag)
{
    struct cmd_spool *spool = &job->spools[stream];
    uint64_t          from = job->written[stream];
    struct writer     writer;
    job->written[stream] = cmd_spool_size(spool);
    if (!lines && !tag)
        return cmd_spool_each(spool, from, put_raw, sink);
    begin(&writer, sink, job, tag);
    int error = cmd_spool_each(spool, from, put_lines, &writer);
    if (writer.in_line)
        cmd_sink_put(sink, "\n", 1);
    return error;
}

/* Where the last whole line ends, as an offset of the spool; what is in its file is behind it. */
static uint64_t lines_end(const struct cmd_spool *spool, uint64_t from)
{
    size_t      skip = from > spool->filed ? (size_t)(from - spool->filed) : 0;
    const char *newline =
        skip < spool->size ? memrchr(spool->data + skip, '\n', spool->size - skip) : NULL;
    return newline != NULL ? spool->filed + (uint64_t)(newline + 1 - spool->data) : from;
}

bool cmd_show_has_line(struct cmd_job *job, enum cmd_stream stream)
{
    const struct cmd_spool *spool = &job->spools[stream];
    uint64_t                from = job->written[stream];
    if (from < job->searched[stream])
        from = job->searched[stream];
    job->searched[stream] = cmd_spool_size(spool);
    return lines_end(spool, from) > from;
}

int cmd_show_lines(struct cmd_sink *sink, struct cmd_job *job, enum cmd_stream stream, bool tag)
{
    struct cmd_spool *spool = &job->spools[stream];
    uint64_t          from = job->written[stream];
    uint64_t          to = lines_end(spool, from);
    struct writer     writer;
    begin(&writer, sink, job, tag);
    writer.limit = to - from;
    int error = cmd_spool_each(spool, from, put_lines, &writer);
    job->written[stream] = to;
    return error;
}

static bool is_null(const pp_value *value)
{
    const void *data = NULL;
    size_t      size = 0;
    return value == NULL || (pp_value_msgpack(value, &data, &size) == 0 && size == 1 &&
                             *(const unsigned char *)data == 0xc0);
}

static int print_json(struct cmd_spool *spool, const pp_value *value)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return -ENOMEM;
    int error = 0;
    if (value != NULL)
        error = pp_value_print(value, stream);
    else
        fputs("null", stream);
    if (fclose(stream) != 0)
        error = -ENOMEM;
    if (error == 0)
        error = cmd_spool_add(spool, text, size);
    free(text);
    return error;
}

int cmd_show_value(struct cmd_job *job, bool as_json)
{
    const pp_value   *value = pp_task_result(job->task);
    struct cmd_spool *spool = &job->spools[CMD_OUT];
    const char       *string = NULL;
    int               error = 0;
    if (!as_json && is_null(value))
        return 0;
    if (!as_json && pp_value_unpack(value, "s", &string) == 0)
        error = cmd_spool_add(spool, string, strlen(string));
    else
        error = print_json(spool, value);
    return error < 0 ? error : cmd_spool_add(spool, "\n", 1);
}
