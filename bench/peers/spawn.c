/*
 * spawn.c - the least that a process for each job costs: posix_spawn and waitpid of /bin/true with one word
 * (without any it does less), nothing passed on, in so many processes at a time as there are workers.
 *
 *     spawn JOBS WORKERS
 */
#define _GNU_SOURCE /* environ */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_jobs(long jobs)
{
    char  path[] = "/bin/true";
    char  word[] = "1";
    char *vector[] = {path, word, NULL};
    for (long i = 0; i < jobs; i++) {
        pid_t pid = 0;
        int   status = 0;
        if (posix_spawn(&pid, path, NULL, NULL, vector, environ) != 0 ||
            waitpid(pid, &status, 0) != pid || status != 0)
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    long jobs = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long workers = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    int  result = EXIT_SUCCESS;
    if (jobs < 1 || workers < 1) {
        fputs("usage: spawn JOBS WORKERS\n", stderr);
        return EXIT_FAILURE;
    }
    for (long i = 0; i < workers; i++) {
        long  share = jobs / workers + (i < jobs % workers ? 1 : 0);
        pid_t pid = fork();
        if (pid == 0)
            _exit(run_jobs(share));
        if (pid < 0)
            return EXIT_FAILURE;
    }
    for (long i = 0; i < workers; i++) {
        int status = 0;
        if (wait(&status) < 0 || status != 0)
            result = EXIT_FAILURE;
    }
    return result;
}
