/*
 * registry.c - callables that are known by name.
 *
 * Process-wide, because pp_register comes before any pool.  Append only: an entry is published by
 * one compare-and-swap and never changes or goes away, so that a fork in the middle of a
 * registration leaves the child a whole list.
 */
#include "task/registry.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    pp_callable   callable; /* its captured bytes lie behind the name */
    char          name[];
};

static _Atomic(struct entry *) entries;

static const struct entry *find_from(const struct entry *entry, const char *name)
{
    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

const pp_callable *pp_registry_find(const char *name)
{
    /* acquire: the entries behind the head were written before it was published */
    const struct entry *found =
        find_from(atomic_load_explicit(&entries, memory_order_acquire), name);
    return found != NULL ? &found->callable : NULL;
}

static struct entry *make_entry(const char *name, const pp_callable *callable)
{
    size_t        length = strlen(name) + 1;
    struct entry *entry = malloc(sizeof *entry + length);
    void         *captured = NULL;
    if (entry == NULL)
        return NULL;
    if (callable->captured_size > 0) {
        captured = malloc(callable->captured_size);
        if (captured == NULL) {
            free(entry);
            return NULL;
        }
        memcpy(captured, callable->captured, callable->captured_size);
    }
    memcpy(entry->name, name, length);
    entry->callable = *callable;
    entry->callable.captured = captured;
    return entry;
}

int pp_registry_add(const char *name, const pp_callable *callable)
{
    struct entry *entry = make_entry(name, callable);
    if (entry == NULL)
        return -ENOMEM;
    struct entry *head = atomic_load_explicit(&entries, memory_order_acquire);
    do {
        if (find_from(head, name) != NULL) {
            free((void *)entry->callable.captured);
            free(entry);
            return -EEXIST;
        }
        entry->next = head;
        /* release: publishes the entry's bytes; acquire: another thread's new head is searched */
    } while (!atomic_compare_exchange_weak_explicit(&entries, &head, entry, memory_order_acq_rel,
                                                    memory_order_acquire));
    return 0;
}

/* A text is an entry without a callable, in a list of its own. */
const char *pp_registry_intern(const char *text)
{
    static _Atomic(struct entry *) texts;
    struct entry                  *head = atomic_load_explicit(&texts, memory_order_acquire);
    const struct entry            *found = find_from(head, text);
    if (found != NULL)
        return found->name;
    struct entry *entry = make_entry(text, &(pp_callable){0});
    if (entry == NULL)
        return NULL;
    do /* two threads may both add it: twice is harmless */
        entry->next = head;
    while (!atomic_compare_exchange_weak_explicit(&texts, &head, entry, memory_order_acq_rel,
                                                  memory_order_acquire));
    return entry->name;
}
