/*
 * watched.h - tasks of which it is known whether they were accepted, and what they do.
 */
#ifndef PP_TESTS_FAULTS_WATCHED_H
#define PP_TESTS_FAULTS_WATCHED_H

#include "faults.h"

#include <procpool.h>

#define WAIT 10.0 /* s: ends a hang on a busy machine */

enum { LARGE = 1 << 20, MIDDLE = 3000 };

struct watched {
    pp_task    *task;
    const char *name;
    atomic_int  results;
    atomic_int  exceptions;
    bool        accepted;
};

/* callables.c */
extern unsigned char  large[LARGE];
extern const pp_class counter;
int                   square(pp_call *call);
int                   nothing(pp_call *call);
int                   parent(pp_call *call);
int                   bytes_back(pp_call *call);
int                   large_value(pp_call *call);
int                   middle_value(pp_call *call);
int                   buffer_back(pp_call *call);
int                   new_buffer(pp_call *call);
int                   captured(pp_call *call);
int                   raises(pp_call *call);
int                   fails_at_first(pp_call *call);
int                   crashes(pp_call *call);
int                   aborts(pp_call *call);
int                   sleeps(pp_call *call);
int                   until_interrupted(pp_call *call);
int                   leaves_child(pp_call *call);
int                   sleeps_through_term(pp_call *call);
int                   leaves_stubborn_child(pp_call *call);
int                   leaves_zombie(pp_call *call);
int                   item(pp_call *call);
int                   worker_init(void *arg, void **state);
void                  worker_exit(void *arg, void *state);

/* watched.c */
bool            good(int result, const char *what);
pp_task_options with(double timeout, unsigned retries);
struct watched *enter(const char *name, pp_task_options *options);
struct watched *queue(pp_pool *pool, struct watched *watched, int error);
struct watched *queue_bytes(pp_pool *pool, pp_function *function, size_t size);
void            queue_unseen(pp_pool *pool);
void            end(struct watched *watched);
void            end_all(void);
int             number_from(struct watched *watched);
void            check_works(pp_pool *pool);
unsigned        descriptors(void);
void            go_on(enum phase phase);
pp_pool_options plain(void);
pp_pool        *create(const pp_pool_options *options);
void            give_back(pp_pool *pool);

#define QUEUE_WITH(pool, callable, options, ...)                                         \
    ({                                                                                   \
        pp_task_options its_options = (options);                                         \
        struct watched *its_record = enter(#callable, &its_options);                     \
        queue((pool), its_record,                                                        \
              pp_task_create(&its_record->task, (callable), &its_options, __VA_ARGS__)); \
    })
#define QUEUE(pool, function, ...) QUEUE_WITH(pool, PP_FUNCTION(function), with(0, 0), __VA_ARGS__)

#endif
