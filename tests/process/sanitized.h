/*
 * sanitized.h - which sanitizers this test runs under: SANITIZED by any that knows addresses or threads,
 * THREADS_ARE_WATCHED by the one for threads.
 */
#ifndef PP_TESTS_SANITIZED_H
#define PP_TESTS_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#if __has_feature(thread_sanitizer)
#define THREADS_ARE_WATCHED
#endif
#else
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif
#if defined(__SANITIZE_THREAD__)
#define THREADS_ARE_WATCHED
#endif
#endif

#if defined(THREADS_ARE_WATCHED) && !defined(SANITIZED)
#define SANITIZED
#endif

#endif
