/*
 * test_watchdog.c - the host is killed: its workers and what their tasks left behind get SIGTERM at
 * once and SIGKILL orphan_grace later, and the fork server leaves.  Also below a subreaper, in a
 * container, and when the fork server dies with the host.
 *
 * The host is a forked child.  It and all that comes of it hold the write end of a pipe: when the
 * test reads its end, all of them are gone.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const double grace = 0.5;

/* Made before the host: */
static int alive[2]; /* the write end is open in all of them                */
static int said[2];  /* struct word, by the host, its workers and left ones */

enum what { READY = 1, GOT_TERM, FORK_SERVER };

struct word {
    enum what what;
    pid_t     pid;
};

/* Of those that were heard of: a test that fails leaves none of them. */
enum { MOST = 16 };
static int      heard_of[MOST];
static unsigned heard_count;

static void say(enum what what, pid_t pid)
{
    struct word word = {what, pid};
    if (write(said[1], &word, sizeof word) != sizeof word)
        _exit(98);
}

/* Its pids are others than ours. */
static struct word hear_of_container(void)
{
    struct pollfd entry = {.fd = said[0], .events = POLLIN};
    struct word   word = {.what = READY};
    assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    assert_int_equal(read(said[0], &word, sizeof word), sizeof word);
    return word;
}

static struct word hear(void)
{
    struct word word = hear_of_container();
    int         pidfd = (int)syscall(SYS_pidfd_open, word.pid, 0);
    if (pidfd >= 0 && heard_count < MOST)
        heard_of[heard_count++] = pidfd;
    return word;
}

/* Nobody says anything any more: only after all are gone. */
static void assert_silence(void)
{
    struct pollfd entry = {.fd = said[0], .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 0), 0);
}

/* ------------------------------------------------------------- callables of the host */

static void tell_of_term(int number)
{
    (void)number;
    say(GOT_TERM, getpid());
}

static void tell_and_leave(int number)
{
    tell_of_term(number);
    _exit(0);
}

static int heed_term(pp_call *call)
{
    (void)signal(SIGTERM, tell_and_leave);
    say(READY, getpid());
    return sleep_for_ever(call);
}

static int defy_term(pp_call *call)
{
    (void)signal(SIGTERM, tell_of_term);
    say(READY, getpid());
    return sleep_for_ever(call);
}

static int say_ready(pp_call *call)
{
    (void)call;
    say(READY, getpid());
    return 0;
}

/* A daemon as the books have it: two forks and a session of its own. */
static int leave_daemon(pp_call *call)
{
    int defiant = 0;
    (void)pp_call_args(call, "i", &defiant);
    pid_t child = fork();
    if (child == 0) {
        (void)setsid();
        if (fork() != 0)
            _exit(0);
        (void)signal(SIGTERM, defiant != 0 ? tell_of_term : tell_and_leave);
        say(READY, getpid());
        for (;;)
            pause();
    }
    return waitpid(child, NULL, 0) == child ? 0 : -errno;
}

/* Without a socket to the host it cannot see that end. */
static int close_what_is_open(pp_call *call)
{
    (void)call;
    (void)close_range(3, (unsigned)said[1] - 1, 0);
    (void)close_range((unsigned)said[1] + 1, ~0U, 0);
    say(READY, getpid());
    return sleep_for_ever(call);
}

static int say_parent(pp_call *call)
{
    (void)call;
    say(FORK_SERVER, getppid());
    return 0;
}

/* ------------------------------------------------------------------------- the host */

enum work { HEED, DEFY, IDLE, DAEMONS, DEFIANT_DAEMONS, DEAF };

static void queue_number(pp_pool *pool, pp_function *function, int number)
{
    if (pp_pool_create_and_queue_task(pool, PP_FUNCTION(function), NULL, "i", number) != 0)
        _exit(97);
}

/* Tells of its fork server, then of two READY ones, and lives until it is killed. */
static _Noreturn void be_host(enum work work)
{
    pp_function *const functions[] = {heed_term,    defy_term,    say_ready,
                                      leave_daemon, leave_daemon, close_what_is_open};
    pp_pool_options    options = PP_POOL_OPTIONS_INIT;
    pp_pool           *pool = NULL;
    (void)close(alive[0]);
    options.min_size = options.max_size = 2;
    options.orphan_grace = grace;
    if (pp_pool_create(&pool, &options) != 0)
        _exit(96);
    queue_number(pool, say_parent, 0);
    if (pp_pool_process_all_results(pool, PATIENCE) < 0)
        _exit(95);
    queue_number(pool, functions[work], work == DEFIANT_DAEMONS ? 1 : 0);
    queue_number(pool, functions[work], work == DEFIANT_DAEMONS ? 1 : 0);
    for (;;)
        pause();
}

static pid_t start_host(enum work work, pid_t *fork_server)
{
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0)
        be_host(work);
    struct word word = hear();
    assert_int_equal(word.what, FORK_SERVER);
    *fork_server = word.pid;
    for (int i = 0; i < 2; i++)
        assert_int_equal(hear().what, READY);
    return host;
}

static void kill_host(pid_t host)
{
    int status = 0;
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_int_equal(status, SIGKILL);
}

/* Seconds until the host's workers, fork server and what was left behind are gone. */
static double time_until_all_are_gone(void)
{
    struct pollfd entry = {.fd = alive[0], .events = POLLIN};
    double        begin = now();
    (void)close(alive[1]);
    alive[1] = -1;
    assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    assert_true((entry.revents & POLLHUP) != 0);
    return now() - begin;
}

static int set_up(void **state)
{
    (void)state;
    return pipe(alive) == 0 && pipe(said) == 0 ? 0 : -1;
}

/* In a forked child: what the parent holds open does not matter, and a failure is the end. */
static void begin_afresh(void)
{
    if (setenv("CMOCKA_TEST_ABORT", "1", 1) < 0 || set_up(NULL) < 0)
        _exit(94);
}

static int tear_down(void **state)
{
    (void)state;
    while (heard_count > 0) {
        (void)syscall(SYS_pidfd_send_signal, heard_of[--heard_count], SIGKILL, NULL, 0);
        (void)close(heard_of[heard_count]);
    }
    for (int i = 0; i < 2; i++) {
        if (alive[i] >= 0)
            (void)close(alive[i]);
        (void)close(said[i]);
    }
    return 0;
}

/* `terms` of them get SIGTERM; they defy it, or are gone before the grace is over. */
static void assert_all_end_with_the_host(enum work work, unsigned terms, bool defiant)
{
    pid_t  fork_server = 0;
    pid_t  host = start_host(work, &fork_server);
    double begin = now();
    kill_host(host);
    for (unsigned i = 0; i < terms; i++)
        assert_int_equal(hear().what, GOT_TERM);
    double told = now() - begin;
    double took = time_until_all_are_gone() + told;
    print_message("           SIGTERM within %.3f s, all gone after %.3f s\n", told, took);
    if (terms > 0 && defiant)
        assert_true(took >= grace);
    assert_true(took < grace + 10);
    assert_true(pid_gone(fork_server));
    assert_silence();
}

/* ---------------------------------------------------------------------------- tests */

static void workers_get_term_at_once_when_the_host_is_killed(void **state)
{
    (void)state;
    assert_all_end_with_the_host(HEED, 2, false);
}

static void workers_that_defy_term_are_killed_when_the_grace_is_over(void **state)
{
    (void)state;
    assert_all_end_with_the_host(DEFY, 2, true);
}

static void idle_workers_end_when_the_host_is_killed(void **state)
{
    (void)state;
    assert_all_end_with_the_host(IDLE, 0, false);
}

static void daemons_that_tasks_left_behind_get_term_when_the_host_is_killed(void **state)
{
    (void)state;
    assert_all_end_with_the_host(DAEMONS, 2, false);
}

static void daemons_that_defy_term_are_killed_when_the_grace_is_over(void **state)
{
    (void)state;
    assert_all_end_with_the_host(DEFIANT_DAEMONS, 2, true);
}

static void below_a_subreaper(void *unused)
{
    (void)unused;
    begin_afresh();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        _exit(1);
    assert_all_end_with_the_host(DEFY, 2, true);
}

static void the_host_may_have_an_ancestor_that_is_a_subreaper(void **state)
{
    (void)state;
    assert_child_succeeds(below_a_subreaper, NULL);
}

/* Both die, and the host has no time to do anything about the first death. */
static void workers_end_when_host_and_fork_server_die_together(void **state)
{
    pid_t fork_server = 0;
    (void)state;
    pid_t host = start_host(DEFY, &fork_server);
    assert_int_equal(kill(host, SIGSTOP), 0);
    assert_int_equal(kill(fork_server, SIGKILL), 0);
    assert_true(pid_gone(fork_server));
    double begin = now();
    kill_host(host);
    for (int i = 0; i < 2; i++)
        assert_int_equal(hear().what, GOT_TERM);
    double took = now() - begin;
    took += time_until_all_are_gone();
    assert_true(took >= grace && took < grace + 10);
}

static void workers_end_when_the_fork_server_dies_after_the_host(void **state)
{
    pid_t fork_server = 0;
    (void)state;
    pid_t host = start_host(DEFY, &fork_server);
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    kill_host(host);
    assert_int_equal(kill(fork_server, SIGKILL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(hear().what, GOT_TERM);
    assert_true(time_until_all_are_gone() < grace + 10);
}

/* The fork server dies, and the host soon after, whether it has seen that or not. */
static void workers_of_a_fork_server_that_died_end_with_the_host(void **state)
{
    pid_t fork_server = 0;
    (void)state;
    pid_t host = start_host(DEFY, &fork_server);
    assert_int_equal(kill(fork_server, SIGKILL), 0);
    assert_true(pid_gone(fork_server));
    double begin = now();
    kill_host(host);
    for (int i = 0; i < 2; i++)
        assert_int_equal(hear().what, GOT_TERM);
    double took = now() - begin;
    took += time_until_all_are_gone();
    assert_true(took >= grace && took < grace + 10);
}

/* Pidfds in a process that has our end of `said`, which a fork server of this test's host has. */
static unsigned pidfds_of(const char *pid, ino_t mine)
{
    char           path[300];
    char           target[64];
    unsigned       count = 0;
    bool           ours = false;
    struct dirent *entry = NULL;
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct stat status;
        ssize_t     size = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        target[size > 0 ? size : 0] = '\0';
        count += strstr(target, "[pidfd]") != NULL ? 1 : 0;
        ours = ours || (fstatat(dirfd(directory), entry->d_name, &status, 0) == 0 &&
                        status.st_ino == mine && S_ISFIFO(status.st_mode));
    }
    if (directory != NULL)
        closedir(directory);
    return ours ? count : 0;
}

/* A fork server, and not that one, holds the pidfds of the host and of two workers that it did not make;
 * then it is that one. */
static bool workers_have_another_watch(void *watch)
{
    char           name[64];
    char           path[300];
    bool           found = false;
    struct stat    mine;
    struct dirent *entry = NULL;
    DIR           *directory = opendir("/proc");
    pid_t         *watcher = watch;
    assert_non_null(directory);
    assert_int_equal(fstat(said[1], &mine), 0);
    while (!found && (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        bool is_server =
            fgets(name, sizeof name, file) != NULL && strcmp(name, "procpool/fork\n") == 0;
        (void)fclose(file);
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        found = is_server && pid != *watcher && pidfds_of(entry->d_name, mine.st_ino) >= 3;
        *watcher = found ? pid : *watcher;
    }
    closedir(directory);
    return found;
}

static void assert_deaf_workers_end_with_the_host(int deaths)
{
    pid_t fork_server = 0;
    pid_t host = start_host(DEAF, &fork_server);
    for (int i = 0; i < deaths; i++) {
        pid_t killed = fork_server;
        assert_int_equal(kill(killed, SIGKILL), 0);
        assert_true(pid_gone(killed));
        assert_true(eventually(workers_have_another_watch, &fork_server));
    }
    kill_host(host);
    for (unsigned i = 0; i < heard_count; i++) { /* by pidfd: they hold no end of `alive` */
        struct pollfd entry = {.fd = heard_of[i], .events = POLLIN};
        assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
    }
}

static void deaf_workers_whose_fork_server_died_end_with_the_host(void **state)
{
    (void)state;
    assert_deaf_workers_end_with_the_host(1);
}

static void deaf_workers_end_with_the_host_whose_second_watch_died_too(void **state)
{
    (void)state;
    assert_deaf_workers_end_with_the_host(3);
}

/* ---------------------------------------------------------------------- containers */

/* The first process of a pid namespace with a /proc of its own, or the test is skipped. */
static pid_t fork_into_container(void (*run)(void))
{
    int   made[2];
    char  answer = 'n';
    pid_t launcher = 0;
    assert_int_equal(pipe(made), 0);
    launcher = fork();
    assert_true(launcher >= 0);
    if (launcher == 0) {
        int status = 0;
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
            _exit(0);
        pid_t first = fork();
        if (first == 0) {
            if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount("proc", "/proc", "proc", 0, NULL) < 0 || write(made[1], "y", 1) != 1)
                _exit(0);
            (void)close(made[0]);
            (void)close(made[1]);
            run();
            _exit(0);
        }
        (void)close(alive[1]);
        (void)close(made[1]);
        (void)waitpid(first, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    (void)close(made[1]);
    ssize_t size = read(made[0], &answer, 1);
    (void)close(made[0]);
    if (size == 1)
        return launcher;
    (void)waitpid(launcher, NULL, 0);
    print_message("           no pid namespace may be made here\n");
    return 0;
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* As in any container: no getppid, no reaping by others tells it apart. */
static void use_pool_as_first_process(void)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    const int       for_test[] = {said[0], said[1]};
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    assert_int_equal(getpid(), 1);
    assert_int_equal(pipe(said), 0);
    pp_pool *pool = pool_of(2, 2);
    pp_task *lost = queue_function(pool, crash_by_segv, NULL);
    options.timeout = 0.2;
    pp_task *limited = queue_function(pool, sleep_for_ever, &options);
    pp_task *done = queue_function(pool, return_pid, NULL);
    assert_ends(lost, PP_WORKER_LOST);
    assert_int_equal(pp_error_wait_status(pp_task_error(lost)) & 0x7f, SIGSEGV);
    assert_ends(limited, PP_TIMED_OUT);
    assert_ends(done, PP_DONE);
    queue_number(pool, leave_daemon, 1);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(hear().what, READY);
    pp_pool_destroy(pool);
    pp_task_unref(lost);
    pp_task_unref(limited);
    pp_task_unref(done);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* the daemon did not come to us */
    assert_int_equal(errno, ECHILD);
    said[0] = for_test[0];
    said[1] = for_test[1];
    be_host(DEFY);
}

static void the_host_may_be_the_first_process_of_a_container(void **state)
{
    (void)state;
    pid_t launcher = fork_into_container(use_pool_as_first_process);
    if (launcher == 0)
        skip();
    for (int i = 0; i < 3; i++) {
        struct word word = hear_of_container();
        assert_true(word.what == FORK_SERVER || word.what == READY);
        if (word.what == FORK_SERVER)
            assert_true(word.pid > 1);
    }
    /* its death is theirs: the kernel ends what lives in the namespace */
    pid_t first = 0;
    char  path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)launcher, (int)launcher);
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    assert_int_equal(fscanf(children, "%d", &first), 1);
    fclose(children);
    assert_int_equal(kill(first, SIGKILL), 0);
    assert_int_equal(status_of(launcher), (128 + SIGKILL) << 8);
    assert_true(time_until_all_are_gone() < PATIENCE);
}

/* The host is a child of the first process, which adopts what it leaves. */
static void watch_a_host_as_first_process(void)
{
    pid_t fork_server = 0;
    begin_afresh();
    assert_int_equal(getpid(), 1);
    assert_all_end_with_the_host(DEFY, 2, true);
    assert_int_equal(pipe(alive), 0);
    pid_t host = start_host(DEFIANT_DAEMONS, &fork_server);
    kill_host(host);
    (void)time_until_all_are_gone();
}

static void the_host_may_be_a_child_of_the_first_process_of_a_container(void **state)
{
    (void)state;
    pid_t launcher = fork_into_container(watch_a_host_as_first_process);
    if (launcher == 0)
        skip();
    assert_int_equal(status_of(launcher), 0);
}

#define WATCHDOG_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHDOG_TEST(workers_get_term_at_once_when_the_host_is_killed),
        WATCHDOG_TEST(workers_that_defy_term_are_killed_when_the_grace_is_over),
        WATCHDOG_TEST(idle_workers_end_when_the_host_is_killed),
        WATCHDOG_TEST(daemons_that_tasks_left_behind_get_term_when_the_host_is_killed),
        WATCHDOG_TEST(daemons_that_defy_term_are_killed_when_the_grace_is_over),
        WATCHDOG_TEST(the_host_may_have_an_ancestor_that_is_a_subreaper),
        WATCHDOG_TEST(workers_end_when_the_fork_server_dies_after_the_host),
        WATCHDOG_TEST(the_host_may_be_the_first_process_of_a_container),
        WATCHDOG_TEST(the_host_may_be_a_child_of_the_first_process_of_a_container),
        WATCHDOG_TEST(deaf_workers_whose_fork_server_died_end_with_the_host),
        WATCHDOG_TEST(deaf_workers_end_with_the_host_whose_second_watch_died_too),
        WATCHDOG_TEST(workers_of_a_fork_server_that_died_end_with_the_host),
        WATCHDOG_TEST(workers_end_when_host_and_fork_server_die_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
