/*
 * reports.h - what a report of a crash or a passed limit must say.
 */
#ifndef PP_TESTS_REPORTS_H
#define PP_TESTS_REPORTS_H

#include "support.h"

#include <string.h>

/* A function that a backtrace is to name: it is on the stack, and under that name. */
#define NAMED __attribute__((noinline))

/* The backtrace has the name, the value form has the same text, and no frame is the library's. */
static inline void assert_names(const pp_error *error, const char *name)
{
    const char *text = pp_error_backtrace(error);
    const char *info = NULL;
    if (strstr(text, name) == NULL)
        print_error("no '%s' in:\n%s", name, text);
    assert_non_null(strstr(text, name));
    assert_null(strstr(text, "pp_worker"));
    assert_null(strstr(text, "pp_frames"));
    assert_null(strstr(text, "pp_call_raise"));
    assert_int_equal(
        pp_value_unpack(pp_error_value(error), "{\"Exception\": {\"Exc_info\": s}}", &info), 0);
    assert_string_equal(info, text);
}

#endif
