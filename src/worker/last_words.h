/*
 * last_words.h - a worker that dies of a signal says where it was.
 */
#ifndef PP_WORKER_LAST_WORDS_H
#define PP_WORKER_LAST_WORDS_H

#include <sys/types.h>

struct pp_worker_self;

/* Catch the signals that end a process by its own fault, and the one of the time limit.  What cannot be
 * caught stays silent: a crash without last words is one all the same. */
void pp_last_words_prepare(const struct pp_worker_self *self, pid_t host);

#endif
