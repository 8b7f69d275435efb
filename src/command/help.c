/*
 * help.c - the texts of --help; each fits a screen of 80 columns and 24 lines.
 */
#include "options.h"

const char cmd_help[] =
    "Usage: procpool COMMAND [...]\n"
    "\n"
    "Run tasks in a pool of worker processes.\n"
    "\n"
    "Commands\n"
    "  run         run a command, or a function of a plugin, for each of many inputs\n"
    "  help [run]  show this text, or that of a command\n"
    "  version     show the version\n"
    "\n"
    "procpool --help and procpool --version do the same.\n";

const char cmd_help_run[] =
    "Usage: procpool run [OPTIONS] COMMAND [ARGUMENT...] [::: INPUT...]\n"
    "       procpool run [OPTIONS] --plugin FILE --function NAME [::: INPUT...]\n"
    "\n"
    "Run COMMAND once for each input: a word after ':::', else a line of standard\n"
    "input. {} in COMMAND is replaced by the input; without {} it is appended. There\n"
    "is no shell between. With --plugin, NAME is called in a worker instead.\n"
    "\n"
    "  -j, --jobs N        run N at a time, 1 to 1024 (default: one per CPU)\n"
    "      --timeout TIME  stop a task, with all that it started, after TIME: 10,\n"
    "                      1.5s, 500ms, 2m, 1h (default: 0, no limit)\n"
    "      --retries N     run a task that failed up to N more times (default: 0)\n"
    "  -k, --keep-order    write results in the order of the inputs\n"
    "      --plugin FILE   a shared object; --function NAME: a function in it\n"
    "  -h, --help          show this text\n"
    "\n"
    "The output of a task is written in one piece when it has ended. The failures and\n"
    "a summary go to standard error at the end. INT or TERM: start nothing more and\n"
    "wait for what runs; once more: stop everything.\n"
    "\n"
    "Exit status: 0 all succeeded, 1 some did not, 2 usage, 3 the run broke off (for\n"
    "inputs, results or the pool), 126/127 COMMAND not executable/found, 128+signal.\n";
