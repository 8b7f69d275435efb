/*
 * plugin_wordcount.c - a plugin for `procpool run`: lines, words and bytes of a file, as `wc` counts
 * them in the C locale.
 *
 *     procpool run --plugin plugin_wordcount.so --function wordcount ::: /usr/include/[a-m]*.h
 *
 * A plugin is a shared object; each function of this form in it can be called.
 */
#include <procpool.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct counts {
    uint64_t lines, words, bytes;
    bool     in_word; /* the word at the end of a block may go on in the next one */
};

/* As wc has it: white space ends a word, and only a printable character begins one. */
static void count_block(struct counts *counts, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = data[i];
        bool          space = c == ' ' || (c >= '\t' && c <= '\r');
        bool          printable = c > ' ' && c < 0x7f;
        counts->lines += c == '\n';
        counts->words += printable && !counts->in_word;
        counts->in_word = printable || (counts->in_word && !space);
    }
    counts->bytes += size;
}

/* 0 or -errno. */
static int count_file(struct counts *counts, const char *path)
{
    unsigned char block[64 * 1024];
    ssize_t       n;
    int           fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while ((n = read(fd, block, sizeof block)) > 0)
        count_block(counts, block, (size_t)n);
    int error = n < 0 ? -errno : 0;
    close(fd);
    return error;
}

int wordcount(pp_call *call);

int wordcount(pp_call *call)
{
    struct counts counts = {0};
    const char   *path = NULL;
    int           error = pp_call_args(call, "s", &path);
    if (error < 0)
        return error;
    error = count_file(&counts, path);
    if (error < 0)
        return pp_call_raise(call, error, "FileError", "%s: %s", path, strerror(-error));

    size_t size = strlen(path) + 80;
    char  *line = malloc(size);
    if (line == NULL)
        return -ENOMEM;
    snprintf(line, size, "%llu %llu %llu %s", (unsigned long long)counts.lines,
             (unsigned long long)counts.words, (unsigned long long)counts.bytes, path);
    error = pp_call_return(call, "s", line);
    free(line);
    return error;
}
