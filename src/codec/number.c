/*
 * number.c - exact conversions between the numbers of MessagePack and those of C.
 *
 * Invariant: a double is compared with the limits of an integer type before it is converted to
 * it, since the conversion of one that does not fit is undefined.
 */
#include "codec/number.h"

#include <errno.h>

static const double two_to_63 = 9223372036854775808.0;
static const double two_to_64 = 18446744073709551616.0;

static int signed_of_double(double real, int64_t *number)
{
    if (!(real >= -two_to_63 && real < two_to_63)) /* written so that NaN fails too */
        return -ERANGE;
    *number = (int64_t)real;
    return (double)*number == real ? 0 : -ERANGE;
}

static int unsigned_of_double(double real, uint64_t *number)
{
    if (!(real >= 0 && real < two_to_64))
        return -ERANGE;
    *number = (uint64_t)real;
    return (double)*number == real ? 0 : -ERANGE;
}

/* A double has 53 bits of mantissa: what is left without the zeros at the end must fit. */
static int double_of_unsigned(uint64_t value, double *number)
{
    if (value != 0 && value >> __builtin_ctzll(value) >= UINT64_C(1) << 53)
        return -ERANGE;
    *number = (double)value;
    return 0;
}

int pp_number_signed(const struct pp_item *item, int64_t low, int64_t high, int64_t *number)
{
    int64_t value = 0;
    int     error = 0;
    if (item->kind == PP_ITEM_UNSIGNED) {
        error = item->number > INT64_MAX ? -ERANGE : 0;
        value = error == 0 ? (int64_t)item->number : 0;
    } else if (item->kind == PP_ITEM_NEGATIVE) {
        value = item->negative;
    } else if (item->kind == PP_ITEM_DOUBLE) {
        error = signed_of_double(item->real, &value);
    } else {
        return -EINVAL;
    }
    if (error == 0 && (value < low || value > high))
        error = -ERANGE;
    if (error == 0)
        *number = value;
    return error;
}

int pp_number_unsigned(const struct pp_item *item, uint64_t high, uint64_t *number)
{
    uint64_t value = 0;
    int      error = 0;
    if (item->kind == PP_ITEM_UNSIGNED)
        value = item->number;
    else if (item->kind == PP_ITEM_NEGATIVE)
        error = -ERANGE;
    else if (item->kind == PP_ITEM_DOUBLE)
        error = unsigned_of_double(item->real, &value);
    else
        return -EINVAL;
    if (error == 0 && value > high)
        error = -ERANGE;
    if (error == 0)
        *number = value;
    return error;
}

int pp_number_double(const struct pp_item *item, double *number)
{
    double value = 0;
    int    error = 0;
    if (item->kind == PP_ITEM_UNSIGNED) {
        error = double_of_unsigned(item->number, &value);
    } else if (item->kind == PP_ITEM_NEGATIVE) {
        error = double_of_unsigned(-(uint64_t)item->negative, &value);
        value = -value;
    } else if (item->kind == PP_ITEM_DOUBLE) {
        value = item->real;
    } else {
        return -EINVAL;
    }
    if (error == 0)
        *number = value;
    return error;
}
