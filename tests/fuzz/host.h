/*
 * host.h - a pool without threads, processes or manager, to be harvested and to be told things.
 */
#ifndef PP_TESTS_FUZZ_HOST_H
#define PP_TESTS_FUZZ_HOST_H

#include "fuzz.h"

#include "pool/pool.h"

struct pp_pool *host_new(unsigned workers);
/* A worker in the next slot, ASKED or READY. */
struct pp_worker *host_add_worker(struct pp_pool *pool, bool ready);
/* Take it apart; every task has been ended. */
void host_free(struct pp_pool *pool);

#endif
