/*
 * messages.c - what the host reads from the socket of its fork server: reports of any kind, size and
 * order, with a descriptor or without.
 *
 *     a row of messages, each   length, how, then bytes; `how` gives a plausible report its numbers
 */
#include "host.h"

#include "base/descriptor.h"
#include "shm/doorbell.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS = 3, MOST_MESSAGES = 40 };

static struct pp_server *add_server(struct pp_pool *pool, int *other_end)
{
    int               pair[2];
    struct pp_server *server = calloc(1, sizeof *server);
    CHECK(server != NULL);
    CHECK(pp_socket_pair(pair) == 0);
    *server = (struct pp_server){.id = ++pool->next_server, .socket = pair[0], .pidfd = -1};
    *other_end = pair[1];
    pp_list_append(&pool->servers, &server->link);
    pool->server = server;
    return server;
}

static int watchable = -1;

static void send_report(int socket, struct input *input)
{
    unsigned char    bytes[64] = {0};
    struct pp_report report = {0};
    unsigned         length = input_byte(input);
    unsigned         how = input_byte(input);
    size_t           size = sizeof report;
    int              fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = watchable;
    if (length < 128) {
        report.kind = how & 3;
        report.incarnation = how >> 2 & 3;
        report.value = (int32_t)input_number(input, 4);
        report.pid = (int32_t)input_number(input, 2);
        memcpy(bytes, &report, sizeof report);
    } else {
        size = length % sizeof bytes;
        (void)input_copy(input, bytes, size);
    }
    (void)pp_send_message(socket, bytes, size, fds, how >> 4 & 3, MSG_DONTWAIT);
}

/* The counters say what the states of the workers say. */
static void check_counts(const struct pp_pool *pool)
{
    unsigned total = 0;
    unsigned active = 0;
    unsigned starting = 0;
    for (unsigned i = 0; i < pool->slot_count; i++) {
        const struct pp_worker *worker = pool->workers[i];
        if (worker == NULL)
            continue;
        total++;
        active += pp_worker_active(worker) ? 1 : 0;
        starting += worker->state == PP_WORKER_ASKED || worker->state == PP_WORKER_BORN ? 1 : 0;
    }
    CHECK(pool->total == total && pool->active == active && pool->starting == starting);
}

/* Of the kind that is sent; pipes and files are the fuzzer's own. */
static int count_watchable(void)
{
    enum { MOST = 64 };
    struct stat kind = {0};
    int         count = 0;
    CHECK(fstat(watchable, &kind) == 0);
    for (int fd = 0; fd < MOST; fd++) {
        struct stat its = {0};
        count += fstat(fd, &its) == 0 && its.st_dev == kind.st_dev && its.st_ino == kind.st_ino;
    }
    return count;
}

/* An input leaves none behind. */
static void check_descriptors(void)
{
    static int before = -1;
    int        count = count_watchable();
    CHECK(before < 0 || count == before);
    before = count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    int          socket = -1;
    if (watchable < 0)
        watchable = pp_bell_create();
    struct pp_pool   *pool = host_new(WORKERS);
    struct pp_server *server = add_server(pool, &socket);
    for (int i = 0; i < WORKERS; i++) {
        struct pp_worker *worker = host_add_worker(pool, i == WORKERS - 1);
        worker->server = server;
        server->workers++;
    }
    for (int i = 0; i < MOST_MESSAGES && input_left(&input) > 0 && server->socket >= 0; i++) {
        send_report(socket, &input);
        pp_pool_hear_server(pool, server);
        check_counts(pool);
    }
    (void)close(socket);
    if (server->socket >= 0)
        pp_pool_hear_server(pool, server);
    CHECK(server->socket < 0 && pool->server == NULL);
    free(server);
    host_free(pool);
    check_descriptors();
    return 0;
}
