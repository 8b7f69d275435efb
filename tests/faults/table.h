/*
 * table.h - sites.txt and calls.txt, and the sites that the code really has.
 */
#ifndef PP_TESTS_FAULTS_TABLE_H
#define PP_TESTS_FAULTS_TABLE_H

#include "faults.h"

enum { MAX_ERRORS = 24, MAX_EXCEPTIONS = 64 };

/* An errno that a site's line excuses. */
struct exception {
    int  error;   /* 0: any */
    int  role;    /* -1: any */
    bool forever; /* only then */
};

struct site {
    char             name[160]; /* "file function call.n" */
    bool             listed;
    bool             roles[ROLES]; /* where the table says that it is reached */
    int              opener; /* index of the site whose failure leads here; -1: it needs none */
    int              opener_error;
    int              errors[MAX_ERRORS];
    unsigned         error_count;
    struct exception exceptions[MAX_EXCEPTIONS];
    unsigned         exception_count;
};

extern struct site sites[MAX_SITES];
extern unsigned    site_count;

extern const char *const role_names[ROLES];
extern const char *const phase_names[PHASES];

/* Name the sites of the program, then read both tables of that folder: the number of things that do
 * not agree, each told on stderr. */
unsigned table_read(const char *folder);
/* The names of the sites, as sites.txt has them. */
void table_print(const unsigned reached[ROLES][MAX_SITES]);
bool table_excuses(const struct site *site, enum role role, int error, bool forever);
int  error_number(const char *name);

#endif
