/*
 * mailbox.c - the transitions of the state word; the table and the proof are in mailbox.h.
 */
#include "shm/mailbox.h"

void pp_mailbox_init(struct pp_box *box)
{
    for (uint64_t ticket = PP_FIRST_TICKET - PP_RING; ticket < PP_FIRST_TICKET; ticket++)
        pp_mailbox_release(pp_box_result(box, ticket), ticket);
}

void pp_mailbox_publish_request(struct pp_result *result, uint64_t ticket)
{
    atomic_store_explicit(&result->word, pp_word(ticket, PP_SLOT_QUEUED), memory_order_release);
}

bool pp_mailbox_take_back(struct pp_result *result, uint64_t ticket)
{
    uint64_t queued = pp_word(ticket, PP_SLOT_QUEUED);
    return atomic_compare_exchange_strong_explicit(&result->word, &queued,
                                                   pp_word(ticket, PP_SLOT_TAKEN),
                                                   memory_order_relaxed, memory_order_relaxed);
}

enum pp_slot_state pp_mailbox_state(struct pp_result *result, uint64_t ticket)
{
    uint64_t           word = atomic_load_explicit(&result->word, memory_order_acquire);
    enum pp_slot_state state = pp_word_state(word);
    bool possible = state == PP_SLOT_QUEUED || state == PP_SLOT_RUNNING || state == PP_SLOT_DONE;
    return possible && pp_word_ticket(word) == ticket ? state : PP_SLOT_BROKEN;
}

void pp_mailbox_release(struct pp_result *result, uint64_t ticket)
{
    atomic_store_explicit(&result->word, pp_word(ticket, PP_SLOT_FREE), memory_order_relaxed);
}

/* The claim failed: what does the word that stands there say about this ticket? */
static enum pp_claim judge(uint64_t word, uint64_t ticket)
{
    uint64_t           other = pp_word_ticket(word);
    enum pp_slot_state state = pp_word_state(word);
    if (state > PP_SLOT_DONE)
        return PP_CLAIM_BROKEN;
    if (other == ticket)
        return state == PP_SLOT_TAKEN || state == PP_SLOT_FREE ? PP_CLAIM_OVER : PP_CLAIM_BROKEN;
    if (other > ticket) /* the host took it back, released it and went round the ring */
        return (other - ticket) % PP_RING == 0 ? PP_CLAIM_OVER : PP_CLAIM_BROKEN;
    bool past = state != PP_SLOT_QUEUED && state != PP_SLOT_RUNNING;
    return past && ticket - other == PP_RING ? PP_CLAIM_NOT_YET : PP_CLAIM_BROKEN;
}

enum pp_claim pp_mailbox_claim(struct pp_result *result, uint64_t ticket)
{
    uint64_t queued = pp_word(ticket, PP_SLOT_QUEUED);
    uint64_t found = atomic_load_explicit(&result->word, memory_order_relaxed);
    /* look first: a failing compare-and-swap would take the cache line from the host */
    if (found == queued &&
        atomic_compare_exchange_strong_explicit(&result->word, &found,
                                                pp_word(ticket, PP_SLOT_RUNNING),
                                                memory_order_acquire, memory_order_relaxed))
        return PP_CLAIM_YES;
    return judge(found, ticket);
}

void pp_mailbox_publish_result(struct pp_result *result, uint64_t ticket)
{
    atomic_store_explicit(&result->word, pp_word(ticket, PP_SLOT_DONE), memory_order_release);
}
