/*
 * death.h - what a worker can say before it dies, and what it said.
 */
#ifndef PP_SUPERVISE_DEATH_H
#define PP_SUPERVISE_DEATH_H

#include "supervise/slots.h"

enum { PP_DEATH_TEXT = PP_LAST_WORDS_TEXT + 64 };

/* Would it hear PP_LIMIT_SIGNAL?  False, too, when that cannot be learned. */
bool pp_worker_can_answer(const struct pp_worker *worker);

/* It has heard it, or says so. */
bool pp_worker_answers(const struct pp_worker *worker);

/* Of a dead worker: where it was in that ticket, in printable characters, or "".  A first line says
 * which signal it was, unless it was the one of the time limit. */
void pp_worker_last_words(const struct pp_worker *worker, uint64_t ticket,
                          char text[PP_DEATH_TEXT]);

#endif
