/*
 * test_leaving.c - when a pool is destroyed its fork server ends what tasks left behind, at once.
 *
 * The fork server is a child of the test here, and has a child of its own from before: so it is seen at
 * the very instants that a pool would hide.
 */
#include "supervise/forkserver.h"
#include "supervise/protocol.h"
#include "support.h"

#include "base/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Were it waited for, the test would not end in time. */
static const struct pp_setup patient = {.orphan_grace = INT64_C(3600) * 1000 * 1000 * 1000,
                                        .name = "leaving"};

/* Deaf to SIGTERM; says so, and stays. */
static _Noreturn void stay(int ready)
{
    (void)signal(SIGTERM, SIG_IGN);
    (void)setsid();
    (void)!write(ready, "", 1);
    for (;;)
        pause();
}

static _Noreturn void be_fork_server(int socket, int ready)
{
    struct pp_forkserver_start start = {.socket = socket,
                                        .host = (int)syscall(SYS_pidfd_open, getppid(), 0),
                                        .host_pid = getppid(),
                                        .setup = &patient};
    if (fork() == 0)
        stay(ready);
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    pp_forkserver_main(&start);
    _exit(EXIT_FAILURE);
}

static bool can_be_read(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    return poll(&entry, 1, (int)(PATIENCE * 1000)) == 1;
}

/* Its fork server has a report on the way to a host that reads no more. */
static void leaving_is_heard_behind_a_report_that_nobody_read(void **state)
{
    struct pp_order spawn = {.kind = PP_ORDER_SPAWN};
    struct pp_order leave = {.kind = PP_ORDER_LEAVE};
    int             pair[2];
    int             ready[2];
    int             status = 0;
    (void)state;
    assert_int_equal(pp_socket_pair(pair), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        close(pair[0]);
        be_fork_server(pair[1], ready[1]);
    }
    close(pair[1]);
    close(ready[1]);
    char byte = 0;
    int  words[2]; /* to a worker that waits for its first word, whatever else it has */
    assert_int_equal(pp_socket_pair(words), 0);
    int given[PP_SPAWN_DESCRIPTORS] = {ready[0], ready[0], ready[0], words[1]};
    assert_true(can_be_read(ready[0]));
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(pp_send_message(pair[0], &spawn, sizeof spawn, given, PP_SPAWN_DESCRIPTORS, 0),
                     0);
    assert_true(can_be_read(pair[0]));
    assert_int_equal(kill(server, SIGSTOP), 0);
    assert_int_equal(waitpid(server, &status, WUNTRACED), server);
    assert_int_equal(pp_send_message(pair[0], &leave, sizeof leave, NULL, 0, 0), 0);
    close(pair[0]);
    assert_int_equal(kill(server, SIGCONT), 0);
    /* the end of the pipe: what was left behind is gone, too */
    bool in_time = can_be_read(ready[0]) && read(ready[0], &byte, 1) == 0;
    if (!in_time)
        (void)kill(server, SIGKILL);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_true(in_time);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
    close(ready[0]);
    pp_close_all(words, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving_is_heard_behind_a_report_that_nobody_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
