/*
 * results.c - a plugin for plugin.sh: every kind of result, and ways to go wrong.
 */
#include <procpool.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int give(pp_call *call);
int go_wrong(pp_call *call);
int again(pp_call *call);

int give(pp_call *call)
{
    const char *what = "";
    int         error = pp_call_args(call, "s", &what);
    if (error < 0)
        return error;
    if (strcmp(what, "nothing") == 0)
        return 0;
    if (strcmp(what, "chatter") == 0)
        printf("said by the function\n");
    if (strcmp(what, "slow") == 0)
        sleep(1);
    if (strcmp(what, "null") == 0)
        return pp_call_return(call, "z");
    if (strcmp(what, "false") == 0)
        return pp_call_return(call, "b", false);
    if (strcmp(what, "zero") == 0)
        return pp_call_return(call, "i", 0);
    if (strcmp(what, "empty") == 0)
        return pp_call_return(call, "s", "");
    if (strcmp(what, "list") == 0)
        return pp_call_return(call, "[isz]", 1, "two");
    if (strcmp(what, "map") == 0)
        return pp_call_return(call, "{ \"a\": i, \"b\": [d] }", 1, 0.5);
    return pp_call_return(call, "s", what);
}

int go_wrong(pp_call *call)
{
    const char *how = "";
    int         error = pp_call_args(call, "s", &how);
    if (error < 0)
        return error;
    if (strcmp(how, "segv") == 0)
        raise(SIGSEGV);
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "exit") == 0)
        exit(5);
    if (strcmp(how, "raise") == 0)
        return pp_call_raise(call, 5, "MyError", "because of %s", how);
    if (strcmp(how, "errno") == 0)
        return -2;
    while (strcmp(how, "hang") == 0)
        pause();
    return pp_call_return(call, "s", how);
}

/* Fails at the first attempt. */
int again(pp_call *call)
{
    if (pp_call_attempt(call) == 1)
        abort();
    return pp_call_return(call, "i", (int)pp_call_attempt(call));
}
