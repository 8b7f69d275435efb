/*
 * protocol.h - what host and fork server say to each other over their SOCK_SEQPACKET pair.
 *
 * Both ends trust each other: no task runs in the fork server, and its socket is closed in every
 * worker.
 */
#ifndef PP_SUPERVISE_PROTOCOL_H
#define PP_SUPERVISE_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum pp_order_kind {
    PP_ORDER_SPAWN = 1, /* with tray, box, bell, socket: make a worker            */
    PP_ORDER_ADOPT,     /* with a pidfd: watch a worker of a dead fork server     */
    PP_ORDER_KILL,      /* that incarnation, because the host could not           */
    PP_ORDER_RETIRE,    /* no more orders but this: exit when nothing is left     */
    PP_ORDER_LEAVE      /* the pool is being destroyed: end what is left and exit */
};

struct pp_order {
    uint32_t kind;
    uint32_t slot;
    uint64_t incarnation;
    uint32_t exec; /* SPAWN: exec the program instead of going on in the fork */
};

enum { PP_SPAWN_DESCRIPTORS = 4 };

enum pp_report_kind {
    PP_REPORT_BORN = 1, /* with a pidfd                     */
    PP_REPORT_FAILED,   /* no worker: `value` is -errno     */
    PP_REPORT_DIED      /* `value` is the status of waitpid */
};

struct pp_report {
    uint32_t kind;
    int32_t  value;
    uint64_t incarnation;
    int32_t  pid;
};

#endif
