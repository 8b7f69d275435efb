/*
 * forkserver.c - a single-threaded child of the host: forks workers, reaps them, reports how they
 * ended, ends what they left behind, and ends everything when the host is gone.
 *
 * Life
 *   serving  orders come from the host; a dead worker's leftovers are ended
 *   ending   the host died, or the pool is being destroyed: every child gets SIGTERM, and SIGKILL
 *            when the grace is over (at once when the pool is being destroyed); no order is heard
 *   gone     when no child is left
 *
 * Invariants
 *   - It never waits for the host: a report that the socket cannot take now is kept and sent when
 *     it can, so a stopped host does not keep it from seeing a death.
 *   - The host's death is seen by its pidfd, not by the end of a socket, which a child of the host
 *     may hold open, nor by the parent's pid, which is another one under a subreaper.
 *   - It allocates before it forks: a worker that exists is in the table.
 *   - No signal disposition or mask of the host reaches it: SIGCHLD is default here even when the
 *     host ignores it.
 */
#include "supervise/forkserver.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "supervise/descendants.h"
#include "supervise/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t    pid;
    uint64_t incarnation;
};

/* A report that was not sent yet, with the pidfd that goes with it or -1. */
struct letter {
    struct pp_report report;
    int              pidfd;
};

struct server {
    struct pp_forkserver_start start;
    int                        signals;
    bool                       ending;
    bool                       retired; /* the host asks for nothing more */
    int64_t                    kill_at; /* ending: when SIGKILL comes */
    bool                       killed;
    struct child              *workers;
    size_t                     worker_count;
    size_t                     worker_capacity;
    struct letter             *letters;
    size_t                     letter_count;
    size_t                     letter_capacity;
    int                       *wards; /* pidfds of workers of an earlier fork server */
    size_t                     ward_count;
    struct pp_descendants      adopted;
    int64_t                    scan_at;       /* when the failed scan is repeated, or PP_NEVER */
    unsigned                   scan_failures; /* in a row */
    int64_t                    short_since;   /* the socket takes letters, and sending fails */
    unsigned                   deaf;          /* orders in a row that could not be read */
    unsigned                   blind;         /* ... and waits that failed */
};

static void *grow(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity > 0 ? *capacity * 2 : 16;
    void  *grown = reallocarray(items, wanted, size);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

/* Room for one worker more and for the letters of its birth and death. */
static int reserve(struct server *server)
{
    void *workers = grow(server->workers, &server->worker_capacity, server->worker_count,
                         sizeof *server->workers);
    if (workers == NULL)
        return -ENOMEM;
    server->workers = workers;
    size_t expected = server->letter_count + 2 * (server->worker_count + 1);
    void  *letters =
        grow(server->letters, &server->letter_capacity, expected, sizeof *server->letters);
    if (letters == NULL)
        return -ENOMEM;
    server->letters = letters;
    return expected < server->letter_capacity ? 0 : reserve(server);
}

/* ------------------------------------------------------------------- reports */

/* It closed its end, or ordered us to leave and then closed it: that is read next. */
static bool host_hung_up(const struct server *server)
{
    struct pollfd entry = {.fd = server->start.socket, .events = POLLIN};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

/* A host that is stopped is waited for, a shortage for a while: then the host waits in vain for what
 * cannot be sent, and the end of the socket is an answer, too. */
static void note_shortage(struct server *server)
{
    struct pollfd entry = {.fd = server->start.socket, .events = POLLOUT};
    int64_t       now = pp_clock_now();
    bool          writable = poll(&entry, 1, 0) != 0; /* without an answer: as if it were */
    if (!writable || server->short_since == 0)
        server->short_since = writable ? now : 0;
    else if (now - server->short_since > PP_SECOND_NS / 2)
        _exit(EXIT_FAILURE);
}

static void send_letters(struct server *server)
{
    size_t sent = 0;
    for (; sent < server->letter_count; sent++) {
        struct letter *letter = &server->letters[sent];
        size_t         count = letter->pidfd >= 0 ? 1 : 0;
        int error = pp_send_message(server->start.socket, &letter->report, sizeof letter->report,
                                    &letter->pidfd, count, MSG_DONTWAIT);
        if (error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -ETOOMANYREFS) {
            note_shortage(server);
            break;
        }
        server->short_since = 0;
        if (error < 0 && !host_hung_up(server))
            _exit(EXIT_FAILURE); /* as note_shortage: the host would wait for this letter */
        pp_close(&letter->pidfd);
    }
    server->letter_count -= sent;
    for (size_t i = 0; i < server->letter_count; i++)
        server->letters[i] = server->letters[i + sent];
}

static void report(struct server *server, struct pp_report what, int pidfd)
{
    if (server->letter_count == server->letter_capacity) {
        /* only a storm of failed spawns gets here; the host would rather not wait for an answer
         * that cannot be kept, and a closed socket is one */
        _exit(EXIT_FAILURE);
    }
    server->letters[server->letter_count++] = (struct letter){.report = what, .pidfd = pidfd};
    send_letters(server);
}

/* -------------------------------------------------------------------- births */

static void close_own(struct server *server)
{
    pp_close(&server->start.socket);
    pp_close(&server->signals);
    for (size_t i = 0; i < server->letter_count; i++)
        pp_close(&server->letters[i].pidfd);
    pp_close_all(server->wards, server->ward_count);
}

static _Noreturn void exec_worker(const struct pp_birth *birth)
{
    char place[160];
    int  inherited[] = {birth->tray, birth->box, birth->bell, birth->socket, birth->host};
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        (void)fcntl(inherited[i], F_SETFD, 0);
    snprintf(place, sizeof place, PP_SPAWN_FORMAT, birth->tray, birth->box, birth->bell,
             birth->socket, birth->host, (int)birth->host_pid, (int)birth->parent, birth->slot);
    if (setenv(PP_SPAWN_VARIABLE, place, 1) == 0) {
        char  name[] = "procpool-worker";
        char *arguments[] = {name, NULL};
        execv("/proc/self/exe", arguments);
    }
    _exit(127);
}

static _Noreturn void become_worker(struct server *server, const struct pp_order *order,
                                    const int fds[PP_SPAWN_DESCRIPTORS], pid_t parent)
{
    struct pp_birth        birth = {.tray = fds[0],
                                    .box = fds[1],
                                    .bell = fds[2],
                                    .socket = fds[3],
                                    .host = server->start.host,
                                    .host_pid = server->start.host_pid,
                                    .parent = parent,
                                    .slot = order->slot};
    const struct pp_setup *setup = server->start.setup;
    close_own(server);
    if (order->exec)
        exec_worker(&birth);
    pp_worker_main(&birth, setup);
}

static void spawn(struct server *server, const struct pp_order *order, int *fds, size_t count)
{
    struct pp_report answer = {.kind = PP_REPORT_FAILED, .incarnation = order->incarnation};
    pid_t            self = getpid();
    pid_t            pid = -1;
    int              pidfd = -1;
    answer.value = count == PP_SPAWN_DESCRIPTORS ? reserve(server) : -EMFILE;
    if (answer.value == 0) {
        pid = fork();
        answer.value = pid < 0 ? -errno : 0;
    }
    if (pid == 0)
        become_worker(server, order, fds, self);
    if (pid > 0) {
        /* an unreaped child of ours: the pid is still its own */
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        answer.value = pidfd < 0 ? -errno : 0;
        answer.kind = pidfd < 0 ? PP_REPORT_FAILED : PP_REPORT_BORN;
        answer.pid = pid;
        server->workers[server->worker_count++] =
            (struct child){.pid = pid, .incarnation = pidfd < 0 ? 0 : order->incarnation};
    }
    pp_close_all(fds, count); /* without a pidfd it reads the end of its socket and leaves */
    report(server, answer, pidfd);
}

/* -------------------------------------------------------------------- deaths */

static bool is_worker(const void *data, pid_t pid)
{
    const struct server *server = data;
    for (size_t i = 0; i < server->worker_count; i++)
        if (server->workers[i].pid == pid)
            return true;
    return false;
}

/* What a worker that left in order has let its tasks start may end in order, too. */
static int64_t grace_after(const struct server *server, int status)
{
    if (server->ending)
        return server->kill_at > pp_clock_now() ? server->kill_at - pp_clock_now() : 0;
    bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    return in_order ? server->start.setup->orphan_grace : 0;
}

/* Find and end what was left behind.  Where there is no /proc this cannot be done; a moment's shortage
 * is waited for. */
static void scan(struct server *server, int64_t grace)
{
    enum { TRIES = 5, AGAIN_NS = 50 * 1000 * 1000 };
    server->scan_at = PP_NEVER;
    if (pp_descendants_scan(&server->adopted, grace, is_worker, server) == 0)
        server->scan_failures = 0;
    else if (++server->scan_failures < TRIES)
        server->scan_at = pp_deadline_after(pp_clock_now(), AGAIN_NS);
}

static void bury(struct server *server, pid_t pid, int status)
{
    int64_t grace = grace_after(server, status);
    for (size_t i = 0; i < server->worker_count; i++) {
        struct child dead = server->workers[i];
        if (dead.pid != pid)
            continue;
        server->workers[i] = server->workers[--server->worker_count];
        server->scan_failures = 0; /* a new reason to try */
        scan(server, grace);
        if (dead.incarnation != 0)
            report(server,
                   (struct pp_report){.kind = PP_REPORT_DIED,
                                      .value = status,
                                      .incarnation = dead.incarnation,
                                      .pid = pid},
                   -1);
        return;
    }
    (void)pp_descendants_forget(&server->adopted, pid);
    scan(server, grace);
}

static void reap(struct server *server)
{
    struct signalfd_siginfo ignored;
    int                     status = 0;
    pid_t                   pid = 0;
    while (read(server->signals, &ignored, sizeof ignored) > 0)
        ;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
        bury(server, pid, status);
}

/* -------------------------------------------------------------------- ending */

/* True: it reached each of those that live.  Unreaped children are there, whether they live or not. */
static bool signal_workers(struct server *server, int signal)
{
    bool reached = true;
    for (size_t i = 0; i < server->worker_count; i++)
        reached = kill(server->workers[i].pid, signal) == 0 && reached;
    for (size_t i = 0; i < server->ward_count; i++)
        reached = (syscall(SYS_pidfd_send_signal, server->wards[i], signal, NULL, 0) == 0 ||
                   errno == ESRCH) &&
                  reached;
    return reached;
}

static void begin_ending(struct server *server, int64_t grace)
{
    if (server->ending)
        return;
    server->ending = true;
    server->kill_at = pp_deadline_after(pp_clock_now(), grace);
    (void)signal_workers(server, SIGTERM);
    pp_descendants_limit(&server->adopted, server->kill_at);
    scan(server, grace);
}

/* Whom we cannot kill ends itself when it hears that we are gone, as the pool is (orphan.c). */
static void kill_workers(struct server *server)
{
    server->killed = true;
    bool reached = signal_workers(server, SIGKILL);
    if (!reached) /* once more */
        reached = signal_workers(server, SIGKILL);
    if (!reached)
        _exit(EXIT_FAILURE);
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* The next moment when something will be due. */
static int64_t kill_what_is_due(struct server *server)
{
    int64_t now = pp_clock_now();
    if (server->scan_at <= now)
        scan(server, server->ending ? server->kill_at - now : server->start.setup->orphan_grace);
    if (server->ending && !server->killed && server->kill_at <= now)
        kill_workers(server);
    int64_t next = earlier(pp_descendants_kill_due(&server->adopted, now), server->scan_at);
    return server->ending && !server->killed ? earlier(next, server->kill_at) : next;
}

/* --------------------------------------------------------------------- orders */

static void adopt(struct server *server, int *fds, size_t count)
{
    int *wards = reallocarray(server->wards, server->ward_count + count, sizeof *wards);
    if (wards == NULL) {
        pp_close_all(fds, count);
        return;
    }
    server->wards = wards;
    for (size_t i = 0; i < count; i++)
        server->wards[server->ward_count++] = fds[i];
}

static void kill_worker(const struct server *server, uint64_t incarnation)
{
    for (size_t i = 0; i < server->worker_count; i++)
        if (server->workers[i].incarnation == incarnation)
            (void)kill(server->workers[i].pid, SIGKILL); /* the host gives it up after a while */
}

static void obey(struct server *server)
{
    enum { DEAF_LIMIT = 20 };
    struct pp_order order;
    int             fds[PP_MAX_DESCRIPTORS];
    size_t          count = PP_MAX_DESCRIPTORS;
    ssize_t         size =
        pp_receive_message(server->start.socket, &order, sizeof order, fds, &count, MSG_DONTWAIT);
    if (size == 0) {
        /* the host closed the pool's end without a word: as good as dead */
        begin_ending(server, server->start.setup->orphan_grace);
        return;
    }
    if (size != (ssize_t)sizeof order) {
        /* a shortage may pass; but a fork server that never hears again is worse than none.  -ECONNRESET
         * is the host's end, told before its last orders because it left a report unread: they are
         * there all the same, and the end is read after them. */
        if (++server->deaf == DEAF_LIMIT)
            _exit(EXIT_FAILURE);
        return;
    }
    server->deaf = 0;
    if (order.kind == PP_ORDER_SPAWN)
        spawn(server, &order, fds, count);
    else if (order.kind == PP_ORDER_KILL)
        kill_worker(server, order.incarnation);
    else if (order.kind == PP_ORDER_ADOPT)
        adopt(server, fds, count);
    else {
        pp_close_all(fds, count);
        if (order.kind == PP_ORDER_RETIRE)
            server->retired = true;
        else
            begin_ending(server, 0);
    }
}

/* ----------------------------------------------------------------------- loop */

static void drop_dead_wards(struct server *server)
{
    for (size_t i = 0; i < server->ward_count;) {
        struct pollfd entry = {.fd = server->wards[i], .events = POLLIN};
        if (poll(&entry, 1, 0) == 1) {
            pp_close(&server->wards[i]);
            server->wards[i] = server->wards[--server->ward_count];
        } else
            i++;
    }
}

static bool finished(struct server *server)
{
    if (!server->ending && !server->retired)
        return false;
    drop_dead_wards(server);
    return server->worker_count == 0 && server->adopted.count == 0 && server->ward_count == 0 &&
           server->scan_at == PP_NEVER;
}

/* The wards' pidfds are waited for only while ending; before, their owner is the host. */
static void wait_for_event(struct server *server, int64_t until)
{
    enum { SHORTAGE_NS = 2 * 1000 * 1000, BLIND_LIMIT = 1000 };
    struct pollfd  few[4];
    struct pollfd *entries = few;
    nfds_t         count = 2;
    size_t         wards = server->ending ? server->ward_count : 0;
    if (wards > 0) {
        entries = calloc(wards + 4, sizeof *entries);
        if (entries == NULL) {
            entries = few;
            wards = 1; /* one after the other, then */
        }
    }
    entries[0] = (struct pollfd){.fd = server->signals, .events = POLLIN};
    bool writing = server->letter_count > 0 && server->short_since == 0;
    if (server->letter_count > 0 && !writing) /* what is short is not waited for by an event */
        until = earlier(until, pp_clock_now() + SHORTAGE_NS);
    entries[1] =
        (struct pollfd){.fd = server->start.socket, .events = (short)(writing ? POLLOUT : 0)};
    if (!server->ending) {
        entries[1].events |= POLLIN;
        entries[count++] = (struct pollfd){.fd = server->start.host, .events = POLLIN};
    } else
        entries[1].fd = -1; /* nobody listens any more */
    for (size_t i = 0; i < wards; i++)
        entries[count++] = (struct pollfd){.fd = server->wards[i], .events = POLLIN};
    int64_t         left = until == PP_NEVER ? 0 : until - pp_clock_now();
    struct timespec limit = pp_timespec(left > 0 ? left : 0);
    int             ready = ppoll(entries, count, until == PP_NEVER ? NULL : &limit, NULL);
    server->blind = ready < 0 ? server->blind + 1 : 0;
    if (server->blind == BLIND_LIMIT)
        _exit(EXIT_FAILURE);
    if (ready > 0 && !server->ending) {
        if (entries[2].revents != 0)
            begin_ending(server, server->start.setup->orphan_grace);
        else if ((entries[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            obey(server);
    }
    if (entries != few)
        free(entries);
}

static void prepare_process(struct server *server)
{
    sigset_t child;
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
    (void)sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    (void)setsid(); /* the terminal's signals are for the host */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        _exit(EXIT_FAILURE); /* the host reads the end of the socket */
    char name[16];
    snprintf(name, sizeof name, "%s/fork", server->start.setup->name);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    __fpurge(stdout); /* what the host had not written yet is the host's */
    __fpurge(stderr);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    server->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signals < 0)
        _exit(EXIT_FAILURE);
}

void pp_forkserver_main(const struct pp_forkserver_start *start)
{
    static struct server server; /* the process is this fork server and nothing else */
    server = (struct server){.start = *start, .signals = -1, .scan_at = PP_NEVER};
    prepare_process(&server);
    for (;;) {
        int64_t next = kill_what_is_due(&server);
        if (finished(&server))
            break;
        wait_for_event(&server, next);
        reap(&server);
        if (server.letter_count > 0)
            send_letters(&server);
    }
    if (server.scan_failures > 0 && getpgrp() == getpid())
        (void)kill(0, SIGKILL); /* what cannot be listed: at least our process group */
    _exit(EXIT_SUCCESS);
}
