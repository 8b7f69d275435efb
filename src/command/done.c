/*
 * done.c - reading a job log: what need not be run, and what failed.
 *
 * A bit for each number, so the log of ten million jobs costs a little over a megabyte.  Of several
 * lines of one number the last counts.  The torn last line of a writer that was killed does not count; any
 * other line that is none of a job log's is an error that names it: better not to begin than to
 * run everything again, or nothing, because the wrong file was given.
 */
#define _GNU_SOURCE
#include "joblog.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_BEFORE = 8 };

/* 256 MiB of address space, of which pages that have no bit set are not taken. */
static const uint64_t MAX_SEQ = UINT64_C(1) << 31;

struct line {
    uint64_t seq;
    bool     failed;
    char    *command;
    size_t   length;
};

static int set_bit(struct cmd_done *done, uint64_t seq)
{
    if (seq >= done->count) {
        uint64_t count = done->count == 0 ? 4096 : done->count;
        while (count <= seq)
            count *= 2;
        uint64_t *bits = calloc(count / 64, sizeof *bits);
        if (bits == NULL)
            return -ENOMEM;
        if (done->count > 0)
            memcpy(bits, done->bits, done->count / 8);
        free(done->bits);
        done->bits = bits;
        done->count = count;
    }
    done->bits[seq / 64] |= UINT64_C(1) << seq % 64;
    return 0;
}

static void clear_bit(struct cmd_done *done, uint64_t seq)
{
    if (seq < done->count)
        done->bits[seq / 64] &= ~(UINT64_C(1) << seq % 64);
}

bool cmd_done_has(const struct cmd_done *done, uint64_t seq)
{
    return seq < done->count && (done->bits[seq / 64] >> seq % 64 & 1) != 0;
}

static bool take_number(uint64_t *number, const char *text, const char *end)
{
    *number = 0;
    if (text == end || end - text > 18)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *number = *number * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

/* GNU parallel writes -1 for a job that ran out of time. */
static bool take_exit(uint64_t *number, const char *text, const char *end)
{
    return take_number(number, text < end && *text == '-' ? text + 1 : text, end);
}

/* A whole line without its newline. */
static bool parse_line(struct line *line, char *text, size_t length)
{
    enum { SEQ = 0, EXIT = 6, SIGNAL = 7 };
    uint64_t exit_code = 0, signal = 0;
    char    *end = text + length;
    for (int column = 0; column < COLUMNS_BEFORE; column++) {
        char *tab = memchr(text, '\t', (size_t)(end - text));
        if (tab == NULL || (column == SEQ && !take_number(&line->seq, text, tab)) ||
            (column == EXIT && !take_exit(&exit_code, text, tab)) ||
            (column == SIGNAL && !take_number(&signal, text, tab)))
            return false;
        text = tab + 1;
    }
    line->failed = exit_code != 0 || signal != 0;
    line->command = text;
    line->length = (size_t)(end - text);
    return line->seq >= 1 && line->seq <= MAX_SEQ;
}

/* GNU parallel quotes in another way: blanks and quotes are left out. */
static uint64_t hash_command(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0' || strchr(" \t\n'\"\\", text[i]) != NULL)
            continue;
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static void sample(struct cmd_done *done, const struct line *line)
{
    size_t at = 0;
    while (at < done->sampled && done->samples[at].seq != line->seq)
        at++;
    if (at == CMD_DONE_SAMPLES)
        return;
    done->sampled += at == done->sampled;
    done->samples[at].seq = line->seq;
    done->samples[at].hash = hash_command(line->command, line->length);
}

bool cmd_done_differs(const struct cmd_done *done, uint64_t seq, const char *command)
{
    for (size_t i = 0; i < done->sampled; i++) {
        if (done->samples[i].seq == seq)
            return done->samples[i].hash != hash_command(command, strlen(command));
    }
    return false;
}

static int remember_failure(struct cmd_done *done, const struct line *line)
{
    if (done->failed == done->room) {
        size_t    room = done->room == 0 ? 64 : done->room * 2;
        char    **commands = reallocarray(done->commands, room, sizeof *commands);
        uint64_t *numbers = reallocarray(done->numbers, room, sizeof *numbers);
        done->commands = commands != NULL ? commands : done->commands;
        done->numbers = numbers != NULL ? numbers : done->numbers;
        if (commands == NULL || numbers == NULL)
            return -ENOMEM;
        done->room = room;
    }
    char *command = malloc(line->length + 1);
    if (command == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < line->length; i++)
        command[i] = line->command[i] == '\0' ? '\n' : line->command[i];
    command[line->length] = '\0';
    done->commands[done->failed] = command;
    done->numbers[done->failed++] = line->seq;
    return 0;
}

static int take_line(struct cmd_done *done, const struct cmd_options *options,
                     const struct line *line)
{
    sample(done, line);
    if (options->resume || !line->failed)
        return set_bit(done, line->seq);
    clear_bit(done, line->seq);
    return options->retry_failed ? remember_failure(done, line) : 0;
}

static int read_lines(struct cmd_done *done, const struct cmd_options *options, FILE *file)
{
    char              *text = NULL;
    size_t             room = 0;
    ssize_t            length;
    unsigned long long number = 0;
    int                error = 0;
    while (error == 0 && (length = getline(&text, &room, file)) > 0 && text[length - 1] == '\n') {
        struct line line = {0};
        number++;
        if (number == 1 && strncmp(text, "Seq\t", 4) == 0)
            continue;
        if (parse_line(&line, text, (size_t)length - 1)) {
            error = take_line(done, options, &line);
            continue;
        }
        char shown[80];
        cmd_quote(shown, sizeof shown, text, (size_t)length - 1);
        cmd_error("run: --joblog %s, line %llu: %s is no line of a job log", options->joblog,
                  number, shown);
        error = -EINVAL;
    }
    free(text);
    if (error == -ENOMEM)
        cmd_error("run: --joblog %s: no memory", options->joblog);
    if (error == 0 && ferror(file)) {
        cmd_error("run: cannot read --joblog %s: %s", options->joblog, strerror(errno));
        error = -EIO;
    }
    return error;
}

struct failure {
    uint64_t number;
    size_t   order; /* of the line */
    char    *command;
};

static int by_number(const void *a, const void *b)
{
    const struct failure *one = a, *two = b;
    if (one->number != two->number)
        return one->number < two->number ? -1 : 1;
    return one->order < two->order ? -1 : one->order > two->order;
}

/* In order, each once - the last line counts - and without those that succeeded later. */
static int settle_failures(struct cmd_done *done)
{
    struct failure *all = calloc(done->failed + 1, sizeof *all);
    size_t          kept = 0;
    if (all == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < done->failed; i++)
        all[i] = (struct failure){done->numbers[i], i, done->commands[i]};
    qsort(all, done->failed, sizeof *all, by_number);
    for (size_t i = 0; i < done->failed; i++) {
        bool again = i + 1 < done->failed && all[i + 1].number == all[i].number;
        if (again || cmd_done_has(done, all[i].number)) {
            free(all[i].command);
            continue;
        }
        done->numbers[kept] = all[i].number;
        done->commands[kept++] = all[i].command;
    }
    done->failed = kept;
    free(all);
    return 0;
}

int cmd_done_read(struct cmd_done *done, const struct cmd_options *options)
{
    *done = (struct cmd_done){0};
    if (!options->resume && !options->resume_failed && !options->retry_failed)
        return 0;
    FILE *file = fopen(options->joblog, "re");
    if (file == NULL && errno == ENOENT && !options->retry_failed)
        return 0;
    if (file == NULL) {
        cmd_error("run: cannot read --joblog %s: %s", options->joblog, strerror(errno));
        return -1;
    }
    int error = read_lines(done, options, file);
    fclose(file);
    if (error == 0 && options->retry_failed)
        error = settle_failures(done);
    return error < 0 ? -1 : 0;
}

void cmd_done_free(struct cmd_done *done)
{
    for (size_t i = 0; i < done->failed; i++)
        free(done->commands[i]);
    free(done->commands);
    free(done->numbers);
    free(done->bits);
    *done = (struct cmd_done){0};
}
