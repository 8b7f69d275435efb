/*
 * initialised.h - worker_init and worker_exit that note in shared memory what they did, and fail in
 * every way.
 */
#ifndef PP_TESTS_INITIALISED_H
#define PP_TESTS_INITIALISED_H

#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum way { SUCCEED, RETURN_ERROR, RETURN_POSITIVE, ABORT, EXIT_0, EXIT_7, QUICK_EXIT_7, WAYS };

/* Host and workers see it. */
struct shared {
    atomic_int way; /* what worker_init does */
    atomic_int inits;
    atomic_int exits;
    atomic_int wrong; /* states that did not arrive */
};
static struct shared *shared;

static inline int map_shared(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static inline int unmap_shared(void **state)
{
    (void)state;
    return munmap(shared, sizeof *shared);
}

static inline int clear_shared(void **state)
{
    (void)state;
    memset(shared, 0, sizeof *shared);
    return 0;
}

static pid_t initialised; /* in a worker: the state that init gives */

static inline int init(void *arg, void **state)
{
    atomic_fetch_add(&((struct shared *)arg)->inits, 1);
    switch ((enum way)atomic_load(&shared->way)) {
    case RETURN_ERROR:
        return -EACCES;
    case RETURN_POSITIVE:
        return 5;
    case ABORT:
        abort();
    case EXIT_0:
        exit(0);
    case EXIT_7:
        exit(7);
    case QUICK_EXIT_7:
        _exit(7);
    default:
        break;
    }
    initialised = getpid();
    *state = &initialised;
    return 0;
}

static inline void leave(void *arg, void *state)
{
    if (arg != shared || state != &initialised || initialised != getpid())
        atomic_fetch_add(&shared->wrong, 1);
    atomic_fetch_add(&shared->exits, 1);
}

/* The pid that init put into the state. */
static inline int return_state(pp_call *call)
{
    pid_t *state = pp_call_state(call);
    return state != NULL ? pp_call_return(call, "i", (int)*state) : -EFAULT;
}

static inline pp_pool_options options_of(unsigned min_size, unsigned max_size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = min_size;
    options.max_size = max_size;
    options.worker_init = init;
    options.worker_exit = leave;
    options.worker_arg = shared;
    return options;
}

#define INITIALISED_TEST(function) cmocka_unit_test_setup(function, clear_shared)

#endif
