/*
 * census.c - the processes of the soak and the host's resources, as the kernel sees them.
 *
 * Invariant: nothing is signalled by pid.  A pidfd is opened first, and used only if the process
 * that has that pid afterwards is below the sentinel; were the pid another's by then, the pidfd
 * would be of a dead one.
 */
#include "soak.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

pid_t sentinel;

double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

static size_t read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, size - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

/* Its parent, or 0; its name in parentheses, and its state. */
static pid_t parent_of(pid_t pid, char name[32], char *state)
{
    char path[32];
    char text[512];
    int  parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_file(path, text, sizeof text) == 0)
        return 0;
    const char *begin = strchr(text, '(');
    char       *end = strrchr(text, ')');
    if (begin == NULL || end == NULL || sscanf(end, ") %c %d", state, &parent) != 2)
        return 0;
    *end = '\0';
    snprintf(name, 32, "%.31s", begin + 1);
    return parent;
}

static bool is_ours(pid_t pid)
{
    enum { DEPTH = 12 };
    char name[32];
    char state = 0;
    for (int i = 0; i < DEPTH && pid > 1; i++) {
        pid = parent_of(pid, name, &state);
        if (pid == sentinel)
            return true;
    }
    return false;
}

int census_pidfd(pid_t pid)
{
    if (pid <= 1 || pid == getpid() || pid == sentinel)
        return -1;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -1;
    struct pollfd entry = {.fd = pidfd, .events = POLLIN};
    if (is_ours(pid) && poll(&entry, 1, 0) == 0)
        return pidfd;
    (void)close(pidfd);
    return -1;
}

bool census_is_server(pid_t pid)
{
    char name[32];
    char state = 0;
    return parent_of(pid, name, &state) > 0 && strcmp(name, "soak/fork") == 0;
}

unsigned census_descriptors(void)
{
    unsigned count = 0;
    DIR     *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

size_t census_pss(void)
{
    char        text[4096];
    const char *line = NULL;
    if (read_file("/proc/self/smaps_rollup", text, sizeof text) == 0)
        return 0;
    line = strstr(text, "\nPss:");
    return line != NULL ? strtoul(line + 5, NULL, 10) * 1024 : 0;
}

struct census census_take(bool kill_children)
{
    struct census found = {0, 0, 0};
    DIR          *directory = opendir("/proc");
    if (directory == NULL)
        return found;
    for (struct dirent *item = readdir(directory); item != NULL; item = readdir(directory)) {
        pid_t pid = (pid_t)strtol(item->d_name, NULL, 10);
        char  name[32];
        char  state = 0;
        if (pid <= 1 || pid == getpid() || pid == sentinel || !is_ours(pid) ||
            parent_of(pid, name, &state) == 0)
            continue;
        bool child = strcmp(name, "soak-child") == 0;
        found.others++;
        found.children += child ? 1 : 0;
        found.zombies += state == 'Z' ? 1 : 0;
        int pidfd = child && kill_children ? census_pidfd(pid) : -1;
        if (pidfd >= 0) {
            (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
            (void)close(pidfd);
        }
    }
    (void)closedir(directory);
    return found;
}
