/*
 * inputs.c - sources combined.
 *
 * Linked sources make a group and go on together, until the shortest is at its end.  The groups are
 * combined each with each, the last one changing fastest.  The first group is read as it is wanted
 * and never kept, so that its length costs no memory; the others are read at the beginning.
 *
 * A row is taken apart into columns when it is given out, so it is kept as it was read.
 */
#define _GNU_SOURCE
#include "inputs.h"

#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --------------------------------------------------------------- kept rows */

static int keep_row(struct cmd_rows *rows, struct cmd_text text)
{
    if (rows->count == rows->room) {
        size_t room = rows->room == 0 ? 64 : rows->room * 2;
        void  *grown = reallocarray(rows->rows, room, sizeof *rows->rows);
        if (grown == NULL)
            return -ENOMEM;
        rows->rows = grown;
        rows->room = room;
    }
    if (rows->capacity - rows->size < text.length) {
        size_t capacity = (rows->capacity + text.length) * 2;
        char  *bytes = realloc(rows->bytes, capacity);
        if (bytes == NULL)
            return -ENOMEM;
        rows->bytes = bytes;
        rows->capacity = capacity;
    }
    if (text.length > 0)
        memcpy(rows->bytes + rows->size, text.data, text.length);
    rows->rows[rows->count].at = rows->size;
    rows->rows[rows->count++].length = text.length;
    rows->size += text.length;
    return 0;
}

static struct cmd_text kept_row(const struct cmd_rows *rows, size_t row)
{
    return (struct cmd_text){rows->bytes + rows->rows[row].at, rows->rows[row].length};
}

int cmd_inputs_await(const struct cmd_inputs *inputs)
{
    struct pollfd fd = {.fd = cmd_inputs_fd(inputs), .events = POLLIN};
    return poll(&fd, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/* Wait for it: the run has not begun. */
static int next_now(const struct cmd_inputs *inputs, struct cmd_source *source,
                    struct cmd_text *text)
{
    int got;
    while ((got = cmd_source_next(source, text)) == -EAGAIN) {
        int error = cmd_inputs_await(inputs);
        if (error == 0)
            error = cmd_source_read(source);
        if (error < 0)
            return error;
    }
    return got;
}

static int keep_all(const struct cmd_inputs *inputs, struct cmd_source *source,
                    struct cmd_rows *rows)
{
    struct cmd_text text;
    int             got;
    while ((got = next_now(inputs, source, &text)) > 0) {
        int error = keep_row(rows, text);
        if (error < 0)
            return error;
    }
    return got;
}

/* The number of rows that a kept group has: that of its shortest source. */
static size_t group_length(const struct cmd_inputs *inputs, size_t group)
{
    size_t length = SIZE_MAX;
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->group[i] == group && inputs->kept[i].count < length)
            length = inputs->kept[i].count;
    }
    return length;
}

/* ------------------------------------------------------------ columns, names */

static int take_apart(struct cmd_inputs *inputs, struct cmd_text text)
{
    if (inputs->csv)
        return cmd_columns_csv(&inputs->columns, text);
    if (inputs->colsep != NULL)
        return cmd_columns_split(&inputs->columns, text, inputs->colsep);
    return cmd_columns_add(&inputs->columns, text.data, text.length);
}

static int add_name(struct cmd_inputs *inputs, struct cmd_text text, size_t source, size_t column)
{
    struct cmd_name *names =
        reallocarray(inputs->names, inputs->name_count + 1, sizeof *inputs->names);
    if (names == NULL)
        return -ENOMEM;
    inputs->names = names;
    char *name = cmd_text_copy(text);
    if (name == NULL)
        return -ENOMEM;
    names[inputs->name_count++] = (struct cmd_name){name, source, column};
    return 0;
}

static int read_header(struct cmd_inputs *inputs, size_t source)
{
    struct cmd_text text;
    int             got = next_now(inputs, &inputs->sources[source], &text);
    if (got <= 0)
        return got;
    inputs->columns.count = 0;
    int error = cmd_columns_reserve(&inputs->columns, text.length);
    if (error == 0)
        error = take_apart(inputs, text);
    for (size_t i = 0; i < inputs->columns.count && error == 0; i++)
        error = add_name(inputs, inputs->columns.texts[i], source, i);
    return error;
}

/* -------------------------------------------------------------- open, close */

static int allocate(struct cmd_inputs *inputs, size_t count)
{
    inputs->sources = calloc(count, sizeof *inputs->sources);
    inputs->kept = calloc(count, sizeof *inputs->kept);
    inputs->group = calloc(count, sizeof *inputs->group);
    inputs->texts = calloc(count, sizeof *inputs->texts);
    inputs->have = calloc(count, sizeof *inputs->have);
    inputs->first_column = calloc(count, sizeof *inputs->first_column);
    inputs->at = calloc(count, sizeof *inputs->at);
    return inputs->sources == NULL || inputs->kept == NULL || inputs->group == NULL ||
                   inputs->texts == NULL || inputs->have == NULL || inputs->first_column == NULL ||
                   inputs->at == NULL
               ? -ENOMEM
               : 0;
}

static int open_source(struct cmd_inputs *inputs, const struct cmd_source_spec *spec,
                       const struct cmd_options *options)
{
    size_t             i = inputs->count++;
    struct cmd_source *source = &inputs->sources[i];
    int                error = 0;
    inputs->waits_for = i;
    if (spec->words != NULL)
        cmd_source_words(source, spec->words, spec->count);
    else
        error = cmd_source_file(source, spec->file);
    if (options->null)
        source->delimiter = '\0';
    else if (options->delimiter >= 0)
        source->delimiter = (char)options->delimiter;
    source->quoted = options->csv;
    inputs->groups += !spec->linked;
    inputs->group[i] = inputs->groups - 1;
    inputs->streamed += inputs->groups == 1;
    return error;
}

static int open_all(struct cmd_inputs *inputs, const struct cmd_options *options)
{
    static const struct cmd_source_spec standard = {.file = "-"};

    const struct cmd_source_spec *specs = options->source_count > 0 ? options->sources : &standard;
    size_t                        count = options->source_count > 0 ? options->source_count : 1;
    int                           error = allocate(inputs, count);
    for (size_t i = 0; i < count && error == 0; i++)
        error = open_source(inputs, &specs[i], options);
    for (size_t i = 0; i < count && error == 0; i++) {
        inputs->waits_for = i;
        if (inputs->header)
            error = read_header(inputs, i);
        if (error == 0 && i >= inputs->streamed)
            error = keep_all(inputs, &inputs->sources[i], &inputs->kept[i]);
    }
    return error;
}

int cmd_inputs_open(struct cmd_inputs *inputs, const struct cmd_options *options)
{
    *inputs = (struct cmd_inputs){.colsep = options->colsep,
                                  .csv = options->csv,
                                  .header = options->header};
    int error = open_all(inputs, options);
    if (error < 0)
        cmd_error("run: cannot read %s: %s", cmd_inputs_failed(inputs), cmd_inputs_error(error));
    return error;
}

int cmd_inputs_numbered(struct cmd_inputs *inputs, char *const *words, const uint64_t *numbers,
                        size_t count)
{
    *inputs = (struct cmd_inputs){.count = 1, .groups = 1, .streamed = 1};
    int error = allocate(inputs, 1);
    if (error < 0)
        return error;
    static char *const none[1];
    cmd_source_words(&inputs->sources[0], count > 0 ? words : none, count);
    inputs->numbered = words;
    inputs->numbers = numbers;
    return 0;
}

void cmd_inputs_close(struct cmd_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count && inputs->sources != NULL; i++) {
        cmd_source_close(&inputs->sources[i]);
        free(inputs->kept[i].bytes);
        free(inputs->kept[i].rows);
    }
    for (size_t i = 0; i < inputs->name_count; i++)
        free(inputs->names[i].name);
    free(inputs->names);
    free(inputs->sources);
    free(inputs->kept);
    free(inputs->group);
    free(inputs->texts);
    free(inputs->have);
    free(inputs->first_column);
    free(inputs->at);
    cmd_columns_free(&inputs->columns);
    *inputs = (struct cmd_inputs){0};
}

/* ---------------------------------------------------------------- the next */

/* A row of the first group: all of its sources have a record. */
static int next_streamed(struct cmd_inputs *inputs)
{
    for (size_t i = 0; i < inputs->streamed; i++) {
        if (inputs->have[i])
            continue;
        inputs->waits_for = i;
        int got = cmd_source_next(&inputs->sources[i], &inputs->texts[i]);
        if (got <= 0)
            return got;
        inputs->have[i] = true;
    }
    return 1;
}

/* Go on to the next combination of the kept groups: true; or all of them have been. */
static bool next_combination(struct cmd_inputs *inputs)
{
    for (size_t group = inputs->groups; group-- > 1;) {
        if (++inputs->at[group] < group_length(inputs, group))
            return true;
        inputs->at[group] = 0;
    }
    return false;
}

static bool kept_is_empty(const struct cmd_inputs *inputs)
{
    for (size_t group = 1; group < inputs->groups; group++) {
        if (group_length(inputs, group) == 0)
            return true;
    }
    return false;
}

/* Give out the combination that we are at. */
static int give(struct cmd_inputs *inputs, struct cmd_input *input)
{
    size_t length = 0;
    for (size_t i = inputs->streamed; i < inputs->count; i++)
        inputs->texts[i] = kept_row(&inputs->kept[i], inputs->at[inputs->group[i]]);
    for (size_t i = 0; i < inputs->count && inputs->csv; i++)
        length += inputs->texts[i].length;
    inputs->columns.count = 0;
    int error = cmd_columns_reserve(&inputs->columns, length);
    for (size_t i = 0; i < inputs->count && error == 0; i++) {
        inputs->first_column[i] = inputs->columns.count;
        error = take_apart(inputs, inputs->texts[i]);
    }
    if (error == -EBADMSG) { /* this one is wrong, and the next may be right: show it as it is */
        inputs->columns.count = 0;
        input->error = error;
        error = 0;
        for (size_t i = 0; i < inputs->count && error == 0; i++)
            error =
                cmd_columns_add(&inputs->columns, inputs->texts[i].data, inputs->texts[i].length);
    }
    input->seq = ++inputs->seq;
    if (inputs->numbered != NULL)
        input->seq = inputs->numbers[inputs->seq - 1];
    input->columns = inputs->columns.texts;
    input->count = inputs->columns.count;
    return error < 0 ? error : 1;
}

int cmd_inputs_next(struct cmd_inputs *inputs, struct cmd_input *input)
{
    *input = (struct cmd_input){0};
    if (inputs->begun && !next_combination(inputs)) {
        inputs->begun = false;
        memset(inputs->have, 0, inputs->count * sizeof *inputs->have);
    }
    if (!inputs->begun) {
        int got = kept_is_empty(inputs) ? 0 : next_streamed(inputs);
        if (got <= 0)
            return got;
        inputs->begun = true;
    }
    return give(inputs, input);
}

int cmd_inputs_read(struct cmd_inputs *inputs)
{
    return cmd_source_read(&inputs->sources[inputs->waits_for]);
}

int cmd_inputs_fd(const struct cmd_inputs *inputs)
{
    return inputs->sources[inputs->waits_for].fd;
}

const char *cmd_inputs_failed(const struct cmd_inputs *inputs)
{
    return inputs->sources != NULL ? inputs->sources[inputs->waits_for].name : "inputs";
}

const char *cmd_inputs_error(int error)
{
    static const struct {
        int         error;
        const char *words;
    } own[] = {
        {-EMSGSIZE, "an input is longer than 64 MiB"},
        {-EBADMSG, "quotes are not closed, or something stands behind them"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (own[i].error == error)
            return own[i].words;
    }
    return strerror(-error);
}

uint64_t cmd_inputs_total(const struct cmd_inputs *inputs, bool *exact)
{
    double   least = 2;
    uint64_t rows = UINT64_MAX, product = 1;
    *exact = true;
    for (size_t i = 0; i < inputs->streamed; i++) {
        const struct cmd_source *source = &inputs->sources[i];
        double                   fraction = cmd_source_fraction(source);
        *exact &= source->words != NULL;
        if (source->words != NULL && source->word_count < rows)
            rows = source->word_count;
        if (fraction >= 0 && fraction < least)
            least = fraction;
    }
    for (size_t group = 1; group < inputs->groups; group++)
        product *= group_length(inputs, group);
    if (*exact)
        return (rows - (inputs->header && rows > 0)) * product;
    return least > 0 && least <= 1 ? (uint64_t)((double)inputs->seq / least) : 0;
}
