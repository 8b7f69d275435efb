/*
 * resident.h - the memory of this process that is in RAM, in bytes, as the kernel counts it.
 */
#ifndef BENCH_RESIDENT_H
#define BENCH_RESIDENT_H

#include "measure.h"

static inline double resident_bytes(void)
{
    char   line[256];
    double kib = -1;
    FILE  *file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL)
        die("/proc/self/smaps_rollup", errno);
    while (kib < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Rss:", 4) == 0)
            kib = strtod(line + 4, NULL);
    (void)fclose(file);
    return kib * 1024;
}

#endif
