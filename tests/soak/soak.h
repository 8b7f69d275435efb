/*
 * soak.h - what the files of the soak share.
 *
 * Three kinds of process:
 *   sentinel  starts the host, is the subreaper of everything, buries what is orphaned    (main.c)
 *   host      has the pools; submitters, a chaos thread and the watchdog are its threads   (host.c)
 *   workers   execute the tasks of tasks.c; they share one board with the host
 *
 * Every task that a pool accepted has an entry in the ledger (ledger.c), which is free again only
 * after exactly one outcome, with exactly the callbacks that were asked for, was seen and judged.
 */
#ifndef PP_SOAK_H
#define PP_SOAK_H

#include <procpool.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* ------------------------------------------------------------------ numbers by chance */

struct dice {
    uint64_t state;
};

static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static inline uint64_t roll(struct dice *dice)
{
    return mix(dice->state += 0x9e3779b97f4a7c15U);
}

static inline unsigned roll_below(struct dice *dice, unsigned limit)
{
    return (unsigned)((roll(dice) >> 32) * limit >> 32);
}

/* ------------------------------------------------------------------------- the board
 *
 * Shared with all workers, by a memfd, so that exec'd ones have it, too. */

enum { ENTRIES = 16384, RECENT = 64 };

struct recent {
    _Atomic unsigned next;
    _Atomic int      pids[RECENT];
};

struct board {
    struct recent    workers;  /* told by a worker's first task, now and then by worker_init */
    struct recent    servers;  /* the parents of those                                      */
    struct recent    children; /* of tasks                                                  */
    _Atomic uint64_t suicides; /* tasks that were about to end their worker by a signal or exit */
    _Atomic uint64_t strays;   /* executions of a task that had ended already                   */
    _Atomic uint64_t traces[ENTRIES]; /* id << 8 | executions begun */
};

extern struct board *board;
int                  board_create(void); /* in the host, before any pool */
void                 board_announce(struct recent *recent, pid_t pid);

/* What comes first in each task's arguments. */
struct head {
    uint64_t id;
    uint32_t index;
    uint32_t what; /* a signal, a size, a number of attempts: the kind knows */
};

/* ------------------------------------------------------------------------- the ledger */

enum kind {
    KIND_TINY,
    KIND_ECHO,
    KIND_ARGUMENTS,
    KIND_BUFFER,
    KIND_CLOSURE,
    KIND_CLASS,
    KIND_NAMED,
    KIND_RAISE,
    KIND_CRASH,
    KIND_EXIT,
    KIND_LEAVES_CHILD,
    KIND_WAITS_FOR_CHILD,
    KIND_SPIN,
    KIND_DEAF,
    KIND_SOFT,
    KIND_NAP,
    KIND_LONG,
    KIND_FLAKY,
    KINDS
};

enum { OUTCOMES = PP_WORKER_LOST + 1 };
#define BIT(state) (1U << (state))

struct entry {
    _Atomic uint32_t state; /* enum entry_state */
    _Atomic bool     cancel_asked;
    bool             pool_callback; /* its callback comes after the task's own */
    uint32_t         index;
    uint64_t         id;
    enum kind        kind;
    uint32_t         what;
    unsigned         max_retries;
    pp_buffer       *buffer;
    pp_state         outcome;
};

struct ledger {
    struct entry     entries[ENTRIES];
    _Atomic uint64_t next_id;
    _Atomic unsigned cursor;
    _Atomic unsigned in_flight;
    _Atomic bool     chaos;     /* in this round somebody kills workers           */
    _Atomic bool     finishing; /* in this round finalize may drop and stop tasks */
    _Atomic uint64_t accepted;
    _Atomic uint64_t outcomes[KINDS][OUTCOMES];
    _Atomic uint64_t callbacks;
    _Atomic uint64_t
        innocents_lost; /* WORKER_LOST of a task that does not end its worker; of a round */
    _Atomic uint64_t never_begun; /* WORKER_LOST because no worker could be started */
    _Atomic uint64_t duplicates;
    _Atomic uint64_t wrong; /* results, errors, outcomes that must not be */
};

extern struct ledger ledger;

/* A free entry for a task of that kind, or NULL when each is in use. */
struct entry *ledger_open(enum kind kind, uint32_t what);
/* The task was not accepted. */
void ledger_withdraw(struct entry *entry);
void ledger_accepted(void);
/* The callbacks of every task; userdata is the entry, for the pool's it is NULL. */
void                    on_result(pp_task *task, const pp_value *result, void *userdata);
void                    on_exception(pp_task *task, const pp_error *error, void *userdata);
void                    on_pool_result(pp_task *task, const pp_value *result, void *userdata);
void                    on_pool_exception(pp_task *task, const pp_error *error, void *userdata);
void                    ledger_print_in_flight(void);
void                    violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern _Atomic uint64_t violations;

/* ------------------------------------------------------------------------- kinds */

struct kind_info {
    const char *name;
    unsigned    allowed;  /* outcomes that a task of it may have in peace   */
    bool        innocent; /* does nothing that ends its worker             */
};
extern const struct kind_info kinds[KINDS];

/* Make and queue a task of that kind; a plain one has neither priority nor limits that it does not
 * need, so that a stream of them flows at full speed.  0, or what the pool answered; the task is handed out, if
 * wanted, to be waited for or cancelled. */
int kind_submit(pp_pool *pool, struct dice *dice, enum kind kind, bool blocking, bool plain,
                pp_task **task);
/* Is what came out what the arguments demand? */
bool kind_judge_result(const struct entry *entry, const pp_value *result);
bool kind_judge_error(const struct entry *entry, const pp_error *error);

/* tasks.c: the callables */
extern const pp_class class_of_tasks;
int                   task_tiny(pp_call *call);
int                   task_echo(pp_call *call);
int                   task_arguments(pp_call *call);
int                   task_buffer(pp_call *call);
int                   task_closure(pp_call *call);
int                   task_raise(pp_call *call);
int                   task_crash(pp_call *call);
int                   task_exit(pp_call *call);
int                   task_leaves_child(pp_call *call);
int                   task_waits_for_child(pp_call *call);
int                   task_spin(pp_call *call);
int                   task_deaf(pp_call *call);
int                   task_soft(pp_call *call);
int                   task_nap(pp_call *call);
int                   task_long(pp_call *call);
int                   task_flaky(pp_call *call);
int                   task_map_item(pp_call *call);
int                   soak_worker_init(void *arg, void **state);

/* ------------------------------------------------------------------------- load */

enum mode { MODE_STREAM, MODE_MIXED, MODE_STORM, MODE_PING, MODES };
extern const char *const mode_names[MODES];

/* One round: a pool of its own, with the threads that work on it. */
struct round {
    pp_pool     *pool;
    enum mode    mode;
    uint64_t     seed;
    bool         chaos;
    bool         daemonized;
    unsigned     max_size;
    _Atomic bool stop;       /* submitters shall come to an end */
    _Atomic bool stop_chaos; /* ... and the chaos thread         */
    uint64_t     kills;      /* of workers, by the chaos thread    */
    uint64_t     server_kills;
};

/* A thread, and what it is doing, for the report of a hang. */
struct thread {
    struct round       *round;
    unsigned            number;
    const char *_Atomic doing;
    _Atomic bool        arrived;
    pthread_t           id;
};

void *submitter_main(void *thread);
void *chaos_main(void *thread);
/* The thread has come to its end: wake the watchdog. */
void arrived(struct thread *thread);

struct chaos_counts {
    uint64_t workers_killed, workers_stopped, servers_killed, servers_stopped, children_killed,
        resizes;
};
extern struct chaos_counts chaos_counts;
extern _Atomic uint64_t    map_items;
extern _Atomic uint64_t    cancels, refused;

/* ------------------------------------------------------------------------- census */

extern pid_t sentinel;
/* A pidfd of that process if it is alive and below the sentinel, otherwise -1. */
int      census_pidfd(pid_t pid);
bool     census_is_server(pid_t pid);
unsigned census_descriptors(void);
size_t   census_pss(void); /* bytes of the host */
/* Processes below the sentinel but it and the host: all, and the children of tasks among them. */
struct census {
    unsigned others, children, zombies;
};
struct census census_take(bool kill_children);

double now(void);
int    host_main(double seconds, uint64_t seed, double round_seconds, int mode, bool keep);

#endif
