/*
 * test_hostile_box.c - a worker that writes garbage over its whole box costs its own task only.
 *
 * The tasks here look up the box of their worker and overwrite it.  What must hold: each of the other
 * tasks has its own right value at the first attempt, every task has one outcome, and the pool goes
 * on and can be finalized.
 *
 * Outside of the promise: a task that stays behind as a thread is in the same process as the next
 * task of its worker, whose memory it can change as it likes; and a task that writes a perfect result
 * into its own place has simply returned that.  Of earlier tasks of the same worker a result that is
 * in the arena and that the host has not collected yet is lost (shm/mailbox.h); those here are small.
 */
#include "own_memory.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum garbage {
    ZEROES,
    ONES,
    NOISE,
    TEXT,
    DONE_OF_OTHERS, /* each word says that the ticket beside it is done */
    TURNED,         /* each word is that of the slot behind it          */
    PATTERNS
};

enum deed { RETURN, RAISE, DIE, SPIN, DEEDS };

static const char *const garbage_names[PATTERNS] = {"zeroes", "ones",           "noise",
                                                    "text",   "done of others", "turned"};
static const char *const deed_names[DEEDS] = {"returns", "raises", "dies", "spins"};

/* Data races are what these are for. */
#define RACING __attribute__((no_sanitize("thread")))

RACING static void fill(void *data, size_t size, unsigned char byte)
{
    volatile unsigned char *at = data;
    for (size_t i = 0; i < size; i++)
        at[i] = byte;
}

RACING static void write_noise(void *data, size_t size, uint64_t seed)
{
    volatile unsigned char *at = data;
    for (size_t i = 0; i < size; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        at[i] = (unsigned char)(seed >> 32);
    }
}

static void write_done_of_others(struct pp_box *box)
{
    for (unsigned i = 0; i < PP_RING; i++) {
        struct pp_result *result = &box->results[i];
        uint64_t          ticket = pp_word_ticket(atomic_load(&result->word));
        result->size = 8;
        result->flags = 0;
        atomic_store(&result->word, pp_word(ticket + 1, PP_SLOT_DONE));
    }
}

static void turn(struct pp_box *box)
{
    uint64_t first = atomic_load(&box->results[0].word);
    for (unsigned i = 0; i + 1 < PP_RING; i++)
        atomic_store(&box->results[i].word, atomic_load(&box->results[i + 1].word));
    atomic_store(&box->results[PP_RING - 1].word, first);
}

static void ruin(struct pp_box *box, enum garbage garbage, unsigned seed)
{
    switch (garbage) {
    case ZEROES:
        fill(box, sizeof *box, 0);
        break;
    case ONES:
        fill(box, sizeof *box, 0xff);
        break;
    case NOISE:
        write_noise(box, sizeof *box, seed + 1);
        break;
    case TEXT:
        fill(box, sizeof *box, 'A');
        break;
    case DONE_OF_OTHERS:
        write_done_of_others(box);
        break;
    default:
        turn(box);
    }
}

static int end_by(pp_call *call, enum deed deed)
{
    if (deed == RAISE)
        return pp_call_raise(call, EIO, "Ruined", "on purpose");
    if (deed == DIE) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        raise(SIGABRT);
    }
    while (deed == SPIN)
        ;
    return pp_call_return(call, "i", -1);
}

static int ruin_own_box(pp_call *call)
{
    unsigned       garbage = 0;
    unsigned       deed = 0;
    unsigned       seed = 0;
    struct pp_box *box = own_box();
    if (box == NULL || pp_call_args(call, "uuu", &garbage, &deed, &seed) < 0)
        return -ENOENT;
    gate_pass(&the_gate);
    ruin(box, (enum garbage)garbage, seed);
    return end_by(call, (enum deed)deed);
}

/* ----------------------------------------------------------------- outcomes, counted */

enum { MANY = 60 };

/* A task, and how often its callbacks ran. */
struct counted {
    pp_task *task;
    int      number;
    unsigned outcomes;
};

static void on_result(pp_task *task, const pp_value *value, void *data)
{
    (void)task, (void)value;
    ((struct counted *)data)->outcomes++;
}

static void on_exception(pp_task *task, const pp_error *error, void *data)
{
    (void)task, (void)error;
    ((struct counted *)data)->outcomes++;
}

static pp_task_options counted_options(struct counted *counted)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = on_result;
    options.exception_callback = on_exception;
    options.userdata = counted;
    return options;
}

static void queue_square(pp_pool *pool, struct counted *counted, int number)
{
    pp_task_options options = counted_options(counted);
    *counted = (struct counted){.number = number};
    assert_int_equal(
        pp_task_create(&counted->task, PP_FUNCTION(return_square), &options, "i", number), 0);
    assert_int_equal(pp_pool_queue_task(pool, counted->task), 0);
}

static void assert_square(const struct counted *counted)
{
    int square = 0;
    assert_ends(counted->task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(counted->task), "i", &square), 0);
    assert_int_equal(square, counted->number * counted->number);
    assert_int_equal(pp_task_attempts(counted->task), 1);
}

static void queue_ruin(pp_pool *pool, struct counted *counted, enum garbage garbage, enum deed deed,
                       unsigned seed)
{
    pp_task_options options = counted_options(counted);
    *counted = (struct counted){0};
    options.timeout = deed == SPIN ? 0.2 : 0;
    assert_int_equal(pp_task_create(&counted->task, PP_FUNCTION(ruin_own_box), &options, "uuu",
                                    (unsigned)garbage, (unsigned)deed, seed),
                     0);
    assert_int_equal(pp_pool_queue_task(pool, counted->task), 0);
}

/* What became of the one that ruined its box: what it did, or that its worker is lost. */
static void assert_plausible(pp_task *task, enum deed deed)
{
    static const pp_state states[DEEDS] = {PP_DONE, PP_FAILED, PP_WORKER_LOST, PP_TIMED_OUT};
    assert_int_equal(pp_task_wait(task, PATIENCE), 0);
    pp_state state = pp_task_state(task);
    if (state != PP_WORKER_LOST)
        assert_string_equal(pp_state_name(state), pp_state_name(states[deed]));
}

static void settle(pp_pool *pool, struct counted *all, size_t count)
{
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(all[i].outcomes, 1);
        pp_task_unref(all[i].task);
    }
}

static pp_pool *pool_of_workers(unsigned size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = options.max_size = size;
    options.max_queued_requests = MANY + 10;
    return pool_with(&options);
}

/* Short tasks teach the pool to send many at once. */
static void teach(pp_pool *pool, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pp_task *task = queue_function(pool, return_null, NULL);
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
    }
}

static void finish(pp_pool *pool)
{
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* ---------------------------------------------------------------------------- tests */

/* Tasks that were in the same box before, a blocker that holds the worker until others are in its
 * tray, and among these the one that ruins the box. */
static void ruin_among_others(pp_pool *pool, unsigned before, enum garbage garbage, enum deed deed)
{
    struct counted all[MANY + 1];
    teach(pool, before);
    pp_task *blocker = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    for (int i = 0; i < MANY; i++) {
        if (i == MANY / 4)
            queue_ruin(pool, &all[MANY], garbage, deed, before);
        queue_square(pool, &all[i], i + 1);
    }
    gate_release(&the_gate);
    gate_release(&the_gate);
    gate_await(&the_gate);
    assert_ends(blocker, PP_DONE);
    for (int i = 0; i < MANY; i++)
        assert_square(&all[i]);
    assert_plausible(all[MANY].task, deed);
    settle(pool, all, MANY + 1);
    pp_task_unref(blocker);
}

static void whatever_a_task_writes_over_its_box_the_tasks_around_it_are_unhurt(void **state)
{
    const unsigned before[] = {30, 300}; /* in the ring's first round, and later */
    (void)state;
    for (int garbage = 0; garbage < PATTERNS; garbage++)
        for (int deed = 0; deed < DEEDS; deed++)
            for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
                gate_open(&the_gate);
                pp_pool *pool = pool_of_workers(1);
                print_message("           %s, then it %s, after %u tasks\n", garbage_names[garbage],
                              deed_names[deed], before[i]);
                ruin_among_others(pool, before[i], (enum garbage)garbage, (enum deed)deed);
                ruin_among_others(pool, 20, (enum garbage)garbage, (enum deed)deed);
                finish(pool);
            }
}

/* ------------------------------------------------------------ a result of its own, forged */

enum forgery {
    HUGE_SIZE,
    SIZE_OF_A_NEIGHBOUR, /* more than its place, less than the arena */
    MAPPED_NOTHING,
    DESCRIPTORS_NOT_SENT,
    ALL_FLAGS,
    BAD_RECORD,
    BAD_VALUE,
    FORGERIES
};

static const struct {
    uint64_t size;
    uint32_t flags;
} forged[FORGERIES] = {
    [HUGE_SIZE] = {UINT64_MAX, 0},
    [SIZE_OF_A_NEIGHBOUR] = {PP_GRANULE * 3, PP_RESULT_BYTES},
    [MAPPED_NOTHING] = {PP_GRANULE, PP_RESULT_MAPPED},
    [DESCRIPTORS_NOT_SENT] = {8, PP_RESULT_DESCRIPTORS},
    [ALL_FLAGS] = {8, UINT32_MAX},
    [BAD_RECORD] = {PP_INLINE, PP_RESULT_ERROR},
    [BAD_VALUE] = {PP_INLINE, 0},
};

static int forge_own_result(pp_call *call)
{
    unsigned          forgery = 0;
    struct pp_box    *box = own_box();
    struct pp_result *result = box != NULL ? own_result(box) : NULL;
    if (result == NULL || pp_call_args(call, "u", &forgery) < 0)
        return -ENOENT;
    gate_pass(&the_gate);
    result->size = forged[forgery].size;
    result->flags = forged[forgery].flags;
    result->ended = INT64_MIN;
    atomic_store(&result->began, INT64_MAX);
    memset(result->data, 0xc1, sizeof result->data);
    pp_mailbox_publish_result(result, pp_word_ticket(atomic_load(&result->word)));
    return end_by(call, DIE);
}

static void a_result_that_cannot_be_true_is_an_exception_of_its_own_task(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of_workers(1);
    for (unsigned forgery = 0; forgery < FORGERIES; forgery++) {
        struct counted  all[MANY + 1] = {{0}};
        struct counted *own = &all[MANY];
        pp_task_options options = counted_options(own);
        teach(pool, 20);
        assert_int_equal(
            pp_task_create(&own->task, PP_FUNCTION(forge_own_result), &options, "u", forgery), 0);
        assert_int_equal(pp_pool_queue_task(pool, own->task), 0);
        gate_await(&the_gate);
        for (int i = 0; i < MANY; i++)
            queue_square(pool, &all[i], i + 1);
        gate_release(&the_gate);
        for (int i = 0; i < MANY; i++)
            assert_square(&all[i]);
        assert_ends(own->task, PP_FAILED);
        settle(pool, all, MANY + 1);
    }
    finish(pool);
}

/* ------------------------------------------------------------ threads that stay behind */

static struct pp_box *thread_box;

RACING static void *scribble_for_ever(void *unused)
{
    (void)unused;
    for (uint64_t seed = 1;; seed++)
        write_noise(thread_box, sizeof *thread_box, seed);
    return NULL;
}

static void *wipe_when_told(void *unused)
{
    (void)unused;
    gate_pass(&the_gate);
    fill(thread_box, sizeof *thread_box, 0);
    gate_pass(&the_gate);
    return NULL;
}

static int leave_a_thread(pp_call *call, void *(*run)(void *))
{
    pthread_t thread;
    thread_box = own_box();
    if (thread_box == NULL || pthread_create(&thread, NULL, run, NULL) != 0)
        return -ENOENT;
    (void)pthread_detach(thread);
    return pp_call_return(call, "i", -1);
}

static int leave_a_scribbler(pp_call *call)
{
    return leave_a_thread(call, scribble_for_ever);
}

static int leave_a_wiper(pp_call *call)
{
    return leave_a_thread(call, wipe_when_told);
}

enum { SCRIBBLERS = 20 };

static bool is_one_of(pid_t pid, const pid_t *pids, int count)
{
    bool found = false;
    for (int i = 0; i < count; i++)
        found = found || pids[i] == pid;
    return found;
}

/* While one of three workers is scribbled over without end, as often as it is replaced.  One that has got no
 * task since its own scribbler came is found to be ruined in a later round. */
static void a_thread_that_scribbles_for_ever_costs_what_is_in_its_worker(void **state)
{
    enum { ROUNDS = SCRIBBLERS };
    pid_t ruined[ROUNDS];
    (void)state;
    pp_pool *pool = pool_of_workers(3);
    for (int round = 0; round < ROUNDS; round++) {
        struct counted  all[MANY + 1] = {{0}};
        struct counted *own = &all[MANY];
        pp_task_options options = counted_options(own);
        unsigned        lost = 0;
        assert_int_equal(pp_task_create(&own->task, PP_FUNCTION(leave_a_scribbler), &options, NULL),
                         0);
        assert_int_equal(pp_pool_queue_task(pool, own->task), 0);
        for (int i = 0; i < MANY; i++)
            queue_square(pool, &all[i], i + 1);
        assert_int_equal(pp_task_wait(own->task, PATIENCE), 0);
        ruined[round] = pp_task_worker_pid(own->task);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(pp_task_wait(all[i].task, PATIENCE), 0);
            if (is_one_of(pp_task_worker_pid(all[i].task), ruined, round + 1))
                lost += pp_task_state(all[i].task) != PP_DONE ? 1 : 0;
            else
                assert_square(&all[i]);
        }
        settle(pool, all, MANY + 1);
        assert_true(lost < MANY);
    }
    finish(pool);
}

/* The worker sleeps - a moment earlier it would see the ruin, and leave - and its word for that is wiped. */
static void a_worker_whose_box_is_wiped_while_it_sleeps_takes_the_next_task(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of_workers(1);
    pp_task *own = queue_function(pool, leave_a_wiper, NULL);
    assert_ends(own, PP_DONE);
    gate_await(&the_gate);
    pid_t worker = pp_task_worker_pid(own);
    assert_true(eventually(process_sleeps, &worker));
    gate_release(&the_gate);
    gate_await(&the_gate); /* wiped */
    for (int i = 0; i < 3; i++) {
        pp_task *next = queue_function(pool, return_null, NULL);
        assert_ends(next, PP_DONE);
        pp_task_unref(next);
    }
    gate_release(&the_gate);
    pp_task_unref(own);
    finish(pool);
}

enum { BEHIND = 6 };

static unsigned count_queued(struct pp_box *box)
{
    unsigned count = 0;
    for (int i = 0; i < PP_RING; i++)
        count += pp_word_state(atomic_load(&box->results[i].word)) == PP_SLOT_QUEUED ? 1 : 0;
    return count;
}

/* As soon as tasks wait behind it, before they are taken back, all words are ruined; it does not end.  When
 * they do not come within that time, they are not there: no harm. */
static int ruin_and_wait(pp_call *call)
{
    struct pp_box *box = own_box();
    (void)call;
    if (box == NULL)
        return -ENOENT;
    double limit = now() + 0.001;
    while (count_queued(box) < BEHIND && now() < limit)
        ;
    fill(box->results, sizeof box->results, 0xff);
    gate_pass(&the_gate);
    return 0;
}

/* It says so, or the ruin was seen before it could. */
static bool is_ruined_or_gone(void *data)
{
    struct pollfd said = {.fd = the_gate.begun[0], .events = POLLIN};
    return poll(&said, 1, 0) == 1 || pp_task_state(data) == PP_WORKER_LOST;
}

/* The ruin may be seen before finalize: then what waited is executed by the next worker. */
static bool was_executed_or_dropped(const pp_task *task)
{
    return pp_task_state(task) == PP_CANCELLED || pp_task_state(task) == PP_DONE;
}

static void what_waits_behind_a_ruined_box_does_not_keep_finalize_waiting(void **state)
{
    enum { ROUNDS = 10, SHORT = 30 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pp_task *behind[BEHIND];
        gate_open(&the_gate);
        pp_pool *pool = pool_of_workers(1);
        for (int i = 0; i < SHORT; i++) /* so that more than one goes into the tray */
            assert_works(pool);
        pp_task *own = queue_function(pool, ruin_and_wait, NULL);
        for (int i = 0; i < BEHIND; i++)
            behind[i] = queue_function(pool, return_null, NULL);
        assert_true(eventually(is_ruined_or_gone, own));
        assert_true(pp_pool_finalize(pool, 0) >= 0);
        for (int i = 0; i < BEHIND; i++) {
            assert_true(was_executed_or_dropped(behind[i]));
            pp_task_unref(behind[i]);
        }
        assert_true(pp_task_state(own) == PP_CANCELLED || pp_task_state(own) == PP_WORKER_LOST);
        pp_task_unref(own);
        pp_pool_destroy(pool);
        gate_close(&the_gate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_task_writes_over_its_box_the_tasks_around_it_are_unhurt),
        cmocka_unit_test(a_result_that_cannot_be_true_is_an_exception_of_its_own_task),
        cmocka_unit_test(a_thread_that_scribbles_for_ever_costs_what_is_in_its_worker),
        cmocka_unit_test(what_waits_behind_a_ruined_box_does_not_keep_finalize_waiting),
        cmocka_unit_test(a_worker_whose_box_is_wiped_while_it_sleeps_takes_the_next_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
