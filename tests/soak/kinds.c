/*
 * kinds.c - (in the host) the kinds of task: how one is made and queued, which outcomes it may have,
 * and what its result or error must be.
 */
#include "soak.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    DONE = BIT(PP_DONE),
    FAILED = BIT(PP_FAILED),
    LATE = BIT(PP_TIMED_OUT),
    LOST = BIT(PP_WORKER_LOST)
};

const struct kind_info kinds[KINDS] = {
    [KIND_TINY] = {"tiny", DONE, true},
    [KIND_ECHO] = {"echo", DONE, true},
    [KIND_ARGUMENTS] = {"arguments", DONE, true},
    [KIND_BUFFER] = {"buffer", DONE, true},
    [KIND_CLOSURE] = {"closure", DONE, true},
    [KIND_CLASS] = {"class", DONE, true},
    [KIND_NAMED] = {"named", DONE, true},
    [KIND_RAISE] = {"raise", FAILED, true},
    [KIND_CRASH] = {"crash", LOST, false},
    [KIND_EXIT] = {"exit", LOST, false},
    [KIND_LEAVES_CHILD] = {"leaves child", DONE | LOST, false},
    [KIND_WAITS_FOR_CHILD] = {"waits for child", DONE, true},
    [KIND_SPIN] = {"spin", LATE, true},
    [KIND_DEAF] = {"deaf", LATE, true},
    [KIND_SOFT] = {"soft", DONE, true},
    [KIND_NAP] = {"nap", DONE, true},
    [KIND_LONG] = {"long", LATE, true},
    [KIND_FLAKY] = {"flaky", DONE | LATE, false}, /* stopped, it is late in its last attempt, too */
};

/* SIGALRM is the soft limit's, SIGURG the fork server's death. */
static const int signals[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGILL,  SIGFPE,  SIGKILL, SIGTERM,
                              SIGHUP,  SIGQUIT, SIGTRAP, SIGUSR1, SIGUSR2, SIGSYS,  SIGKILL};

static uint32_t choose_what(struct dice *dice, enum kind kind)
{
    enum { SMALL = 64, ARENA = 60000, LARGE = 300000 };
    switch (kind) {
    case KIND_ECHO:
        switch (roll_below(dice, 16)) {
        case 0:
            return roll_below(dice, LARGE);
        case 1:
        case 2:
            return roll_below(dice, ARENA);
        default:
            return roll_below(dice, SMALL);
        }
    case KIND_BUFFER:
        return 1 + roll_below(dice, 4096); /* words */
    case KIND_CRASH:
        return (uint32_t)signals[roll_below(dice, sizeof signals / sizeof *signals)];
    case KIND_EXIT:
        return roll_below(dice, 256);
    case KIND_NAP:
    case KIND_WAITS_FOR_CHILD:
        return roll_below(dice, 10000); /* microseconds */
    case KIND_FLAKY:
        return 1 + roll_below(dice, 3);
    default:
        return roll_below(dice, 1024);
    }
}

static void set_limits(pp_task_options *options, struct entry *entry, struct dice *dice, bool plain)
{
    switch (entry->kind) {
    case KIND_SPIN:
    case KIND_DEAF:
        options->timeout = 0.002 + 0.001 * roll_below(dice, 30);
        break;
    case KIND_SOFT:
        options->soft_timeout = 0.001 + 0.001 * roll_below(dice, 10);
        break;
    case KIND_LONG:
        options->timeout = 0.5; /* were it forgotten */
        break;
    case KIND_FLAKY:
        options->timeout = 0.02;
        entry->max_retries = entry->what;
        options->retry_delay = roll_below(dice, 4) * 0.002;
        break;
    case KIND_TINY:
    case KIND_ECHO:
        if (plain)
            break;
        if (roll_below(dice, 64) == 0)
            entry->max_retries = roll_below(dice, 4);
        if (roll_below(dice, 64) == 0)
            options->timeout = 60;
        break;
    default:
        break;
    }
    if (!plain && roll_below(dice, 64) == 0)
        options->priority = (int)roll_below(dice, 5) - 2;
    options->max_retries = entry->max_retries;
}

static int make_echo(pp_task **task, const pp_task_options *options, const struct head *head)
{
    size_t         size = sizeof *head + head->what;
    unsigned char *bytes = malloc(size);
    if (bytes == NULL)
        return -ENOMEM;
    memcpy(bytes, head, sizeof *head);
    for (size_t i = sizeof *head; i < size; i++)
        bytes[i] = (unsigned char)(head->id + i * 7);
    int error = pp_task_create(task, PP_FUNCTION(task_echo), options, NULL);
    if (error == 0)
        error = pp_task_set_bytes(*task, bytes, size);
    free(bytes);
    return error;
}

static int make_buffer(pp_task **task, const pp_task_options *options, struct entry *entry)
{
    int error = pp_buffer_create(&entry->buffer, entry->what * sizeof(uint64_t));
    if (error < 0)
        return error;
    uint64_t *words = pp_buffer_data(entry->buffer);
    for (size_t i = 0; i < entry->what; i++)
        words[i] = entry->id + i;
    return pp_task_create(task, PP_FUNCTION(task_buffer), options, "U u u B", entry->id,
                          (unsigned)entry->index, (unsigned)entry->what, entry->buffer);
}

static pp_callable callable_of(enum kind kind)
{
    switch (kind) {
    case KIND_CLASS:
        return PP_CLASS(&class_of_tasks);
    case KIND_NAMED:
        return PP_NAMED("soak-named");
    case KIND_RAISE:
        return PP_FUNCTION(task_raise);
    case KIND_CRASH:
        return PP_FUNCTION(task_crash);
    case KIND_EXIT:
        return PP_FUNCTION(task_exit);
    case KIND_LEAVES_CHILD:
        return PP_FUNCTION(task_leaves_child);
    case KIND_WAITS_FOR_CHILD:
        return PP_FUNCTION(task_waits_for_child);
    case KIND_SPIN:
        return PP_FUNCTION(task_spin);
    case KIND_DEAF:
        return PP_FUNCTION(task_deaf);
    case KIND_SOFT:
        return PP_FUNCTION(task_soft);
    case KIND_NAP:
        return PP_FUNCTION(task_nap);
    case KIND_LONG:
        return PP_FUNCTION(task_long);
    case KIND_FLAKY:
        return PP_FUNCTION(task_flaky);
    default:
        return PP_FUNCTION(task_tiny);
    }
}

static int make(pp_task **task, const pp_task_options *options, struct entry *entry)
{
    struct head head = {.id = entry->id, .index = entry->index, .what = entry->what};
    if (entry->kind == KIND_ECHO)
        return make_echo(task, options, &head);
    if (entry->kind == KIND_BUFFER)
        return make_buffer(task, options, entry);
    if (entry->kind == KIND_ARGUMENTS)
        return pp_task_create(task, PP_FUNCTION(task_arguments), options, "U u u s [i i] d",
                              head.id, (unsigned)head.index, (unsigned)head.what, "soak \xc3\xa9",
                              (int)head.what, -7, 0.5 * head.what);
    if (entry->kind == KIND_CLOSURE)
        return pp_task_create(task, PP_CLOSURE(task_closure, &head, sizeof head), options, NULL);
    int error = pp_task_create(task, callable_of(entry->kind), options, NULL);
    return error < 0 ? error : pp_task_set_bytes(*task, &head, sizeof head);
}

static int submit(pp_pool *pool, struct entry *entry, const pp_task_options *options,
                  pp_task **handed_out)
{
    struct head head = {.id = entry->id, .index = entry->index, .what = entry->what};
    pp_task    *task = NULL;
    if (entry->kind == KIND_TINY && handed_out == NULL)
        return pp_pool_create_and_queue_bytes(pool, PP_FUNCTION(task_tiny), options, &head,
                                              sizeof head);
    int error = make(&task, options, entry);
    if (error == 0)
        error = pp_pool_queue_task(pool, task);
    if (error == 0 && handed_out != NULL)
        *handed_out = task;
    else
        pp_task_unref(task);
    return error;
}

int kind_submit(pp_pool *pool, struct dice *dice, enum kind kind, bool blocking, bool plain,
                pp_task **task)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    struct entry   *entry = ledger_open(kind, choose_what(dice, kind));
    if (entry == NULL)
        return -EAGAIN;
    entry->pool_callback = roll_below(dice, 4) == 0;
    options.task_id = entry->id;
    options.callback = on_result;
    options.exception_callback = on_exception;
    options.userdata = entry;
    options.use_pool_callbacks = entry->pool_callback;
    options.blocking = blocking;
    set_limits(&options, entry, dice, plain);
    int error = submit(pool, entry, &options, task);
    if (error == 0) /* the entry may be another task's by now */
        ledger_accepted();
    else
        ledger_withdraw(entry);
    return error;
}

/* ------------------------------------------------------------------------ judgement */

static bool is_mixed(const pp_value *result, uint64_t id)
{
    const void *data = NULL;
    size_t      size = 0;
    uint64_t    number = 0;
    if (pp_value_unpack(result, "y", &data, &size) < 0 || size != sizeof number)
        return false;
    memcpy(&number, data, sizeof number);
    return number == mix(id);
}

static bool is_echo(const struct entry *entry, const pp_value *result)
{
    struct head head = {.id = entry->id, .index = entry->index, .what = entry->what};
    const void *data = NULL;
    size_t      size = 0;
    if (pp_value_unpack(result, "y", &data, &size) < 0 || size != sizeof head + entry->what)
        return false;
    const unsigned char *bytes = data;
    const unsigned char *first = (const unsigned char *)&head;
    for (size_t i = 0; i < sizeof head; i++)
        if (bytes[i] + first[i] != 0xff)
            return false;
    for (size_t i = sizeof head; i < size; i++)
        if (bytes[i] + (unsigned char)(entry->id + i * 7) != 0xff)
            return false;
    return true;
}

static bool is_buffer(const struct entry *entry, const pp_value *result)
{
    const uint64_t *words = pp_buffer_data(entry->buffer);
    for (size_t i = 0; i < entry->what; i++)
        if (words[i] != ~(entry->id + i))
            return false;
    return is_mixed(result, entry->id);
}

static bool is_answer(const struct entry *entry, const pp_value *result)
{
    const char *text = NULL;
    int         sum = 0;
    uint64_t    mixed = 0;
    double      number = 0;
    if (pp_value_unpack(result, "{\"text\": s, \"sum\": i, \"list\": [U d]}", &text, &sum, &mixed,
                        &number) < 0)
        return false;
    return strcmp(text, "soak \xc3\xa9") == 0 && sum == (int)entry->what - 7 &&
           mixed == mix(entry->id) && number >= entry->what && number <= entry->what;
}

bool kind_judge_result(const struct entry *entry, const pp_value *result)
{
    switch (entry->kind) {
    case KIND_ECHO:
        return is_echo(entry, result);
    case KIND_BUFFER:
        return is_buffer(entry, result);
    case KIND_ARGUMENTS:
        return is_answer(entry, result);
    case KIND_LEAVES_CHILD:
        return entry->what / 2 % 2 == 0 && is_mixed(result, entry->id);
    default:
        return is_mixed(result, entry->id);
    }
}

static bool is_raised(const struct entry *entry, const pp_error *error)
{
    if (pp_error_errno(error) != EDOM)
        return false;
    return entry->what % 2 == 0 || strcmp(pp_error_name(error), "SoakError") == 0;
}

/* In a round of chaos anybody may have killed it, and a dead or stopped fork server tells nothing. */
static bool is_death(const struct entry *entry, int status)
{
    if (atomic_load(&ledger.chaos))
        return true;
    if (entry->kind == KIND_CRASH)
        return WIFSIGNALED(status) && WTERMSIG(status) == (int)entry->what;
    if (entry->kind == KIND_EXIT)
        return WIFEXITED(status) && WEXITSTATUS(status) == (int)entry->what;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

bool kind_judge_error(const struct entry *entry, const pp_error *error)
{
    switch (pp_error_state(error)) {
    case PP_FAILED:
        return entry->kind != KIND_RAISE || is_raised(entry, error);
    case PP_TIMED_OUT:
        return pp_error_errno(error) == ETIME;
    case PP_CANCELLED:
        return pp_error_errno(error) == ECANCELED;
    case PP_WORKER_LOST:
        return is_death(entry, pp_error_wait_status(error));
    default:
        return false;
    }
}
