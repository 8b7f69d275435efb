/*
 * option_values.c - the values of options: numbers, times, sizes, and the forms that some have of
 * their own.  A wrong one is named together with what would be right.
 */
#define _GNU_SOURCE
#include "option_values.h"

#include "text.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const double MAX_TIME = 1e9;

static int refuse(const struct cmd_option *option, const char *text, const char *wanted)
{
    char shown[128];
    cmd_quote(shown, sizeof shown, text, strlen(text));
    cmd_error("run: --%s: %s is not %s", option->name, shown, wanted);
    return CMD_EXIT_USAGE;
}

unsigned cmd_online_cpus(void)
{
    cpu_set_t set;
    int       count = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    else
        count = (int)sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t holds */
    if (count < 1)
        return 1;
    return count > CMD_MAX_JOBS ? CMD_MAX_JOBS : (unsigned)count;
}

/* The whole of `length` bytes as a number in decimal digits, nothing else. */
static bool whole_number(uint64_t *number, const char *text, size_t length)
{
    uint64_t value = 0;
    if (length == 0 || length > 19)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = value;
    return true;
}

/* A number of decimal digits and a point at most - strtod takes "inf" and "0x1" as well - and what
 * stands behind it. */
static bool decimal(double *number, const char *text, const char **behind)
{
    size_t digits = strspn(text, "0123456789.");
    char   copy[64], *end = NULL;
    if (digits == 0 || digits >= sizeof copy)
        return false;
    memcpy(copy, text, digits); /* "1e3": the exponent is not ours */
    copy[digits] = '\0';
    *number = strtod(copy, &end);
    *behind = text + digits;
    return end == copy + digits;
}

struct unit {
    const char *name;
    double      factor;
};

/* 0: there is no such unit. */
static double factor(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(name, units[i].name) == 0)
            return units[i].factor;
    }
    return 0;
}

static bool seconds(double *value, const char *text)
{
    static const struct unit units[] = {
        {"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}, {"d", 86400},
    };
    const char *name = NULL;
    double      number = 0;
    double      scale = 0;
    if (decimal(&number, text, &name))
        scale = factor(units, sizeof units / sizeof units[0], name);
    if (scale == 0 || number * scale > MAX_TIME)
        return false;
    *value = number * scale;
    return true;
}

int cmd_parse_text(void *target, const char *text, const struct cmd_option *option)
{
    if (text[0] == '\0')
        return refuse(option, text, "a name");
    *(const char **)target = text;
    return 0;
}

int cmd_parse_number(void *target, const char *text, const struct cmd_option *option)
{
    uint64_t value = 0;
    char     wanted[64];
    if (whole_number(&value, text, strlen(text)) && value >= option->min && value <= option->max) {
        *(unsigned *)target = (unsigned)value;
        return 0;
    }
    snprintf(wanted, sizeof wanted, "a number between %u and %u", option->min, option->max);
    return refuse(option, text, wanted);
}

int cmd_parse_count(void *target, const char *text, const struct cmd_option *option)
{
    uint64_t value = 0;
    if (!whole_number(&value, text, strlen(text)) || value == 0)
        return refuse(option, text, "a number above 0");
    *(uint64_t *)target = value;
    return 0;
}

int cmd_parse_seconds(void *target, const char *text, const struct cmd_option *option)
{
    return seconds(target, text) ? 0
                                 : refuse(option, text, "a time like 10, 1.5s, 500ms, 2m or 1h");
}

int cmd_parse_size(void *target, const char *text, const struct cmd_option *option)
{
    static const struct unit units[] = {
        {"", 1},      {"k", 1024}, {"m", 1024.0 * 1024}, {"g", 1073741824}, {"t", 1099511627776},
        {"kb", 1000}, {"mb", 1e6}, {"gb", 1e9},          {"tb", 1e12},
    };
    const char *name = NULL;
    double      number = 0;
    double      scale = 0;
    if (decimal(&number, text, &name))
        scale = factor(units, sizeof units / sizeof units[0], name);
    if (number * scale < 1 || number * scale > 1e18)
        return refuse(option, text, "a size like 1000000, 512k, 200M or 4G");
    *(uint64_t *)target = (uint64_t)(number * scale);
    return 0;
}

int cmd_parse_load(void *target, const char *text, const struct cmd_option *option)
{
    const char *behind = NULL;
    double      number = 0;
    if (!decimal(&number, text, &behind) || number <= 0 ||
        (behind[0] != '\0' && strcmp(behind, "%") != 0))
        return refuse(option, text, "a load above 0, like 4 or 80%");
    *(double *)target = behind[0] == '%' ? number * cmd_online_cpus() / 100 : number;
    return 0;
}

/* Percents become a number: one at least. */
static bool workers(unsigned *count, const char *text, size_t length, const struct cmd_option *row)
{
    uint64_t value = 0;
    bool     percent = length > 0 && text[length - 1] == '%';
    if (!whole_number(&value, text, length - percent) || value == 0)
        return false;
    if (percent && value <= 100000) {
        value = value * cmd_online_cpus() / 100;
        value = value > 0 ? value : 1;
        value = value < row->max ? value : row->max;
    }
    *count = (unsigned)value;
    return value <= row->max;
}

int cmd_parse_jobs(void *target, const char *text, const struct cmd_option *option)
{
    struct cmd_jobs jobs = {0};
    const char     *dots = strstr(text, "..");
    char            wanted[96];
    bool            right = false;
    if (dots == NULL) {
        right = workers(&jobs.max, text, strlen(text), option);
        jobs.min = jobs.max;
    } else {
        right = workers(&jobs.min, text, (size_t)(dots - text), option) &&
                workers(&jobs.max, dots + 2, strlen(dots + 2), option) && jobs.min <= jobs.max;
    }
    if (right) {
        *(struct cmd_jobs *)target = jobs;
        return 0;
    }
    snprintf(wanted, sizeof wanted, "a number between %u and %u, or MIN..MAX, or N%%", option->min,
             option->max);
    return refuse(option, text, wanted);
}

static int signal_number(const char *name)
{
    uint64_t number = 0;
    if (whole_number(&number, name, strlen(name)))
        return number >= 1 && number < NSIG ? (int)number : 0;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known != NULL && strcasecmp(known, name) == 0)
            return i;
    }
    return 0;
}

int cmd_parse_soft(void *target, const char *text, const struct cmd_option *option)
{
    struct cmd_soft_limit limit = {.signal = SIGTERM};
    const char           *comma = strchrnul(text, ',');
    char                  time[32] = "";
    if ((size_t)(comma - text) < sizeof time)
        memcpy(time, text, (size_t)(comma - text));
    if (*comma == ',')
        limit.signal = signal_number(comma + 1);
    if (!seconds(&limit.seconds, time) || limit.signal == 0)
        return refuse(option, text, "a time and a signal like 10, 1.5s or 2m,INT");
    *(struct cmd_soft_limit *)target = limit;
    return 0;
}

int cmd_parse_nice(void *target, const char *text, const struct cmd_option *option)
{
    uint64_t value = 0;
    bool     negative = text[0] == '-';
    if (!whole_number(&value, text + negative, strlen(text + negative)) ||
        value > (negative ? 20 : 19))
        return refuse(option, text, "a number between -20 and 19");
    *(struct cmd_nice *)target = (struct cmd_nice){true, negative ? -(int)value : (int)value};
    return 0;
}

/* `text` begins with `word` and a separator, or ends behind it: what follows, or NULL. */
static const char *after(const char *text, const char *word, char separator)
{
    size_t length = strlen(word);
    return strncmp(text, word, length) == 0 && text[length] == separator ? text + length + 1 : NULL;
}

static bool halt_value(struct cmd_halt *halt, const char *text)
{
    size_t      length = strlen(text);
    const char *behind = NULL;
    if (length > 0 && text[length - 1] == '%')
        return decimal(&halt->percent, text, &behind) && behind == text + length - 1 &&
               halt->percent > 0 && halt->percent <= 100;
    return whole_number(&halt->count, text, length) && halt->count > 0;
}

int cmd_parse_halt(void *target, const char *text, const struct cmd_option *option)
{
    static const char *const whens[] = {
        [CMD_HALT_NEVER] = "never", [CMD_HALT_SOON] = "soon", [CMD_HALT_NOW] = "now"};
    static const char *const whats[] = {
        [CMD_HALT_FAIL] = "fail", [CMD_HALT_SUCCESS] = "success", [CMD_HALT_DONE] = "done"};
    struct cmd_halt halt = {0};
    bool            right = strcmp(text, "never") == 0;
    for (unsigned i = CMD_HALT_SOON; i <= CMD_HALT_NOW; i++) {
        for (unsigned j = CMD_HALT_FAIL; j <= CMD_HALT_DONE; j++) {
            const char *what = after(text, whens[i], ',');
            const char *value = what != NULL ? after(what, whats[j], '=') : NULL;
            if (value == NULL || !halt_value(&halt, value))
                continue;
            halt.when = (enum cmd_halt_when)i;
            halt.what = (enum cmd_halt_what)j;
            right = true;
        }
    }
    if (!right)
        return refuse(option, text, "like soon,fail=1 or now,fail=10% or now,success=1");
    *(struct cmd_halt *)target = halt;
    return 0;
}

/* One character of a separator, an escape resolved: the number of bytes that it took, or 0. */
static size_t unescape(const char *text, char *out)
{
    static const char names[] = "tnr\\0", bytes[] = "\t\n\r\\\0";
    *out = text[0];
    if (text[0] != '\\')
        return text[0] != '\0';
    const char *at = text[1] != '\0' ? strchr(names, text[1]) : NULL;
    if (at == NULL)
        return 0;
    *out = bytes[at - names];
    return 2;
}

int cmd_parse_separator(void *target, const char *text, const struct cmd_option *option)
{
    char  *out = strdup(text);
    size_t used = 0;
    if (out == NULL) {
        cmd_error("run: no memory");
        return CMD_EXIT_USAGE;
    }
    for (const char *at = text; *at != '\0';) {
        size_t taken = unescape(at, &out[used]);
        if (taken == 0 || out[used] == '\0') {
            used = 0;
            break;
        }
        used++;
        at += taken;
    }
    out[used] = '\0';
    if (used == 0) {
        free(out);
        return refuse(option, text, "a separator like , or \\t");
    }
    free(*(char **)target);
    *(char **)target = out;
    return 0;
}

int cmd_parse_delimiter(void *target, const char *text, const struct cmd_option *option)
{
    char   byte = 0;
    size_t taken = unescape(text, &byte);
    if (taken == 0 || text[taken] != '\0')
        return refuse(option, text, "one character, or \\n, \\r, \\t or \\0");
    *(int *)target = (unsigned char)byte;
    return 0;
}

int cmd_parse_more(void *target, const char *text, const struct cmd_option *option)
{
    struct cmd_strings *strings = target;
    (void)option;
    char **items = realloc(strings->items, (strings->count + 1) * sizeof *items);
    if (items == NULL) {
        cmd_error("run: no memory");
        return CMD_EXIT_USAGE;
    }
    strings->items = items;
    items[strings->count++] = (char *)(uintptr_t)text; /* of argv, which is ours to change */
    return 0;
}

int cmd_parse_variable(void *target, const char *text, const struct cmd_option *option)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return refuse(option, text, "NAME=VALUE");
    return cmd_parse_more(target, text, option);
}
