/*
 * task_symbolise.c - lines of a backtrace become functions and lines of source, or stay what they are.
 */
#include "unit.h"

#include "task/debuginfo.h"
#include "task/symbolise.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((noinline)) static int a_static_function(volatile int *number)
{
    return *number + 1;
}

static void assert_becomes(const char *text, const char *expected)
{
    char *made = pp_symbolise(text);
    assert_non_null(made);
    assert_string_equal(made, expected);
    free(made);
}

static char *symbolise_offset(const char *path, unsigned long long offset)
{
    char text[4200];
    snprintf(text, sizeof text, "%s+0x%llx\n", path, offset);
    char *made = pp_symbolise(text);
    assert_non_null(made);
    return made;
}

static const char *own_path(void)
{
    static char path[4096];
    ssize_t     size = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(size > 0);
    path[size] = '\0';
    return path;
}

static unsigned long long offset_of(const void *address)
{
    struct dl_find_object found;
    assert_int_equal(_dl_find_object((void *)address, &found), 0);
    return (unsigned long long)((uintptr_t)address - found.dlfo_link_map->l_addr);
}

static void a_static_function_is_named_with_its_source(void **state)
{
    volatile int number = 1;
    (void)state;
    assert_int_equal(a_static_function(&number), 2);
    char *text = symbolise_offset(own_path(), offset_of((const void *)a_static_function));
    assert_int_equal(strncmp(text, "#0 a_static_function", strlen("#0 a_static_function")), 0);
    assert_non_null(strstr(text, " in task_symbolise\n"));
    assert_true(strstr(text, "(task_symbolise.c:") != NULL || strstr(text, "+0x0 ") != NULL);
    free(text);
}

static void a_function_of_the_c_library_is_named(void **state)
{
    Dl_info info;
    (void)state;
    assert_int_not_equal(dladdr((const void *)getppid, &info), 0);
    char *path = realpath(info.dli_fname, NULL);
    assert_non_null(path);
    char *text = symbolise_offset(path, offset_of((const void *)getppid));
    assert_non_null(strstr(text, "getppid"));
    free(text);
    free(path);
}

static void other_lines_stay_and_are_made_printable(void **state)
{
    (void)state;
    assert_becomes("", "");
    assert_becomes("\n", "\n");
    assert_becomes("SIGSEGV at address 0x10\n", "SIGSEGV at address 0x10\n");
    assert_becomes("no end", "no end");
    assert_becomes("/no/end+0x1", "#0 /no/end+0x1");
    assert_becomes("a\033[31m\rb\177\n", "a?[31m?b?\n");
    assert_becomes("/x+0x\n+0x1\n/x+0xyz\n/x+1\n", "/x+0x\n+0x1\n/x+0xyz\n/x+1\n");
    assert_becomes("/x+0x10000000000000000\n", "/x+0x10000000000000000\n");
}

static void what_cannot_be_looked_up_is_numbered_and_stays(void **state)
{
    (void)state;
    assert_becomes("head\n/nowhere/at/all+0x1\nrelative+0x2\n",
                   "head\n#0 /nowhere/at/all+0x1\n#1 relative+0x2\n");
    assert_becomes("/+0x1\n/dev/null+0x1\n/dev/zero+0x1\n/etc/passwd+0x1\n",
                   "#0 /+0x1\n#1 /dev/null+0x1\n#2 /dev/zero+0x1\n#3 /etc/passwd+0x1\n");
    assert_becomes("/+0x1+0x2\n", "#0 /+0x1+0x2\n");
    char *text = symbolise_offset(own_path(), 0x7fffffffffffffffULL);
    assert_non_null(strstr(text, "+0x7fffffffffffffff\n"));
    free(text);
    text = symbolise_offset(own_path(), 0xffffffffffffffffULL);
    assert_non_null(strstr(text, "+0xffffffffffffffff\n"));
    free(text);
}

static void a_pipe_is_not_waited_for(void **state)
{
    char folder[] = "/tmp/symbolise-XXXXXX";
    char path[64];
    char text[128];
    char expected[128];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(text, sizeof text, "%s+0x1\n", path);
    snprintf(expected, sizeof expected, "#0 %s+0x1\n", path);
    assert_becomes(text, expected);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

static void no_descriptor_is_left(void **state)
{
    volatile int number = 1;
    unsigned     before = open_descriptors();
    (void)state;
    assert_int_equal(a_static_function(&number), 2);
    for (int i = 0; i < 3; i++) {
        free(symbolise_offset(own_path(), offset_of((const void *)a_static_function)));
        free(pp_symbolise("/etc/passwd+0x1\n/dev/null+0x1\n/+0x1\n"));
    }
    assert_int_equal(open_descriptors(), before);
}

static void count(void *data, const struct pp_place *place, const char *path)
{
    (void)place, (void)path;
    ++*(unsigned *)data;
}

static void copy_program(int to)
{
    char    piece[65536];
    ssize_t size = 0;
    int     from = open(own_path(), O_RDONLY | O_CLOEXEC);
    assert_true(from >= 0);
    while ((size = read(from, piece, sizeof piece)) > 0)
        assert_int_equal(write(to, piece, (size_t)size), size);
    assert_int_equal(size, 0);
    close(from);
}

/* Were the file itself mapped, the second look would be the end of us, by SIGBUS. */
static void a_file_that_is_shortened_while_it_is_looked_into_does_no_harm(void **state)
{
    char     path[] = "/tmp/procpool-symbolise-XXXXXX";
    unsigned frames = 0;
    int      fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    copy_program(fd);
    struct pp_debuginfo *info = pp_debuginfo_open();
    assert_non_null(info);
    assert_true(
        pp_debuginfo_find(info, path, offset_of((const void *)a_static_function), count, &frames));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(
        pp_debuginfo_find(info, path, offset_of((const void *)copy_program), count, &frames));
    assert_true(frames >= 2);
    pp_debuginfo_close(info);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_shortened_while_it_is_looked_into_does_no_harm),
        cmocka_unit_test(a_static_function_is_named_with_its_source),
        cmocka_unit_test(a_function_of_the_c_library_is_named),
        cmocka_unit_test(other_lines_stay_and_are_made_printable),
        cmocka_unit_test(what_cannot_be_looked_up_is_numbered_and_stays),
        cmocka_unit_test(a_pipe_is_not_waited_for),
        cmocka_unit_test(no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
