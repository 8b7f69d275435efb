/*
 * test_environment.c - the host program is left alone: its SIGCHLD, waitpid(-1), stdio buffers, signal
 * masks and dispositions, atexit handlers, and descriptors.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A pool in each of its ways: works, loses a worker, stops one, is destroyed. */
static void use_a_pool(void)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = 0.05;
    pp_pool *pool = pool_of(1, 2);
    assert_works(pool);
    assert_crash_is_told(pool);
    pp_task *limited = queue_function(pool, sleep_for_ever, &options);
    assert_ends(limited, PP_TIMED_OUT);
    assert_works(pool);
    pp_task_unref(limited);
    pp_pool_destroy(pool);
}

/* ----------------------------------------------------------------- SIGCHLD, waitpid */

static volatile sig_atomic_t children_heard;

static void count_child(int number)
{
    (void)number;
    children_heard++;
}

static void handle_sigchld(void *unused)
{
    (void)unused;
    (void)sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count_child}, NULL);
    use_a_pool();
    assert_int_equal(children_heard, 0);
    pid_t own = fork(); /* the handler works, and our own child is still ours */
    if (own == 0)
        _exit(4);
    int status = 0;
    while (waitpid(own, &status, 0) < 0 && errno == EINTR)
        ;
    assert_int_equal(status, 4 << 8);
    assert_int_equal(children_heard, 1);
}

static void the_hosts_sigchld_handler_hears_of_no_worker(void **state)
{
    (void)state;
    assert_child_succeeds(handle_sigchld, NULL);
}

static void ignore_sigchld(void *unused)
{
    (void)unused;
    (void)signal(SIGCHLD, SIG_IGN);
    use_a_pool();
    assert_ptr_equal(signal(SIGCHLD, SIG_IGN), SIG_IGN);
}

static void a_host_that_ignores_sigchld_learns_how_workers_ended(void **state)
{
    (void)state;
    assert_child_succeeds(ignore_sigchld, NULL);
}

static void assert_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void *wait_for_any_child(void *unused)
{
    (void)unused;
    assert_no_children();
    return NULL;
}

static void wait_for_children(void *unused)
{
    pthread_t thread;
    (void)unused;
    pp_pool *first = pool_of(2, 2);  /* made by a process with one thread */
    pp_pool *second = pool_of(2, 2); /* and with several */
    assert_no_children();
    assert_crash_is_told(first);
    assert_crash_is_told(second);
    assert_no_children();
    assert_int_equal(pthread_create(&thread, NULL, wait_for_any_child, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_works(first);
    assert_works(second);
    pp_pool_destroy(first);
    assert_no_children();
    pp_pool_destroy(second);
    assert_no_children();
}

static void the_hosts_waitpid_finds_no_child_that_it_did_not_make(void **state)
{
    (void)state;
    assert_child_succeeds(wait_for_children, NULL);
}

/* ---------------------------------------------------------------------------- stdio */

enum { PRINTED = 40 };

static int print_a_line(pp_call *call)
{
    int number = 0;
    (void)pp_call_args(call, "i", &number);
    printf("<task %d begins", number);
    for (int i = 0; i < 30; i++)
        printf(" %d", i);
    printf(" ends>\n");
    return 0;
}

static int print_and_exit(pp_call *call)
{
    (void)call;
    printf("<before exit>\n");
    exit(0);
}

static unsigned occurrences(const char *text, const char *word)
{
    unsigned count = 0;
    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        count++;
    }
    return count;
}

/* So many lines of tasks can be read now. */
static void assert_is_there(const char *path, unsigned lines)
{
    static char text[PRINTED * 200];
    FILE       *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    assert_int_equal(occurrences(text, " ends>\n"), lines);
}

static void print_with_a_pool(void *path)
{
    if (freopen(path, "w", stdout) == NULL || freopen(path, "a", stderr) == NULL)
        _exit(1);
    printf("<host before>"); /* stays in the buffer: a file */
    pp_pool *pool = pool_of(1, 2);
    for (int i = 0; i < PRINTED; i++)
        assert_int_equal(
            pp_pool_create_and_queue_task(pool, PP_FUNCTION(print_a_line), NULL, "i", i), 0);
    printf("<host meanwhile>");
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_is_there(path, PRINTED); /* before its result is seen */
    pp_task *exits = queue_function(pool, print_and_exit, NULL);
    assert_ends(exits, PP_WORKER_LOST);
    pp_task_unref(exits);
    pp_pool_destroy(pool);
    printf("<host after>");
    exit(0);
}

static void what_was_printed_appears_once_and_complete(void **state)
{
    static char text[PRINTED * 200];
    char        path[] = "/tmp/procpool-printed-XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_child_succeeds(print_with_a_pool, path);
    ssize_t size = read(fd, text, sizeof text - 1);
    (void)close(fd);
    (void)unlink(path);
    assert_true(size > 0);
    assert_int_equal(occurrences(text, "<host before>"), 1);
    assert_int_equal(occurrences(text, "<host meanwhile>"), 1);
    assert_int_equal(occurrences(text, "<host after>"), 1);
    assert_int_equal(occurrences(text, "<before exit>"), 1);
    assert_int_equal(occurrences(text, " begins 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 "
                                       "20 21 22 23 24 25 26 27 28 29 ends>\n"),
                     PRINTED);
    for (int i = 0; i < PRINTED; i++) {
        char begin[32];
        snprintf(begin, sizeof begin, "<task %d begins", i);
        assert_int_equal(occurrences(text, begin), 1);
    }
}

/* --------------------------------------------------------------- signals and handlers */

struct signals {
    sigset_t         mask;
    struct sigaction actions[NSIG];
};

static void note_signals(struct signals *signals)
{
    memset(signals, 0, sizeof *signals);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &signals->mask);
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, NULL, &signals->actions[number]);
}

static void assert_same_signals(const struct signals *before)
{
    struct signals after;
    note_signals(&after);
    for (int number = 1; number < NSIG; number++) {
        assert_int_equal(sigismember(&after.mask, number), sigismember(&before->mask, number));
        assert_ptr_equal(after.actions[number].sa_handler, before->actions[number].sa_handler);
        assert_int_equal(after.actions[number].sa_flags, before->actions[number].sa_flags);
    }
}

static int return_mask_and_actions(pp_call *call)
{
    struct signals signals;
    int            blocked = 0;
    int            handled = 0;
    note_signals(&signals);
    for (int number = 1; number < NSIG; number++) {
        blocked += sigismember(&signals.mask, number) == 1 ? 1 : 0;
        handled += signals.actions[number].sa_handler == count_child ? 1 : 0;
    }
    return pp_call_return(call, "ii", blocked, handled);
}

static void keep_signals(void *unused)
{
    struct signals before;
    sigset_t       blocked;
    int            in_worker[2] = {-1, -1};
    (void)unused;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGTERM);
    (void)pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    (void)sigaction(SIGUSR2, &(struct sigaction){.sa_handler = count_child}, NULL);
    (void)sigaction(SIGURG, &(struct sigaction){.sa_handler = count_child}, NULL);
    (void)sigaction(SIGALRM, &(struct sigaction){.sa_handler = count_child}, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    note_signals(&before);
    pp_pool *pool = pool_of(1, 1);
    assert_same_signals(&before);
    pp_task *task = queue_function(pool, return_mask_and_actions, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "ii", &in_worker[0], &in_worker[1]), 0);
    assert_int_equal(in_worker[0], 0); /* a worker blocks nothing, and has none of our handlers */
    assert_int_equal(in_worker[1], 0);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    assert_same_signals(&before);
    use_a_pool();
    assert_same_signals(&before);
    assert_int_equal(children_heard, 0);
}

static void the_hosts_signal_mask_and_dispositions_stay_as_they_were(void **state)
{
    (void)state;
    assert_child_succeeds(keep_signals, NULL);
}

static int exit_pipe[2];

static void tell_of_exit(void)
{
    if (write(exit_pipe[1], "x", 1) != 1)
        _exit(93);
}

static int exit_3(pp_call *call)
{
    (void)call;
    exit(3);
}

static void exit_with_handlers(void *unused)
{
    (void)unused;
    if (atexit(tell_of_exit) != 0)
        _exit(1);
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, exit_3, NULL);
    assert_ends(task, PP_WORKER_LOST);
    assert_int_equal(pp_error_wait_status(pp_task_error(task)), 3 << 8);
    pp_task_unref(task);
    assert_works(pool);
    pp_pool_destroy(pool);
    (void)fclose(stdout);
    exit(0);
}

static void the_hosts_atexit_handlers_run_in_the_host_alone(void **state)
{
    char bytes[8];
    (void)state;
    assert_int_equal(pipe(exit_pipe), 0);
    assert_child_succeeds(exit_with_handlers, NULL);
    (void)close(exit_pipe[1]);
    assert_int_equal(read(exit_pipe[0], bytes, sizeof bytes), 1);
    (void)close(exit_pipe[0]);
}

static int write_into_broken_pipe(pp_call *call)
{
    int ends[2];
    if (pipe(ends) < 0)
        return -errno;
    (void)close(ends[0]);
    ssize_t wrote = write(ends[1], "x", 1);
    return pp_call_return(call, "i", wrote < 0 ? errno : 0);
}

static void break_pipes(void *data)
{
    const bool *ignored = data;
    int         error = 0;
    (void)signal(SIGPIPE, *ignored ? SIG_IGN : SIG_DFL);
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, write_into_broken_pipe, NULL);
    if (*ignored) {
        assert_ends(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &error), 0);
        assert_int_equal(error, EPIPE);
    } else {
        assert_ends(task, PP_WORKER_LOST);
        assert_int_equal(pp_error_wait_status(pp_task_error(task)), SIGPIPE);
    }
    assert_works(pool);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void sigpipe_ends_a_worker_alone_and_not_where_the_host_ignores_it(void **state)
{
    bool ignored = false;
    (void)state;
    assert_child_succeeds(break_pipes, &ignored);
    ignored = true;
    assert_child_succeeds(break_pipes, &ignored);
}

/* ---------------------------------------------------------------------- descriptors */

static void the_hosts_descriptors_are_the_same_after_destroy(void **state)
{
    (void)state;
    use_a_pool();
    unsigned before = open_descriptors();
    for (int i = 0; i < 5; i++)
        use_a_pool();
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hosts_sigchld_handler_hears_of_no_worker),
        cmocka_unit_test(a_host_that_ignores_sigchld_learns_how_workers_ended),
        cmocka_unit_test(the_hosts_waitpid_finds_no_child_that_it_did_not_make),
        cmocka_unit_test(what_was_printed_appears_once_and_complete),
        cmocka_unit_test(the_hosts_signal_mask_and_dispositions_stay_as_they_were),
        cmocka_unit_test(the_hosts_atexit_handlers_run_in_the_host_alone),
        cmocka_unit_test(sigpipe_ends_a_worker_alone_and_not_where_the_host_ignores_it),
        cmocka_unit_test(the_hosts_descriptors_are_the_same_after_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
