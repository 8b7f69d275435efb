/*
 * shm_mailbox.c - the state word: each transition of the table, and what a ruined word reads as.
 */
#include "shm/mailbox.h"
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

enum { FIRST = PP_FIRST_TICKET };

static struct pp_result result;

/* The slot of the first ticket, as a new box has it. */
static int reset(void **state)
{
    static struct pp_box box;
    (void)state;
    pp_mailbox_init(&box);
    result = *pp_box_result(&box, FIRST);
    return 0;
}

static void set_word(uint64_t word)
{
    atomic_store(&result.word, word);
}

static void a_request_goes_from_host_to_worker_and_back(void **state)
{
    (void)state;
    assert_int_equal(pp_mailbox_claim(&result, FIRST), PP_CLAIM_NOT_YET);
    pp_mailbox_publish_request(&result, FIRST);
    assert_int_equal(pp_mailbox_state(&result, FIRST), PP_SLOT_QUEUED);
    assert_int_equal(pp_mailbox_claim(&result, FIRST), PP_CLAIM_YES);
    assert_int_equal(pp_mailbox_state(&result, FIRST), PP_SLOT_RUNNING);
    pp_mailbox_publish_result(&result, FIRST);
    assert_int_equal(pp_mailbox_state(&result, FIRST), PP_SLOT_DONE);
    pp_mailbox_release(&result, FIRST);
    assert_int_equal(pp_mailbox_claim(&result, FIRST + PP_RING), PP_CLAIM_NOT_YET);
}

static void what_was_taken_back_is_over_for_the_worker(void **state)
{
    (void)state;
    pp_mailbox_publish_request(&result, FIRST);
    assert_true(pp_mailbox_take_back(&result, FIRST));
    assert_false(pp_mailbox_take_back(&result, FIRST));
    assert_int_equal(pp_mailbox_claim(&result, FIRST), PP_CLAIM_OVER);
    pp_mailbox_release(&result, FIRST);
    assert_int_equal(pp_mailbox_claim(&result, FIRST), PP_CLAIM_OVER);
    pp_mailbox_publish_request(&result, FIRST + PP_RING); /* the ring went round meanwhile */
    assert_int_equal(pp_mailbox_claim(&result, FIRST), PP_CLAIM_OVER);
    assert_int_equal(pp_mailbox_claim(&result, FIRST + PP_RING), PP_CLAIM_YES);
}

static void what_the_worker_claimed_cannot_be_taken_back(void **state)
{
    (void)state;
    pp_mailbox_publish_request(&result, FIRST);
    assert_int_equal(pp_mailbox_claim(&result, FIRST), PP_CLAIM_YES);
    assert_false(pp_mailbox_take_back(&result, FIRST));
    pp_mailbox_publish_result(&result, FIRST);
    assert_false(pp_mailbox_take_back(&result, FIRST));
}

static void a_word_that_nobody_can_have_written_is_broken(void **state)
{
    const uint64_t ruined[] = {UINT64_MAX,
                               0x4141414141414141,
                               UINT64_C(200) << 8 | 9,
                               pp_word(200, PP_SLOT_RUNNING),
                               pp_word(3, PP_SLOT_QUEUED),
                               pp_word(201, PP_SLOT_QUEUED)};
    (void)state;
    for (size_t i = 0; i < sizeof ruined / sizeof *ruined; i++) {
        set_word(ruined[i]);
        assert_int_equal(pp_mailbox_claim(&result, 200), PP_CLAIM_BROKEN);
    }
    set_word(0);
    for (uint64_t ticket = FIRST; ticket <= FIRST + PP_RING; ticket++)
        assert_int_equal(pp_mailbox_claim(&result, ticket), PP_CLAIM_BROKEN);
    set_word(pp_word(7, PP_SLOT_TAKEN)); /* the host did not take it */
    assert_int_equal(pp_mailbox_state(&result, 7), PP_SLOT_BROKEN);
    set_word(pp_word(8, PP_SLOT_DONE));
    assert_int_equal(pp_mailbox_state(&result, 7), PP_SLOT_BROKEN);
    set_word(0);
    assert_int_equal(pp_mailbox_state(&result, 7), PP_SLOT_BROKEN);
}

/* Random words: no reading of them is a claim or a result unless it says exactly that. */
static void garbage_is_never_taken_for_a_claim_or_a_result(void **state)
{
    (void)state;
    srand(11);
    for (int i = 0; i < 1000000; i++) {
        uint64_t word = (uint64_t)(unsigned)rand() << 33 ^ (uint64_t)(unsigned)rand() << 11 ^
                        (uint64_t)(unsigned)rand();
        if (i % 2 == 0) /* near misses */
            word = pp_word((uint64_t)(rand() % 300), (enum pp_slot_state)(rand() % 8));
        uint64_t ticket = (uint64_t)(1 + rand() % 300);
        set_word(word);
        if (pp_mailbox_claim(&result, ticket) == PP_CLAIM_YES)
            assert_true(word == pp_word(ticket, PP_SLOT_QUEUED));
        set_word(word);
        if (pp_mailbox_state(&result, ticket) == PP_SLOT_DONE)
            assert_true(word == pp_word(ticket, PP_SLOT_DONE));
    }
}

/* ------------------------------------------------- the race of claim and take back */

enum { ROUNDS = 200000 };

static struct pp_box *box;
static atomic_uint    both; /* tickets that both sides won, or neither */

static void *claim_all(void *data)
{
    unsigned char *claimed = data;
    for (uint64_t ticket = FIRST; ticket <= ROUNDS; ticket++) {
        struct pp_result *slot = pp_box_result(box, ticket);
        enum pp_claim     claim = PP_CLAIM_NOT_YET;
        while ((claim = pp_mailbox_claim(slot, ticket)) == PP_CLAIM_NOT_YET)
            ;
        claimed[ticket] = claim == PP_CLAIM_YES ? 1 : 0;
        if (claim == PP_CLAIM_BROKEN)
            atomic_fetch_add(&both, 1);
        if (claim == PP_CLAIM_YES)
            pp_mailbox_publish_result(slot, ticket);
    }
    return NULL;
}

static void a_request_is_either_claimed_or_taken_back(void **state)
{
    unsigned char *claimed = calloc(ROUNDS + 1, 1);
    unsigned char *taken = calloc(ROUNDS + 1, 1);
    pthread_t      worker;
    (void)state;
    box = aligned_alloc(PP_CACHE_LINE, sizeof *box);
    assert_non_null(box);
    *box = (struct pp_box){0};
    pp_mailbox_init(box);
    assert_int_equal(pthread_create(&worker, NULL, claim_all, claimed), 0);
    for (uint64_t ticket = FIRST; ticket <= ROUNDS; ticket++) {
        struct pp_result *slot = pp_box_result(box, ticket);
        pp_mailbox_publish_request(slot, ticket);
        for (int i = 0; i < (int)(ticket % 64); i++) /* now the one is faster, now the other */
            atomic_thread_fence(memory_order_seq_cst);
        taken[ticket] = pp_mailbox_take_back(slot, ticket) ? 1 : 0;
        while (taken[ticket] == 0 && pp_mailbox_state(slot, ticket) != PP_SLOT_DONE)
            ;
        pp_mailbox_release(slot, ticket);
    }
    pthread_join(worker, NULL);
    for (uint64_t ticket = FIRST; ticket <= ROUNDS; ticket++)
        assert_int_equal(claimed[ticket] + taken[ticket], 1);
    assert_int_equal(atomic_load(&both), 0);
    free(box);
    free(claimed);
    free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_request_goes_from_host_to_worker_and_back, reset),
        cmocka_unit_test_setup(what_was_taken_back_is_over_for_the_worker, reset),
        cmocka_unit_test_setup(what_the_worker_claimed_cannot_be_taken_back, reset),
        cmocka_unit_test_setup(a_word_that_nobody_can_have_written_is_broken, reset),
        cmocka_unit_test_setup(garbage_is_never_taken_for_a_claim_or_a_result, reset),
        cmocka_unit_test(a_request_is_either_claimed_or_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
