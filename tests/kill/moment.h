/*
 * moment.h - waiting for something to change in this process, without sleeping in between.
 *
 * A moment is whenever a condition that is waited for may have become true: a callback has run, the
 * manager is about to sleep, a thread is about to wait for the pool's progress, or moment_passed.
 * One thread may wait at a time.
 */
#ifndef PP_TESTS_KILL_MOMENT_H
#define PP_TESTS_KILL_MOMENT_H

#include <stdbool.h>

void moment_passed(void);
/* Until it holds: false when it did not in that many seconds. */
bool moment_await(bool (*holds)(void), double patience);

/* Keep whoever comes to epoll_wait from entering it, as a busy processor might; and let it go on. */
void moment_hold_sleepers(void);
bool moment_holds_one(void);
void moment_release_sleepers(void);

#endif
