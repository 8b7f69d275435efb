/*
 * map.c - pp_pool_map over an array of 4-byte items.
 */
#include "calls.h"
#include "measure.h"

#include <procpool.h>

enum { ITEMS, WORKERS };

static struct knob knobs[] = {[ITEMS] = {"items", 5000000}, [WORKERS] = {"workers", 2}};

static int multiply(pp_call *call)
{
    uint32_t number = 0;
    int      error = take_number(call, &number, sizeof number);
    number *= 3;
    return error < 0 ? error : pp_call_return_bytes(call, &number, sizeof number);
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t          count = knobs[ITEMS].value;
    uint32_t       *items = allocate(count, sizeof *items);
    uint32_t       *results = allocate(count, sizeof *results);
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = (unsigned)knobs[WORKERS].value;
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    for (size_t i = 0; i < count; i++)
        items[i] = (uint32_t)i;
    double begin = now();
    check(pp_pool_map(pool, PP_FUNCTION(multiply), items, sizeof *items, count, results,
                      sizeof *results, 0, NULL),
          "pp_pool_map");
    double seconds = now() - begin;
    pp_pool_destroy(pool);
    for (size_t i = 0; i < count; i++)
        if (results[i] != items[i] * 3)
            die("wrong result", EPROTO);
    emit("map", "procpool", (double)count / seconds, "items/s");
    free(items);
    free(results);
    return 0;
}
