/*
 * test_every_function.c - one program that uses every function of the header and looks at what each
 * gives.  The last test reads the header and finds none that was not used.
 */
#include "support.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The names of the functions that were used, also by workers. */
struct used {
    atomic_uint count;
    char        names[512][48];
};

static struct used *used;

static void note_use(const char *name)
{
    for (unsigned i = 0; i < used->count; i++)
        if (strcmp(used->names[i], name) == 0)
            return;
    unsigned at = atomic_fetch_add(&used->count, 1);
    if (at < sizeof used->names / sizeof *used->names)
        snprintf(used->names[at], sizeof used->names[at], "%s", name);
}

#define USE(function) ((void)note_use(#function), (function))

static int share_names(void **state)
{
    (void)state;
    used = mmap(NULL, sizeof *used, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(used != MAP_FAILED);
    return 0;
}

/* ------------------------------------------------------------------ the worker side */

static int worker_number = 17;

static int init_worker(void *arg, void **state)
{
    *state = arg;
    return arg == &worker_number ? 0 : -EINVAL;
}

static int use_the_call(pp_call *call)
{
    size_t      size = 0;
    const char *captured = USE(pp_call_captured)(call, &size);
    int         number = 0;
    int         error = USE(pp_call_args)(call, "i", &number);
    if (error < 0)
        return error;
    if (size != 4 || memcmp(captured, "four", 4) != 0)
        return USE(pp_call_raise)(call, EPROTO, "Captured", "%zu bytes", size);
    if (USE(pp_call_cancelled)(call) || USE(pp_call_progress)(call, 1, 2) != 0 ||
        USE(pp_call_attempt)(call) != 1 || USE(pp_call_worker)(call) > 1 ||
        USE(pp_call_state)(call) != &worker_number)
        return USE(pp_call_raise)(call, EPROTO, "Call", "it is not told the truth");
    return USE(pp_call_return)(call, "Ui", USE(pp_call_task_id)(call), number + 1);
}

static int use_bytes(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = USE(pp_call_bytes)(call, &data, &size);
    return error < 0 ? error : USE(pp_call_return_bytes)(call, data, size);
}

static int use_raise(pp_call *call)
{
    return USE(pp_call_raise)(call, EDOM, "Used", "on purpose");
}

static int use_buffer(pp_call *call)
{
    pp_buffer *buffer = NULL;
    int        error = USE(pp_call_args)(call, "B", &buffer);
    if (error < 0)
        return error;
    strcpy(USE(pp_buffer_data)(buffer), "written");
    return USE(pp_call_return)(call, "z");
}

/* --------------------------------------------------------------------------- the host */

static unsigned results, exceptions;

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    (void)userdata;
    results++;
}

static void count_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task;
    (void)error;
    (void)userdata;
    exceptions++;
}

static void names_and_versions(void **state)
{
    (void)state;
    assert_true(isdigit(USE(pp_version)()[0]));
    assert_string_equal(USE(pp_state_name)(PP_TIMED_OUT), "timed out");
    assert_int_equal(USE(pp_register)("bytes", PP_FUNCTION(use_bytes)), 0);
}

static void a_pool_is_made_and_looked_at(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_pool_stats   stats = {.size = sizeof stats};
    (void)state;
    options.max_size = 2;
    options.min_size = 1;
    options.worker_init = init_worker;
    options.worker_arg = &worker_number;
    assert_int_equal(USE(pp_pool_create)(&the_pool, &options), 0);
    assert_int_equal(USE(pp_pool_min_size)(the_pool), 1);
    assert_int_equal(USE(pp_pool_max_size)(the_pool), 2);
    assert_int_equal(USE(pp_pool_resize)(the_pool, 2, 2), 0);
    assert_int_equal(USE(pp_pool_min_size)(the_pool), 2);
    assert_int_equal(USE(pp_pool_num_working_processes)(the_pool), 0);
    assert_in_range(USE(pp_pool_num_idle_processes)(the_pool), 1, 2);
    assert_int_equal(USE(pp_pool_free_slots)(the_pool), 2);
    assert_true(USE(pp_pool_has_free_slots)(the_pool));
    assert_false(USE(pp_pool_has_pending_tasks)(the_pool));
    assert_false(USE(pp_pool_is_full)(the_pool));
    assert_false(USE(pp_pool_is_working)(the_pool));
    assert_int_equal(USE(pp_pool_get_stats)(the_pool, &stats), 0);
    assert_int_equal(stats.done, 0);
    assert_true(USE(pp_pool_fd)(the_pool) >= 0);
}

static void a_task_is_made_run_and_looked_at(void **state)
{
    uint64_t    id = 0;
    int         number = 0;
    double      queued = -1, ran = -1;
    const void *data = NULL;
    size_t      size = 0;
    pp_task    *task = NULL;
    (void)state;
    assert_int_equal(USE(pp_task_create)(&task, PP_CLOSURE(use_the_call, "four", 4), NULL, "i", 41),
                     0);
    assert_ptr_equal(USE(pp_task_ref)(task), task);
    USE(pp_task_unref)(task);
    assert_int_equal(USE(pp_task_set_timeout)(task, 60), 0);
    assert_true(USE(pp_task_timeout)(task) == 60);
    assert_int_equal(USE(pp_task_state)(task), PP_NEW);
    assert_int_equal(USE(pp_pool_queue_task)(the_pool, task), 0);
    assert_int_equal(USE(pp_task_wait)(task, PATIENCE), 0);
    assert_ends(task, PP_DONE);
    const pp_value *result = USE(pp_task_result)(task);
    assert_int_equal(USE(pp_value_unpack)(result, "Ui", &id, &number), 0);
    assert_true(id == USE(pp_task_id)(task));
    assert_int_equal(number, 42);
    assert_int_equal(USE(pp_value_msgpack)(result, &data, &size), 0);
    assert_int_equal(((const unsigned char *)data)[0], 0x92); /* a list of two */
    assert_null(USE(pp_task_error)(task));
    assert_int_equal(USE(pp_task_attempts)(task), 1);
    assert_true(USE(pp_task_worker_pid)(task) > 0);
    assert_int_equal(USE(pp_task_times)(task, &queued, &ran), 0);
    assert_true(queued >= 0 && ran >= 0 && queued < 60 && ran < 60);
    assert_int_equal(USE(pp_task_cancel)(task), -EALREADY);
    USE(pp_task_unref)(task);
    assert_int_equal(USE(pp_pool_process_results)(the_pool), 1);
}

static void a_value_is_printed(void **state)
{
    char    *text = NULL;
    size_t   size = 0;
    FILE    *stream = open_memstream(&text, &size);
    pp_task *task = NULL;
    (void)state;
    assert_non_null(stream);
    assert_int_equal(
        pp_task_create(&task, PP_CLOSURE(use_the_call, "four", 4),
                       &(pp_task_options){.size = sizeof(pp_task_options), .task_id = 5}, "i", 1),
        0);
    assert_int_equal(USE(pp_pool_queue_task_timed)(the_pool, task, PATIENCE), 0);
    assert_ends(task, PP_DONE);
    assert_int_equal(USE(pp_value_print)(pp_task_result(task), stream), 0);
    fclose(stream);
    assert_int_equal(strncmp(text, "[5", 2), 0);
    free(text);
    pp_task_unref(task);
    assert_int_equal(USE(pp_pool_process_all_results)(the_pool, PATIENCE), 1);
}

static void bytes_are_sent_by_name(void **state)
{
    const void *data = NULL;
    size_t      size = 0;
    pp_task    *task = NULL;
    (void)state;
    assert_int_equal(pp_task_create(&task, PP_NAMED("bytes"), NULL, NULL), 0);
    assert_int_equal(USE(pp_task_set_bytes)(task, "some bytes", 10), 0);
    assert_int_equal(pp_pool_queue_task(the_pool, task), 0);
    assert_int_equal(USE(pp_wait_all)(&task, 1, PATIENCE), 0);
    assert_int_equal(USE(pp_wait_any)(&task, 1, PATIENCE), 0);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "y", &data, &size), 0);
    assert_int_equal(size, 10);
    assert_memory_equal(data, "some bytes", 10);
    pp_task_unref(task);
}

static void an_error_is_looked_at(void **state)
{
    bool     ok = true;
    pp_task *task = queue_function(the_pool, use_raise, NULL);
    (void)state;
    assert_ends(task, PP_FAILED);
    const pp_error *error = pp_task_error(task);
    assert_int_equal(USE(pp_error_state)(error), PP_FAILED);
    assert_int_equal(USE(pp_error_errno)(error), EDOM);
    assert_string_equal(USE(pp_error_name)(error), "Used");
    assert_string_equal(USE(pp_error_message)(error), "on purpose");
    assert_true(strlen(USE(pp_error_backtrace)(error)) > 0);
    assert_int_equal(USE(pp_error_wait_status)(error), 0);
    assert_int_equal(pp_value_unpack(USE(pp_error_value)(error), "{\"OK\": b}", &ok), 0);
    assert_false(ok);
    pp_task_unref(task);
}

static void a_buffer_is_shared(void **state)
{
    pp_buffer *buffer = NULL;
    pp_task   *task = NULL;
    (void)state;
    assert_int_equal(USE(pp_buffer_create)(&buffer, 64), 0);
    assert_int_equal(USE(pp_buffer_size)(buffer), 64);
    assert_ptr_equal(USE(pp_buffer_ref)(buffer), buffer);
    USE(pp_buffer_unref)(buffer);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(use_buffer), NULL, "B", buffer), 0);
    assert_int_equal(pp_pool_queue_task(the_pool, task), 0);
    assert_ends(task, PP_DONE);
    assert_string_equal(USE(pp_buffer_data)(buffer), "written");
    pp_task_unref(task);
    pp_buffer_unref(buffer);
}

static void an_array_is_mapped(void **state)
{
    int    items[5] = {1, 2, 3, 4, 5};
    int    out[5] = {0};
    size_t failed = 0;
    (void)state;
    assert_int_equal(USE(pp_pool_map)(the_pool, PP_FUNCTION(use_bytes), items, sizeof *items, 5,
                                      out, sizeof *out, 0, &failed),
                     0);
    assert_memory_equal(items, out, sizeof items);
}

static void callbacks_run_in_a_thread_of_the_pool(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.use_pool_callbacks = true;
    assert_true(pp_pool_process_all_results(the_pool, PATIENCE) > 0);
    assert_int_equal(USE(pp_pool_set_callback)(the_pool, count_result), 0);
    assert_int_equal(USE(pp_pool_set_exception_callback)(the_pool, count_exception), 0);
    assert_int_equal(USE(pp_pool_daemonize)(the_pool), 0);
    assert_int_equal(
        USE(pp_pool_create_and_queue_bytes)(the_pool, PP_FUNCTION(use_bytes), &options, "x", 1), 0);
    assert_int_equal(
        USE(pp_pool_create_and_queue_task)(the_pool, PP_FUNCTION(use_raise), &options, NULL), 0);
    assert_true(pp_pool_process_all_results(the_pool, PATIENCE) >= 0);
    assert_int_equal(results, 1);
    assert_int_equal(exceptions, 1);
}

static void a_pool_is_stopped_started_and_ended(void **state)
{
    (void)state;
    assert_int_equal(USE(pp_pool_stop_processing)(the_pool, PATIENCE), 0);
    assert_int_equal(pp_pool_create_and_queue_task(the_pool, PP_FUNCTION(return_null), NULL, NULL),
                     -ESHUTDOWN);
    assert_int_equal(USE(pp_pool_start_processing)(the_pool), 0);
    pp_task *task = queue_function(the_pool, return_null, NULL);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    assert_int_equal(USE(pp_pool_finalize)(the_pool, PATIENCE), 0);
    assert_int_equal(pp_pool_start_processing(the_pool), -ESHUTDOWN);
    USE(pp_pool_destroy)(the_pool);
}

/* --------------------------------------------------------------------------- the check */

static char *read_header(void)
{
    char        path[PATH_MAX];
    const char *folder_end = strstr(__FILE__, "tests/process/");
    assert_non_null(folder_end);
    snprintf(path, sizeof path, "%.*sinclude/procpool.h", (int)(folder_end - __FILE__), __FILE__);
    FILE *file = fopen(path, "re");
    char *text = calloc(1, 1 << 20);
    assert_non_null(file);
    assert_non_null(text);
    assert_in_range(fread(text, 1, (1 << 20) - 1, file), 1000, (1 << 20) - 2);
    fclose(file);
    return text;
}

/* Comments, preprocessor lines and typedefs of functions declare none, and what is for C++ is not of the
 * library. */
static void blank(char *text)
{
    for (char *at = strstr(text, "#else"); at != NULL; at = strstr(at + 1, "#else")) {
        char *end = strstr(at, "#endif");
        assert_non_null(end);
        memset(at + strlen("#else"), ' ', (size_t)(end - at) - strlen("#else"));
    }
    for (char *at = strstr(text, "/*"); at != NULL; at = strstr(at, "/*")) {
        char *end = strstr(at, "*/");
        assert_non_null(end);
        memset(at, ' ', (size_t)(end + 2 - at));
    }
    for (char *at = strstr(text, "typedef"); at != NULL; at = strstr(at + 1, "typedef"))
        if (strcspn(at, "(") < strcspn(at, ";{"))
            memset(at, ' ', strcspn(at, ";"));
}

static bool was_used(const char *name, size_t size)
{
    for (unsigned i = 0; i < used->count; i++)
        if (strlen(used->names[i]) == size && memcmp(used->names[i], name, size) == 0)
            return true;
    return false;
}

static void every_function_of_the_header_was_used(void **state)
{
    char    *text = read_header();
    unsigned found = 0;
    (void)state;
    blank(text);
    for (char *at = strstr(text, "pp_"); at != NULL; at = strstr(at + 1, "pp_")) {
        size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (at[size] != '(' || isalnum((unsigned char)at[-1]) || at[-1] == '_')
            continue;
        found++;
        if (!was_used(at, size))
            fail_msg("%.*s was not used", (int)size, at);
    }
    assert_in_range(found, 60, used->count); /* it was the header that was read */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_versions),
        cmocka_unit_test(a_pool_is_made_and_looked_at),
        cmocka_unit_test(a_task_is_made_run_and_looked_at),
        cmocka_unit_test(a_value_is_printed),
        cmocka_unit_test(bytes_are_sent_by_name),
        cmocka_unit_test(an_error_is_looked_at),
        cmocka_unit_test(a_buffer_is_shared),
        cmocka_unit_test(an_array_is_mapped),
        cmocka_unit_test(callbacks_run_in_a_thread_of_the_pool),
        cmocka_unit_test(a_pool_is_stopped_started_and_ended),
        cmocka_unit_test(every_function_of_the_header_was_used),
    };
    return cmocka_run_group_tests(tests, share_names, NULL);
}
