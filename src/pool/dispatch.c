/*
 * dispatch.c - (3) pending tasks go into the trays of workers, and come back from there.
 *
 * How deep a tray is filled: an idle worker gets one task.  Behind that, more are put as far as the
 * pool's tasks have been short, so that a worker does not wait for the host between two of them; for
 * long ones there is no gain, and none are.  What waits behind a task that turns out to be slow is
 * taken back (limits.c).
 *
 * Invariants
 *   - Only a READY worker is given tasks.
 *   - A task with descriptors goes to a worker with an empty tray: at most a few messages are ever in
 *     its socket.
 *   - pool->behind is the sum over all workers of the tasks in their trays but the first.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/prefetch.h"
#include "pool/pool.h"
#include "shm/buffer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LOOK_AHEAD_NS = 1000 * 1000,      /* of work in one tray */
    WAKE_NS = 20 * 1000,              /* what it takes to wake a worker, about */
    LOOK_NS = 4 * 1000,               /* so often a full tray is looked through, at most */
    SHORT_NS = 10 * 1000 * 1000,      /* above, a task is long: none behind it */
    STALL_FLOOR_NS = 2 * 1000 * 1000, /* how long something may wait behind a task, at least */
    BUSY_TRIES = 4,                   /* workers looked at for a place behind */
    RESULT_HINT_MAX = 16              /* granules, when other tasks are in the tray */
};

/* ------------------------------------------------------------------------ arena */

static uint64_t mask_of(unsigned first, unsigned count)
{
    uint64_t ones = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    return ones << first;
}

/* `count` free granules in a row: the first, or -1. */
static int take_granules(uint64_t *used, unsigned count)
{
    for (unsigned first = 0; first + count <= PP_ARENA_GRANULES; first++) {
        uint64_t mask = mask_of(first, count);
        if ((*used & mask) == 0) {
            *used |= mask;
            return (int)first;
        }
    }
    return -1;
}

static unsigned granules_for(size_t size)
{
    return (unsigned)((size + PP_GRANULE - 1) / PP_GRANULE);
}

/* ------------------------------------------------------------------------- send */

/* Bytes and captured data promise an alignment that a line does not give. */
static bool fits_inline(const struct pp_task *task)
{
    if (pp_task_payload_size(task) > PP_INLINE)
        return false;
    bool aligned = task->target.captured_size > 0 || (task->flags & PP_REQUEST_BYTES) != 0;
    return !aligned || pp_task_payload_size(task) <= 8;
}

/* Find the places of request and result: 0, or -EAGAIN when the tray has no room now. */
static int place(struct pp_pool *pool, struct pp_worker *worker, const struct pp_task *task,
                 struct pp_sent *sent)
{
    *sent = (struct pp_sent){.request_arena = PP_PLACE_INLINE};
    if ((task->flags & PP_REQUEST_MAPPED) == 0 && !fits_inline(task)) {
        unsigned count = granules_for(task->payload_size);
        int      first = take_granules(&worker->request_used, count);
        if (first < 0)
            return -EAGAIN;
        sent->request_arena = (int8_t)first;
        sent->request_granules = (uint8_t)count;
    }
    unsigned wanted = pool->result_hint;
    if (worker->inflight > 0 && wanted > RESULT_HINT_MAX)
        wanted = RESULT_HINT_MAX;
    int first = wanted > 0 ? take_granules(&worker->result_used, wanted) : -1;
    if (first >= 0) { /* otherwise a large result goes into a memfd */
        sent->result_arena = (int8_t)first;
        sent->result_granules = (uint8_t)wanted;
    }
    return 0;
}

static int send_descriptors(struct pp_worker *worker, const struct pp_task *task)
{
    struct pp_parcel parcel = {.ticket = worker->tail};
    int              fds[PP_MAX_DESCRIPTORS];
    size_t           count = 0;
    if ((task->flags & PP_REQUEST_DESCRIPTORS) == 0)
        return 0;
    if ((task->flags & PP_REQUEST_MAPPED) != 0)
        fds[count++] = task->uncommon->payload_fd;
    for (size_t i = 0; i < task->uncommon->buffers.count; i++)
        fds[count++] = pp_buffer_fd(task->uncommon->buffers.items[i]);
    return pp_send_message(worker->socket, &parcel, sizeof parcel, fds, count, MSG_DONTWAIT);
}

static void write_request(struct pp_worker *worker, const struct pp_task *task,
                          const struct pp_sent *sent)
{
    struct pp_request *request = pp_tray_request(worker->tray, worker->tail);
    request->task_id = task->id;
    request->offset = task->target.offset;
    request->size = pp_task_payload_size(task);
    request->captured_size = task->target.captured_size;
    request->attempt = task->attempts + 1;
    request->name_size = task->target.name_size;
    request->flags = task->flags;
    request->kind = task->target.kind;
    request->arena = sent->request_arena;
    request->result_arena = sent->result_arena;
    request->result_granules = sent->result_granules;
    const unsigned char *payload = pp_task_payload(task);
    if (payload == NULL)
        return;
    unsigned char *into = sent->request_arena == PP_PLACE_INLINE
                              ? request->data
                              : worker->tray->arena[sent->request_arena];
    memcpy(into, payload, task->payload_size);
}

static void free_places(struct pp_worker *worker, const struct pp_sent *sent)
{
    if (sent->request_granules > 0)
        worker->request_used &= ~mask_of((unsigned)sent->request_arena, sent->request_granules);
    if (sent->result_granules > 0)
        worker->result_used &= ~mask_of((unsigned)sent->result_arena, sent->result_granules);
}

/* The worker's list follows from what is in its tray. */
static void count_in(struct pp_pool *pool, struct pp_worker *worker)
{
    if (worker->inflight++ > 0) {
        pool->behind++;
        return;
    }
    pp_list_remove(&worker->link);
    pool->idle_count--;
    pool->busy_count++;
    pp_list_prepend(&pool->busy, &worker->link); /* it is awake, or soon will be */
    pp_heap_remove(&pool->timers, &worker->idle);
}

static void watch_limits(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task)
{
    int64_t now = 0;
    int64_t limit = pp_task_limit(task);
    if (limit > 0) {
        now = pp_clock_now();
        task->uncommon->begun_at = 0;
        task->uncommon->sent_at = now;
        /* it cannot be over earlier than this; then limits.c knows when it began */
        pp_pool_set_timer(pool, &task->uncommon->timer, PP_TIMER_LIMIT,
                          pp_deadline_after(now, limit));
    }
    if (worker->inflight > 1 && worker->stall.index == 0) {
        now = now != 0 ? now : pp_clock_now();
        worker->head_seen = 0;
        pp_pool_set_timer(pool, &worker->stall, PP_TIMER_STALL, now + STALL_FLOOR_NS);
    }
}

/* Tickets at the front that were taken back are over. */
static void drop_taken_back(struct pp_worker *worker)
{
    for (; worker->head < worker->tail; worker->head++) {
        if (worker->sent[worker->head % PP_RING].task != NULL)
            break;
        pp_mailbox_release(pp_box_result(worker->box, worker->head), worker->head);
    }
}

/* Move a pending task into the tray: 0, or -EAGAIN when it cannot take this task now. */
static int send_task(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task)
{
    struct pp_sent sent;
    drop_taken_back(worker);
    if (worker->tail - worker->head >= PP_RING)
        return -EAGAIN;
    if ((task->flags & PP_REQUEST_DESCRIPTORS) != 0 && worker->inflight > 0)
        return -EAGAIN;
    if (place(pool, worker, task, &sent) < 0)
        return -EAGAIN;
    int error = send_descriptors(worker, task);
    if (error < 0) {
        free_places(worker, &sent);
        return error;
    }
    uint64_t ticket = worker->tail;
    write_request(worker, task, &sent);
    pp_queue_remove(&pool->queue, task);
    (void)pp_task_step(task, PP_EVENT_SEND);
    sent.task = task;
    worker->sent[ticket % PP_RING] = sent;
    task->worker = worker;
    task->ticket = ticket;
    task->worker_pid = worker->pid;
    worker->tasks_sent++;
    worker->tail++;
    bool first = worker->inflight == 0;
    count_in(pool, worker);
    if (first && pool->bells) /* armed before it can be done: no second look is needed */
        pp_worker_arm(worker, ticket);
    else if (first)
        pp_worker_disarm(worker);
    pp_mailbox_publish_request(pp_box_result(worker->box, ticket), ticket);
    pp_prefetch_to_write(
        pp_tray_request(worker->tray, worker->tail)); /* the worker read it a round ago */
    watch_limits(pool, worker, task);
    return 0;
}

/* ------------------------------------------------------------------------ depth */

static unsigned depth_of(const struct pp_pool *pool, const struct pp_worker *worker)
{
    if (worker->slow || pool->mean_run < 0 || pool->mean_run > SHORT_NS ||
        pp_queue_mixed(&pool->queue))
        return 1;
    int64_t depth = LOOK_AHEAD_NS / (pool->mean_run + 1);
    if (depth < 2)
        return 2;
    return depth < PP_RING ? (unsigned)depth : PP_RING;
}

static bool has_room(const struct pp_pool *pool, const struct pp_worker *worker)
{
    if (worker->state != PP_WORKER_READY || worker->held)
        return false;
    if (pool->max_tasks > 0 && worker->tasks_sent >= pool->max_tasks)
        return false;
    return worker->inflight < depth_of(pool, worker);
}

static void try_again_later(struct pp_pool *pool)
{
    enum { AGAIN_NS = 10 * 1000 * 1000 };
    if (pool->spawn_timer.index == 0)
        pp_pool_set_timer(pool, &pool->spawn_timer, PP_TIMER_SPAWN, pp_clock_now() + AGAIN_NS);
}

/* A worker with an empty tray could not be given a task.  True: the reason is out of the way - the worker
 * is on its way out, or the task has ended.  False: a shortage, which may pass. */
static bool settle_refusal(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task,
                           int error)
{
    if (error == -EAGAIN || error == -EPIPE || error == -ECONNRESET) {
        /* nothing in its tray and still its socket is full, or closed */
        pp_pool_kill(pool, worker, PP_KILL_BROKEN, 0);
        return true;
    }
    if (error == -ENOMEM || error == -ENOBUFS || error == -ETOOMANYREFS) {
        try_again_later(pool);
        return false;
    }
    /* the kernel refuses these descriptors, whoever shall have them */
    pp_queue_remove(&pool->queue, task);
    pp_pool_latch(pool, task,
                  pp_outcome_error(PP_FAILED, -error, "SendError",
                                   "the arguments could not be sent to a worker", "", 0));
    return true;
}

void pp_pool_refill(struct pp_pool *pool, struct pp_worker *worker)
{
    struct pp_task *task = NULL;
    bool            sent = false;
    while ((task = pp_queue_first(&pool->queue)) != NULL && has_room(pool, worker)) {
        int error = send_task(pool, worker, task);
        if (error == 0)
            sent = true;
        else if (worker->inflight > 0 || !settle_refusal(pool, worker, task, error))
            break;
    }
    if (sent)
        pp_worker_wake(worker);
}

/* What waits in its tray is more work than it takes to wake another. */
static bool has_enough_to_share(const struct pp_pool *pool, const struct pp_worker *worker)
{
    if (worker->inflight < 2)
        return false;
    return worker->slow || pool->mean_run < 0 ||
           (int64_t)(worker->inflight - 1) * (pool->mean_run + 1) >= WAKE_NS;
}

/* When a worker has nothing to do and others have more than one: share. */
static void share_with_idle(struct pp_pool *pool)
{
    struct pp_list *link = pool->busy.next;
    while (pool->idle_count > 0 && pool->behind > 0 && link != &pool->busy) {
        struct pp_worker *worker = PP_CONTAINER(link, struct pp_worker, link);
        link = link->next;
        if (has_enough_to_share(pool, worker))
            pp_pool_recall_behind(pool, worker);
        if (pool->queue.count > 0)
            return;
    }
}

/* So many tasks are as much work as a wake-up takes; 1 when that is not known, or they are not so short. */
static unsigned worth_a_wake_up(const struct pp_pool *pool)
{
    if (pool->mean_run < 0 || pool->mean_run > WAKE_NS / 4)
        return 1;
    int64_t count = WAKE_NS / (pool->mean_run + 1);
    return count < PP_RING ? (unsigned)count : PP_RING;
}

static void fill_up(struct pp_pool *pool, struct pp_worker *worker, unsigned most)
{
    struct pp_task *task = NULL;
    while (worker->inflight < most && (task = pp_queue_first(&pool->queue)) != NULL &&
           has_room(pool, worker) && send_task(pool, worker, task) == 0)
        ;
}

/* One for each, or as many as are worth to wake it; the rest goes behind those that are short. */
static void give_to_idle(struct pp_pool *pool)
{
    unsigned        most = worth_a_wake_up(pool);
    struct pp_task *task = NULL;
    while (pool->idle_count > 0 && (task = pp_queue_first(&pool->queue)) != NULL) {
        struct pp_worker *worker = PP_CONTAINER(pool->idle.next, struct pp_worker, link);
        int               error = send_task(pool, worker, task);
        if (error == 0) {
            fill_up(pool, worker, most);
            pp_worker_wake(worker);
        } else if (!settle_refusal(pool, worker, task, error))
            return;
    }
}

/* What it runs has begun a while ago, if its word is true: it may be longer than those before. */
static bool is_held_up(const struct pp_worker *worker, int64_t now)
{
    struct pp_result *result = pp_box_result(worker->box, worker->head);
    int64_t           began = atomic_load_explicit(&result->began, memory_order_relaxed);
    return pp_mailbox_state(result, worker->head) == PP_SLOT_RUNNING && began <= now &&
           (uint64_t)now - (uint64_t)began > WAKE_NS;
}

/* Look through what it has done, and be told of the rest if somebody is to know. */
static void look_through(struct pp_pool *pool, struct pp_worker *worker)
{
    worker->looked_at = pool->now;
    pp_pool_harvest(pool, worker);
    if (pool->bells && worker->inflight > 0)
        pp_pool_arm_again(pool, worker);
    worker->slow = worker->slow || (worker->inflight > 0 && is_held_up(worker, pool->now));
}

/* May short tasks go behind what this worker has, now or in a moment?  One that sleeps has done all, and is
 * idle then.  It is looked through as often as it can have done what keeps it busy, or half of it. */
static bool keeps_up(struct pp_pool *pool, struct pp_worker *worker, unsigned most)
{
    bool    awake = pp_worker_awake(worker);
    int64_t often = worker->inflight >= most ? LOOK_NS : WAKE_NS;
    if (!awake || pool->now - worker->looked_at > often)
        look_through(pool, worker);
    return awake && !worker->slow && worker->inflight > 0 && worker->state == PP_WORKER_READY &&
           (pool->max_tasks == 0 || worker->tasks_sent < pool->max_tasks);
}

/* It may wait for those that are awake, without another being woken: what waits is less work than that takes,
 * or the processors have work as it is, and any worker can have it. */
static bool may_wait(const struct pp_pool *pool, unsigned awake)
{
    const struct pp_task *first = pp_queue_first(&pool->queue);
    return first != NULL && (first->flags & PP_REQUEST_DESCRIPTORS) == 0 &&
           !pp_queue_mixed(&pool->queue) &&
           (awake >= pool->processors ||
            (int64_t)pool->queue.count < WAKE_NS / (pool->mean_run + 1));
}

/* While one worker keeps up with short tasks, waking another costs more than it gives.  True: what still
 * pends is for those that are awake. */
static bool give_to_awake(struct pp_pool *pool)
{
    if (pool->mean_run < 0 || pool->mean_run > WAKE_NS / 4 || pool->queue.count == 0)
        return false;
    unsigned        most = worth_a_wake_up(pool);
    unsigned        awake = 0;
    struct pp_list *link = pool->busy.next;
    for (int i = 0; i < BUSY_TRIES && link != &pool->busy && pool->queue.count > 0; i++) {
        struct pp_worker *worker = PP_CONTAINER(link, struct pp_worker, link);
        link = link->next; /* looking through it may move it to the idle ones */
        if (!keeps_up(pool, worker, most))
            continue;
        if (worker->inflight < most)
            pp_pool_refill(pool, worker);
        /* should its task turn out to be slow, this timer lets go of what waits */
        awake += worker->stall.index != 0 ? 1 : 0;
    }
    return awake > 0 && may_wait(pool, awake);
}

void pp_pool_dispatch(struct pp_pool *pool)
{
    if (pool->queue.count == 0 && pool->idle_count > 0 && pool->behind > 0)
        share_with_idle(pool);
    if (give_to_awake(pool))
        return;
    give_to_idle(pool);
    for (int i = 0; i < BUSY_TRIES && pool->queue.count > 0 && !pp_list_empty(&pool->busy); i++) {
        struct pp_worker *worker = PP_CONTAINER(pool->busy.next, struct pp_worker, link);
        if (has_room(pool, worker)) {
            pp_pool_refill(pool, worker);
            if (has_room(pool, worker))
                break;
        }
        /* to the end: the next one is looked at next time */
        pp_list_remove(&worker->link);
        pp_list_append(&pool->busy, &worker->link);
    }
}

/* ------------------------------------------------------------------------- back */

/* A worker whose tray became empty is idle, if it may take more. */
static void became_empty(struct pp_pool *pool, struct pp_worker *worker)
{
    pp_list_remove(&worker->link);
    pool->busy_count--;
    if (worker->state == PP_WORKER_READY)
        pp_pool_now_idle(pool, worker);
}

void pp_pool_forget_sent(struct pp_pool *pool, struct pp_worker *worker, uint64_t ticket)
{
    struct pp_sent *sent = &worker->sent[ticket % PP_RING];
    pp_pool_drop_timer(pool, sent->task);
    sent->task->queue_wait = sent->task->run_time = 0; /* where worker and ticket stood */
    free_places(worker, sent);
    *sent = (struct pp_sent){0};
    if (worker->direct != NULL && worker->direct_ticket == ticket)
        pp_pool_end_direct(worker);
    if (--worker->inflight > 0)
        pool->behind--;
    else
        became_empty(pool, worker);
}

bool pp_pool_recall(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task)
{
    if (!pp_mailbox_take_back(pp_box_result(worker->box, task->ticket), task->ticket))
        return false;
    worker->tasks_sent--;
    pool->changes++;
    pp_pool_forget_sent(pool, worker, task->ticket);
    /* its bell may be armed for this ticket, which it will not finish: the manager arms again */
    pp_pool_wake_manager(pool);
    return true;
}

void pp_pool_pend_again(struct pp_pool *pool, struct pp_task *task)
{
    (void)pp_task_step(task, PP_EVENT_BACK);
    pp_queue_add(&pool->queue, task);
}

/* From the end: the worker goes through its tray from the front, so it does not come to what is taken
 * back after.  What comes back keeps its order by pp_queue_add. */
static void recall_down_to(struct pp_pool *pool, struct pp_worker *worker, unsigned kept)
{
    for (uint64_t ticket = worker->tail; worker->inflight > kept && ticket > worker->head;
         ticket--) {
        struct pp_task *task = worker->sent[(ticket - 1) % PP_RING].task;
        if (task == NULL)
            continue;
        if (!pp_pool_recall(pool, worker, task))
            break; /* it has begun, so everything before it is done */
        pp_pool_pend_again(pool, task);
    }
}

void pp_pool_recall_behind(struct pp_pool *pool, struct pp_worker *worker)
{
    recall_down_to(pool, worker, 1);
}

void pp_pool_recall_unbegun(struct pp_pool *pool, struct pp_worker *worker)
{
    recall_down_to(pool, worker, 0);
}
