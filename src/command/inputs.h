/*
 * inputs.h - where the inputs come from, one at a time and only when one is wanted.
 */
#ifndef CMD_INPUTS_H
#define CMD_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmd_inputs {
    char *const *list; /* the words after `:::`, or NULL: lines of fd */
    size_t       list_count;
    size_t       list_next;
    int          fd;
    char        *buffer; /* begin..end: not used yet; begin..scanned: without newline */
    size_t       capacity, begin, scanned, end;
    bool         ended;
    uint64_t     count; /* inputs given out */
};

void cmd_inputs_from_list(struct cmd_inputs *inputs, char *const *list, size_t count);
void cmd_inputs_from_fd(struct cmd_inputs *inputs, int fd);

/* 1: `*text` of `*length` bytes is the next input and stands until the next call; 0: there are no
 * more; -EAGAIN: call cmd_inputs_read once fd is readable. */
int cmd_inputs_next(struct cmd_inputs *inputs, const char **text, size_t *length);
/* One read: 0, -EMSGSIZE when a line is longer than 64 MiB, or -errno. */
int  cmd_inputs_read(struct cmd_inputs *inputs);
void cmd_inputs_close(struct cmd_inputs *inputs);

#endif
