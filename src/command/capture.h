/*
 * capture.h - read the two output pipes of a command until both are at their end.
 */
#ifndef CMD_CAPTURE_H
#define CMD_CAPTURE_H

#include <stddef.h>

struct cmd_capture {
    char  *data;
    size_t size, capacity;
};

/* fds[i] are the reading ends, owned and closed here; captures[i] are filled from their beginning.
 * 0 or -errno. */
int cmd_capture_both(int fds[2], struct cmd_capture captures[2]);
/* Give back memory that an unusually large output took. */
void cmd_capture_trim(struct cmd_capture *capture);

#endif
