/*
 * heap.c - the binary heap of timers.
 *
 * Invariant: items[i]->index == i + 1, and no timer is earlier than its parent.
 */
#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct pp_heap *heap, size_t index, struct pp_timer *timer)
{
    heap->items[index] = timer;
    timer->index = (index + 1) & (SIZE_MAX >> 8);
}

static void sift_up(struct pp_heap *heap, size_t index, struct pp_timer *timer)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (heap->items[parent]->when <= timer->when)
            break;
        place(heap, index, heap->items[parent]);
        index = parent;
    }
    place(heap, index, timer);
}

static void sift_down(struct pp_heap *heap, size_t index, struct pp_timer *timer)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->items[child + 1]->when < heap->items[child]->when)
            child++;
        if (timer->when <= heap->items[child]->when)
            break;
        place(heap, index, heap->items[child]);
        index = child;
    }
    place(heap, index, timer);
}

static void settle(struct pp_heap *heap, size_t index, struct pp_timer *timer)
{
    if (index > 0 && timer->when < heap->items[(index - 1) / 2]->when)
        sift_up(heap, index, timer);
    else
        sift_down(heap, index, timer);
}

int pp_heap_reserve(struct pp_heap *heap, size_t count)
{
    if (count <= heap->capacity)
        return 0;
    size_t capacity = heap->capacity > 0 ? heap->capacity : 16;
    while (capacity < count)
        capacity *= 2;
    void *items = reallocarray(heap->items, capacity, sizeof(struct pp_timer *));
    if (items == NULL)
        return -ENOMEM;
    heap->items = items;
    heap->capacity = capacity;
    return 0;
}

void pp_heap_set(struct pp_heap *heap, struct pp_timer *timer, int64_t when)
{
    timer->when = when;
    if (timer->index == 0)
        sift_up(heap, heap->count++, timer);
    else
        settle(heap, timer->index - 1, timer);
}

void pp_heap_remove(struct pp_heap *heap, struct pp_timer *timer)
{
    if (timer->index == 0)
        return;
    size_t index = timer->index - 1;
    timer->index = 0;
    struct pp_timer *last = heap->items[--heap->count];
    if (last != timer)
        settle(heap, index, last);
}

struct pp_timer *pp_heap_first(const struct pp_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

void pp_heap_free(struct pp_heap *heap)
{
    free(heap->items);
    *heap = (struct pp_heap){0};
}
