/*
 * closure.c - a function with captured bytes: what is the same for many tasks is no argument.
 *
 * Which words would fit into the gap of a crossword?  Each task looks at one word.
 *
 *     cc closure.c $(pkg-config --cflags --libs procpool) && ./a.out 'p?o?' pool prow pony plot
 */
#include <procpool.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct pattern {
    char letters[32]; /* '?' is any letter; no pointers: they would mean nothing in a worker */
};

static bool fits(const char *pattern, const char *word)
{
    for (; *pattern != '\0' && *word != '\0'; pattern++, word++)
        if (*pattern != '?' && *pattern != *word)
            return false;
    return *pattern == *word;
}

static int match(pp_call *call)
{
    const char           *word = NULL;
    const struct pattern *pattern = pp_call_captured(call, NULL);
    int                   error = pp_call_args(call, "s", &word);
    if (error < 0)
        return error;
    return pp_call_return(call, "sb", word, fits(pattern->letters, word));
}

static void print_word(pp_task *task, const pp_value *result, void *userdata)
{
    const char *word = NULL;
    bool        is_fit = false;
    (void)task;
    (void)userdata;
    if (pp_value_unpack(result, "sb", &word, &is_fit) == 0)
        printf("%s %s\n", word, is_fit ? "fits" : "does not fit");
}

int main(int argc, char **argv)
{
    pp_pool        *pool = NULL;
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    struct pattern  pattern;
    options.callback = print_word;
    if (argc < 2 || strlen(argv[1]) >= sizeof pattern.letters) {
        fprintf(stderr, "usage: closure PATTERN WORD...\n");
        return 2;
    }
    snprintf(pattern.letters, sizeof pattern.letters, "%s", argv[1]);

    /* Copied when a task is created: the pattern may change afterwards. */
    pp_callable callable = PP_CLOSURE(match, &pattern, sizeof pattern);
    int         error = pp_pool_create(&pool, NULL);
    for (int i = 2; i < argc && error == 0; i++)
        error = pp_pool_create_and_queue_task(pool, callable, &options, "s", argv[i]);
    if (error == 0)
        error = pp_pool_process_all_results(pool, PP_FOREVER);
    if (error < 0)
        fprintf(stderr, "closure: %s\n", strerror(-error));
    pp_pool_destroy(pool);
    return error < 0;
}
