/*
 * halt.c - the condition of --halt.
 *
 * A share is one of all inputs.  While their number is not known it is one of the jobs that have
 * ended, and a few do not make a share: MANY must have.
 */
#include "halt.h"

enum { MANY = 100 };

bool cmd_halt_reached(const struct cmd_halt *halt, const struct cmd_counts *counts, uint64_t total,
                      bool exact)
{
    uint64_t all = cmd_counts_all(counts);
    uint64_t done = counts->ended[CMD_DONE];
    uint64_t of[] = {
        [CMD_HALT_FAIL] = all - done, [CMD_HALT_SUCCESS] = done, [CMD_HALT_DONE] = all};
    uint64_t count = of[halt->what];
    if (halt->when == CMD_HALT_NEVER || count == 0)
        return false;
    if (halt->count > 0)
        return count >= halt->count;
    if (!exact && (halt->what == CMD_HALT_DONE || all < MANY))
        return false;
    return (double)count * 100 >= halt->percent * (double)(exact ? total : all);
}
