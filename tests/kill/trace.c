/*
 * trace.c - see trace.h.
 *
 * The stepped process is a fork of this one, so its code lies at the same addresses here and can be
 * read without asking ptrace.
 */
#include "trace.h"

#include "emulate.h"
#include "worker/self.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    STEP_COST = 10,         /* of a stop and going on; the others are measured by that */
    HIT_COST = 24,          /* of a checkpoint: stop, step over it, plant it again */
    EMULATED_HIT_COST = 11, /* ... where the instruction need not be stepped over */
    BUCKETS = 1 << 16
};

/* ----------------------------------------------------------------------- recording */

static bool is_system_call(uint64_t address)
{
    const unsigned char *code = (const unsigned char *)(uintptr_t)address;
    return code[0] == 0x0f && code[1] == 0x05;
}

static bool is_end(const struct place *place, enum end_kind kind)
{
    switch (kind) {
    case END_TAKE:
        return place->address == (uint64_t)(uintptr_t)pp_worker_take;
    case END_POLL:
        return place->call == SYS_ppoll && is_system_call(place->address);
    default:
        return place->call == SYS_futex && is_system_call(place->address);
    }
}

/* Not from the heap: what a worker allocates depends on the state of the host's, and shall be the same in
 * the trial that is recorded as in others. */
static void *pages(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

struct trace *trace_create(void)
{
    struct trace *trace = pages(sizeof *trace);
    trace->at = pages(TRACE_MOST * sizeof *trace->at);
    trace->occurrence = pages(TRACE_MOST * sizeof *trace->occurrence);
    return trace;
}

/* How often each address had been reached by then; 0 where that cannot be counted by a trap: a
 * repeated string instruction is a boundary for every element, and one for a trap. */
static void count_occurrences(struct trace *trace)
{
    struct seen {
        uint64_t address;
        uint32_t count;
        bool     repeats;
    } *seen = pages(BUCKETS * sizeof *seen);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < trace->count; i++) {
            uint64_t address = trace->at[i];
            size_t   bucket = address * UINT64_C(0x9e3779b97f4a7c15) >> 48;
            while (seen[bucket].address != 0 && seen[bucket].address != address)
                bucket = (bucket + 1) % BUCKETS;
            seen[bucket].address = address;
            if (pass == 0)
                seen[bucket].repeats |= i > 0 && trace->at[i - 1] == address;
            else
                trace->occurrence[i] = seen[bucket].repeats ? 0 : ++seen[bucket].count;
        }
    (void)munmap(seen, BUCKETS * sizeof *seen);
}

/* In the kernel's clock functions, which begin again while the kernel writes what they read. */
static bool in_clock(uint64_t address)
{
    enum { CLOCK_CODE = 16384 };
    uint64_t base = getauxval(AT_SYSINFO_EHDR);
    return base != 0 && address - base < CLOCK_CODE;
}

/* Such a new beginning happens by chance, and shows no boundary that is not there without it: the trace
 * goes on from the first one. */
static void forget_retries(struct trace *trace)
{
    uint64_t address = trace->at[trace->count - 1];
    size_t   before = trace->count - 1;
    while (before > 0 && in_clock(address) && in_clock(trace->at[before - 1]))
        if (trace->at[--before] == address)
            trace->count = before + 1;
}

bool trace_record(struct trace *trace, pid_t pid, enum end_kind kind)
{
    unsigned ends = 0;
    unsigned times = kind == END_POLL ? 2 : 1;
    trace->count = 0;
    while (trace->count < TRACE_MOST) {
        struct place place = stepper_place(pid);
        trace->at[trace->count++] = place.address;
        forget_retries(trace);
        if (trace->count > 1 && is_end(&place, kind) && ++ends == times) {
            trace->end = (struct end){.address = place.address,
                                      .call = kind == END_TAKE ? -1 : place.call,
                                      .times = times};
            count_occurrences(trace);
            return true;
        }
        if (!stepper_step(pid))
            break;
    }
    return false;
}

struct way trace_way(const struct trace *trace, size_t boundary)
{
    uint64_t   wanted = trace->at[boundary];
    struct way best = {.steps = (unsigned)boundary, .wanted = wanted};
    uint64_t   cost = boundary * STEP_COST;
    for (size_t back = 0; back < boundary && back * STEP_COST < cost; back++) {
        size_t   from = boundary - back;
        uint64_t hits = trace->occurrence[from];
        uint64_t hit_cost = emulate_knows(trace->at[from]) ? EMULATED_HIT_COST : HIT_COST;
        if (hits == 0 || hits * hit_cost + back * STEP_COST >= cost)
            continue;
        cost = hits * hit_cost + back * STEP_COST;
        best = (struct way){.checkpoint = trace->at[from],
                            .hits = (unsigned)hits,
                            .steps = (unsigned)back,
                            .wanted = wanted};
    }
    return best;
}

/* ------------------------------------------------------------------------- symbols */

struct table {
    const ElfW(Sym) *symbols;
    size_t           count;
    const char      *names;
};

/* The program's own symbols, static functions too; nothing when it was stripped. */
static struct table read_table(void)
{
    struct table table = {0};
    struct stat  about;
    int          file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) < 0)
        return table;
    const char *image = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (image == MAP_FAILED)
        return table;
    const ElfW(Ehdr) *header = (const void *)image;
    const ElfW(Shdr) *sections = (const void *)(image + header->e_shoff);
    for (size_t i = 0; i < header->e_shnum; i++)
        if (sections[i].sh_type == SHT_SYMTAB) {
            table.symbols = (const void *)(image + sections[i].sh_offset);
            table.count = sections[i].sh_size / sizeof *table.symbols;
            table.names = image + sections[sections[i].sh_link].sh_offset;
        }
    return table;
}

const char *trace_symbol(uint64_t address)
{
    static struct table table;
    static char         text[160];
    Dl_info             info = {0};
    Dl_info             self = {0};
    if (table.symbols == NULL)
        table = read_table();
    (void)dladdr((void *)(uintptr_t)trace_symbol, &self);
    if (dladdr((void *)(uintptr_t)address, &info) == 0) {
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)address);
        return text;
    }
    uint64_t offset = address - (uint64_t)(uintptr_t)info.dli_fbase;
    if (info.dli_fbase == self.dli_fbase)
        for (size_t i = 0; i < table.count; i++) {
            const ElfW(Sym) *symbol = &table.symbols[i];
            if (offset - symbol->st_value < symbol->st_size) {
                snprintf(text, sizeof text, "%s+0x%llx", table.names + symbol->st_name,
                         (unsigned long long)(offset - symbol->st_value));
                return text;
            }
        }
    const char *file = strrchr(info.dli_fname, '/');
    file = file != NULL ? file + 1 : info.dli_fname;
    if (info.dli_sname != NULL)
        snprintf(text, sizeof text, "%s+0x%llx (%s)", info.dli_sname,
                 (unsigned long long)(address - (uint64_t)(uintptr_t)info.dli_saddr), file);
    else
        snprintf(text, sizeof text, "%s+0x%llx", file, (unsigned long long)offset);
    return text;
}

/* ---------------------------------------------------------------------------- map */

struct line {
    char   name[160];
    size_t count;
};

static int by_count(const void *left, const void *right)
{
    const struct line *one = left;
    const struct line *other = right;
    return one->count < other->count ? 1 : one->count > other->count ? -1 : 0;
}

void trace_print(const struct trace *trace)
{
    enum { LINES = 2048 };
    static struct line lines[LINES];
    size_t             used = 0;
    for (size_t i = 0; i < trace->count; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s", trace_symbol(trace->at[i]));
        char *plus = strchr(name, '+');
        if (plus != NULL)
            *plus = '\0';
        size_t line = 0;
        while (line < used && strcmp(lines[line].name, name) != 0)
            line++;
        if (line == used && used < LINES)
            memcpy(lines[used++].name, name, sizeof name);
        if (line < used)
            lines[line].count++;
    }
    qsort(lines, used, sizeof *lines, by_count);
    for (size_t line = 0; line < used; line++)
        printf("   %7zu  %s\n", lines[line].count, lines[line].name);
}
