/*
 * server.h - the host's side of a fork server.
 */
#ifndef PP_SUPERVISE_SERVER_H
#define PP_SUPERVISE_SERVER_H

#include "base/list.h"
#include "supervise/protocol.h"
#include "worker/birth.h"

/* Owner: the pool; its lock protects it. */
struct pp_server {
    struct pp_list link;
    uint64_t       id;     /* never used again in this pool */
    int            socket; /* -1 once it is known to be dead */
    int            pidfd;
    pid_t          pid;
    bool           dead;
    unsigned       workers; /* that it made and that are not buried */
};

/* It keeps no descriptor that the library has in this process, of whatever pool. */
int pp_server_start(struct pp_server **server, const struct pp_setup *setup);
/* 0, -EOWNERDEAD, -EAGAIN when its socket is full, or another -errno. */
int pp_server_order(const struct pp_server *server, const struct pp_order *order, const int *fds,
                    size_t count);
/* 1: a report, with *pidfd (or -1), which is the caller's; 0: none now; -EPIPE: it is dead. */
int pp_server_read(const struct pp_server *server, struct pp_report *report, int *pidfd);
/* SIGKILL; its end is seen like any other.  0 or -errno. */
int pp_server_kill(const struct pp_server *server);
/* A signal to the process behind a pidfd, with a second try: 0 or -errno. */
int pp_pidfd_signal(int pidfd, int signal);
/* Ask it to leave, unless it is dead, and forget it.  With `wait`, until it has gone or a second has
 * passed. */
void pp_server_free(struct pp_server *server, bool wait);

#endif
