/*
 * gate.h - may a job be started now?  --delay, --load, --memfree.
 */
#ifndef CMD_GATE_H
#define CMD_GATE_H

#include "options.h"

struct cmd_gate {
    double   delay, load; /* 0: none */
    uint64_t memfree;
    double   next;  /* not before */
    bool     held;  /* it was the machine that said no, and not the time between two */
    int      timer; /* readable when it is worth asking again; -1: nothing is ever held back */
};

/* 0, -ERANGE when there is not so much memory at all, or -errno. */
int cmd_gate_open(struct cmd_gate *gate, const struct cmd_options *options);
/* Is anything ever held back?  Then no job may be queued ahead of its start. */
bool cmd_gate_is_used(const struct cmd_gate *gate);
/* True: start one, and it is counted as started.  False: the timer will tell when to ask again. */
bool cmd_gate_pass(struct cmd_gate *gate);
/* The timer was readable. */
void cmd_gate_rung(struct cmd_gate *gate);
void cmd_gate_close(struct cmd_gate *gate);

#endif
