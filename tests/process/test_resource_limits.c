/*
 * test_resource_limits.c - a host that may have few descriptors, few processes, little memory or only
 * small files gets a pool that works or a negative errno: never a hang, a lost task, a signal in the
 * host, or something left behind.
 *
 * Each try is a forked child with a limit.  It adopts what is orphaned below it, so when it has no
 * child left after its pool, there was nothing left.
 *
 * That shared memory cannot be had is shown here by RLIMIT_FSIZE (memfds are files) and RLIMIT_AS
 * (mappings); a memfd takes no quota of a mounted file system, so a full one cannot be made here.
 * ENOSPC of each call is injected by tests/faults.
 */
#include "sanitized.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer has a thread of its own in each process. */
#ifdef SANITIZED
enum { SANITIZER_THREADS = 5 };
#else
enum { SANITIZER_THREADS = 0 };
#endif

enum { LARGE = 300 * 1000, ERRORS = 2 };

static const unsigned char large[LARGE];

struct limit {
    int    resource;
    rlim_t value;
    uid_t  uid;            /* 0: stay who we are    */
    int    errors[ERRORS]; /* that it may be told by */
};

/* How a child exits. */
enum { HAD = 1, REFUSED = 2 };

/* What the large task returns is as large. */
static int return_same(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return_bytes(call, data, size);
}

static int return_large(pp_call *call)
{
    return pp_call_return_bytes(call, large, sizeof large);
}

static void assert_told(const struct limit *limit, int error)
{
    for (int i = 0; i < ERRORS; i++)
        if (error == limit->errors[i])
            return;
    print_error("with a limit of %lu: %d, %s\n", (unsigned long)limit->value, error,
                error < 0 ? strerrorname_np(-error) : "a success");
    assert_true(false);
}

/* Refused with the limit's errno, or accepted, and then it has an outcome: the state, or 0. */
static pp_state submit(pp_pool *pool, const struct limit *limit, pp_function *function, size_t size)
{
    pp_task *task = NULL;
    pp_state state = 0;
    int      error = pp_task_create(&task, PP_FUNCTION(function), NULL, NULL);
    if (error == 0 && size > 0)
        error = pp_task_set_bytes(task, large, size);
    if (error == 0)
        error = pp_pool_queue_task(pool, task);
    if (error == 0) {
        assert_int_equal(pp_task_wait(task, PATIENCE), 0);
        state = pp_task_state(task);
    } else
        assert_told(limit, error);
    if (state == PP_FAILED)
        assert_told(limit, -pp_error_errno(pp_task_error(task)));
    pp_task_unref(task);
    return state;
}

static void use_small(pp_pool *pool)
{
    pp_task *tasks[8];
    for (int i = 0; i < 8; i++)
        tasks[i] = queue_function(pool, return_pid, NULL);
    for (int i = 0; i < 8; i++) {
        assert_ends(tasks[i], PP_DONE);
        pp_task_unref(tasks[i]);
    }
}

/* One worker dies, and the pool gets on with the other or a new one. */
static void use_pool(pp_pool *pool, const struct limit *limit)
{
    use_small(pool);
    assert_int_equal(submit(pool, limit, crash_by_segv, 0), PP_WORKER_LOST);
    use_small(pool);
    pp_state there = submit(pool, limit, return_same, sizeof large);
    pp_state back = submit(pool, limit, return_large, 0);
    bool     may_fail = limit->resource != RLIMIT_NPROC;
    assert_true(there == PP_DONE || may_fail);
    assert_true(back == PP_DONE || (may_fail && back == PP_FAILED));
    use_small(pool);
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
}

/* ------------------------------------------------------------------- a limited child */

static void set_limit(int resource, rlim_t value)
{
    struct rlimit both;
    if (getrlimit((enum __rlimit_resource)resource, &both) < 0)
        _exit(96);
    both.rlim_cur = value < both.rlim_max ? value : both.rlim_max;
    if (setrlimit((enum __rlimit_resource)resource, &both) < 0)
        _exit(97);
}

static void assert_nothing_left(unsigned descriptors)
{
    (void)alarm((unsigned)PATIENCE); /* ends us when somebody stays */
    while (waitpid(-1, NULL, (int)__WALL) >= 0 || errno == EINTR)
        ;
    assert_int_equal(errno, ECHILD);
    (void)alarm(0);
    assert_int_equal(open_descriptors(), descriptors);
}

static _Noreturn void be_limited(const struct limit *limit)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_pool        *pool = NULL;
    unsigned        descriptors = open_descriptors();
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* cmocka would go on with the other tests here */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || (limit->uid > 0 && setuid(limit->uid) < 0))
        _exit(95);
    set_limit(limit->resource, limit->value);
    options.min_size = options.max_size = 2;
    int error = pp_pool_create(&pool, &options);
    if (error == 0)
        use_pool(pool, limit);
    else
        assert_told(limit, error);
    pp_pool_destroy(pool);
    set_limit(limit->resource, RLIM_INFINITY);
    assert_nothing_left(descriptors);
    _exit(error == 0 ? HAD : REFUSED);
}

struct tally {
    unsigned had;
    unsigned refused;
};

static void try_with(const struct limit *limit, struct tally *tally)
{
    int   status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_limited(limit);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != HAD << 8 && status != REFUSED << 8)
        print_error("with a limit of %lu: status 0x%x\n", (unsigned long)limit->value, status);
    assert_true(status == HAD << 8 || status == REFUSED << 8);
    tally->had += status == HAD << 8 ? 1 : 0;
    tally->refused += status == REFUSED << 8 ? 1 : 0;
}

static void assert_both(const struct tally *tally)
{
    print_message("           %u times a pool, %u times none\n", tally->had, tally->refused);
    assert_true(tally->had > 0);
    assert_true(tally->refused > 0);
}

/* ---------------------------------------------------------------------------- tests */

/* From none that is free to enough, one more each time: each place that opens one is without it once. */
static void with_few_descriptors_a_pool_works_or_is_refused(void **state)
{
    enum { MOST = 26 };
    struct tally tally = {0};
    struct limit limit = {.resource = RLIMIT_NOFILE, .errors = {-EMFILE}};
    (void)state;
    int free_one = dup(STDIN_FILENO);
    assert_true(free_one >= 0);
    (void)close(free_one);
    for (rlim_t i = 0; i < MOST; i++) {
        limit.value = (rlim_t)free_one + i;
        try_with(&limit, &tally);
    }
    assert_both(&tally);
}

/* The kernel counts the threads and processes of a user; ours has a user of its own. */
static void with_few_processes_a_pool_works_or_is_refused(void **state)
{
    enum { MOST = SANITIZER_THREADS + 7 };
    struct tally tally = {0};
    struct limit limit = {.resource = RLIMIT_NPROC, .errors = {-EAGAIN}};
    (void)state;
    if (geteuid() != 0) {
        print_message("           only root can become a user who has no other processes\n");
        skip();
    }
    limit.uid = (uid_t)(100000 + getpid());
    for (limit.value = 1; limit.value <= MOST; limit.value++)
        try_with(&limit, &tally);
    assert_both(&tally);
}

static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE         *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    (void)fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void with_little_memory_a_pool_works_or_is_refused(void **state)
{
    const rlim_t more[] = {0,    32,   128,  256,  512,   1024,  4096,
                           8200, 8400, 8600, 9000, 10000, 12000, 100000};
    struct tally tally = {0};
    struct limit limit = {.resource = RLIMIT_AS, .errors = {-ENOMEM, -EAGAIN}};
    (void)state;
#ifdef SANITIZED
    print_message("           a sanitizer needs address space without limit\n");
    skip();
#endif
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        limit.value = address_space() + more[i] * 1024;
        try_with(&limit, &tally);
    }
    assert_both(&tally);
}

/* The kernel's refusal comes with SIGXFSZ: no process of the pool may ask for it. */
static void with_small_files_only_a_pool_works_or_is_refused(void **state)
{
    const rlim_t sizes[] = {0, 1, 4096, 65536, 100000, 200000, 250000, LARGE, 1000000};
    struct tally tally = {0};
    struct limit limit = {.resource = RLIMIT_FSIZE, .errors = {-EFBIG}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        limit.value = sizes[i];
        try_with(&limit, &tally);
    }
    assert_both(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_few_descriptors_a_pool_works_or_is_refused),
        cmocka_unit_test(with_few_processes_a_pool_works_or_is_refused),
        cmocka_unit_test(with_little_memory_a_pool_works_or_is_refused),
        cmocka_unit_test(with_small_files_only_a_pool_works_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
