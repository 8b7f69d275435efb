/*
 * test_isolation.c - a worker cannot change another worker's memory or the control area.
 *
 * Tasks try it with everything that the kernel offers to a process for its own mappings and
 * descriptors, under each start method.  What the worker shows is compared by inode: no memory, socket
 * or bell is in two workers.
 *
 * Outside of the promise: ptrace, /proc/PID/mem and /proc/PID/fd of another process.  The kernel
 * allows these to processes of one user, and they need no pool.
 */
#include "own_memory.h"
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK, PP_START_SPAWN};

enum { METHODS = sizeof methods / sizeof *methods };

static pp_pool *pool_started_by(pp_start_method method, unsigned size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.start_method = method;
    options.min_size = options.max_size = size;
    return pool_with(&options);
}

static pp_task *queue_named(pp_pool *pool, pp_function *function, const char *word)
{
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(function), NULL, "s", word), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

/* --------------------------------------------------------------------- attempts, in a worker */

/* The file behind a mapping, opened again; -1 where the kernel does not let us. */
static int open_mapped(const void *address, int flags)
{
    char          line[512];
    char          path[600];
    unsigned long start = 0;
    unsigned long end = 0;
    int           fd = -1;
    FILE         *file = fopen("/proc/self/maps", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start != (unsigned long)address)
            continue;
        snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", start, end);
        fd = open(path, flags | O_CLOEXEC);
    }
    if (file != NULL)
        fclose(file);
    return fd;
}

static bool can_seal_again(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
}

static bool can_resize(int fd, size_t size)
{
    return ftruncate(fd, (off_t)size / 2) == 0 || ftruncate(fd, (off_t)size * 2) == 0 ||
           ftruncate(fd, 0) == 0 || fallocate(fd, 0, 0, (off_t)size * 2) == 0;
}

static bool can_write_file(int fd, size_t size)
{
    char  byte = 1;
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *readable = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    bool  later = readable != MAP_FAILED && mprotect(readable, size, PROT_READ | PROT_WRITE) == 0;
    return mapped != MAP_FAILED || later || pwrite(fd, &byte, 1, 0) == 1 ||
           fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0;
}

static bool can_write_through_proc(void *address)
{
    char byte = 1;
    int  fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    bool can = fd >= 0 && pwrite(fd, &byte, 1, (off_t)(uintptr_t)address) == 1;
    (void)close(fd);
    return can;
}

static bool can_write_across(void *address)
{
    char         byte = 1;
    struct iovec from = {&byte, 1};
    struct iovec to = {address, 1};
    return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == 1;
}

/* The first attempt that succeeds, in words; "" when none does. */
static const char *attack_tray(void)
{
    struct pp_tray *tray = own_tray();
    if (tray == NULL)
        return "the tray was not found";
    if (mprotect(tray, sizeof *tray, PROT_READ | PROT_WRITE) == 0)
        return "mprotect";
    if (madvise(tray, sizeof *tray, MADV_REMOVE) == 0)
        return "madvise";
    if (can_write_through_proc(tray))
        return "/proc/self/mem";
    if (can_write_across(tray))
        return "process_vm_writev";
    int fd = open_mapped(tray, O_RDWR);
    if (fd < 0)
        fd = open_mapped(tray, O_RDONLY);
    if (fd < 0)
        return ""; /* only root gets so far */
    if (can_write_file(fd, sizeof *tray))
        return "its file, opened again";
    if (can_resize(fd, sizeof *tray))
        return "another size";
    return can_seal_again(fd) ? "seals" : "";
}

static const char *attack_size_of_box(void)
{
    struct pp_box *box = own_box();
    if (box == NULL)
        return "the box was not found";
    int fd = open_mapped(box, O_RDWR);
    if (fd >= 0 && can_resize(fd, sizeof *box))
        return "another size";
    return fd >= 0 && can_seal_again(fd) ? "seals" : "";
}

static int attack(pp_call *call)
{
    const char *what = NULL;
    if (pp_call_args(call, "s", &what) < 0)
        return -EINVAL;
    return pp_call_return(call, "s", *what == 't' ? attack_tray() : attack_size_of_box());
}

static int store_into_tray(pp_call *call)
{
    struct pp_tray *tray = own_tray();
    const char     *what = NULL;
    if (tray == NULL || pp_call_args(call, "s", &what) < 0)
        return -ENOENT;
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    if (*what == 'c')
        atomic_store((_Atomic uint32_t *)&tray->orders, 0xff);
    if (*what == 'r')
        *(volatile uint64_t *)&tray->requests[1].size = 1;
    *(volatile unsigned char *)&tray->arena[0][0] = 1;
    return 0;
}

/* ----------------------------------------------------------------- what a worker holds */

struct holdings {
    uint64_t ids[64]; /* inodes of memory and sockets, numbers of eventfds */
    size_t   count;
    unsigned trays, boxes, writable_trays, foreign_pidfds;
};

static void hold(struct holdings *all, uint64_t id)
{
    if (all->count < sizeof all->ids / sizeof *all->ids)
        all->ids[all->count++] = id;
}

static void look_at_mappings(struct holdings *all)
{
    char               line[512];
    char               access[5];
    unsigned long long inode = 0;
    FILE              *file = fopen("/proc/self/maps", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, "memfd:") == NULL ||
            sscanf(line, "%*x-%*x %4s %*x %*s %llu", access, &inode) != 2)
            continue;
        bool is_tray = strstr(line, "procpool tray") != NULL;
        all->trays += is_tray ? 1 : 0;
        all->boxes += strstr(line, "procpool box") != NULL ? 1 : 0;
        all->writable_trays += is_tray && access[1] == 'w' ? 1 : 0;
        hold(all, inode);
    }
    if (file != NULL)
        fclose(file);
}

/* A number in /proc/self/fdinfo, or -1. */
static long long about(const char *fd, const char *what)
{
    char      path[300];
    char      line[256];
    long long number = -1;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%s", fd);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            number = strtoll(line + strlen(what), NULL, 10);
    if (file != NULL)
        fclose(file);
    return number;
}

static void look_at_descriptors(struct holdings *all, pid_t host)
{
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry = NULL; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char        path[300];
        char        target[300];
        struct stat status;
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size <= 0 || fstat(atoi(entry->d_name), &status) < 0)
            continue;
        target[size] = '\0';
        if (strstr(target, "memfd:") != NULL || S_ISSOCK(status.st_mode))
            hold(all, status.st_ino);
        else if (strstr(target, "eventfd") != NULL)
            hold(all, (uint64_t)about(entry->d_name, "eventfd-id:") | UINT64_C(1) << 63);
        else if (strstr(target, "pidfd") != NULL && about(entry->d_name, "Pid:") != host)
            all->foreign_pidfds++;
    }
    if (directory != NULL)
        closedir(directory);
}

/* The test and its workers share a pipe that they inherit, or that a spawned one cannot: so the tasks
 * wait for each other in files that are named by the argument. */
static bool meet(const char *folder, int place)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%d", folder, place);
    int fd = open(path, O_WRONLY | O_CLOEXEC); /* blocks until the test opens it for reading */
    if (fd < 0)
        return false;
    (void)close(fd);
    snprintf(path, sizeof path, "%s/leave%d", folder, place);
    fd = open(path, O_RDONLY | O_CLOEXEC); /* ... and for writing */
    (void)close(fd);
    return fd >= 0;
}

static int show_holdings(pp_call *call)
{
    struct holdings all = {0};
    const char     *folder = NULL;
    int             place = 0;
    int             host = 0;
    if (pp_call_args(call, "sii", &folder, &place, &host) < 0)
        return -EINVAL;
    look_at_mappings(&all);
    look_at_descriptors(&all, host);
    if (!meet(folder, place))
        return -EIO;
    return pp_call_return(call, "y", &all, sizeof all);
}

/* Both workers at once: one ruins its box, and the other finds its own unchanged. */
static int compare_box(pp_call *call)
{
    static struct pp_box before;
    struct pp_box       *box = own_box();
    const char          *folder = NULL;
    int                  place = 0;
    int                  host = 0;
    if (box == NULL || pp_call_args(call, "sii", &folder, &place, &host) < 0)
        return -EINVAL;
    memcpy(&before, box, sizeof before);
    if (!meet(folder, place))
        return -EIO;
    return pp_call_return(call, "b", memcmp(&before, box, sizeof before) == 0);
}

static int wipe_box(pp_call *call)
{
    struct pp_box *box = own_box();
    (void)call;
    if (box == NULL)
        return -ENOENT;
    memset(box, 0x5a, sizeof *box);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    raise(SIGKILL);
    return 0;
}

/* ------------------------------------------------------------- the test's side of meet() */

enum { WORKERS = 3 };

static void make_meeting(char *folder)
{
    char path[300];
    strcpy(folder, "/tmp/procpool-isolation-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < WORKERS; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        assert_int_equal(mkfifo(path, 0600), 0);
        snprintf(path, sizeof path, "%s/leave%d", folder, i);
        assert_int_equal(mkfifo(path, 0600), 0);
    }
}

static void open_and_close(const char *folder, const char *name, int place, int flags)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s%d", folder, name, place);
    int fd = open(path, flags | O_CLOEXEC); /* blocks until the task is there */
    assert_true(fd >= 0);
    (void)close(fd);
}

static void unmake_meeting(const char *folder)
{
    char path[300];
    for (int i = 0; i < WORKERS; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        (void)unlink(path);
        snprintf(path, sizeof path, "%s/leave%d", folder, i);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static pp_task *queue_meeting(pp_pool *pool, pp_function *function, const char *folder, int place)
{
    pp_task *task = NULL;
    assert_int_equal(
        pp_task_create(&task, PP_FUNCTION(function), NULL, "sii", folder, place, (int)getpid()), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

/* ---------------------------------------------------------------------------- tests */

static void assert_attacks_fail(pp_pool *pool, const char *what)
{
    const char *succeeded = NULL;
    pp_task    *task = queue_named(pool, attack, what);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "s", &succeeded), 0);
    assert_string_equal(succeeded, "");
    pp_task_unref(task);
}

static void a_tray_cannot_be_made_writable_by_its_worker(void **state)
{
    (void)state;
    for (int i = 0; i < METHODS; i++) {
        pp_pool *pool = pool_started_by(methods[i], 1);
        assert_attacks_fail(pool, "tray");
        pp_pool_destroy(pool);
    }
}

static void neither_tray_nor_box_can_be_resized(void **state)
{
    (void)state;
    for (int i = 0; i < METHODS; i++) {
        pp_pool *pool = pool_started_by(methods[i], 1);
        assert_attacks_fail(pool, "box");
        pp_pool_destroy(pool);
    }
}

static void a_store_into_the_tray_is_a_segmentation_fault(void **state)
{
    const char *const places[] = {"control line", "requests", "arena"};
    (void)state;
    for (int i = 0; i < METHODS; i++) {
        pp_pool *pool = pool_started_by(methods[i], 1);
        for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
            pp_task *task = queue_named(pool, store_into_tray, places[place]);
            assert_ends(task, PP_WORKER_LOST);
            assert_int_equal(pp_error_wait_status(pp_task_error(task)) & 0x7f, SIGSEGV);
            pp_task_unref(task);
        }
        pp_pool_destroy(pool);
    }
}

static void assert_apart(const struct holdings *one, const struct holdings *other)
{
    for (size_t i = 0; i < one->count; i++)
        for (size_t k = 0; k < other->count; k++)
            assert_int_not_equal(one->ids[i], other->ids[k]);
}

static void no_memory_socket_or_bell_is_in_two_workers(void **state)
{
    (void)state;
    for (int method = 0; method < METHODS; method++) {
        char            folder[64];
        pp_task        *tasks[WORKERS];
        struct holdings held[WORKERS];
        make_meeting(folder);
        pp_pool *pool = pool_started_by(methods[method], WORKERS);
        for (int i = 0; i < WORKERS; i++)
            tasks[i] = queue_meeting(pool, show_holdings, folder, i);
        for (int i = 0; i < WORKERS; i++)
            open_and_close(folder, "", i, O_RDONLY);
        for (int i = 0; i < WORKERS; i++)
            open_and_close(folder, "leave", i, O_WRONLY);
        for (int i = 0; i < WORKERS; i++) {
            const void *data = NULL;
            size_t      size = 0;
            assert_ends(tasks[i], PP_DONE);
            assert_int_equal(pp_value_unpack(pp_task_result(tasks[i]), "y", &data, &size), 0);
            assert_int_equal(size, sizeof *held);
            memcpy(&held[i], data, size);
            assert_true(held[i].count >= 4); /* it has some: tray, box, socket, bell */
            assert_int_equal(held[i].trays, 1);
            assert_int_equal(held[i].boxes, 2); /* with the ledger */
            assert_int_equal(held[i].writable_trays, 0);
            assert_int_equal(held[i].foreign_pidfds, 0);
        }
        for (int i = 0; i < WORKERS; i++)
            for (int k = 0; k < i; k++) {
                assert_int_not_equal(pp_task_worker_pid(tasks[i]), pp_task_worker_pid(tasks[k]));
                assert_apart(&held[i], &held[k]);
            }
        for (int i = 0; i < WORKERS; i++)
            pp_task_unref(tasks[i]);
        pp_pool_destroy(pool);
        unmake_meeting(folder);
    }
}

static void a_box_ruined_by_one_worker_leaves_the_others_alone(void **state)
{
    (void)state;
    for (int method = 0; method < METHODS; method++) {
        char folder[64];
        bool same = false;
        make_meeting(folder);
        pp_pool *pool = pool_started_by(methods[method], 2);
        pp_task *watch = queue_meeting(pool, compare_box, folder, 0);
        open_and_close(folder, "", 0, O_RDONLY);
        pp_task *wipe = queue_function(pool, wipe_box, NULL);
        assert_ends(wipe, PP_WORKER_LOST);
        open_and_close(folder, "leave", 0, O_WRONLY);
        assert_ends(watch, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(watch), "b", &same), 0);
        assert_true(same);
        assert_int_not_equal(pp_task_worker_pid(watch), pp_task_worker_pid(wipe));
        pp_task_unref(watch);
        pp_task_unref(wipe);
        pp_pool_destroy(pool);
        unmake_meeting(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tray_cannot_be_made_writable_by_its_worker),
        cmocka_unit_test(neither_tray_nor_box_can_be_resized),
        cmocka_unit_test(a_store_into_the_tray_is_a_segmentation_fault),
        cmocka_unit_test(no_memory_socket_or_bell_is_in_two_workers),
        cmocka_unit_test(a_box_ruined_by_one_worker_leaves_the_others_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
