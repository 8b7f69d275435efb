/*
 * debuginfo.h - which function and which line lie at an offset of an object file.
 */
#ifndef PP_TASK_DEBUGINFO_H
#define PP_TASK_DEBUGINFO_H

#include <stdbool.h>
#include <stdint.h>

struct pp_debuginfo;

struct pp_place {
    const char *function;
    uint64_t    offset; /* in it; not of one that is inlined */
    const char *file;   /* NULL: not known */
    int         line;
};

/* NULL: there is no libdw, or no memory. */
struct pp_debuginfo *pp_debuginfo_open(void);
void                 pp_debuginfo_close(struct pp_debuginfo *info);

typedef void pp_debuginfo_found(void *data, const struct pp_place *place, const char *path);

/* Report what lies there, inlined functions first, each in the place where the one before was called.
 * False: nothing was found, nothing reported. */
bool pp_debuginfo_find(struct pp_debuginfo *info, const char *path, uint64_t offset,
                       pp_debuginfo_found *found, void *data);

#endif
