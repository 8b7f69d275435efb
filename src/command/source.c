/*
 * source.c - words, or the records of a file, read as they are wanted.
 *
 * A record is what stands before a delimiter, nothing trimmed, an empty one too; the last one may
 * lack its delimiter.  In CSV a newline between quotes does not end one, and a carriage return
 * before one that does is not a part of it.  The memory is one buffer as large as the longest
 * record, at most MAX_RECORD.
 *
 * A descriptor is left as it is, blocking or not: it may be shared with whoever started the
 * command.  Another reader may take what poll has seen, so a pipe on standard input is opened once more,
 * for reads that do not block.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_BUFFER = 64 * 1024, MAX_RECORD = 64 * 1024 * 1024 };

void cmd_source_words(struct cmd_source *source, char *const *words, size_t count)
{
    *source = (struct cmd_source){
        .name = "words", .words = words, .word_count = count, .fd = -1, .size = -1};
}

int cmd_source_file(struct cmd_source *source, const char *file)
{
    bool standard = strcmp(file, "-") == 0;
    int  fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    *source = (struct cmd_source){.name = standard ? "standard input" : file,
                                  .fd = fd,
                                  .owned = !standard,
                                  .delimiter = '\n',
                                  .size = -1};
    if (fd < 0)
        return -errno;
    struct stat status;
    bool        known = fstat(fd, &status) == 0;
    if (standard && known && S_ISFIFO(status.st_mode)) {
        fd = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        source->owned = fd >= 0;
        source->fd = fd >= 0 ? fd : STDIN_FILENO;
    }
    if (known && S_ISREG(status.st_mode)) {
        off_t at = lseek(fd, 0, SEEK_CUR);
        source->size = at >= 0 ? status.st_size - at : -1;
    }
    return 0;
}

static enum cmd_csv_place next_place(enum cmd_csv_place place, char c)
{
    if (place == CMD_CSV_QUOTED)
        return c == '"' ? CMD_CSV_QUOTE_IN_QUOTES : CMD_CSV_QUOTED;
    if (c == '"' && place != CMD_CSV_BARE)
        return CMD_CSV_QUOTED;
    return c == ',' ? CMD_CSV_FIELD_BEGINS : CMD_CSV_BARE;
}

/* The end of the record in begin..end, or NULL. */
static char *find_end(struct cmd_source *source)
{
    if (source->scanned == source->end)
        return NULL; /* there may be no buffer yet */
    char *at = source->buffer + source->scanned;
    char *end = source->buffer + source->end;
    if (!source->quoted)
        return memchr(at, source->delimiter, (size_t)(end - at));
    for (; at < end; at++) {
        if (*at == source->delimiter && source->place != CMD_CSV_QUOTED) {
            source->place = CMD_CSV_FIELD_BEGINS;
            return at;
        }
        source->place = next_place(source->place, *at);
    }
    return NULL;
}

/* Spreadsheets put a byte order mark in front of their CSV.  True: there may be one, and it is not all
 * there yet. */
static bool awaits_mark(struct cmd_source *source)
{
    static const char mark[] = "\xef\xbb\xbf";

    size_t have = source->end - source->begin;
    size_t length = have < sizeof mark - 1 ? have : sizeof mark - 1;
    bool   same = length == 0 || memcmp(source->buffer + source->begin, mark, length) == 0;
    if (same && length < sizeof mark - 1 && !source->ended)
        return true;
    if (same && length == sizeof mark - 1)
        source->begin = source->scanned = source->begin + length;
    source->begun = true;
    return false;
}

static int next_record(struct cmd_source *source, struct cmd_text *text)
{
    if (source->quoted && !source->begun && awaits_mark(source))
        return -EAGAIN;
    char *found = find_end(source);
    source->scanned = source->end;
    if (found == NULL && !source->ended)
        return -EAGAIN;
    if (found == NULL && source->begin == source->end)
        return 0;
    if (found == NULL && source->place == CMD_CSV_QUOTED)
        return -EBADMSG;
    size_t stop = found != NULL ? (size_t)(found - source->buffer) : source->end;
    text->data = source->buffer + source->begin;
    text->length = stop - source->begin;
    source->consumed += (off_t)text->length + 1;
    if (source->quoted && text->length > 0 && text->data[text->length - 1] == '\r')
        text->length--;
    source->begin = found != NULL ? stop + 1 : stop;
    source->scanned = source->begin;
    return 1;
}

int cmd_source_next(struct cmd_source *source, struct cmd_text *text)
{
    if (source->words == NULL) {
        int got;
        do
            got = next_record(source, text);
        while (got > 0 && source->quoted &&
               text->length == 0); /* a blank line is no record of CSV */
        return got;
    }
    if (source->word_next == source->word_count)
        return 0;
    text->data = source->words[source->word_next++];
    text->length = strlen(text->data);
    return 1;
}

/* Make room behind `end`: move what is left to the front, grow when it fills the buffer. */
static int make_room(struct cmd_source *source)
{
    size_t left = source->end - source->begin;
    if (source->begin > 0) {
        memmove(source->buffer, source->buffer + source->begin, left);
        source->scanned -= source->begin;
        source->begin = 0;
        source->end = left;
    }
    if (left < source->capacity)
        return 0;
    if (left >= MAX_RECORD)
        return -EMSGSIZE;
    size_t capacity = source->capacity == 0 ? FIRST_BUFFER : source->capacity * 2;
    char  *buffer = realloc(source->buffer, capacity);
    if (buffer == NULL)
        return -ENOMEM;
    source->buffer = buffer;
    source->capacity = capacity;
    return 0;
}

int cmd_source_read(struct cmd_source *source)
{
    int error = make_room(source);
    if (error < 0)
        return error;
    ssize_t n = read(source->fd, source->buffer + source->end, source->capacity - source->end);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        source->ended = true;
    source->end += (size_t)n;
    return 0;
}

double cmd_source_fraction(const struct cmd_source *source)
{
    if (source->words != NULL)
        return source->word_count > 0 ? (double)source->word_next / (double)source->word_count : 1;
    if (source->size <= 0)
        return -1;
    double fraction = (double)source->consumed / (double)source->size;
    return fraction < 1 ? fraction : 1;
}

void cmd_source_close(struct cmd_source *source)
{
    if (source->owned && source->fd >= 0)
        close(source->fd);
    free(source->buffer);
    *source = (struct cmd_source){.fd = -1};
}

/* strndup would look for a NUL behind the end, too. */
char *cmd_text_copy(struct cmd_text text)
{
    char *copy = malloc(text.length + 1);
    if (copy == NULL)
        return NULL;
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return copy;
}
