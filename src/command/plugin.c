/*
 * plugin.c - try a plugin in a child, so that a wrong one is one clear error before the run and not
 * one for each input.
 *
 * Loading an object runs its constructors; they may crash, hang or print.  Therefore this process
 * never loads it: a child does, with an alarm, and writes what dlopen and dlsym say into a pipe.
 */
#define _GNU_SOURCE
#include "plugin.h"

#include "text.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOAD_SECONDS = 20 };

static void load(const char *path, const char *function, int report)
{
    alarm(LOAD_SECONDS);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* as in the workers */
    void       *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *trouble = NULL;
    if (object == NULL || dlsym(object, function) == NULL)
        trouble = dlerror();
    if (object != NULL && trouble == NULL && dlsym(object, function) == NULL)
        trouble = "its address is null";
    ssize_t written = trouble != NULL ? write(report, trouble, strlen(trouble)) : 0;
    _exit(trouble == NULL ? 0 : written > 0 ? 1 : 2);
}

/* What the trial child says: 0, or -1 after a message. */
static int hear(const char *path, const char *function, int report, pid_t child)
{
    char    said[1024];
    size_t  used = 0;
    ssize_t n;
    while ((n = read(report, said + used, sizeof said - 1 - used)) != 0) {
        if (n > 0)
            used += (size_t)n;
        else if (errno != EINTR)
            break;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status == 0)
        return 0;
    if (used == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        cmd_error("run: plugin '%s': not loaded after %d s", path, (int)LOAD_SECONDS);
    } else if (used == 0) {
        cmd_describe_status(said, sizeof said, status);
        cmd_error("run: plugin '%s': ended with %s while it was loaded", path, said);
    } else {
        said[used] = '\0';
        char line[1024];
        cmd_printable(line, sizeof line, said, used);
        cmd_error("run: plugin '%s', function '%s': %s", path, function, line);
    }
    return -1;
}

static int try_in_child(const char *path, const char *function)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        cmd_error("run: cannot open a pipe: %s", strerror(errno));
        return -1;
    }
    pid_t child = fork();
    if (child == 0)
        load(path, function, ends[1]);
    int error = errno;
    close(ends[1]);
    int result = -1;
    if (child < 0)
        cmd_error("run: cannot start a process: %s", strerror(error));
    else
        result = hear(path, function, ends[0], child);
    close(ends[0]);
    return result;
}

char *cmd_plugin_name(const char *file, const char *function)
{
    struct stat status;
    char       *path = realpath(file, NULL);
    char       *name = NULL;
    if (path == NULL || stat(path, &status) < 0 || access(path, R_OK) < 0)
        cmd_error("run: plugin '%s': %s", file, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        cmd_error("run: plugin '%s': not a file", file);
    else if (try_in_child(path, function) == 0 && asprintf(&name, "%s:%s", path, function) < 0)
        name = NULL;
    free(path);
    return name;
}
