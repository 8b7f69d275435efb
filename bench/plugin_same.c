/*
 * plugin_same.c - what `echo` is among commands: the function that gives its argument back.
 */
#include <procpool.h>

int same(pp_call *call);

int same(pp_call *call)
{
    const char *what = "";
    int         error = pp_call_args(call, "s", &what);
    return error < 0 ? error : pp_call_return(call, "s", what);
}
