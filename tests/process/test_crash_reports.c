/*
 * test_crash_reports.c - a crashed task says where, and dies as it would have without saying so.
 *
 * The signal in the wait status is the one of the crash, the function that did it is named, the library's
 * own frames are not.  Children of a task, a ruined stack and forged last words disturb nothing.  Where a
 * task was stuck at its time limit is in test_limit_reports.c.
 */
#include "own_memory.h"
#include "reports.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined")))

/* ------------------------------------------------------------------------- crashes */

NAMED static int culprit_of_segv(volatile int *address)
{
    *address = 1;
    return *address;
}

static volatile int *volatile nowhere = (volatile int *)0x10;

static int crash_at_an_address(pp_call *call)
{
    (void)call;
    return culprit_of_segv(nowhere);
}

static int (*volatile endless)(volatile char *before); /* a compiler does not see that */

UNCHECKED static int culprit_of_overflow(volatile char *before)
{
    volatile char room[4096];
    room[0] = (char)(before[0] + 1);
    int below = endless(room);
    return below + room[0];
}

static int overflow_the_stack(pp_call *call)
{
    volatile char none[1] = {0};
    (void)call;
    endless = culprit_of_overflow;
    int depth = endless(none);
    return depth > 0 ? 0 : -EINVAL;
}

NAMED static int culprit_of_bus(volatile char *behind_the_file)
{
    *behind_the_file = 1;
    return *behind_the_file;
}

static int crash_behind_a_file(pp_call *call)
{
    int fd = memfd_create("short", MFD_CLOEXEC);
    (void)call;
    if (fd < 0)
        return -errno;
    void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return mapped == MAP_FAILED ? -errno : culprit_of_bus(mapped);
}

/* What no processor but x86 does by itself is sent. */
UNCHECKED static int culprit_of_fpe(volatile int *zero)
{
#if defined(__x86_64__)
    __asm__ volatile("xorl %%eax, %%eax\n\tcltd\n\tidivl %0" : : "m"(*zero) : "eax", "edx", "cc");
#else
    raise(SIGFPE);
#endif
    return *zero;
}

static int divide_by_zero(pp_call *call)
{
    volatile int zero = 0;
    (void)call;
    return culprit_of_fpe(&zero);
}

UNCHECKED static int culprit_of_ill(volatile int *number)
{
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#else
    raise(SIGILL);
#endif
    return *number;
}

static int execute_no_instruction(pp_call *call)
{
    volatile int number = 0;
    (void)call;
    return culprit_of_ill(&number);
}

NAMED static int culprit_of_trap(volatile int *number)
{
#if defined(__x86_64__)
    __asm__ volatile("int3");
#else
    raise(SIGTRAP);
#endif
    return *number;
}

static int execute_a_breakpoint(pp_call *call)
{
    volatile int number = 0;
    (void)call;
    return culprit_of_trap(&number);
}

NAMED static int culprit_of_abort(volatile int *number)
{
    if (*number == 0)
        abort();
    return *number;
}

static int fail_an_assertion(pp_call *call)
{
    volatile int number = 0;
    (void)call;
    return culprit_of_abort(&number);
}

NAMED static int culprit_of_sent(volatile int *number)
{
    raise(*number);
    return *number;
}

static int send_itself_a_segv(pp_call *call)
{
    volatile int number = SIGSEGV;
    (void)call;
    return culprit_of_sent(&number);
}

#if defined(__x86_64__)
NAMED static int culprit_of_nowhere(int (*volatile *function)(void))
{
    int number = (*function)();
    return number + (*function != NULL);
}

static int call_nothing(pp_call *call)
{
    int (*volatile nothing)(void) = NULL;
    (void)call;
    return culprit_of_nowhere(&nothing);
}
#endif

struct crash {
    pp_function *function;
    int          signal;
    const char  *first_line;
    const char  *culprit;
};

static const struct crash crashes[] = {
    {crash_at_an_address, SIGSEGV, "SIGSEGV at address 0x10\n", "culprit_of_segv"},
    {overflow_the_stack, SIGSEGV, "SIGSEGV at address 0x", "culprit_of_overflow"},
    {crash_behind_a_file, SIGBUS, "SIGBUS at address 0x", "culprit_of_bus"},
    {divide_by_zero, SIGFPE, "SIGFPE\n", "culprit_of_fpe"},
    {execute_no_instruction, SIGILL, "SIGILL\n", "culprit_of_ill"},
    {execute_a_breakpoint, SIGTRAP, "SIGTRAP\n", "culprit_of_trap"},
    {fail_an_assertion, SIGABRT, "SIGABRT\n", "culprit_of_abort"},
    {send_itself_a_segv, SIGSEGV, "SIGSEGV\n", "culprit_of_sent"},
#if defined(__x86_64__)
    {call_nothing, SIGSEGV, "SIGSEGV at address 0x0\n", "culprit_of_nowhere"},
#endif
};

static void assert_crash(pp_task *task, const struct crash *crash)
{
    const pp_error *error = pp_task_error(task);
    assert_int_equal(pp_error_wait_status(error) & 0x7f, crash->signal);
    assert_int_equal(
        strncmp(pp_error_backtrace(error), crash->first_line, strlen(crash->first_line)), 0);
    assert_names(error, crash->culprit);
}

static void a_crash_names_its_function_and_is_the_same_crash(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        pp_task *task = queue_function(the_pool, crashes[i].function, NULL);
        assert_ends(task, PP_WORKER_LOST);
        assert_crash(task, &crashes[i]);
        pp_task_unref(task);
    }
}

static void so_it_is_in_workers_that_were_made_in_another_way(void **state)
{
    const pp_start_method methods[] = {PP_START_FORK, PP_START_SPAWN};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        options.min_size = 1;
        options.start_method = methods[i];
        pp_pool *pool = pool_with(&options);
        pp_task *task = queue_function(pool, crash_at_an_address, NULL);
        assert_ends(task, PP_WORKER_LOST);
        assert_crash(task, &crashes[0]);
        pp_task_unref(task);
        pp_pool_destroy(pool);
    }
}

static void a_crash_in_a_plugin_names_its_static_function(void **state)
{
    pp_task *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task,
                                    PP_NAMED(PP_TEST_PLUGIN_DIR "/callables.so:plugin_crash"), NULL,
                                    NULL),
                     0);
    task = run_in_the_pool(task, PP_WORKER_LOST);
    assert_names(pp_task_error(task), "hidden_crash");
    assert_non_null(strstr(pp_error_backtrace(pp_task_error(task)), " in callables.so\n"));
    pp_task_unref(task);
}

/* ---------------------------------------------------------------------- exceptions */

NAMED static int culprit_of_exception(pp_call *call)
{
    int error = pp_call_raise(call, EDOM, "Wrong", "on purpose");
    return error < 0 ? error : -EINVAL;
}

static int raise_below(pp_call *call)
{
    int error = culprit_of_exception(call);
    return error < 0 ? error : -EINVAL;
}

static int raise_at_last(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Wrong", "on purpose");
}

static void an_exception_names_who_raised_it_and_who_called(void **state)
{
    pp_task *task = queue_function(the_pool, raise_below, NULL);
    (void)state;
    assert_ends(task, PP_FAILED);
    assert_names(pp_task_error(task), "#0 culprit_of_exception");
    assert_names(pp_task_error(task), "#1 raise_below");
    pp_task_unref(task);
    task = queue_function(the_pool, raise_at_last, NULL); /* it may have jumped */
    assert_ends(task, PP_FAILED);
    assert_names(pp_task_error(task), "raise_at_last");
    pp_task_unref(task);
}

/* ------------------------------------------------------------------------ children */

/* The signal that a child dies of; `shared`: it has this process's memory. */
static int signal_of_child(bool shared, int signal)
{
    int   status = 0;
    pid_t pid = shared ? vfork() : fork();
    if (pid == 0) {
        (void)kill(getpid(), signal);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int have_children_that_crash(pp_call *call)
{
    int forked = signal_of_child(false, SIGABRT);
    int vforked = signal_of_child(true, SIGABRT);
    int limited = signal_of_child(false, PP_LIMIT_SIGNAL);
    if (forked != SIGABRT || vforked != SIGABRT || limited != PP_LIMIT_SIGNAL)
        return pp_call_raise(call, ECHILD, "Child", "%d %d %d", forked, vforked, limited);
    return culprit_of_segv(nowhere);
}

static void a_child_of_a_task_dies_of_its_own_and_the_task_goes_on(void **state)
{
    pp_task *task = queue_function(the_pool, have_children_that_crash, NULL);
    (void)state;
    assert_ends(task, PP_WORKER_LOST);
    assert_crash(task, &crashes[0]);
    pp_task_unref(task);
}

/* ----------------------------------------------------------------------- hostility */

enum ruin { LETTERS, ZEROES, ITSELF, NOISE, RUINS };

UNCHECKED static int ruin_the_stack(unsigned ruin)
{
    enum { WORDS = 256 };
    volatile uintptr_t *frame = __builtin_frame_address(0);
    uintptr_t           noise = 88172645463325252U;
    for (int i = 0; i < WORDS; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        frame[i] = ruin == LETTERS  ? 0x4141414141414141U
                   : ruin == ZEROES ? 0
                   : ruin == ITSELF ? (uintptr_t)frame
                                    : noise;
    }
    *nowhere = 1;
    return 0;
}

static int crash_with_a_ruined_stack(pp_call *call)
{
    unsigned ruin = 0;
    int      error = pp_call_args(call, "u", &ruin);
    return error < 0 ? error : ruin_the_stack(ruin);
}

static void a_ruined_stack_costs_one_task(void **state)
{
    (void)state;
    for (unsigned ruin = 0; ruin < RUINS; ruin++) {
        pp_task *task = NULL;
        assert_int_equal(
            pp_task_create(&task, PP_FUNCTION(crash_with_a_ruined_stack), NULL, "u", ruin), 0);
        task = run_in_the_pool(task, PP_WORKER_LOST);
        assert_int_equal(pp_error_wait_status(pp_task_error(task)) & 0x7f, SIGSEGV);
        assert_names(pp_task_error(task), "ruin_the_stack");
        pp_task_unref(task);
        assert_works(the_pool);
    }
}

static const char *const forgeries[] = {
    "/dev/zero+0x10\n/dev/tty+0x1\n/+0x1\n/proc/self/mem+0x1000\n/etc/passwd+0x5\n",
    "+0x1\n/+0x\n/proc/self/exe+0xffffffffffffffffffff\n/proc/self/exe+0xffffffffffffffff\n",
    "\033[31mred\b\b\r\a\n\377\376 is no text\n",
    "no end of the line",
};
enum { FORGERIES = sizeof forgeries / sizeof *forgeries };

/* Beyond the forged texts: more than there is room for, and noise over all that can be written. */
static int leave_forged_words(pp_call *call)
{
    unsigned              which = 0;
    struct pp_ledger     *ledger = own_ledger();
    struct pp_last_words *last = ledger != NULL ? &ledger->last_words : NULL;
    if (last == NULL || pp_call_args(call, "u", &which) < 0)
        return -ENOENT;
    memset(last->text, 'A', sizeof last->text);
    if (which < FORGERIES)
        strcpy(last->text, forgeries[which]);
    last->signal = INT32_MIN;
    atomic_store(&last->ticket, atomic_load(&ledger->begun));
    atomic_store(&last->length, which < FORGERIES ? (uint32_t)strlen(last->text) : UINT32_MAX);
    atomic_store(&last->begun, PP_LAST_WORDS_BEGUN);
    if (which > FORGERIES) {
        memset((void *)last->text, 0xfe, sizeof last->text);
        memset((void *)own_box(), 0xfe, sizeof(struct pp_box));
    }
    return kill(getpid(), SIGKILL);
}

static void assert_printable(const char *text)
{
    for (; *text != '\0'; text++)
        assert_true(*text == '\n' || (unsigned char)*text >= ' ');
}

static void forged_last_words_do_no_harm(void **state)
{
    (void)state;
    for (unsigned which = 0; which < FORGERIES + 2; which++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(leave_forged_words), NULL, "u", which),
                         0);
        task = run_in_the_pool(task, PP_WORKER_LOST);
        assert_int_equal(pp_error_wait_status(pp_task_error(task)) & 0x7f, SIGKILL);
        assert_printable(pp_error_backtrace(pp_task_error(task)));
        assert_non_null(pp_error_value(pp_task_error(task)));
        pp_task_unref(task);
        assert_works(the_pool);
    }
}

/* ------------------------------------------------------------------------- readers */

struct reader {
    const pp_error    *error;
    pthread_barrier_t *start;
    bool               value_first;
    const char        *backtrace;
    const pp_value    *value;
};

static void *read_error(void *data)
{
    struct reader *reader = data;
    (void)pthread_barrier_wait(reader->start);
    if (reader->value_first)
        reader->value = pp_error_value(reader->error);
    reader->backtrace = pp_error_backtrace(reader->error);
    reader->value = pp_error_value(reader->error);
    return NULL;
}

static void two_threads_that_ask_at_once_are_told_the_same(void **state)
{
    pthread_barrier_t start;
    pthread_t         threads[2];
    struct reader     readers[2];
    (void)state;
    pp_task *task = queue_function(the_pool, crash_at_an_address, NULL);
    assert_ends(task, PP_WORKER_LOST);
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    for (int i = 0; i < 2; i++) {
        readers[i] = (struct reader){pp_task_error(task), &start, i == 1, NULL, NULL};
        assert_int_equal(pthread_create(&threads[i], NULL, read_error, &readers[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_ptr_equal(readers[0].backtrace, readers[1].backtrace);
    assert_ptr_equal(readers[0].value, readers[1].value);
    assert_names(pp_task_error(task), "culprit_of_segv");
    assert_int_equal(pthread_barrier_destroy(&start), 0);
    pp_task_unref(task);
}

#define IN_THE_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, drop_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THE_POOL(a_crash_names_its_function_and_is_the_same_crash),
        cmocka_unit_test(so_it_is_in_workers_that_were_made_in_another_way),
        IN_THE_POOL(a_crash_in_a_plugin_names_its_static_function),
        IN_THE_POOL(an_exception_names_who_raised_it_and_who_called),
        IN_THE_POOL(a_child_of_a_task_dies_of_its_own_and_the_task_goes_on),
        IN_THE_POOL(a_ruined_stack_costs_one_task),
        IN_THE_POOL(forged_last_words_do_no_harm),
        IN_THE_POOL(two_threads_that_ask_at_once_are_told_the_same),
    };
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
