/*
 * number.h - an item that is a number, as the C number that was asked for.
 *
 * A number is given when the C type holds exactly the same: 2.0 is an int, 2.5 is none, and
 * 2^53 + 1 is no double.  -ERANGE when it does not fit, -EINVAL when the item is no number (a
 * bool is none).  Not-a-number and the infinities are doubles only; -0.0 is the int 0.
 */
#ifndef PP_CODEC_NUMBER_H
#define PP_CODEC_NUMBER_H

#include "codec/item.h"

int pp_number_signed(const struct pp_item *item, int64_t low, int64_t high, int64_t *number);
int pp_number_unsigned(const struct pp_item *item, uint64_t high, uint64_t *number);
int pp_number_double(const struct pp_item *item, double *number);

#endif
