/*
 * lineage.c - a page that the kernel wipes in forked children (MADV_WIPEONFORK).
 *
 * This is process-wide state, and fork is why it exists: a child must notice that a pool is its
 * parent's, also when it was made by a bare clone that no pthread_atfork handler sees.
 *
 * Invariant: page->mark is zero or the mark of this very process.  A child finds zero and makes a mark
 * of its own when it creates a pool.
 */
#include "base/lineage.h"

#include "base/clock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(struct pp_lineage *) page;

/* Racing callers may both map; one publishes, the other unmaps its own. */
int pp_lineage_here(struct pp_lineage **here)
{
    *here = atomic_load_explicit(&page, memory_order_acquire);
    if (*here != NULL)
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
    if (atomic_compare_exchange_strong(&page, here, (struct pp_lineage *)mapped))
        *here = mapped;
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
    struct pp_lineage *here = NULL;
    int                error = pp_lineage_here(&here);
    if (error < 0)
        return error;
    uint64_t found = 0;
    if (atomic_compare_exchange_strong(&here->mark, &found, fresh_mark()))
        found = atomic_load(&here->mark);
    *mark = found;
    return 0;
}

bool pp_lineage_is(uint64_t mark)
{
    struct pp_lineage *here = atomic_load_explicit(&page, memory_order_acquire);
    return here != NULL && atomic_load_explicit(&here->mark, memory_order_relaxed) == mark;
}
