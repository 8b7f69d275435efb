/*
 * mailbox.h - what one worker and the host share: a tray of requests and a box of results.
 *
 *   tray  (memfd; written by the host alone, the worker's mapping can only read)
 *     +--------------+------------------------------------+---------------------------+
 *     | control line | requests: a ring of PP_RING lines  | arena: granules of 1 KiB  |
 *     +--------------+------------------------------------+---------------------------+
 *   box   (memfd; written by this worker; the host writes only words of its own transitions)
 *     +--------------+------------------------------------+---------------------------+
 *     | worker words | results: a ring of PP_RING lines   | arena: granules of 1 KiB  |
 *     +--------------+------------------------------------+---------------------------+
 *
 *   ledger  (behind the box in its memfd, mapped elsewhere in the worker; written by this worker)
 *     +--------------+------------------------------------+---------------------------+
 *     | begun        | copies of small results            | last words                |
 *     +--------------+------------------------------------+---------------------------+
 *
 * No other process maps any of them; a new incarnation of a worker gets fresh ones.  Tickets of a
 * worker count from PP_FIRST_TICKET; ticket t has request and result t mod PP_RING.  The worker goes
 * through the tickets in order.  A new box says that the tickets of the round before are over, so a
 * word of zero is as much a ruin as any other.  A payload of up to PP_INLINE bytes stands in its line,
 * a larger one in granules that the host chose, a still larger one in a memfd of its own.
 *
 * One word decides.  `word` of a result is {ticket, state}; every transition is one atomic
 * instruction by one writer:
 *
 *   from     to       by      how
 *   FREE     QUEUED   host    release store, after the request's bytes
 *   QUEUED   RUNNING  worker  compare-and-swap (acquire: the request's bytes)
 *   QUEUED   TAKEN    host    compare-and-swap
 *   RUNNING  DONE     worker  release store, after every byte of the result
 *   DONE     FREE     host    after harvesting
 *   TAKEN    FREE     host    when its turn comes
 *
 * Proof that each order is the weakest: QUEUED and DONE publish plain bytes, so they release and
 * their readers acquire.  RUNNING and TAKEN publish nothing but the decision itself, which the
 * compare-and-swap makes alone; RUNNING acquires only to see the request.  FREE is read by nobody
 * but its writer and, as "this ticket is over", by the worker, which then touches no byte of it.
 * The whole protocol, with deaths, fences and wake-ups, is a model in mailbox.pml: `make model`.
 *
 * Invariants
 *   - A wild store of a task can ruin results and words of its own box, never a request, and
 *     nothing of another worker.
 *   - A task that ruins the whole box loses its own result, and of its worker's earlier ones those
 *     that lay in the arena and were not collected yet: the ledger tells which tickets were begun,
 *     and keeps the rest.  It is looked at only where a word of the box is ruined.
 *   - The host trusts nothing in a box for a length or an index: it knows from private memory which
 *     tickets are out, where their results may lie and how long they may be; it reads every field
 *     of the box once.
 */
#ifndef PP_SHM_MAILBOX_H
#define PP_SHM_MAILBOX_H

#include "shm/last_words.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PP_CACHE_LINE = 64,
    PP_RING = 128,
    PP_FIRST_TICKET = PP_RING + 1,
    PP_INLINE = 24,         /* bytes of payload in a line */
    PP_GRANULE = 1024,      /* bytes */
    PP_ARENA_GRANULES = 64, /* one bit of a uint64_t each */
    PP_PAYLOAD_ALIGN = 16   /* of the parts of a payload that is not inline */
};

enum pp_slot_state {
    PP_SLOT_FREE,
    PP_SLOT_QUEUED,
    PP_SLOT_RUNNING,
    PP_SLOT_TAKEN,
    PP_SLOT_DONE,
    PP_SLOT_BROKEN /* never stored: what a reader calls a word that nobody can have written */
};

/* The exit status of a worker that found its box ruined before it began the next ticket. */
enum { PP_EXIT_BOX_RUINED = 86 };

/* `arena` of a request: first granule, or this. */
enum { PP_PLACE_INLINE = -1 };

enum pp_request_flags {
    PP_REQUEST_BYTES = 1,       /* the arguments are a payload of bytes                    */
    PP_REQUEST_DESCRIPTORS = 2, /* a message with descriptors waits in the worker's socket */
    PP_REQUEST_MAPPED = 4,      /* the first of them holds the payload                     */
    PP_REQUEST_EXTRA = 8,       /* struct pp_extra stands before the rest of the payload   */
    PP_REQUEST_MAP = 16         /* call once for each item; needs EXTRA                    */
};

enum pp_result_flags {
    PP_RESULT_ERROR = 1,       /* the payload is an error record                   */
    PP_RESULT_BYTES = 2,       /* of pp_call_return_bytes                          */
    PP_RESULT_DESCRIPTORS = 4, /* a message with descriptors waits in the socket   */
    PP_RESULT_MAPPED = 8       /* the first of them holds the payload              */
};

/* How a callable is named in a request. */
struct pp_target {
    uint64_t offset;        /* of the function or class in its object file         */
    uint32_t captured_size; /* bytes of a closure                                  */
    uint16_t name_size;     /* bytes: of the object's path, or of the name; no NUL */
    uint8_t  kind;          /* enum pp_target_kind                                 */
};

/* What only some requests need. */
struct pp_extra {
    int64_t  soft_timeout; /* ns; 0: none */
    uint32_t item_size;    /* PP_REQUEST_MAP: bytes in and out of one item */
    uint32_t out_size;
};

/*
 * Written by the host before QUEUED.  The payload: pp_extra, name, captured bytes, arguments, each
 * part that is there beginning at a multiple of PP_PAYLOAD_ALIGN.
 */
struct pp_request {
    uint64_t task_id;
    uint64_t offset; /* struct pp_target, packed */
    uint64_t size;   /* of the whole payload     */
    uint32_t captured_size;
    uint32_t attempt;
    uint16_t name_size;
    uint16_t flags;
    uint8_t  kind;
    int8_t   arena;
    int8_t   result_arena; /* first granule that a result may fill */
    uint8_t  result_granules;
    _Alignas(8) unsigned char data[PP_INLINE];
};

/* Written by the worker, `word` by both as the table says. */
struct pp_result {
    _Atomic uint64_t word;
    _Atomic int64_t  began; /* ns; a hint to the host, which checks it */
    int64_t          ended; /* ns; likewise */
    uint64_t         size;  /* of the payload */
    uint32_t         flags;
    _Atomic float    progress; /* done / total, for monitoring */
    _Alignas(8) unsigned char data[PP_INLINE];
};

_Static_assert(sizeof(struct pp_request) == PP_CACHE_LINE, "a small request is one line");
_Static_assert(sizeof(struct pp_result) == PP_CACHE_LINE, "a small result is one line");

/* Orders of the host. */
enum { PP_ORDER_BULLET = 1 };

struct pp_tray {
    /* the control line */
    _Alignas(PP_CACHE_LINE) _Atomic uint32_t bell; /* futex word: counts the rings */
    _Atomic uint32_t orders;
    _Atomic uint64_t ring;      /* {ticket << 16, arming}: ring when a ticket >= this is done */
    _Atomic uint64_t cancelled; /* this ticket is asked to stop; UINT64_MAX: all are */
    _Atomic uint64_t direct;    /* the word of this ticket is slept on: wake it; 0: none is */
    _Alignas(PP_CACHE_LINE) struct pp_request requests[PP_RING];
    _Alignas(PP_CACHE_LINE) unsigned char arena[PP_ARENA_GRANULES][PP_GRANULE];
};

enum pp_phase {
    PP_PHASE_BORN,
    PP_PHASE_READY,       /* worker_init succeeded; takes tasks      */
    PP_PHASE_INIT_FAILED, /* ... failed: `init_error`; about to exit */
};

/* `awake` of a worker that is.  Any other value, zero and garbage too, says that it may sleep, so
 * a task that overwrites the word costs a system call and no wake-up. */
enum { PP_AWAKE = 0x6177616b };

struct pp_box {
    _Alignas(PP_CACHE_LINE) _Atomic uint32_t awake; /* not PP_AWAKE around the futex wait */
    _Atomic uint32_t phase;
    _Atomic int32_t  init_error; /* negative errno */
    _Alignas(PP_CACHE_LINE) struct pp_result results[PP_RING];
    _Alignas(PP_CACHE_LINE) unsigned char arena[PP_ARENA_GRANULES][PP_GRANULE];
};

/* Between it and the box lies the tray, which cannot be written, so a stray pointer or a loop that
 * runs on does not reach both. */
struct pp_ledger {
    _Alignas(PP_CACHE_LINE) _Atomic uint64_t begun; /* the last ticket that was begun */
    _Alignas(PP_CACHE_LINE) struct pp_result kept[PP_RING];
    struct pp_last_words last_words;
};

/* What the worker reads for each task, what the host reads before it sends, and what only a death asks
 * for: a line each, so that none is taken from the other side for another's sake. */
_Static_assert(offsetof(struct pp_tray, requests) == PP_CACHE_LINE, "the tray's control line");
_Static_assert(offsetof(struct pp_box, results) == PP_CACHE_LINE, "the box's control line");
_Static_assert(offsetof(struct pp_ledger, kept) == PP_CACHE_LINE, "the ledger's first line");
/* The last words fill what the third page had left: a worker has not a page more for them. */
_Static_assert(sizeof(struct pp_ledger) == 12288, "the ledger is three small pages");

/* Where the ledger lies in the box's memfd; `page` is the size of one. */
static inline size_t pp_ledger_offset(size_t page)
{
    return (sizeof(struct pp_box) + page - 1) & ~(page - 1);
}

/* The message that carries descriptors on a worker's socket, in both directions. */
struct pp_parcel {
    uint64_t ticket;
};

/* `ring` when nobody needs to know. */
#define PP_RING_NEVER UINT64_MAX

static inline size_t pp_payload_align(size_t offset)
{
    return (offset + PP_PAYLOAD_ALIGN - 1) & ~(size_t)(PP_PAYLOAD_ALIGN - 1);
}

static inline struct pp_request *pp_tray_request(struct pp_tray *tray, uint64_t ticket)
{
    return &tray->requests[ticket % PP_RING];
}

static inline struct pp_result *pp_box_result(struct pp_box *box, uint64_t ticket)
{
    return &box->results[ticket % PP_RING];
}

static inline uint64_t pp_word(uint64_t ticket, enum pp_slot_state state)
{
    return ticket << 8 | state;
}

/* The half of a word that a sleeper has the kernel compare and that its waker names: an address, of which
 * nothing is read or written. */
static inline _Atomic uint32_t *pp_word_low(_Atomic uint64_t *word)
{
    enum { LOW = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 1 : 0 };
    return (_Atomic uint32_t *)(void *)word + LOW;
}

static inline uint64_t pp_word_ticket(uint64_t word)
{
    return word >> 8;
}

static inline enum pp_slot_state pp_word_state(uint64_t word)
{
    return (enum pp_slot_state)(word & 0xff);
}

/* Host: the words of a new box. */
void pp_mailbox_init(struct pp_box *box);
/* Host: hand over a request whose bytes are written. */
void pp_mailbox_publish_request(struct pp_result *result, uint64_t ticket);
/* Host: take a request back; false: the worker has it, or had it. */
bool pp_mailbox_take_back(struct pp_result *result, uint64_t ticket);
/* Host: the state of a ticket that it has neither taken back nor released: QUEUED, RUNNING, DONE
 * (acquires the result), or BROKEN: a task scribbled over the word. */
enum pp_slot_state pp_mailbox_state(struct pp_result *result, uint64_t ticket);
void               pp_mailbox_release(struct pp_result *result, uint64_t ticket);

enum pp_claim { PP_CLAIM_YES, PP_CLAIM_OVER, PP_CLAIM_NOT_YET, PP_CLAIM_BROKEN };

/* Worker: claim that ticket.  OVER: it was taken back, go to the next.  BROKEN: an earlier task
 * scribbled over the word. */
enum pp_claim pp_mailbox_claim(struct pp_result *result, uint64_t ticket);
/* Worker: publish the result whose bytes are written. */
void pp_mailbox_publish_result(struct pp_result *result, uint64_t ticket);

#endif
