/*
 * last_words.c - a worker that dies of a signal writes down where it was, and then dies of it.
 *
 * Invariants
 *   - The worker dies of the signal that it was sent, whatever happens in here: its wait status is that
 *     of a worker without this file.  A fault while the stack is read, or a stack that is read for
 *     longer than a second, ends in the same signal.
 *   - A fault of the program's own happens once more after the handler, with the default action, so a
 *     core dump shows the place itself.
 *   - A child of a task inherits the handlers and has no last words: it dies as without them.
 *   - Only async-signal-safe functions are called, on a stack of our own: the task's may be used up.
 *
 * A signal handler can reach nothing but static memory; that is why this state is static.  None of it,
 * and nothing of the handlers' stack, is touched before it is needed.
 */
#include "worker/last_words.h"

#include "worker/frames.h"
#include "worker/self.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, PATIENCE_S = 1 };

static struct {
    const struct pp_worker_self *self;
    pid_t                        pid;
    pid_t                        host;
    _Atomic int                  dying_of; /* the first signal; 0: none yet */
} words;

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

/* Its action is the default by now (SA_RESETHAND), or it cannot be caught. */
static void die_of(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (tgkill(getpid(), gettid(), signal) < 0)
        (void)kill(getpid(), signal); /* to any thread */
}

static bool is_limit(int signal, const siginfo_t *info)
{
    return signal == PP_LIMIT_SIGNAL && info->si_code == SI_USER && info->si_pid == words.host;
}

/* The instruction is executed again when the handler returns, and fails again. */
static bool happens_again(int signal, const siginfo_t *info)
{
    bool fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
    return fault && info->si_code > 0 && !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

/* The unwinder does not come to an end, maybe because another thread holds what it waits for. */
static void too_long(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if (info->si_code == SI_KERNEL) /* not of a soft limit, and not of anybody else */
        die_of(atomic_load_explicit(&words.dying_of, memory_order_relaxed));
}

static void limit_the_walk(void)
{
    struct sigaction action = {.sa_sigaction = too_long, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigset_t         set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)alarm(PATIENCE_S);
}

#if defined(__x86_64__)
/* A call of nothing: the unwinder knows no function there, and its caller is what counts.  The way back
 * is on top of the stack.  What the kernel goes on with stays as it was. */
static void walk(const struct pp_frames *frames, ucontext_t *context)
{
    struct dl_find_object found;
    greg_t *const         registers = context->uc_mcontext.gregs;
    const greg_t          pc = registers[REG_RIP];
    const greg_t          stack = registers[REG_RSP];
    if (_dl_find_object((void *)pc, &found) != 0) {
        registers[REG_RIP] = *(const greg_t *)stack - 1; /* in the call, not behind it */
        registers[REG_RSP] = stack + (greg_t)sizeof(greg_t);
    }
    pp_frames_interrupted(frames);
    registers[REG_RIP] = pc;
    registers[REG_RSP] = stack;
}
#else
static void walk(const struct pp_frames *frames, ucontext_t *context)
{
    (void)context;
    pp_frames_interrupted(frames);
}
#endif

static void write_down(int signal, const siginfo_t *info, ucontext_t *context)
{
    struct pp_last_words *last = &words.self->ledger->last_words;
    struct pp_frames      frames = {last->text, sizeof last->text, &last->length};
    atomic_store_explicit(&last->ticket, words.self->call.ticket, memory_order_relaxed);
    last->signal = signal;
    last->code = info->si_code;
    last->address = (uint64_t)(uintptr_t)info->si_addr;
    atomic_store_explicit(&last->begun, PP_LAST_WORDS_BEGUN, memory_order_release);
    walk(&frames, context);
}

static void say_where(int signal, siginfo_t *info, void *context)
{
    bool limit = is_limit(signal, info);
    int  deadly = limit ? SIGKILL : signal;
    int  first = 0;
    if (getpid() == words.pid) { /* not a child of a task: that has no ledger */
        if (!atomic_compare_exchange_strong(&words.dying_of, &first, deadly)) {
            die_of(first); /* the walk failed, or a second thread did */
            return;
        }
        limit_the_walk();
        write_down(signal, info, context);
    }
    if (limit || !happens_again(signal, info))
        die_of(deadly);
}

static void listen_for(int signal)
{
    struct sigaction action = {.sa_sigaction = say_where,
                               .sa_flags =
                                   (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
    struct sigaction found;
    if (sigaction(signal, NULL, &found) == 0 && found.sa_handler == SIG_DFL)
        (void)sigaction(signal, &action, NULL);
}

void pp_last_words_prepare(const struct pp_worker_self *self, pid_t host)
{
    stack_t stack = {.ss_size = STACK_SIZE};
    words.self = self;
    words.pid = getpid();
    words.host = host;
    if (self->ledger == NULL)
        return;
    /* apart from our variables, between which it would lie on a page more */
    stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) < 0)
        return; /* it dies without a word, then */
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        listen_for(faults[i]);
    listen_for(PP_LIMIT_SIGNAL);
}
