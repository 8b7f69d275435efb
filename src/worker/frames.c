/*
 * frames.c - walks the stack of a callable, in a healthy worker and in a dying one.
 *
 * Invariants
 *   - Everything here is async-signal-safe: no memory, no lock, no stdio.  The unwinder and the
 *     question which object holds an address (_dl_find_object) take no lock either.
 *   - Each frame is named by the object file and the offset of its call there: the host can find both
 *     again, an address means nothing to it.
 *   - The library's own frames are left out: the walk ends at the function that called the callable,
 *     which it knows by its unwind information, since a frame can be inlined and an address range
 *     cannot be told.
 */
#include "worker/frames.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

enum { FRAMES = 64 };

struct walk {
    const struct pp_frames *frames;
    const void             *from; /* skip what comes before; NULL: up to the interrupted frame */
    bool                    begun;
    bool                    full;
    unsigned                count;
    size_t                  used;
    ssize_t                 program_size; /* 0: not asked for yet */
    char                    program[PATH_MAX];
};

/* ---------------------------------------------------------------------- the borders */

/* The callable that runs, for a walk that finds nothing of it: it has jumped into what it called last. */
static const void *running;

/* Not a jump: then nothing of these would be on the stack. */
#define STAYS_ON_THE_STACK __asm__ volatile("" ::: "memory")

__attribute__((noinline)) int pp_frames_call(pp_function *function, pp_call *call)
{
    running = (const void *)function;
    int status = function(call);
    STAYS_ON_THE_STACK;
    return status;
}

__attribute__((noinline)) int pp_frames_call_method(int (*method)(void *self, pp_call *call),
                                                    void *self, pp_call *call)
{
    running = (const void *)method;
    int status = method(self, call);
    STAYS_ON_THE_STACK;
    return status;
}

__attribute__((noinline)) void pp_frames_call_fini(void (*fini)(void *self), void *self)
{
    running = (const void *)fini;
    fini(self);
    STAYS_ON_THE_STACK;
}

static bool is_border(struct _Unwind_Context *context)
{
    uintptr_t start = (uintptr_t)_Unwind_GetRegionStart(context);
    return start == (uintptr_t)pp_frames_call || start == (uintptr_t)pp_frames_call_method ||
           start == (uintptr_t)pp_frames_call_fini;
}

/* ------------------------------------------------------------------------ the lines */

/* "+0x", the number, a new line: how many bytes. */
static size_t write_offset(char *text, uintptr_t offset)
{
    static const char digits[] = "0123456789abcdef";
    static const char before[] = {'+', '0', 'x'};
    size_t            used = sizeof before;
    int               shift = (int)sizeof offset * CHAR_BIT - 4;
    memcpy(text, before, sizeof before);
    while (shift > 0 && offset >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        text[used++] = digits[offset >> shift & 0xf];
    text[used++] = '\n';
    return used;
}

/* The loader has no name for the program itself. */
static const char *program_path(struct walk *walk, size_t *size)
{
    if (walk->program_size == 0)
        walk->program_size = readlink("/proc/self/exe", walk->program, sizeof walk->program);
    *size = walk->program_size > 0 ? (size_t)walk->program_size : 1;
    return walk->program_size > 0 ? walk->program : "?";
}

static const char *path_of(struct walk *walk, const void *pc, uintptr_t *base, size_t *size)
{
    struct dl_find_object found;
    *base = 0;
    *size = 1;
    if (_dl_find_object((void *)pc, &found) != 0)
        return "?";
    const char *path = found.dlfo_link_map->l_name;
    *base = found.dlfo_link_map->l_addr;
    if (path[0] == '\0')
        return program_path(walk, size);
    *size = strnlen(path, PATH_MAX);
    return path;
}

static void add_line(struct walk *walk, const void *pc)
{
    const struct pp_frames *frames = walk->frames;
    char                    tail[24];
    uintptr_t               base = 0;
    size_t                  path_size = 0;
    const char             *path = path_of(walk, pc, &base, &path_size);
    size_t                  tail_size = write_offset(tail, (uintptr_t)pc - base);
    if (walk->count == FRAMES || path_size + tail_size >= frames->size - walk->used) {
        walk->full = true;
        return;
    }
    memcpy(frames->text + walk->used, path, path_size);
    walk->used += path_size;
    memcpy(frames->text + walk->used, tail, tail_size);
    walk->used += tail_size;
    walk->count++;
    atomic_store_explicit(frames->length, (uint32_t)walk->used, memory_order_release);
}

/* ------------------------------------------------------------------------- the walk */

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *data)
{
    struct walk *walk = data;
    int          interrupted = 0; /* here, and not in a call that would return here */
    uintptr_t    pc = (uintptr_t)_Unwind_GetIPInfo(context, &interrupted);
    if (!walk->begun)
        walk->begun = walk->from != NULL ? pc == (uintptr_t)walk->from : interrupted != 0;
    if (!walk->begun)
        return _URC_NO_REASON;
    if (is_border(context)) {
        if (walk->count == 0 && running != NULL)
            add_line(walk, running);
        return _URC_NORMAL_STOP;
    }
    add_line(walk, (const void *)(interrupted != 0 ? pc : pc - 1)); /* in the call, not behind it */
    return walk->full ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

static void walk_from(const struct pp_frames *frames, const void *pc)
{
    struct walk walk;
    walk.frames = frames;
    walk.from = pc;
    walk.begun = walk.full = false;
    walk.count = 0;
    walk.used = 0;
    walk.program_size = 0; /* `program` is left as it is: it is large */
    (void)_Unwind_Backtrace(visit, &walk);
}

void pp_frames_from(const struct pp_frames *frames, const void *pc)
{
    walk_from(frames, pc);
}

void pp_frames_interrupted(const struct pp_frames *frames)
{
    walk_from(frames, NULL);
}
