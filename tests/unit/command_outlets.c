/*
 * command_outlets.c - what a job wrote is had once, wherever its worker was killed.
 *
 * A child stands for the worker.  It takes one step after the other, as job_exec.c does, and ends without a
 * word after one of them; then this process salvages.
 */
#include "command/outlets.h"
#include "unit.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum step { CLAIMED, WRITTEN, EXPECTED, READ, SENT, TOLD };
enum { ORDINAL = 41, ATTEMPT = 3, REFUSED = 9 };

/* Of the next worker: its job, and whether that is tried again. */
static uint64_t ordinal;
static bool     is_last;

static struct {
    char     text[2][4096];
    size_t   length[2];
    unsigned records;
} got;

static void take(const struct cmd_relay_record *record, void *argument)
{
    int which = record->head.kind == CMD_RELAY_OUT ? 0 : 1;
    assert_null(argument);
    assert_int_equal(record->head.ordinal, ORDINAL);
    assert_int_equal(record->head.attempt, ATTEMPT);
    assert_true(record->head.kind == CMD_RELAY_OUT || record->head.kind == CMD_RELAY_ERR);
    assert_true(got.length[which] + record->head.length <= sizeof got.text[which]);
    memcpy(got.text[which] + got.length[which], record->data, record->head.length);
    got.length[which] += record->head.length;
    got.records++;
}

static void assert_got(int which, const char *text)
{
    assert_int_equal(got.length[which], strlen(text));
    assert_memory_equal(got.text[which], text, strlen(text));
}

static int open_outlet(void **state)
{
    (void)state;
    memset(&got, 0, sizeof got);
    ordinal = ORDINAL;
    is_last = true;
    cmd_outlets_open(1);
    return 0;
}

static int close_outlet(void **state)
{
    (void)state;
    cmd_outlets_close();
    return 0;
}

static struct cmd_outlet *claim(unsigned worker, int fds[2], int ends[2])
{
    struct cmd_relay_head head = {.ordinal = ordinal, .attempt = ATTEMPT};
    return cmd_outlet_claim(worker, &head, is_last, fds, ends);
}

/* The worker's steps up to `last`; `relay` stands for the relay. */
static int live(const char *text, enum step last, int relay)
{
    int                fds[2], ends[2];
    uint32_t           size = (uint32_t)strlen(text);
    struct cmd_outlet *outlet = claim(0, fds, ends);
    if (outlet == NULL)
        return REFUSED;
    struct cmd_relay_record *record = cmd_outlet_record(outlet);
    if (last >= WRITTEN &&
        (write(ends[0], text, size) != (ssize_t)size || write(ends[1], "why", 3) != 3))
        return 1;
    record->head.kind = CMD_RELAY_OUT;
    if (last >= EXPECTED)
        cmd_outlet_expect(outlet, size);
    if (last >= READ && read(fds[0], record->data, size) != (ssize_t)size)
        return 1;
    if (last >= SENT && write(relay, record, sizeof *record) != sizeof *record)
        return 1;
    if (last >= TOLD)
        cmd_outlet_sent(outlet);
    return 0;
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A worker that ends after `last`; what it had sent is taken. */
static int die_after(const char *text, enum step last)
{
    int                     relay[2];
    struct cmd_relay_record record;
    assert_int_equal(pipe(relay), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(live(text, last, relay[1]));
    close(relay[1]);
    int status = status_of(pid);
    if (read(relay[0], &record, sizeof record) == sizeof record) {
        cmd_outlets_heard(&record);
        take(&record, NULL);
    }
    close(relay[0]);
    return status;
}

static void what_was_written_is_had_once_wherever_the_worker_ended(void **state)
{
    static const char *const texts[] = {"x", "seven..", "just 8..", "some more than that"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (enum step last = CLAIMED; last <= TOLD; last++) {
            memset(&got, 0, sizeof got);
            assert_int_equal(die_after(texts[i], last), 0);
            cmd_outlets_salvage(ORDINAL, take, NULL);
            assert_got(0, last >= WRITTEN ? texts[i] : "");
            assert_got(1, last >= WRITTEN ? "why" : "");
            unsigned records = got.records;
            cmd_outlets_salvage(ORDINAL, take, NULL);
            assert_int_equal(got.records, records);
        }
    }
}

static void an_outlet_is_left_alone_until_it_was_salvaged(void **state)
{
    (void)state;
    assert_int_equal(die_after("first", WRITTEN), 0);
    ordinal = ORDINAL + 1;
    assert_int_equal(die_after("second", WRITTEN), REFUSED);
    cmd_outlets_salvage(ORDINAL + 1, take, NULL);
    assert_int_equal(got.records, 0);
    assert_int_equal(die_after("second", WRITTEN), REFUSED);
    cmd_outlets_salvage(ORDINAL, take, NULL);
    assert_got(0, "first");
    assert_int_equal(die_after("second", CLAIMED), 0);
}

static void an_attempt_that_is_not_the_last_keeps_no_outlet(void **state)
{
    (void)state;
    is_last = false;
    assert_int_equal(die_after("first", EXPECTED), 0);
    is_last = true;
    ordinal = ORDINAL + 1;
    assert_int_equal(die_after("another", CLAIMED), 0);
    cmd_outlets_salvage(ORDINAL, take, NULL);
    assert_int_equal(got.records, 0);
    cmd_outlets_salvage(ORDINAL + 1, take, NULL);
    assert_int_equal(got.records, 0);
    ordinal = ORDINAL;
    assert_int_equal(die_after("second", WRITTEN), 0);
    cmd_outlets_salvage(ORDINAL, take, NULL);
    assert_got(0, "second");
    assert_got(1, "why");
}

/* A worker that releases its outlet, and a process that keeps the writing end until `go` ends. */
static pid_t leave_behind(const int go[2], const char *last_words)
{
    int fds[2], ends[2], tell[2];
    assert_int_equal(pipe(tell), 0);
    pid_t worker = fork();
    if (worker == 0) {
        struct cmd_outlet *outlet = claim(0, fds, ends);
        pid_t              left = outlet != NULL ? fork() : -1;
        if (left == 0) {
            char byte;
            close(go[1]);
            close(tell[0]);
            (void)!read(go[0], &byte, 1);
            (void)!write(ends[0], last_words, strlen(last_words));
            _exit(0);
        }
        if (outlet != NULL)
            cmd_outlet_release(outlet);
        _exit(left < 0);
    }
    close(tell[1]);
    assert_int_equal(status_of(worker), 0);
    return tell[0]; /* its end: the process that was left has gone */
}

static void a_pipe_that_somebody_may_write_to_is_not_used(void **state)
{
    int  go[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(go), 0);
    int gone = leave_behind(go, "too late");
    assert_int_equal(die_after("next", CLAIMED), REFUSED);
    close(go[1]);
    assert_int_equal(read(gone, &byte, 1), 0);
    close(gone);
    close(go[0]);
    assert_int_equal(die_after("next", WRITTEN), 0);
    cmd_outlets_salvage(ORDINAL, take, NULL);
    assert_got(0, "next");
}

static void a_worker_without_an_outlet_gets_none(void **state)
{
    int fds[2], ends[2];
    (void)state;
    assert_null(claim(1, fds, ends));
    cmd_outlets_close();
    assert_null(claim(0, fds, ends));
    cmd_outlets_salvage(ORDINAL, take, NULL);
    assert_int_equal(got.records, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_had_once_wherever_the_worker_ended,
                                        open_outlet, close_outlet),
        cmocka_unit_test_setup_teardown(an_outlet_is_left_alone_until_it_was_salvaged, open_outlet,
                                        close_outlet),
        cmocka_unit_test_setup_teardown(an_attempt_that_is_not_the_last_keeps_no_outlet,
                                        open_outlet, close_outlet),
        cmocka_unit_test_setup_teardown(a_pipe_that_somebody_may_write_to_is_not_used, open_outlet,
                                        close_outlet),
        cmocka_unit_test_setup_teardown(a_worker_without_an_outlet_gets_none, open_outlet,
                                        close_outlet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
