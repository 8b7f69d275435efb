/*
 * processes.h - the processes of a pool as the kernel sees them.
 */
#ifndef PP_TESTS_PROCESSES_H
#define PP_TESTS_PROCESSES_H

#include "support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A task: the parent of its worker, which is the fork server. */
static inline int return_parent(pp_call *call)
{
    return pp_call_return(call, "i", (int)getppid());
}

static inline pid_t server_of(pp_pool *pool)
{
    int      pid = 0;
    pp_task *task = queue_function(pool, return_parent, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &pid), 0);
    pp_task_unref(task);
    return pid;
}

/* When a living child of that parent was started, or 0. */
static inline unsigned long long living_child(pid_t pid, pid_t parent)
{
    char               path[32];
    char               text[1024];
    char               state = 0;
    int                found = 0;
    unsigned long long started = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *rest = strrchr(text, ')');
    if (rest == NULL || sscanf(rest,
                               ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %*d %*d %llu",
                               &state, &found, &started) != 3)
        return 0;
    return found == parent && state != 'Z' && state != 'X' ? started + 1 : 0;
}

/* How many children of that process live at the same time, at least: those that were found, and
 * lived on when all were found. */
static inline unsigned living_children(pid_t parent)
{
    enum { MOST = 256 };
    pid_t              pids[MOST];
    unsigned long long started[MOST];
    unsigned           found = 0;
    unsigned           alive = 0;
    DIR               *directory = opendir("/proc");
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        pid_t              pid = (pid_t)strtol(entry->d_name, NULL, 10);
        unsigned long long start = pid > 0 ? living_child(pid, parent) : 0;
        if (start == 0)
            continue;
        assert_true(found < MOST);
        pids[found] = pid;
        started[found++] = start;
    }
    closedir(directory);
    for (unsigned i = 0; i < found; i++)
        alive += living_child(pids[i], parent) == started[i] ? 1 : 0;
    return alive;
}

struct head_count {
    pid_t    parent;
    unsigned count;
};

static inline bool has_children(void *data)
{
    const struct head_count *wanted = data;
    return living_children(wanted->parent) == wanted->count;
}

static inline bool has_fewer_children(void *data)
{
    const struct head_count *wanted = data;
    return living_children(wanted->parent) < wanted->count;
}

/* Wait until it has that many living children, or the test fails. */
static inline void await_children(pid_t parent, unsigned count)
{
    struct head_count wanted = {parent, count};
    assert_true(eventually(has_children, &wanted));
}

#endif
