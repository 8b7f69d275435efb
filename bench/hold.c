/*
 * hold.c - an idle pool, to be looked at from outside through /proc: it has run some tasks, says
 * that it is ready, and stands until standard input ends.
 */
#include "measure.h"

#include <procpool.h>
#include <unistd.h>

enum { WORKERS };

static struct knob knobs[] = {[WORKERS] = {"workers", 8}};

/* Long enough that every worker gets some. */
static int nap(pp_call *call)
{
    struct timespec moment = {.tv_nsec = 1000 * 1000};
    (void)call;
    return nanosleep(&moment, NULL);
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    char            byte = 0;
    options.min_size = (unsigned)knobs[WORKERS].value;
    options.max_queued_requests = 4096;
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    for (unsigned i = 0; i < 8 * options.min_size; i++)
        check(pp_pool_create_and_queue_task(pool, PP_FUNCTION(nap), NULL, NULL), "nap");
    check(pp_pool_process_all_results(pool, PP_FOREVER), "pp_pool_process_all_results");
    emit("ready", "procpool", (double)options.min_size, "workers");
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    pp_pool_destroy(pool);
    return 0;
}
