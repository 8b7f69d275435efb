/*
 * inject.c - which call fails, in which process: the part that runs in host, fork server and workers.
 *
 * The orders stand in memory that all of them share; a worker that was exec'd finds it by a
 * descriptor that is named in the environment.
 *
 * Which role a process has follows from who forked it: the host's child is a fork server, whose child
 * is a worker.  What a task forks takes part no more.
 */
#include "faults.h"

#include <stdarg.h>

#define POINTER(call) __typeof__(call) *const pp_real_##call = call;
PP_FAULT_CALLS(POINTER)

#define VARIABLE "PP_FAULT_ORDERS"

struct orders *the_orders;

static pid_t known_pid;
static int   known_role;

struct orders *orders_create(void)
{
    char text[16];
    int  fd = memfd_create("orders", 0);
    if (fd < 0 || ftruncate(fd, sizeof(struct orders)) < 0)
        abort();
    void *mapped = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        abort();
    snprintf(text, sizeof text, "%d", fd);
    setenv(VARIABLE, text, 1);
    the_orders = mapped;
    return mapped;
}

/* Before the library's own constructor, which makes a worker of this process and does not return. */
__attribute__((constructor(101))) static void find_orders(void)
{
    const char *text = getenv(VARIABLE);
    if (text == NULL)
        return;
    void *mapped =
        mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(text), 0);
    if (mapped == MAP_FAILED)
        return;
    the_orders = mapped;
    known_pid = getpid();
    known_role = ROLE_WORKER;
}

/* The intermediate of hidden_fork.c has the host's memory, but not its pid. */
static int role_here(const struct pp_fault_site *site)
{
    pid_t pid = getpid();
    if (pid == the_orders->host || strcmp(site->function, "intermediate") == 0)
        return ROLE_HOST;
    if (pid != known_pid) {
        known_role = known_pid == 0 ? ROLE_SERVER : known_role + 1;
        known_pid = pid;
    }
    return known_role;
}

/* With which errno this call fails; 0: it does not. */
static int must_fail(int site, int role)
{
    struct orders *orders = the_orders;
    enum phase     phase = (enum phase)atomic_load(&orders->phase);
    if (role >= ROLES)
        return 0;
    atomic_fetch_add(&orders->reached[phase][role][site], 1);
    if (phase < orders->armed_from)
        return 0;
    if (orders->opener == site && (orders->opener_role == role || orders->opener_role < 0))
        return orders->opener_error;
    if (orders->site != site || orders->role != (enum role)role)
        return 0;
    return atomic_fetch_add(&orders->fired, 1) == 0 || orders->forever ? orders->error : 0;
}

bool pp_fault(const struct pp_fault_site **entry)
{
    int saved = errno;
    if (the_orders == NULL || the_orders->host == 0)
        return false;
    int error = must_fail((int)(entry - __start_pp_fault_sites), role_here(*entry));
    errno = error != 0 ? error : saved;
    return error != 0;
}

int pp_fault_close(int fd, bool fails)
{
    int error = errno;
    int result = close(fd);
    if (!fails)
        return result;
    errno = error;
    return -1;
}

int pp_fault_fclose(FILE *stream, bool fails)
{
    int error = errno;
    int result = fclose(stream);
    if (!fails)
        return result;
    errno = error;
    return EOF;
}

void complain(const char *format, ...)
{
    va_list arguments;
    if (atomic_fetch_add(&the_orders->complaints, 1) > 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(the_orders->complaint, sizeof the_orders->complaint, format, arguments);
    va_end(arguments);
}
