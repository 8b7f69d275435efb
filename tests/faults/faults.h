/*
 * faults.h - what the driver orders and what the processes of a pool write down about it.
 */
#ifndef PP_TESTS_FAULTS_FAULTS_H
#define PP_TESTS_FAULTS_FAULTS_H

#include "calls.h"

#include <stdatomic.h>
#include <stdint.h>

enum role { ROLE_HOST, ROLE_SERVER, ROLE_WORKER, ROLES };

/* How far a scenario is: a fault is armed from one of these moments on. */
enum phase {
    PHASE_START,    /* before the pool is created      */
    PHASE_RUNNING,  /* the pool has its workers        */
    PHASE_RECOVERY, /* something is about to be killed */
    PHASES
};

enum { MAX_SITES = 512 };

/* One for each run, shared by all processes of it. */
struct orders {
    pid_t       host;
    int         site; /* index in the section; -1: none */
    enum role   role;
    int         error;
    bool        forever;
    int         opener; /* a site that fails always, so that the code behind it is reached; or -1 */
    int         opener_error;
    int         opener_role; /* -1: wherever it is reached */
    enum phase  armed_from;
    atomic_int  phase;
    atomic_uint fired;
    atomic_uint reached[PHASES][ROLES][MAX_SITES]; /* how often */
    char        complaint[512];
    atomic_int  complaints;
};

extern struct orders *the_orders;

extern const struct pp_fault_site *__start_pp_fault_sites[];
extern const struct pp_fault_site *__stop_pp_fault_sites[];

/* Make the orders, in shared memory that an exec'd worker finds again. */
struct orders *orders_create(void);

/* A promise was not kept: the first one is remembered. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* scenarios.c: runs in a child of the driver, as the host; returns when everything is given back. */
struct scenario {
    const char *name;
    void (*run)(void);
    bool host_dies;
    bool leaves; /* tasks leave processes behind: for the sites that end those */
};
extern const struct scenario scenarios[];
extern const unsigned        scenario_count;

#endif
