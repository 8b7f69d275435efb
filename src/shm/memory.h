/*
 * memory.h - sealed, preallocated memfds.
 */
#ifndef PP_SHM_MEMORY_H
#define PP_SHM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* A CLOEXEC memfd of that size with its pages allocated, not sealed yet: descriptor or -errno. */
int pp_memory_create(const char *name, size_t size);

/* The same without pages: pp_memory_write allocates each as it is written, in one go, and something is
 * written to each before anybody maps it.  What is left out within a page is zero. */
int pp_memory_create_to_write(const char *name, size_t size);

/* Write, without a mapping, what is to be sealed: a process that another thread forks meanwhile would
 * inherit the mapping, and contents that somebody can still write cannot be sealed. */
int pp_memory_write(int fd, size_t at, const void *data, size_t size);

/* Fix the size for good; with `read_only`, mappings made from now on cannot write either. */
int pp_memory_seal(int fd, bool read_only);

/* Fix size and contents for good; no writable mapping may be left. */
int pp_memory_seal_contents(int fd);

/* The size of a descriptor from another process, after checking that it is sealed against
 * shrinking: 0, or -EBADMSG. */
int pp_memory_checked_size(int fd, size_t *size);
/* The same, and its contents must be sealed, too. */
int pp_memory_checked_contents(int fd, size_t *size);

/* Map part of a memfd; the mapping is not inherited by children.  Address in *address, or -errno. */
int pp_memory_map(void **address, int fd, size_t offset, size_t size, bool writable);

#endif
