/*
 * descendants.c - (in the fork server) ends what dead workers left behind.
 *
 * Each worker is a subreaper, so whatever a task started stays below its worker, also what called
 * setsid or forked twice; at the worker's death all of it is reparented to the fork server, which is
 * a subreaper, too.  Whatever child of the fork server is not a worker was therefore left behind by
 * a dead one.  When an adopted process dies, its children come next: the fork server scans again at
 * every death, until nothing is left.
 *
 * Invariant: only children that were not reaped yet are signalled, so a pid cannot be another's.
 */
#include "supervise/descendants.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pp_adopted *find(const struct pp_descendants *all, pid_t pid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].pid == pid)
            return &all->items[i];
    return NULL;
}

static int add(struct pp_descendants *all, pid_t pid, int64_t grace)
{
    if (all->count == all->capacity) {
        size_t capacity = all->capacity > 0 ? all->capacity * 2 : 16;
        void  *items = reallocarray(all->items, capacity, sizeof *all->items);
        if (items == NULL)
            return -ENOMEM;
        all->items = items;
        all->capacity = capacity;
    }
    int64_t kill_at = pp_deadline_after(pp_clock_now(), grace);
    all->items[all->count++] = (struct pp_adopted){.pid = pid, .kill_at = kill_at};
    if (grace > 0)
        (void)kill(pid, SIGTERM); /* if it does not reach it, SIGKILL will */
    return 0;
}

int pp_descendants_scan(struct pp_descendants *all, int64_t                            grace,
                        bool (*is_worker)(const void *workers, pid_t pid), const void *workers)
{
    char   path[64];
    char  *word = NULL;
    size_t room = 0;
    int    error = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    if (children == NULL)
        return -errno;
    while (error == 0 && getdelim(&word, &room, ' ', children) > 0) {
        pid_t pid = (pid_t)strtol(word, NULL, 10);
        if (pid > 0 && !is_worker(workers, pid) && find(all, pid) == NULL)
            error = add(all, pid, grace);
    }
    if (error == 0 && !feof(children))
        error = -errno;
    free(word);
    (void)fclose(children);
    return error;
}

/* One that changed its user may be out of our reach: then it is as if it had been killed, and whether
 * it ends is up to it. */
static void kill_now(struct pp_adopted *adopted, int64_t now)
{
    enum { TRIES = 5, AGAIN_NS = 10 * 1000 * 1000 };
    adopted->killed = kill(adopted->pid, SIGKILL) == 0 || ++adopted->tries == TRIES;
    adopted->kill_at = now + AGAIN_NS;
}

int64_t pp_descendants_kill_due(struct pp_descendants *all, int64_t now)
{
    int64_t next = PP_NEVER;
    for (size_t i = 0; i < all->count; i++) {
        struct pp_adopted *adopted = &all->items[i];
        if (adopted->killed)
            continue;
        if (adopted->kill_at <= now)
            kill_now(adopted, now);
        if (!adopted->killed && adopted->kill_at < next)
            next = adopted->kill_at;
    }
    return next;
}

void pp_descendants_limit(struct pp_descendants *all, int64_t kill_at)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].kill_at > kill_at)
            all->items[i].kill_at = kill_at;
}

bool pp_descendants_forget(struct pp_descendants *all, pid_t pid)
{
    struct pp_adopted *adopted = find(all, pid);
    if (adopted == NULL)
        return false;
    *adopted = all->items[--all->count];
    return true;
}
