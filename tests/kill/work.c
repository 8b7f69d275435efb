/*
 * work.c - see work.h.
 *
 * Executions are counted in memory that all workers share, so that a task that ran twice is seen even
 * when both results look right.
 */
#include "work.h"

#include "moment.h"
#include "report.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    RECORDS = 1024, /* of one pool */
    FIRST = 1024,   /* number of the first: two bytes in MessagePack, as any other */
    BYTES = 100
};

struct record {
    enum work_kind kind;
    uint64_t       seed;
    pp_task       *task;
    atomic_int     results;
    atomic_int     exceptions;
    bool           right;
    bool           may_be_lost;
};

static struct record records[RECORDS];
static atomic_size_t count;
static atomic_size_t called;
static size_t        of_trial; /* the first record of the trial that goes on */
static atomic_uint  *runs;     /* shared with the workers, like `seeds` behind it */
static int           begun[2];
static int           leave[2];
/* Each is as long as any other in MessagePack, so that no task differs by chance. */
static _Atomic uint64_t next_seed = UINT64_C(1) << 40;

static uint64_t mix(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

/* ------------------------------------------------------------------------- tasks */

static int begin(pp_call *call, uint64_t *value)
{
    unsigned record = 0;
    uint64_t seed = 0;
    int      error = pp_call_args(call, "uU", &record, &seed);
    if (error == 0 && record - FIRST >= RECORDS)
        error = -ERANGE;
    if (error == 0)
        atomic_fetch_add(&runs[record - FIRST], 1);
    *value = mix(seed);
    return error;
}

static int number_task(pp_call *call)
{
    uint64_t value = 0;
    int      error = begin(call, &value);
    return error < 0 ? error : pp_call_return(call, "U", value);
}

static void fill(unsigned char *bytes, size_t size, uint64_t value)
{
    for (size_t i = 0; i < sizeof value; i++)
        bytes[i] = bytes[size - 1 - i] = (unsigned char)(value >> 8 * i);
}

static int bytes_task(pp_call *call)
{
    unsigned char bytes[BYTES] = {0};
    uint64_t      value = 0;
    int           error = begin(call, &value);
    fill(bytes, sizeof bytes, value);
    return error < 0 ? error : pp_call_return_bytes(call, bytes, sizeof bytes);
}

static int gate_task(pp_call *call)
{
    char     byte = 0;
    uint64_t value = 0;
    int      error = begin(call, &value);
    if (error == 0 && write(begun[1], &byte, 1) != 1)
        error = -errno;
    while (error == 0 && read(leave[0], &byte, 1) < 0)
        error = errno == EINTR ? 0 : -errno;
    return error < 0 ? error : pp_call_return(call, "U", value);
}

/* ---------------------------------------------------------------------- callbacks */

static bool right_bytes(const pp_value *result, uint64_t value)
{
    unsigned char expected[BYTES] = {0};
    const void   *data = NULL;
    size_t        size = 0;
    if (pp_value_unpack(result, "y", &data, &size) < 0 || size != sizeof expected)
        return false;
    fill(expected, size, value);
    return memcmp(expected, data, size) == 0;
}

static bool right_number(const pp_value *result, uint64_t value)
{
    uint64_t number = 0;
    return pp_value_unpack(result, "U", &number) == 0 && number == value;
}

static void note_call(void)
{
    if (atomic_fetch_add(&called, 1) + 1 >= count)
        moment_passed();
}

static void has_result(pp_task *task, const pp_value *result, void *userdata)
{
    struct record *record = userdata;
    uint64_t       value = mix(record->seed);
    (void)task;
    switch (record->kind) {
    case WORK_BYTES:
        record->right = right_bytes(result, value);
        break;
    default:
        record->right = right_number(result, value);
    }
    atomic_fetch_add(&record->results, 1);
    note_call();
}

static void has_none(pp_task *task, const pp_error *error, void *userdata)
{
    struct record *record = userdata;
    (void)task;
    (void)error;
    atomic_fetch_add(&record->exceptions, 1);
    note_call();
}

/* ---------------------------------------------------------------------- the host's */

void work_prepare(void)
{
    runs = mmap(NULL, RECORDS * sizeof *runs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (runs == MAP_FAILED || pipe(begun) < 0 || pipe(leave) < 0)
        give_up("no memory or no pipe");
}

void work_reset(void)
{
    for (size_t i = 0; i < count; i++) {
        pp_task_unref(records[i].task);
        runs[i] = 0;
    }
    count = called = of_trial = 0;
}

void work_begin_trial(void)
{
    of_trial = count;
}

size_t work_submit(pp_pool *pool, enum work_kind kind)
{
    static pp_function *const functions[] = {
        [WORK_NUMBER] = number_task, [WORK_BYTES] = bytes_task, [WORK_GATE] = gate_task};
    size_t          number = atomic_fetch_add(&count, 1);
    struct record  *record = &records[number];
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    if (number >= RECORDS)
        give_up("too many tasks in one pool");
    *record = (struct record){.kind = kind, .seed = atomic_fetch_add(&next_seed, 1)};
    options.callback = has_result;
    options.exception_callback = has_none;
    options.userdata = record;
    int error = pp_task_create(&record->task, PP_FUNCTION(functions[kind]), &options, "uU",
                               (unsigned)number + FIRST, record->seed);
    if (error == 0)
        error = pp_pool_queue_task(pool, record->task);
    if (error < 0)
        give_up("a task was refused: %s", strerror(-error));
    return number;
}

void work_await(size_t record)
{
    int error = pp_task_wait(records[record].task, PATIENCE);
    if (error < 0)
        give_up("task %zu has no outcome: %s", record, strerror(-error));
}

void work_gate_await(void)
{
    char byte = 0;
    if (read(begun[0], &byte, 1) != 1)
        give_up("the gate cannot be read");
}

void work_gate_release(void)
{
    if (write(leave[1], "", 1) != 1)
        give_up("the gate cannot be written");
}

size_t work_count(void)
{
    return count;
}

pp_task *work_task(size_t record)
{
    return records[record].task;
}

bool work_all_called(void)
{
    return called >= count;
}

static void check(size_t number, const pp_task *lost)
{
    struct record *record = &records[number];
    pp_state       state = pp_task_state(record->task);
    int            results = record->results;
    int            exceptions = record->exceptions;
    unsigned       executions = runs[number];
    record->may_be_lost |= record->task == lost;
    if (results + exceptions != 1)
        violation("task %zu: %d callbacks with a result and %d without", number, results,
                  exceptions);
    if (executions > 1)
        violation("task %zu was executed %u times", number, executions);
    if (state == PP_DONE) {
        if (results != 1 || !record->right)
            violation("task %zu is DONE with a wrong value", number);
        if (record->may_be_lost)
            violation("task %zu was running when its worker died, and is DONE", number);
    } else if (state != PP_WORKER_LOST)
        violation("task %zu ended as %s", number, pp_state_name(state));
    else if (!record->may_be_lost)
        violation("task %zu is lost, and was not what the dead worker ran", number);
}

void work_check(const pp_task *lost)
{
    for (size_t i = of_trial; i < count; i++)
        check(i, lost);
}

void work_check_all(void)
{
    for (size_t i = 0; i < count; i++)
        check(i, NULL);
}
