/*
 * map.c - one function over an array: chunks of items travel as tasks, results come back in place.
 *
 * Invariant: of the chunks only a window is in memory twice, whatever the size of the array.
 */
#include "base/clock.h"
#include "pool/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Chunks under way for each worker: one runs, the others keep it from waiting.  That many with their heads
 * fit into its tray and box: a chunk in a memfd of its own would cost more than its items. */
enum { WINDOW = 4, CHUNK_BYTES = 15 * PP_GRANULE, CHUNKS_PER_WORKER = 16 };

struct map {
    pp_pool             *pool;
    const pp_callable   *callable;
    const unsigned char *items;
    size_t               item_size;
    size_t               count;
    unsigned char       *out;
    size_t               out_size;
    size_t               chunk;
    pp_task            **window; /* ring: chunk c is in window[c % size] */
    size_t               size;
    size_t               sent; /* chunks */
    size_t               read;
};

static size_t items_in(const struct map *map, size_t chunk)
{
    size_t first = chunk * map->chunk;
    return map->count - first < map->chunk ? map->count - first : map->chunk;
}

static size_t chunk_count(const struct map *map)
{
    return (map->count + map->chunk - 1) / map->chunk;
}

/* Large enough that a chunk costs more than its way, small enough that all workers share the end. */
static size_t choose_chunk(const struct map *map, unsigned workers)
{
    size_t widest = map->item_size > map->out_size ? map->item_size : map->out_size;
    size_t by_bytes = widest > 0 ? CHUNK_BYTES / widest : CHUNK_BYTES;
    size_t by_share = map->count / ((size_t)workers * CHUNKS_PER_WORKER);
    size_t chunk = by_bytes < by_share ? by_bytes : by_share;
    return chunk > 0 ? chunk : 1;
}

static int send_chunk(struct map *map)
{
    size_t              first = map->sent * map->chunk;
    struct pp_map_items items = {.items = map->items + first * map->item_size,
                                 .size = items_in(map, map->sent) * map->item_size,
                                 .item_size = (uint32_t)map->item_size,
                                 .out_size = (uint32_t)map->out_size};
    pp_task            *task = NULL;
    int                 error = pp_task_create_items(&task, map->callable, &items);
    if (error == 0)
        error = pp_pool_submit(map->pool, task, true, PP_NEVER);
    if (error < 0) {
        pp_task_unref(task);
        return error;
    }
    map->window[map->sent++ % map->size] = task;
    return 0;
}

/* Wait for the oldest chunk and copy its results: 0, or its errno with the item's index. */
static int read_chunk(struct map *map, size_t *failed)
{
    size_t      chunk = map->read++;
    pp_task    *task = map->window[chunk % map->size];
    size_t      wanted = items_in(map, chunk) * map->out_size;
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_task_wait(task, PP_FOREVER);
    if (error == 0 && pp_task_result(task) == NULL) {
        const struct pp_error *why = pp_task_error(task);
        error = -pp_error_errno(why);
        /* which item is the worker's word: believed only as far as it can be true */
        size_t last = items_in(map, chunk) - 1;
        *failed = chunk * map->chunk + (why->item < last ? (size_t)why->item : last);
    } else if (error == 0) {
        error = pp_value_unpack(pp_task_result(task), "y", &data, &size);
        if (error == 0 && size != wanted)
            error = -EBADMSG;
        if (error == 0 && size > 0)
            memcpy(map->out + chunk * map->chunk * map->out_size, data, size);
        *failed = chunk * map->chunk;
    }
    pp_task_unref(task);
    return error;
}

/* After a failure: what is under way is not wanted any more. */
static void drop_rest(struct map *map)
{
    for (; map->read < map->sent; map->read++) {
        pp_task *task = map->window[map->read % map->size];
        (void)pp_task_cancel(task);
        (void)pp_task_wait(task, PP_FOREVER);
        pp_task_unref(task);
    }
}

static int run_map(struct map *map, size_t *failed)
{
    size_t chunks = chunk_count(map);
    int    error = 0;
    while (error == 0 && map->read < chunks) {
        while (error == 0 && map->sent < chunks && map->sent - map->read < map->size) {
            *failed = map->sent * map->chunk;
            error = send_chunk(map);
        }
        if (error == 0)
            error = read_chunk(map, failed);
    }
    drop_rest(map);
    return error;
}

static int check_map(const struct map *map)
{
    bool sizes = map->item_size > 0 && map->item_size <= UINT32_MAX && map->out_size <= UINT32_MAX;
    bool arrays = map->items != NULL && (map->out != NULL || map->out_size == 0);
    if (!sizes || (!arrays && map->count > 0))
        return -EINVAL;
    size_t widest = map->item_size > map->out_size ? map->item_size : map->out_size;
    return map->count > (size_t)PTRDIFF_MAX / widest ? -EOVERFLOW : 0;
}

int pp_pool_map(pp_pool *pool, pp_callable callable, const void *items, size_t item_size,
                size_t count, void *out, size_t out_size, size_t chunk, size_t *failed)
{
    struct map map = {.pool = pool,
                      .callable = &callable,
                      .items = items,
                      .item_size = item_size,
                      .count = count,
                      .out = out,
                      .out_size = out_size};
    size_t     index = 0;
    int        error = pp_pool_check(pool);
    if (error == 0)
        error = check_map(&map);
    if (error < 0 || count == 0)
        return error;
    unsigned workers = pp_pool_max_size(pool);
    map.chunk = chunk > 0 ? chunk : choose_chunk(&map, workers);
    map.chunk = map.chunk < count ? map.chunk : count;
    map.size = (size_t)workers * WINDOW;
    map.window = calloc(map.size, sizeof(pp_task *));
    if (map.window == NULL)
        return -ENOMEM;
    error = run_map(&map, &index);
    free(map.window);
    if (error < 0 && failed != NULL)
        *failed = index;
    return error;
}
