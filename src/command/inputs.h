/*
 * inputs.h - the inputs of a run, one at a time and only when one is wanted: the records of one
 * source, or all combinations of several.
 */
#ifndef CMD_INPUTS_H
#define CMD_INPUTS_H

#include "columns.h"
#include "options.h"
#include "source.h"

/* One input: the columns of all sources, in order. */
struct cmd_input {
    uint64_t               seq; /* 1, 2, ... */
    const struct cmd_text *columns;
    size_t                 count;
    int                    error; /* -EBADMSG: its quotes are wrong, and it has no columns */
};

/* Where a named column stands. */
struct cmd_name {
    char  *name;
    size_t source, column; /* from 0 */
};

/* Rows of a source that is gone through again and again, kept in memory. */
struct cmd_rows {
    char  *bytes;
    size_t size, capacity;
    struct {
        size_t at, length;
    } * rows;
    size_t count, room;
};

struct cmd_inputs {
    struct cmd_source *sources;
    struct cmd_rows   *kept;         /* of the sources of all groups but the first */
    size_t            *group;        /* of each source: those of a group go on together */
    struct cmd_text   *texts;        /* the record that each source is at */
    bool              *have;         /* texts[] is set */
    size_t            *first_column; /* of each source, in the input given out last */
    size_t             count, groups, streamed; /* `streamed`: how many sources group 0 has */
    size_t            *at;                      /* the row that each group is at */
    bool               begun; /* group 0 has a row that the others are combined with */
    struct cmd_columns columns;
    const char        *colsep;
    bool               csv, header;
    struct cmd_name   *names;
    size_t             name_count;
    size_t             waits_for; /* the source that -EAGAIN was said of */
    uint64_t           seq;       /* inputs given out or passed over */
    char *const       *numbered;  /* retry: commands whose numbers are in `numbers` */
    const uint64_t    *numbers;
};

/* Open all sources, and read those that are gone through several times, to their ends; then the
 * headers.  0, or -errno after a message. */
int cmd_inputs_open(struct cmd_inputs *inputs, const struct cmd_options *options);
/* The inputs are `count` words with numbers of their own, both kept by the caller. */
int cmd_inputs_numbered(struct cmd_inputs *inputs, char *const *words, const uint64_t *numbers,
                        size_t count);
/* 1: the next input, which stands until the next call; 0: there are no more; -EAGAIN: call
 * cmd_inputs_read once cmd_inputs_fd is readable; else -errno, of cmd_inputs_failed's source. */
int cmd_inputs_next(struct cmd_inputs *inputs, struct cmd_input *input);
/* Wait until it is.  0 or -errno. */
int cmd_inputs_await(const struct cmd_inputs *inputs);
int cmd_inputs_read(struct cmd_inputs *inputs);
int cmd_inputs_fd(const struct cmd_inputs *inputs);
/* The name of the source that the last -errno was about. */
const char *cmd_inputs_failed(const struct cmd_inputs *inputs);
/* The words for an error of next or read. */
const char *cmd_inputs_error(int error);
/* How many inputs there are; exact when known to the last, else an estimate or 0: no idea. */
uint64_t cmd_inputs_total(const struct cmd_inputs *inputs, bool *exact);
void     cmd_inputs_close(struct cmd_inputs *inputs);

#endif
