/*
 * values.c - a plugin for functions.sh: values given and given back.
 */
#include <procpool.h>

#include <stdio.h>

int same(pp_call *call);
int area(pp_call *call);
int pair(pp_call *call);

int same(pp_call *call)
{
    const pp_value *value = NULL;
    int             error = pp_call_args(call, "v", &value);
    return error < 0 ? error : pp_call_return(call, "v", value);
}

int area(pp_call *call)
{
    const pp_value *value = NULL;
    int             width = 0, height = 0;
    int             error = pp_call_args(call, "v", &value);
    if (error == 0)
        error = pp_value_unpack(value, "{ \"w\": i, \"h\": i }", &width, &height);
    return error < 0 ? error : pp_call_return(call, "i", width * height);
}

int pair(pp_call *call)
{
    const char *key = "", *value = "";
    char        text[64];
    int         error = pp_call_args(call, "ss", &key, &value);
    if (error < 0)
        return error;
    snprintf(text, sizeof text, "%s=%s", key, value);
    return pp_call_return(call, "s", text);
}
