/*
 * faults.c - every call of the library that can fail fails: at each site, in each process that gets
 * there, with each errno, once and for ever, at the start, in normal operation and during recovery.
 *
 *   faults list FOLDER           do sites.txt and calls.txt agree with the code?
 *   faults some FOLDER           each site in each process with one errno, for ever or once by turns
 *   faults every FOLDER [TEXT]   everything, or only where the line about the run has TEXT in it
 *   faults print FOLDER          the sites and who reaches them, as sites.txt has it
 *
 * A run is a child of this program: the host of a pool that goes through a scenario.  It must end
 * before its deadline, without a complaint, and leave no process behind.  This program is the
 * subreaper of whatever is left, so nothing escapes.  Recordings without a fault tell which scenario
 * reaches a site in which phase.
 */
#include "table.h"

#include <stdarg.h>
#include <sys/syscall.h>

enum {
    RECORDINGS = 2,
    RECORDINGS_MOST = 10, /* until each site was reached: some are at some moments only */
    MAX_RUNS = 40000,
    SHARDS = 4,
    DEADLINE_MS = 25000,
    LEFT_MS = 8000,
    TRIES_THERE = 5, /* where it is planned */
    TRIES = 25
};

struct run {
    unsigned   site;
    enum role  role;
    int        error;
    bool       forever;
    enum phase phase;
    unsigned   scenario;
};

static struct run runs[MAX_RUNS];
static unsigned   run_count;

static unsigned reached[PHASES][ROLES][MAX_SITES][16]; /* by which scenario, how often */
static unsigned reached_by[ROLES][MAX_SITES];
static int64_t  duration[16];

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ----------------------------------------------------------------------------- a run */

static _Noreturn void be_host(const struct scenario *scenario)
{
    int null = open("/dev/null", O_WRONLY);
    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    (void)close(null);
    the_orders->host = getpid();
    scenario->run();
    _exit(0);
}

/* Wait for a child by its pidfd: false when the time is over. */
static bool ends_in_time(pid_t pid, int limit_ms)
{
    int           pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd entry = {.fd = pidfd, .events = POLLIN};
    bool          ended = poll(&entry, 1, limit_ms) == 1;
    close(pidfd);
    return ended;
}

static void kill_children(void)
{
    char   path[64];
    char  *word = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    while (children != NULL && getdelim(&word, &room, ' ', children) > 0)
        if (atoi(word) > 1)
            (void)kill(atoi(word), SIGKILL);
    free(word);
    if (children != NULL)
        fclose(children);
}

/* What the host left is ours now: it ends by itself, or it is told about and killed. */
static bool nothing_is_left(void)
{
    bool    left = false;
    int64_t limit = now_ms() + LEFT_MS;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);
        if (pid < 0)
            return !left;
        if (pid == 0 && now_ms() > limit) {
            left = true;
            kill_children();
        }
        if (pid == 0)
            poll(NULL, 0, 1);
    }
}

static void describe(const struct run *run, char *text, size_t size)
{
    snprintf(text, size, "%s, %s, %s %s, %s, %s", sites[run->site].name, role_names[run->role],
             strerrorname_np(run->error), run->forever ? "for ever" : "once",
             phase_names[run->phase], scenarios[run->scenario].name);
}

/* Go through a scenario with these orders: false, and what was wrong. */
static bool go_through(const struct scenario *scenario, char *wrong, size_t size)
{
    int   status = 0;
    pid_t host = fork();
    if (host == 0)
        be_host(scenario);
    if (!ends_in_time(host, DEADLINE_MS)) {
        snprintf(wrong, size, "hangs");
        if (getenv("PP_FAULT_STOP") != NULL) {
            fprintf(stderr, "host %d hangs: look at it\n", (int)host);
            pause();
        }
        (void)kill(host, SIGKILL);
        (void)waitpid(host, NULL, 0);
        kill_children();
        (void)nothing_is_left();
        return false;
    }
    (void)waitpid(host, &status, 0);
    bool left = !nothing_is_left();
    bool as_meant = scenario->host_dies ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                        : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!as_meant)
        snprintf(wrong, size, "the host ended with status 0x%x", (unsigned)status);
    else if (atomic_load(&the_orders->complaints) > 0)
        snprintf(wrong, size, "%s", the_orders->complaint);
    else if (left)
        snprintf(wrong, size, "a process is left");
    return as_meant && atomic_load(&the_orders->complaints) == 0 && !left;
}

/* The failure that leads to the site is its own process's, if that has any. */
static int opener_role(const struct run *run)
{
    int opener = sites[run->site].opener;
    return opener >= 0 && sites[opener].roles[run->role] ? (int)run->role : -1;
}

/* 1: the promises were kept; 0: the fault was not met; -1: they were not. */
static int go(const struct run *run)
{
    char wrong[600];
    char what[400];
    *the_orders = (struct orders){.site = (int)run->site,
                                  .role = run->role,
                                  .error = run->error,
                                  .forever = run->forever,
                                  .armed_from = run->phase,
                                  .opener = sites[run->site].opener,
                                  .opener_error = sites[run->site].opener_error,
                                  .opener_role = opener_role(run)};
    if (!go_through(&scenarios[run->scenario], wrong, sizeof wrong)) {
        describe(run, what, sizeof what);
        printf("FAILED %s: %s\n", what, wrong);
        fflush(stdout);
        return -1;
    }
    return atomic_load(&the_orders->fired) > 0 ? 1 : 0;
}

/* --------------------------------------------------------------------------- planning */

static bool record(unsigned scenario)
{
    char    wrong[600];
    int64_t begin = now_ms();
    *the_orders = (struct orders){.site = -1, .opener = -1};
    if (!go_through(&scenarios[scenario], wrong, sizeof wrong)) {
        printf("FAILED without a fault, %s: %s\n", scenarios[scenario].name, wrong);
        return false;
    }
    duration[scenario] += now_ms() - begin;
    for (int phase = 0; phase < PHASES; phase++)
        for (int role = 0; role < ROLES; role++)
            for (unsigned site = 0; site < site_count; site++) {
                unsigned times = the_orders->reached[phase][role][site];
                reached[phase][role][site][scenario] += times > 0 ? 1 : 0;
                reached_by[role][site] += times > 0 ? 1 : 0;
            }
    return true;
}

/* How often a scenario reaches the site, or the one that leads there, in whatever process. */
static unsigned sureness(int phase, int role, unsigned site, unsigned scenario)
{
    unsigned sure = 0;
    if (sites[site].opener < 0)
        return reached[phase][role][site][scenario];
    const struct site *opener = &sites[sites[site].opener];
    for (int any = 0; any < ROLES && sites[site].roles[role]; any++)
        if (any == role || !opener->roles[role])
            sure += reached[phase][any][sites[site].opener][scenario];
    return sure;
}

/* The quickest of those that reach the site most surely; -1: none does. */
static int scenario_for(int phase, int role, unsigned site)
{
    int         best = -1;
    const char *name = sites[sites[site].opener < 0 ? site : (unsigned)sites[site].opener].name;
    bool        leaves = strncmp(name, "supervise/descendants.c", 23) == 0;
    for (unsigned i = 0; i < scenario_count; i++) {
        /* the other kind only where there is no choice */
        unsigned sure = sureness(phase, role, site, i) * (scenarios[i].leaves == leaves ? 100 : 1);
        unsigned best_sure = 0;
        if (best >= 0)
            best_sure = sureness(phase, role, site, (unsigned)best) *
                        (scenarios[best].leaves == leaves ? 100 : 1);
        if (sure > best_sure || (sure == best_sure && sure > 0 && duration[i] < duration[best]))
            best = (int)i;
    }
    return best;
}

/* Only the runs whose description has the text in it. */
static void narrow(const char *text)
{
    char     what[400];
    unsigned kept = 0;
    for (unsigned i = 0; i < run_count; i++) {
        describe(&runs[i], what, sizeof what);
        if (strstr(what, text) != NULL)
            runs[kept++] = runs[i];
    }
    run_count = kept;
}

static void plan_errors(unsigned site, enum role role, enum phase phase, unsigned scenario,
                        bool some)
{
    const struct site *row = &sites[site];
    for (unsigned i = 0; i < row->error_count; i++)
        for (int forever = 0; forever < 2; forever++) {
            if (table_excuses(row, role, row->errors[i], forever == 1))
                continue;
            if (some && (int)((site + (unsigned)role) % 2) != forever)
                continue;
            runs[run_count++] = (struct run){.site = site,
                                             .role = role,
                                             .error = row->errors[i],
                                             .forever = forever == 1,
                                             .phase = phase,
                                             .scenario = scenario};
            if (some)
                return;
        }
}

/* What happens once comes first: it hangs more seldom. */
static int once_first(const void *left, const void *right)
{
    const struct run *one = left;
    const struct run *other = right;
    if (one->forever != other->forever)
        return one->forever ? 1 : -1;
    return 0;
}

static bool record_all(void)
{
    for (unsigned i = 0; i < scenario_count; i++)
        if (!record(i))
            return false;
    return true;
}

static bool is_reached(unsigned site, int role)
{
    for (int phase = 0; phase < PHASES; phase++)
        if (scenario_for(phase, role, site) >= 0)
            return true;
    return false;
}

static bool all_reached(void)
{
    for (unsigned site = 0; site < site_count; site++)
        for (int role = 0; role < ROLES; role++)
            if (sites[site].roles[role] && !is_reached(site, role))
                return false;
    return true;
}

static unsigned plan(bool some)
{
    unsigned unreached = 0;
    for (unsigned site = 0; site < site_count; site++)
        for (int role = 0; role < ROLES; role++) {
            bool planned = false;
            for (int phase = PHASES - 1; phase >= 0 && !(some && planned && sites[site].opener < 0);
                 phase--) {
                int scenario = scenario_for(phase, role, site);
                if (scenario < 0)
                    continue;
                plan_errors(site, (enum role)role, (enum phase)phase, (unsigned)scenario, some);
                planned = true;
            }
            if (sites[site].roles[role] && !planned) {
                printf("FAILED %s, %s: no scenario reaches it\n", sites[site].name,
                       role_names[role]);
                unreached++;
            }
            if (!sites[site].roles[role] && planned)
                printf("note: %s is reached in the %s, too\n", sites[site].name, role_names[role]);
        }
    return unreached;
}

/* -------------------------------------------------------------------------- execution */

struct tally {
    atomic_uint next;
    atomic_uint kept;
    atomic_uint broken;
    atomic_uint missed; /* the fault was not met in several tries */
    atomic_uint fired[ROLES][MAX_SITES];
};

static struct tally *tally;

/* A moment that does not come in one place may come in another: each phase and scenario in which the
 * site was reached, in turn. */
static struct run elsewhere(const struct run *run, unsigned turn)
{
    struct run places[PHASES * 16];
    struct run place = *run;
    unsigned   count = 0;
    for (int phase = 0; phase < PHASES; phase++)
        for (unsigned scenario = 0; scenario < scenario_count; scenario++) {
            place.phase = (enum phase)phase;
            place.scenario = scenario;
            if (sureness(phase, run->role, run->site, scenario) > 0)
                places[count++] = place;
        }
    return count > 0 ? places[turn % count] : *run;
}

static int go_until_met(const struct run *run)
{
    int result = 0;
    for (unsigned tries = 0; tries < TRIES && result == 0; tries++) {
        struct run there = tries < TRIES_THERE ? *run : elsewhere(run, tries);
        result = go(&there);
    }
    return result;
}

static void work(void)
{
    unsigned i = 0;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    orders_create();
    while ((i = atomic_fetch_add(&tally->next, 1)) < run_count) {
        int result = go_until_met(&runs[i]);
        atomic_fetch_add(result > 0   ? &tally->kept
                         : result < 0 ? &tally->broken
                                      : &tally->missed,
                         1);
        if (result != 0)
            atomic_fetch_add(&tally->fired[runs[i].role][runs[i].site], 1);
    }
    _exit(0);
}

static unsigned never_fired(void)
{
    unsigned number = 0;
    for (unsigned i = 0; i < run_count; i++) {
        const struct run *run = &runs[i];
        if (atomic_fetch_add(&tally->fired[run->role][run->site], 1) > 0)
            continue;
        if (!sites[run->site].roles[run->role])
            continue;
        printf("FAILED %s, %s: the fault was never met\n", sites[run->site].name,
               role_names[run->role]);
        number++;
    }
    return number;
}

static int execute(bool some, const char *text)
{
    int64_t begin = now_ms();
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned bad = plan(some);
    if (text != NULL)
        narrow(text);
    qsort(runs, run_count, sizeof *runs, once_first);
    printf("%u runs\n", run_count);
    fflush(stdout);
    for (int i = 0; i < SHARDS; i++)
        if (fork() == 0)
            work();
    while (wait(NULL) > 0)
        ;
    bad += never_fired() + tally->broken;
    printf("%u sites, %u runs: %u kept, %u broken, %u where the fault was not met; %lld s\n",
           site_count, run_count, tally->kept, tally->broken, tally->missed,
           (long long)(now_ms() - begin) / 1000);
    return bad == 0 ? 0 : 1;
}

int main(int argument_count, char **arguments)
{
    const char *what = argument_count > 2 ? arguments[1] : "";
    if (argument_count < 3)
        return 2;
    unsigned problems = table_read(arguments[2]);
    if (strcmp(what, "list") == 0) {
        printf("%u sites, %u problems\n", site_count, problems);
        return problems == 0 ? 0 : 1;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    orders_create();
    for (int times = 0; times < RECORDINGS || (times < RECORDINGS_MOST && !all_reached()); times++)
        if (!record_all())
            return 1;
    if (strcmp(what, "print") == 0) {
        table_print(reached_by);
        for (unsigned i = 0; i < scenario_count; i++)
            fprintf(stderr, "%s %lld ms\n", scenarios[i].name, (long long)duration[i] / RECORDINGS);
        return 0;
    }
    return execute(strcmp(what, "some") == 0, argument_count > 3 ? arguments[3] : NULL);
}
