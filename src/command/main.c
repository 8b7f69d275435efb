/*
 * main.c - the subcommands of procpool.
 */
#include "options.h"
#include "run.h"
#include "text.h"

#include "procpool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Make sure that descriptors 0, 1 and 2 are taken: the pool's own files must never be mistaken for
 * a stream that the caller has closed.  Opened the wrong way round, they fail when used. */
static int fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (opened != fd)
            return -1;
    }
    return 0;
}

/* Print and make sure that it arrived. */
static int say(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return CMD_EXIT_OK;
    cmd_error("cannot write standard output: %s", strerror(errno));
    return CMD_EXIT_TROUBLE;
}

static int version(void)
{
    char text[64];
    snprintf(text, sizeof text, "procpool %s\n", pp_version());
    return say(text);
}

/* Text that was made. */
static int say_made(char *text)
{
    int status = text != NULL ? say(text) : CMD_EXIT_TROUBLE;
    if (text == NULL)
        cmd_error("no memory");
    free(text);
    return status;
}

static int help(int argc, char **argv)
{
    if (argc < 2)
        return say(cmd_help);
    if (argc > 2) {
        cmd_error("help: one word at most; see 'procpool --help'");
        return CMD_EXIT_USAGE;
    }
    if (strcmp(argv[1], "run") == 0)
        return say_made(cmd_help_run());
    if (strcmp(argv[1], "options") == 0)
        return say_made(cmd_help_options());
    cmd_error("help: unknown command '%s'; see 'procpool --help'", argv[1]);
    return CMD_EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    struct cmd_options options;
    int                status = cmd_options_parse(&options, argc, argv);
    if (status == 0)
        status = options.help ? say_made(cmd_help_run()) : cmd_run(&options);
    cmd_options_free(&options);
    return status;
}

int main(int argc, char **argv)
{
    if (fill_standard_descriptors() < 0)
        return CMD_EXIT_TROUBLE;
    signal(SIGCHLD, SIG_DFL); /* inherited SIG_IGN would hide how children ended */
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "run") == 0)
        return run(argc - 1, argv + 1);
    if (strcmp(name, "help") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return say(cmd_help);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0)
        return version();
    if (name[0] == '\0')
        cmd_error("no command; see 'procpool --help'");
    else
        cmd_error("unknown command '%s'; see 'procpool --help'", name);
    return CMD_EXIT_USAGE;
}
