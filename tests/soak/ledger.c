/*
 * ledger.c - every task's entry, from its acceptance to its last callback.
 *
 * Invariants
 *   - An entry is FREE, OPEN (submitted), JUDGED (the task's own callback ran, the pool's is due).
 *     Each step is one atomic exchange, so that a callback too many finds it in the wrong state, or
 *     with another task's id, and is counted as a duplicate.
 *   - The id holds the index: the pool's callback, which has no userdata of the task, finds it so.
 */
#include "soak.h"

#include <stdarg.h>
#include <stdio.h>

enum entry_state { FREE, OPEN, JUDGING, JUDGED };

struct ledger    ledger;
_Atomic uint64_t violations;

void violation(const char *format, ...)
{
    enum { SHOWN = 50 };
    char    text[256];
    va_list arguments;
    if (atomic_fetch_add(&violations, 1) >= SHOWN)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "soak: VIOLATION: %s\n", text);
}

struct entry *ledger_open(enum kind kind, uint32_t what)
{
    for (unsigned tried = 0; tried < ENTRIES; tried++) {
        unsigned index =
            atomic_fetch_add_explicit(&ledger.cursor, 1, memory_order_relaxed) % ENTRIES;
        struct entry *entry = &ledger.entries[index];
        uint32_t      state = FREE;
        if (!atomic_compare_exchange_strong(&entry->state, &state, OPEN))
            continue;
        entry->index = index;
        entry->id = (atomic_fetch_add(&ledger.next_id, 1) + 1) * ENTRIES + index;
        entry->kind = kind;
        entry->what = what;
        entry->max_retries = 0;
        entry->buffer = NULL;
        entry->pool_callback = false;
        atomic_store(&entry->cancel_asked, false);
        atomic_store(&board->traces[index], entry->id << 8);
        atomic_fetch_add(&ledger.in_flight, 1);
        return entry;
    }
    return NULL;
}

static void make_free(struct entry *entry)
{
    pp_buffer_unref(entry->buffer);
    entry->buffer = NULL;
    atomic_store(&board->traces[entry->index], 0); /* who executes it now is a stray */
    atomic_fetch_sub(&ledger.in_flight, 1);
    atomic_store(&entry->state, FREE);
}

void ledger_withdraw(struct entry *entry)
{
    make_free(entry);
}

void ledger_accepted(void)
{
    atomic_fetch_add_explicit(&ledger.accepted, 1, memory_order_relaxed);
}

static void wrong(const struct entry *entry, const pp_task *task, const char *what)
{
    const pp_error *error = pp_task_error(task);
    atomic_fetch_add(&ledger.wrong, 1);
    violation("%s task %llu (what %u): %s; %s, attempts %u, executions %u: %s",
              kinds[entry->kind].name, (unsigned long long)entry->id, entry->what, what,
              pp_state_name(pp_task_state(task)), pp_task_attempts(task),
              (unsigned)(atomic_load(&board->traces[entry->index]) & 0xff),
              error != NULL ? pp_error_message(error) : "-");
}

static void judge(struct entry *entry, const pp_task *task)
{
    pp_state state = pp_task_state(task);
    unsigned allowed = kinds[entry->kind].allowed;
    unsigned attempts = pp_task_attempts(task);
    unsigned runs = atomic_load(&board->traces[entry->index]) & 0xff;
    bool     chaos = atomic_load(&ledger.chaos);
    if (chaos)
        allowed |= BIT(PP_WORKER_LOST);
    if (atomic_load(&entry->cancel_asked) || atomic_load(&ledger.finishing)) {
        allowed |= BIT(PP_CANCELLED);
        if (entry->max_retries > 0) /* its attempt had failed before that, and there is no other */
            allowed |= BIT(PP_FAILED) | BIT(PP_WORKER_LOST);
    }
    if ((allowed & BIT(state)) == 0)
        wrong(entry, task, "an outcome that must not be");
    if (runs > attempts)
        wrong(entry, task, "executed more often than attempted");
    if (attempts > entry->max_retries + 1)
        wrong(entry, task, "more attempts than it may have");
    if (state == PP_DONE && runs == 0)
        wrong(entry, task, "done without having been executed");
    if (state == PP_WORKER_LOST && kinds[entry->kind].innocent && attempts > 0)
        atomic_fetch_add(&ledger.innocents_lost, 1);
    if (state == PP_WORKER_LOST && attempts == 0)
        atomic_fetch_add(&ledger.never_begun, 1);
    atomic_fetch_add_explicit(&ledger.outcomes[entry->kind][state], 1, memory_order_relaxed);
    entry->outcome = state;
}

/* The entry that the task is in, taken one step further; NULL: it was there before. */
static struct entry *step(const pp_task *task, const void *expected, uint32_t from)
{
    uint64_t      id = pp_task_id(task);
    struct entry *entry = &ledger.entries[id % ENTRIES];
    uint32_t      state = from;
    if ((expected == NULL || expected == entry) && entry->id == id &&
        atomic_compare_exchange_strong(&entry->state, &state, JUDGING))
        return entry;
    atomic_fetch_add(&ledger.duplicates, 1);
    violation("a callback too many for task %llu, entry %u has %llu in state %u",
              (unsigned long long)id, entry->index, (unsigned long long)entry->id, state);
    return NULL;
}

static void own_callback_ran(struct entry *entry, bool right, pp_task *task)
{
    judge(entry, task);
    if (!right)
        wrong(entry, task, "not what its arguments demand");
    atomic_fetch_add_explicit(&ledger.callbacks, 1, memory_order_relaxed);
    if (entry->pool_callback)
        atomic_store(&entry->state, JUDGED);
    else
        make_free(entry);
}

void on_result(pp_task *task, const pp_value *result, void *userdata)
{
    struct entry *entry = step(task, userdata, OPEN);
    if (entry != NULL)
        own_callback_ran(entry, kind_judge_result(entry, result), task);
}

void on_exception(pp_task *task, const pp_error *error, void *userdata)
{
    struct entry *entry = step(task, userdata, OPEN);
    if (entry != NULL)
        own_callback_ran(entry, kind_judge_error(entry, error), task);
}

static void pool_callback_ran(pp_task *task, bool done)
{
    struct entry *entry = step(task, NULL, JUDGED);
    if (entry == NULL)
        return;
    if ((entry->outcome == PP_DONE) != done || entry->outcome != pp_task_state(task))
        wrong(entry, task, "another outcome in the pool's callback");
    atomic_fetch_add_explicit(&ledger.callbacks, 1, memory_order_relaxed);
    make_free(entry);
}

void on_pool_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)result;
    (void)userdata;
    pool_callback_ran(task, true);
}

void on_pool_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)error;
    (void)userdata;
    pool_callback_ran(task, false);
}

void ledger_print_in_flight(void)
{
    enum { SHOWN = 40 };
    unsigned shown = 0;
    for (unsigned i = 0; i < ENTRIES && shown < SHOWN; i++) {
        const struct entry *entry = &ledger.entries[i];
        if (atomic_load(&entry->state) == FREE)
            continue;
        shown++;
        fprintf(stderr,
                "soak:   task %llu, %s, what %u, entry in state %u, executions begun %u%s\n",
                (unsigned long long)entry->id, kinds[entry->kind].name, entry->what,
                atomic_load(&entry->state), (unsigned)(atomic_load(&board->traces[i]) & 0xff),
                atomic_load(&entry->cancel_asked) ? ", cancel asked for" : "");
    }
}
