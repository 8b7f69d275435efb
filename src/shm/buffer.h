/*
 * buffer.h - the private side of pp_buffer: one sealed memfd, mapped once in this process.
 */
#ifndef PP_SHM_BUFFER_H
#define PP_SHM_BUFFER_H

#include "procpool.h"

/* The descriptor, borrowed. */
int pp_buffer_fd(const pp_buffer *buffer);

/* Take over a descriptor that came from another process: -EBADMSG unless it is a memfd that can
 * neither shrink nor grow any more.  On failure the descriptor is the caller's still. */
int pp_buffer_adopt(pp_buffer **buffer, int fd);

#endif
