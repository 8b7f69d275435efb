/*
 * descriptor.c - the only user of sendmsg and recvmsg.
 *
 * Invariant: a descriptor that arrives is either handed to the caller or closed, on every path.
 */
#include "base/descriptor.h"

#include "base/interrupt.h"
#include "base/own.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
    char           bytes[CMSG_SPACE(sizeof(int) * PP_MAX_DESCRIPTORS)];
    struct cmsghdr align;
};

int pp_socket_pair(int pair[2])
{
    int error = pp_own_begin();
    if (error < 0)
        return error;
    error = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
    if (error == 0) {
        pp_own_note(pair[0]);
        pp_own_note(pair[1]);
    }
    (void)pp_own_end(-1);
    return error;
}

void pp_close(int *fd)
{
    if (*fd >= 0)
        pp_own_close(*fd);
    *fd = -1;
}

void pp_close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pp_close(&fds[i]);
}

int pp_send_message(int socket, const void *data, size_t size, const int *fds, size_t fd_count,
                    int flags)
{
    if (fd_count > PP_MAX_DESCRIPTORS)
        return -E2BIG;
    struct iovec  part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    ssize_t  sent = 0;
    unsigned times = 0;
    do
        sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    while (pp_interrupted(sent, &times));
    return sent < 0 ? -errno : 0;
}

/* What arrived with a message; the kernel puts no more into one. */
struct arrived {
    int    fds[PP_MAX_DESCRIPTORS];
    size_t count;
};

static void list_descriptors(struct msghdr *message, struct arrived *arrived)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = h->cmsg_len - CMSG_LEN(0);
        memcpy(arrived->fds + arrived->count, CMSG_DATA(h), size);
        arrived->count += size / sizeof(int);
    }
}

/* One message, its descriptors noted: bytes or -errno.  Who waits for descriptors would hold up every
 * fork of a fork server, so nobody may. */
static ssize_t receive(int socket, struct msghdr *message, int flags, struct arrived *arrived)
{
    bool     noting = (flags & MSG_DONTWAIT) != 0;
    ssize_t  received = 0;
    unsigned times = 0;
    int      error = noting ? pp_own_begin() : 0;
    if (error < 0)
        return error;
    do
        received = recvmsg(socket, message, flags | MSG_CMSG_CLOEXEC);
    while (pp_interrupted(received, &times));
    error = -errno;
    if (received >= 0)
        list_descriptors(message, arrived);
    for (size_t i = 0; i < arrived->count; i++)
        pp_own_note(arrived->fds[i]);
    if (noting)
        (void)pp_own_end(-1);
    return received < 0 ? error : received;
}

ssize_t pp_receive_message(int socket, void *data, size_t size, int *fds, size_t *fd_count,
                           int flags)
{
    struct iovec   part = {.iov_base = data, .iov_len = size};
    union control  control;
    struct msghdr  message = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes};
    struct arrived arrived = {.count = 0};
    ssize_t        received = receive(socket, &message, flags, &arrived);
    if (received < 0)
        return received;
    size_t room = fd_count != NULL ? *fd_count : 0;
    /* MSG_CTRUNC alone: there was room, but the process has no descriptor left */
    if (arrived.count > room || (message.msg_flags & MSG_TRUNC) != 0) {
        pp_close_all(arrived.fds, arrived.count);
        return -EBADMSG;
    }
    if (arrived.count > 0)
        memcpy(fds, arrived.fds, arrived.count * sizeof(int));
    if (fd_count != NULL)
        *fd_count = arrived.count;
    return received;
}
