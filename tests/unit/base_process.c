/*
 * base_process.c - time, descriptors in messages, who is whose child, and the fork that the program
 * does not notice.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/hidden_fork.h"
#include "base/lineage.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void durations_are_saturated_and_checked(void **state)
{
    (void)state;
    assert_int_equal(pp_duration_ns(1.5), 1500000000);
    assert_true(pp_duration_ns(-1.0) == PP_NEVER);
    assert_true(pp_duration_ns(1e300) == PP_NEVER);
    assert_true(pp_deadline_after(10, PP_NEVER) == PP_NEVER);
    assert_true(pp_deadline_after(PP_NEVER - 5, 10) == PP_NEVER);
    assert_int_equal(pp_deadline_after(10, 20), 30);
    assert_true(pp_duration_valid(0, false));
    assert_true(pp_duration_valid(-1.0, true));
    assert_false(pp_duration_valid(-1.0, false));
    assert_false(pp_duration_valid(-2.0, true));
    assert_false(pp_duration_valid((double)NAN, true));
}

static void a_message_carries_descriptors_that_are_cloexec(void **state)
{
    int    pair[2];
    int    fds[2] = {-1, -1};
    size_t count = 2;
    int    value = 0;
    (void)state;
    assert_int_equal(pp_socket_pair(pair), 0);
    int sent[2] = {pair[0], pair[1]};
    assert_int_equal(pp_send_message(pair[0], &(int){42}, sizeof(int), sent, 2, 0), 0);
    assert_int_equal(pp_receive_message(pair[1], &value, sizeof value, fds, &count, 0),
                     sizeof value);
    assert_int_equal(value, 42);
    assert_int_equal(count, 2);
    assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fds[1], F_GETFD) & FD_CLOEXEC) != 0);
    pp_close_all(fds, 2);
    pp_close_all(pair, 2);
}

static void what_does_not_fit_is_refused_and_leaves_no_descriptor(void **state)
{
    int    pair[2];
    int    fds[1] = {-1};
    size_t count = 1;
    int    value = 0;
    (void)state;
    assert_int_equal(pp_socket_pair(pair), 0);
    int probe = dup(pair[0]);
    close(probe); /* the next descriptor that would be given */
    int three[3] = {pair[0], pair[0], pair[0]};
    assert_int_equal(pp_send_message(pair[0], &value, sizeof value, three, 3, 0), 0);
    assert_int_equal(pp_receive_message(pair[1], &value, sizeof value, fds, &count, 0), -EBADMSG);
    char longer[64] = {0};
    count = 1;
    assert_int_equal(pp_send_message(pair[0], longer, sizeof longer, three, 1, 0), 0);
    assert_int_equal(pp_receive_message(pair[1], &value, sizeof value, fds, &count, 0), -EBADMSG);
    int again = dup(pair[0]);
    assert_int_equal(again, probe);
    close(again);
    pp_close(&pair[0]);
    count = 1;
    assert_int_equal(pp_receive_message(pair[1], &value, sizeof value, fds, &count, 0), 0);
    assert_int_equal(pp_send_message(pair[1], &value, sizeof value, NULL, 0, 0), -EPIPE);
    pp_close(&pair[1]);
    pp_close(&pair[1]); /* twice is nothing */
}

static void a_forked_child_is_another_lineage_with_a_mark_of_its_own(void **state)
{
    uint64_t mark = 0;
    int      status = 0;
    (void)state;
    assert_int_equal(pp_lineage_mark(&mark), 0);
    assert_true(mark != 0);
    assert_true(pp_lineage_is(mark));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint64_t own = 0;
        int      wrong = pp_lineage_is(mark) ? 1 : 0;
        wrong |= pp_lineage_mark(&own) != 0 || own == mark || !pp_lineage_is(own) ? 2 : 0;
        _exit(wrong);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(pp_lineage_is(mark));
}

/* ------------------------------------------------------------------ the hidden fork */

static volatile sig_atomic_t children_noticed;

static void notice(int signal)
{
    (void)signal;
    children_noticed++;
}

struct report {
    int socket;
    int cpu_known;
};

static void report_and_leave(void *data)
{
    struct report *report = data;
    sigset_t       mask;
    char          *memory = malloc(100000);
    (void)sigprocmask(SIG_BLOCK, NULL, &mask);
    int answer[3] = {(int)getpid(), sched_getcpu() >= 0 && memory != NULL,
                     sigismember(&mask, SIGTERM)};
    free(memory);
    (void)pp_send_message(report->socket, answer, sizeof answer, NULL, 0, 0);
    _exit(7);
}

static void fork_hidden_and_check(void)
{
    int              pair[2];
    int              answer[3] = {0};
    int              pidfd = -1;
    int              status = 0;
    struct sigaction old;
    struct sigaction action = {.sa_handler = notice};
    children_noticed = 0;
    assert_int_equal(sigaction(SIGCHLD, &action, &old), 0);
    assert_int_equal(pp_socket_pair(pair), 0);
    struct report report = {.socket = pair[1]};
    pid_t         pid = pp_hidden_fork(report_and_leave, &report, &pidfd);
    assert_true(pid > 0);
    assert_int_equal(pp_receive_message(pair[0], answer, sizeof answer, NULL, NULL, 0),
                     sizeof answer);
    assert_int_equal(answer[0], pid);
    assert_int_equal(answer[1], 1);
    assert_int_equal(answer[2], 1); /* it begins with every signal blocked */
    struct pollfd entry = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 30000), 1);
    assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    (void)pp_hidden_reap(pidfd);
    assert_int_equal(children_noticed, 0);
    sigset_t mask;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM)); /* the caller's mask is as before */
    close(pidfd);
    pp_close_all(pair, 2);
    assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
}

static void a_program_with_one_thread_does_not_notice_the_child(void **state)
{
    (void)state;
    fork_hidden_and_check();
}

static atomic_bool stop_allocating;

static void *allocate(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop_allocating))
        free(malloc(64 + (size_t)(rand() % 5000)));
    return NULL;
}

/* A bare clone would, sooner or later, copy a malloc lock that another thread holds. */
static void a_child_of_a_threaded_program_can_allocate(void **state)
{
    enum { THREADS = 3, FORKS = 60 };
    pthread_t threads[THREADS];
    (void)state;
    atomic_store(&stop_allocating, false);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate, NULL), 0);
    for (int i = 0; i < FORKS; i++)
        fork_hidden_and_check();
    atomic_store(&stop_allocating, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_saturated_and_checked),
        cmocka_unit_test(a_message_carries_descriptors_that_are_cloexec),
        cmocka_unit_test(what_does_not_fit_is_refused_and_leaves_no_descriptor),
        cmocka_unit_test(a_forked_child_is_another_lineage_with_a_mark_of_its_own),
        cmocka_unit_test(a_program_with_one_thread_does_not_notice_the_child),
        cmocka_unit_test(a_child_of_a_threaded_program_can_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
