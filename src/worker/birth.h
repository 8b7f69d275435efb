/*
 * birth.h - how a process becomes a worker.
 */
#ifndef PP_WORKER_BIRTH_H
#define PP_WORKER_BIRTH_H

#include "shm/mailbox.h"

#include <stdint.h>
#include <sys/types.h>

enum { PP_NAME_SIZE = 11 }; /* of a pool's name in ps, with its NUL: leaves room for "/slot" */

/* What all workers of a pool have in common. */
struct pp_setup {
    int (*init)(void *arg, void **state);
    void (*exit)(void *arg, void *state);
    void   *arg;
    int64_t orphan_grace; /* ns */
    char    name[PP_NAME_SIZE];
};

/* What one incarnation is given. */
struct pp_birth {
    int      tray; /* memfds; the worker closes them once they are mapped */
    int      box;
    int      bell;   /* eventfd that wakes the host   */
    int      socket; /* for messages with descriptors */
    int      host;   /* pidfd                         */
    pid_t    host_pid;
    pid_t    parent; /* the fork server */
    unsigned slot;
};

/*
 * The first message on a worker's socket: it may start.  The host sends it once it holds the
 * worker's pidfd; a worker whose host never heard of it reads the end of the socket and leaves.
 * An exec'd worker is told here what worker_init and worker_exit are.
 */
enum { PP_GO_MAGIC = 0x70706f6c, PP_GO_NAMES = 8192 };

struct pp_go {
    uint32_t         magic;
    uint32_t         has_init;
    uint32_t         has_exit;
    struct pp_target init;
    struct pp_target exit;
    int64_t          orphan_grace;
    char             name[PP_NAME_SIZE];
    char             names[PP_GO_NAMES]; /* of init, then of exit */
};

/* Be a worker, in a process that has one thread and nothing else to do.  `setup` is NULL in an
 * exec'd process.  Descriptors of `birth` are CLOEXEC. */
_Noreturn void pp_worker_main(const struct pp_birth *birth, const struct pp_setup *setup);

/* Pulls the constructor into a program that is linked with the static library. */
void pp_spawned_link(void);

/* The environment variable that makes an exec'd program a worker before its main, and its form. */
#define PP_SPAWN_VARIABLE "PROCPOOL_SPAWNED_WORKER"
#define PP_SPAWN_FORMAT   "%d,%d,%d,%d,%d,%d,%d,%u"

#endif
