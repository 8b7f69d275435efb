/*
 * callables.c - an object with callables, for the tests of what is shipped by reference and by name.
 */
#include <procpool.h>
#include <unistd.h>

int plugin_triple(pp_call *call);
int plugin_init(void *arg, void **state);
int plugin_tell_state(pp_call *call);
int plugin_crash(pp_call *call);

extern pp_function *const plugin_hidden_function;
extern const pp_class     plugin_counter;
extern int                plugin_number;

int plugin_number = 7;

int plugin_triple(pp_call *call)
{
    int number = 0;
    int error = pp_call_args(call, "i", &number);
    return error < 0 ? error : pp_call_return(call, "i", number * 3);
}

static int hidden(pp_call *call)
{
    return pp_call_return(call, "[si]", "hidden", plugin_number);
}

pp_function *const plugin_hidden_function = hidden;

static int counter_init(void *self, pp_call *call)
{
    return pp_call_args(call, "i", (int *)self);
}

static int counter_call(void *self, pp_call *call)
{
    return pp_call_return(call, "i", *(int *)self + 1);
}

const pp_class plugin_counter = {
    .name = "counter", .size = sizeof(int), .init = counter_init, .call = counter_call};

int plugin_init(void *arg, void **state)
{
    (void)arg;
    *state = &plugin_number;
    return 0;
}

int plugin_tell_state(pp_call *call)
{
    const int *state = pp_call_state(call);
    return pp_call_return(call, "b", state == &plugin_number);
}

__attribute__((noinline)) static int hidden_crash(volatile int *address)
{
    *address = 1;
    return *address;
}

int plugin_crash(pp_call *call)
{
    volatile int *volatile nowhere = (volatile int *)0x10;
    (void)call;
    return hidden_crash(nowhere);
}
