/*
 * mailbox.pml - the protocol of mailbox.h as a model, of which spin visits every state.
 *
 * Checked by tools/check-model: `make model`, and more of it by `make model-full`.  One host, two
 * workers with a tray and a box of two slots each; a worker may die between any two of its steps.
 *
 *   here                                stands for
 *   Slot, Mailbox                       words and bytes of struct pp_tray, pp_box     (mailbox.h)
 *   claim_next, judge                   claim_next, pp_mailbox_claim    (worker/take.c, mailbox.c)
 *   Worker                              pp_worker_take, _run, _reply      (worker/take.c, reply.c)
 *   fill, dispatch, recall              pp_pool_refill, _dispatch, _recall       (pool/dispatch.c)
 *   harvest, collect, arm_all, watch    pp_pool_harvest, _collect, _arm, _watch   (pool/collect.c)
 *   settle, unlocked                    settle, pp_pool_manager_main, handle      (pool/manager.c)
 *   kill, retire, bury, tend            the same                                  (pool/workers.c)
 *   sweep                               pp_pool_sweep                             (pool/recover.c)
 *   ring_worker, arm                    pp_worker_wake, _arm, _send_bullet     (supervise/slots.c)
 *   bells                               needs_bells, look_for_room      (pool/collect.c, submit.c)
 *   cancelling, finalize                pp_task_cancel, pp_pool_shut_down    (pool/wait, finalize)
 *   Memory                              what a processor does with stores that no fence follows
 *   Crash, Kernel                       a death at any step; SIGKILL, some time after it is sent
 *
 * What is left out, and why that is sound
 *   - All threads of the host are one process, which does one critical section after the other in
 *     any order: the pool's mutex makes them so, and nothing of a mailbox is touched outside it.
 *   - spin is sequentially consistent.  So a store whose delay could matter - QUEUED, `ring`,
 *     `sleeping`, DONE - waits in a buffer of one entry, out of which Memory, a fence, a
 *     read-modify-write, a system call or the next store moves it.  Stores stay in order, as their
 *     releases demand; loads overtake them, which is what the four fences forbid.
 *   - FREE and `sleeping = 0` go to memory at once: a worker tells FREE not apart from the DONE or
 *     TAKEN before it (judge), and who still sees `sleeping` rings for nothing.
 *   - A step has one access to what is shared, and any to private memory.  But the load of DONE, the
 *     result's bytes and the store of FREE are one, and so is all that is read after a death.
 *   - {ticket, arming} and last_ring: `ring` becomes NEVER when it is answered.  The bell's count: has
 *     it changed since it was read?  Both are compared for being the same value only.
 *   - A ring of 2 shows judge() all that one of 128 does: a word of the round before, of this round,
 *     of the next.  A result is one byte: the number of its task, and 0 until it is written.
 *   - How deep a tray is filled is free, where the code decides it by times.  A timer may be due at
 *     any moment.  Deaths, cancels and timers are bounded, so a run ends, and what stands still is
 *     seen; because a budget that is left could hide that, the smaller budgets are checked, too.
 *   - Tickets count from 1 and a new box is all zero, which says what the words do that
 *     pp_mailbox_init writes; `sleeping` is an `awake` that is not PP_AWAKE.
 *   - Scribbling tasks (that BROKEN is never read, is asserted), descriptors, priorities, the birth of
 *     a worker but for its READY, and fork servers are not here.
 *
 * Each FAULT_ is a mistake that somebody could make in the code: check-model wants spin to find it.
 */
#ifndef TASKS
#define TASKS 2
#endif
#ifndef CRASHES /* workers that die by themselves */
#define CRASHES 1
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef STALLS /* timers that take back what waits behind a task */
#define STALLS 0
#endif
#ifndef BULLETS /* workers replaced because of their age */
#define BULLETS 0
#endif
#ifndef WATCH /* somebody waits for tasks */
#define WATCH 0
#endif
#ifndef RETIRING /* there are workers above min_size: it is to be known when one is idle */
#define RETIRING 0
#endif
#ifndef DRAIN /* 1: finalize may come before all has ended; 2: and its patience may run out */
#define DRAIN 0
#endif
#ifndef RETRIES /* of a task that was lost */
#define RETRIES 0
#endif

#define WORKERS 2
#define RING 2
#define NEVER 255

/* state of a slot's word */
#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define TAKEN 3
#define DONE 4

mtype:store_kind = { NOTHING, WORD, TO_RING, SLEEPING };
mtype:claim_kind = { CLAIMED, OVER, NOT_YET };

/* ------------------------------------------------------------------------- shared memory */

typedef Slot {
    byte ticket; /* the word: {ticket, state} */
    byte state;
    byte request; /* task + 1 */
    byte value;   /* task + 1; 0: half written */
};

typedef Mailbox {
    Slot slot[RING];
    byte ring;    /* ring when a ticket >= this is done; NEVER, too, once that is answered */
    byte bell;    /* 0, or 1: the worker has read it, 2: it has changed since */
    bool bullet;
    bool ready; /* phase */
    bool sleeping;
};

Mailbox box[WORKERS];

#define SLOT(w, k) box[w].slot[(k) % RING]

/* Stores that are executed and not visible yet. */
typedef Buffer {
    mtype:store_kind what;
    byte        worker;
    byte        ticket;
    byte        value;
};

Buffer of_host;
Buffer of_worker[WORKERS];

inline drain(b)
{
    if
    :: b.what == WORD ->
        SLOT(b.worker, b.ticket).ticket = b.ticket;
        SLOT(b.worker, b.ticket).state = b.value
    :: b.what == TO_RING ->
        box[b.worker].ring = b.ticket /* unreached by workers, which do not write it */
    :: b.what == SLEEPING -> box[b.worker].sleeping = b.value
    :: else
    fi;
    b.what = NOTHING;
    b.worker = 0;
    b.ticket = 0;
    b.value = 0
}

inline store(b, place_, w, k, v)
{
    drain(b);
    b.what = place_;
    b.worker = w;
    b.ticket = k;
    b.value = v
}

active proctype Memory()
{
end:
    do
    :: atomic { of_host.what != NOTHING -> drain(of_host) }
    :: atomic { of_worker[0].what != NOTHING -> drain(of_worker[0]) }
    :: atomic { of_worker[1].what != NOTHING -> drain(of_worker[1]) }
    od
}

/* -------------------------------------------------------------------------------- kernel */

bool futex[WORKERS];  /* the worker sleeps on its bell         */
bool bell[WORKERS];   /* the worker's eventfd: an edge to come */
bool alarm;           /* the manager's own eventfd             */
bool pidfd[WORKERS];  /* readable: the process has ended       */
bool start[WORKERS];  /* a process is asked for                */
bool live[WORKERS];   /* it exists                             */
bool doomed[WORKERS]; /* SIGKILL is on its way                 */
bool dying[WORKERS];  /* it executes no step any more          */
bool crashed[WORKERS]; /* it died by itself                    */

active proctype Kernel()
{
end:
    do
    :: atomic { doomed[0] && live[0] && !dying[0] -> dying[0] = true }
    :: atomic { doomed[1] && live[1] && !dying[1] -> dying[1] = true }
    od
}

byte crashes;

active proctype Crash()
{
end:
    do
    :: atomic { crashes < CRASHES && live[0] && !dying[0] -> crashes++; crashed[0] = true; dying[0] = true }
    :: atomic { crashes < CRASHES && live[1] && !dying[1] -> crashes++; crashed[1] = true; dying[1] = true }
    od
}

/* What no process acts upon: for the assertions. */
byte allowed[TASKS];   /* a worker may begin the task: worker + 1 */
byte begun[TASKS];     /* claims by workers                       */
byte writing[WORKERS]; /* ticket whose result the worker may write */
bool orderly[WORKERS]; /* it left by the bullet                   */
bool accepted[TASKS];
bool ended[TASKS];
bool over; /* the pool has stopped */

/* -------------------------------------------------------------------------------- worker */

/* What does the word say about a ticket that cannot be claimed? */
inline judge()
{
    if
    :: SLOT(w, ticket).ticket == ticket ->
        assert(SLOT(w, ticket).state == TAKEN || SLOT(w, ticket).state == FREE);
        claim = OVER
    :: SLOT(w, ticket).ticket > ticket ->
        assert((SLOT(w, ticket).ticket - ticket) % RING == 0); /* unreached by three tasks */
        claim = OVER /* unreached: a fourth must follow one that was taken back */
    :: SLOT(w, ticket).ticket < ticket ->
        if
        :: ticket <= RING -> assert(SLOT(w, ticket).ticket == 0 && SLOT(w, ticket).state == FREE)
        :: else ->
            assert(SLOT(w, ticket).state != QUEUED && SLOT(w, ticket).state != RUNNING &&
                   ticket - SLOT(w, ticket).ticket == RING)
        fi;
        claim = NOT_YET
    fi
}

#define IS_QUEUED(w, k) (SLOT(w, k).ticket == k && SLOT(w, k).state == QUEUED)

inline begin()
{
    SLOT(w, ticket).state = RUNNING;
    claim = CLAIMED;
    task = SLOT(w, ticket).request;
    assert(task != 0);                    /* the request's bytes were there                    */
    assert(allowed[task - 1] == w + 1);   /* not taken back, nor given to another, nor ended   */
    allowed[task - 1] = 0;                /* nor begun before                                  */
    begun[task - 1]++;
    writing[w] = ticket;
    SLOT(w, ticket).value = 0
}

inline claim_next()
{
    do
    :: atomic { !IS_QUEUED(w, ticket) -> judge();
           if
           :: claim == OVER -> ticket++; claim = NOT_YET
           :: else -> break
           fi }
    :: IS_QUEUED(w, ticket) -> /* that was the look; now the compare-and-swap */
#ifdef FAULT_CLAIM_WITHOUT_CAS
        atomic { drain(of_worker[w]); begin(); break }
#else
        atomic {
            drain(of_worker[w]);
            if
            :: IS_QUEUED(w, ticket) -> begin(); break
            :: else -> judge(); assert(claim == OVER); ticket++; claim = NOT_YET
            fi
        }
#endif
    od
}

proctype Worker(byte w)
{
    byte ticket;
    byte task;
    mtype:claim_kind claim = NOT_YET;
    bool told;
    bool wanted;

end_unborn:
    do
    :: atomic { start[w] -> start[w] = false; ticket = 1 };
        {
            if
            :: box[w].ready /* the first ones: the pool has waited for them */
            :: !box[w].ready ->
                box[w].ready = true;
                bell[w] = true
            fi;
        next:
#ifdef FAULT_LEAVE_READ_LATE
            claim_next();
            told = box[w].bullet;
#else
            told = box[w].bullet;
            claim_next();
#endif
            if
            :: claim == CLAIMED -> goto execute
            :: claim != CLAIMED && told ->
                atomic { drain(of_worker[w]); orderly[w] = true; dying[w] = true };
                false
            :: claim != CLAIMED && !told
            fi;
#ifdef FAULT_BELL_READ_LATE
            atomic { store(of_worker[w], SLEEPING, w, 0, 1) };
#else
            atomic { box[w].bell = 1; store(of_worker[w], SLEEPING, w, 0, 1) };
#endif
#ifndef FAULT_NO_SLEEP_FENCE
            atomic { drain(of_worker[w]) };
#endif
#ifndef FAULT_NO_LOOK_BEFORE_SLEEP
            claim_next();
#endif
#ifdef FAULT_BELL_READ_LATE
            box[w].bell = 1;
#endif
            if
            :: claim == CLAIMED || box[w].bullet
            :: claim != CLAIMED && !box[w].bullet ->
                atomic { /* futex_wait */
                    drain(of_worker[w]);
                    if
                    :: box[w].bell == 2
                    :: else -> futex[w] = true
                    fi
                };
                !futex[w]
            fi;
            atomic {
                drain(of_worker[w]);
                box[w].bell = 0;
                box[w].sleeping = false; /* too late it would be harmless: a wake-up for nothing */
                if
                :: claim == CLAIMED -> goto execute
                :: else -> goto next
                fi
            };
        execute:
#ifdef FAULT_PUBLISH_BEFORE_RESULT
            atomic { store(of_worker[w], WORD, w, ticket, DONE); drain(of_worker[w]) };
            SLOT(w, ticket).value = task;
            writing[w] = 0;
#else
            atomic { assert(SLOT(w, ticket).request == task); SLOT(w, ticket).value = task };
            atomic { store(of_worker[w], WORD, w, ticket, DONE); writing[w] = 0 };
#endif
            atomic { /* ring_if_wanted */
#ifndef FAULT_NO_RING_FENCE
                drain(of_worker[w]);
#endif
                wanted = ticket >= box[w].ring;
                box[w].ring = (wanted -> NEVER : box[w].ring);
                ticket++;
                task = 0;
                claim = NOT_YET
            };
            if
            :: wanted -> atomic { drain(of_worker[w]); bell[w] = true; wanted = false }
            :: !wanted
            fi;
            goto next
        }
        unless
        {
            atomic {
                dying[w] ->
                    drain(of_worker[w]); /* what was executed becomes visible before the end is told */
                    dying[w] = false;
                    doomed[w] = false;
                    live[w] = false;
                    futex[w] = false;
                    pidfd[w] = true;
                    ticket = 0;
                    task = 0;
                    claim = NOT_YET;
                    told = false;
                    wanted = false;
                    writing[w] = 0
            }
        }
    od
}

/* ---------------------------------------------------------------------------------- host */

/*
 * Host is all threads of the program and the manager: one critical section after the other.  What is
 * a function in the code is a label here that is called and goes back.
 */

/* place of a task, and outcomes */
mtype:place_kind = { NEW, PENDING, SENT, ENDED };
mtype:outcome_kind = { RESULT, CANCELLED, LOST };
/* the host's view of a worker, the pool's life, the manager */
mtype:worker_kind = { NOBODY, BORN, READY, LEAVING, KILLED };
mtype:life_kind = { OPEN, DRAINING, STOPPING, STOPPED };
mtype:manager_kind = { SETTLE, POLL, ASLEEP };

#define CALL(function, n) back_of_##function = n; goto function; function##_##n: skip
#define BACK(function, n) back_of_##function == n -> back_of_##function = 0; goto function##_##n

/*
 * All of Host is one atomic sequence, which stands still at each STEP only: others may execute then,
 * until Turn lets it go on.  A STEP stands before each access to what workers see.
 */
chan turn = [0] of { bit };
#define STEP turn?_

active proctype Turn()
{
end:
    do
    :: turn!0
    od
}

#define TASK(w, k) sent[w].task[(k) % RING]
#define INFLIGHT(w) ((sent[w].task[0] != 0) + (sent[w].task[1] != 0))
#define IDLE(w) (state[w] == READY && INFLIGHT(w) == 0)
#define BUSY(w) (INFLIGHT(w) > 0)
#define ACTIVE ((state[0] == READY || state[0] == BORN) + (state[1] == READY || state[1] == BORN))
#define TOTAL ((state[0] != NOBODY) + (state[1] != NOBODY))

#if TASKS == 2
#define COUNT(p) ((place[0] == p) + (place[1] == p))
#define FIRST (place[0] == PENDING -> 0 : 1)
#else
#define COUNT(p) ((place[0] == p) + (place[1] == p) + (place[2] == p))
#define FIRST (place[0] == PENDING -> 0 : (place[1] == PENDING -> 1 : 2))
#endif
#define QUEUE COUNT(PENDING)
#define UNFINISHED (COUNT(PENDING) + COUNT(SENT))

/* What the host itself has stored, or else what memory says. */
#define OWN(w, k) (of_host.what == WORD && of_host.worker == w && of_host.ticket % RING == (k) % RING)
#define STATE_NOW(w, k) (OWN(w, k) -> of_host.value : SLOT(w, k).state)
#define TICKET_NOW(w, k) (OWN(w, k) -> of_host.ticket : SLOT(w, k).ticket)

inline latch(t, what)
{
    assert(place[t] != ENDED); /* exactly one outcome */
    assert(what != CANCELLED || CANCELS + DRAIN > 0);
    place[t] = ENDED;
    attempts[t] = 0;
    begun[t] = 0;
    allowed[t] = 0;
    ended[t] = true
}

inline back_to_queue(t)
{
    place[t] = PENDING;
    allowed[t] = 0
}

/* An attempt is over. */
inline conclude(t, what)
{
    attempts[t]++;
    assert(attempts[t] == begun[t]);
    if
    :: what == LOST && attempts[t] <= RETRIES && (life == OPEN || life == DRAINING) -> back_to_queue(t)
    :: else -> latch(t, what)
    fi
}

inline arm(w, k)
{
    store(of_host, TO_RING, w, k, 0);
    armed[w] = k
}

/* Change the bell, then wake who sleeps on it. */
inline ring_worker(w)
{
    STEP;
    drain(of_host);
    box[w].bell = (box[w].bell > 0 -> 2 : 0);
#ifndef FAULT_NO_FUTEX_WAKE
    STEP;
    futex[w] = false
#endif
}

inline wake_manager()
{
    alarm = alarm || manager != SETTLE
}

/* Take a ticket back, one step: `taken`, and t is its task. */
inline recall(w, k)
{
    drain(of_host);
#ifdef FAULT_RECALL_WITHOUT_CAS
    taken = true;
#else
    taken = IS_QUEUED(w, k);
#endif
    if
    :: taken ->
        SLOT(w, k).ticket = k;
        SLOT(w, k).state = TAKEN;
        t = TASK(w, k) - 1;
        TASK(w, k) = 0;
        changed = true;
#ifndef FAULT_NO_REARM_AFTER_RECALL
        wake_manager()
#endif
    :: else
    fi
}

/* With a ring of two at most one ticket is behind another. */
inline recall_behind(w)
{
    if
    :: INFLIGHT(w) == 2 ->
        STEP;
        recall(w, tail[w] - 1);
        if
        :: taken -> back_to_queue(t)
        :: else
        fi;
        t = 0;
        taken = false
    :: else
    fi
}

#define AT_HEAD(w) (head[w] < tail[w])
#define GAP_AT_HEAD(w) (AT_HEAD(w) && TASK(w, head[w]) == 0)
#ifdef FAULT_HARVEST_RUNNING
#define ENDED_AT_HEAD(w) (STATE_NOW(w, head[w]) == DONE || STATE_NOW(w, head[w]) == RUNNING)
#else
#define ENDED_AT_HEAD(w) (STATE_NOW(w, head[w]) == DONE)
#endif
#define RESULT_AT_HEAD(w) (AT_HEAD(w) && TASK(w, head[w]) != 0 && ENDED_AT_HEAD(w))

inline drop_taken_back(w)
{
    drain(of_host);
    SLOT(w, head[w]).state = FREE;
    SLOT(w, head[w]).request = 0;
    head[w]++
}

/* Take what is done from the front of the tray: `got`. */
inline take_results(w)
{
    STEP;
    do
    :: GAP_AT_HEAD(w) -> drop_taken_back(w); STEP
    :: RESULT_AT_HEAD(w) ->
        t = TASK(w, head[w]) - 1;
        assert(TICKET_NOW(w, head[w]) == head[w]);
        assert(SLOT(w, head[w]).value == t + 1); /* whole, and of this task */
#ifndef FAULT_DOUBLE_LATCH
        TASK(w, head[w]) = 0;
        drain(of_host);
        SLOT(w, head[w]).state = FREE;
        SLOT(w, head[w]).request = 0;
        SLOT(w, head[w]).value = 0;
        head[w]++;
#endif
        conclude(t, RESULT);
        t = 0;
        got = true;
        STEP
    :: !GAP_AT_HEAD(w) && !RESULT_AT_HEAD(w) -> /* and not BROKEN */
        assert(!AT_HEAD(w) || (TICKET_NOW(w, head[w]) == head[w] &&
                               STATE_NOW(w, head[w]) != FREE && STATE_NOW(w, head[w]) != TAKEN));
        break
    od;
    rung[w] = (rung[w] < head[w] -> 0 : rung[w]) /* the same, and fewer states */
}

/* The last ticket that was not taken back. */
#define LAST(w) (TASK(w, tail[w] - 1) != 0 -> tail[w] - 1 : tail[w] - 2)
#define ARM_FOR(w) (watched || (QUEUE > 0) -> head[w] : LAST(w))
#define NEEDS_BELLS (watched || QUEUE > 0 || life != OPEN || ACTIVE != 2 || RETIRING || RETRIES > 0)
#define ARMING(w) (bells || state[w] != READY -> ARM_FOR(w) : NEVER)

inline arm_all()
{
    bells = NEEDS_BELLS;
    if
    :: BUSY(0) -> STEP; k = ARMING(0); arm(0, k); k = 0
    :: else
    fi;
    if
    :: BUSY(1) -> STEP; k = ARMING(1); arm(1, k); k = 0
    :: else
    fi;
#ifndef FAULT_NO_ARM_FENCE
    STEP;
    drain(of_host)
#endif
}

/* The bullet. */
inline retire(w)
{
    recall_behind(w);
    state[w] = LEAVING;
    changed = true;
    STEP;
    drain(of_host);
    box[w].bullet = true;
#ifndef FAULT_BULLET_WITHOUT_RING
    ring_worker(w)
#else
    skip
#endif
}

/* What became of a ticket of a dead worker that is not a result. */
inline sweep_one(w)
{
    if
    :: TASK(w, k) != 0 ->
        t = TASK(w, k) - 1;
        TASK(w, k) = 0;
        if
#ifdef FAULT_QUEUED_IS_LOST
        :: true ->
#else
        :: SLOT(w, k).state == RUNNING || SLOT(w, k).state == DONE ->
#endif
            assert(SLOT(w, k).state != DONE); /* a result that was there is not lost */
            assert(!got);                     /* at most one for each death */
            got = true;
            if
            :: reason[w] == t + 1 || reason[w] == NEVER -> conclude(t, CANCELLED)
            :: else -> assert(crashed[w]); conclude(t, LOST)
            fi
        :: else ->
            assert(IS_QUEUED(w, k));
            assert(begun[t] == attempts[t]); /* it had not begun: no attempt is spent */
            assert(!orderly[w]);             /* who left in order, left nothing behind */
            back_to_queue(t)
        fi
    :: else
    fi
}

inline sweep(w)
{
    drain(of_host);
    got = false;
    k = head[w];
    do
    :: k < tail[w] -> sweep_one(w); k++
    :: else -> break
    od;
    k = 0;
    t = 0;
    got = false
}

/* Its outcomes will come when it is dead. */
inline kill(w, why)
{
#ifndef FAULT_SWEEP_BEFORE_DEAD
    recall_behind(w);
#endif
    state[w] = KILLED;
    changed = true;
    reason[w] = why;
    STEP;
    doomed[w] = true;
#ifdef FAULT_SWEEP_BEFORE_DEAD
    STEP;
    sweep(w)
#else
    skip
#endif
}

inline clear_slot(w, i)
{
    box[w].slot[i].ticket = 0;
    box[w].slot[i].state = FREE;
    box[w].slot[i].request = 0;
    box[w].slot[i].value = 0
}

/* Handle, tray and box of a dead worker go: nobody else can see them. */
inline bury(w)
{
    drain(of_host);
#ifndef FAULT_REUSE_BOX
    clear_slot(w, 0);
    clear_slot(w, 1);
#endif
    box[w].ring = NEVER;
    box[w].bell = 0;
    box[w].bullet = false;
    box[w].ready = false;
    box[w].sleeping = false;
    armed[w] = 0;
    rung[w] = 0;
    head[w] = 0;
    tail[w] = 0;
    reason[w] = 0;
    orderly[w] = false;
    crashed[w] = false;
    bell[w] = false;
    pidfd[w] = false;
    state[w] = NOBODY;
    changed = true
}

inline spawn(w)
{
    head[w] = 1;
    tail[w] = 1;
    state[w] = BORN;
    changed = true;
    live[w] = true;
    start[w] = true
}

/* How many workers there shall be. */
#define NEEDED (UNFINISHED < 2 -> UNFINISHED : 2)
#define WANTED (life == OPEN -> 2 : (life == DRAINING -> NEEDED : 0))
#define TOO_MANY (life == DRAINING && QUEUE == 0 && INFLIGHT(0) < 2 && INFLIGHT(1) < 2 && ACTIVE > WANTED)
#ifndef FAULT_NO_WATCH_OF_DEATH
#define DEATHS (pidfd[0] || pidfd[1])
#else
#define DEATHS false
#endif
#define EVENTS (alarm || bell[0] || bell[1] || DEATHS)
#define ALL_ENDED (COUNT(ENDED) == TASKS)
#define UNHEARD (manager == ASLEEP && !alarm && !bells) /* the program comes and looks */
#define MAY(budget, w) (budget > 0 && manager == ASLEEP && state[w] == READY)
#define TICKET_OF(w, c) (TASK(w, head[w]) == c + 1 -> head[w] : head[w] + 1)
#define HOLDS(w, c) (sent[w].task[0] == c + 1 || sent[w].task[1] == c + 1)

#define YOUNG(w) (state[w] == BORN || state[w] == NOBODY)

typedef Sent { byte task[RING] }; /* task + 1, 0: none */

active proctype Host()
{
    mtype:place_kind place[TASKS] = NEW;
    byte attempts[TASKS];
    mtype:worker_kind state[WORKERS] = NOBODY;
    byte armed[WORKERS]; /* for the assertion: the ticket its bell was armed for */
    byte rung[WORKERS];  /* the last ticket that was out when it was woken */
    bool bells;          /* otherwise nobody needs to know what is done */
    byte head[WORKERS];
    byte tail[WORKERS];
    Sent sent[WORKERS];
    byte reason[WORKERS]; /* task + 1 for which it was killed, NEVER: finalize */
    mtype:life_kind life = OPEN;
    mtype:manager_kind manager = SETTLE;
    bool watched;
    bool changed;
    byte submitted;
    /* what this run will do */
    byte cancels;
    byte stalls;
    byte bullets;
    bool watches;
    /* of the critical section that is going on */
    byte t;    /* a task           */
    byte k;    /* a ticket         */
    byte c;    /* task to cancel   */
    byte w;    /* worker harvested */
    byte d;    /* of dispatch      */
    byte f;    /* being filled     */
    byte e;    /* with events      */
    bool once; /* give it one task */
    bool gave;
    bool got;
    bool taken;
    bool asleep;
    bool first;
    bool rang[WORKERS];
    bool died[WORKERS];
    byte back_of_fill;
    byte back_of_harvest;
    byte back_of_dispatch;
    byte back_of_collect;

    atomic {
        spawn(0);
        spawn(1);
        state[0] = READY;
        state[1] = READY;
        box[0].ready = true;
        box[1].ready = true;
        box[0].ring = NEVER;
        box[1].ring = NEVER;
        run Worker(0);
        run Worker(1);
        cancels = CANCELS;
        stalls = STALLS;
        bullets = BULLETS;
        watches = WATCH;
        goto settle;

    /* ------------------------------------------------ pp_pool_refill, and send_task in it */
fill:
    do
    :: QUEUE > 0 && state[f] == READY && GAP_AT_HEAD(f) && !(once && gave) -> STEP; drop_taken_back(f)
    :: QUEUE > 0 && state[f] == READY && !GAP_AT_HEAD(f) && tail[f] - head[f] < RING && !(once && gave) ->
               t = FIRST;
               k = tail[f];
               assert(writing[f] == 0 || writing[f] % RING != k % RING); /* nobody writes there */
               first = !BUSY(f);
               place[t] = SENT;
               allowed[t] = f + 1;
               TASK(f, k) = t + 1;
               tail[f] = k + 1;
#ifndef FAULT_PUBLISH_BEFORE_REQUEST
               SLOT(f, k).request = t + 1;
#endif
#ifndef FAULT_ARM_AFTER_PUBLISH
               if
               :: first && bells -> STEP; arm(f, k)
               :: first && !bells -> STEP; arm(f, NEVER)
               :: else
               fi;
#endif
        STEP;
        store(of_host, WORD, f, k, QUEUED);
#ifdef FAULT_PUBLISH_BEFORE_REQUEST
        STEP;
        drain(of_host);
        STEP;
        SLOT(f, k).request = t + 1;
#endif
#ifdef FAULT_ARM_AFTER_PUBLISH
        if
        :: first && bells -> STEP; arm(f, k)
        :: first && !bells -> STEP; arm(f, NEVER)
        :: else
        fi;
#endif
        gave = true;
        first = false;
        t = 0;
        k = 0
    /* how deep it is filled, is free */
    :: QUEUE == 0 || state[f] != READY || BUSY(f) -> once = false; break
    od;
    if
    :: gave -> /* pp_worker_wake */
        gave = false;
        STEP;
#ifndef FAULT_NO_WAKE_FENCE
        drain(of_host);
#endif
        asleep = box[f].sleeping;
        if
        :: asleep && rung[f] >= head[f] -> /* on_its_way */
#ifndef FAULT_ON_ITS_WAY_FOR_EVER
            STEP;
            asleep = !IS_QUEUED(f, rung[f])
#else
            asleep = false
#endif
        :: else
        fi;
        if
        :: asleep -> asleep = false; rung[f] = tail[f] - 1; ring_worker(f)
        :: else
        fi
    :: else
    fi;
    f = 0;
    if
    :: BACK(fill, 1)
    :: BACK(fill, 2)
    :: BACK(fill, 3)
    :: BACK(fill, 4)
    fi;

    /* -------------------------------------------------------------------- pp_pool_harvest */
harvest:
    take_results(w);
    if
    :: got && state[w] == READY -> got = false; f = w; CALL(fill, 1)
    :: else -> got = false
    fi;
    if
    :: BACK(harvest, 1)
    :: BACK(harvest, 2)
    :: BACK(harvest, 3)
    :: BACK(harvest, 4)
    :: BACK(harvest, 5)
    :: BACK(harvest, 6)
    fi;

    /* ------------------------------------------------------------------- pp_pool_dispatch */
dispatch:
    if
    :: QUEUE == 0 && (IDLE(0) || IDLE(1)) && (INFLIGHT(0) == 2 || INFLIGHT(1) == 2) ->
        d = (INFLIGHT(0) == 2 -> 0 : 1); /* share_with_idle */
        recall_behind(d)
    :: else
    fi;
    do
    :: QUEUE > 0 && IDLE(0) -> f = 0; once = true; CALL(fill, 2)
    :: QUEUE > 0 && IDLE(1) -> f = 1; once = true; CALL(fill, 3)
    :: else -> break
    od;
    d = 0;
    do
    :: d < WORKERS && QUEUE > 0 && BUSY(d) -> f = d; CALL(fill, 4); d++
    :: d < WORKERS && !(QUEUE > 0 && BUSY(d)) -> d++
    :: d == WORKERS -> d = 0; break
    od;
    if
    :: BACK(dispatch, 1)
    :: BACK(dispatch, 2)
    :: BACK(dispatch, 3)
#ifndef FAULT_NO_DISPATCH_AFTER_DEATH
    :: BACK(dispatch, 4)
#endif
    :: BACK(dispatch, 5)
    :: BACK(dispatch, 6)
    fi;

    /* -------------------------------------------------------------------- pp_pool_collect */
collect:
    if
    :: BUSY(0) -> w = 0; CALL(harvest, 1)
    :: else
    fi;
    if
    :: BUSY(1) -> w = 1; CALL(harvest, 2)
    :: else
    fi;
    w = 0;
    if
    :: IDLE(0) || IDLE(1) -> CALL(dispatch, 1)
    :: else
    fi;
    if
    :: BACK(collect, 1)
#ifndef FAULT_NO_SECOND_LOOK
    :: BACK(collect, 2)
#endif
    :: BACK(collect, 3)
    :: BACK(collect, 4)
    fi;

    /* ------------------------------------------------- the manager: settle, until it sleeps */
settle:
    CALL(collect, 1);
    CALL(dispatch, 2);
    arm_all();
    changed = false;
#ifndef FAULT_NO_SECOND_LOOK
    CALL(collect, 2);
#endif
    do /* pp_pool_tend */
    :: state[0] == NOBODY && ACTIVE < WANTED -> spawn(0)
    :: state[1] == NOBODY && ACTIVE < WANTED -> spawn(1)
    :: (IDLE(0) || IDLE(1)) && TOO_MANY -> w = (IDLE(1) -> 1 : 0); retire(w); w = 0
    :: else -> break
    od;
#ifdef FAULT_SLEEP_THOUGH_CHANGED
    changed = false;
#endif
    manager = (changed -> POLL : ASLEEP);
    changed = false;

unlocked:
    assert(manager != ASLEEP || alarm || bells || QUEUE == 0);
    assert(manager != ASLEEP || alarm || !bells || !BUSY(0) || armed[0] <= LAST(0));
    assert(manager != ASLEEP || alarm || !bells || !BUSY(1) || armed[1] <= LAST(1));
    STEP;
    do
    /* ------------------------------------------------------- the manager: handle events */
    :: manager == POLL || (manager == ASLEEP && EVENTS) ->
        rang[0] = bell[0];
        rang[1] = bell[1];
        bell[0] = false;
        bell[1] = false;
        died[0] = DEATHS && pidfd[0];
        died[1] = DEATHS && pidfd[1];
        alarm = false;
        manager = SETTLE;
        do
        :: e < WORKERS && state[e] != NOBODY && (rang[e] || died[e]) ->
            if
            :: state[e] == BORN && box[e].ready -> state[e] = READY; changed = true; CALL(dispatch, 3)
            :: else
            fi;
            if
            :: rang[e] -> w = e; CALL(harvest, 3); w = 0
            :: else
            fi;
            if
            :: died[e] ->
                state[e] = KILLED;
#ifndef FAULT_NO_HARVEST_OF_DONE
                take_results(e); /* DONE first */
#endif
                STEP;
                sweep(e);
                bury(e);
#ifndef FAULT_NO_DISPATCH_AFTER_DEATH
                CALL(dispatch, 4)
#else
                skip
#endif
            :: else
            fi;
            rang[e] = false;
            died[e] = false;
            e++
        :: e < WORKERS && !(state[e] != NOBODY && (rang[e] || died[e])) -> rang[e] = false; e++
        :: e == WORKERS -> e = 0; break
        od;
#ifdef FAULT_NO_DISPATCH_AFTER_DEATH
        manager = ASLEEP;
        goto unlocked
#else
        goto settle
#endif

    /* ------------------------------------------------------- the manager: a timer is due */
    :: MAY(stalls, 0) && BUSY(0) -> stalls--; manager = SETTLE; w = 0;
        goto stalled
    :: MAY(stalls, 1) && BUSY(1) -> stalls--; manager = SETTLE; w = 1;
    stalled:
        CALL(harvest, 4);
        recall_behind(w);
        w = 0;
        goto settle
    :: MAY(bullets, 0) -> bullets--; manager = SETTLE; w = 0;
        goto retiring
    :: MAY(bullets, 1) -> bullets--; manager = SETTLE; w = 1;
    retiring:
        retire(w);
        w = 0;
        goto settle

    /* ------------------------------------------------------- the program: pp_pool_submit */
    :: submitted < TASKS ->
        place[submitted] = PENDING;
        accepted[submitted] = true;
        submitted++;
        CALL(dispatch, 5);
        if
        :: QUEUE > 0 && !bells -> /* look_for_room */
            CALL(collect, 4);
            if
#ifndef FAULT_PENDING_WITHOUT_BELLS
            :: QUEUE > 0 -> wake_manager()
#endif
            :: else
            fi
        :: else
        fi;
        changed = false;
        goto unlocked

    /* -------------------------------------------------------------------- pp_task_cancel */
    :: cancels > 0 && place[0] != NEW && place[0] != ENDED -> cancels--; c = 0;
        goto cancelling
    :: cancels > 0 && place[1] != NEW && place[1] != ENDED -> cancels--; c = 1;
#if TASKS > 2
        goto cancelling
    :: cancels > 0 && place[2] != NEW && place[2] != ENDED -> cancels--; c = 2;
#endif
    cancelling:
        if
        :: place[c] == SENT -> w = (HOLDS(0, c) -> 0 : 1); CALL(harvest, 5)
        :: else
        fi;
        if
        :: place[c] == PENDING -> latch(c, CANCELLED)
        :: place[c] == SENT ->
            STEP;
            k = TICKET_OF(w, c);
            recall(w, k);
            k = 0;
            if
            :: taken -> latch(c, CANCELLED)
            :: else
            fi;
            t = 0;
            if
            :: taken -> taken = false
            :: else ->
                recall_behind(w);
                CALL(harvest, 6);
                if
                :: place[c] == SENT && state[w] != KILLED -> kill(w, c + 1)
                :: else
                fi
            fi
        :: place[c] == ENDED
        fi;
        c = 0;
        w = 0;
        CALL(dispatch, 6);
        changed = false;
        goto unlocked

    /* ------------------------------------- pp_pool_watch, by who waits and by finalize */
    :: watches && submitted > 0 -> watches = false; goto watch
    :: life == OPEN && submitted == TASKS && (DRAIN || ALL_ENDED || UNHEARD) ->
        life = DRAINING;
        wake_manager();
    watch:
        if
        :: watched
        :: else ->
            watched = true;
            arm_all();
            CALL(collect, 3);
            changed = false
        fi;
        goto unlocked

    /* ------------------------------------------------------ finalize: patience is over */
    :: life == DRAINING && TOTAL + UNFINISHED > 0 &&
       (DRAIN == 2 || (UNFINISHED == 0 && YOUNG(0) && YOUNG(1))) ->
        life = STOPPING;
        w = 0;
        do
        :: QUEUE > 0 -> t = FIRST; latch(t, CANCELLED); t = 0
        :: QUEUE == 0 && w < WORKERS && k < head[w] -> k = head[w]
        :: QUEUE == 0 && w < WORKERS && k >= head[w] && k < tail[w] && TASK(w, k) == 0 -> k++
        :: QUEUE == 0 && w < WORKERS && k >= head[w] && k < tail[w] && TASK(w, k) != 0 ->
            STEP;
            recall(w, k);
            if
            :: taken -> latch(t, CANCELLED)
            :: else
            fi;
            t = 0;
            taken = false;
            k++
        :: QUEUE == 0 && w < WORKERS && k >= head[w] && k >= tail[w] ->
            if
            :: state[w] != NOBODY && state[w] != KILLED -> kill(w, NEVER)
            :: else
            fi;
            k = 0;
            w++
        :: QUEUE == 0 && w == WORKERS -> w = 0; break
        od;
        changed = false;
        wake_manager();
        goto unlocked

    /* ------------------------------------------------------------------- all are gone */
    :: (life == DRAINING || life == STOPPING) && TOTAL == 0 && UNFINISHED == 0 ->
        life = STOPPED;
        assert(ALL_ENDED);
        over = true;
        break
    od
    }
}

/* With fair processes: whatever happens, each task has its outcome in the end, and nothing of the
 * pool is left. */
ltl ends { <> over }
ltl outcomes { [] (accepted[0] -> <> ended[0]) && [] (accepted[1] -> <> ended[1]) }
