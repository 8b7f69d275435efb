/*
 * suggest.c - "did you mean ...?" for an option that there is not.
 *
 * Names of GNU parallel, xargs and rush that are called otherwise here come first; then the option
 * of ours that is the fewest edits away, if that is near enough to be a slip.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

/* A hint that begins with "= " is a sentence, the others are what to type. */
static const struct {
    const char *theirs, *hint;
} elsewhere[] = {
    {"max-procs", "--jobs"},
    {"bar", "--progress"},
    {"eta", "--progress"},
    {"verbose", "--dry-run, or --joblog"},
    {"group", "= none is needed: output is never interleaved"},
    {"ungroup", "--line-buffer"},
    {"lb", "--line-buffer"},
    {"linebuffer", "--line-buffer"},
    {"wd", "--workdir"},
    {"max-time", "--timeout"},
    {"dryrun", "--dry-run"},
    {"no-run-if-empty", "= none is needed: without input nothing is run"},
    {"termseq", "--soft-timeout TIME,SIGNAL"},
    {"halt-on-error", "--halt now,fail=1"},
    {"stop-on-error", "--halt now,fail=1"},
    {"continue", "--joblog FILE --resume"},
    {"succ-cmd-file", "--joblog FILE"},
    {"link", "':::+'"},
    {"xapply", "':::+'"},
    {"quote", "= none is needed: without --shell no shell is involved"},
    {"will-cite", "= none is needed"},
    {"citation", "= none is needed"},
    {"tagstring", "--tag"},
    {"memsuspend", "--memfree"},
    {"silent", "--quiet"},
    {"pipe", "= each job has one input, and no standard input"},
    {"sshlogin", "= jobs run on this machine"},
    {"log", "--joblog FILE"},
    {"sep", "--colsep SEP"},
    {"max-args", "= each job has one input"},
    {"I", "= none is needed: {} is always replaced"},
    {"i", "= none is needed: {} is always replaced"},
    {"n", "= each job has one input"},
    {"N", "= each job has one input"},
    {"L", "= each job has one line"},
    {"X", "= each job has one input"},
    {"m", "= each job has one input"},
    {"S", "= jobs run on this machine"},
    {"r", "= none is needed: without input nothing is run"},
    {"t", "--dry-run, or --joblog FILE"},
    {"v", "--dry-run, or --joblog FILE"},
    {"u", "--line-buffer"},
    {"q", "= none is needed: without --shell no shell is involved"},
};

enum { LONGEST = 32, NEAR = 3 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edits between two words, an exchange of neighbours being one (optimal string alignment). */
unsigned cmd_word_distance(const char *a, const char *b)
{
    unsigned rows[3][LONGEST + 1];
    size_t   height = strlen(a), width = strlen(b);
    if (height > LONGEST || width > LONGEST)
        return LONGEST;
    for (unsigned j = 0; j <= width; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= height; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= width; j++) {
            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                earlier[j - 2] + 1 < now[j])
                now[j] = earlier[j - 2] + 1;
        }
    }
    return rows[height % 3][width];
}

const char *cmd_suggest(const char *word)
{
    static char hint[LONGEST + 8];
    unsigned    nearest = NEAR;
    const char *found = NULL;
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        if (strcmp(word, elsewhere[i].theirs) == 0)
            return elsewhere[i].hint;
    }
    for (size_t i = 0; i < cmd_option_count; i++) {
        unsigned edits = cmd_word_distance(word, cmd_option_table[i].name);
        if (edits < nearest && edits < strlen(word)) {
            nearest = edits;
            found = cmd_option_table[i].name;
        }
    }
    if (found == NULL)
        return NULL;
    snprintf(hint, sizeof hint, "--%s", found);
    return hint;
}
