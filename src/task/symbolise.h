/*
 * symbolise.h - from "path+0xoffset" to a function, a file and a line.
 */
#ifndef PP_TASK_SYMBOLISE_H
#define PP_TASK_SYMBOLISE_H

/*
 * Each line of that form becomes one of these, numbered from #0, the innermost first:
 *
 *     #0 checksum_block (checksum.c:42) in libchecks.so     from debug information
 *     #1 checksum_all+0x1f in libchecks.so                  from a symbol
 *     #2 /usr/lib/libchecks.so+0x41f0                       where there is neither
 *
 * A function that the compiler put into another one has a line of its own, the other one follows.
 * Other lines stay, with '?' for control characters.  Without libdw the lines stay as they are.
 * The caller frees the text; NULL: no memory.
 *
 * The text may come from a worker.  A file that it names is opened only to be read, and not at all if
 * it is no regular one.
 */
char *pp_symbolise(const char *text);

#endif
