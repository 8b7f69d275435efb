/*
 * callable.c - describing callables in the host, finding them again in a worker.
 *
 * Invariants
 *   - An address is shipped as (object file, offset) or not at all.
 *   - A worker calls nothing that does not lie in an executable segment of the named object, and
 *     reads a class only from a loaded segment: an offset that fits no more is an exception.
 *   - An object file that a worker opened stays open: nothing is called after it was unmapped.
 */
#include "task/callable.h"

#include "task/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An object that was opened by a relative path: where it really is, whatever the directory is now. */
static const char *absolute_path(const struct link_map *object)
{
    char        line[PATH_MAX + 128];
    const char *path = NULL;
    FILE       *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return object->l_name;
    while (path == NULL && fgets(line, sizeof line, maps) != NULL) {
        char *slash = strchr(line, '/');
        if (slash == NULL || strtoul(line, NULL, 16) != object->l_addr)
            continue;
        slash[strcspn(slash, "\n")] = '\0';
        path = pp_registry_intern(slash);
    }
    (void)fclose(maps);
    return path != NULL ? path : object->l_name;
}

static const char *path_of(const struct link_map *object)
{
    bool relative = object->l_name[0] != '\0' && object->l_name[0] != '/';
    return relative ? absolute_path(object) : object->l_name;
}

/* `label` is what to call it when it lies nowhere. */
static void describe_address(struct pp_shipped *shipped, const void *address, uint8_t kind,
                             const char *label)
{
    struct dl_find_object found;
    bool                  lies = _dl_find_object((void *)address, &found) == 0;
    uintptr_t             base = lies ? found.dlfo_link_map->l_addr : 0;
    *shipped = (struct pp_shipped){.name = lies ? path_of(found.dlfo_link_map) : label,
                                   .target = {.offset = (uint64_t)((uintptr_t)address - base),
                                              .kind = lies ? kind : PP_TARGET_NOWHERE}};
    shipped->target.name_size = (uint16_t)strnlen(shipped->name, PATH_MAX);
}

void pp_function_describe(struct pp_shipped *shipped, void (*function)(void))
{
    describe_address(shipped, (const void *)function, PP_TARGET_FUNCTION, "");
}

static int describe_name(struct pp_shipped *shipped, const char *name)
{
    if (name == NULL || name[0] == '\0' || strlen(name) > PATH_MAX)
        return -EINVAL;
    const pp_callable *registered = pp_registry_find(name);
    if (registered != NULL)
        return pp_callable_describe(shipped, registered);
    *shipped = (struct pp_shipped){
        .target = {.kind = PP_TARGET_NAME, .name_size = (uint16_t)strlen(name)},
        .name = name,
    };
    return 0;
}

static int describe_function(struct pp_shipped *shipped, const pp_callable *callable)
{
    if (callable->function == NULL)
        return -EINVAL;
    describe_address(shipped, (const void *)callable->function, PP_TARGET_FUNCTION, "");
    return 0;
}

static int describe_closure(struct pp_shipped *shipped, const pp_callable *callable)
{
    if (callable->captured == NULL && callable->captured_size > 0)
        return -EINVAL;
    if (callable->captured_size > UINT32_MAX)
        return -E2BIG;
    int error = describe_function(shipped, callable);
    if (error < 0)
        return error;
    shipped->captured = callable->captured;
    shipped->target.captured_size = (uint32_t)callable->captured_size;
    return 0;
}

static int describe_class(struct pp_shipped *shipped, const pp_class *cls)
{
    if (cls == NULL || cls->init == NULL || cls->call == NULL)
        return -EINVAL;
    describe_address(shipped, cls, PP_TARGET_CLASS, cls->name != NULL ? cls->name : "");
    return 0;
}

int pp_callable_describe(struct pp_shipped *shipped, const pp_callable *callable)
{
    switch (callable->kind) {
    case PP_KIND_FUNCTION:
        return describe_function(shipped, callable);
    case PP_KIND_CLOSURE:
        return describe_closure(shipped, callable);
    case PP_KIND_CLASS:
        return describe_class(shipped, callable->cls);
    case PP_KIND_NAMED:
        return describe_name(shipped, callable->name);
    default:
        return -EINVAL;
    }
}

int pp_register(const char *name, pp_callable callable)
{
    struct pp_shipped ignored;
    if (name == NULL || name[0] == '\0' || strlen(name) > PATH_MAX ||
        callable.kind == PP_KIND_NAMED)
        return -EINVAL;
    int error = pp_callable_describe(&ignored, &callable);
    return error < 0 ? error : pp_registry_add(name, &callable);
}

/* ------------------------------------------------------------------ the worker's side */

/* Looking for the address of an offset in an object that is loaded already. */
struct search {
    const char *name;
    ElfW(Addr)  base; /* where the object lies, when `by_base` */
    bool        by_base;
    uint64_t    offset;
    uint32_t    access; /* PF_X for code, PF_R for a class */
    bool        loaded; /* the object was found  */
    void       *address;
};

static int look_at_object(struct dl_phdr_info *object, size_t size, void *data)
{
    struct search *search = data;
    (void)size;
    bool same = search->by_base ? object->dlpi_addr == search->base
                                : strcmp(object->dlpi_name, search->name) == 0;
    if (!same)
        return 0;
    search->loaded = true;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & search->access) != 0 &&
            search->offset >= segment->p_vaddr &&
            search->offset - segment->p_vaddr < segment->p_memsz)
            search->address = (void *)(uintptr_t)(object->dlpi_addr + search->offset);
    }
    return 1;
}

/* The end of a long path says more than its beginning. */
static const char *tail_of(const char *path)
{
    enum { SHOWN = 100 };
    size_t length = strlen(path);
    return length > SHOWN ? path + length - SHOWN : path;
}

static void *open_object(const char *path, char reason[PP_REASON_SIZE])
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle != NULL)
        return handle;
    const char *words = dlerror();
    size_t      length = strlen(path);
    if (words == NULL)
        words = "unknown error";
    if (strncmp(words, path, length) == 0 && strncmp(words + length, ": ", 2) == 0)
        words += length + 2; /* the path is named already */
    snprintf(reason, PP_REASON_SIZE, "cannot load '%s%s': %s", tail_of(path) != path ? "..." : "",
             tail_of(path), words);
    return NULL;
}

/* dlopen looks for a name without a slash in the library path only; here it may be a file, too. */
static void *open_plugin(const char *path, char reason[PP_REASON_SIZE])
{
    char  here[PATH_MAX + 3];
    void *handle = open_object(path, reason);
    if (handle != NULL || strchr(path, '/') != NULL)
        return handle;
    snprintf(here, sizeof here, "./%s", path);
    return dlopen(here, RTLD_NOW | RTLD_LOCAL);
}

static int resolve_place(void **address, const struct pp_target *target, const char *path,
                         char reason[PP_REASON_SIZE])
{
    struct search search = {.name = path,
                            .offset = target->offset,
                            .access = target->kind == PP_TARGET_CLASS ? PF_R : PF_X};
    dl_iterate_phdr(look_at_object, &search);
    if (!search.loaded) {
        struct link_map *map = NULL;
        void            *handle = open_object(path, reason);
        if (handle == NULL)
            return -ENOENT;
        if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) {
            search.base = map->l_addr;
            search.by_base = true;
            dl_iterate_phdr(look_at_object, &search);
        }
    }
    if (search.address == NULL) {
        snprintf(reason, PP_REASON_SIZE, "'%.100s' has no code at offset 0x%llx: another version?",
                 path[0] != '\0' ? path : "the program", (unsigned long long)target->offset);
        return -ENOENT;
    }
    *address = search.address;
    return 0;
}

static int resolve_name(struct pp_resolved *resolved, char *name, char reason[PP_REASON_SIZE])
{
    char *colon = strrchr(name, ':');
    if (colon == NULL || colon == name || colon[1] == '\0') {
        snprintf(reason, PP_REASON_SIZE, "no callable is registered under the name '%.100s'", name);
        return -ENOENT;
    }
    *colon = '\0';
    void *handle = open_plugin(name, reason);
    if (handle == NULL)
        return -ENOENT;
    void *symbol = dlsym(handle, colon + 1);
    if (symbol == NULL) {
        snprintf(reason, PP_REASON_SIZE, "'%.100s' has no function '%.100s'", name, colon + 1);
        return -ENOENT;
    }
    struct dl_find_object found;
    struct search         search = {.by_base = true, .access = PF_X};
    if (_dl_find_object(symbol, &found) == 0) {
        search.base = found.dlfo_link_map->l_addr;
        search.offset = (uint64_t)((uintptr_t)symbol - search.base);
        dl_iterate_phdr(look_at_object, &search);
    }
    if (search.address == NULL) {
        snprintf(reason, PP_REASON_SIZE, "'%.100s' of '%.100s' is not a function", colon + 1, name);
        return -ENOENT;
    }
    resolved->function = (pp_function *)symbol;
    return 0;
}

/* A class that the host filled in after this worker's memory was copied is empty here. */
static int check_class(const pp_class *cls, char reason[PP_REASON_SIZE])
{
    if (cls->init != NULL && cls->call != NULL)
        return 0;
    snprintf(reason, PP_REASON_SIZE, "the class is not filled in where the worker sees it");
    return -ENOENT;
}

int pp_target_resolve(struct pp_resolved *resolved, const struct pp_target *target,
                      const char *name, char reason[PP_REASON_SIZE])
{
    char  text[PATH_MAX + 1];
    void *address = NULL;
    *resolved = (struct pp_resolved){0};
    if (target->name_size > PATH_MAX) {
        snprintf(reason, PP_REASON_SIZE, "its name is too long");
        return -ENOENT;
    }
    memcpy(text, name, target->name_size);
    text[target->name_size] = '\0';
    if (target->kind == PP_TARGET_NAME)
        return resolve_name(resolved, text, reason);
    if (target->kind == PP_TARGET_NOWHERE) {
        snprintf(reason, PP_REASON_SIZE, "the callable%s%.100s%s lies in no object file",
                 text[0] != '\0' ? " '" : "", text, text[0] != '\0' ? "'" : "");
        return -ENOENT;
    }
    int error = resolve_place(&address, target, text, reason);
    if (error == 0 && target->kind == PP_TARGET_CLASS) {
        resolved->cls = address;
        error = check_class(resolved->cls, reason);
    } else if (error == 0)
        resolved->function = (pp_function *)address;
    return error;
}
