/*
 * json_call.c - arguments whose number and kinds are known at run time only.
 *
 * The library takes the arguments of a task as a format and C arguments.  The format of a JSON value
 * is written here - an object is { "key": t, ... }, an array [ ... ] - and the call is made by
 * libffi, which knows how to pass any number of arguments.
 *
 * What such a call can carry is bounded: by the stack, hence MAX_VALUES, and by the format
 * language, which has no escapes in keys.
 */
#define _GNU_SOURCE
#include "json_call.h"

#include <errno.h>
#include <ffi.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED = 4, MAX_VALUES = 20000 };

union slot {
    int64_t     integer;
    double      real;
    int         truth;
    const char *string;
    const void *pointer;
};

/* A call of pp_task_create that is being put together. */
struct call {
    char       *format;
    FILE       *stream; /* writes the format */
    size_t      format_size;
    ffi_type  **types;
    void      **values; /* each points into slots */
    union slot *slots;
    size_t      count, room;
};

static int make_room(struct call *call, size_t count)
{
    call->room = count + FIXED;
    call->types = calloc(call->room, sizeof *call->types);
    call->values = calloc(call->room, sizeof *call->values);
    call->slots = calloc(call->room, sizeof *call->slots);
    call->stream = open_memstream(&call->format, &call->format_size);
    return call->types == NULL || call->values == NULL || call->slots == NULL ||
                   call->stream == NULL
               ? -ENOMEM
               : 0;
}

static void free_call(struct call *call)
{
    if (call->stream != NULL)
        fclose(call->stream);
    free(call->format);
    free(call->types);
    free(call->values);
    free(call->slots);
}

static void push(struct call *call, char letter, ffi_type *type, union slot slot)
{
    size_t at = FIXED + call->count++;
    call->types[at] = type;
    call->slots[at] = slot;
    call->values[at] = &call->slots[at];
    fputc(letter, call->stream);
}

/* ------------------------------------------------------------- a JSON value */

/* How many of its values are arguments. */
static size_t count_values(const json_t *value)
{
    size_t      count = 0, index;
    const char *key;
    json_t     *item;
    if (json_is_array(value)) {
        json_array_foreach(value, index, item) count += count_values(item);
        return count;
    }
    if (!json_is_object(value))
        return !json_is_null(value);
    json_object_foreach((json_t *)(uintptr_t)value, key, item) count += count_values(item);
    return count;
}

static int push_value(struct call *call, const json_t *value);

static int push_object(struct call *call, const json_t *object)
{
    const char *key, *comma = "";
    json_t     *item;
    int         error = 0;
    fputc('{', call->stream);
    json_object_foreach((json_t *)(uintptr_t)object, key, item)
    {
        if (strpbrk(key, "\"\\") != NULL)
            return -EINVAL;
        fprintf(call->stream, "%s\"%s\":", comma, key);
        comma = ",";
        error = push_value(call, item);
        if (error < 0)
            return error;
    }
    fputc('}', call->stream);
    return 0;
}

static int push_array(struct call *call, const json_t *array)
{
    size_t  index;
    json_t *item;
    fputc('[', call->stream);
    json_array_foreach(array, index, item)
    {
        int error = push_value(call, item);
        if (error < 0)
            return error;
    }
    fputc(']', call->stream);
    return 0;
}

static int push_value(struct call *call, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return push_object(call, value);
    case JSON_ARRAY:
        return push_array(call, value);
    case JSON_STRING:
        push(call, 's', &ffi_type_pointer, (union slot){.string = json_string_value(value)});
        return 0;
    case JSON_INTEGER:
        push(call, 'I', &ffi_type_sint64, (union slot){.integer = json_integer_value(value)});
        return 0;
    case JSON_REAL:
        push(call, 'd', &ffi_type_double, (union slot){.real = json_real_value(value)});
        return 0;
    case JSON_NULL:
        fputc('z', call->stream);
        return 0;
    default:
        push(call, 'b', &ffi_type_sint, (union slot){.truth = json_is_true(value)});
        return 0;
    }
}

/* ------------------------------------------------------------------ the call */

/* The structure `callable`, as libffi has to know it to pass it by value. */
static ffi_type *callable_type(void)
{
    static ffi_type *members[] = {&ffi_type_sint,
                                  &ffi_type_pointer,
                                  &ffi_type_pointer,
                                  &ffi_type_pointer,
                                  &ffi_type_pointer,
                                  &ffi_type_ulong,
                                  NULL};
    static ffi_type  type = {.type = FFI_TYPE_STRUCT, .elements = members};
    _Static_assert(sizeof(size_t) == sizeof(unsigned long), "captured_size is passed as one");
    return &type;
}

static int make(pp_task **task, struct call *call, pp_callable callable,
                const pp_task_options *options)
{
    ffi_cif    cif;
    ffi_arg    result = 0;
    ffi_type **types = call->types;
    types[0] = types[2] = types[3] = &ffi_type_pointer;
    types[1] = callable_type();
    if (fflush(call->stream) != 0)
        return -ENOMEM;
    const char *format = call->format;
    call->values[0] = &task;
    call->values[1] = &callable;
    call->values[2] = &options;
    call->values[3] = &format;
    unsigned all = FIXED + (unsigned)call->count;
    if (ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, FIXED, all, &ffi_type_sint, types) != FFI_OK)
        return -ENOSYS;
    ffi_call(&cif, FFI_FN(pp_task_create), &result, call->values);
    return (int)result;
}

int cmd_json_task(pp_task **task, pp_callable callable, const pp_task_options *options,
                  struct cmd_text text)
{
    struct call call = {0};
    json_t     *value = json_loadb(text.data != NULL ? text.data : "", text.length,
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (value == NULL)
        return -ENOMSG;
    size_t count = count_values(value);
    int    error = count <= MAX_VALUES ? make_room(&call, count) : -E2BIG;
    if (error == 0)
        error = push_value(&call, value);
    if (error == 0)
        error = make(task, &call, callable, options);
    free_call(&call);
    json_decref(value);
    return error;
}

int cmd_text_task(pp_task **task, pp_callable callable, const pp_task_options *options,
                  const struct cmd_text *texts, size_t count)
{
    struct call call = {0};
    if (count > MAX_VALUES)
        return -E2BIG;
    int error = make_room(&call, count);
    for (size_t i = 0; i < count && error == 0; i++) {
        char *copy = cmd_text_copy(texts[i]);
        if (copy == NULL)
            error = -ENOMEM;
        else
            push(&call, 's', &ffi_type_pointer, (union slot){.string = copy});
    }
    if (error == 0)
        error = make(task, &call, callable, options);
    for (size_t i = 0; i < call.count; i++)
        free((void *)(uintptr_t)call.slots[FIXED + i].string);
    free_call(&call);
    return error;
}
