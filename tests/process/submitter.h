/*
 * submitter.h - a queue that is full, and a thread that queues a task and may have to wait for a place.
 */
#ifndef PP_TESTS_SUBMITTER_H
#define PP_TESTS_SUBMITTER_H

#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline pp_pool *queue_of(unsigned workers, unsigned places)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = workers;
    options.max_queued_requests = places;
    return pool_with(&options);
}

static inline pp_task *new_task(pp_function *function, bool blocking)
{
    pp_task        *task = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.blocking = blocking;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(function), &options, NULL), 0);
    return task;
}

/* One worker, which is in a gate task, and a queue of one place, which is taken: what is queued. */
struct full_pool {
    pp_pool *pool;
    pp_task *running;
    pp_task *waiting;
};

static inline struct full_pool make_full(void)
{
    struct full_pool full;
    gate_open(&the_gate);
    full.pool = queue_of(1, 1);
    full.running = queue_function(full.pool, gate_task, NULL);
    gate_await(&the_gate);
    full.waiting = queue_function(full.pool, gate_task, NULL);
    assert_true(pp_pool_is_full(full.pool));
    return full;
}

static inline void release_full(struct full_pool *full)
{
    pp_task_unref(full->running);
    pp_task_unref(full->waiting);
    pp_pool_destroy(full->pool);
    gate_close(&the_gate);
}

struct submitter {
    pp_pool    *pool;
    pp_task    *task;
    double      timeout; /* of the timed call; below 0: the plain one */
    int         result;  /* after submitter_join */
    pthread_t   thread;
    atomic_int  tid;
    atomic_bool returned;
};

static inline void *submitter_main(void *data)
{
    struct submitter *self = data;
    atomic_store(&self->tid, (int)syscall(SYS_gettid));
    if (self->timeout >= 0)
        self->result = pp_pool_queue_task_timed(self->pool, self->task, self->timeout);
    else
        self->result = pp_pool_queue_task(self->pool, self->task);
    atomic_store(&self->returned, true);
    return NULL;
}

/* The call has returned, or its thread sleeps. */
static inline bool submitter_settled(void *data)
{
    struct submitter *self = data;
    char              path[64];
    char              text[512];
    int               tid = atomic_load(&self->tid);
    if (tid == 0 || atomic_load(&self->returned))
        return tid != 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strncmp(name_end, ") S", 3) == 0;
}

static inline void submitter_start(struct submitter *self, pp_pool *pool, pp_task *task,
                                   double timeout)
{
    *self = (struct submitter){.pool = pool, .task = task, .timeout = timeout};
    assert_int_equal(pthread_create(&self->thread, NULL, submitter_main, self), 0);
}

/* Start it, and see that it waits for a place. */
static inline void submitter_block(struct submitter *self, pp_pool *pool, pp_task *task,
                                   double timeout)
{
    submitter_start(self, pool, task, timeout);
    assert_true(eventually(submitter_settled, self));
    assert_false(atomic_load(&self->returned));
}

static inline int submitter_join(struct submitter *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    return self->result;
}

#endif
