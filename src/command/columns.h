/*
 * columns.h - a record taken apart into its columns.
 */
#ifndef CMD_COLUMNS_H
#define CMD_COLUMNS_H

#include "source.h"

/* A growing list of texts, with memory of its own for those that had to be rewritten. */
struct cmd_columns {
    struct cmd_text *texts;
    size_t           count, capacity;
    char            *scratch; /* room for the texts of one record that are not as they stood */
    size_t           scratch_size, scratch_capacity;
};

/* Append one text as it is.  0 or -ENOMEM. */
int cmd_columns_add(struct cmd_columns *columns, const char *data, size_t length);
/* Append what stands between separators. */
int cmd_columns_split(struct cmd_columns *columns, struct cmd_text record, const char *separator);
/* Append the fields of a CSV record: 0, -ENOMEM, or -EBADMSG: quotes where none may be. */
int cmd_columns_csv(struct cmd_columns *columns, struct cmd_text record);
/* Room for the rewritten fields of records of `length` bytes in all: once per row, before any. */
int  cmd_columns_reserve(struct cmd_columns *columns, size_t length);
void cmd_columns_free(struct cmd_columns *columns);

#endif
