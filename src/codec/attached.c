/*
 * attached.c - an insert-only search tree without locks (_mpmc: any thread reads and adds).
 *
 * The tree branches by the bits of a scrambled key, lowest first.  Scrambling maps different keys
 * to different ones, so two of them part after 64 branches at the latest, and a hostile layout of
 * the bytes cannot make it a list.
 *
 * Invariants
 *   - A link changes once, from NULL to a complete node, by one compare-and-swap (release).  So a
 *     reader that sees a node (acquire) sees all of it, and nothing is ever moved or freed before
 *     the document is cleared.
 *   - No two nodes have the same key.
 */
#include "codec/attached.h"

#include <stdatomic.h>
#include <stdlib.h>

struct pp_attached {
    uint64_t                      key;
    _Atomic(struct pp_attached *) branch[2];
    max_align_t                   body[];
};

/* The finalizer of splitmix64, a bijection, over the offset in the bytes and the kind. */
static uint64_t key_of(const struct pp_document *document, const unsigned char *source,
                       enum pp_attached_kind kind)
{
    uint64_t key = (uint64_t)(source - document->data) << 2 | (uint64_t)kind;
    key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
    return key ^ key >> 31;
}

static struct pp_attached *node_of(void *body)
{
    return (struct pp_attached *)(void *)((char *)body - offsetof(struct pp_attached, body));
}

void *pp_attached_find(struct pp_document *document, const unsigned char *source,
                       enum pp_attached_kind kind)
{
    uint64_t            key = key_of(document, source, kind);
    uint64_t            bits = key;
    struct pp_attached *node = atomic_load_explicit(&document->attached, memory_order_acquire);
    while (node != NULL && node->key != key) {
        node = atomic_load_explicit(&node->branch[bits & 1], memory_order_acquire);
        bits >>= 1;
    }
    return node != NULL ? node->body : NULL;
}

void *pp_attached_new(size_t size)
{
    if (size > (size_t)PTRDIFF_MAX - sizeof(struct pp_attached))
        return NULL;
    struct pp_attached *node = malloc(sizeof *node + size);
    if (node == NULL)
        return NULL;
    node->key = 0;
    atomic_init(&node->branch[0], NULL);
    atomic_init(&node->branch[1], NULL);
    return node->body;
}

void *pp_attached_keep(struct pp_document *document, const unsigned char *source,
                       enum pp_attached_kind kind, void *body)
{
    struct pp_attached *node = node_of(body);
    uint64_t            bits = node->key = key_of(document, source, kind);

    _Atomic(struct pp_attached *) *link = &document->attached;
    for (;;) {
        struct pp_attached *there = NULL;
        if (atomic_compare_exchange_strong_explicit(link, &there, node, memory_order_release,
                                                    memory_order_acquire))
            return node->body;
        if (there->key == node->key) {
            free(node);
            return there->body;
        }
        link = &there->branch[bits & 1];
        bits >>= 1;
    }
}

void pp_attached_drop(void *body)
{
    free(node_of(body));
}

/* At most 65 calls deep: see above. */
static void free_tree(struct pp_attached *node)
{
    if (node == NULL)
        return;
    free_tree(atomic_load_explicit(&node->branch[0], memory_order_relaxed));
    free_tree(atomic_load_explicit(&node->branch[1], memory_order_relaxed));
    free(node);
}

void pp_attached_free(struct pp_document *document)
{
    /* acquire: what readers on other threads attached.  They are gone by now, so nobody adds. */
    struct pp_attached *tree = atomic_load_explicit(&document->attached, memory_order_acquire);
    if (tree == NULL)
        return;
    atomic_store_explicit(&document->attached, NULL, memory_order_relaxed);
    free_tree(tree);
}
