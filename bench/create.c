/*
 * create.c - the creation of a pool, to the first result; or, with bare=1, so many bare forks, to
 * the last child's word that it runs.
 */
#include "measure.h"

#include <procpool.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS, BARE };

static struct knob knobs[] = {[WORKERS] = {"workers", 128}, [BARE] = {"bare", 0}};

static int answer(pp_call *call)
{
    return pp_call_return(call, "i", 42);
}

static double create_pool(unsigned workers)
{
    pp_pool        *pool = NULL;
    pp_task        *task = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    int             number = 0;
    options.min_size = workers;
    double begin = now();
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    check(pp_task_create(&task, PP_FUNCTION(answer), NULL, NULL), "pp_task_create");
    check(pp_pool_queue_task(pool, task), "pp_pool_queue_task");
    check(pp_task_wait(task, PP_FOREVER), "pp_task_wait");
    check(pp_value_unpack(pp_task_result(task), "i", &number), "pp_value_unpack");
    double seconds = now() - begin;
    if (number != 42)
        die("wrong result", EPROTO);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    return seconds;
}

static double fork_bare(unsigned count)
{
    pid_t *children = allocate(count, sizeof *children);
    char  *bytes = allocate(count, 1);
    int    alive[2];
    if (pipe(alive) < 0)
        die("pipe", errno);
    double begin = now();
    for (unsigned i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] < 0)
            die("fork", errno);
        if (children[i] == 0) {
            if (write(alive[1], "", 1) != 1)
                _exit(1);
            for (;;)
                pause();
        }
    }
    for (unsigned got = 0; got < count;) {
        ssize_t size = read(alive[0], bytes, count);
        if (size <= 0)
            die("read", errno);
        got += (unsigned)size;
    }
    double seconds = now() - begin;
    for (unsigned i = 0; i < count; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
    }
    free(children);
    free(bytes);
    return seconds;
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    unsigned workers = (unsigned)knobs[WORKERS].value;
    if (knobs[BARE].value)
        emit("create", "bare forks", fork_bare(workers) * 1e3, "ms");
    else
        emit("create", "procpool", create_pool(workers) * 1e3, "ms");
    return 0;
}
