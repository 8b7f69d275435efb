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
#include <limits.h>
#include <stdbool.h>
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
    enum { NUMBERS = 8 };
    int numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        char *end = NULL;
        long  number = strtol(text, &end, 10);
        if (end == text || number < 0 || number > INT_MAX || *end != (i + 1 < NUMBERS ? ',' : '\0'))
            return false;
        numbers[i] = (int)number;
        text = end + 1;
    }
    *birth = (struct pp_birth){.tray = numbers[0],
                               .box = numbers[1],
                               .bell = numbers[2],
                               .socket = numbers[3],
                               .host = numbers[4],
                               .host_pid = numbers[5],
                               .parent = numbers[6],
                               .slot = (unsigned)numbers[7]};
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
