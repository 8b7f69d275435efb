/*
 * registry.h - callables that are known by name.
 */
#ifndef PP_TASK_REGISTRY_H
#define PP_TASK_REGISTRY_H

#include "procpool.h"

/* A checked callable under a name: 0, -EEXIST or -ENOMEM; captured bytes are copied. */
int pp_registry_add(const char *name, const pp_callable *callable);

/* NULL when there is none; never freed. */
const pp_callable *pp_registry_find(const char *name);

/* The same string for ever, or NULL without memory. */
const char *pp_registry_intern(const char *text);

#endif
