/*
 * test_names.c - callables by reference to object file and place, and by name; what cannot be
 * resolved is a clear exception that names the thing.
 */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGIN PP_TEST_PLUGIN_DIR "/callables.so"

static int add_step(pp_call *call)
{
    const int *step = pp_call_captured(call, NULL);
    int        number = 0;
    int        error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "i", number + *step);
}

static int keep_number(void *self, pp_call *call)
{
    return pp_call_args(call, "i", (int *)self);
}

static int tell_number(void *self, pp_call *call)
{
    return pp_call_return(call, "i", *(int *)self);
}

static const pp_class number_class = {
    .name = "number", .size = sizeof(int), .init = keep_number, .call = tell_number};

static int register_and_make_pool(void **state)
{
    int step = 100;
    (void)state;
    assert_int_equal(pp_register("square", PP_FUNCTION(return_square)), 0);
    assert_int_equal(pp_register("add step", PP_CLOSURE(add_step, &step, sizeof step)), 0);
    assert_int_equal(pp_register("number", PP_CLASS(&number_class)), 0);
    step = 999; /* what was captured is a copy */
    the_pool = pool_of(1, 1);
    return 0;
}

static pp_task *run(pp_pool *pool, pp_callable callable, int number, pp_state state)
{
    pp_task *task = NULL;
    assert_int_equal(pp_task_create(&task, callable, NULL, "i", number), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    assert_ends(task, state);
    return task;
}

static void assert_gives(pp_pool *pool, pp_callable callable, int number, int expected)
{
    int      given = -1;
    pp_task *task = run(pool, callable, number, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &given), 0);
    assert_int_equal(given, expected);
    pp_task_unref(task);
}

/* The outcome is ENOENT, and its message has that word. */
static void assert_not_found(pp_callable callable, const char *word)
{
    pp_task        *task = run(the_pool, callable, 1, PP_FAILED);
    const pp_error *error = pp_task_error(task);
    assert_int_equal(pp_error_errno(error), ENOENT);
    assert_string_equal(pp_error_name(error), "ENOENT");
    if (strstr(pp_error_message(error), word) == NULL)
        fail_msg("'%s' does not name '%s'", pp_error_message(error), word);
    pp_task_unref(task);
}

static int worker_pid(void)
{
    int      pid = 0;
    pp_task *task = queue_function(the_pool, return_pid, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &pid), 0);
    pp_task_unref(task);
    return pid;
}

/* -------------------------------------------------------------------- by reference */

static int static_negate(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "i", -number);
}

static void a_static_function_of_the_program_is_found(void **state)
{
    (void)state;
    assert_gives(the_pool, PP_FUNCTION(static_negate), 5, -5);
}

static void an_object_opened_after_the_pool_was_created_is_found_in_workers(void **state)
{
    void *handle = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    (void)state;
    assert_non_null(handle);
    pp_function *triple = (pp_function *)dlsym(handle, "plugin_triple");
    assert_gives(the_pool, PP_FUNCTION(triple), 5, 15);

    const pp_class *counter = dlsym(handle, "plugin_counter");
    assert_gives(the_pool, PP_CLASS(counter), 5, 6);

    pp_function *const *hidden = dlsym(handle, "plugin_hidden_function");
    const char         *text = NULL;
    int                 number = 0;
    pp_task            *task = run(the_pool, PP_FUNCTION(*hidden), 0, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "si", &text, &number), 0);
    assert_string_equal(text, "hidden");
    assert_int_equal(number, 7);
    pp_task_unref(task);
    dlclose(handle);
}

/* The program's idea of "here" and a worker's may differ. */
static void an_object_opened_by_a_relative_path_is_found_in_workers(void **state)
{
    char before[PATH_MAX];
    char folder[] = "/tmp/procpool-test-XXXXXX";
    char path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/relative.so", folder);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(symlink(PLUGIN, path), 0);
    assert_int_equal(chdir(folder), 0);
    void *handle = dlopen("./relative.so", RTLD_NOW | RTLD_LOCAL);
    assert_int_equal(chdir(before), 0);
    assert_non_null(handle);
    pp_task *task =
        run(the_pool, PP_FUNCTION((pp_function *)dlsym(handle, "plugin_triple")), 5, PP_DONE);
    pp_task_unref(task);
    dlclose(handle);
    unlink(path);
    rmdir(folder);
}

static void a_class_on_the_heap_is_not_found(void **state)
{
    pp_class *cls = malloc(sizeof *cls);
    (void)state;
    assert_non_null(cls);
    *cls = number_class;
    cls->name = "heap-born";
    assert_not_found(PP_CLASS(cls), "heap-born");
    free(cls);
}

static pp_class filled_late;

static void a_class_that_the_worker_has_not_filled_is_not_found(void **state)
{
    (void)state;
    filled_late = number_class; /* after the fork server saw it */
    assert_not_found(PP_CLASS(&filled_late), "class");
}

/* --------------------------------------------------------------------------- by name */

static void functions_closures_and_classes_are_found_by_name(void **state)
{
    (void)state;
    assert_gives(the_pool, PP_NAMED("square"), 7, 49);
    assert_gives(the_pool, PP_NAMED("add step"), 7, 107);
    assert_gives(the_pool, PP_NAMED("number"), 7, 7);
}

static void a_name_is_registered_once_and_for_a_whole_callable(void **state)
{
    static const pp_class half = {.name = "half", .init = keep_number};
    static char           long_name[PATH_MAX + 2];
    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    assert_int_equal(pp_register("square", PP_FUNCTION(static_negate)), -EEXIST);
    assert_gives(the_pool, PP_NAMED("square"), 3, 9);
    assert_int_equal(pp_register(NULL, PP_FUNCTION(static_negate)), -EINVAL);
    assert_int_equal(pp_register("", PP_FUNCTION(static_negate)), -EINVAL);
    assert_int_equal(pp_register(long_name, PP_FUNCTION(static_negate)), -EINVAL);
    assert_int_equal(pp_register("alias", PP_NAMED("square")), -EINVAL);
    assert_int_equal(pp_register("none", PP_FUNCTION(NULL)), -EINVAL);
    assert_int_equal(pp_register("half", PP_CLASS(&half)), -EINVAL);
    assert_int_equal(pp_register("void", PP_CLOSURE(add_step, NULL, 4)), -EINVAL);
    assert_not_found(PP_NAMED("half"), "half");
}

static void a_function_of_a_plugin_is_found_unregistered(void **state)
{
    (void)state;
    assert_gives(the_pool, PP_NAMED(PLUGIN ":plugin_triple"), 5, 15);
    assert_gives(the_pool, PP_NAMED(PLUGIN ":plugin_triple"), 6, 18);
}

static void a_plugin_without_a_slash_is_looked_for_here(void **state)
{
    char before[PATH_MAX];
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(PP_TEST_PLUGIN_DIR), 0);
    pp_pool *pool = pool_of(1, 1);
    assert_int_equal(chdir(before), 0);
    assert_gives(pool, PP_NAMED("callables.so:plugin_triple"), 5, 15);
    pp_pool_destroy(pool);
}

/* ---------------------------------------------------------------------- not resolved */

static void a_name_that_nobody_registered_is_not_found(void **state)
{
    (void)state;
    assert_not_found(PP_NAMED("nobody's function"), "nobody's function");
    assert_not_found(PP_NAMED(":function"), ":function");
    assert_not_found(PP_NAMED("object.so:"), "object.so:");
}

static void a_missing_plugin_is_not_found(void **state)
{
    (void)state;
    assert_not_found(PP_NAMED("/nowhere/missing.so:plugin_triple"), "/nowhere/missing.so");
    assert_not_found(PP_NAMED("missing.so:plugin_triple"), "missing.so");
}

static void a_missing_plugin_with_a_long_path_is_named_to_its_end(void **state)
{
    char name[200];
    (void)state;
    memset(name, 'd', sizeof name);
    name[0] = '/';
    strcpy(name + 150, "/last.so:plugin_triple");
    assert_not_found(PP_NAMED(name), "last.so");
}

static void a_plugin_that_is_no_object_is_not_found(void **state)
{
    static const char text[] = "this is a text and not an object file\n";
    char              path[] = "/tmp/procpool-test-XXXXXX";
    char              name[80];
    int               fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    snprintf(name, sizeof name, "%s:plugin_triple", path);
    assert_not_found(PP_NAMED(name), path);
    assert_not_found(PP_NAMED("/tmp:plugin_triple"), "/tmp");
    unlink(path);
}

static void a_function_that_the_plugin_does_not_have_is_not_found(void **state)
{
    (void)state;
    assert_not_found(PP_NAMED(PLUGIN ":plugin_quadruple"), "plugin_quadruple");
    assert_not_found(PP_NAMED(PLUGIN ":hidden"), "hidden"); /* static */
}

static void what_is_data_in_the_plugin_is_no_function(void **state)
{
    (void)state;
    assert_not_found(PP_NAMED(PLUGIN ":plugin_number"), "plugin_number");
}

static void a_worker_survives_what_it_cannot_find(void **state)
{
    int pid = worker_pid();
    (void)state;
    assert_not_found(PP_NAMED("/nowhere/missing.so:plugin_triple"), "missing.so");
    assert_not_found(PP_NAMED("nobody"), "nobody");
    assert_int_equal(worker_pid(), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_function_of_the_program_is_found),
        cmocka_unit_test(an_object_opened_after_the_pool_was_created_is_found_in_workers),
        cmocka_unit_test(an_object_opened_by_a_relative_path_is_found_in_workers),
        cmocka_unit_test(a_class_on_the_heap_is_not_found),
        cmocka_unit_test(a_class_that_the_worker_has_not_filled_is_not_found),
        cmocka_unit_test(functions_closures_and_classes_are_found_by_name),
        cmocka_unit_test(a_name_is_registered_once_and_for_a_whole_callable),
        cmocka_unit_test(a_function_of_a_plugin_is_found_unregistered),
        cmocka_unit_test(a_plugin_without_a_slash_is_looked_for_here),
        cmocka_unit_test(a_name_that_nobody_registered_is_not_found),
        cmocka_unit_test(a_missing_plugin_is_not_found),
        cmocka_unit_test(a_missing_plugin_with_a_long_path_is_named_to_its_end),
        cmocka_unit_test(a_plugin_that_is_no_object_is_not_found),
        cmocka_unit_test(a_function_that_the_plugin_does_not_have_is_not_found),
        cmocka_unit_test(what_is_data_in_the_plugin_is_no_function),
        cmocka_unit_test(a_worker_survives_what_it_cannot_find),
    };
    return cmocka_run_group_tests(tests, register_and_make_pool, drop_pool);
}
