/*
 * list.h - an intrusive doubly linked list with a head.
 *
 * A link that is in no list points at itself or is zero; pp_list_remove leaves it that way, so a
 * second removal does nothing.
 */
#ifndef PP_BASE_LIST_H
#define PP_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct pp_list {
    struct pp_list *next;
    struct pp_list *previous;
};

#define PP_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void pp_list_init(struct pp_list *list)
{
    list->next = list->previous = list;
}

static inline bool pp_list_empty(const struct pp_list *list)
{
    return list->next == list || list->next == NULL;
}

static inline void pp_list_insert_before(struct pp_list *place, struct pp_list *link)
{
    link->previous = place->previous;
    link->next = place;
    place->previous->next = link;
    place->previous = link;
}

static inline void pp_list_append(struct pp_list *list, struct pp_list *link)
{
    pp_list_insert_before(list, link);
}

static inline void pp_list_prepend(struct pp_list *list, struct pp_list *link)
{
    pp_list_insert_before(list->next, link);
}

static inline void pp_list_remove(struct pp_list *link)
{
    if (link->next == NULL)
        return;
    link->next->previous = link->previous;
    link->previous->next = link->next;
    pp_list_init(link);
}

/* The first link, taken out, or NULL. */
static inline struct pp_list *pp_list_take_first(struct pp_list *list)
{
    if (pp_list_empty(list))
        return NULL;
    struct pp_list *first = list->next;
    pp_list_remove(first);
    return first;
}

#endif
