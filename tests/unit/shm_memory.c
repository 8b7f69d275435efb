/*
 * shm_memory.c - sealed memory cannot be changed behind anybody's back; bells wake.
 */
#include "base/clock.h"
#include "shm/buffer.h"
#include "shm/doorbell.h"
#include "shm/memory.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 8192 };

static void sealed_memory_keeps_its_size(void **state)
{
    int    fd = pp_memory_create("test", SIZE);
    size_t size = 0;
    (void)state;
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(pp_memory_checked_size(fd, &size), -EBADMSG);
    assert_int_equal(pp_memory_seal(fd, false), 0);
    assert_int_equal(pp_memory_checked_size(fd, &size), 0);
    assert_int_equal(size, SIZE);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, SIZE * 2), -1);
    assert_int_equal(pp_memory_checked_contents(fd, &size), -EBADMSG);
    close(fd);
}

/* Otherwise the first touch would crash where memory has run out since. */
static void all_pages_are_there_from_the_beginning(void **state)
{
    const off_t sizes[] = {SIZE, (off_t)9 << 20}; /* one piece, and several */
    struct stat told;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = pp_memory_create("test", (size_t)sizes[i]);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &told), 0);
        assert_int_equal(told.st_size, sizes[i]);
        assert_true(told.st_blocks * 512 >= sizes[i]); /* the unit of st_blocks */
        close(fd);
    }
}

static void memory_sealed_read_only_cannot_be_mapped_writable_again(void **state)
{
    int   fd = pp_memory_create("test", SIZE);
    void *writable = NULL;
    void *readable = NULL;
    (void)state;
    assert_int_equal(pp_memory_map(&writable, fd, 0, SIZE, true), 0);
    assert_int_equal(pp_memory_seal(fd, true), 0);
    assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(pp_memory_map(&readable, fd, 0, SIZE, false), 0);
    assert_int_equal(mprotect(readable, SIZE, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    *(char *)writable = 'y'; /* the mapping that was made before still writes */
    assert_int_equal(*(char *)readable, 'y');
    munmap(writable, SIZE);
    munmap(readable, SIZE);
    close(fd);
}

static void a_forked_child_does_not_have_the_mapping(void **state)
{
    int   fd = pp_memory_create("test", SIZE);
    void *mapped = NULL;
    int   status = 0;
    (void)state;
    assert_int_equal(pp_memory_map(&mapped, fd, 0, SIZE, true), 0);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned char there = 0;
        _exit(mincore(mapped, SIZE, &there) == -1 && errno == ENOMEM ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    munmap(mapped, SIZE);
    close(fd);
}

static void memory_that_cannot_be_had_is_an_error_at_once(void **state)
{
    pp_buffer *buffer = NULL;
    (void)state;
    assert_true(pp_memory_create("test", (size_t)1 << 60) < 0);
    assert_int_equal(pp_buffer_create(NULL, 1), -EINVAL);
    assert_int_equal(pp_buffer_create(&buffer, SIZE_MAX), -EINVAL);
    assert_true(pp_buffer_create(&buffer, (size_t)1 << 60) < 0);
    assert_null(buffer);
    struct rlimit few;
    struct rlimit none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = few.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int error = pp_buffer_create(&buffer, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(error, -EMFILE);
}

/* The kernel's own refusal comes with SIGXFSZ, which would end this program. */
static void memory_above_the_limit_of_a_files_size_is_an_error_and_no_signal(void **state)
{
    struct rlimit before;
    pp_buffer    *buffer = NULL;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = SIZE, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int just = pp_buffer_create(&buffer, SIZE);
    int above = pp_memory_create("test", SIZE + 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(just, 0);
    assert_int_equal(above, -EFBIG);
    pp_buffer_unref(buffer);
}

static void a_buffer_of_another_process_is_taken_only_if_it_cannot_shrink(void **state)
{
    pp_buffer *buffer = NULL;
    int        fd = pp_memory_create("test", SIZE);
    (void)state;
    assert_int_equal(pp_buffer_adopt(&buffer, fd), -EBADMSG);
    assert_int_equal(pp_buffer_adopt(&buffer, STDIN_FILENO), -EBADMSG);
    assert_int_equal(pp_memory_seal(fd, false), 0);
    assert_int_equal(pp_buffer_adopt(&buffer, fd), 0);
    assert_int_equal(pp_buffer_size(buffer), SIZE);
    pp_buffer_unref(buffer); /* closes the descriptor, too */
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void a_bell_is_readable_from_ring_to_clear(void **state)
{
    int           bell = pp_bell_create();
    struct pollfd entry = {.fd = bell, .events = POLLIN};
    (void)state;
    assert_int_equal(poll(&entry, 1, 0), 0);
    pp_bell_ring(bell);
    pp_bell_ring(bell);
    assert_int_equal(poll(&entry, 1, 0), 1);
    pp_bell_clear(bell);
    assert_int_equal(poll(&entry, 1, 0), 0);
    pp_bell_clear(bell); /* does not block */
    close(bell);
}

static _Atomic uint32_t word;

static void *change_and_wake(void *unused)
{
    (void)unused;
    atomic_store(&word, 1);
    pp_futex_wake(&word, false);
    return NULL;
}

static void a_futex_wait_ends_by_wake_by_change_or_by_deadline(void **state)
{
    pthread_t thread;
    (void)state;
    atomic_store(&word, 0);
    assert_int_equal(pp_futex_wait(&word, 5, false, PP_NEVER), 0); /* it is not 5 */
    int64_t before = pp_clock_now();
    assert_int_equal(pp_futex_wait(&word, 0, false, before + 20 * 1000000), -ETIMEDOUT);
    assert_true(pp_clock_now() - before >= 20 * 1000000);
    assert_int_equal(pthread_create(&thread, NULL, change_and_wake, NULL), 0);
    while (atomic_load(&word) == 0)
        (void)pp_futex_wait(&word, 0, false, PP_NEVER);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_memory_keeps_its_size),
        cmocka_unit_test(all_pages_are_there_from_the_beginning),
        cmocka_unit_test(memory_sealed_read_only_cannot_be_mapped_writable_again),
        cmocka_unit_test(a_forked_child_does_not_have_the_mapping),
        cmocka_unit_test(memory_that_cannot_be_had_is_an_error_at_once),
        cmocka_unit_test(memory_above_the_limit_of_a_files_size_is_an_error_and_no_signal),
        cmocka_unit_test(a_buffer_of_another_process_is_taken_only_if_it_cannot_shrink),
        cmocka_unit_test(a_bell_is_readable_from_ring_to_clear),
        cmocka_unit_test(a_futex_wait_ends_by_wake_by_change_or_by_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
