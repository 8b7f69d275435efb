/*
 * option_values.h - how the value of an option is read; see cmd_parse_fn.
 */
#ifndef CMD_OPTION_VALUES_H
#define CMD_OPTION_VALUES_H

#include "options.h"

cmd_parse_fn cmd_parse_text;      /* const char * */
cmd_parse_fn cmd_parse_number;    /* unsigned, between option->min and option->max */
cmd_parse_fn cmd_parse_seconds;   /* double */
cmd_parse_fn cmd_parse_size;      /* uint64_t */
cmd_parse_fn cmd_parse_count;     /* uint64_t, 1 at least */
cmd_parse_fn cmd_parse_load;      /* double */
cmd_parse_fn cmd_parse_jobs;      /* struct cmd_jobs */
cmd_parse_fn cmd_parse_soft;      /* struct cmd_soft_limit */
cmd_parse_fn cmd_parse_nice;      /* struct cmd_nice */
cmd_parse_fn cmd_parse_halt;      /* struct cmd_halt */
cmd_parse_fn cmd_parse_separator; /* char *, allocated, not empty; \t and the like are resolved */
cmd_parse_fn cmd_parse_delimiter; /* int */
cmd_parse_fn cmd_parse_variable;  /* struct cmd_strings: NAME=VALUE */
cmd_parse_fn cmd_parse_more;      /* struct cmd_strings: another one */

unsigned cmd_online_cpus(void);

#endif
