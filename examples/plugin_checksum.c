/*
 * plugin_checksum.c - a plugin for `procpool run`: SHA-256 of a file, a line as sha256sum prints it.
 *
 *     procpool run --plugin plugin_checksum.so --function sha256 ::: /usr/include/[a-m]*.h
 *
 * Two inputs are no files but accidents, to show what the pool does about them: "crash:..." writes
 * to address 0, and "hang:..." never returns.
 */
#include <procpool.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void crash(void)
{
    volatile int *volatile nowhere = NULL; /* or the compiler leaves the store out */
    *nowhere = 1;
}

static void hang(void)
{
    for (;;)
        pause();
}

/* 0, -errno, or -EPROTO when libcrypto refuses. */
static int digest_descriptor(EVP_MD_CTX *context, int fd, unsigned char *digest, unsigned *size)
{
    unsigned char block[64 * 1024];
    ssize_t       n;
    if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        return -EPROTO;
    while ((n = read(fd, block, sizeof block)) > 0) {
        if (EVP_DigestUpdate(context, block, (size_t)n) != 1)
            return -EPROTO;
    }
    if (n < 0)
        return -errno;
    return EVP_DigestFinal_ex(context, digest, size) == 1 ? 0 : -EPROTO;
}

static int digest_file(const char *path, unsigned char *digest, unsigned *size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int         fd = open(path, O_RDONLY | O_CLOEXEC);
    int         error = -ENOMEM;
    if (fd < 0)
        error = -errno;
    else if (context != NULL)
        error = digest_descriptor(context, fd, digest, size);
    if (fd >= 0)
        close(fd);
    EVP_MD_CTX_free(context);
    return error;
}

/* "<hex>  <path>"; a path that would break the line is escaped, and a backslash says so. */
static char *make_line(const unsigned char *digest, unsigned size, const char *path)
{
    char *line = malloc(2 * (size_t)size + 2 * strlen(path) + 4);
    if (line == NULL)
        return NULL;
    char *at = line;
    if (strpbrk(path, "\\\n\r") != NULL)
        *at++ = '\\';
    for (unsigned i = 0; i < size; i++)
        at += sprintf(at, "%02x", digest[i]);
    *at++ = ' ';
    *at++ = ' ';
    for (; *path != '\0'; path++) {
        if (strchr("\\\n\r", *path) != NULL)
            *at++ = '\\';
        *at++ = *path == '\n' ? 'n' : *path == '\r' ? 'r' : *path;
    }
    *at = '\0';
    return line;
}

int sha256(pp_call *call);

int sha256(pp_call *call)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned      size = 0;
    const char   *path = NULL;
    int           error = pp_call_args(call, "s", &path);
    if (error < 0)
        return error;
    if (strncmp(path, "crash:", 6) == 0)
        crash();
    if (strncmp(path, "hang:", 5) == 0)
        hang();
    error = digest_file(path, digest, &size);
    if (error < 0)
        return pp_call_raise(call, error, "FileError", "%s: %s", path, strerror(-error));
    char *line = make_line(digest, size, path);
    if (line == NULL)
        return -ENOMEM;
    error = pp_call_return(call, "s", line);
    free(line);
    return error;
}
