/*
 * words.h - an argument vector as bytes: words, each ended by NUL.
 *
 * The number of the worker that will run it is known to that worker only: where it belongs is told
 * beside the words, as offsets.
 */
#ifndef CMD_WORDS_H
#define CMD_WORDS_H

#include "source.h"

struct cmd_words {
    char     *data;
    size_t    size, capacity;
    uint32_t *slots; /* offsets in `data`, ascending */
    size_t    slot_count, slot_capacity;
};

void cmd_words_clear(struct cmd_words *words);
/* 0 or -ENOMEM. */
int cmd_words_append(struct cmd_words *words, const char *data, size_t size);
int cmd_words_append_string(struct cmd_words *words, const char *string);
/* Here goes the number of the worker. */
int  cmd_words_slot(struct cmd_words *words);
void cmd_words_free(struct cmd_words *words);

/* The number put in: a copy of the words, to be freed, or NULL; its size in *filled. */
char *cmd_words_fill(const char *data, size_t size, const void *slots, size_t slot_bytes,
                     unsigned slot, size_t *filled);

#endif
