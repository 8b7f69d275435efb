/*
 * words.c - bytes that grow, and the number of the worker put in.
 */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cmd_words_clear(struct cmd_words *words)
{
    words->size = 0;
    words->slot_count = 0;
}

int cmd_words_append(struct cmd_words *words, const char *data, size_t size)
{
    if (size == 0)
        return 0;
    if (words->capacity - words->size < size) {
        size_t capacity = words->capacity == 0 ? 256 : words->capacity;
        while (capacity - words->size < size)
            capacity *= 2;
        char *grown = realloc(words->data, capacity);
        if (grown == NULL)
            return -ENOMEM;
        words->data = grown;
        words->capacity = capacity;
    }
    memcpy(words->data + words->size, data, size);
    words->size += size;
    return 0;
}

int cmd_words_append_string(struct cmd_words *words, const char *string)
{
    return cmd_words_append(words, string, strlen(string));
}

int cmd_words_slot(struct cmd_words *words)
{
    if (words->size > UINT32_MAX)
        return -ENOMEM;
    if (words->slot_count == words->slot_capacity) {
        size_t    capacity = words->slot_capacity == 0 ? 8 : words->slot_capacity * 2;
        uint32_t *slots = realloc(words->slots, capacity * sizeof *slots);
        if (slots == NULL)
            return -ENOMEM;
        words->slots = slots;
        words->slot_capacity = capacity;
    }
    words->slots[words->slot_count++] = (uint32_t)words->size;
    return 0;
}

void cmd_words_free(struct cmd_words *words)
{
    free(words->data);
    free(words->slots);
    *words = (struct cmd_words){0};
}

char *cmd_words_fill(const char *data, size_t size, const void *slots, size_t slot_bytes,
                     unsigned slot, size_t *filled)
{
    char     number[16];
    uint32_t at = 0;
    size_t   digits = (size_t)snprintf(number, sizeof number, "%u", slot);
    size_t   count = slot_bytes / sizeof at;
    char    *copy = malloc(size + count * digits + 1);
    char    *out = copy;
    size_t   done = 0;
    if (copy == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        memcpy(&at, (const char *)slots + i * sizeof at, sizeof at);
        if (at < done || at > size)
            break;
        memcpy(out, data + done, at - done);
        out += at - done;
        memcpy(out, number, digits);
        out += digits;
        done = at;
    }
    memcpy(out, data + done, size - done);
    *filled = (size_t)(out - copy) + size - done;
    return copy;
}
