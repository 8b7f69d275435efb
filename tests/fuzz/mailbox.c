/*
 * mailbox.c - the host and one worker that writes what it likes into its box, its ledger and its
 * socket, and dies in the end.
 *
 * The input is a row of steps, a byte each with what belongs to it.  Whatever they are, every task
 * ends once, is retried as often as it may, and all places in tray and box are free again.
 */
#include "host.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "shm/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_TASKS = 24, MOST_STEPS = 200 };

struct scene {
    struct pp_pool   *pool;
    struct pp_worker *worker; /* NULL once the host has buried it: it cannot be killed here */
    pp_task          *tasks[MOST_TASKS];
    unsigned          count;
};

static int callable(pp_call *call)
{
    (void)call;
    return 0;
}

/* ------------------------------------------------------------------------ the host's steps */

static void submit(struct scene *scene, struct input *input)
{
    static unsigned char bytes[5000];
    unsigned             how = input_byte(input);
    pp_task_options      options = PP_TASK_OPTIONS_INIT;
    pp_callable          function = PP_FUNCTION(callable);
    if (scene->count == MOST_TASKS)
        return;
    options.max_retries = how & 1;
    options.timeout = (how & 2) != 0 ? 100 : 0;
    options.priority = (int)(how >> 2 & 1);
    size_t size = how >> 3 & 1 ? (size_t)input_byte(input) * 19 : how >> 4;
    CHECK(pp_task_create(&scene->tasks[scene->count], function, &options, "") == 0);
    CHECK(pp_task_set_bytes(scene->tasks[scene->count], bytes, size) == 0);
    CHECK(pp_pool_submit(scene->pool, scene->tasks[scene->count], true, PP_NEVER) == 0);
    scene->count++;
}

static void host_step(struct scene *scene, unsigned step)
{
    struct pp_pool  *pool = scene->pool;
    struct pp_timer *timer = pp_heap_first(&pool->timers);
    switch (step % 6) {
    case 0:
        pp_pool_harvest(pool, scene->worker);
        break;
    case 1:
        pp_pool_collect(pool);
        break;
    case 2:
        pp_pool_arm(pool);
        pp_pool_dispatch(pool);
        break;
    case 3:
        pp_pool_recall_behind(pool, scene->worker);
        break;
    case 4:
        if (timer != NULL)
            pp_pool_due(pool, timer);
        break;
    default:
        pool->result_hint = step >> 3 & 3;
        pp_pool_retire(pool, scene->worker);
    }
}

/* ------------------------------------------------------------------------ the worker's steps */

static uint64_t near(const struct scene *scene, unsigned where)
{
    return scene->worker->head + where % 8 - (where >> 3 & 1);
}

static void write_anywhere(void *memory, size_t size, struct input *input)
{
    size_t at = (size_t)input_number(input, 3) % size;
    size_t length = input_byte(input);
    if (length > size - at)
        length = size - at;
    (void)input_copy(input, (unsigned char *)memory + at, length);
}

static void fill_all(struct scene *scene, unsigned byte)
{
    memset(scene->worker->box, (int)byte, sizeof *scene->worker->box);
    if (byte % 2 == 0)
        memset(scene->worker->ledger, (int)byte, sizeof *scene->worker->ledger);
}

static void write_word(struct scene *scene, struct input *input)
{
    uint64_t          ticket = near(scene, input_byte(input));
    unsigned          state = input_byte(input);
    struct pp_result *result = pp_box_result(scene->worker->box, ticket);
    if (state % 2 != 0)
        result = &scene->worker->ledger->kept[ticket % PP_RING];
    atomic_store(&result->word, ticket << 8 | state >> 1);
}

/* A result of any size and flags, and with any payload, that is done. */
static void write_result(struct scene *scene, struct input *input)
{
    uint64_t          ticket = near(scene, input_byte(input));
    struct pp_result *result = pp_box_result(scene->worker->box, ticket);
    unsigned          shift = input_byte(input);
    result->size = input_number(input, 2) << (shift % 64);
    result->flags = input_byte(input);
    atomic_store(&result->began, (int64_t)input_number(input, 8));
    result->ended = (int64_t)input_number(input, 8);
    (void)input_copy(input, result->data, sizeof result->data);
    pp_mailbox_publish_result(result, ticket);
}

/* As a worker should. */
static void execute(struct scene *scene)
{
    struct pp_worker *worker = scene->worker;
    uint64_t          ticket = worker->head;
    struct pp_result *result = pp_box_result(worker->box, ticket);
    uint64_t          word = atomic_load(&result->word);
    if (pp_mailbox_claim(result, ticket) != PP_CLAIM_YES)
        return;
    CHECK(word == pp_word(ticket, PP_SLOT_QUEUED));
    atomic_store(&worker->ledger->begun, ticket);
    result->data[0] = 0xc0;
    result->size = 1;
    result->flags = 0;
    pp_mailbox_publish_result(result, ticket);
}

static void claim_any(struct input *input)
{
    struct pp_result result = {0};
    uint64_t         word = input_number(input, 8);
    uint64_t         ticket = PP_FIRST_TICKET + input_number(input, 7) % (UINT64_C(1) << 55);
    atomic_store(&result.word, word);
    enum pp_claim claim = pp_mailbox_claim(&result, ticket);
    CHECK((claim == PP_CLAIM_YES) == (word == pp_word(ticket, PP_SLOT_QUEUED)));
    atomic_store(&result.word, word);
    enum pp_slot_state state = pp_mailbox_state(&result, ticket);
    CHECK((state == PP_SLOT_DONE) == (word == pp_word(ticket, PP_SLOT_DONE)));
}

/* A message of any length, with descriptors that are buffers, or are not. */
static void send_parcel(struct scene *scene, struct input *input)
{
    static int    kinds[3] = {-1, -1, -1};
    unsigned char message[64] = {0};
    int           fds[7];
    unsigned      how = input_byte(input);
    uint64_t      ticket = near(scene, input_byte(input));
    if (kinds[0] < 0) {
        pp_buffer *buffer = NULL;
        CHECK(pp_buffer_create(&buffer, 2000) == 0);
        kinds[0] = fcntl(pp_buffer_fd(buffer), F_DUPFD_CLOEXEC, 0);
        kinds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
        kinds[2] = kinds[0];
        pp_buffer_unref(buffer);
    }
    for (unsigned i = 0; i < 7; i++)
        fds[i] = kinds[(how >> 4) % 3];
    memcpy(message, &ticket, sizeof ticket);
    size_t size = (how & 8) != 0 ? input_byte(input) % sizeof message : sizeof ticket;
    (void)pp_send_message(scene->worker->worker_socket, message, size, fds, how & 7, MSG_DONTWAIT);
}

static void worker_step(struct scene *scene, unsigned step, struct input *input)
{
    struct pp_worker *worker = scene->worker;
    switch (step) {
    case 0:
        write_anywhere(worker->box, sizeof *worker->box, input);
        break;
    case 1:
        write_anywhere(worker->ledger, sizeof *worker->ledger, input);
        break;
    case 2:
        write_word(scene, input);
        break;
    case 3:
        write_result(scene, input);
        break;
    case 4:
        send_parcel(scene, input);
        break;
    case 5:
        execute(scene);
        break;
    case 6:
        fill_all(scene, input_byte(input));
        break;
    default:
        claim_any(input);
    }
}

/* ------------------------------------------------------------------------ the end */

static void cancel(struct pp_pool *pool, struct pp_task *task)
{
    struct pp_outcome *outcome = pp_outcome_error(PP_CANCELLED, ECANCELED, "Cancelled", "", "", 0);
    if (pp_task_place(task) == PP_PLACE_PENDING)
        pp_queue_remove(&pool->queue, task);
    else
        pp_list_remove(&task->link);
    pp_pool_latch(pool, task, outcome);
}

static void die(struct pp_pool *pool, struct pp_worker *worker, int status)
{
    worker->wait_status = status;
    worker->status_known = true;
    pp_pool_set_worker_state(pool, worker, PP_WORKER_DEAD);
    pp_pool_sweep(pool, worker);
    CHECK(worker->inflight == 0);
    CHECK(worker->request_used == 0 && worker->result_used == 0);
}

static void end(struct scene *scene, int status)
{
    struct pp_pool *pool = scene->pool;
    uint64_t        ended = 0;
    if (scene->worker != NULL)
        die(pool, scene->worker, status);
    CHECK(pool->behind == 0 && pool->busy_count == 0);
    for (unsigned i = 0; i < scene->count; i++) {
        struct pp_task *task = scene->tasks[i];
        CHECK(pp_task_place(task) != PP_PLACE_SENT);
        CHECK(task->attempts <= pp_task_retries(task) + 1);
        if (pp_task_place(task) != PP_PLACE_ENDED)
            cancel(pool, task);
        CHECK(task->outcome != NULL);
        pp_task_unref(task);
    }
    ended = pool->counts.done + pool->counts.failed + pool->counts.timed_out +
            pool->counts.cancelled + pool->counts.worker_lost;
    CHECK(ended == scene->count);
    host_free(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    struct scene scene = {.pool = host_new(1)};
    scene.worker = host_add_worker(scene.pool, true);
    uint64_t incarnation = scene.worker->incarnation;
    for (int steps = 0; steps < MOST_STEPS && input_left(&input) > 0 && scene.worker != NULL;
         steps++) {
        unsigned step = input_byte(&input);
        if (step < 64)
            submit(&scene, &input);
        else if (step < 128)
            host_step(&scene, step);
        else
            worker_step(&scene, step % 8, &input);
        scene.worker = pp_pool_find_worker(scene.pool, incarnation);
    }
    end(&scene, (int)(size % 3 == 0 ? PP_EXIT_BOX_RUINED << 8 : size % 3 == 1 ? 9 : 0));
    return 0;
}
