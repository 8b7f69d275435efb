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
    if (status != 0 || options.help)
        return;
    CHECK(options.jobs >= 1 && options.jobs <= CMD_MAX_JOBS);
    CHECK(options.retries <= CMD_MAX_RETRIES);
    CHECK(options.timeout >= 0 && options.timeout <= 1e9);
    CHECK((options.plugin != NULL) == (options.function != NULL));
    CHECK((options.plugin != NULL) == (options.command_count == 0));
    CHECK(options.command_count + options.input_count < count);
}

/* The words of one input: as many as there are NULs, each as long as its parts. */
static void expand(const struct cmd_template *command, const char *text, size_t length,
                   struct cmd_words *words)
{
    size_t ends = 0;
    CHECK(cmd_template_expand(command, text, length, words) == 0);
    CHECK(words->size > 0 && words->data[words->size - 1] == '\0');
    for (size_t i = 0; i < words->size; i++)
        ends += words->data[i] == '\0' ? 1 : 0;
    if (memchr(text, '\0', length) == NULL)
        CHECK(ends == command->count + (command->has_mark ? 0 : 1));
}

static void show(const char *text, size_t length)
{
    char shown[40];
    CHECK(cmd_quote(shown, sizeof shown, text, length) == strlen(shown));
    CHECK(strlen(shown) < sizeof shown);
    for (const char *at = shown; *at != '\0'; at++)
        CHECK((unsigned char)*at >= 0x20 && *at != 0x7f);
}

/* A command up to an empty word, then the inputs: each byte of the file is in one of them. */
static void read_inputs(char *block, size_t size)
{
    char               *words[MOST_WORDS + 1] = {NULL};
    struct cmd_template command;
    struct cmd_words    expanded = {0};
    struct cmd_inputs   inputs;
    int                 ends[2];
    size_t              count = split(block, size / 2, words, 0);
    size_t              seen = 0;
    const char         *text = NULL;
    size_t              length = 0;
    int                 got = 0;
    char               *lines = block + size / 2;
    size_t              left = size - size / 2;
    size_t              all = left;
    if (count == 0 || size / 2 == 0)
        return;
    block[size / 2 - 1] = '\0';
    cmd_template_init(&command, words, count);
    (void)cmd_template_check(&command);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    cmd_inputs_from_fd(&inputs, ends[0]);
    while ((got = cmd_inputs_next(&inputs, &text, &length)) != 0) {
        if (got == 1) {
            seen += length + 1;
            expand(&command, text, length, &expanded);
            show(text, length);
            continue;
        }
        CHECK(got == -EAGAIN);
        size_t part = left < 7 ? left : 7; /* lines come in pieces */
        if (part > 0)
            CHECK(write(ends[1], lines, part) == (ssize_t)part);
        else if (ends[1] >= 0) {
            (void)close(ends[1]);
            ends[1] = -1;
        }
        lines += part;
        left -= part;
        CHECK(cmd_inputs_read(&inputs) == 0);
    }
    CHECK(seen == all || seen == all + 1); /* the last newline may be missing */
    cmd_inputs_close(&inputs);
    cmd_words_free(&expanded);
    (void)close(ends[0]);
}

static int callable(pp_call *call)
{
    (void)call;
    return 0;
}

/* A task that ended with what a worker sent. */
static struct cmd_job *ended_job(uint64_t number, unsigned flags, const void *data, size_t size)
{
    struct cmd_job      *job = cmd_job_new(number, "an input", 8);
    struct pp_raw_result raw = {
        .data = data, .size = size, .is_error = (flags & 1) != 0, .is_bytes = (flags & 2) != 0};
    pp_callable function = PP_FUNCTION(callable);
    CHECK(job != NULL);
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
    struct cmd_report   report;
    unsigned            flags = input_byte(input);
    size_t              size = 0;
    void               *data = input_rest(input, &size);
    CHECK(cmd_sink_open(&out, null_fd, "standard output", &signals) == 0);
    CHECK(cmd_sink_open(&err, null_fd, "standard error", &signals) == 0);
    CHECK(cmd_report_open(&report, &out, &err, &progress, is_command, (flags & 16) != 0 ? 4 : 0) ==
          0);
    for (uint64_t i = 0; i < 3; i++) /* with keep-order: 1, 2, 0 */
        cmd_report_take(&report, ended_job((i + 1) % 3, flags, data, size));
    CHECK(report.held_bytes == 0);
    CHECK(report.counts.ended[CMD_DONE] + report.counts.ended[CMD_FAILED] == 3);
    cmd_report_summary(&report, 1.0);
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
