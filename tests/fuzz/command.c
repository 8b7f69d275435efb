/*
 * command.c - what the command reads: its words, its inputs, and the results of its workers.
 *
 *     which   0: options   1: inputs and the template   2: results of commands   3: of plugins
 *     the rest is what is read; words are ended by NUL
 */
#include "fuzz.h"

#include "command/inputs.h"
#include "command/options.h"
#include "command/report.h"
#include "command/template.h"
#include "command/text.h"

#include "task/outcome.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_WORDS = 30 };

static int null_fd = -1;

/* The messages of the command are not the fuzzer's, which writes to the descriptor itself. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(null_fd >= 0);
    return 0;
}

static FILE *silence(void)
{
    static FILE *nowhere;
    FILE        *before = stderr;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "we");
    CHECK(nowhere != NULL);
    stderr = nowhere;
    return before;
}

/* Words of a block that ends with NUL, behind `first`. */
static size_t split(char *block, size_t size, char **words, size_t first)
{
    size_t count = first;
    for (char *at = block; at < block + size && count < MOST_WORDS; at += strlen(at) + 1)
        words[count++] = at;
    words[count] = NULL;
    return count;
}

static void parse_options(char *block, size_t size)
{
    char               run[] = "run";
    char              *words[MOST_WORDS + 1] = {run};
    struct cmd_options options;
    size_t             count = split(block, size, words, 1);
    FILE              *before = silence();
    int                status = cmd_options_parse(&options, (int)count, words);
    stderr = before;
    CHECK(status == 0 || status == CMD_EXIT_USAGE);
    if (status == 0 && !options.help) {
        CHECK(options.jobs.min <= options.jobs.max && options.jobs.max <= CMD_MAX_JOBS);
        CHECK(options.retries <= CMD_MAX_RETRIES);
        CHECK(options.timeout >= 0 && options.timeout <= 1e9);
        CHECK((options.plugin != NULL) == (options.function != NULL));
        CHECK(options.plugin == NULL || options.command_count == 0);
        CHECK(options.command_count + options.source_count < count);
    }
    cmd_options_free(&options);
}

/* The words of one input: as many as there are NULs. */
static void expand(const struct cmd_template *command, const struct cmd_input *input,
                   struct cmd_words *words)
{
    size_t ends = 0;
    int    error = cmd_template_expand(command, input, words);
    CHECK(error == 0 || error == -EILSEQ || error == -ENOENT);
    if (error < 0)
        return;
    CHECK(words->size > 0 && words->data[words->size - 1] == '\0');
    for (size_t i = 0; i < words->size; i++)
        ends += words->data[i] == '\0' ? 1 : 0;
    CHECK(ends >= command->count || command->shell);
}

static void show(const char *text, size_t length)
{
    char shown[40];
    CHECK(cmd_quote(shown, sizeof shown, text, length) == strlen(shown));
    CHECK(strlen(shown) < sizeof shown);
    for (const char *at = shown; *at != '\0'; at++)
        CHECK((unsigned char)*at >= 0x20 && *at != 0x7f);
}

enum { NULLS = 1, CSV = 2, HEADER = 4, SHELL = 8, COLUMNS = 16 };

/* All inputs of the file: without columns each byte of it is in one of them. */
static void take_inputs(struct cmd_inputs *inputs, const struct cmd_template *command, size_t size,
                        bool whole)
{
    struct cmd_words expanded = {0};
    struct cmd_input input;
    size_t           seen = 0;
    int              got = 0;
    while ((got = cmd_inputs_next(inputs, &input)) != 0) {
        if (got == -EAGAIN) {
            CHECK(cmd_inputs_read(inputs) == 0);
            continue;
        }
        if (got < 0) { /* a quote that is never closed */
            CHECK(!whole && got == -EBADMSG);
            break;
        }
        if (input.error < 0)
            continue;
        expand(command, &input, &expanded);
        for (size_t i = 0; i < input.count; i++) {
            show(input.columns[i].data, input.columns[i].length);
            seen += input.columns[i].length + 1;
        }
    }
    CHECK(!whole || seen == size || seen == size + 1); /* the last newline may be missing */
    cmd_words_free(&expanded);
}

/* A byte of options, a command up to an empty word in the first half, and a file of inputs. */
static void read_inputs(char *block, size_t size)
{
    char                  *words[MOST_WORDS + 1] = {NULL};
    char                   path[32];
    char                   comma[] = ",";
    struct cmd_template    command = {0};
    struct cmd_inputs      inputs = {0};
    struct cmd_source_spec spec = {.file = path};
    if (size < 4)
        return;
    unsigned           flags = (unsigned char)block[0];
    size_t             half = size / 2;
    size_t             count = split(block + 1, half - 1, words, 0);
    int                fd = memfd_create("inputs", MFD_CLOEXEC);
    struct cmd_options options = {.sources = &spec,
                                  .source_count = 1,
                                  .delimiter = -1,
                                  .null = (flags & NULLS) != 0,
                                  .csv = (flags & CSV) != 0,
                                  .header = (flags & HEADER) != 0,
                                  .colsep = (flags & COLUMNS) != 0 ? comma : NULL};
    block[half - 1] = '\0';
    CHECK(fd >= 0 && write(fd, block + half, size - half) == (ssize_t)(size - half));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FILE *before = silence();
    int   error = cmd_inputs_open(&inputs, &options);
    if (error == 0 && count > 0 &&
        cmd_template_init(&command, words, count, (flags & SHELL) != 0, &inputs) == 0)
        take_inputs(&inputs, &command, size - half,
                    (flags & (NULLS | CSV | HEADER | COLUMNS)) == 0);
    stderr = before;
    cmd_template_free(&command);
    cmd_inputs_close(&inputs);
    (void)close(fd);
}

static int callable(pp_call *call)
{
    (void)call;
    return 0;
}

/* A task that ended with what a worker sent. */
static struct cmd_job *ended_job(uint64_t number, unsigned flags, const void *data, size_t size)
{
    struct cmd_job      *job = cmd_job_new(number, number + 1, 8);
    struct pp_raw_result raw = {
        .data = data, .size = size, .is_error = (flags & 1) != 0, .is_bytes = (flags & 2) != 0};
    pp_callable function = PP_FUNCTION(callable);
    CHECK(job != NULL);
    memcpy(job->input, "an input", 9);
    CHECK(pp_task_create(&job->task, function, NULL, "") == 0);
    job->task->outcome = pp_outcome_from_raw(&raw, NULL);
    job->task->attempts = flags >> 2 & 3;
    atomic_store(&job->task->place, PP_PLACE_ENDED);
    return job;
}

static void report_results(bool is_command, struct input *input)
{
    struct cmd_signals  signals = {.fd = -1};
    struct cmd_sink     out;
    struct cmd_sink     err;
    struct cmd_progress progress = {.timer = -1, .sink = &err};
    char                plugin[] = "p.so";
    struct cmd_options  options = {.plugin = is_command ? NULL : plugin, .delimiter = -1};
    struct cmd_report   report = {.out = &out, .err = &err, .progress = &progress};
    unsigned            flags = input_byte(input);
    size_t              size = 0;
    void               *data = input_rest(input, &size);
    CHECK(cmd_sink_open(&out, null_fd, "standard output", &signals) == 0);
    CHECK(cmd_sink_open(&err, null_fd, "standard error", &signals) == 0);
    CHECK(cmd_report_open(&report, &options) == 0);
    CHECK((flags & 16) == 0 || cmd_report_order(&report, 4) == 0);
    for (uint64_t i = 0; i < 3; i++) /* with keep-order: 1, 2, 0 */
        cmd_report_take(&report, ended_job((i + 1) % 3, flags, data, size));
    CHECK(report.held_bytes == 0);
    CHECK(report.counts.ended[CMD_DONE] + report.counts.ended[CMD_FAILED] == 3);
    cmd_report_end(&report, 0, 1.0);
    CHECK(cmd_report_flush(&report) == 0);
    cmd_report_close(&report);
    cmd_sink_close(&out);
    cmd_sink_close(&err);
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    unsigned     which = input_byte(&input) % 4;
    if (which >= 2) {
        report_results(which == 2, &input);
        return 0;
    }
    size = input_left(&input);
    char *block = malloc(size + 1);
    CHECK(block != NULL);
    (void)input_copy(&input, block, size);
    block[size] = '\0';
    if (which == 0)
        parse_options(block, size);
    else
        read_inputs(block, size);
    free(block);
    return 0;
}
