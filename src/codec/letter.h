/*
 * letter.h - one value to one C variable: the letters of the format language, unpacking.
 */
#ifndef PP_CODEC_LETTER_H
#define PP_CODEC_LETTER_H

#include "codec/document.h"

struct pp_unpacking {
    va_list *ap;
    bool     store; /* false: check only, and make what has to be allocated */
};

/*
 * Fetch the targets of this letter and, when `store`, write the value into them.  `from` is NULL
 * for what is absent: its targets are fetched, so that those behind them are found, and left
 * alone.  -EINVAL for a NULL target or a value of another type; -ERANGE, -ENOMEM.
 */
int pp_letter_take(struct pp_unpacking *u, char letter, const struct pp_value *from);

#endif
