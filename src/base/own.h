/*
 * own.h - which descriptors of this process are the library's, so that no other pool's processes
 * inherit them.
 *
 * Every place where a descriptor of the library comes into being is between begin and end:
 *
 *     int error = pp_own_begin();
 *     return error < 0 ? error : pp_own_end(eventfd(...));
 *
 * and pp_close forgets it again.  A pp_buffer's is the program's (pp_own_give_away): its callables may
 * use what they inherited.
 */
#ifndef PP_BASE_OWN_H
#define PP_BASE_OWN_H

#include <stddef.h>

/* Hold back hidden forks: nothing that may wait stands between this and the end.  0 or -ENOMEM, and
 * then there is no end. */
int  pp_own_begin(void);
void pp_own_note(int fd);
/* Note the result of a call that makes a descriptor: it, or -errno when it is negative. */
int  pp_own_end(int fd);
void pp_own_give_away(int fd);
/* What pp_close does to one that is open. */
void pp_own_close(int fd);

/* Around a fork: no descriptor of the library is without its note. */
int  pp_own_freeze(void); /* 0 or -ENOMEM */
void pp_own_thaw(void);
/* In the child, before anything else of the library: close what the parent's library had, but those. */
void pp_own_close_inherited(const int *keep, size_t count);

#endif
