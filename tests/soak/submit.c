/*
 * submit.c - the submitters: threads that queue tasks by chance, hold on to some of them, and wait
 * for, cancel or forget those.
 *
 * A round's submitters stop when they are told or when the pool takes no more.
 */
#include "soak.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 16, WEIGHT = 4096 };

const char *const mode_names[MODES] = {"stream", "mixed", "storm", "ping"};

_Atomic uint64_t map_items;
_Atomic uint64_t cancels;
_Atomic uint64_t refused;

/* Of 4096 tasks that many are of the kind; the rest is tiny. */
static const uint16_t weights[MODES][KINDS] = {
    [MODE_STREAM] = {[KIND_ECHO] = 1, [KIND_ARGUMENTS] = 1},
    [MODE_MIXED] = {[KIND_ECHO] = 400,
                    [KIND_ARGUMENTS] = 200,
                    [KIND_BUFFER] = 60,
                    [KIND_CLOSURE] = 100,
                    [KIND_CLASS] = 100,
                    [KIND_NAMED] = 100,
                    [KIND_RAISE] = 100,
                    [KIND_CRASH] = 100,
                    [KIND_EXIT] = 60,
                    [KIND_LEAVES_CHILD] = 20,
                    [KIND_WAITS_FOR_CHILD] = 10,
                    [KIND_SPIN] = 10,
                    [KIND_DEAF] = 10,
                    [KIND_SOFT] = 20,
                    [KIND_NAP] = 40,
                    [KIND_LONG] = 10,
                    [KIND_FLAKY] = 40},
    [MODE_STORM] = {[KIND_CRASH] = 2800, [KIND_EXIT] = 400},
    [MODE_PING] = {[KIND_ECHO] = 400, [KIND_CRASH] = 200, [KIND_SPIN] = 20, [KIND_FLAKY] = 20},
};

static enum kind choose_kind(struct dice *dice, enum mode mode)
{
    unsigned left = roll_below(dice, WEIGHT);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        if (left < weights[mode][kind])
            return (enum kind)kind;
        left -= weights[mode][kind];
    }
    return KIND_TINY;
}

struct submitter {
    struct thread *thread;
    struct round  *round;
    struct dice    dice;
    pp_task       *window[WINDOW];
};

static void doing(struct submitter *self, const char *what)
{
    atomic_store_explicit(&self->thread->doing, what, memory_order_relaxed);
}

/* ----------------------------------------------------------------------- the window */

static void check(struct submitter *self, int error, int allowed_a, int allowed_b)
{
    if (error < 0 && error != allowed_a && error != allowed_b)
        violation("%s answered %s", atomic_load(&self->thread->doing), strerror(-error));
}

static void cancel(struct submitter *self, pp_task *task)
{
    struct entry *entry = &ledger.entries[pp_task_id(task) % ENTRIES];
    doing(self, "pp_task_cancel");
    /* before it can have an effect; the next task of the entry may have it for nothing */
    atomic_store(&entry->cancel_asked, true);
    check(self, pp_task_cancel(task), -EALREADY, 0);
    atomic_fetch_add_explicit(&cancels, 1, memory_order_relaxed);
}

static void let_go(struct submitter *self, unsigned place)
{
    pp_task_unref(self->window[place]);
    self->window[place] = NULL;
}

static void hold(struct submitter *self, pp_task *task)
{
    unsigned place = roll_below(&self->dice, WINDOW);
    if (self->window[place] != NULL) {
        if (roll_below(&self->dice, 2) == 0)
            cancel(self, self->window[place]);
        let_go(self, place);
    }
    self->window[place] = task;
}

/* Those that are held, in a row. */
static size_t held(const struct submitter *self, pp_task *tasks[WINDOW])
{
    size_t count = 0;
    for (unsigned i = 0; i < WINDOW; i++)
        if (self->window[i] != NULL)
            tasks[count++] = self->window[i];
    return count;
}

static void must_have_ended(const pp_task *task)
{
    if (pp_task_state(task) < PP_DONE)
        violation("waited for task %llu, but it is %s", (unsigned long long)pp_task_id(task),
                  pp_state_name(pp_task_state(task)));
}

static void wait_for_some(struct submitter *self)
{
    pp_task *tasks[WINDOW];
    size_t   count = held(self, tasks);
    double   limit = roll_below(&self->dice, 2) == 0 ? 0.005 : PP_FOREVER;
    if (count == 0)
        return;
    switch (roll_below(&self->dice, 3)) {
    case 0: {
        doing(self, "pp_wait_any");
        int index = pp_wait_any(tasks, count, limit);
        check(self, index, limit < 0 ? 0 : -ETIMEDOUT, 0);
        if (index >= 0)
            must_have_ended(tasks[index]);
        break;
    }
    case 1: {
        doing(self, "pp_wait_all");
        int error = pp_wait_all(tasks, count, limit);
        check(self, error, limit < 0 ? 0 : -ETIMEDOUT, 0);
        for (size_t i = 0; error == 0 && i < count; i++)
            must_have_ended(tasks[i]);
        break;
    }
    default: {
        doing(self, "pp_task_wait");
        int error = pp_task_wait(tasks[0], limit);
        check(self, error, limit < 0 ? 0 : -ETIMEDOUT, 0);
        if (error == 0)
            must_have_ended(tasks[0]);
        break;
    }
    }
}

/* ------------------------------------------------------------------------- the rest */

static void map(struct submitter *self)
{
    enum { MOST = 400 };
    uint64_t items[MOST];
    uint64_t out[MOST];
    size_t   failed = 0;
    size_t   count = 1 + roll_below(&self->dice, MOST);
    for (size_t i = 0; i < count; i++)
        items[i] = roll(&self->dice);
    doing(self, "pp_pool_map");
    int error = pp_pool_map(self->round->pool, PP_FUNCTION(task_map_item), items, sizeof *items,
                            count, out, sizeof *out, roll_below(&self->dice, 20), &failed);
    /* in chaos each of its tasks may be lost, with finalize each may be dropped */
    if (error < 0 && !self->round->chaos && !atomic_load(&ledger.finishing))
        violation("pp_pool_map answered %s in peace", strerror(-error));
    for (size_t i = 0; error == 0 && i < count; i++)
        if (out[i] != mix(items[i]))
            violation("pp_pool_map: item %zu of %zu is wrong", i, count);
    atomic_fetch_add_explicit(&map_items, error == 0 ? count : 0, memory_order_relaxed);
}

/* Give the callbacks a chance where nobody else runs them. */
static void process(struct submitter *self, double limit)
{
    doing(self, "pp_pool_process_results");
    if (limit > 0)
        check(self, pp_pool_process_all_results(self->round->pool, limit), -ETIMEDOUT, 0);
    else if (!self->round->daemonized)
        check(self, pp_pool_process_results(self->round->pool), 0, 0);
}

/* False: the pool takes no more. */
static bool submit_one(struct submitter *self)
{
    enum mode mode = self->round->mode;
    enum kind kind = choose_kind(&self->dice, mode);
    pp_task  *task = NULL;
    bool      keep = mode != MODE_STREAM && (kind == KIND_LONG || roll_below(&self->dice, 16) == 0);
    bool      blocking = roll_below(&self->dice, 64) != 0;
    doing(self, "submitting");
    int error = kind_submit(self->round->pool, &self->dice, kind, blocking, mode == MODE_STREAM,
                            keep ? &task : NULL);
    if (error == -EAGAIN) {
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
        process(self, blocking ? 0.1 : 0); /* blocking: the ledger is full */
        return true;
    }
    if (error == -ESHUTDOWN && atomic_load(&ledger.finishing))
        return false;
    check(self, error, 0, 0);
    if (task != NULL)
        hold(self, task);
    return error == 0;
}

/* One task at a time, and nobody else stirs: a wake-up that gets lost stays lost. */
static bool ping(struct submitter *self)
{
    pp_task *task = NULL;
    doing(self, "submitting one");
    int error = kind_submit(self->round->pool, &self->dice, choose_kind(&self->dice, MODE_PING),
                            true, false, &task);
    if (error == -ESHUTDOWN && atomic_load(&ledger.finishing))
        return false;
    if (error == 0) {
        doing(self, "waiting for the only task");
        error = pp_task_wait(task, PP_FOREVER);
        must_have_ended(task);
        pp_task_unref(task);
    }
    check(self, error, 0, 0);
    if (roll_below(&self->dice, 4) == 0)
        process(self, 60);
    return error == 0;
}

static bool work(struct submitter *self)
{
    if (self->round->mode == MODE_PING)
        return ping(self);
    unsigned often = self->round->mode == MODE_STREAM ? 512 : 32;
    if (roll_below(&self->dice, often) == 0)
        process(self, 0);
    if (self->round->mode == MODE_MIXED) {
        if (roll_below(&self->dice, 64) == 0)
            wait_for_some(self);
        if (roll_below(&self->dice, 512) == 0)
            map(self);
        if (roll_below(&self->dice, 1024) == 0)
            process(self, 0.05);
    }
    return submit_one(self);
}

void *submitter_main(void *data)
{
    struct submitter self = {.thread = data};
    self.round = self.thread->round;
    self.dice.state = mix(self.round->seed + self.thread->number);
    while (!atomic_load_explicit(&self.round->stop, memory_order_relaxed) && work(&self))
        ;
    for (unsigned i = 0; i < WINDOW; i++)
        if (self.window[i] != NULL)
            let_go(&self, i);
    arrived(self.thread);
    return NULL;
}
