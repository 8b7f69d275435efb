/*
 * program.h - which file a command's name stands for.
 */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Search as execvp does, without its fallback to a shell.  0 and the file's path, or a negative
 * errno: -ENOENT, -EACCES. */
int cmd_program_find(char *path, size_t size, const char *name);
/* Is a name that was not found a line for a shell, or a word that only a shell knows? */
bool cmd_program_is_for_shell(const char *name);

#endif
