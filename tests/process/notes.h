/*
 * notes.h - what callbacks write down, and a test reads in the order in which they ran.
 */
#ifndef PP_TESTS_NOTES_H
#define PP_TESTS_NOTES_H

#include "support.h"

#include <stdatomic.h>
#include <string.h>

/* What the callbacks of one test wrote down, a letter each. */
static char        notes[64];
static atomic_uint note_count;

static inline void note(char letter)
{
    unsigned at = atomic_fetch_add(&note_count, 1);
    assert_true(at < sizeof notes - 1);
    notes[at] = letter;
}

static inline int forget_notes(void **state)
{
    (void)state;
    memset(notes, 0, sizeof notes);
    note_count = 0;
    return 0;
}

#endif
