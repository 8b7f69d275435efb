/*
 * spool.h - what one job wrote to one stream, until it may be shown.
 */
#ifndef CMD_SPOOL_H
#define CMD_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmd_spool {
    char    *data; /* memory: all of it, or what stands behind the file's part */
    size_t   size, capacity;
    int      fd;    /* one more than the temporary file's descriptor; 0: there is none */
    bool     stuck; /* no file can be had: memory it is */
    uint64_t filed; /* bytes in the file */
};

/* Once, before the environment is changed: where TMPDIR is. */
void cmd_spool_init(void);
/* 0, -ENOMEM, or -ENOSPC: no file can be had and memory is used up.  Then nothing was added. */
int      cmd_spool_add(struct cmd_spool *spool, const char *data, size_t size);
uint64_t cmd_spool_size(const struct cmd_spool *spool);
/* All of it from `offset` on, in pieces.  0, or -errno of reading the file back. */
typedef void cmd_spool_fn(void *argument, const char *data, size_t size);
int          cmd_spool_each(const struct cmd_spool *spool, uint64_t offset, cmd_spool_fn *use,
                            void *argument);
/* Copy the last bytes, `room` at most: how many. */
size_t cmd_spool_tail(const struct cmd_spool *spool, char *out, size_t room);
/* The first `size` bytes will not be asked for any more; those of a file stay. */
void cmd_spool_drop(struct cmd_spool *spool, size_t size);
void cmd_spool_free(struct cmd_spool *spool);

#endif
