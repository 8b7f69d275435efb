/*
 * lineage.c - a page that the kernel wipes in forked children (MADV_WIPEONFORK).
 *
 * This is process-wide state, and fork is why it exists: a child must notice that a pool is its
 * parent's, also when it was made by a bare clone that no pthread_atfork handler sees.
 *
 * Invariant: *page is zero or the mark of this very process.  A child finds zero and makes a mark
 * of its own when it creates a pool.
 */
#include "base/lineage.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(_Atomic uint64_t *) page;

/* Racing callers may both map; one publishes, the other unmaps its own. */
static int page_ready(_Atomic uint64_t **ready)
{
    *ready = atomic_load_explicit(&page, memory_order_acquire);
    if (*ready != NULL)
        return 0;
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void  *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    if (madvise(mapped, size, MADV_WIPEONFORK) < 0) {
        int error = -errno;
        munmap(mapped, size);
        return error;
    }
    if (atomic_compare_exchange_strong(&page, ready, (_Atomic uint64_t *)mapped))
        *ready = mapped;
    else
        munmap(mapped, size);
    return 0;
}

/* Time and pid together: a child forked within the same nanosecond still differs by its pid. */
static uint64_t fresh_mark(void)
{
    uint64_t mark = ((uint64_t)pp_clock_now() << 22) ^ (uint64_t)getpid();
    return mark != 0 ? mark : 1;
}

int pp_lineage_mark(uint64_t *mark)
{
    _Atomic uint64_t *word = NULL;
    int               error = page_ready(&word);
    if (error < 0)
        return error;
    uint64_t found = 0;
    if (atomic_compare_exchange_strong(word, &found, fresh_mark()))
        found = atomic_load(word);
    *mark = found;
    return 0;
}

bool pp_lineage_is(uint64_t mark)
{
    _Atomic uint64_t *word = atomic_load_explicit(&page, memory_order_acquire);
    return word != NULL && atomic_load_explicit(word, memory_order_relaxed) == mark;
}
