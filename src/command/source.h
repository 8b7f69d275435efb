/*
 * source.h - one place that inputs come from: words, or the records of a file.
 */
#ifndef CMD_SOURCE_H
#define CMD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of somebody else's memory; a NUL may follow or not. */
struct cmd_text {
    const char *data;
    size_t      length;
};

/* A quote opens at the beginning of a field only; two within quotes are one of the text. */
enum cmd_csv_place { CMD_CSV_FIELD_BEGINS, CMD_CSV_BARE, CMD_CSV_QUOTED, CMD_CSV_QUOTE_IN_QUOTES };

struct cmd_source {
    const char        *name;  /* for messages */
    char *const       *words; /* or NULL: records of fd */
    size_t             word_count, word_next;
    int                fd;
    bool               owned;     /* fd is closed by us */
    char               delimiter; /* ends a record */
    bool               quoted;    /* CSV: not one between quotes */
    enum cmd_csv_place place;     /* ... of `scanned` */
    char              *buffer;    /* begin..end: not used yet; begin..scanned: no end of a record */
    size_t             capacity, begin, scanned, end;
    bool               begun; /* CSV: a byte order mark, if there was one, is passed over */
    bool               ended;
    off_t              size;     /* of a regular file, or -1 */
    off_t              consumed; /* bytes that were given out */
};

void cmd_source_words(struct cmd_source *source, char *const *words, size_t count);
/* 0 or -errno.  "-" is standard input. */
int cmd_source_file(struct cmd_source *source, const char *file);
/* 1: `*text` is the next record and stands until the next call of next or read for this source; 0:
 * there are no more; -EAGAIN: call cmd_source_read once fd is readable; -EBADMSG: the file ended
 * between quotes. */
int cmd_source_next(struct cmd_source *source, struct cmd_text *text);
/* One read: 0, -EMSGSIZE when a record is longer than 64 MiB, or -errno. */
int cmd_source_read(struct cmd_source *source);
/* How much of it was given out, from 0 to 1; -1: not known. */
double cmd_source_fraction(const struct cmd_source *source);
void   cmd_source_close(struct cmd_source *source);

/* With a NUL behind it, for the caller to free; NULL: no memory. */
char *cmd_text_copy(struct cmd_text text);

#endif
