/*
 * outlets.h - the pipes that the jobs of a worker write to, and what is left in them when it is killed.
 */
#ifndef CMD_OUTLETS_H
#define CMD_OUTLETS_H

#include "relay.h"

#include <stdbool.h>
#include <stdint.h>

struct cmd_outlet;

/* Before the pool is made: for so many workers, numbered from 0.  Where there is none, for lack of
 * descriptors or memory, its worker opens pipes for each job, as does one whose outlet is not free. */
void cmd_outlets_open(unsigned count);
void cmd_outlets_close(void);

/* Worker side: both pipes for an attempt of a job, `last` if it is not tried again: `fds` to read from
 * (they stay the outlet's) and `ends` to write to (the caller closes them); or NULL. */
struct cmd_outlet *cmd_outlet_claim(unsigned worker, const struct cmd_relay_head *head, bool last,
                                    int fds[2], int ends[2]);
/* The attempt's outputs are at their ends and were passed on. */
void cmd_outlet_release(struct cmd_outlet *outlet);
/* Where what is read is put, to be sent from. */
struct cmd_relay_record *cmd_outlet_record(struct cmd_outlet *outlet);
/* Before `size` bytes, not more, are read into the record; its kind is set. */
void cmd_outlet_expect(struct cmd_outlet *outlet, uint32_t size);
/* They were sent, or there were none. */
void cmd_outlet_sent(struct cmd_outlet *outlet);

/* Here: a message that came by the relay. */
void cmd_outlets_heard(const struct cmd_relay_record *record);
/* A job has ended, its worker perhaps with it, and what came by the relay was taken: take what the worker
 * did not come to pass on. */
void cmd_outlets_salvage(uint64_t ordinal, cmd_relay_take_fn *take, void *argument);

#endif
