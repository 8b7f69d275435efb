/*
 * supervise_wake.c - who is rung for: a worker that may sleep, and not one that is on its way already.
 *
 * The moment between a look at a worker and its falling asleep is too short for a test with processes.
 */
#include "supervise/slots.h"
#include "unit.h"

static struct pp_worker *worker;

static int create(void **state)
{
    (void)state;
    return pp_worker_create(&worker);
}

static int release(void **state)
{
    (void)state;
    pp_worker_release(worker);
    return 0;
}

static struct pp_result *slot(uint64_t ticket)
{
    return pp_box_result(worker->box, ticket);
}

static uint64_t give(void)
{
    uint64_t ticket = worker->tail++;
    pp_mailbox_publish_request(slot(ticket), ticket);
    return ticket;
}

/* How often it was rung for until now. */
static uint32_t rings(void)
{
    return atomic_load(&worker->tray->bell);
}

static void says(uint32_t awake)
{
    atomic_store(&worker->box->awake, awake);
}

static void a_worker_that_is_awake_is_not_rung_for(void **state)
{
    (void)state;
    says(PP_AWAKE);
    (void)give();
    pp_worker_wake(worker);
    assert_int_equal(rings(), 0);
}

static void a_worker_on_its_way_is_not_rung_for_again(void **state)
{
    (void)state;
    says(0);
    (void)give();
    pp_worker_wake(worker);
    assert_int_equal(rings(), 1);
    (void)give();
    pp_worker_wake(worker);
    assert_int_equal(rings(), 1);
}

/* Nothing of it was collected meanwhile: its first ticket is the same. */
static void a_worker_that_began_what_it_was_rung_for_and_sleeps_is_rung_for_again(void **state)
{
    (void)state;
    says(0);
    uint64_t ticket = give();
    pp_worker_wake(worker);
    assert_int_equal(pp_mailbox_claim(slot(ticket), ticket), PP_CLAIM_YES);
    (void)give();
    pp_worker_wake(worker);
    assert_int_equal(rings(), 2);
    pp_mailbox_publish_result(slot(ticket), ticket);
    assert_int_equal(pp_mailbox_claim(slot(ticket + 1), ticket + 1), PP_CLAIM_YES);
    (void)give();
    pp_worker_wake(worker);
    assert_int_equal(rings(), 3);
}

/* Garbage in the word costs a system call, and no wake-up. */
static void a_ruined_word_of_sleep_is_taken_for_sleep(void **state)
{
    (void)state;
    says(UINT32_MAX);
    (void)give();
    pp_worker_wake(worker);
    assert_int_equal(rings(), 1);
}

#define WAKE_TEST(function) cmocka_unit_test_setup_teardown(function, create, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAKE_TEST(a_worker_that_is_awake_is_not_rung_for),
        WAKE_TEST(a_worker_on_its_way_is_not_rung_for_again),
        WAKE_TEST(a_worker_that_began_what_it_was_rung_for_and_sleeps_is_rung_for_again),
        WAKE_TEST(a_ruined_word_of_sleep_is_taken_for_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
