/*
 * heap.h - timers in a binary heap: the earliest is read in one step.
 *
 * A timer sits in its owner and is in at most one heap; `index` is its place there plus one, so a
 * zeroed timer is in none.  Not thread-safe: the owner's lock protects heap and timers.
 */
#ifndef PP_BASE_HEAP_H
#define PP_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct pp_timer {
    int64_t  when;
    size_t   index : 56;
    unsigned kind : 8; /* the owner's: what is due */
};

struct pp_heap {
    struct pp_timer **items;
    size_t            count;
    size_t            capacity;
};

/* Room for that many timers: 0 or -ENOMEM. */
int pp_heap_reserve(struct pp_heap *heap, size_t count);

/* Arm or re-arm.  Cannot fail: room was reserved for every timer there is. */
void             pp_heap_set(struct pp_heap *heap, struct pp_timer *timer, int64_t when);
void             pp_heap_remove(struct pp_heap *heap, struct pp_timer *timer);
struct pp_timer *pp_heap_first(const struct pp_heap *heap);
void             pp_heap_free(struct pp_heap *heap);

#endif
