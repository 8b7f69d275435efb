/*
 * options.h - what the command line of kill-sweep asks for; see the head of sweep.c.
 */
#ifndef PP_TESTS_KILL_OPTIONS_H
#define PP_TESTS_KILL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *region, *host, *peer, *workers, *label;
    const char *in;     /* only boundaries in that function */
    long        sample; /* 0: all */
    long        at;     /* -1: all */
    bool        map;    /* print how many boundaries each function has */
    bool        alone;  /* each trial in a pool of its own */
    uint64_t    seed;
};

/* 0, or -1: there is another word among them. */
int options_read(struct settings *settings, int argc, char **argv);

#endif
