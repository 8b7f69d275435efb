/*
 * table.c - see table.h.
 *
 *   sites.txt   file function call.n role...        a site, and the processes that get there
 *                   except [role] [ERRNO] [forever]: why
 *                   behind file function call.n ERRNO   it is reached when that one fails
 *                   unreached: why                  instead of roles
 *   calls.txt   call ERRNO...                       what its manual page names
 */
#include "table.h"

#include <stdarg.h>

struct site sites[MAX_SITES];
unsigned    site_count;

const char *const role_names[ROLES] = {"host", "server", "worker"};
const char *const phase_names[PHASES] = {"start", "running", "recovery"};

static unsigned problems;

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void problem(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    problems++;
}

int error_number(const char *name)
{
    for (int error = 1; error < 200; error++)
        if (strerrorname_np(error) != NULL && strcmp(strerrorname_np(error), name) == 0)
            return error;
    return strcmp(name, "ENOTSUP") == 0 ? ENOTSUP : 0; /* the other name of EOPNOTSUPP */
}

static int role_number(const char *name)
{
    for (int role = 0; role < ROLES; role++)
        if (strcmp(role_names[role], name) == 0)
            return role;
    return -1;
}

/* Of those that have the same file, function and call, how many come before it? */
static unsigned rank(const struct pp_fault_site *site)
{
    unsigned before = 1;
    for (const struct pp_fault_site **other = __start_pp_fault_sites; other < __stop_pp_fault_sites;
         other++)
        before += strcmp((*other)->file, site->file) == 0 &&
                          strcmp((*other)->function, site->function) == 0 &&
                          strcmp((*other)->call, site->call) == 0 && (*other)->order < site->order
                      ? 1
                      : 0;
    return before;
}

static void name_sites(void)
{
    site_count = (unsigned)(__stop_pp_fault_sites - __start_pp_fault_sites);
    if (site_count > MAX_SITES)
        abort();
    for (unsigned i = 0; i < site_count; i++) {
        const struct pp_fault_site *site = __start_pp_fault_sites[i];
        const char                 *file = strstr(site->file, "src/");
        sites[i].opener = -1;
        for (const char *more = file; more != NULL; more = strstr(more + 1, "/src/"))
            file = *more == '/' ? more + 1 : more;
        snprintf(sites[i].name, sizeof sites[i].name, "%s %s %s.%u",
                 file != NULL ? file + 4 : site->file, site->function, site->call, rank(site));
    }
}

static struct site *find(const char *name)
{
    for (unsigned i = 0; i < site_count; i++)
        if (strcmp(sites[i].name, name) == 0)
            return &sites[i];
    return NULL;
}

static FILE *open_table(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        problem("%s: %s", path, strerror(errno));
    return file;
}

static void read_exception(struct site *site, char *words)
{
    struct exception what = {.role = -1};
    char            *reason = strchr(words, ':');
    if (reason == NULL || reason[1] == '\0') {
        problem("%s: an exception without a reason", site->name);
        return;
    }
    *reason = '\0';
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        if (strcmp(word, "forever") == 0)
            what.forever = true;
        else if (role_number(word) >= 0)
            what.role = role_number(word);
        else if (error_number(word) > 0)
            what.error = error_number(word);
        else
            problem("%s: what is '%s'?", site->name, word);
    }
    if (site->exception_count < MAX_EXCEPTIONS)
        site->exceptions[site->exception_count++] = what;
}

static void read_opener(struct site *site, char *words)
{
    char  name[160];
    char *parts[4] = {strtok(words, " "), strtok(NULL, " "), strtok(NULL, " "), strtok(NULL, " ")};
    snprintf(name, sizeof name, "%s %s %s", parts[0], parts[1], parts[2]);
    struct site *opener = parts[3] != NULL ? find(name) : NULL;
    if (opener == NULL || error_number(parts[3]) == 0) {
        problem("%s: behind what?", site->name);
        return;
    }
    site->opener = (int)(opener - sites);
    site->opener_error = error_number(parts[3]);
}

static struct site *read_site(char *line)
{
    char  name[160];
    char *words[3] = {strtok(line, " "), strtok(NULL, " "), strtok(NULL, " ")};
    snprintf(name, sizeof name, "%s %s %s", words[0], words[1], words[2]);
    struct site *site = words[2] != NULL ? find(name) : NULL;
    if (site == NULL) {
        problem("in the table and not in the code: %s", name);
        return NULL;
    }
    if (site->listed)
        problem("twice in the table: %s", name);
    site->listed = true;
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " ")) {
        if (role_number(word) < 0)
            problem("%s: what is '%s'?", name, word);
        else
            site->roles[role_number(word)] = true;
    }
    return site;
}

static void read_sites(const char *folder)
{
    char         line[512];
    struct site *site = NULL;
    FILE        *file = open_table(folder, "sites.txt");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *text = line + strspn(line, " ");
        if (*text == '\0' || *text == '#')
            continue;
        if (text == line)
            site = read_site(line);
        else if (site != NULL && strncmp(text, "except", 6) == 0)
            read_exception(site, text + 6);
        else if (site != NULL && strncmp(text, "behind", 6) == 0)
            read_opener(site, text + 6);
        else if (site != NULL && strncmp(text, "unreached: ", 11) != 0)
            problem("%s: what is '%s'?", site->name, text);
    }
    if (file != NULL)
        fclose(file);
    for (unsigned i = 0; i < site_count; i++)
        if (!sites[i].listed)
            problem("in the code and not in the table: %s", sites[i].name);
}

static bool calls(const struct site *site, const char *call)
{
    const char *said = strrchr(site->name, ' ') + 1;
    size_t      length = strlen(call);
    return strncmp(said, call, length) == 0 && said[length] == '.';
}

static void read_call(char *line)
{
    const char *call = strtok(line, " ");
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " ")) {
        int error = error_number(word);
        if (error == 0)
            problem("%s: what is '%s'?", call, word);
        for (unsigned i = 0; error > 0 && i < site_count; i++)
            if (calls(&sites[i], call) && sites[i].error_count < MAX_ERRORS)
                sites[i].errors[sites[i].error_count++] = error;
    }
}

static void read_calls(const char *folder)
{
    char  line[512];
    FILE *file = open_table(folder, "calls.txt");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n#")] = '\0';
        if (line[strspn(line, " ")] != '\0')
            read_call(line);
    }
    if (file != NULL)
        fclose(file);
    for (unsigned i = 0; i < site_count; i++)
        if (sites[i].error_count == 0)
            problem("calls.txt knows no error of %s", sites[i].name);
}

unsigned table_read(const char *folder)
{
    name_sites();
    read_sites(folder);
    read_calls(folder);
    return problems;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(sites[*(const unsigned *)left].name, sites[*(const unsigned *)right].name);
}

void table_print(const unsigned reached[ROLES][MAX_SITES])
{
    unsigned order[MAX_SITES];
    for (unsigned i = 0; i < site_count; i++)
        order[i] = i;
    qsort(order, site_count, sizeof *order, by_name);
    for (unsigned i = 0; i < site_count; i++) {
        printf("%s", sites[order[i]].name);
        for (int role = 0; role < ROLES; role++)
            if (reached[role][order[i]] > 0)
                printf(" %s", role_names[role]);
        printf("\n");
    }
}

bool table_excuses(const struct site *site, enum role role, int error, bool forever)
{
    for (unsigned i = 0; i < site->exception_count; i++) {
        const struct exception *what = &site->exceptions[i];
        if ((what->error == 0 || what->error == error) &&
            (what->role < 0 || what->role == (int)role) && (!what->forever || forever))
            return true;
    }
    return false;
}
