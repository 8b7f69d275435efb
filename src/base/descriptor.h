/*
 * descriptor.h - messages with descriptors over a SOCK_SEQPACKET pair.
 */
#ifndef PP_BASE_DESCRIPTOR_H
#define PP_BASE_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Most descriptors in one message (SCM_MAX_FD of the kernel). */
enum { PP_MAX_DESCRIPTORS = 253 };

/* A CLOEXEC pair: 0 or -errno. */
int pp_socket_pair(int pair[2]);

/* Close when not negative, and remember that it is closed. */
void pp_close(int *fd);
void pp_close_all(int *fds, size_t count);

/*
 * One message.  `flags` as of send and recv; EINTR is retried.  Receive: the number of bytes (0: the
 * other side is gone) or -errno; the descriptors are CLOEXEC and the caller's.  When this process may
 * not open more, fewer arrive than were sent, and the count says so.  -EBADMSG when the message was
 * longer than the room or carried more descriptors than that, and then none is kept.  Who expects
 * descriptors asks with MSG_DONTWAIT.
 */
int     pp_send_message(int socket, const void *data, size_t size, const int *fds, size_t fd_count,
                        int flags);
ssize_t pp_receive_message(int socket, void *data, size_t size, int *fds, size_t *fd_count,
                           int flags);

#endif
