/*
 * relay.h - what jobs write, and that they began, from the workers to this process while they run.
 */
#ifndef CMD_RELAY_H
#define CMD_RELAY_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* FAILED: an attempt that is not the last one; its data is the status of waitpid, an int. */
enum cmd_relay_kind { CMD_RELAY_BEGIN = 1, CMD_RELAY_OUT, CMD_RELAY_ERR, CMD_RELAY_FAILED };

struct cmd_relay_head {
    uint64_t ordinal; /* of the job: order of its making */
    uint32_t attempt; /* from 1 */
    uint16_t kind;
    uint16_t length; /* of what follows */
    uint32_t slot;   /* outlets.h: its worker, from 1; 0: none */
    uint32_t number; /* ... of the message, from 1 */
};

enum { CMD_RELAY_ROOM = PIPE_BUF - sizeof(struct cmd_relay_head) };

/* One message: written at once or not at all. */
struct cmd_relay_record {
    struct cmd_relay_head head;
    char                  data[CMD_RELAY_ROOM];
};

/* The data of CMD_RELAY_BEGIN. */
struct cmd_relay_begin {
    int32_t  pid;
    uint32_t slot; /* from 1 */
};

/* Before the pool is made, so that its workers have the writing end: 0 or -errno. */
int cmd_relay_open(void);
/* Worker side, at its birth: the reading end is not for it. */
void cmd_relay_in_worker(void);
/* Worker side: waits while there is no room.  0 or -errno. */
int cmd_relay_send(struct cmd_relay_record *record);

/* Here: the reading end, to poll. */
int cmd_relay_fd(void);
/* After the pool was made: the writing end is for the workers. */
void cmd_relay_only_read(void);
/* Take everything that had been sent when this was called.  0, -errno, or -EBADMSG: garbage. */
typedef void cmd_relay_take_fn(const struct cmd_relay_record *record, void *argument);
int          cmd_relay_read(cmd_relay_take_fn *take, void *argument);
void         cmd_relay_close(void);

#endif
