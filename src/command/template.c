/*
 * template.c - from the typed command and one input to the words that are executed.
 *
 * No shell is involved, so an input is one word, or a part of one, whatever stands in it.
 */
#include "template.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MARK[] = "{}";
enum { MARK_LENGTH = sizeof MARK - 1 };

void cmd_template_init(struct cmd_template *command, char *const *words, size_t count)
{
    *command = (struct cmd_template){.words = words, .count = count};
    for (size_t i = 0; i < count; i++)
        command->has_mark |= strstr(words[i], MARK) != NULL;
}

static int append(struct cmd_words *out, const char *data, size_t size)
{
    if (size == 0)
        return 0;
    if (out->capacity - out->size < size) {
        size_t capacity = out->capacity == 0 ? 256 : out->capacity;
        while (capacity - out->size < size)
            capacity *= 2;
        char *grown = realloc(out->data, capacity);
        if (grown == NULL)
            return -ENOMEM;
        out->data = grown;
        out->capacity = capacity;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
    return 0;
}

static int expand_word(const char *word, const char *input, size_t length, struct cmd_words *out)
{
    int         error = 0;
    const char *mark;
    while (error == 0 && (mark = strstr(word, MARK)) != NULL) {
        error = append(out, word, (size_t)(mark - word));
        if (error == 0)
            error = append(out, input, length);
        word = mark + MARK_LENGTH;
    }
    return error < 0 ? error : append(out, word, strlen(word) + 1);
}

int cmd_template_expand(const struct cmd_template *command, const char *input, size_t length,
                        struct cmd_words *out)
{
    int error = 0;
    out->size = 0;
    for (size_t i = 0; i < command->count && error == 0; i++)
        error = expand_word(command->words[i], input, length, out);
    if (error == 0 && !command->has_mark)
        error = expand_word(MARK, input, length, out);
    return error;
}

void cmd_words_free(struct cmd_words *words)
{
    free(words->data);
    *words = (struct cmd_words){0};
}

static int check_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0 || access(path, X_OK) < 0)
        return -errno;
    return S_ISREG(status.st_mode) ? 0 : -EACCES;
}

int cmd_template_check(const struct cmd_template *command)
{
    const char *name = command->words[0];
    if (strstr(name, MARK) != NULL)
        return 0;
    if (name[0] == '\0')
        return -ENOENT;
    if (strchr(name, '/') != NULL)
        return check_file(name);

    const char *path = getenv("PATH");
    int         error = -ENOENT;
    for (path = path != NULL ? path : "/bin:/usr/bin"; path != NULL;) {
        const char *colon = strchr(path, ':');
        size_t      length = colon != NULL ? (size_t)(colon - path) : strlen(path);
        char        file[PATH_MAX];
        int         n =
            snprintf(file, sizeof file, "%.*s%s%s", (int)length, path, length > 0 ? "/" : "", name);
        int found = n > 0 && (size_t)n < sizeof file ? check_file(file) : -ENAMETOOLONG;
        if (found == 0)
            return 0;
        if (found == -EACCES)
            error = found;
        path = colon != NULL ? colon + 1 : NULL;
    }
    return error;
}
