/*
 * spawned.c - a program that was exec'd to be a worker never gets to its main.
 *
 * With PP_START_SPAWN the fork server execs the host's own program.  This constructor finds the
 * variable that the fork server set and turns the process into a worker; in every other process
 * it does nothing.  It runs before the constructors of the program itself when the library is a
 * shared one.
 */
#include "worker/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_seqpacket(int fd)
{
    int       type = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* Somebody may have set the variable by hand: then this is not a worker, and main runs. */
static bool parse(const char *text, struct pp_birth *birth)
{
    int host_pid = 0;
    int parent = 0;
    int end = 0;
    if (sscanf(text, PP_SPAWN_FORMAT "%n", &birth->tray, &birth->box, &birth->bell,
               &birth->socket, &birth->host, &host_pid, &parent, &birth->slot, &end) != 8 ||
        text[end] != '\0')
        return false;
    birth->host_pid = host_pid;
    birth->parent = parent;
    return is_seqpacket(birth->socket);
}

__attribute__((constructor)) static void become_worker_if_spawned(void)
{
    const char     *text = getenv(PP_SPAWN_VARIABLE);
    struct pp_birth birth;
    if (text == NULL || !parse(text, &birth))
        return;
    (void)unsetenv(PP_SPAWN_VARIABLE); /* not for the programs that tasks start */
    const int inherited[] = {birth.bell, birth.socket, birth.host};
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        (void)fcntl(inherited[i], F_SETFD, FD_CLOEXEC);
    pp_worker_main(&birth, NULL);
}

void pp_spawned_link(void)
{
    /* referenced by the pool, so that a static link takes this file along */
}
