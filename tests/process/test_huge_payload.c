/*
 * test_huge_payload.c - a payload of 1 GiB goes to a worker and comes back.  Skipped where there is
 * no memory for it.
 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_SIZE ((size_t)1 << 30)
#define STEP      ((size_t)64 << 10)

/* MemAvailable in bytes, 0 when it cannot be known. */
static uint64_t memory_available(void)
{
    char     line[128];
    uint64_t kib = 0;
    FILE    *file = fopen("/proc/meminfo", "re");
    while (file != NULL && kib == 0 && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "MemAvailable: %lu kB", &kib);
    if (file != NULL)
        fclose(file);
    return kib * 1024;
}

/* A word in each 64 KiB, and the last byte: the pages between cost the sender nothing. */
static void mark(unsigned char *data)
{
    for (size_t at = 0; at < HUGE_SIZE; at += STEP)
        memcpy(data + at, &at, sizeof at);
    data[HUGE_SIZE - 1] = 0xa5;
}

static bool is_marked(const unsigned char *data)
{
    for (size_t at = 0; at < HUGE_SIZE; at += STEP)
        if (memcmp(data + at, &at, sizeof at) != 0)
            return false;
    return data[HUGE_SIZE - 1] == 0xa5;
}

static int check_and_return(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    if (error < 0)
        return error;
    if (size != HUGE_SIZE || !is_marked(data))
        return pp_call_raise(call, EIO, "Changed", "%zu bytes are not those", size);
    return pp_call_return_bytes(call, data, size);
}

static void a_payload_of_1_gib_goes_to_a_worker_and_comes_back(void **state)
{
    (void)state;
    if (memory_available() < (uint64_t)8 << 30) {
        print_message("less than 8 GiB of memory are available\n");
        skip();
    }
    unsigned char *sent =
        mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const void *data = NULL;
    size_t      size = 0;
    pp_task    *task = NULL;
    assert_true(sent != MAP_FAILED);
    mark(sent);
    pp_pool *pool = pool_of(1, 1);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(check_and_return), NULL, NULL), 0);
    assert_int_equal(pp_task_set_bytes(task, sent, HUGE_SIZE), 0);
    munmap(sent, HUGE_SIZE); /* it was copied */
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    assert_int_equal(pp_task_wait(task, PP_FOREVER), 0); /* ctest has the limit */
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_true(size == HUGE_SIZE);
    assert_true(is_marked(data));
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_of_1_gib_goes_to_a_worker_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
