/*
 * option_table.c - every option of `procpool run`, one row each.
 *
 * Letters are those of GNU parallel and xargs, and only where they mean the same there.
 */
#include "option_values.h"
#include "options.h"

#define AT(member) offsetof(struct cmd_options, member)

const char *const cmd_group_names[CMD_GROUPS] = {
    [CMD_GROUP_INPUT] = "Inputs",  [CMD_GROUP_COMMAND] = "Command", [CMD_GROUP_RUN] = "Running",
    [CMD_GROUP_LIMIT] = "Limits",  [CMD_GROUP_OUTPUT] = "Output",   [CMD_GROUP_LOG] = "Job log",
    [CMD_GROUP_INFO] = "Watching",
};

/* clang-format off */
const struct cmd_option cmd_option_table[] = {
    {"null", '0', CMD_GROUP_INPUT, NULL, AT(null), NULL, 0, 0,
     "inputs end with a NUL byte instead of a newline"},
    {"delimiter", 'd', CMD_GROUP_INPUT, cmd_parse_delimiter, AT(delimiter), "C", 0, 0,
     "inputs end with the character C"},
    {"arg-file", 'a', CMD_GROUP_INPUT, cmd_parse_more, AT(files), "FILE", 0, 0,
     "inputs are the lines of FILE, as with '::::'"},
    {"colsep", 'C', CMD_GROUP_INPUT, cmd_parse_separator, AT(colsep), "SEP", 0, 0,
     "SEP stands between the columns {1}, {2}, ... of an input"},
    {"csv", 0, CMD_GROUP_INPUT, NULL, AT(csv), NULL, 0, 0,
     "inputs are records of comma-separated values, with quotes as in RFC 4180"},
    {"header", 0, CMD_GROUP_INPUT, NULL, AT(header), NULL, 0, 0,
     "the first input of each source has the names of its columns: {name}"},

    {"shell", 0, CMD_GROUP_COMMAND, NULL, AT(shell), NULL, 0, 0,
     "the command is a line for /bin/sh; inputs are quoted for it"},
    {"plugin", 0, CMD_GROUP_COMMAND, cmd_parse_text, AT(plugin), "FILE", 0, 0,
     "a shared object: call its --function in the workers, no command"},
    {"function", 0, CMD_GROUP_COMMAND, cmd_parse_text, AT(function), "NAME", 0, 0,
     "the function of --plugin"},
    {"json-lines", 0, CMD_GROUP_COMMAND, NULL, AT(json_lines), NULL, 0, 0,
     "each input is a JSON value for the function, its result a line of JSON"},
    {"workdir", 0, CMD_GROUP_COMMAND, cmd_parse_text, AT(workdir), "DIR", 0, 0,
     "run in DIR"},
    {"env", 0, CMD_GROUP_COMMAND, cmd_parse_variable, AT(environment), "NAME=VALUE", 0, 0,
     "a variable for the jobs; may be given again"},

    {"jobs", 'j', CMD_GROUP_RUN, cmd_parse_jobs, AT(jobs), "N|MIN..MAX", 1, CMD_MAX_JOBS,
     "how many at a time, 1 to 1024, or N% of the CPUs (default: one per CPU)"},
    {"timeout", 0, CMD_GROUP_RUN, cmd_parse_seconds, AT(timeout), "TIME", 0, 0,
     "stop a job, with all that it started, after TIME: 10, 1.5s, 500ms, 2m, 1h"},
    {"soft-timeout", 0, CMD_GROUP_RUN, cmd_parse_soft, AT(soft_timeout), "TIME[,SIGNAL]", 0, 0,
     "send a job SIGNAL (TERM) after TIME, and let it end by itself"},
    {"retries", 0, CMD_GROUP_RUN, cmd_parse_number, AT(retries), "N", 0, CMD_MAX_RETRIES,
     "run a job that failed up to N more times"},
    {"retry-delay", 0, CMD_GROUP_RUN, cmd_parse_seconds, AT(retry_delay), "TIME", 0, 0,
     "wait before a retry: TIME, then twice as long each time"},
    {"halt", 0, CMD_GROUP_RUN, cmd_parse_halt, AT(halt), "soon|now,fail|success|done=N|P%", 0, 0,
     "end the run when N jobs, or P% of the inputs, have failed, succeeded or ended"},
    {"delay", 0, CMD_GROUP_RUN, cmd_parse_seconds, AT(delay), "TIME", 0, 0,
     "start jobs at least TIME apart"},
    {"nice", 0, CMD_GROUP_RUN, cmd_parse_nice, AT(nice), "N", 0, 0,
     "run jobs N nicer, -20 to 19"},

    {"memfree", 0, CMD_GROUP_LIMIT, cmd_parse_size, AT(memfree), "SIZE", 0, 0,
     "start a job only while SIZE of memory is available: 500M, 2G"},
    {"load", 0, CMD_GROUP_LIMIT, cmd_parse_load, AT(load), "L", 0, 0,
     "start a job only while the load average is below L, or L% of the CPUs"},
    {"max-memory", 0, CMD_GROUP_LIMIT, cmd_parse_size, AT(limits.memory), "SIZE", 0, 0,
     "address space of each process of a job"},
    {"max-cpu", 0, CMD_GROUP_LIMIT, cmd_parse_seconds, AT(limits.cpu), "TIME", 0, 0,
     "processor time of each process of a job, in whole seconds"},
    {"max-files", 0, CMD_GROUP_LIMIT, cmd_parse_count, AT(limits.files), "N", 0, 0,
     "open files of each process of a job"},

    {"keep-order", 'k', CMD_GROUP_OUTPUT, NULL, AT(keep_order), NULL, 0, 0,
     "write results in the order of the inputs"},
    {"line-buffer", 0, CMD_GROUP_OUTPUT, NULL, AT(line_buffer), NULL, 0, 0,
     "write whole lines as they come; those of different jobs may alternate"},
    {"tag", 0, CMD_GROUP_OUTPUT, NULL, AT(tag), NULL, 0, 0,
     "begin each line with the input and a tab"},
    {"results", 0, CMD_GROUP_OUTPUT, cmd_parse_text, AT(results), "DIR", 0, 0,
     "keep DIR/NUMBER/out, err and status of each job as well"},
    {"quiet", 0, CMD_GROUP_OUTPUT, NULL, AT(quiet), NULL, 0, 0,
     "no list of failures, no summary, no progress"},

    {"joblog", 0, CMD_GROUP_LOG, cmd_parse_text, AT(joblog), "FILE", 0, 0,
     "append a line for each job that has ended, as GNU parallel does"},
    {"resume", 0, CMD_GROUP_LOG, NULL, AT(resume), NULL, 0, 0,
     "pass over the inputs that the job log has"},
    {"resume-failed", 0, CMD_GROUP_LOG, NULL, AT(resume_failed), NULL, 0, 0,
     "pass over those that succeeded, and run the others"},
    {"retry-failed", 0, CMD_GROUP_LOG, NULL, AT(retry_failed), NULL, 0, 0,
     "run the failed commands of the job log again; no command, no inputs"},

    {"progress", 0, CMD_GROUP_INFO, NULL, AT(progress), NULL, 0, 0,
     "a line now and then where there is no terminal"},
    {"stats", 0, CMD_GROUP_INFO, NULL, AT(stats), NULL, 0, 0,
     "run times and their histogram at the end"},
    {"json", 0, CMD_GROUP_INFO, NULL, AT(json), NULL, 0, 0,
     "standard output is events, one JSON object a line, with the output in them"},
    {"dry-run", 0, CMD_GROUP_INFO, NULL, AT(dry_run), NULL, 0, 0,
     "print the commands, and run nothing"},
    {"help", 'h', CMD_GROUP_INFO, NULL, AT(help), NULL, 0, 0,
     "show the options; 'procpool help options' explains each"},
};
/* clang-format on */

const size_t cmd_option_count = sizeof cmd_option_table / sizeof cmd_option_table[0];
