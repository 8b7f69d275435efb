/*
 * debuginfo.c - the only user of libdw.
 *
 * It is loaded when the first backtrace is asked for: most programs never do, and none has to have it.
 * It then stays loaded, so that the next time is quick; the loader counts, not we.
 *
 * Invariants
 *   - Nothing is fetched from a network: separate debug information is looked for where the system has
 *     it, by the file's build-id.
 *   - A file is opened without waiting, and looked into only if it is a regular one.
 *   - libdw maps a copy, which nobody else has: a file that is shortened under a mapping would end the
 *     program by SIGBUS.
 */
#include "task/debuginfo.h"

#include "base/descriptor.h"
#include "base/own.h"
#include "shm/memory.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODULES = 32 }; /* of one backtrace; frames of more are not looked up */

#define FUNCTIONS(F)                \
    F(dwarf_attr_integrate)         \
    F(dwarf_diename)                \
    F(dwarf_filesrc)                \
    F(dwarf_formudata)              \
    F(dwarf_getscopes)              \
    F(dwarf_getscopes_die)          \
    F(dwarf_getsrcfiles)            \
    F(dwarf_tag)                    \
    F(dwfl_begin)                   \
    F(dwfl_build_id_find_debuginfo) \
    F(dwfl_end)                     \
    F(dwfl_lineinfo)                \
    F(dwfl_module_addrdie)          \
    F(dwfl_module_addrinfo)         \
    F(dwfl_module_getelf)           \
    F(dwfl_module_getsrc)           \
    F(dwfl_module_info)             \
    F(dwfl_offline_section_address) \
    F(dwfl_report_begin_add)        \
    F(dwfl_report_end)              \
    F(dwfl_report_offline)

struct libdw {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a member stands in none */
#define MEMBER(name) __typeof__(&(name)) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

struct module {
    char        *path;
    Dwfl_Module *module; /* NULL: not an object file that can be read */
};

struct pp_debuginfo {
    struct libdw   libdw;
    Dwfl_Callbacks callbacks;
    Dwfl          *dwfl;
    struct module  modules[MODULES];
    unsigned       count;
};

/* -------------------------------------------------------------------------- libdw */

/* Of the first object, which is the program: 1, or -1 when it is linked statically.  That one has a C library
 * of its own, and libdw, which would bring another, crashes in it. */
static int has_interpreter(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (size_t i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            return 1;
    return -1;
}

static bool load(struct libdw *libdw)
{
    static const char *const names[] = {
#define NAME(name) #name,
        FUNCTIONS(NAME)
#undef NAME
    };
    _Static_assert(sizeof *libdw == sizeof names / sizeof *names * sizeof(void *),
                   "a pointer each");
    void *handle = dl_iterate_phdr(has_interpreter, NULL) > 0
                       ? dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL)
                       : NULL;
    if (handle == NULL)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *function = dlsym(handle, names[i]);
        if (function == NULL)
            return false;
        memcpy((unsigned char *)libdw + i * sizeof function, &function, sizeof function);
    }
    return true;
}

struct pp_debuginfo *pp_debuginfo_open(void)
{
    struct pp_debuginfo *info = calloc(1, sizeof *info);
    if (info == NULL)
        return NULL;
    if (load(&info->libdw)) {
        info->callbacks.find_debuginfo = info->libdw.dwfl_build_id_find_debuginfo;
        info->callbacks.section_address = info->libdw.dwfl_offline_section_address;
        info->dwfl = info->libdw.dwfl_begin(&info->callbacks);
    }
    if (info->dwfl == NULL) {
        free(info);
        return NULL;
    }
    return info;
}

void pp_debuginfo_close(struct pp_debuginfo *info)
{
    if (info == NULL)
        return;
    info->libdw.dwfl_end(info->dwfl);
    for (unsigned i = 0; i < info->count; i++)
        free(info->modules[i].path);
    free(info);
}

/* ------------------------------------------------------------------------ modules */

/* libdw closes it, so it is not noted as ours: the number may be another file's by then. */
static int copy_of(int file, size_t size)
{
    off_t at = 0;
    int   copy = pp_memory_create("procpool object", size);
    if (copy < 0)
        return -1;
    while ((size_t)at < size)
        if (sendfile(copy, file, &at, size - (size_t)at) <= 0) {
            pp_close(&copy);
            return -1;
        }
    pp_own_give_away(copy);
    return copy;
}

static int open_object(const char *path)
{
    enum { SIZE_MOST = 1 << 30 };
    struct stat status;
    int         copy = -1;
    int         fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= SIZE_MOST)
        copy = copy_of(fd, (size_t)status.st_size);
    (void)close(fd);
    return copy;
}

static Dwfl_Module *report(struct pp_debuginfo *info, const char *path)
{
    int fd = open_object(path);
    if (fd < 0)
        return NULL;
    info->libdw.dwfl_report_begin_add(info->dwfl);
    Dwfl_Module *module = info->libdw.dwfl_report_offline(info->dwfl, path, path, fd);
    if (module == NULL)
        (void)close(fd);
    (void)info->libdw.dwfl_report_end(info->dwfl, NULL, NULL);
    return module;
}

static Dwfl_Module *module_of(struct pp_debuginfo *info, const char *path)
{
    for (unsigned i = 0; i < info->count; i++)
        if (strcmp(info->modules[i].path, path) == 0)
            return info->modules[i].module;
    if (info->count == MODULES)
        return NULL;
    struct module *made = &info->modules[info->count];
    made->path = strdup(path);
    if (made->path == NULL)
        return NULL;
    made->module = report(info, path);
    info->count++;
    return made->module;
}

/* The address that libdw has for an offset, if it lies inside. */
static bool find_address(const struct pp_debuginfo *info, Dwfl_Module *module, uint64_t offset,
                         Dwarf_Addr *address)
{
    GElf_Addr  bias = 0;
    Dwarf_Addr start = 0;
    Dwarf_Addr end = 0;
    if (info->libdw.dwfl_module_getelf(module, &bias) == NULL ||
        info->libdw.dwfl_module_info(module, NULL, &start, &end, NULL, NULL, NULL, NULL) == NULL)
        return false;
    *address = offset + bias;
    return *address >= start && *address < end;
}

/* ------------------------------------------------------------------------- places */

struct search {
    const struct pp_debuginfo *info;
    const char                *path;
    pp_debuginfo_found        *found;
    void                      *data;
    struct pp_place            place; /* file and line of the next function outwards */
    bool                       any;
};

static void tell(struct search *search, const char *function)
{
    search->place.function = function;
    search->found(search->data, &search->place, search->path);
    search->any = true;
}

static int number_of(const struct libdw *libdw, Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word      number = 0;
    if (libdw->dwarf_attr_integrate(die, name, &attribute) == NULL ||
        libdw->dwarf_formudata(&attribute, &number) != 0 || number > INT32_MAX)
        return 0;
    return (int)number;
}

/* Where an inlined function would have been called. */
static void go_to_call(struct search *search, Dwarf_Die *unit, Dwarf_Die *inlined)
{
    const struct libdw *libdw = &search->info->libdw;
    Dwarf_Files        *files = NULL;
    size_t              count = 0;
    size_t              file = (size_t)number_of(libdw, inlined, DW_AT_call_file);
    search->place.line = number_of(libdw, inlined, DW_AT_call_line);
    search->place.file = NULL;
    if (libdw->dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count)
        search->place.file = libdw->dwarf_filesrc(files, file, NULL, NULL);
}

/* From the innermost scope outwards, to the function that is no part of another one. */
static void tell_scopes(struct search *search, Dwarf_Die *unit, Dwarf_Die *scopes, int count)
{
    const struct libdw *libdw = &search->info->libdw;
    for (int i = 0; i < count; i++) {
        int         tag = libdw->dwarf_tag(&scopes[i]);
        const char *name = libdw->dwarf_diename(&scopes[i]);
        bool        inlined = tag == DW_TAG_inlined_subroutine;
        if ((!inlined && tag != DW_TAG_subprogram) || name == NULL)
            continue;
        tell(search, name);
        if (!inlined)
            return;
        go_to_call(search, unit, &scopes[i]);
    }
}

static void tell_lines(struct search *search, Dwfl_Module *module, Dwarf_Addr address)
{
    const struct libdw *libdw = &search->info->libdw;
    Dwarf_Addr          bias = 0;
    Dwarf_Die          *scopes = NULL;
    Dwarf_Die          *unit = libdw->dwfl_module_addrdie(module, address, &bias);
    Dwfl_Line          *line = libdw->dwfl_module_getsrc(module, address);
    if (unit == NULL || line == NULL)
        return;
    search->place.file = libdw->dwfl_lineinfo(line, NULL, &search->place.line, NULL, NULL, NULL);
    Dwarf_Die *innermost = NULL;
    if (search->place.file == NULL || libdw->dwarf_getscopes(unit, address - bias, &innermost) <= 0)
        return;
    /* those around an inlined function are where it was written: where it is now, its ancestors say */
    int count = libdw->dwarf_getscopes_die(innermost, &scopes);
    if (count > 0)
        tell_scopes(search, unit, scopes, count);
    free(innermost);
    free(scopes);
}

static void tell_symbol(struct search *search, Dwfl_Module *module, Dwarf_Addr address)
{
    GElf_Sym    symbol;
    GElf_Off    offset = 0;
    const char *name = search->info->libdw.dwfl_module_addrinfo(module, address, &offset, &symbol,
                                                                NULL, NULL, NULL);
    search->place = (struct pp_place){.offset = offset};
    if (name != NULL && name[0] != '\0')
        tell(search, name);
}

bool pp_debuginfo_find(struct pp_debuginfo *info, const char *path, uint64_t offset,
                       pp_debuginfo_found *found, void *data)
{
    struct search search = {.info = info, .path = path, .found = found, .data = data};
    Dwarf_Addr    address = 0;
    Dwfl_Module  *module = module_of(info, path);
    if (module == NULL || !find_address(info, module, offset, &address))
        return false;
    tell_lines(&search, module, address);
    if (!search.any)
        tell_symbol(&search, module, address);
    return search.any;
}
