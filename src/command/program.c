/*
 * program.c - the search of a command in PATH.
 */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0 || access(path, X_OK) < 0)
        return -errno;
    return S_ISREG(status.st_mode) ? 0 : -EACCES;
}

static int try_file(char *path, size_t size, const char *folder, int length, const char *name)
{
    int n = snprintf(path, size, "%.*s%s%s", length, folder, length > 0 ? "/" : "", name);
    return n > 0 && (size_t)n < size ? check_file(path) : -ENAMETOOLONG;
}

int cmd_program_find(char *path, size_t size, const char *name)
{
    if (name[0] == '\0')
        return -ENOENT;
    if (strchr(name, '/') != NULL)
        return try_file(path, size, "", 0, name);
    const char *folders = getenv("PATH");
    int         error = -ENOENT;
    for (folders = folders != NULL ? folders : "/bin:/usr/bin"; folders != NULL;) {
        const char *colon = strchr(folders, ':');
        size_t      length = colon != NULL ? (size_t)(colon - folders) : strlen(folders);
        int         found = try_file(path, size, folders, (int)length, name);
        if (found == 0)
            return 0;
        if (found == -EACCES)
            error = found;
        folders = colon != NULL ? colon + 1 : NULL;
    }
    return error;
}

bool cmd_program_is_for_shell(const char *name)
{
    static const char *const own[] = {"cd",   "ulimit", "umask", "export", "alias",
                                      "type", "source", "eval",  "exec",   "set",
                                      "if",   "for",    "while", "case",   "let",
                                      "trap", ".",      "[[",    "!"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(name, own[i]) == 0)
            return true;
    }
    return strpbrk(name, " \t\n|&;<>()$`*") != NULL;
}
