/*
 * chaos.c - a thread that kills, stops and continues workers, fork servers and children of tasks, and
 * resizes the pool.
 *
 * Every process that it stopped it lets go on within a third of a second: without a time limit a
 * stopped worker rightly holds its task.  Its own pauses are the rate of the chaos.
 */
#include "soak.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct chaos_counts chaos_counts;

enum { STOPPED = 8, KILLED = 64 };

struct chaos {
    struct round *round;
    struct dice   dice;
    struct {
        int    pidfd;
        double until;
    } stopped[STOPPED];
    pid_t    killed[KILLED]; /* the last ones: a dying process is not killed, or counted, again */
    unsigned kills;
};

static bool send(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0;
}

static bool was_killed(const struct chaos *self, pid_t pid)
{
    for (unsigned i = 0; i < KILLED; i++)
        if (self->killed[i] == pid)
            return true;
    return false;
}

/* One of the last that told of themselves and are alive: its pidfd, or -1. */
static int choose(struct chaos *self, struct recent *recent, pid_t *pid)
{
    enum { LAST = 8 };
    unsigned next = atomic_load(&recent->next);
    unsigned first = roll_below(&self->dice, LAST);
    int      pidfd = -1;
    for (unsigned i = 0; i < LAST && pidfd < 0; i++) {
        unsigned back = 1 + (first + i) % LAST;
        *pid = atomic_load(&recent->pids[(next - back) % RECENT]);
        pidfd = was_killed(self, *pid) ? -1 : census_pidfd(*pid);
    }
    return pidfd;
}

static void let_go_on(struct chaos *self, double before)
{
    for (int i = 0; i < STOPPED; i++)
        if (self->stopped[i].pidfd >= 0 && self->stopped[i].until <= before) {
            (void)send(self->stopped[i].pidfd, SIGCONT);
            (void)close(self->stopped[i].pidfd);
            self->stopped[i].pidfd = -1;
        }
}

/* Takes the pidfd over. */
static bool stop(struct chaos *self, int pidfd)
{
    for (int i = 0; i < STOPPED; i++) {
        if (self->stopped[i].pidfd >= 0)
            continue;
        self->stopped[i].pidfd = pidfd;
        self->stopped[i].until = now() + 0.001 + 0.001 * roll_below(&self->dice, 300);
        return send(pidfd, SIGSTOP);
    }
    (void)close(pidfd);
    return false;
}

/* Takes the pidfd over. */
static bool kill_it(struct chaos *self, int pidfd, pid_t pid)
{
    bool sent = send(pidfd, SIGKILL);
    (void)close(pidfd);
    self->killed[self->kills++ % KILLED] = pid;
    return sent;
}

static void harm_worker(struct chaos *self)
{
    pid_t pid = 0;
    int   pidfd = choose(self, &board->workers, &pid);
    if (pidfd < 0)
        return;
    if (roll_below(&self->dice, 8) == 0)
        chaos_counts.workers_stopped += stop(self, pidfd) ? 1 : 0;
    else {
        self->round->kills++;
        chaos_counts.workers_killed += kill_it(self, pidfd, pid) ? 1 : 0;
    }
}

static void harm_server(struct chaos *self)
{
    unsigned next = atomic_load(&board->servers.next);
    pid_t    pid = atomic_load(&board->servers.pids[(next - 1) % RECENT]);
    int      pidfd = was_killed(self, pid) ? -1 : census_pidfd(pid);
    if (pidfd < 0)
        return;
    if (!census_is_server(pid))
        (void)close(pidfd);
    else if (roll_below(&self->dice, 3) == 0)
        chaos_counts.servers_stopped += stop(self, pidfd) ? 1 : 0;
    else {
        self->round->server_kills++;
        chaos_counts.servers_killed += kill_it(self, pidfd, pid) ? 1 : 0;
    }
}

static void harm_child(struct chaos *self)
{
    pid_t pid = 0;
    int   pidfd = choose(self, &board->children, &pid);
    if (pidfd >= 0)
        chaos_counts.children_killed += kill_it(self, pidfd, pid) ? 1 : 0;
}

static void resize(struct chaos *self)
{
    pp_pool_stats stats = {.size = sizeof stats};
    unsigned      most = 1 + roll_below(&self->dice, self->round->max_size);
    unsigned      least = 1 + roll_below(&self->dice, most);
    int           error = pp_pool_resize(self->round->pool, least, most);
    if (error < 0 && !atomic_load(&ledger.finishing))
        violation("pp_pool_resize answered %s", strerror(-error));
    if (pp_pool_get_stats(self->round->pool, &stats) < 0)
        violation("pp_pool_get_stats failed");
    chaos_counts.resizes++;
}

/* Between two deeds, on average, in microseconds; and how many of 10000 hit the fork server, each of
 * which is felt by all workers. */
static const struct {
    unsigned pause, servers;
} paces[MODES] = {[MODE_STREAM] = {250000, 500},
                  [MODE_MIXED] = {3000, 60},
                  [MODE_STORM] = {1000, 5},
                  [MODE_PING] = {3000, 60}};

static void act(struct chaos *self)
{
    enum { CHILDREN = 800, RESIZES = 500, OF = 10000 };
    enum mode mode = self->round->mode;
    unsigned  choice = roll_below(&self->dice, OF);
    unsigned  servers = paces[mode].servers;
    /* in peace nothing else; and never where it would wake up a pool that nobody else touches */
    if (mode != MODE_PING && (!self->round->chaos || choice < RESIZES))
        resize(self);
    else if (!self->round->chaos)
        return;
    else if (choice < RESIZES + servers)
        harm_server(self);
    else if (mode == MODE_MIXED && choice < RESIZES + servers + CHILDREN)
        harm_child(self);
    else
        harm_worker(self);
}

static unsigned pace(const struct round *round)
{
    enum { IN_PEACE = 200000 };
    return round->chaos ? paces[round->mode].pause : IN_PEACE;
}

void *chaos_main(void *data)
{
    struct thread *thread = data;
    struct chaos   self = {.round = thread->round, .dice = {mix(thread->round->seed ^ 0xc4a05U)}};
    for (int i = 0; i < STOPPED; i++)
        self.stopped[i].pidfd = -1;
    while (!atomic_load(&self.round->stop_chaos)) {
        unsigned        pause = roll_below(&self.dice, 2 * pace(self.round));
        struct timespec length = {.tv_sec = pause / 1000000,
                                  .tv_nsec = (long)(pause % 1000000) * 1000};
        atomic_store(&thread->doing, "chaos");
        act(&self);
        (void)nanosleep(&length, NULL);
        let_go_on(&self, now());
    }
    let_go_on(&self, now() + 3600);
    arrived(thread);
    return NULL;
}
