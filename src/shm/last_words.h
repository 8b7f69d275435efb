/*
 * last_words.h - where a worker that is about to die says where it was.
 *
 * It lies at the end of the ledger.  An idle worker does not touch it; the handler of a deadly signal
 * (worker/last_words.c) writes it, and the host reads it once the worker is dead, as hostile as all
 * that a worker writes.  Only `begun` is looked at before: it buys the worker a moment to finish.
 */
#ifndef PP_SHM_LAST_WORDS_H
#define PP_SHM_LAST_WORDS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

enum { PP_LAST_WORDS_SIZE = 4032, PP_LAST_WORDS_TEXT = PP_LAST_WORDS_SIZE - 64 };

/* `begun` once the handler runs. */
enum { PP_LAST_WORDS_BEGUN = 0x6c617374 };

struct pp_last_words {
    _Alignas(64) _Atomic uint32_t begun;
    _Atomic uint32_t length; /* of the text so far; released after its bytes, line by line */
    int32_t          signal;
    int32_t          code;                      /* si_code */
    uint64_t         address;                   /* of a fault */
    _Atomic uint64_t ticket;                    /* the task that ran */
    _Alignas(64) char text[PP_LAST_WORDS_TEXT]; /* lines "path+0xoffset", the innermost first */
};

_Static_assert(sizeof(struct pp_last_words) == PP_LAST_WORDS_SIZE, "as large as it says");

/* From the host: your task has run into its time limit; say where, then die. */
#define PP_LIMIT_SIGNAL (SIGRTMAX - 1)

#endif
